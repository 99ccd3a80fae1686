//! How far probabilities can be taken at their word: of what is said with 0.8, eight in ten should be right.
//!
//! Expected calibration error over bins of equal width: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated
//! probabilities using Bayesian binning", AAAI 2015; Guo et al., "On calibration of modern neural networks", ICML 2017.
//! Brier, "Verification of forecasts expressed in terms of probability", 1950.

use serde::{Deserialize, Serialize};

/// Bins of the reliability curve.
pub const BINS: usize = 15;
/// Probabilities nearer to 0 or 1 count as this near in the logarithmic loss, as in scikit-learn for 64-bit numbers.
const LEAST: f64 = f64::EPSILON;

/// What was said with probabilities of one bin, and how often it was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// How much was said, by weight.
    pub n: f64,
    /// The mean probability with which it was said.
    pub probability: f64,
    /// The share of it that was right.
    pub share: f64,
}

/// Sums of what was said, by bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// Weight, weighted probability and weight of what was right.
    sums: [(f64, f64, f64); BINS],
}

impl Default for Reliability {
    fn default() -> Self {
        Self { sums: [(0.0, 0.0, 0.0); BINS] }
    }
}

impl Reliability {
    /// Counts one thing said. The bins are closed below, the last on both sides.
    pub fn add(&mut self, probability: f64, is_right: bool, times: f64) {
        let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
        let sum = &mut self.sums[bin];
        (sum.0, sum.1) = (sum.0 + times, sum.1 + times * probability);
        sum.2 += if is_right { times } else { 0.0 };
    }

    /// The bins, by rising probability; those without anything have zeros.
    pub fn bins(&self) -> Vec<Bin> {
        let mean = |sum: f64, n: f64| if n > 0.0 { sum / n } else { 0.0 };
        let bin = |(n, said, right): &(f64, f64, f64)| Bin {
            n: *n,
            probability: mean(*said, *n),
            share: mean(*right, *n),
        };
        self.sums.iter().map(bin).collect()
    }

    /// The mean distance between what was said and how often it was right; `None` of nothing.
    pub fn error(&self) -> Option<f64> {
        let n: f64 = self.sums.iter().map(|sum| sum.0).sum();
        let apart: f64 = self.sums.iter().map(|sum| (sum.1 - sum.2).abs()).sum();
        (n > 0.0).then(|| apart / n)
    }
}

/// The squared distance of a probability from what is true.
pub fn squared(probability: f64, is_there: bool) -> f64 {
    (probability - f64::from(u8::from(is_there))).powi(2)
}

/// The surprise at what is true, in nats.
pub fn surprise(probability: f64, is_there: bool) -> f64 {
    let of_truth = if is_there { probability } else { 1.0 - probability };
    -of_truth.clamp(LEAST, 1.0 - LEAST).ln()
}
