//! The queue of a task: taking work, handing it in, and reviewing it. Each action is one transaction, so that two who ask
//! at once never get the same input.

use std::collections::HashMap;
use std::sync::Arc;

use ocellus_store as store;

use super::consensus;
use super::create::read_doc;
use super::{AssignmentStatus, Review, Strategy, Task, TaskStatus};
use crate::annotations;
use crate::inputs::create::{check_alive, labeller};
use crate::inputs::labels::Labeller;
use crate::inputs::{self, Input};
use crate::resources::{self, Document};
use crate::{AppCtx, Error, Resource, Result};

/// How many inputs a worker or reviewer gets at a time.
pub const PORTION: i64 = 10;
/// Work read at once.
const BATCH: i64 = 500;

/// Work on one input by one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The id within the app.
    pub id: String,
    /// Who works on it, by user id.
    pub worker_id: String,
    /// The input.
    pub input: Input,
    /// How far it is.
    pub status: AssignmentStatus,
    /// Who reviews it, by user id; empty while nobody does.
    pub reviewer_id: String,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

/// What somebody does with a task's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A worker asks for work; asked again, the same work comes back until it is handed in.
    LabelStart,
    /// A worker hands in work: these assignments, or the caller's one of this input.
    LabelSubmit {
        /// Assignment ids.
        ids: Vec<String>,
        /// An input id; empty if assignments are named.
        input_id: String,
    },
    /// A reviewer asks for work to look at.
    ReviewStart {
        /// Only the work of these; empty means anybody's.
        worker_ids: Vec<String>,
    },
    /// A reviewer decides on these assignments, or on all handed in by these workers.
    Review {
        /// Assignment ids.
        ids: Vec<String>,
        /// User ids.
        worker_ids: Vec<String>,
        /// The decision: success, pending (to be done again) or rejected.
        decision: AssignmentStatus,
    },
}

/// Does something with a task's queue; returns the assignments that it concerns as they are then.
pub async fn put(app: &AppCtx, task_id: &str, action: Action) -> Result<Vec<Assignment>> {
    app.check_writable()?;
    let caller = app.caller().account_id.clone();
    put_as(app, &caller, task_id, action).await
}

/// Like [`put`], in a person's name.
pub(super) async fn put_as(
    app: &AppCtx,
    user_id: &str,
    task_id: &str,
    action: Action,
) -> Result<Vec<Assignment>> {
    let by = Arc::new(Labeller { account_id: user_id.to_owned(), ..labeller(app) });
    let (task_id, owner) = (task_id.to_owned(), app.app().user_id.clone());
    let action = Arc::new(action);
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &by.app_uid)?;
        let row = tx.resource(&by.app_uid, Task::KIND, "", &task_id)?;
        let task = read_doc(&row.ok_or_else(|| resources::missing::<Task>(&task_id))?)?;
        let queue = Queue { tx, by: &by, task_id: &task_id, task: &task, owner: &owner };
        let rows = queue.act(&action)?;
        queue.assignments(rows)
    };
    app.platform().store().write(write).await
}

/// A task's queue within a transaction.
pub(super) struct Queue<'a, 'c> {
    pub tx: &'a store::Tx<'c>,
    pub by: &'a Labeller,
    pub task_id: &'a str,
    pub task: &'a Task,
    pub owner: &'a str,
}

type Rows = Vec<store::TaskAssignment>;

impl Queue<'_, '_> {
    fn act(&self, action: &Action) -> Result<Rows> {
        if self.task.status != TaskStatus::InProgress {
            let message = "the task is not in progress";
            return Err(Error::conflict(Resource::Other(Task::NOUN, self.task_id.to_owned()), message));
        }
        match action {
            Action::LabelStart => self.start_labelling(),
            Action::LabelSubmit { ids, input_id } => self.submit(ids, input_id),
            Action::ReviewStart { worker_ids } => self.start_review(worker_ids),
            Action::Review { ids, worker_ids, decision } => self.review(ids, worker_ids, *decision),
        }
    }

    fn check_role(&self, is_in: bool, role: &str) -> Result<()> {
        match is_in {
            true => Ok(()),
            false => {
                let message = format!("user '{}' is no {role} of the task", self.by.account_id);
                Err(Error::forbidden(Resource::Other(Task::NOUN, self.task_id.to_owned()), message))
            }
        }
    }

    fn check_worker(&self) -> Result<()> {
        self.check_role(self.task.workers.contains(&self.by.account_id), "worker")
    }

    fn check_reviewer(&self) -> Result<()> {
        let reviewers = &self.task.reviewers;
        let is_in = reviewers.contains(&self.by.account_id)
            || (reviewers.is_empty() && self.by.account_id == self.owner);
        self.check_role(is_in, "reviewer")
    }

    fn start_labelling(&self) -> Result<Rows> {
        self.check_worker()?;
        let pending = AssignmentStatus::Pending.name();
        let (uid, me) = (&self.by.app_uid, &self.by.account_id);
        let have = self.tx.task_assignments_of_worker(uid, self.task_id, me, pending, PORTION)?;
        if !have.is_empty() || self.task.strategy != Strategy::Dynamic {
            return Ok(have);
        }
        let mut taken = self.tx.task_assignments_of_worker(uid, self.task_id, "", pending, PORTION)?;
        for row in &mut taken {
            row.worker_id.clone_from(me);
            self.write(row)?;
        }
        Ok(taken)
    }

    fn write(&self, row: &mut store::TaskAssignment) -> Result<()> {
        (row.modified_by, row.modified_at_us) = (self.by.changed_by(), self.by.now_us);
        self.tx.update_task_assignment(row)?;
        Ok(())
    }

    fn submit(&self, ids: &[String], input_id: &str) -> Result<Rows> {
        self.check_worker()?;
        let mut rows = if ids.is_empty() && !input_id.is_empty() {
            let all = self.tx.task_assignments_of_input(&self.by.app_uid, self.task_id, input_id)?;
            let own: Rows = all.into_iter().filter(|row| row.worker_id == self.by.account_id).collect();
            if own.is_empty() {
                return Err(Error::not_found(Resource::Input(input_id.to_owned())));
            }
            own
        } else {
            self.named(ids, "label_submit_config.task_assignments")?
        };
        if let Some(row) = rows.iter().find(|row| row.worker_id != self.by.account_id) {
            let message = format!("task assignment '{}' is another worker's", row.id);
            return Err(Error::forbidden(Resource::Other(Task::NOUN, self.task_id.to_owned()), message));
        }
        let handed_in = match self.task.review {
            Review::None | Review::Consensus { labelers: 1, .. } => AssignmentStatus::Success,
            Review::Manual | Review::Consensus { labelers: 0, .. } => AssignmentStatus::AwaitingReview,
            Review::Consensus { .. } => AssignmentStatus::AwaitingConsensus,
        };
        for row in rows.iter_mut().filter(|row| row.status == AssignmentStatus::Pending.name()) {
            self.set(row, handed_in)?;
            if let (AssignmentStatus::AwaitingConsensus, Review::Consensus { labelers, .. }) =
                (handed_in, self.task.review)
            {
                consensus::decide(self, &row.input_id, labelers as usize)?;
            }
        }
        // Read again, since a consensus changes more than the row at hand.
        let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
        Ok(self.tx.task_assignments_by_ids(&self.by.app_uid, self.task_id, &ids)?)
    }

    /// The assignments with these ids, which must all be of this task.
    fn named(&self, ids: &[String], field: &str) -> Result<Rows> {
        if ids.is_empty() || ids.len() > resources::MAX_PER_CALL {
            let message = format!("must hold 1 to {} items, not {}", resources::MAX_PER_CALL, ids.len());
            return Err(Error::invalid(field, message));
        }
        let rows = self.tx.task_assignments_by_ids(&self.by.app_uid, self.task_id, ids)?;
        match ids.iter().find(|id| !rows.iter().any(|row| row.id == **id)) {
            Some(missing) => Err(Error::not_found(Resource::Other("task assignment", missing.clone()))),
            None => Ok(rows),
        }
    }

    /// Gives work, and the annotations made in it, a new status.
    pub fn set(&self, row: &mut store::TaskAssignment, status: AssignmentStatus) -> Result<()> {
        row.status = status.name().to_owned();
        self.write(row)?;
        let made = self.annotations_of(row)?;
        let to = status.of_annotations();
        let changed = made.into_iter().filter(|row| row.status != to.name()).collect();
        annotations::set_status_of(self.tx, self.by, changed, to)?;
        Ok(())
    }

    /// The annotations made in this work.
    pub fn annotations_of(&self, row: &store::TaskAssignment) -> Result<Vec<store::Annotation>> {
        let query = store::AnnotationQuery {
            input_ids: vec![row.input_id.clone()],
            account_ids: vec![row.worker_id.clone()],
            task_id: Some(self.task_id.to_owned()),
            limit: i64::MAX,
            ..store::AnnotationQuery::default()
        };
        Ok(self.tx.annotations_page(&self.by.app_uid, &query)?)
    }

    fn start_review(&self, worker_ids: &[String]) -> Result<Rows> {
        self.check_reviewer()?;
        let me = &self.by.account_id;
        let of_workers =
            |row: &store::TaskAssignment| worker_ids.is_empty() || worker_ids.contains(&row.worker_id);
        let every = matches!(self.task.review, Review::Consensus { every_reviewer: true, .. });
        let mut own = Vec::new();
        let mut free = Vec::new();
        self.each_awaiting(|row| {
            if !of_workers(&row) || approved(&row, me) {
                return true;
            }
            if row.reviewer_id == *me {
                own.push(row);
            } else if row.reviewer_id.is_empty() || every {
                free.push(row);
            }
            own.len() < PORTION as usize && (!own.is_empty() || free.len() < PORTION as usize)
        })?;
        if !own.is_empty() {
            return Ok(own);
        }
        for row in &mut free {
            row.reviewer_id.clone_from(me);
            self.write(row)?;
        }
        Ok(free)
    }

    /// Looks at what waits for a reviewer, in order, until `visit` has enough.
    fn each_awaiting(&self, mut visit: impl FnMut(store::TaskAssignment) -> bool) -> Result<()> {
        let mut after_seq = 0;
        loop {
            let status = AssignmentStatus::AwaitingReview.name();
            let (uid, task) = (&self.by.app_uid, self.task_id);
            let rows = self.tx.task_assignments_with_status(uid, task, status, after_seq, BATCH)?;
            let n_rows = rows.len() as i64;
            after_seq = rows.last().map_or(after_seq, |row| row.seq);
            for row in rows {
                if !visit(row) {
                    return Ok(());
                }
            }
            if n_rows < BATCH {
                return Ok(());
            }
        }
    }

    fn review(&self, ids: &[String], worker_ids: &[String], decision: AssignmentStatus) -> Result<Rows> {
        self.check_reviewer()?;
        let mut rows = if worker_ids.is_empty() {
            self.named(ids, "action_config.task_assignments")?
        } else {
            let mut rows = Vec::new();
            self.each_awaiting(|row| {
                if worker_ids.contains(&row.worker_id) && (ids.is_empty() || ids.contains(&row.id)) {
                    rows.push(row);
                }
                true
            })?;
            rows
        };
        let awaiting = [AssignmentStatus::AwaitingReview.name(), AssignmentStatus::AwaitingConsensus.name()];
        for row in rows.iter_mut().filter(|row| awaiting.contains(&row.status.as_str())) {
            row.reviewer_id.clone_from(&self.by.account_id);
            match decision {
                AssignmentStatus::Success => self.approve(row)?,
                // To be done and looked at anew.
                AssignmentStatus::Pending => {
                    row.approved_by.clear();
                    row.reviewer_id.clear();
                    self.set(row, decision)?;
                }
                AssignmentStatus::AwaitingReview
                | AssignmentStatus::AwaitingConsensus
                | AssignmentStatus::Rejected => self.set(row, decision)?,
            }
        }
        Ok(rows)
    }

    fn approve(&self, row: &mut store::TaskAssignment) -> Result<()> {
        if !approved(row, &self.by.account_id) {
            row.approved_by.push_str(&format!(",{},", self.by.account_id));
        }
        let every = matches!(self.task.review, Review::Consensus { every_reviewer: true, .. });
        let is_done = !every || self.task.reviewers.iter().all(|id| approved(row, id));
        if is_done {
            return self.set(row, AssignmentStatus::Success);
        }
        row.reviewer_id.clear();
        self.write(row)
    }

    /// Rows with their inputs; what was deleted meanwhile is left out.
    fn assignments(&self, rows: Rows) -> Result<Vec<Assignment>> {
        let ids: Vec<&str> = rows.iter().map(|row| row.input_id.as_str()).collect();
        let found = inputs::load(self.tx, &self.by.app_uid, &ids)?;
        let inputs: HashMap<String, Input> =
            found.into_iter().map(|input| (input.id.clone(), input)).collect();
        rows.into_iter()
            .filter_map(|row| inputs.get(&row.input_id).cloned().map(|input| (row, input)))
            .map(|(row, input)| {
                let status = AssignmentStatus::from_name(&row.status);
                let corrupt =
                    || store::Error::Corrupt { table: "task_assignments".to_owned(), id: row.id.clone() };
                Ok(Assignment {
                    status: status.ok_or_else(corrupt)?,
                    id: row.id,
                    worker_id: row.worker_id,
                    input,
                    reviewer_id: row.reviewer_id,
                    created_at_us: row.created_at_us,
                    modified_at_us: row.modified_at_us,
                })
            })
            .collect()
    }
}

fn approved(row: &store::TaskAssignment, reviewer_id: &str) -> bool {
    row.approved_by.split(',').any(|id| id == reviewer_id)
}
