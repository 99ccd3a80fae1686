//! How good a classifier is, from what it said of items that it has not learned from: areas under curves, F1, accuracy,
//! confusion, calibration, thresholds for targets, each with an interval where it matters, and labels to look at again.
//!
//! What the numbers mean is said beside each. Sums are in 64-bit numbers, so that the numbers agree with scikit-learn's
//! to a millionth. Linear in items times concepts, but for the ordering of each concept's scores; the intervals repeat
//! the linear part, less often for large sets.

mod bootstrap;
mod calibration;
mod comparison;
mod confusion;
mod curves;
mod doubts;
mod numbers;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use bootstrap::{Draws, Interval, interval};
pub use calibration::{BINS, Bin, Reliability, squared, surprise};
pub use comparison::{Comparison, Difference, compare};
pub use confusion::{Confusion, confusion, cooccurrence};
pub use curves::{
    Areas, Place, PrecisionRecall, Ranked, Roc, best_f1, for_false_rate, for_precision, precision_recall,
    roc, thinned,
};
pub use doubts::{Doubt, doubts};
pub use numbers::{Numbers, Scored};

use crate::learn::Label;
use crate::{Error, Result};

/// From this probability on a concept counts as said, unless concepts exclude each other.
pub const SAID_FROM: f64 = 0.5;

/// Labels and what was said of the same items.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Concepts per row.
    pub n_concepts: usize,
    /// Row by row, concept by concept.
    pub labels: &'a [Label],
    /// The same for the probabilities, 0..1.
    pub probabilities: &'a [f32],
    /// For each row what must not be torn apart when test sets are drawn.
    pub groups: &'a [u32],
    /// For each row the part of a cross-validation it was held out in; empty if there were none.
    pub folds: &'a [u32],
    /// Whether an item has one concept at most: then the likeliest is what was said, and a label for one is a *no* to
    /// all others.
    pub exclusive: bool,
    /// Whether an item without a label for a concept counts as not having it; else it does not count for it.
    pub unlabelled_is_no: bool,
}

impl Judged<'_> {
    /// How many items there are.
    pub fn n_rows(&self) -> usize {
        self.groups.len()
    }

    /// Whether a concept is there, if that counts as known.
    pub fn truth(&self, row: usize, concept: usize) -> Option<bool> {
        let labels = &self.labels[row * self.n_concepts..][..self.n_concepts];
        match labels[concept] {
            Label::Positive => Some(true),
            Label::Negative => Some(false),
            Label::Unknown if self.exclusive && labels.contains(&Label::Positive) => Some(false),
            Label::Unknown => self.unlabelled_is_no.then_some(false),
        }
    }

    /// The probability of a concept.
    pub fn probability(&self, row: usize, concept: usize) -> f64 {
        f64::from(self.probabilities[row * self.n_concepts + concept])
    }

    /// Whether a concept counts as said.
    pub fn is_said(&self, row: usize, concept: usize) -> bool {
        match self.exclusive {
            true => self.likeliest(row, |_| true) == Some(concept),
            false => self.probability(row, concept) >= SAID_FROM,
        }
    }

    /// The likeliest concept of some, the first of equals.
    pub fn likeliest(&self, row: usize, of: impl Fn(usize) -> bool) -> Option<usize> {
        let some = (0..self.n_concepts).filter(|k| of(*k));
        some.max_by(|a, b| self.probability(row, *a).total_cmp(&self.probability(row, *b)).then(b.cmp(a)))
    }

    fn check(&self) -> Result<()> {
        let n = self.groups.len().saturating_mul(self.n_concepts);
        let fits = self.labels.len() == n && self.probabilities.len() == n;
        if !fits || !(self.folds.is_empty() || self.folds.len() == self.groups.len()) {
            let message = "labels, probabilities, groups and folds are not of the same items and concepts";
            return Err(Error::BadInput(message.to_owned()));
        }
        match self.probabilities.iter().all(|p| (0.0..=1.0).contains(p)) {
            true => Ok(()),
            false => Err(Error::BadInput("a probability is not within 0 and 1".to_owned())),
        }
    }
}

/// What is to be found out besides.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Decides which test sets are drawn.
    pub seed: u64,
    /// How many test sets are drawn for the intervals, at most; 0 for no intervals.
    pub n_draws: usize,
    /// Precisions for which thresholds are wanted.
    pub precisions: Vec<f64>,
    /// False-positive rates for which thresholds are wanted.
    pub false_rates: Vec<f64>,
    /// The most points of a curve.
    pub n_points: usize,
    /// The most doubted labels.
    pub n_doubts: usize,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            seed: 0,
            n_draws: 1_000,
            precisions: vec![0.9, 0.95, 0.99],
            false_rates: vec![0.1, 0.01, 0.001],
            n_points: 200,
            n_doubts: 1_000,
        }
    }
}

/// A threshold that reaches a target, and what else holds there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// What was wanted.
    pub target: f64,
    /// Where it is reached; `None` if nowhere.
    pub place: Option<Place>,
}

/// What is known of one concept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConceptReport {
    /// Items that have it.
    pub n_positive: usize,
    /// Items that have it not.
    pub n_negative: usize,
    /// Areas under its curves.
    pub areas: Areas,
    /// Share of what is said that is right; 0 if nothing is said.
    pub precision: f64,
    /// Share of the truth that is found; 0 if there is none.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Expected calibration error of its probabilities.
    pub calibration_error: Option<f64>,
    /// Its receiver operating characteristic.
    pub roc: Roc,
    /// Its precision over recall.
    pub precision_recall: PrecisionRecall,
    /// Where F1 is highest.
    pub best_f1: Option<Place>,
    /// Thresholds for precisions.
    pub for_precision: Vec<Target>,
    /// Thresholds for false-positive rates.
    pub for_false_rate: Vec<Target>,
}

/// How good a classifier is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Items.
    pub n_rows: usize,
    /// Groups of items that belong together.
    pub n_groups: usize,
    /// The numbers over all.
    pub numbers: Numbers,
    /// The deviation of each number over the folds; over the concepts for means over concepts, if there were no folds.
    pub deviations: Numbers,
    /// In which middle part 95 of 100 drawn test sets have each number, by its name.
    pub intervals: Vec<(String, Interval)>,
    /// How many test sets were drawn.
    pub n_draws: usize,
    /// By concept.
    pub concepts: Vec<ConceptReport>,
    /// What was taken for what.
    pub confusion: Confusion,
    /// Which concepts items have together.
    pub cooccurrence: Vec<Vec<u32>>,
    /// What was said with which probability, and how often it was right, over all items and concepts.
    pub reliability: Vec<Bin>,
    /// Labels that are probably wrong, the most doubted first.
    pub doubts: Vec<Doubt>,
}

/// Everything about a classifier. Stops with `Cancelled` when `keep_going`, asked now and then, says so.
///
/// # Errors
/// `BadInput` if the lists do not fit each other, or a probability is none.
pub fn report(judged: &Judged<'_>, spec: &Spec, keep_going: &mut dyn FnMut() -> bool) -> Result<Report> {
    judged.check()?;
    let scored = Scored::new(judged);
    let once = |_: u32| 1.0;
    let numbers = scored.numbers(judged, once);
    let concepts: Vec<ConceptReport> =
        (0..judged.n_concepts).map(|k| of_concept(judged, &scored, k, spec)).collect();
    let n_draws = n_draws(judged, spec);
    let mut draws = Draws::new(judged.groups, spec.seed);
    let mut drawn: Vec<Numbers> = Vec::with_capacity(n_draws);
    for _ in 0..n_draws {
        if !keep_going() {
            return Err(Error::Cancelled);
        }
        let times = draws.next_set();
        drawn.push(scored.numbers(judged, |row| times[row as usize]));
    }
    let mut doubts = doubts(judged);
    doubts.truncate(spec.n_doubts);
    Ok(Report {
        n_rows: judged.n_rows(),
        n_groups: draws.n_groups(),
        deviations: numbers::deviations(judged, &scored, &concepts),
        intervals: numbers::intervals(&drawn),
        n_draws,
        reliability: scored.reliability(once).bins(),
        numbers,
        concepts,
        confusion: confusion(judged),
        cooccurrence: cooccurrence(judged),
        doubts,
    })
}

/// Fewer for large sets: the numbers of a large set vary less.
fn n_draws(judged: &Judged<'_>, spec: &Spec) -> usize {
    const WORK: usize = 1_000_000_000;
    let cells = judged.labels.len().max(1);
    spec.n_draws.min((WORK / cells).max(200))
}

fn of_concept(judged: &Judged<'_>, scored: &Scored, concept: usize, spec: &Spec) -> ConceptReport {
    let ranked = &scored.ranked[concept];
    let (n_positive, n_negative) = ranked.counts();
    let places = ranked.places();
    let said = scored.said(concept, |_| 1.0);
    let targets = |targets: &[f64], find: fn(&[Place], f64) -> Option<Place>| {
        targets.iter().map(|target| Target { target: *target, place: find(&places, *target) }).collect()
    };
    let known = (0..judged.n_rows()).filter_map(|row| Some((row, judged.truth(row, concept)?)));
    let mut reliability = Reliability::default();
    known.for_each(|(row, is_there)| reliability.add(judged.probability(row, concept), is_there, 1.0));
    ConceptReport {
        n_positive,
        n_negative,
        areas: ranked.areas(|_| 1.0),
        precision: said.precision(),
        recall: said.recall(),
        f1: said.f1(),
        calibration_error: reliability.error(),
        roc: thinned_roc(roc(&places), spec.n_points),
        precision_recall: precision_recall(&thinned(&places, spec.n_points)),
        best_f1: best_f1(&places),
        for_precision: targets(&spec.precisions, for_precision),
        for_false_rate: targets(&spec.false_rates, for_false_rate),
    }
}

fn thinned_roc(roc: Roc, most: usize) -> Roc {
    Roc {
        false_rates: thinned(&roc.false_rates, most),
        true_rates: thinned(&roc.true_rates, most),
        thresholds: thinned(&roc.thresholds, most),
    }
}
