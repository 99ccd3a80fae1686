//! What is taken for what, and what comes together with what.

use serde::{Deserialize, Serialize};

use super::Judged;

/// How often what is true was taken for what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The concepts, the best recognised first; equal ones in their order.
    pub order: Vec<usize>,
    /// Row: the concept that is true, column: the one that was said; both in the concepts' own order.
    pub counts: Vec<Vec<u32>>,
    /// How often each concept is true.
    pub n_true: Vec<u32>,
}

impl Confusion {
    /// The share of the items with one concept that were taken for another, or rightly for itself.
    pub fn share(&self, is: usize, said: usize) -> f64 {
        match self.n_true[is] {
            0 => 0.0,
            n => f64::from(self.counts[is][said]) / f64::from(n),
        }
    }
}

/// Counts what was taken for what. Of concepts that exclude each other the likeliest is what was said. Otherwise a
/// concept that is true and said stands for itself; one that is true and not said was taken for the likeliest of those
/// that were said wrongly, if any were; else it was missed, and no column counts it.
pub fn confusion(judged: &Judged<'_>) -> Confusion {
    let n = judged.n_concepts;
    let (mut counts, mut n_true) = (vec![vec![0_u32; n]; n], vec![0_u32; n]);
    for row in 0..judged.n_rows() {
        let taken_for = match judged.exclusive {
            true => judged.likeliest(row, |_| true),
            false => judged.likeliest(row, |k| judged.is_said(row, k) && judged.truth(row, k) == Some(false)),
        };
        for is in (0..n).filter(|k| judged.truth(row, *k) == Some(true)) {
            n_true[is] += 1;
            let itself = (!judged.exclusive && judged.is_said(row, is)).then_some(is);
            if let Some(said) = itself.or(taken_for) {
                counts[is][said] += 1;
            }
        }
    }
    let mut found = Confusion { order: (0..n).collect(), counts, n_true };
    let diagonal: Vec<f64> = (0..n).map(|k| found.share(k, k)).collect();
    found.order.sort_by(|a, b| diagonal[*b].total_cmp(&diagonal[*a]));
    found
}

/// How many items have both concepts of a pair; on the diagonal, how many have the one.
pub fn cooccurrence(judged: &Judged<'_>) -> Vec<Vec<u32>> {
    let mut counts = vec![vec![0_u32; judged.n_concepts]; judged.n_concepts];
    for row in 0..judged.n_rows() {
        let there: Vec<usize> =
            (0..judged.n_concepts).filter(|k| judged.truth(row, *k) == Some(true)).collect();
        there.iter().for_each(|a| there.iter().for_each(|b| counts[*a][*b] += 1));
    }
    counts
}
