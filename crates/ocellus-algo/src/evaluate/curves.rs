//! What follows from the order in which a concept's scores put the items: the areas under curves, the curves, and the
//! thresholds for a target. Definitions as in scikit-learn's `roc_curve`, `precision_recall_curve` and
//! `average_precision_score`; Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006.

use serde::{Deserialize, Serialize};

/// Items by falling score, each with whether the concept is there. Ordered once, judged often.
#[derive(Clone, Debug, Default)]
pub struct Ranked {
    /// Row, score, and whether the concept is there.
    items: Vec<(u32, f64, bool)>,
}

/// What holds if everything from a threshold on counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The threshold.
    pub threshold: f64,
    /// Share of what is said that is right; 1 of nothing.
    pub precision: f64,
    /// Share of the truth that is found.
    pub recall: f64,
    /// Share of the items without it that are said to have it.
    pub false_rate: f64,
}

impl Place {
    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        harmonic(self.precision, self.recall)
    }
}

/// Harmonic mean; 0 of two zeros.
pub(crate) fn harmonic(a: f64, b: f64) -> f64 {
    if a + b > 0.0 { 2.0 * a * b / (a + b) } else { 0.0 }
}

/// The areas under both curves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Areas {
    /// Probability that an item that has it is scored above one that has not; `None` unless there are both.
    pub roc_auc: Option<f64>,
    /// Mean precision over the recall it is reached at; `None` if no item has it.
    pub average_precision: Option<f64>,
}

impl Ranked {
    /// Orders rows by score. Equal scores stand in the order of the rows.
    pub fn new(items: impl Iterator<Item = (u32, f64, bool)>) -> Self {
        let mut items: Vec<_> = items.collect();
        items.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Self { items }
    }

    /// How many items have it and have it not.
    pub fn counts(&self) -> (usize, usize) {
        let n_positive = self.items.iter().filter(|item| item.2).count();
        (n_positive, self.items.len() - n_positive)
    }

    /// The areas, each row counted as often as `times` says.
    pub fn areas(&self, times: impl Fn(u32) -> f64) -> Areas {
        let (mut found, mut wrong, mut below, mut precision) = (0.0, 0.0, 0.0, 0.0);
        for equals in self.items.chunk_by(|a, b| a.1 == b.1) {
            let (mut yes, mut no) = (0.0, 0.0);
            for (row, _, is_there) in equals {
                match is_there {
                    true => yes += times(*row),
                    false => no += times(*row),
                }
            }
            // Pairs with an item without it that is scored higher are lost, those with an equal one half so.
            below += yes * (wrong + no / 2.0);
            (found, wrong) = (found + yes, wrong + no);
            if yes > 0.0 {
                precision += yes * found / (found + wrong);
            }
        }
        Areas {
            roc_auc: (found > 0.0 && wrong > 0.0).then(|| 1.0 - below / (found * wrong)),
            average_precision: (found > 0.0).then(|| precision / found),
        }
    }

    /// One place for each score that occurs, by falling score.
    pub fn places(&self) -> Vec<Place> {
        let (n_positive, n_negative) = self.counts();
        let share = |part: usize, of: usize| if of > 0 { part as f64 / of as f64 } else { 0.0 };
        let (mut n_found, mut n_said) = (0, 0);
        let mut place = |equals: &[(u32, f64, bool)]| {
            n_found += equals.iter().filter(|item| item.2).count();
            n_said += equals.len();
            Place {
                threshold: equals[0].1,
                precision: share(n_found, n_said),
                recall: share(n_found, n_positive),
                false_rate: share(n_said - n_found, n_negative),
            }
        };
        self.items.chunk_by(|a, b| a.1 == b.1).map(&mut place).collect()
    }
}

/// A receiver operating characteristic, from (0, 0) to (1, 1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Roc {
    /// Share of the items without it that are said to have it.
    pub false_rates: Vec<f64>,
    /// Share of the truth that is found.
    pub true_rates: Vec<f64>,
    /// By falling threshold; the first is one above the highest score, so that nothing is said.
    pub thresholds: Vec<f64>,
}

/// The curve through places.
pub fn roc(places: &[Place]) -> Roc {
    let first = places.first().map_or(1.0, |place| place.threshold + 1.0);
    let with = |first: f64, of: fn(&Place) -> f64| -> Vec<f64> {
        [first].into_iter().chain(places.iter().map(of)).collect()
    };
    Roc {
        false_rates: with(0.0, |place| place.false_rate),
        true_rates: with(0.0, |place| place.recall),
        thresholds: with(first, |place| place.threshold),
    }
}

/// Precision over recall, by rising threshold, ending at a precision of 1 and a recall of 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecall {
    /// Share of what is said that is right; one more than thresholds.
    pub precision: Vec<f64>,
    /// Share of the truth that is found; one more than thresholds.
    pub recall: Vec<f64>,
    /// By rising threshold.
    pub thresholds: Vec<f64>,
}

/// The curve through places.
pub fn precision_recall(places: &[Place]) -> PrecisionRecall {
    let rising = || places.iter().rev();
    PrecisionRecall {
        precision: rising().map(|place| place.precision).chain([1.0]).collect(),
        recall: rising().map(|place| place.recall).chain([0.0]).collect(),
        thresholds: rising().map(|place| place.threshold).collect(),
    }
}

/// The place that finds most of those that are right at least so often.
pub fn for_precision(places: &[Place], target: f64) -> Option<Place> {
    let fit = places.iter().rev().filter(|place| place.precision >= target && place.recall > 0.0);
    // Of equal recall, the purer one.
    fit.max_by(|a, b| a.recall.total_cmp(&b.recall).then(a.precision.total_cmp(&b.precision))).copied()
}

/// The place that finds most of those that are wrong about at most so large a share of the items without it.
pub fn for_false_rate(places: &[Place], target: f64) -> Option<Place> {
    let fit = places.iter().filter(|place| place.false_rate <= target && place.recall > 0.0);
    fit.max_by(|a, b| a.recall.total_cmp(&b.recall).then(b.false_rate.total_cmp(&a.false_rate))).copied()
}

/// The place of the highest F1, the surest of equals.
pub fn best_f1(places: &[Place]) -> Option<Place> {
    places.iter().rev().max_by(|a, b| a.f1().total_cmp(&b.f1())).copied()
}

/// At most `most` of many things, evenly spread, always with the first and the last.
pub fn thinned<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    match all.len() <= most || most < 2 {
        true => all.to_vec(),
        false => (0..most).map(|idx| all[idx * (all.len() - 1) / (most - 1)]).collect(),
    }
}
