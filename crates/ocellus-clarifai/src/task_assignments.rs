//! The queue of a labelling task: RPCs and the wire form of an assignment.

use ocellus_core::tasks::{self, Action, Assignment, AssignmentStatus};
use ocellus_core::{AppCtx, Error, Result};

use crate::pb::put_task_assignments_request::ActionConfig;
use crate::pb::status::StatusCode as Code;
use crate::pb::worker::Worker as AnyWorker;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{annotations, documents, inputs, status};

pub async fn put_task_assignments(
    cx: Cx,
    req: PutTaskAssignmentsRequest,
) -> Result<MultiTaskAssignmentResponse> {
    let app = cx.app(req.user_app_id.clone()).await?;
    let task_id = req.task_id.clone();
    let found = tasks::put(&app, &task_id, action(&app, req)?).await?;
    let task_assignments = found.iter().map(|assignment| to_wire(&cx, &app, assignment)).collect();
    Ok(MultiTaskAssignmentResponse { status: status::success(), task_assignments })
}

pub async fn list_next_task_assignments(
    cx: Cx,
    req: ListNextTaskAssignmentsRequest,
) -> Result<MultiInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = tasks::put(&app, &req.task_id, Action::LabelStart).await?;
    let inputs = found.iter().map(|assignment| inputs::to_wire(&cx, &app, &assignment.input)).collect();
    Ok(MultiInputResponse { status: status::success(), inputs, ..Default::default() })
}

fn action(app: &AppCtx, req: PutTaskAssignmentsRequest) -> Result<Action> {
    use PutTaskAssignmentsRequestAction as Wanted;
    let (ids, worker_ids) = config(app, req.action_config)?;
    let review = |decision| Ok(Action::Review { ids: ids.clone(), worker_ids: worker_ids.clone(), decision });
    match Wanted::try_from(req.action) {
        Ok(Wanted::NotSet) if req.input_id.is_empty() => Err(Error::invalid("action", "must be given")),
        Ok(Wanted::LabelStart) => Ok(Action::LabelStart),
        Ok(Wanted::LabelSubmit | Wanted::NotSet) => Ok(Action::LabelSubmit { ids, input_id: req.input_id }),
        Ok(Wanted::ReviewStart) => Ok(Action::ReviewStart { worker_ids }),
        Ok(Wanted::ReviewApprove) => review(AssignmentStatus::Success),
        Ok(Wanted::ReviewRequestChanges) => review(AssignmentStatus::Pending),
        Ok(Wanted::ReviewReject) => review(AssignmentStatus::Rejected),
        Err(_) => Err(Error::invalid("action", "is not known")),
    }
}

/// The assignments and people that an action is about.
fn config(app: &AppCtx, config: Option<ActionConfig>) -> Result<(Vec<String>, Vec<String>)> {
    let (assignments, workers) = match config {
        None => (Vec::new(), Vec::new()),
        Some(ActionConfig::LabelSubmitConfig(config)) => (config.task_assignments, Vec::new()),
        Some(ActionConfig::ReviewStartConfig(config)) => (Vec::new(), config.workers),
        Some(ActionConfig::ReviewApproveConfig(config)) => (config.task_assignments, config.workers),
        Some(ActionConfig::ReviewRequestChangesConfig(config)) => (config.task_assignments, config.workers),
        Some(ActionConfig::ReviewRejectConfig(config)) => (config.task_assignments, config.workers),
    };
    let people = workers.into_iter().map(|worker| match worker.worker {
        Some(AnyWorker::User(user)) => Ok(annotations::own_name(app, user.id)),
        Some(AnyWorker::Model(_) | AnyWorker::Workflow(_)) | None => {
            Err(Error::invalid("action_config.workers", "must be users"))
        }
    });
    Ok((assignments.into_iter().map(|assignment| assignment.id).collect(), people.collect::<Result<_>>()?))
}

fn to_wire(cx: &Cx, app: &AppCtx, assignment: &Assignment) -> TaskAssignment {
    let code = match assignment.status {
        AssignmentStatus::Pending => Code::TaskAssignmentPending,
        AssignmentStatus::AwaitingReview => Code::TaskAssignmentAwaitingReview,
        AssignmentStatus::AwaitingConsensus => Code::TaskAssignmentAwaitingConsensusReview,
        AssignmentStatus::Success => Code::TaskAssignmentSuccess,
        AssignmentStatus::Rejected => Code::TaskAssignmentRejected,
    };
    TaskAssignment {
        id: assignment.id.clone(),
        created_at: documents::time(assignment.created_at_us),
        modified_at: documents::time(assignment.modified_at_us),
        worker: Some(annotations::person(&assignment.worker_id)),
        input: Some(inputs::to_wire(cx, app, &assignment.input)),
        status: Some(cx.status(code)),
    }
}
