//! Annotations: what people and models say about inputs and parts of them, and where that stands in review.
//!
//! An annotation is the truth; labels are its index by concept. Only annotations by people with status
//! [`Status::Success`] have labels, and an input shows the labels of whole inputs as its own concepts, so that whoever
//! changes the one sees it in the other.

mod change;
mod check;
mod data;
mod list;
mod of_inputs;
pub(crate) mod parts;
mod patch_parts;
mod rows;
mod term;
#[cfg(test)]
pub(crate) mod tests;
pub mod tracks;

pub use crate::search::annotations::search;
pub(crate) use change::set_status_of;
pub use change::{create, delete, patch, set_status};
pub use data::{Data, Frame, Point, Region, Said, Segment, Shape, Span};
pub use list::{FrameListing, frames, get, list, of_inputs, workers};
pub(crate) use of_inputs::{add_to_new_input, change_concepts, remove_concepts};
pub(crate) use patch_parts::change_parts;
pub(crate) use rows::read_rows;
pub use term::{AnnotationHit, AnnotationTerm};

use crate::{JsonMap, Page};

/// The most annotations one call may add, change or delete.
pub const MAX_PER_CALL: usize = 128;

/// An annotation as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// The id within the app.
    pub id: String,
    /// The input it speaks of.
    pub input_id: String,
    /// The user id of the person who made it or had a model make it.
    pub account_id: String,
    /// The model version that made it; empty for a person.
    pub model_version_id: String,
    /// The workflow version that made it; empty for a person.
    pub workflow_version_id: String,
    /// Where it stands in review.
    pub status: Status,
    /// Whether it is what its maker says through the input itself.
    pub input_level: bool,
    /// The task it was made in, or empty.
    pub task_id: String,
    /// What it says.
    pub data: Data,
    /// The user's own remarks.
    pub info: JsonMap,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
    /// The key with which it was made.
    pub key_id: String,
    /// Account and key of the last change.
    pub modified_by: String,
}

impl Annotation {
    /// Whether a person made it.
    pub fn is_by_person(&self) -> bool {
        self.model_version_id.is_empty() && self.workflow_version_id.is_empty()
    }
}

/// Where an annotation stands in review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// Counts.
    #[default]
    Success,
    /// Not yet handed in.
    Pending,
    /// Being worked on.
    InProgress,
    /// Could not be made.
    Failed,
    /// Handed in, to be looked at by a reviewer.
    AwaitingReview,
    /// Handed in, to be compared with others' work.
    AwaitingConsensus,
    /// Looked at and refused.
    Denied,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Pending,
        Self::InProgress,
        Self::Failed,
        Self::AwaitingReview,
        Self::AwaitingConsensus,
        Self::Denied,
    ];

    /// The name used in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Failed => "failed",
            Self::AwaitingReview => "awaiting_review",
            Self::AwaitingConsensus => "awaiting_consensus",
            Self::Denied => "denied",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// An annotation to make.
#[derive(Clone, Debug, Default)]
pub struct NewAnnotation {
    /// Chosen by the user; made up if absent.
    pub id: Option<String>,
    /// The input it speaks of.
    pub input_id: String,
    /// The person it is by: nobody but the caller, or empty.
    pub account_id: String,
    /// The model version that made it; empty for a person.
    pub model_version_id: String,
    /// The workflow version that made it; empty for a person.
    pub workflow_version_id: String,
    /// Where it stands; absent means that it counts, or that it is pending in a task.
    pub status: Option<Status>,
    /// Whether it is what its maker says through the input itself.
    pub input_level: bool,
    /// The task it is made in, or empty.
    pub task_id: String,
    /// What it says.
    pub data: Data,
    /// The user's own remarks.
    pub info: JsonMap,
}

/// A change to an annotation; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct AnnotationPatch {
    /// The annotation to change.
    pub id: String,
    /// Its input; checked if given.
    pub input_id: Option<String>,
    /// What it says.
    pub data: Option<Data>,
    /// Where it stands.
    pub status: Option<Status>,
    /// The task it is made in.
    pub task_id: Option<String>,
    /// The user's own remarks.
    pub info: Option<JsonMap>,
}

/// Which annotations to list. Empty lists ask for nothing.
#[derive(Clone, Debug, Default)]
pub struct AnnotationListing {
    /// These. With as many input ids, pairs that must both fit.
    pub ids: Vec<String>,
    /// Those of these inputs.
    pub input_ids: Vec<String>,
    /// Those by any of these people, model versions or workflow versions.
    pub account_ids: Vec<String>,
    /// See `account_ids`.
    pub model_version_ids: Vec<String>,
    /// See `account_ids`.
    pub workflow_version_ids: Vec<String>,
    /// Those with one of these.
    pub statuses: Vec<Status>,
    /// Those made in this task.
    pub task_id: Option<String>,
    /// Those by models and workflows too.
    pub by_models: bool,
    /// Also what the public models saw in the inputs, which must be named.
    pub with_predictions: bool,
    /// The page.
    pub page: Page,
}

/// Who has annotated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Worker {
    /// A person, by user id.
    Person(String),
    /// A model, by version id.
    Model(String),
    /// A workflow, by version id.
    Workflow(String),
}
