//! Telling concepts by the nearest rows: for two or three examples of each, when nothing can be fitted yet.
//!
//! Score: mean cosine with the three nearest rows that have the concept, less that with the three nearest that have it
//! not (the hypothesis margin of Gilad-Bachrach, Navot and Tishby, "Margin based feature selection", ICML 2004). Linear
//! in the rows that are kept.

use super::bytes::{Reader, Writer, damaged};
use super::kernel;
use super::set::Set;
use super::{Label, Rows};
use crate::embed::l2_normalize;
use crate::error::Result;

/// How many of the nearest rows are averaged.
pub(super) const NEAREST: usize = 3;
/// From cosines to log-odds, before calibration.
const SLOPE: f32 = 20.0;
/// The cosine from which on a row has the only concept, if one example is all there is.
const ALIKE: f32 = 0.7;
/// More rows than this are not kept; the first of each kind are.
pub(super) const MOST_ROWS: usize = 4096;
/// Rows that are compared at a time, to bound memory.
const TILE: usize = 256;

/// The rows that others are compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Neighbours {
    pub n_scores: usize,
    pub exclusive: bool,
    /// Taken from every row before its length is made 1.
    pub center: Vec<f32>,
    /// Of length 1, or zero.
    pub rows: Vec<f32>,
    /// `n_scores` for each row.
    pub labels: Vec<Label>,
    /// By score: what stands for the negatives if there are none.
    pub thresholds: Vec<f32>,
}

impl Neighbours {
    /// Keeps the given rows of a set.
    pub fn of(set: &Set, of_rows: &[usize]) -> Neighbours {
        let kept = thinned(set, of_rows);
        let labels: Vec<Label> = kept.iter().flat_map(|row| set.labels_of(*row).iter().copied()).collect();
        // Rows of a set are centred. If there is one kind of row only, then what its rows share is all there is to know
        // of it, and is put back.
        let is_one_kind = !labels.contains(&Label::Negative);
        let center = if is_one_kind {
            set.center.iter().map(|x| -x * set.scale).collect()
        } else {
            vec![0.0; set.dim]
        };
        let mut rows: Vec<f32> = Vec::with_capacity(kept.len() * set.dim);
        for row in &kept {
            let mut unit: Vec<f32> = set.row(*row).iter().zip(&center).map(|(x, c)| x - c).collect();
            l2_normalize(&mut unit);
            rows.extend_from_slice(&unit);
        }
        let mut found = Neighbours {
            n_scores: set.n_scores,
            exclusive: set.exclusive,
            center,
            rows,
            labels,
            thresholds: Vec::new(),
        };
        found.thresholds = (0..set.n_scores).map(|score| found.threshold(score, set.dim)).collect();
        found
    }

    /// The cosine that 19 of 20 positives have with their own kind, each without itself.
    fn threshold(&self, score: usize, dim: usize) -> f32 {
        let has = |row: &usize| self.labels[row * self.n_scores + score] == Label::Positive;
        let rows: Vec<usize> = (0..self.rows.len() / dim).filter(has).collect();
        let unit = |row: usize| &self.rows[row * dim..(row + 1) * dim];
        let mut own: Vec<f32> = Vec::new();
        for row in rows.iter().take(TILE) {
            let others = rows.iter().filter(|other| *other != row);
            let cosine = |other: &usize| unit(*row).iter().zip(unit(*other)).map(|(x, y)| x * y).sum::<f32>();
            let mut cosines: Vec<f32> = others.map(cosine).collect();
            if let Some(mean) = nearest_mean(&mut cosines) {
                own.push(mean);
            }
        }
        own.sort_by(f32::total_cmp);
        own.get(own.len() / 20).map_or(ALIKE, |least| least.clamp(0.0, 0.95))
    }

    /// The same for rows as the caller gave them, neither centred nor scaled.
    pub fn unscaled(mut self, set: &Set) -> Neighbours {
        self.center.iter_mut().zip(&set.center).for_each(|(own, taken)| *own = *own / set.scale + taken);
        self
    }

    /// Row by row, the score of each concept.
    pub fn scores(&self, rows: Rows) -> Vec<f32> {
        let n_kept = self.rows.len() / rows.dim;
        let mut out = Vec::with_capacity(rows.n() * self.n_scores);
        for tile in rows.values.chunks(TILE * rows.dim) {
            let mut units = tile.to_vec();
            for unit in units.chunks_exact_mut(rows.dim) {
                unit.iter_mut().zip(&self.center).for_each(|(x, c)| *x -= c);
                l2_normalize(unit);
            }
            let mut cosines = vec![0.0; units.len() / rows.dim * n_kept];
            kernel::products(&units, &self.rows, rows.dim, &mut cosines);
            for idx in 0..units.len() / rows.dim {
                let cosines = &cosines[idx * n_kept..(idx + 1) * n_kept];
                out.extend((0..self.n_scores).map(|score| self.score(score, cosines)));
            }
        }
        out
    }

    fn score(&self, score: usize, cosines: &[f32]) -> f32 {
        let of = |label: Label| {
            let labels = self.labels.iter().skip(score).step_by(self.n_scores);
            let mut own: Vec<f32> = cosines
                .iter()
                .zip(labels)
                .filter(|(_, is)| **is == label)
                .map(|(cosine, _)| *cosine)
                .collect();
            nearest_mean(&mut own)
        };
        let near = of(Label::Positive).unwrap_or(-1.0);
        let far = if self.exclusive { 0.0 } else { of(Label::Negative).unwrap_or(self.thresholds[score]) };
        SLOPE * (near - far)
    }

    pub fn write(&self, writer: &mut Writer) {
        writer.count(self.n_scores);
        writer.byte(u8::from(self.exclusive));
        writer.numbers(&self.center);
        writer.numbers(&self.rows);
        writer.count(self.labels.len());
        self.labels.iter().for_each(|label| writer.byte(*label as u8));
        writer.numbers(&self.thresholds);
    }

    pub fn read(reader: &mut Reader, dim: usize) -> Result<Neighbours> {
        let n_scores = reader.count()?;
        let exclusive = reader.byte()? != 0;
        let (center, rows) = (reader.numbers()?, reader.numbers()?);
        let n_labels = reader.count()?;
        let is_whole = n_scores > 0
            && center.len() == dim
            && rows.len().is_multiple_of(dim)
            && Some(n_labels) == (rows.len() / dim).checked_mul(n_scores);
        if !is_whole {
            return Err(damaged());
        }
        let mut labels = Vec::with_capacity(n_labels);
        for _ in 0..n_labels {
            labels.push(match reader.byte()? {
                0 => Label::Unknown,
                1 => Label::Negative,
                2 => Label::Positive,
                _ => return Err(damaged()),
            });
        }
        let thresholds = reader.numbers()?;
        if thresholds.len() != n_scores {
            return Err(damaged());
        }
        Ok(Neighbours { n_scores, exclusive, center, rows, labels, thresholds })
    }
}

/// The mean of the greatest [`NEAREST`]; sorts nothing more than it must.
fn nearest_mean(cosines: &mut [f32]) -> Option<f32> {
    if cosines.is_empty() {
        return None;
    }
    let k = NEAREST.min(cosines.len());
    cosines.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    cosines[..k].sort_by(|a, b| b.total_cmp(a));
    Some(cosines[..k].iter().sum::<f32>() / k as f32)
}

/// At most [`MOST_ROWS`] of the rows, spread evenly.
fn thinned(set: &Set, rows: &[usize]) -> Vec<usize> {
    let known: Vec<usize> =
        rows.iter().copied().filter(|row| set.weights_of(*row).iter().any(|weight| *weight > 0.0)).collect();
    let step = known.len().div_ceil(MOST_ROWS).max(1);
    known.into_iter().step_by(step).collect()
}
