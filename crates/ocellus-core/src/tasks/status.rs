//! How far work on an input is, and what that means for the annotations made in it.

use crate::annotations::Status;

/// How far work on an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssignmentStatus {
    /// To be done.
    Pending,
    /// Handed in, to be reviewed.
    AwaitingReview,
    /// Handed in, to be compared with others' work.
    AwaitingConsensus,
    /// Done and good.
    Success,
    /// Refused.
    Rejected,
}

impl AssignmentStatus {
    const ALL: [Self; 5] =
        [Self::Pending, Self::AwaitingReview, Self::AwaitingConsensus, Self::Success, Self::Rejected];

    /// The name used in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::AwaitingReview => "awaiting_review",
            Self::AwaitingConsensus => "awaiting_consensus",
            Self::Success => "success",
            Self::Rejected => "rejected",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The status of annotations made in work with this status.
    pub(super) fn of_annotations(self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::AwaitingReview => Status::AwaitingReview,
            Self::AwaitingConsensus => Status::AwaitingConsensus,
            Self::Success => Status::Success,
            Self::Rejected => Status::Denied,
        }
    }
}
