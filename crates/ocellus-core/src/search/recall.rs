//! How good and how fast the approximate index is on a user's own data, against the exact scan.

use crate::{Platform, Result};

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct RecallReport {
    /// Vectors in the index.
    pub n_vectors: usize,
    /// Vectors used as queries.
    pub n_samples: usize,
    /// Neighbours asked for.
    pub k: usize,
    /// Share of the true nearest neighbours that were found, 0 to 1.
    pub recall: f64,
    /// Median time of the exact scan, in microseconds.
    pub exact_us: u64,
    /// Median time of the index, in microseconds; the exact scan's when there is no approximate index.
    pub index_us: u64,
    /// Whether an approximate index answered.
    pub approximate: bool,
}

/// Measures recall at `k` over `samples` vectors of the app with internal key `app_uid`.
pub async fn recall(_platform: &Platform, _app_uid: &str, _k: usize, _samples: usize) -> Result<RecallReport> {
    todo!()
}
