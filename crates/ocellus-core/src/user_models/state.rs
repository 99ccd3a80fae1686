//! How far a version of a model has got.

/// How far a version has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// It was never trained.
    Untrained,
    /// It waits for its training.
    Queued,
    /// It is being trained.
    Training,
    /// It can be used.
    Trained,
    /// Its training failed.
    Failed,
}

impl VersionState {
    const ALL: [Self; 5] = [Self::Untrained, Self::Queued, Self::Training, Self::Trained, Self::Failed];

    /// The name used in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Untrained => "untrained",
            Self::Queued => "queued",
            Self::Training => "training",
            Self::Trained => "trained",
            Self::Failed => "failed",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
