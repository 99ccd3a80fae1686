//! Labelling tasks: who labels which inputs of an app, who reviews that, and the queue from which each gets work.

mod assign;
mod consensus;
mod create;
pub(crate) mod fill;
mod metrics;
mod samples;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use assign::{Action, Assignment, PORTION, put};
pub use create::{TaskListing, create, delete, get, list, patch};
pub(crate) use create::{insert, prepare};
pub use metrics::{Counts, Metrics, annotation_counts, input_counts, metrics};
pub use samples::samples;
use serde::{Deserialize, Serialize};
pub use status::AssignmentStatus;

use crate::resources::Document;
use crate::{Error, JsonMap, Result};

/// A task as it is stored. Fields may be added; an absent one means its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// A title.
    pub name: String,
    /// What is to be done, in words.
    pub description: String,
    /// What is to be made.
    pub kind: TaskKind,
    /// Who labels, by user id.
    pub workers: Vec<String>,
    /// How inputs come to workers.
    pub strategy: Strategy,
    /// The inputs.
    pub source: InputSource,
    /// The concepts to label with, by id and name.
    pub concepts: Vec<TaskConcept>,
    /// What happens with work that was handed in.
    pub review: Review,
    /// Who reviews, by user id; the app's owner if nobody is named.
    pub reviewers: Vec<String>,
    /// Where it stands.
    pub status: TaskStatus,
    /// 0 not said, 1 low, 2 medium, 3 high.
    pub priority: u8,
    /// The label order it belongs to, or empty.
    pub label_order_id: String,
    /// For videos: milliseconds between the frames to be labelled.
    pub sample_ms: u32,
    /// The user's own data.
    pub metadata: JsonMap,
    /// What the saved search has found, until it is in the queue.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
    /// Inputs up to this place in the app's order are in the queue; absent once all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filled_to: Option<i64>,
}

/// A concept to label with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TaskConcept {
    pub id: String,
    pub name: String,
}

/// What is to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Not said.
    #[default]
    Any,
    /// Concepts of whole inputs or frames.
    Classification,
    /// Boxes with concepts.
    Boxes,
    /// Polygons with concepts.
    Polygons,
}

/// How inputs come to workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Strategy {
    /// Each input goes to some of the workers, fixed when the task is made.
    Partitioned {
        /// How many workers label each input.
        workers_per_input: u32,
        /// Shares of the work by user id; empty means equal shares.
        weights: BTreeMap<String, f64>,
    },
    /// Each worker labels every input.
    Full,
    /// Each worker takes what nobody has yet, a few at a time.
    Dynamic,
}

impl Default for Strategy {
    fn default() -> Self {
        Self::Partitioned { workers_per_input: 1, weights: BTreeMap::new() }
    }
}

/// The inputs of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum InputSource {
    /// All that the app had when the task was made.
    #[default]
    All,
    /// One input.
    Input(String),
    /// Those of a dataset when the task was made.
    Dataset(String),
    /// What a saved search found when the task was made; the dialect has run it.
    Search(String),
}

/// The most inputs of a task that a saved search may find.
pub const MAX_FOUND: usize = 10_000;

/// What happens with work that was handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Review {
    /// It counts at once.
    #[default]
    None,
    /// A reviewer looks at it.
    Manual,
    /// It counts once enough workers agree, and else a reviewer looks at it.
    Consensus {
        /// How many workers must agree; 0 means that it is always reviewed.
        labelers: u32,
        /// Whether every reviewer must approve, instead of one.
        every_reviewer: bool,
    },
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Being worked on.
    #[default]
    InProgress,
    /// Finished.
    Done,
    /// Abandoned.
    WontDo,
    /// Could not be prepared.
    Failed,
    /// Waiting for something.
    Idle,
}

/// The most workers, reviewers or concepts of a task.
const MAX_LIST: usize = 1_000;

impl Document for Task {
    const KIND: &'static str = "task";
    const NOUN: &'static str = "task";
    const FIELD: &'static str = "tasks";

    fn about(&self) -> String {
        self.label_order_id.clone()
    }

    fn check(&self) -> Result<()> {
        let lists = [(self.workers.len(), "worker.workers"), (self.reviewers.len(), "review.users")];
        for (n, field) in lists.into_iter().chain([(self.concepts.len(), "concepts")]) {
            if n > MAX_LIST {
                return Err(Error::invalid(
                    format!("tasks.{field}"),
                    format!("must hold at most {MAX_LIST}"),
                ));
            }
        }
        if self.workers.is_empty() {
            return Err(Error::invalid("tasks.worker.workers", "must name at least one user"));
        }
        self.check_strategy()?;
        self.check_review()
    }
}

impl Task {
    /// How many workers each input goes to.
    fn workers_per_input(&self) -> usize {
        match &self.strategy {
            Strategy::Partitioned { workers_per_input, .. } => *workers_per_input as usize,
            Strategy::Full => self.workers.len(),
            Strategy::Dynamic => 1,
        }
    }

    fn check_strategy(&self) -> Result<()> {
        let field = "tasks.worker.partitioned_strategy_info";
        let Strategy::Partitioned { workers_per_input, weights } = &self.strategy else { return Ok(()) };
        if *workers_per_input == 0 || *workers_per_input as usize > self.workers.len() {
            let message = "must be 1 to the number of workers";
            return Err(Error::invalid(format!("{field}.workers_per_input"), message));
        }
        if weights.is_empty() {
            return Ok(());
        }
        let sum: f64 = weights.values().sum();
        for worker in &self.workers {
            let weight = weights.get(worker).copied().unwrap_or(0.0);
            if !(weight > 0.0 && weight.is_finite()) {
                let message = format!("must give worker '{worker}' a weight above 0");
                return Err(Error::invalid(format!("{field}.weights"), message));
            }
            // More would have the worker label an input twice.
            if weight / sum * f64::from(*workers_per_input) > 1.0 + 1e-9 {
                let message = format!("must not give worker '{worker}' more than 1/workers_per_input");
                return Err(Error::invalid(format!("{field}.weights"), message));
            }
        }
        Ok(())
    }

    fn check_review(&self) -> Result<()> {
        let Review::Consensus { labelers, .. } = self.review else { return Ok(()) };
        let field = "tasks.review.consensus_strategy_info.approval_threshold_labelers";
        if labelers as usize > self.workers_per_input() {
            let message = "must not be more than the workers who label each input";
            return Err(Error::invalid(field, message));
        }
        Ok(())
    }
}
