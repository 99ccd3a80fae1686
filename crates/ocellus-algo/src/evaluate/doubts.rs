//! Labels that are probably wrong, by confident learning: Northcutt, Jiang and Chuang, "Confident learning: estimating
//! uncertainty in dataset labels", JAIR 70, 2021.
//!
//! The mean probability of a class among the items labelled with it is how sure the model usually is of it. A label is
//! doubted if the model, which must not have seen the item, is at least that sure of another class and surer of it than of
//! the label's; of several the likeliest counts. With concepts that exclude each other the classes are the concepts; otherwise each concept is
//! looked at by itself, with the classes *there* and *not there*.

use serde::{Deserialize, Serialize};

use super::Judged;

/// A label that is probably wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// The row.
    pub row: usize,
    /// The concept whose label is doubted.
    pub concept: usize,
    /// What the label says; a missing one says no, if it counts at all.
    pub is_there: bool,
    /// The concept that it probably is instead; of concepts that exclude each other only.
    pub instead: Option<usize>,
    /// The probability that the model gives to the label being right, 0..1; the lowest first.
    pub probability: f64,
}

/// The doubted labels, the most doubted first.
pub fn doubts(judged: &Judged<'_>) -> Vec<Doubt> {
    let mut all = match judged.exclusive {
        true => among_concepts(judged),
        false => (0..judged.n_concepts).flat_map(|concept| of_concept(judged, concept)).collect(),
    };
    all.sort_by(|a, b| {
        a.probability.total_cmp(&b.probability).then((a.row, a.concept).cmp(&(b.row, b.concept)))
    });
    all
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = numbers.fold((0.0, 0.0), |(sum, n), x| (sum + x, n + 1.0));
    (n > 0.0).then(|| sum / n)
}

fn among_concepts(judged: &Judged<'_>) -> Vec<Doubt> {
    let label = |row: usize| (0..judged.n_concepts).find(|k| judged.truth(row, *k) == Some(true));
    let labelled: Vec<(usize, usize)> =
        (0..judged.n_rows()).filter_map(|row| Some((row, label(row)?))).collect();
    let usual: Vec<Option<f64>> = (0..judged.n_concepts)
        .map(|k| {
            mean(labelled.iter().filter(|(_, own)| *own == k).map(|(row, _)| judged.probability(*row, k)))
        })
        .collect();
    let doubt = |(row, own): &(usize, usize)| {
        let of = |k: usize| judged.probability(*row, k);
        let sure = (0..judged.n_concepts).filter(|k| usual[*k].is_some_and(|usual| of(*k) >= usual));
        let instead = sure.max_by(|a, b| of(*a).total_cmp(&of(*b)).then(b.cmp(a)))?;
        let probability = of(*own);
        (of(instead) > probability).then_some(Doubt {
            row: *row,
            concept: *own,
            is_there: true,
            instead: Some(instead),
            probability,
        })
    };
    labelled.iter().filter_map(doubt).collect()
}

fn of_concept(judged: &Judged<'_>, concept: usize) -> Vec<Doubt> {
    let said: Vec<(usize, bool, f64)> = (0..judged.n_rows())
        .filter_map(|row| {
            let is_there = judged.truth(row, concept)?;
            Some((row, is_there, judged.probability(row, concept)))
        })
        .collect();
    let of = |wanted: bool| said.iter().filter(move |(_, is_there, _)| *is_there == wanted);
    let (yes, no) = (mean(of(true).map(|x| x.2)), mean(of(false).map(|x| 1.0 - x.2)));
    let (Some(yes), Some(no)) = (yes, no) else { return Vec::new() };
    let doubt = |(row, is_there, p): &(usize, bool, f64)| {
        let (own, other, usual) = match is_there {
            true => (*p, 1.0 - p, no),
            false => (1.0 - p, *p, yes),
        };
        let is_doubted = other >= usual && other > own;
        is_doubted.then_some(Doubt {
            row: *row,
            concept,
            is_there: *is_there,
            instead: None,
            probability: own,
        })
    };
    said.iter().filter_map(doubt).collect()
}
