//! From scores to probabilities that hold: 0.8 is right eight times in ten.
//!
//! For one concept against the rest, Platt scaling ("Probabilistic outputs for support vector machines", 1999) or, where
//! there is enough of both kinds, beta calibration (Kull, Silva Filho and Flach, AISTATS 2017), of which it is the case
//! with equal slopes; for exclusive concepts, one temperature (Guo et al., "On calibration of modern neural networks",
//! ICML 2017). All are drawn a little towards leaving the scores as they are, so that three rows do no harm.

use std::ops::Range;

use super::Label;
use super::set::Set;

/// Rows of each kind from which on the two slopes differ.
const BETA_FROM: f64 = 150.0;
/// How firmly slopes are held at 1, in rows of evidence.
const SLOPE_PRIOR: f64 = 1.0;
/// How firmly the offset is held at 0.
const OFFSET_PRIOR: f64 = 0.25;
/// No slope falls below this: more of a score never makes a concept less probable.
const LEAST_SLOPE: f64 = 0.01;
/// Newton's method needs 4 to 8 steps here.
const MAX_STEPS: usize = 50;

/// How a score of one concept becomes its log-odds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    /// Slope for high scores; of exclusive concepts, what scores are multiplied with.
    pub up: f32,
    /// Slope for low scores.
    pub down: f32,
    /// Offset.
    pub offset: f32,
}

impl Curve {
    /// Scores are log-odds already.
    pub const IDENTITY: Curve = Curve { up: 1.0, down: 1.0, offset: 0.0 };

    /// The probability of a score.
    pub fn probability(self, score: f32) -> f32 {
        (1.0 / (1.0 + (-self.log_odds(f64::from(score))).exp())) as f32
    }

    fn log_odds(self, score: f64) -> f64 {
        f64::from(self.offset) - f64::from(self.up) * softplus64(-score)
            + f64::from(self.down) * softplus64(score)
    }
}

/// Fits one curve for each concept on parts of a set, of whose rows `scores` has `n_scores` each, from row 0 on.
pub(super) fn fit(set: &Set, scores: &[f32], parts: &[Range<usize>]) -> Vec<Curve> {
    if set.exclusive {
        let heat = temperature(set, scores, parts) as f32;
        return vec![Curve { up: heat, down: heat, offset: 0.0 }; set.n_concepts];
    }
    (0..set.n_concepts).map(|concept| curve(&Told::of(set, scores, parts, concept))).collect()
}

/// The weighed log-loss of one part of a set, whose rows' scores these are, under curves; and the weight.
pub(super) fn loss(set: &Set, scores: &[f32], curves: &[Curve], part: &Range<usize>) -> (f64, f64) {
    let (mut loss, mut weight) = (0.0, 0.0);
    for (row, own) in part.clone().zip(scores.chunks_exact(set.n_scores)) {
        let (labels, weights) = (set.labels_of(row), set.judged_of(row));
        if set.exclusive {
            let log_sum = |only: Option<Label>| {
                let heated =
                    own.iter().zip(labels).filter(|(_, label)| only.is_none_or(|only| **label == only));
                log_sum_exp(heated.map(|(score, _)| f64::from(score * curves[0].up)))
            };
            if weights[0] > 0.0 {
                loss += f64::from(weights[0]) * (log_sum(None) - log_sum(Some(Label::Positive)));
                weight += f64::from(weights[0]);
            }
            continue;
        }
        for (concept, curve) in curves.iter().enumerate() {
            let odds = curve.log_odds(f64::from(own[concept]));
            let told = f64::from(weights[concept]);
            loss += told * softplus64(if labels[concept] == Label::Positive { -odds } else { odds });
            weight += told;
        }
    }
    (loss, weight)
}

fn log_sum_exp(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = numbers.clone().fold(f64::NEG_INFINITY, f64::max);
    most + numbers.map(|x| (x - most).exp()).sum::<f64>().ln()
}

/// What is known of one concept: score, truth and weight.
struct Told(Vec<(f64, bool, f64)>);

impl Told {
    fn of(set: &Set, scores: &[f32], parts: &[Range<usize>], concept: usize) -> Told {
        let rows = parts.iter().cloned().flatten();
        let told = rows.filter_map(|row| {
            let is_positive = match set.labels_of(row)[concept] {
                Label::Unknown => return None,
                Label::Negative => false,
                Label::Positive => true,
            };
            let weight = f64::from(set.judged_of(row)[concept]);
            Some((f64::from(scores[row * set.n_scores + concept]), is_positive, weight))
        });
        Told(told.collect())
    }

    fn weight_of(&self, kind: bool) -> f64 {
        self.0.iter().filter(|(_, is_positive, _)| *is_positive == kind).map(|(_, _, weight)| weight).sum()
    }
}

fn curve(told: &Told) -> Curve {
    if told.weight_of(true).min(told.weight_of(false)) >= BETA_FROM {
        let parts = |score: f64| [-softplus64(-score), softplus64(score), 1.0];
        let [up, down, offset] = newton(told, parts, [1.0, 1.0, 0.0]);
        if up >= LEAST_SLOPE && down >= LEAST_SLOPE {
            return Curve { up: up as f32, down: down as f32, offset: offset as f32 };
        }
    }
    let [slope, offset, _] = newton(told, |score| [score, 1.0, 0.0], [1.0, 0.0, 0.0]);
    if slope >= LEAST_SLOPE {
        return Curve { up: slope as f32, down: slope as f32, offset: offset as f32 };
    }
    let [offset, ..] = newton(told, |_| [1.0, 0.0, 0.0], [0.0; 3]);
    Curve { up: LEAST_SLOPE as f32, down: LEAST_SLOPE as f32, offset: offset as f32 }
}

/// Logistic regression on three numbers, each held at its prior; the loss is convex.
fn newton(told: &Told, numbers: impl Fn(f64) -> [f64; 3], prior: [f64; 3]) -> [f64; 3] {
    let firmness = prior.map(|mean| if mean == 1.0 { SLOPE_PRIOR } else { OFFSET_PRIOR });
    let loss = |at: [f64; 3]| -> f64 {
        let of_rows = told.0.iter().map(|(score, is_positive, weight)| {
            let odds = dot(numbers(*score), at);
            weight * softplus64(if *is_positive { -odds } else { odds })
        });
        let of_rows: f64 = of_rows.sum();
        of_rows + (0..3).map(|i| firmness[i] * (at[i] - prior[i]).powi(2) / 2.0).sum::<f64>()
    };
    let (mut at, mut best) = (prior, loss(prior));
    for _ in 0..MAX_STEPS {
        let mut slope: [f64; 3] = std::array::from_fn(|i| firmness[i] * (at[i] - prior[i]));
        let mut bend = [[0.0; 3]; 3];
        (0..3).for_each(|i| bend[i][i] = firmness[i]);
        for (score, is_positive, weight) in &told.0 {
            let x = numbers(*score);
            let p = 1.0 / (1.0 + (-dot(x, at)).exp());
            for i in 0..3 {
                slope[i] += weight * (p - f64::from(u8::from(*is_positive))) * x[i];
                (0..3).for_each(|j| bend[i][j] += weight * p * (1.0 - p) * x[i] * x[j]);
            }
        }
        let step = solve(bend, slope);
        let tried = (0..30).map(|halvings| {
            let next: [f64; 3] = std::array::from_fn(|i| at[i] - step[i] * 0.5f64.powi(halvings));
            (next, loss(next))
        });
        let Some((next, lower)) = tried.into_iter().find(|(_, lower)| *lower < best) else { break };
        let is_settled = best - lower < 1e-10 * (1.0 + best);
        (at, best) = (next, lower);
        if is_settled {
            break;
        }
    }
    at
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Solves three equations whose matrix is positive definite.
fn solve(mut matrix: [[f64; 3]; 3], mut right: [f64; 3]) -> [f64; 3] {
    for i in 0..3 {
        for below in i + 1..3 {
            let factor = matrix[below][i] / matrix[i][i];
            (i..3).for_each(|j| matrix[below][j] -= factor * matrix[i][j]);
            right[below] -= factor * right[i];
        }
    }
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|j| matrix[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right
}

/// What the scores of exclusive concepts must be multiplied with.
fn temperature(set: &Set, scores: &[f32], parts: &[Range<usize>]) -> f64 {
    let mut heat = 1.0f64;
    for _ in 0..MAX_STEPS {
        let (mut slope, mut bend) = (SLOPE_PRIOR * (heat - 1.0), SLOPE_PRIOR);
        for row in parts.iter().cloned().flatten() {
            let weight = f64::from(set.judged_of(row)[0]);
            let (labels, own) = (set.labels_of(row), &scores[row * set.n_scores..(row + 1) * set.n_scores]);
            if weight <= 0.0 {
                continue;
            }
            let all = moments(own.iter(), heat);
            let possible = own.iter().zip(labels).filter(|(_, label)| **label == Label::Positive);
            let possible = moments(possible.map(|(score, _)| score), heat);
            slope += weight * (all.0 - possible.0);
            bend += weight * all.1;
        }
        // Steps are bounded: far from the end the curvature says little.
        let next = (heat - slope / bend).clamp(heat / 3.0, heat * 3.0).max(LEAST_SLOPE);
        let is_settled = (next - heat).abs() < 1e-7 * heat;
        heat = next;
        if is_settled {
            break;
        }
    }
    heat
}

/// Mean and variance of scores, each weighed by its probability among them.
fn moments<'a>(scores: impl Iterator<Item = &'a f32> + Clone, heat: f64) -> (f64, f64) {
    let most = scores.clone().fold(f32::NEG_INFINITY, |most, score| most.max(*score));
    let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
    for score in scores {
        let from_most = f64::from(score - most);
        let p = (heat * from_most).exp();
        sum += p;
        first += p * from_most;
        second += p * from_most * from_most;
    }
    let mean = first / sum;
    (mean + f64::from(most), (second / sum - mean * mean).max(0.0))
}

/// log(1 + e^x), without overflow.
pub(super) fn softplus64(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
