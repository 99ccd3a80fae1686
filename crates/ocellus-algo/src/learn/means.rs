//! The nearest mean: linear discriminant analysis with one variance, along the line between the means.
//!
//! Tibshirani et al., "Diagnosis of multiple cancer types by shrunken centroids of gene expression", PNAS 99(10), 2002,
//! with the whole mean shrunken instead of its components. Linear in rows, numbers and concepts.

use std::ops::Range;

use super::head::Linear;
use super::set::Set;
use super::{Label, Method, kernel};

/// A mean counts as if so many rows in the middle of everything belonged to it.
const SHRINK_ROWS: f64 = 1.0;
/// The variance counts as if so many rows had been as far off as the average row is in one of ten directions.
const VARIANCE_ROWS: f64 = 4.0;

/// Fits the means of parts of a set.
pub(super) fn fit(set: &Set, parts: &[Range<usize>]) -> Linear {
    if set.exclusive { exclusive(set, parts) } else { each(set, parts) }
}

/// Sum of weights and mean of the rows of each score that have the label.
fn means(set: &Set, parts: &[Range<usize>], of: Label) -> (Vec<f64>, Vec<f32>) {
    let k = set.n_scores;
    let mut totals = vec![0.0f64; k];
    let mut sums = vec![0.0f64; k * set.dim];
    for part in parts {
        let coefficients: Vec<f32> = part.clone().flat_map(|row| share(set, row, of)).collect();
        for row in coefficients.chunks_exact(k) {
            totals.iter_mut().zip(row).for_each(|(total, weight)| *total += f64::from(*weight));
        }
        kernel::add_multiples(set.part(part).values, &coefficients, set.dim, &mut sums);
    }
    let mean = sums.chunks_exact(set.dim).zip(&totals);
    let mean =
        mean.flat_map(|(sum, total)| sum.iter().map(move |x| (x / (total + SHRINK_ROWS)) as f32)).collect();
    (totals, mean)
}

/// How much a row counts for the mean of each score: not at all where it is not known which one it has.
fn share(set: &Set, row: usize, of: Label) -> impl Iterator<Item = f32> {
    let (labels, weights) = (set.labels_of(row), set.weights_of(row));
    let is_told = !set.exclusive || labels.iter().filter(|label| **label == Label::Positive).count() == 1;
    labels.iter().zip(weights).map(move |(label, weight)| if *label == of && is_told { *weight } else { 0.0 })
}

fn each(set: &Set, parts: &[Range<usize>]) -> Linear {
    let (positive, with) = means(set, parts, Label::Positive);
    let (negative, without) = means(set, parts, Label::Negative);
    let apart: Vec<f32> = with.iter().zip(&without).map(|(a, b)| a - b).collect();
    let along = Along::of(set, parts, &apart);
    let mut weights = apart.clone();
    let mut biases = Vec::new();
    for (score, weights) in weights.chunks_exact_mut(set.dim).enumerate() {
        if positive[score] <= 0.0 || negative[score] <= 0.0 {
            weights.fill(0.0);
            biases.push(((positive[score] + 1.0) / (negative[score] + 1.0)).ln() as f32);
            continue;
        }
        let [low, high] = along.centers[score];
        let steepness = (high - low).max(0.0) / along.variances[score];
        weights.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * steepness) as f32);
        let prior = (positive[score] / negative[score]).ln();
        biases.push((prior - steepness * (low + high) / 2.0) as f32);
    }
    Linear { method: Method::NearestMean, weights, biases }
}

fn exclusive(set: &Set, parts: &[Range<usize>]) -> Linear {
    let (totals, means) = means(set, parts, Label::Positive);
    let along = Along::of(set, parts, &means);
    let all: f64 = totals.iter().sum();
    let squared = |mean: &[f32]| -> f64 { mean.iter().map(|x| f64::from(*x).powi(2)).sum() };
    // The variance along a direction of length 1, over the classes.
    let (mut spread, mut counted) = (0.0, 0.0);
    for (score, mean) in means.chunks_exact(set.dim).enumerate() {
        let length = squared(mean);
        if totals[score] > 0.0 && length > 1e-12 {
            spread += totals[score] * along.variances[score] / length;
            counted += totals[score];
        }
    }
    let variance = if counted > 0.0 { spread / counted } else { 1.0 };
    let biases = means.chunks_exact(set.dim).zip(&totals).map(|(mean, total)| {
        let prior = (total.max(0.5) / all.max(1.0)).ln();
        (prior - squared(mean) / 2.0 / variance) as f32
    });
    let biases = biases.collect();
    let weights = means.iter().map(|x| (f64::from(*x) / variance) as f32).collect();
    Linear { method: Method::NearestMean, weights, biases }
}

/// Where the rows lie along one direction for each score.
struct Along {
    /// Mean of the negatives and of the positives.
    centers: Vec<[f64; 2]>,
    /// Mean squared distance from the own mean; above 0.
    variances: Vec<f64>,
}

impl Along {
    fn of(set: &Set, parts: &[Range<usize>], directions: &[f32]) -> Along {
        let k = set.n_scores;
        let mut moments = vec![[[0.0f64; 3]; 2]; k];
        for part in parts {
            let mut places = vec![0.0f32; part.len() * k];
            kernel::products(set.part(part).values, directions, set.dim, &mut places);
            for (row, places) in part.clone().zip(places.chunks_exact(k)) {
                for (side, label) in [Label::Negative, Label::Positive].into_iter().enumerate() {
                    for (score, weight) in share(set, row, label).enumerate() {
                        let (place, weight) = (f64::from(places[score]), f64::from(weight));
                        let sums = &mut moments[score][side];
                        sums[0] += weight;
                        sums[1] += weight * place;
                        sums[2] += weight * place * place;
                    }
                }
            }
        }
        let mean = |sums: [f64; 3]| if sums[0] > 0.0 { sums[1] / sums[0] } else { 0.0 };
        let around = |sums: [f64; 3]| (sums[2] - sums[0] * mean(sums).powi(2)).max(0.0);
        let variance = |(sides, direction): (&[[f64; 3]; 2], &[f32])| {
            let length: f64 = direction.iter().map(|x| f64::from(*x).powi(2)).sum();
            // Of exclusive concepts only the own rows tell their spread.
            let sides = if set.exclusive { &sides[1..] } else { &sides[..] };
            let known: f64 = sides.iter().map(|sums| around(*sums)).sum();
            let weight: f64 = sides.iter().map(|sums| sums[0]).sum();
            (known + VARIANCE_ROWS * length / 10.0) / (weight + VARIANCE_ROWS) + 1e-9
        };
        Along {
            centers: moments.iter().map(|[low, high]| [mean(*low), mean(*high)]).collect(),
            variances: moments.iter().zip(directions.chunks_exact(set.dim)).map(variance).collect(),
        }
    }
}
