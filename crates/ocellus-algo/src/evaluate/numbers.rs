//! The numbers over all concepts, of a whole set or of one drawn from it.

use serde::{Deserialize, Serialize};

use super::curves::harmonic;
use super::{ConceptReport, Interval, Judged, Ranked, Reliability, interval, squared, surprise};

/// How good a classifier is over all concepts. A number is absent where nothing can be said: an area under a curve
/// without both kinds of items, an accuracy without items that have a concept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Share of the items with a concept whose likeliest concept is one they have.
    pub top1_accuracy: Option<f64>,
    /// Share of the items with a concept that have one of the five likeliest; only with more than five concepts.
    pub top5_accuracy: Option<f64>,
    /// Mean area under the receiver operating characteristic over the concepts that have one.
    pub macro_roc_auc: Option<f64>,
    /// The same weighted by how many items have the concept.
    pub weighted_roc_auc: Option<f64>,
    /// Mean average precision over the concepts that occur.
    pub mean_average_precision: Option<f64>,
    /// Mean F1 over the concepts that occur.
    pub macro_f1: Option<f64>,
    /// Mean precision over the concepts that occur.
    pub macro_precision: Option<f64>,
    /// Mean recall over the concepts that occur.
    pub macro_recall: Option<f64>,
    /// Expected calibration error over all items and concepts.
    pub calibration_error: Option<f64>,
    /// Expected calibration error of the likeliest concept only: of concepts that exclude each other.
    pub top_calibration_error: Option<f64>,
    /// Mean squared distance of the probabilities from the truth.
    pub brier: Option<f64>,
    /// Mean surprise at the truth, in nats: per item of its one concept if concepts exclude each other, else per item
    /// and concept.
    pub log_loss: Option<f64>,
}

impl Numbers {
    /// The numbers by name.
    pub fn named(&self) -> [(&'static str, Option<f64>); 12] {
        [
            ("top1_accuracy", self.top1_accuracy),
            ("top5_accuracy", self.top5_accuracy),
            ("macro_roc_auc", self.macro_roc_auc),
            ("weighted_roc_auc", self.weighted_roc_auc),
            ("mean_average_precision", self.mean_average_precision),
            ("macro_f1", self.macro_f1),
            ("macro_precision", self.macro_precision),
            ("macro_recall", self.macro_recall),
            ("calibration_error", self.calibration_error),
            ("top_calibration_error", self.top_calibration_error),
            ("brier", self.brier),
            ("log_loss", self.log_loss),
        ]
    }

    /// Numbers in the order of [`Numbers::named`].
    fn from_list(list: [Option<f64>; 12]) -> Self {
        let [
            top1_accuracy,
            top5_accuracy,
            macro_roc_auc,
            weighted_roc_auc,
            mean_average_precision,
            macro_f1,
            macro_precision,
            macro_recall,
            calibration_error,
            top_calibration_error,
            brier,
            log_loss,
        ] = list;
        Self {
            top1_accuracy,
            top5_accuracy,
            macro_roc_auc,
            weighted_roc_auc,
            mean_average_precision,
            macro_f1,
            macro_precision,
            macro_recall,
            calibration_error,
            top_calibration_error,
            brier,
            log_loss,
        }
    }
}

/// What was said of one concept, by weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Said {
    right: f64,
    wrong: f64,
    missed: f64,
}

impl Said {
    /// Share of what is said that is right; 0 of nothing.
    pub fn precision(&self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    /// Share of the truth that is found; 0 of nothing.
    pub fn recall(&self) -> f64 {
        share(self.right, self.right + self.missed)
    }

    /// Harmonic mean of both.
    pub fn f1(&self) -> f64 {
        harmonic(self.precision(), self.recall())
    }

    fn occurs(&self) -> bool {
        self.right + self.missed > 0.0
    }
}

fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

/// A weighted mean of what there is.
#[derive(Default)]
struct Mean(f64, f64);

impl Mean {
    fn add(&mut self, x: f64, weight: f64) {
        (self.0, self.1) = (self.0 + x * weight, self.1 + weight);
    }

    fn get(&self) -> Option<f64> {
        (self.1 > 0.0).then(|| self.0 / self.1)
    }
}

/// One item and concept of which the truth counts as known.
#[derive(Clone, Copy, Debug)]
struct Cell {
    row: u32,
    probability: f64,
    is_there: bool,
    is_said: bool,
}

/// One item that has a concept.
#[derive(Clone, Copy, Debug)]
struct Top {
    row: u32,
    /// How many concepts that it has not are at least as likely as the likeliest that it has.
    rank: usize,
    /// The highest probability, and whether that concept is there.
    top: (f64, bool),
    /// The probability of the likeliest concept that it has.
    own: f64,
}

/// A set prepared for being judged again and again.
#[derive(Clone, Debug)]
pub struct Scored {
    /// By concept.
    pub ranked: Vec<Ranked>,
    cells: Vec<Vec<Cell>>,
    tops: Vec<Top>,
}

impl Scored {
    /// Prepares a set.
    pub fn new(judged: &Judged<'_>) -> Self {
        let rows = 0..u32::try_from(judged.n_rows()).unwrap_or(u32::MAX);
        let likeliest: Vec<Option<usize>> =
            rows.clone().map(|row| judged.likeliest(row as usize, |_| true)).collect();
        let cell = |row: u32, k: usize| {
            let is_there = judged.truth(row as usize, k)?;
            let probability = judged.probability(row as usize, k);
            let is_said = match judged.exclusive {
                true => likeliest[row as usize] == Some(k),
                false => probability >= super::SAID_FROM,
            };
            Some(Cell { row, probability, is_there, is_said })
        };
        let cells: Vec<Vec<Cell>> =
            (0..judged.n_concepts).map(|k| rows.clone().filter_map(|row| cell(row, k)).collect()).collect();
        let ranked = |cells: &Vec<Cell>| {
            Ranked::new(cells.iter().map(|cell| (cell.row, cell.probability, cell.is_there)))
        };
        let top = |row: u32| {
            let idx = row as usize;
            let has = |k: usize| judged.truth(idx, k) == Some(true);
            let own = judged.probability(idx, judged.likeliest(idx, has)?);
            let others = (0..judged.n_concepts).filter(|k| !has(*k));
            let rank = others.filter(|k| judged.probability(idx, *k) >= own).count();
            let first = likeliest[idx]?;
            Some(Top { row, rank, top: (judged.probability(idx, first), has(first)), own })
        };
        let tops = rows.filter_map(top).collect();
        Self { ranked: cells.iter().map(ranked).collect(), cells, tops }
    }

    /// What was said of one concept, each row counted as often as `times` says.
    pub fn said(&self, concept: usize, times: impl Fn(u32) -> f64) -> Said {
        let mut said = Said::default();
        for cell in &self.cells[concept] {
            let n = times(cell.row);
            match (cell.is_said, cell.is_there) {
                (true, true) => said.right += n,
                (true, false) => said.wrong += n,
                (false, true) => said.missed += n,
                (false, false) => {}
            }
        }
        said
    }

    /// What was said with which probability.
    pub fn reliability(&self, times: impl Fn(u32) -> f64) -> Reliability {
        let mut all = Reliability::default();
        for cell in self.cells.iter().flatten() {
            all.add(cell.probability, cell.is_there, times(cell.row));
        }
        all
    }

    /// The numbers, each row counted as often as `times` says.
    pub fn numbers(&self, judged: &Judged<'_>, times: impl Fn(u32) -> f64 + Copy) -> Numbers {
        let (mut top1, mut top5, mut log_loss) = (Mean::default(), Mean::default(), Mean::default());
        let mut likeliest = Reliability::default();
        for top in &self.tops {
            let n = times(top.row);
            top1.add(f64::from(u8::from(top.rank < 1)), n);
            top5.add(f64::from(u8::from(top.rank < 5)), n);
            likeliest.add(top.top.0, top.top.1, n);
            if judged.exclusive {
                log_loss.add(surprise(top.own, true), n);
            }
        }
        let [mut auc, mut weighted, mut precision, mut f1, mut of_said, mut of_truth, mut brier] =
            std::array::from_fn(|_| Mean::default());
        for (k, cells) in self.cells.iter().enumerate() {
            for cell in cells {
                let n = times(cell.row);
                brier.add(squared(cell.probability, cell.is_there), n);
                if !judged.exclusive && n > 0.0 {
                    log_loss.add(surprise(cell.probability, cell.is_there), n);
                }
            }
            let said = self.said(k, times);
            if !said.occurs() {
                continue;
            }
            let areas = self.ranked[k].areas(times);
            if let Some(area) = areas.roc_auc {
                auc.add(area, 1.0);
                weighted.add(area, said.right + said.missed);
            }
            precision.add(areas.average_precision.unwrap_or(0.0), 1.0);
            f1.add(said.f1(), 1.0);
            of_said.add(said.precision(), 1.0);
            of_truth.add(said.recall(), 1.0);
        }
        Numbers {
            top1_accuracy: top1.get(),
            top5_accuracy: top5.get().filter(|_| judged.n_concepts > 5),
            macro_roc_auc: auc.get(),
            weighted_roc_auc: weighted.get(),
            mean_average_precision: precision.get(),
            macro_f1: f1.get(),
            macro_precision: of_said.get(),
            macro_recall: of_truth.get(),
            calibration_error: self.reliability(times).error(),
            top_calibration_error: likeliest.error().filter(|_| judged.exclusive),
            brier: brier.get(),
            log_loss: log_loss.get(),
        }
    }
}

/// The deviation of some numbers around their mean, as numpy's `std`; `None` of none.
fn deviation(numbers: &[f64]) -> Option<f64> {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    (!numbers.is_empty()).then(|| (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// The deviation of each number over the folds, or over the concepts where there are none.
pub(super) fn deviations(judged: &Judged<'_>, scored: &Scored, concepts: &[ConceptReport]) -> Numbers {
    let folds: std::collections::BTreeSet<u32> = judged.folds.iter().copied().collect();
    if folds.is_empty() {
        let over = |of: fn(&ConceptReport) -> Option<f64>| {
            let occurring = concepts.iter().filter(|concept| concept.n_positive > 0);
            deviation(&occurring.filter_map(of).collect::<Vec<_>>())
        };
        return Numbers {
            macro_roc_auc: over(|concept| concept.areas.roc_auc),
            mean_average_precision: over(|concept| concept.areas.average_precision),
            macro_f1: over(|concept| Some(concept.f1)),
            macro_precision: over(|concept| Some(concept.precision)),
            macro_recall: over(|concept| Some(concept.recall)),
            calibration_error: over(|concept| concept.calibration_error),
            ..Numbers::default()
        };
    }
    let of_fold =
        |fold: &u32| scored.numbers(judged, |row| f64::from(u8::from(judged.folds[row as usize] == *fold)));
    let by_fold: Vec<_> = folds.iter().map(|fold| of_fold(fold).named()).collect();
    Numbers::from_list(std::array::from_fn(|idx| {
        deviation(&by_fold.iter().filter_map(|numbers| numbers[idx].1).collect::<Vec<_>>())
    }))
}

/// The middle part of each number, by its name.
pub(super) fn intervals(drawn: &[Numbers]) -> Vec<(String, Interval)> {
    let by_draw: Vec<_> = drawn.iter().map(Numbers::named).collect();
    let of = |idx: usize| {
        let name = by_draw.first()?[idx].0;
        let found: Vec<f64> = by_draw.iter().filter_map(|numbers| numbers[idx].1).collect();
        Some((name.to_owned(), interval(found)?))
    };
    (0..12).filter_map(of).collect()
}
