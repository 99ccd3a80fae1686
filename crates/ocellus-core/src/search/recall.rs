//! How good and how fast the approximate index is on a user's own data, against the exact scan.

use std::time::Instant;

use crate::indexes::{Found, Space};
use crate::{Error, Platform, Result};

/// Similarities closer than this are the same neighbour as far as anyone can tell.
const SAME: f32 = 1e-6;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct RecallReport {
    /// Vectors in the index.
    pub n_vectors: usize,
    /// Those that the approximate index holds; the others are compared one by one.
    pub n_indexed: usize,
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

/// Measures recall at `k` over up to `samples` vectors of the app with internal key `app_uid`, spread evenly.
pub async fn recall(platform: &Platform, app_uid: &str, k: usize, samples: usize) -> Result<RecallReport> {
    if k == 0 || samples == 0 {
        return Err(Error::invalid("k and samples", "must be 1 or more"));
    }
    let space = platform.catalog().embedding().version_id();
    let index = platform.indexes().current(platform.store(), app_uid, space).await?;
    platform.engine().cpu(move || measure(&index, k, samples)).await?
}

fn measure(index: &Space, k: usize, samples: usize) -> Result<RecallReport> {
    let queries = index.sample(samples);
    let (mut exact_us, mut index_us) = (Vec::new(), Vec::new());
    let (mut n_true, mut n_found) = (0, 0);
    let mut approximate = false;
    for query in &queries {
        let (exact, took) = timed(index, true, query, k)?;
        exact_us.push(took);
        let (usual, took) = timed(index, false, query, k)?;
        index_us.push(took);
        approximate |= usual.approximate;
        n_true += exact.hits.len();
        // Among equals it does not matter which one is found.
        let worst = exact.hits.last().map_or(1.0, |(_, similarity)| *similarity);
        n_found += usual.hits.iter().filter(|(_, similarity)| *similarity >= worst - SAME).count();
    }
    Ok(RecallReport {
        n_vectors: index.len(),
        n_indexed: index.n_approximate(),
        n_samples: queries.len(),
        k,
        recall: if n_true == 0 { 1.0 } else { n_found as f64 / n_true as f64 },
        exact_us: median(exact_us),
        index_us: median(index_us),
        approximate,
    })
}

fn timed(index: &Space, exact: bool, query: &[f32], k: usize) -> Result<(Found, u64)> {
    let started = Instant::now();
    let found = index.search_by(exact, query, k)?;
    Ok((found, started.elapsed().as_micros() as u64))
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}
