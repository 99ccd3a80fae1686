//! Logistic regression with a squared penalty: the loss and its slope, and the weights that minimise it.
//!
//! Concepts that do not exclude each other have one loss each, of which the sum is minimised; of those that do, the loss
//! is that of the softmax. Where several concepts are possible for a row, their probabilities are added (Cour, Sapp and
//! Taskar, "Learning from partial labels", JMLR 12, 2011). One look at the loss costs rows x numbers x concepts, twice.

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::calibrate::softplus64;
use super::head::Linear;
use super::lbfgs::{Limits, dot, minimise};
use super::set::Set;
use super::{Label, Method, kernel};
use crate::error::Result;

/// Rows whose scores are held at a time; they stay in the cache between both products.
const TILE: usize = 128;
/// Less than this does not pull at all: smaller numbers become subnormal, which processors are slow with.
const LEAST_PULL: f64 = 1e-20;
/// Holds the offset of an exclusive concept that no row has; too little to be seen in any other.
const OFFSET_PENALTY: f64 = 1e-6;

/// A loss to minimise over some rows of a set.
pub(super) struct Logistic<'a> {
    set: &'a Set,
    parts: Vec<Range<usize>>,
    /// How much weight all rows have.
    total: f64,
    /// By score: the offset of one that has rows of one kind only, and therefore no slope.
    fixed: Vec<Option<f64>>,
}

/// How exactly to minimise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exactness {
    pub max_iterations: usize,
    /// Share of the first slope at which it is done.
    pub tolerance: f64,
}

impl<'a> Logistic<'a> {
    pub fn new(set: &'a Set, parts: Vec<Range<usize>>) -> Logistic<'a> {
        let k = set.n_scores;
        let mut kinds = vec![[0.0f64; 2]; k];
        let mut total = 0.0f64;
        for row in parts.iter().cloned().flatten() {
            let (labels, weights) = (set.labels_of(row), set.weights_of(row));
            for (kinds, (label, weight)) in kinds.iter_mut().zip(labels.iter().zip(weights)) {
                kinds[usize::from(*label == Label::Positive)] += f64::from(*weight);
            }
            total += f64::from(weights.iter().copied().fold(0.0, f32::max));
        }
        let fixed = kinds.iter().map(|[without, with]| {
            let is_one_kind = *without <= 0.0 || *with <= 0.0;
            (is_one_kind && !set.exclusive).then(|| ((with + 1.0) / (without + 1.0)).ln())
        });
        Logistic { set, fixed: fixed.collect(), parts, total: total.max(1e-9) }
    }

    /// Where to begin: no weights.
    pub fn start(&self) -> Vec<f64> {
        let mut at = vec![0.0; self.set.n_scores * (self.set.dim + 1)];
        let offsets = self.set.n_scores * self.set.dim;
        self.fixed.iter().enumerate().for_each(|(score, fixed)| at[offsets + score] = fixed.unwrap_or(0.0));
        at
    }

    /// Moves the weights, then offsets, to the minimum for a C.
    pub fn fit(
        &self,
        at: &mut Vec<f64>,
        c: f64,
        exact: Exactness,
        is_stopped: impl Fn() -> bool,
    ) -> Result<()> {
        let penalty = 1.0 / (c * self.total);
        let mut slope = vec![0.0; at.len()];
        self.look(&self.start(), 0.0, &mut slope);
        let limits = Limits {
            max_iterations: exact.max_iterations,
            slope: (exact.tolerance * dot(&slope, &slope).sqrt()).max(1e-12),
        };
        minimise(at, limits, |at, slope| self.look(at, penalty, slope), is_stopped)
    }

    /// The weights as a scorer of the rows of the set.
    pub fn scorer(&self, at: &[f64]) -> Linear {
        let (weights, biases) = at.split_at(self.set.n_scores * self.set.dim);
        let single = |numbers: &[f64]| numbers.iter().map(|x| *x as f32).collect();
        Linear { method: Method::Linear, weights: single(weights), biases: single(biases) }
    }

    /// Mean loss and penalty; writes the slope.
    fn look(&self, at: &[f64], penalty: f64, slope: &mut [f64]) -> f64 {
        let (dim, k) = (self.set.dim, self.set.n_scores);
        let linear = self.scorer(at);
        slope.fill(0.0);
        let (of_weights, of_offsets) = slope.split_at_mut(k * dim);
        let mut scores = vec![0.0f32; TILE * k];
        let mut loss = 0.0;
        for part in &self.parts {
            for start in part.clone().step_by(TILE) {
                let tile = start..(start + TILE).min(part.end);
                let scores = &mut scores[..tile.len() * k];
                let rows = self.set.part(&tile).values;
                kernel::products(rows, &linear.weights, dim, scores);
                for (row, scores) in tile.zip(scores.chunks_exact_mut(k)) {
                    scores.iter_mut().zip(&linear.biases).for_each(|(score, bias)| *score += bias);
                    loss +=
                        if self.set.exclusive { self.of_one(row, scores) } else { self.of_each(row, scores) };
                    of_offsets.iter_mut().zip(&*scores).for_each(|(sum, pull)| *sum += f64::from(*pull));
                }
                kernel::add_multiples(rows, scores, dim, of_weights);
            }
        }
        let (weights, offsets) = at.split_at(k * dim);
        for (slope, weight) in of_weights.iter_mut().zip(weights) {
            *slope = *slope / self.total + penalty * weight;
        }
        let held = if self.set.exclusive { OFFSET_PENALTY } else { 0.0 };
        for (slope, offset) in of_offsets.iter_mut().zip(offsets) {
            *slope = *slope / self.total + held * offset;
        }
        loss / self.total + penalty * dot(weights, weights) / 2.0 + held * dot(offsets, offsets) / 2.0
    }

    /// The loss of a row, each concept for itself; scores become how much the row pulls at them.
    fn of_each(&self, row: usize, scores: &mut [f32]) -> f64 {
        let told = self.set.labels_of(row).iter().zip(self.set.weights_of(row)).zip(&self.fixed);
        let mut loss = 0.0;
        for (score, ((label, weight), fixed)) in scores.iter_mut().zip(told) {
            if *weight <= 0.0 || fixed.is_some() {
                *score = 0.0;
                continue;
            }
            let (truth, odds, weight) = (*label == Label::Positive, f64::from(*score), f64::from(*weight));
            loss += weight * softplus64(if truth { -odds } else { odds });
            let p = 1.0 / (1.0 + (-odds).exp());
            *score = pull(weight * (p - f64::from(u8::from(truth))));
        }
        loss
    }

    /// The loss of a row whose concepts exclude each other.
    fn of_one(&self, row: usize, scores: &mut [f32]) -> f64 {
        let weight = f64::from(self.set.weights_of(row)[0]);
        if weight <= 0.0 {
            scores.fill(0.0);
            return 0.0;
        }
        let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (mut all, mut possible) = (0.0, 0.0);
        for (score, label) in scores.iter_mut().zip(self.set.labels_of(row)) {
            *score = (*score - most).exp();
            all += f64::from(*score);
            possible += if *label == Label::Positive { f64::from(*score) } else { 0.0 };
        }
        possible = possible.max(f64::from(f32::MIN_POSITIVE));
        for (score, label) in scores.iter_mut().zip(self.set.labels_of(row)) {
            let own = if *label == Label::Positive { f64::from(*score) / possible } else { 0.0 };
            *score = pull(weight * (f64::from(*score) / all - own));
        }
        weight * (all.ln() - possible.ln())
    }
}

fn pull(exact: f64) -> f32 {
    if exact.abs() < LEAST_PULL { 0.0 } else { exact as f32 }
}
