//! The wire form of a labelling task, its counts and its metrics.

use ocellus_core::resources::Stored;
use ocellus_core::tasks::{
    Counts, InputSource, Metrics, Review, Strategy, Task as CoreTask, TaskConcept as CoreConcept, TaskKind,
    TaskStatus,
};
use ocellus_core::{AppCtx, JsonMap};
use serde_json::Value;

use crate::pb::status::StatusCode as Code;
use crate::pb::task::{TaskPriority, TaskType};
use crate::pb::task_input_source::TaskInputSourceType as SourceType;
use crate::pb::task_review::{StrategyInfo as ReviewInfo, TaskReviewStrategy as ReviewKind};
use crate::pb::task_worker::{StrategyInfo, TaskWorkerStrategy as StrategyKind, WorkerType};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{annotations, documents};

pub fn count(counts: &Counts) -> TaskStatusCountPerUser {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let user_id = match &counts.worker {
        ocellus_core::annotations::Worker::Person(id) => id.clone(),
        ocellus_core::annotations::Worker::Model(_) | ocellus_core::annotations::Worker::Workflow(_) => {
            String::new()
        }
    };
    TaskStatusCountPerUser {
        user_id,
        pending: number(counts.pending),
        awaiting_review: number(counts.awaiting_review),
        success: number(counts.success),
        review_denied: number(counts.denied),
        awaiting_consensus_review: number(counts.awaiting_consensus),
        worker: Some(annotations::worker(&counts.worker)),
    }
}

pub fn metrics(metrics: &Metrics) -> TaskMetrics {
    let percent = |n: &u64| metrics.percent(*n);
    TaskMetrics {
        work: Some(TaskWorkMetrics {
            inputs_count_estimated: metrics.worked,
            inputs_percent_estimated: metrics.percent(metrics.worked),
        }),
        review: Some(TaskReviewMetrics {
            inputs_count_estimated: metrics.reviewed,
            inputs_percent_estimated: metrics.percent(metrics.reviewed),
            inputs_count_estimated_per_reviewer: metrics.reviewed_by.clone(),
            inputs_reviewable_count_estimated_per_reviewer: metrics.reviewable_by.clone(),
            inputs_percent_estimated_per_reviewer: metrics.reviewed_by.iter().map(percent).collect(),
        }),
        input_source: Some(TaskInputSourceMetrics { inputs_count_estimated: metrics.inputs }),
    }
}

fn status_code(status: TaskStatus) -> Code {
    match status {
        TaskStatus::InProgress => Code::TaskInProgress,
        TaskStatus::Done => Code::TaskDone,
        TaskStatus::WontDo => Code::TaskWontDo,
        TaskStatus::Failed => Code::TaskFailed,
        TaskStatus::Idle => Code::TaskIdle,
    }
}

/// A task as clients see it.
pub fn to_wire(cx: &Cx, app: &AppCtx, task: &Stored<CoreTask>) -> Task {
    let doc = &task.doc;
    let (r#type, id) = match &doc.source {
        InputSource::All => (SourceType::AllInputs, String::new()),
        InputSource::Input(id) => (SourceType::Input, id.clone()),
        InputSource::Dataset(id) => (SourceType::Dataset, id.clone()),
        InputSource::Search(id) => (SourceType::SavedSearch, id.clone()),
    };
    let concept = |concept: &CoreConcept| TaskConcept {
        concept: Some(Concept {
            id: concept.id.clone(),
            name: concept.name.clone(),
            value: 1.0,
            ..Default::default()
        }),
        ..Default::default()
    };
    Task {
        id: task.id.clone(),
        created_at: documents::time(task.created_at_us),
        modified_at: documents::time(task.modified_at_us),
        r#type: match doc.kind {
            TaskKind::Any => TaskType::TypeNotSet,
            TaskKind::Classification => TaskType::ConceptsClassification,
            TaskKind::Boxes => TaskType::BoundingBoxDetection,
            TaskKind::Polygons => TaskType::PolygonDetection,
        } as i32,
        name: doc.name.clone(),
        description: doc.description.clone(),
        worker: Some(wire_worker(doc)),
        concept_ids: doc.concepts.iter().map(|concept| concept.id.clone()).collect(),
        concepts: doc.concepts.iter().map(concept).collect(),
        input_source: Some(TaskInputSource { r#type: r#type as i32, id }),
        sample_ms: doc.sample_ms,
        review: Some(wire_review(doc)),
        status: Some(cx.status(status_code(doc.status))),
        app_id: app.app().id.clone(),
        user_id: app.app().user_id.clone(),
        label_order_id: doc.label_order_id.clone(),
        priority: TaskPriority::try_from(i32::from(doc.priority)).unwrap_or_default() as i32,
        metadata: documents::to_struct(&doc.metadata),
        ..Default::default()
    }
}

fn wire_worker(task: &CoreTask) -> TaskWorker {
    use crate::pb::task_worker_partitioned_strategy_info::TaskWorkerPartitionedStrategy as How;
    let (strategy, strategy_info) = match &task.strategy {
        Strategy::Full => (StrategyKind::Full, None),
        Strategy::Dynamic => (StrategyKind::Dynamic, None),
        Strategy::Partitioned { workers_per_input, weights } => {
            let how = if weights.is_empty() { How::Evenly } else { How::Weighted };
            let weights: JsonMap = weights.iter().map(|(id, n)| (id.clone(), Value::from(*n))).collect();
            let info = TaskWorkerPartitionedStrategyInfo {
                r#type: how as i32,
                workers_per_input: i32::try_from(*workers_per_input).unwrap_or(i32::MAX),
                weights: documents::to_struct(&weights),
            };
            (StrategyKind::Partitioned, Some(StrategyInfo::PartitionedStrategyInfo(info)))
        }
    };
    TaskWorker {
        strategy: strategy as i32,
        strategy_info,
        r#type: WorkerType::WorkerHuman as i32,
        workers: task.workers.iter().map(|id| annotations::person(id)).collect(),
        user_ids: task.workers.clone(),
        users: task.workers.iter().map(|id| user(id)).collect(),
        ..Default::default()
    }
}

fn user(id: &str) -> User {
    User { id: id.to_owned(), ..Default::default() }
}

fn wire_review(task: &CoreTask) -> TaskReview {
    let (strategy, strategy_info) = match task.review {
        Review::None => (ReviewKind::None, None),
        Review::Manual => (ReviewKind::Manual, None),
        Review::Consensus { labelers, every_reviewer } => {
            let info = TaskReviewConsensusStrategyInfo {
                approval_threshold_labelers: labelers,
                approval_threshold_reviewers: if every_reviewer { -1 } else { 1 },
                ..Default::default()
            };
            (ReviewKind::Consensus, Some(ReviewInfo::ConsensusStrategyInfo(info)))
        }
    };
    TaskReview {
        strategy: strategy as i32,
        strategy_info,
        user_ids: task.reviewers.clone(),
        users: task.reviewers.iter().map(|id| user(id)).collect(),
    }
}
