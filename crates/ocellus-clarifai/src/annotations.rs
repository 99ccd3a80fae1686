//! Annotations: RPCs and the wire form of an annotation.

use ocellus_core::annotations::{
    self, Annotation as CoreAnnotation, AnnotationListing, AnnotationPatch, FrameListing, NewAnnotation,
    Status as CoreStatus, Worker as CoreWorker,
};
use ocellus_core::{AppCtx, Error, PatchAction, Result};

use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::worker::Worker as AnyWorker;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{annotation_data, documents, inputs, items, paging, status};

pub async fn get_annotation(cx: Cx, req: GetAnnotationRequest) -> Result<SingleAnnotationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = annotations::get(&app, &req.input_id, &req.annotation_id).await?;
    Ok(SingleAnnotationResponse { status: status::success(), annotation: Some(to_wire(&cx, &app, &found)) })
}

pub async fn list_annotations(cx: Cx, req: ListAnnotationsRequest) -> Result<MultiAnnotationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let listing = AnnotationListing {
        ids: req.ids,
        input_ids: req.input_ids,
        account_ids: req.user_ids.into_iter().map(|id| own_name(&app, id)).collect(),
        model_version_ids: req.model_version_ids,
        workflow_version_ids: req.workflow_version_ids,
        statuses: req.statuses.iter().map(|s| read_status(s.code, "statuses")).collect::<Result<_>>()?,
        task_id: (!req.task_id.is_empty()).then_some(req.task_id),
        by_models: req.list_all_annotations,
        with_predictions: req.return_model_output,
        page: paging::page(req.page, req.per_page)?,
    };
    let found = annotations::list(&app, listing).await?;
    Ok(many(&cx, &app, &found))
}

pub async fn post_annotations(cx: Cx, req: PostAnnotationsRequest) -> Result<MultiAnnotationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let echo: Vec<Annotation> = req.annotations.iter().map(echo).collect();
    let (new, places) = items::read(req.annotations, "annotations", |wire, field| read(&app, wire, field))?;
    let made = match new.is_empty() {
        true => Vec::new(),
        false => annotations::create(&app, new).await?,
    };
    let results = places.fill(made).into_iter().zip(echo);
    let annotations: Vec<Annotation> = results
        .map(|(result, echo)| match result {
            Ok(annotation) => to_wire(&cx, &app, &annotation),
            Err(error) => Annotation { status: Some(item_status(&cx, &error)), ..echo },
        })
        .collect();
    let good: Vec<Code> =
        CoreStatus::ALL.into_iter().filter(|s| *s != CoreStatus::Failed).map(code).collect();
    let status = status::of_items(cx.era, annotations.iter().map(|a| a.status.as_ref()), &good);
    Ok(MultiAnnotationResponse { status: Some(status), annotations })
}

pub async fn patch_annotations(cx: Cx, req: PatchAnnotationsRequest) -> Result<MultiAnnotationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.annotations.into_iter().enumerate().map(patch).collect::<Result<_>>()?;
    let changed = annotations::patch(&app, patches, action, req.delete_if_empty_data).await?;
    Ok(many(&cx, &app, &changed))
}

pub async fn patch_annotations_status(
    cx: Cx,
    req: PatchAnnotationsStatusRequest,
) -> Result<PatchAnnotationsStatusResponse> {
    let app = cx.app(req.user_app_id).await?;
    if !matches!(req.action.as_str(), "" | "overwrite") {
        return Err(Error::invalid("action", "must be overwrite"));
    }
    let from: Vec<CoreStatus> =
        req.status_codes.iter().map(|code| read_status(*code, "status_codes")).collect::<Result<_>>()?;
    let to = read_status(req.status_code, "status_code")?;
    let task_id = (!req.task_id.is_empty()).then_some(req.task_id.as_str());
    if task_id.is_none() && req.user_ids.is_empty() && from.is_empty() {
        return Err(Error::invalid("task_id", "must be given, or user_ids or status_codes"));
    }
    let users: Vec<String> = req.user_ids.into_iter().map(|id| own_name(&app, id)).collect();
    let changed = annotations::set_status(&app, &users, task_id, &from, to).await?;
    let updated_count = u32::try_from(changed.values().sum::<u64>()).unwrap_or(u32::MAX);
    let mut user_ids: Vec<String> = changed.into_keys().collect();
    user_ids.sort_unstable();
    Ok(PatchAnnotationsStatusResponse { status: status::success(), user_ids, updated_count })
}

pub async fn delete_annotation(cx: Cx, req: DeleteAnnotationRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let input_ids: Vec<String> = (!req.input_id.is_empty()).then_some(req.input_id).into_iter().collect();
    annotations::delete(&app, &[req.annotation_id], &input_ids).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn delete_annotations(cx: Cx, req: DeleteAnnotationsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    annotations::delete(&app, &req.ids, &req.input_ids).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn list_annotation_workers(
    cx: Cx,
    req: ListAnnotationWorkersRequest,
) -> Result<MultiWorkerResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = annotations::workers(&app, paging::page(req.page, req.per_page)?).await?;
    let workers = found.iter().map(worker).collect();
    Ok(MultiWorkerResponse { status: status::success(), workers })
}

pub async fn post_track_annotations_searches(
    cx: Cx,
    req: PostTrackAnnotationsSearchesRequest,
) -> Result<MultiAnnotationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let listing = FrameListing {
        input_id: req.input_id,
        track_ids: (!req.track_id.is_empty()).then_some(req.track_id).into_iter().collect(),
        from_frame: req.frame_number_start,
        from_ms: req.frame_time_start,
        max_frames: or_most(req.max_frames.into(), 60, "max_frames")? as u32,
        max_duration_ms: or_most(req.max_duration, 3_000, "max_duration")?,
        kind: kind(req.annotation_type)?,
        model_version_id: model_version(req.worker.as_ref()),
    };
    let found = annotations::frames(&app, listing).await?;
    Ok(many(&cx, &app, &found))
}

/// A number up to `most`, which is also meant if none is given.
pub fn or_most(given: u64, most: u64, field: &str) -> Result<u64> {
    match given {
        0 => Ok(most),
        n if n <= most => Ok(n),
        _ => Err(Error::invalid(field, format!("must be 1 to {most}"))),
    }
}

/// The core's name for a type of annotation.
pub fn kind(annotation_type: i32) -> Result<Option<&'static str>> {
    match AnnotationDataType::try_from(annotation_type) {
        Ok(AnnotationDataType::NotSet) => Ok(None),
        Ok(AnnotationDataType::Tag) => Ok(Some("concept")),
        Ok(AnnotationDataType::BoundingBox) => Ok(Some("box")),
        Ok(AnnotationDataType::Polygon) => Ok(Some("polygon")),
        Ok(AnnotationDataType::Point) => Ok(Some("point")),
        Ok(AnnotationDataType::Span) => Ok(Some("span")),
        Ok(AnnotationDataType::Mask) => Ok(Some("mask")),
        Err(_) => Err(Error::invalid("annotation_type", "is not known")),
    }
}

fn many(cx: &Cx, app: &AppCtx, found: &[CoreAnnotation]) -> MultiAnnotationResponse {
    let annotations = found.iter().map(|annotation| to_wire(cx, app, annotation)).collect();
    MultiAnnotationResponse { status: status::success(), annotations }
}

/// "me" is a name too.
pub fn own_name(app: &AppCtx, user_id: String) -> String {
    if user_id == "me" { app.caller().account_id.clone() } else { user_id }
}

fn read(app: &AppCtx, wire: Annotation, field: &str) -> Result<NewAnnotation> {
    let (mut user_id, mut model, mut workflow) =
        (wire.user_id, wire.model_version_id, wire.workflow_version_id);
    match wire.worker.and_then(|worker| worker.worker) {
        Some(AnyWorker::User(user)) => user_id = user.id,
        Some(AnyWorker::Model(named)) => model = named.model_version.unwrap_or_default().id,
        Some(AnyWorker::Workflow(named)) => workflow = named.version.unwrap_or_default().id,
        None => {}
    }
    let status = wire.status.filter(|status| status.code != 0);
    Ok(NewAnnotation {
        id: (!wire.id.is_empty()).then_some(wire.id),
        input_id: wire.input_id,
        account_id: own_name(app, user_id),
        model_version_id: model,
        workflow_version_id: workflow,
        status: status.map(|s| read_status(s.code, &format!("{field}.status"))).transpose()?,
        input_level: wire.input_level,
        task_id: wire.task_id,
        data: annotation_data::read(wire.data.unwrap_or_default(), &format!("{field}.data"))?,
        info: wire.annotation_info.map(documents::from_struct).unwrap_or_default(),
    })
}

fn patch((idx, wire): (usize, Annotation)) -> Result<AnnotationPatch> {
    let field = format!("annotations[{idx}]");
    let status = wire.status.filter(|status| status.code != 0);
    Ok(AnnotationPatch {
        id: wire.id,
        input_id: (!wire.input_id.is_empty()).then_some(wire.input_id),
        data: wire.data.map(|data| annotation_data::read(data, &format!("{field}.data"))).transpose()?,
        status: status.map(|s| read_status(s.code, &format!("{field}.status"))).transpose()?,
        task_id: (!wire.task_id.is_empty()).then_some(wire.task_id),
        info: wire.annotation_info.map(documents::from_struct),
    })
}

/// What is told back of an annotation that was not accepted.
fn echo(wire: &Annotation) -> Annotation {
    Annotation { id: wire.id.clone(), input_id: wire.input_id.clone(), ..Default::default() }
}

fn item_status(cx: &Cx, error: &Error) -> Status {
    let status = inputs::item_status(cx, error);
    // Faults of one item's arguments have a code of annotations.
    match Code::try_from(status.code) {
        Ok(Code::InputInvalidArgument) => {
            Status { details: status.details, ..cx.status(Code::AnnotationInvalidArgument) }
        }
        _ => status,
    }
}

/// The code of a status.
pub fn code(status: CoreStatus) -> Code {
    match status {
        CoreStatus::Success => Code::AnnotationSuccess,
        CoreStatus::Pending => Code::AnnotationPending,
        CoreStatus::InProgress => Code::AnnotationInProgress,
        CoreStatus::Failed => Code::AnnotationFailed,
        CoreStatus::AwaitingReview => Code::AnnotationAwaitingReview,
        CoreStatus::AwaitingConsensus => Code::AnnotationAwaitingConsensusReview,
        CoreStatus::Denied => Code::AnnotationReviewDenied,
    }
}

/// The status with a code.
pub fn read_status(wanted: i32, field: &str) -> Result<CoreStatus> {
    let known = CoreStatus::ALL.into_iter().find(|status| code(*status) as i32 == wanted);
    known.ok_or_else(|| Error::invalid(field, format!("must be the code of an annotation, not {wanted}")))
}

/// A user as a worker.
pub fn person(user_id: &str) -> Worker {
    let user = User { id: user_id.to_owned(), ..Default::default() };
    Worker { worker: Some(AnyWorker::User(Box::new(user))) }
}

/// A worker of any kind.
pub fn worker(worker: &CoreWorker) -> Worker {
    match worker {
        CoreWorker::Person(id) => person(id),
        CoreWorker::Model(id) => {
            let version = ModelVersion { id: id.clone(), ..Default::default() };
            let model = Model { model_version: Some(Box::new(version)), ..Default::default() };
            Worker { worker: Some(AnyWorker::Model(Box::new(model))) }
        }
        CoreWorker::Workflow(id) => {
            let version = WorkflowVersion { id: id.clone(), ..Default::default() };
            let workflow = Workflow { version: Some(version), ..Default::default() };
            Worker { worker: Some(AnyWorker::Workflow(Box::new(workflow))) }
        }
    }
}

/// The model version that a worker names, if it is one.
pub fn model_version(worker: Option<&Worker>) -> Option<String> {
    match worker?.worker.as_ref()? {
        AnyWorker::Model(model) => Some(model.model_version.clone()?.id).filter(|id| !id.is_empty()),
        AnyWorker::User(_) | AnyWorker::Workflow(_) => None,
    }
}

/// An annotation as clients see it.
pub fn to_wire(cx: &Cx, app: &AppCtx, annotation: &CoreAnnotation) -> Annotation {
    let by = match (annotation.model_version_id.is_empty(), annotation.workflow_version_id.is_empty()) {
        (true, true) => CoreWorker::Person(annotation.account_id.clone()),
        (false, _) => CoreWorker::Model(annotation.model_version_id.clone()),
        (true, false) => CoreWorker::Workflow(annotation.workflow_version_id.clone()),
    };
    Annotation {
        id: annotation.id.clone(),
        input_id: annotation.input_id.clone(),
        data: Some(annotation_data::to_wire(&annotation.data, &app.app().id, &app.app().user_id)),
        annotation_info: documents::to_struct(&annotation.info),
        user_id: annotation.account_id.clone(),
        model_version_id: annotation.model_version_id.clone(),
        workflow_version_id: annotation.workflow_version_id.clone(),
        status: Some(cx.status(code(annotation.status))),
        created_at: documents::time(annotation.created_at_us),
        modified_at: documents::time(annotation.modified_at_us),
        input_level: annotation.input_level,
        task_id: annotation.task_id.clone(),
        worker: Some(worker(&by)),
        ..Default::default()
    }
}
