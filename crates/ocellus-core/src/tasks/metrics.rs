//! How far a task is: counts by worker and status, and shares of its inputs.

use std::collections::BTreeMap;

use ocellus_store as store;

use super::{AssignmentStatus, Review, Task};
use crate::annotations::{Status, Worker};
use crate::resources::{self, Stored};
use crate::{AppCtx, Error, Result};

/// What a worker has done in a task, by status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub worker: Worker,
    pub pending: u64,
    pub awaiting_review: u64,
    pub awaiting_consensus: u64,
    pub success: u64,
    pub denied: u64,
}

impl Counts {
    fn of(worker: Worker) -> Self {
        Self { worker, pending: 0, awaiting_review: 0, awaiting_consensus: 0, success: 0, denied: 0 }
    }

    fn add(&mut self, status: Option<AssignmentStatus>, n: i64) {
        let place = match status {
            Some(AssignmentStatus::Pending) => &mut self.pending,
            Some(AssignmentStatus::AwaitingReview) => &mut self.awaiting_review,
            Some(AssignmentStatus::AwaitingConsensus) => &mut self.awaiting_consensus,
            Some(AssignmentStatus::Success) => &mut self.success,
            Some(AssignmentStatus::Rejected) => &mut self.denied,
            None => return,
        };
        *place += u64::try_from(n).unwrap_or(0);
    }
}

/// How many inputs each worker of a task has, by status.
pub async fn input_counts(app: &AppCtx, task_id: &str) -> Result<Vec<Counts>> {
    let (uid, id) = (app.uid().to_owned(), task_id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        resources::exists::<Task>(tx, &uid, &id)?;
        Ok::<_, Error>(tx.count_task_assignments(&uid, &id)?)
    };
    let rows = app.platform().store().read(read).await?;
    let mut counts = BTreeMap::new();
    // What nobody works on is nobody's count.
    for (worker_id, status, n) in rows.into_iter().filter(|(worker_id, _, _)| !worker_id.is_empty()) {
        let of_worker =
            counts.entry(worker_id.clone()).or_insert_with(|| Counts::of(Worker::Person(worker_id)));
        of_worker.add(AssignmentStatus::from_name(&status), n);
    }
    Ok(counts.into_values().collect())
}

/// How many annotations each worker has made in a task, by status.
pub async fn annotation_counts(app: &AppCtx, task_id: &str) -> Result<Vec<Counts>> {
    let (uid, id) = (app.uid().to_owned(), task_id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        resources::exists::<Task>(tx, &uid, &id)?;
        Ok::<_, Error>(tx.count_annotations_of_task(&uid, &id)?)
    };
    let mut counts = BTreeMap::new();
    for (worker, status, n) in app.platform().store().read(read).await? {
        let by = match (worker.model_version_id.is_empty(), worker.workflow_version_id.is_empty()) {
            (true, true) => Worker::Person(worker.account_id.clone()),
            (false, _) => Worker::Model(worker.model_version_id.clone()),
            (true, false) => Worker::Workflow(worker.workflow_version_id.clone()),
        };
        let status = match Status::from_name(&status) {
            Some(Status::Success) => Some(AssignmentStatus::Success),
            Some(Status::Pending | Status::InProgress) => Some(AssignmentStatus::Pending),
            Some(Status::AwaitingReview) => Some(AssignmentStatus::AwaitingReview),
            Some(Status::AwaitingConsensus) => Some(AssignmentStatus::AwaitingConsensus),
            Some(Status::Denied) => Some(AssignmentStatus::Rejected),
            Some(Status::Failed) | None => None,
        };
        counts.entry(worker).or_insert_with(|| Counts::of(by)).add(status, n);
    }
    Ok(counts.into_values().collect())
}

/// How far a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Inputs in the queue.
    pub inputs: u64,
    /// Inputs on which everybody who has them has handed in work.
    pub worked: u64,
    /// Inputs of which all work was decided on.
    pub reviewed: u64,
    /// Inputs that each reviewer decided on, in the order of the task's reviewers.
    pub reviewed_by: Vec<u64>,
    /// Inputs that each reviewer could decide on, in the same order.
    pub reviewable_by: Vec<u64>,
}

impl Metrics {
    /// A share of the inputs in whole percent; 100 only when it is all of them.
    pub fn percent(&self, n: u64) -> u32 {
        match self.inputs {
            0 => 0,
            all => u32::try_from(n.saturating_mul(100) / all).unwrap_or(100).min(100),
        }
    }
}

/// How far a task is.
pub async fn metrics(app: &AppCtx, task: &Stored<Task>) -> Result<Metrics> {
    let (uid, id) = (app.uid().to_owned(), task.id.clone());
    let read = move |tx: &mut store::Tx<'_>| {
        let decided = [AssignmentStatus::Success.name(), AssignmentStatus::Rejected.name()];
        let counts = tx.count_task_inputs(&uid, &id, decided, AssignmentStatus::Pending.name())?;
        Ok::<_, Error>((counts, tx.count_task_reviews(&uid, &id, decided)?))
    };
    let ((inputs, worked, reviewed), reviews) = app.platform().store().read(read).await?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let by = |id: &String| reviews.iter().find(|(reviewer, _)| reviewer == id).map_or(0, |(_, n)| number(*n));
    let reviewable = if task.doc.review == Review::None { 0 } else { number(inputs) };
    Ok(Metrics {
        inputs: number(inputs),
        worked: number(worked),
        reviewed: number(reviewed),
        reviewed_by: task.doc.reviewers.iter().map(by).collect(),
        reviewable_by: task.doc.reviewers.iter().map(|_| reviewable).collect(),
    })
}
