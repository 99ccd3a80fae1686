//! The error type of the crate: what was wrong with the caller's data, and what failed beneath us.

/// Why an operation failed. The text is written for the person who sent the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The data is damaged or contradicts itself; sending it again will not help.
    #[error("{0}")]
    BadInput(String),
    /// The data is larger than a configured limit.
    #[error("{0}")]
    TooLarge(String),
    /// The data may be fine, but this build cannot read it.
    #[error("{0}")]
    Unsupported(String),
    /// The inference runtime, a model file or an index file failed; the operator has to act.
    #[error("{0}")]
    Backend(String),
    /// The caller stopped it between two steps.
    #[error("it was cancelled")]
    Cancelled,
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
