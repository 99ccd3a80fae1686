//! Versions of models: RPCs and the wire form of an app's own.

use ocellus_core::models::{self, Found};
use ocellus_core::user_models::{
    self, FailureReason, UserModel, UserModelVersion, VersionListing, VersionState,
};
use ocellus_core::{AppCtx, Error, JsonMap, PatchAction, Result};

use crate::models::{model_version as public_version, public};
use crate::modules::{check_private, private};
use crate::patches::Fields;
use crate::pb::list_model_versions_request::SortBy;
use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::{documents, eval_metrics, paging, status};

pub async fn list_model_versions(cx: Cx, req: ListModelVersionsRequest) -> Result<MultiModelVersionResponse> {
    let listing = listing(&req)?;
    let app = cx.app_with_model(req.user_app_id, &req.model_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let model_versions = match models::find(&app, &req.model_id, None).await? {
        Found::Own(model, _) => {
            let found = user_models::list_versions(&app, &model, listing, page).await?;
            found.iter().map(|version| to_wire(&cx, &model, version)).collect()
        }
        // Older ids mean the same version, so there is one.
        Found::Public(spec) if page.page == 1 => vec![public_version(&cx, &spec, spec.version_id())],
        Found::Public(_) => Vec::new(),
    };
    Ok(MultiModelVersionResponse { status: status::success(), model_versions })
}

fn listing(req: &ListModelVersionsRequest) -> Result<VersionListing> {
    let by_time = matches!(req.sort_by, None | Some(SortBy::SortByCreatedAt(_)));
    paging::refuse(&[
        ("concept_ids", !req.concept_ids.is_empty()),
        ("min_replicas", req.min_replicas != 0),
        ("sort_by", !by_time),
    ])?;
    Ok(VersionListing { trained_only: req.trained_only, oldest_first: req.sort_ascending })
}

pub async fn get_model_version(cx: Cx, req: GetModelVersionRequest) -> Result<SingleModelVersionResponse> {
    let app = cx.app_with_model(req.user_app_id, &req.model_id).await?;
    let found = models::find(&app, &req.model_id, crate::models::version(&req.version_id)).await?;
    let model_version = Some(match found {
        Found::Own(model, version) => ModelVersion {
            metrics: Some(Box::new(eval_metrics::brief(&cx, &app, &model, &version).await?)),
            ..to_wire(&cx, &model, &version)
        },
        Found::Public(spec) => public_version(&cx, &spec, &req.version_id),
    });
    Ok(SingleModelVersionResponse { status: status::success(), model_version })
}

pub async fn patch_model_versions(
    cx: Cx,
    req: PatchModelVersionsRequest,
) -> Result<MultiModelVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.model_versions.into_iter().map(patch).collect::<Result<_>>()?;
    let changed = user_models::patch_versions(&app, &req.model_id, patches, action).await?;
    Ok(MultiModelVersionResponse {
        status: status::success(),
        model_versions: many(&cx, &app, &req.model_id, &changed).await?,
    })
}

async fn many(
    cx: &Cx,
    app: &AppCtx,
    model_id: &str,
    versions: &[UserModelVersion],
) -> Result<Vec<ModelVersion>> {
    let model = user_models::get(app, model_id).await?;
    Ok(versions.iter().map(|version| to_wire(cx, &model, version)).collect())
}

pub async fn delete_model_version(cx: Cx, req: DeleteModelVersionRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    user_models::delete_version(&app, &req.model_id, &req.version_id).await?;
    Ok(BaseResponse { status: status::success() })
}

/// What a client may say of a version; how it was made cannot be changed.
pub fn check(version: &ModelVersion) -> Result<()> {
    check_private("model_versions.visibility", version.visibility.as_ref())?;
    paging::refuse_fields(
        "model_versions",
        &[
            ("pretrained_model_config", version.pretrained_model_config.is_some()),
            ("train_info", version.train_info.is_some()),
            ("input_info", version.input_info.is_some()),
            ("import_info", version.import_info.is_some()),
            ("inference_compute_info", version.inference_compute_info.is_some()),
            ("build_info", version.build_info.is_some()),
            ("method_signatures", !version.method_signatures.is_empty()),
            ("special_handling", !version.special_handling.is_empty()),
            ("num_threads", version.num_threads != 0),
        ],
    )
}

fn patch(version: ModelVersion) -> Result<(String, JsonMap)> {
    check(&version)?;
    if version.output_info.is_some() {
        return Err(Error::invalid("model_versions.output_info", "cannot be changed: patch the model"));
    }
    let fields = Fields::default().text("description", version.description).text("license", version.license);
    Ok(fields.document("metadata", version.metadata).of(version.id))
}

fn code(version: &UserModelVersion) -> Code {
    let reason = version.doc.failure.as_ref().map(|failure| failure.reason);
    match (version.state, reason) {
        (VersionState::Untrained, _) => Code::ModelUntrained,
        (VersionState::Queued, _) => Code::ModelQueuedForTraining,
        (VersionState::Training, _) => Code::ModelTraining,
        (VersionState::Trained, _) => Code::ModelTrained,
        (VersionState::Failed, None | Some(FailureReason::Other)) => Code::ModelTrainingFailed,
        (VersionState::Failed, Some(FailureReason::NoData)) => Code::ModelTrainingNoData,
        (VersionState::Failed, Some(FailureReason::NoPositives)) => Code::ModelTrainingNoPositives,
        (VersionState::Failed, Some(FailureReason::SingleClass)) => Code::ModelTrainingOneVsNSingleClass,
        (VersionState::Failed, Some(FailureReason::TimedOut)) => Code::ModelTrainingTimedOut,
        (VersionState::Failed, Some(FailureReason::TooFew)) => Code::ModelTrainingInsufficientData,
        (VersionState::Failed, Some(FailureReason::BadParameters)) => Code::ModelTrainingInvalidParams,
    }
}

/// How far a version has got, with what is left of its training or why it failed.
fn status_of(cx: &Cx, version: &UserModelVersion) -> Status {
    let mut status = cx.status(code(version));
    if let Some(failure) = &version.doc.failure {
        status.details.clone_from(&failure.message);
    }
    if let (VersionState::Training, Some(training)) = (version.state, &version.doc.training) {
        status.details.clone_from(&training.step);
        status.percent_completed = (training.progress * 100.0) as u32;
        status.time_remaining = training.left_s.and_then(|s| u32::try_from(s).ok()).unwrap_or_default();
    }
    status
}

/// What a version was trained with, and all that it was made from.
fn train_info(version: &UserModelVersion) -> Option<TrainInfo> {
    let training = version.doc.training.as_ref()?;
    let params = documents::to_struct(&training.given);
    let dataset = version.doc.trained_on.as_ref().filter(|on| !on.dataset_id.is_empty()).map(|on| Dataset {
        id: on.dataset_id.clone(),
        version: (!on.dataset_version_id.is_empty())
            .then(|| Box::new(DatasetVersion { id: on.dataset_version_id.clone(), ..Default::default() })),
        ..Default::default()
    });
    Some(TrainInfo { params, dataset: dataset.map(Box::new), ..Default::default() })
}

/// The owner's document, and beside it what the version was trained on.
fn metadata(version: &UserModelVersion) -> JsonMap {
    let mut metadata = version.doc.metadata.clone();
    let trained_on = version.doc.trained_on.as_ref().and_then(|on| serde_json::to_value(on).ok());
    if let Some(on) = trained_on {
        metadata.entry("trained_on").or_insert(on);
    }
    metadata
}

pub fn to_wire(cx: &Cx, model: &UserModel, version: &UserModelVersion) -> ModelVersion {
    // The first generation has what comes out in the model.
    let output_info = match cx.era {
        Era::Y2019 => None,
        Era::Current => Some(crate::user_models::output_info(model)),
    };
    let on = version.doc.trained_on.as_ref();
    let n_concepts = on.map_or(model.doc.concepts.len(), |on| on.concepts.len());
    let n_inputs = on.map_or(0, |on| on.n_inputs);
    ModelVersion {
        id: version.id.clone(),
        created_at: documents::time(version.created_at_us),
        modified_at: documents::time(version.modified_at_us),
        completed_at: version.completed_at_us.and_then(documents::time),
        status: Some(status_of(cx, version)),
        active_concept_count: u32::try_from(n_concepts).unwrap_or(u32::MAX),
        total_input_count: u32::try_from(n_inputs).unwrap_or(u32::MAX),
        description: version.doc.description.clone(),
        license: version.doc.license.clone(),
        metadata: documents::to_struct(&metadata(version)),
        train_info: train_info(version).map(Box::new),
        app_id: model.app_id.clone(),
        user_id: model.user_id.clone(),
        visibility: if version.doc.published { public() } else { private() },
        output_info,
        ..Default::default()
    }
}
