//! Labelling tasks: RPCs and the wire form of a task. Its queue is in `task_assignments.rs`.

use std::collections::BTreeMap;

use ocellus_core::resources::{New, Stored};
use ocellus_core::tasks::{
    self, Counts, InputSource, Review, Strategy, Task as CoreTask, TaskConcept as CoreConcept, TaskKind,
    TaskListing, TaskStatus,
};
use ocellus_core::{AppCtx, Error, JsonMap, Page, PatchAction, Resource, Result};
use serde_json::Value;

use crate::pb::status::{BaseResponse, StatusCode as Code};
use crate::pb::task::TaskType;
use crate::pb::task_input_source::TaskInputSourceType as SourceType;
use crate::pb::task_review::{StrategyInfo as ReviewInfo, TaskReviewStrategy as ReviewKind};
use crate::pb::task_worker::{StrategyInfo, TaskWorkerStrategy as StrategyKind, WorkerType};
use crate::pb::worker::Worker as AnyWorker;
use crate::pb::*;
use crate::queries::Of;
use crate::rpc::Cx;
use crate::{annotations, documents, paging, saved_searches, searches, status, task_answers};

pub async fn post_tasks(cx: Cx, req: PostTasksRequest) -> Result<MultiTaskResponse> {
    let app = cx.app(req.user_app_id).await?;
    let mut new = req.tasks.into_iter().map(|task| read(&app, task)).collect::<Result<Vec<_>>>()?;
    for task in &mut new {
        find(&app, &mut task.doc).await?;
    }
    let made = tasks::create(&app, new).await?;
    many(&cx, &app, &made, &[]).await
}

pub async fn get_task(cx: Cx, req: GetTaskRequest) -> Result<SingleTaskResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = tasks::get(&app, &req.task_id).await?;
    let task = full(&cx, &app, &found, &req.additional_fields).await?;
    Ok(SingleTaskResponse { status: status::success(), task: Some(task) })
}

pub async fn list_tasks(cx: Cx, req: ListTasksRequest) -> Result<MultiTaskResponse> {
    let app = cx.app(req.user_app_id).await?;
    let of_models = |set: &WorkerIdSet| !set.model_id.is_empty() || !set.workflow_id.is_empty();
    paging::refuse(&[("worker_ids", req.worker_ids.iter().any(of_models))])?;
    let workers = req.worker_ids.into_iter().map(|set| set.user_id).chain(req.worker_user_ids);
    let own = |id| annotations::own_name(&app, id);
    let listing = TaskListing {
        ids: req.ids,
        worker_ids: workers.map(own).collect(),
        reviewer_ids: req.review_user_ids.into_iter().map(own).collect(),
        label_order_ids: req.label_order_ids,
        of_label_orders: req.including_label_order_tasks,
        sources: sources(req.input_source_type, req.input_source_ids)?,
    };
    let found = tasks::list(&app, listing, paging::page(req.page, req.per_page)?).await?;
    many(&cx, &app, &found, &req.additional_fields).await
}

fn sources(kind: i32, ids: Vec<String>) -> Result<Vec<InputSource>> {
    if kind == SourceType::InputSourceTypeNotSet as i32 && ids.is_empty() {
        return Ok(Vec::new());
    }
    if kind == SourceType::AllInputs as i32 {
        return Ok(vec![InputSource::All]);
    }
    ids.into_iter().map(|id| source(&TaskInputSource { r#type: kind, id })).collect()
}

pub async fn patch_tasks(cx: Cx, req: PatchTasksRequest) -> Result<MultiTaskResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.tasks.into_iter().map(|task| patch(&app, task)).collect::<Result<_>>()?;
    let changed = tasks::patch(&app, patches, action).await?;
    many(&cx, &app, &changed, &[]).await
}

pub async fn delete_tasks(cx: Cx, req: DeleteTasksRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    tasks::delete(&app, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn get_task_input_count(cx: Cx, req: GetTaskCountRequest) -> Result<SingleTaskCountResponse> {
    let app = cx.app(req.user_app_id.clone()).await?;
    let found = tasks::input_counts(&app, &req.task_id).await?;
    Ok(counts(&app, req, &found))
}

pub async fn get_task_annotation_count(cx: Cx, req: GetTaskCountRequest) -> Result<SingleTaskCountResponse> {
    let app = cx.app(req.user_app_id.clone()).await?;
    let found = tasks::annotation_counts(&app, &req.task_id).await?;
    Ok(counts(&app, req, &found))
}

fn counts(app: &AppCtx, req: GetTaskCountRequest, found: &[Counts]) -> SingleTaskCountResponse {
    use ocellus_core::annotations::Worker as By;
    let all =
        req.user_ids.is_empty() && req.model_version_ids.is_empty() && req.workflow_version_ids.is_empty();
    let wanted = |counts: &&Counts| match &counts.worker {
        By::Person(id) => all || req.user_ids.contains(id),
        By::Model(id) => all || req.model_version_ids.contains(id),
        By::Workflow(id) => all || req.workflow_version_ids.contains(id),
    };
    let counts = found.iter().filter(wanted).map(task_answers::count).collect();
    let app_id = app.app().id.clone();
    SingleTaskCountResponse { status: status::success(), app_id, task_id: req.task_id, counts }
}

async fn many(
    cx: &Cx,
    app: &AppCtx,
    found: &[Stored<CoreTask>],
    fields: &[String],
) -> Result<MultiTaskResponse> {
    let mut tasks = Vec::with_capacity(found.len());
    for task in found {
        tasks.push(full(cx, app, task, fields).await?);
    }
    Ok(MultiTaskResponse { status: status::success(), tasks })
}

/// A task with the metrics that a request asks for.
async fn full(cx: &Cx, app: &AppCtx, task: &Stored<CoreTask>, fields: &[String]) -> Result<Task> {
    let mut wire = task_answers::to_wire(cx, app, task);
    if fields.iter().any(|field| field == "all" || field.starts_with("metrics")) {
        wire.metrics = Some(task_answers::metrics(&tasks::metrics(app, task).await?));
    }
    Ok(wire)
}

/// Runs the saved search that a task takes its inputs from.
pub async fn find(app: &AppCtx, task: &mut CoreTask) -> Result<()> {
    if let InputSource::Search(id) = &task.source {
        let search = saved_searches::find(app, id).await?;
        let query = searches::read_search(app, search, Of::Inputs, Page::default())?;
        task.found = ocellus_core::search::all(app, query, tasks::MAX_FOUND).await?;
    }
    Ok(())
}

fn unsupported(what: &str) -> Error {
    Error::unsupported(what).about(Resource::Other("task", String::new()))
}

/// A task to make.
pub fn read(app: &AppCtx, task: Task) -> Result<New<CoreTask>> {
    let id = (!task.id.is_empty()).then(|| task.id.clone());
    if task.ai_assistant.is_some() || task.delete_previous_annotations {
        return Err(unsupported("help by workflows in labelling tasks is not implemented by this server"));
    }
    let source = task.input_source.as_ref().map(source).transpose()?;
    let worker = task.worker.clone().unwrap_or_default();
    let doc = CoreTask {
        workers: workers(app, &worker)?,
        strategy: strategy(&worker)?,
        source: source.unwrap_or_default(),
        review: task.review.as_ref().map(review).transpose()?.unwrap_or_default(),
        reviewers: task.review.as_ref().map(|review| reviewers(app, review)).unwrap_or_default(),
        concepts: concepts(&task),
        kind: kind(task.r#type),
        name: task.name,
        description: task.description,
        status: task
            .status
            .filter(|s| s.code != 0)
            .map(|s| read_status(s.code))
            .transpose()?
            .unwrap_or_default(),
        priority: u8::try_from(task.priority).unwrap_or_default(),
        label_order_id: task.label_order_id,
        sample_ms: task.sample_ms,
        metadata: task.metadata.map(documents::from_struct).unwrap_or_default(),
        found: Vec::new(),
        filled_to: None,
    };
    Ok(New { id, doc })
}

/// The fields that a patch gives, as the core names them.
fn patch(app: &AppCtx, task: Task) -> Result<(String, JsonMap)> {
    let id = task.id.clone();
    let has = |given: bool, field: &'static str| given.then_some(field);
    let worker = task.worker.clone().unwrap_or_default();
    let given = [
        has(!task.name.is_empty(), "name"),
        has(!task.description.is_empty(), "description"),
        has(task.r#type != 0, "kind"),
        has(!workers(app, &worker)?.is_empty(), "workers"),
        has(worker.strategy != 0, "strategy"),
        has(task.input_source.is_some(), "source"),
        has(!concepts(&task).is_empty(), "concepts"),
        has(task.review.as_ref().is_some_and(|review| review.strategy != 0), "review"),
        has(task.review.as_ref().is_some_and(|review| !reviewers(app, review).is_empty()), "reviewers"),
        has(task.status.as_ref().is_some_and(|status| status.code != 0), "status"),
        has(task.priority != 0, "priority"),
        has(!task.label_order_id.is_empty(), "label_order_id"),
        has(task.sample_ms != 0, "sample_ms"),
        has(task.metadata.is_some(), "metadata"),
    ];
    let doc = serde_json::to_value(read(app, task)?.doc).map_err(Error::internal)?;
    let Value::Object(doc) = doc else { return Ok((id, JsonMap::new())) };
    let wanted = |name: &String| given.iter().flatten().any(|field| field == name);
    Ok((id, doc.into_iter().filter(|(name, _)| wanted(name)).collect()))
}

fn workers(app: &AppCtx, worker: &TaskWorker) -> Result<Vec<String>> {
    let mut ids: Vec<String> = Vec::new();
    let auto = worker.r#type == WorkerType::WorkerAuto as i32
        || !worker.models.is_empty()
        || !worker.workflows.is_empty();
    for named in &worker.workers {
        match &named.worker {
            Some(AnyWorker::User(user)) => ids.push(user.id.clone()),
            Some(AnyWorker::Model(_) | AnyWorker::Workflow(_)) => {
                return Err(unsupported(
                    "labelling by models and workflows is not implemented by this server",
                ));
            }
            None => {}
        }
    }
    if auto {
        return Err(unsupported("labelling by models and workflows is not implemented by this server"));
    }
    ids.extend(worker.users.iter().map(|user| user.id.clone()));
    ids.extend(worker.user_ids.iter().cloned());
    Ok(unique(app, ids))
}

fn unique(app: &AppCtx, ids: Vec<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::with_capacity(ids.len());
    for id in ids.into_iter().map(|id| annotations::own_name(app, id)) {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

fn reviewers(app: &AppCtx, review: &TaskReview) -> Vec<String> {
    let users = review.users.iter().map(|user| user.id.clone());
    unique(app, users.chain(review.user_ids.iter().cloned()).collect())
}

fn strategy(worker: &TaskWorker) -> Result<Strategy> {
    let info = worker.strategy_info.clone();
    match StrategyKind::try_from(worker.strategy) {
        Ok(StrategyKind::Full) => Ok(Strategy::Full),
        Ok(StrategyKind::Dynamic) => Ok(Strategy::Dynamic),
        Ok(StrategyKind::Partitioned | StrategyKind::WorkerStrategyNotSet) => {
            let Some(StrategyInfo::PartitionedStrategyInfo(info)) = info else {
                return Ok(Strategy::default());
            };
            let weights: BTreeMap<String, f64> = info
                .weights
                .map(documents::from_struct)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(id, weight)| weight.as_f64().map(|weight| (id, weight)))
                .collect();
            let workers_per_input = u32::try_from(info.workers_per_input.max(1)).unwrap_or(1);
            Ok(Strategy::Partitioned { workers_per_input, weights })
        }
        Err(_) => Err(Error::invalid("tasks.worker.strategy", "is not known")),
    }
}

fn source(source: &TaskInputSource) -> Result<InputSource> {
    let id = source.id.clone();
    match SourceType::try_from(source.r#type) {
        Ok(SourceType::InputSourceTypeNotSet | SourceType::AllInputs) => Ok(InputSource::All),
        Ok(SourceType::SavedSearch) => Ok(InputSource::Search(id)),
        Ok(SourceType::Dataset) => Ok(InputSource::Dataset(id)),
        Ok(SourceType::Input) => Ok(InputSource::Input(id)),
        Err(_) => Err(Error::invalid("tasks.input_source.type", "is not known")),
    }
}

fn review(review: &TaskReview) -> Result<Review> {
    match ReviewKind::try_from(review.strategy) {
        Ok(ReviewKind::None | ReviewKind::NotSet) => Ok(Review::None),
        Ok(ReviewKind::Manual) => Ok(Review::Manual),
        Ok(ReviewKind::Consensus) => {
            let info = match &review.strategy_info {
                Some(ReviewInfo::ConsensusStrategyInfo(info)) => *info,
                Some(ReviewInfo::ManualStrategyInfo(_)) | None => TaskReviewConsensusStrategyInfo::default(),
            };
            let field = "tasks.review.consensus_strategy_info.approval_threshold_reviewers";
            let every_reviewer = match info.approval_threshold_reviewers {
                0 | 1 => false,
                -1 => true,
                _ => return Err(Error::invalid(field, "must be 0, 1 or -1")),
            };
            let labelers = info.approval_threshold_labelers.max(info.approval_threshold);
            Ok(Review::Consensus { labelers, every_reviewer })
        }
        Err(_) => Err(Error::invalid("tasks.review.strategy", "is not known")),
    }
}

fn kind(task_type: i32) -> TaskKind {
    match TaskType::try_from(task_type) {
        Ok(TaskType::ConceptsClassification) => TaskKind::Classification,
        Ok(TaskType::BoundingBoxDetection) => TaskKind::Boxes,
        Ok(TaskType::PolygonDetection) => TaskKind::Polygons,
        Ok(TaskType::TypeNotSet) | Err(_) => TaskKind::Any,
    }
}

fn concepts(task: &Task) -> Vec<CoreConcept> {
    let full = task.concepts.iter().filter_map(|concept| concept.concept.as_ref());
    let full: Vec<_> =
        full.map(|concept| CoreConcept { id: concept.id.clone(), name: concept.name.clone() }).collect();
    match full.is_empty() {
        true => {
            task.concept_ids.iter().map(|id| CoreConcept { id: id.clone(), name: String::new() }).collect()
        }
        false => full,
    }
}

fn read_status(code: i32) -> Result<TaskStatus> {
    match Code::try_from(code) {
        Ok(Code::TaskInProgress) => Ok(TaskStatus::InProgress),
        Ok(Code::TaskDone) => Ok(TaskStatus::Done),
        Ok(Code::TaskWontDo) => Ok(TaskStatus::WontDo),
        Ok(Code::TaskFailed) => Ok(TaskStatus::Failed),
        Ok(Code::TaskIdle) => Ok(TaskStatus::Idle),
        Ok(_) | Err(_) => Err(Error::invalid("tasks.status.code", "must be the code of a task")),
    }
}
