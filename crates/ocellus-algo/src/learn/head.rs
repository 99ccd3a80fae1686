//! A trained classifier: numbers in, one probability for each concept out.

use super::bytes::{Reader, Writer, damaged};
use super::calibrate::Curve;
use super::neighbours::Neighbours;
use super::set::Set;
use super::{Method, Rows, kernel};
use crate::embed::softmax;
use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"OCEHEAD1";
/// A head with more numbers than this is no head of ours.
const MOST_NUMBERS: usize = 1 << 28;

/// A trained classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub(super) dim: usize,
    pub(super) n_concepts: usize,
    /// The scores are log-odds of concepts that exclude each other; the last one may be that of none of them.
    pub(super) exclusive: bool,
    pub(super) scorer: Scorer,
    /// One for each concept; of exclusive ones only the first counts, as their temperature.
    pub(super) curves: Vec<Curve>,
}

/// Where scores come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scorer {
    Linear(Linear),
    Neighbours(Neighbours),
}

/// Scores that are sums of weighted numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Linear {
    /// How they were found.
    pub method: Method,
    /// One row for each score.
    pub weights: Vec<f32>,
    /// One for each score.
    pub biases: Vec<f32>,
}

impl Scorer {
    /// How many scores a row gets.
    pub fn n_scores(&self) -> usize {
        match self {
            Scorer::Linear(linear) => linear.biases.len(),
            Scorer::Neighbours(neighbours) => neighbours.n_scores,
        }
    }

    /// Row by row, log-odds before calibration.
    pub fn scores(&self, rows: Rows) -> Vec<f32> {
        let mut scores = match self {
            Scorer::Linear(linear) => linear.scores(rows),
            Scorer::Neighbours(neighbours) => neighbours.scores(rows),
        };
        // Rows far beyond all that was learned from overflow.
        scores
            .iter_mut()
            .for_each(|score| *score = if score.is_nan() { 0.0 } else { score.clamp(-1e6, 1e6) });
        scores
    }

    /// The same for rows as the caller gave them, neither centred nor scaled.
    pub fn unscaled(self, set: &Set) -> Scorer {
        match self {
            Scorer::Linear(linear) => Scorer::Linear(linear.unscaled(set)),
            Scorer::Neighbours(neighbours) => Scorer::Neighbours(neighbours.unscaled(set)),
        }
    }
}

impl Linear {
    /// Row by row, weighted sums.
    pub fn scores(&self, rows: Rows) -> Vec<f32> {
        let mut scores = vec![0.0; rows.n() * self.biases.len()];
        kernel::products(rows.values, &self.weights, rows.dim, &mut scores);
        for row in scores.chunks_exact_mut(self.biases.len()) {
            row.iter_mut().zip(&self.biases).for_each(|(score, bias)| *score += bias);
        }
        scores
    }

    fn unscaled(mut self, set: &Set) -> Linear {
        for (weights, bias) in self.weights.chunks_exact_mut(set.dim).zip(&mut self.biases) {
            let mut at_center = 0.0;
            for (weight, center) in weights.iter_mut().zip(&set.center) {
                *weight *= set.scale;
                at_center += f64::from(*weight) * f64::from(*center);
            }
            *bias = (f64::from(*bias) - at_center) as f32;
        }
        self
    }
}

impl Head {
    /// How many numbers a row must have.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many probabilities a row gets.
    pub fn n_concepts(&self) -> usize {
        self.n_concepts
    }

    /// Whether the probabilities of a row sum to 1, or to less if it may have none of the concepts.
    pub fn exclusive(&self) -> bool {
        self.exclusive
    }

    /// How concepts are told apart.
    pub fn method(&self) -> Method {
        match &self.scorer {
            Scorer::Linear(linear) => linear.method,
            Scorer::Neighbours(_) => Method::NearestNeighbours,
        }
    }

    /// Row by row, the probability of each concept, 0 to 1. Fails if the rows are of another length or not finite.
    pub fn probabilities(&self, rows: Rows) -> Result<Vec<f32>> {
        if rows.dim != self.dim {
            return Err(Error::BadInput(format!(
                "the classifier takes {} numbers, not {}",
                self.dim, rows.dim
            )));
        }
        rows.check()?;
        Ok(self.calibrated(&self.scorer.scores(rows), &self.curves))
    }

    /// From scores to probabilities; drops that of none of the concepts.
    pub(super) fn calibrated(&self, scores: &[f32], curves: &[Curve]) -> Vec<f32> {
        let n_scores = self.scorer.n_scores();
        let mut out = Vec::with_capacity(scores.len() / n_scores * self.n_concepts);
        for row in scores.chunks_exact(n_scores) {
            if self.exclusive {
                let scaled: Vec<f32> = row.iter().map(|score| score * curves[0].up).collect();
                out.extend_from_slice(&softmax(&scaled)[..self.n_concepts]);
            } else {
                out.extend(row.iter().zip(curves).map(|(score, curve)| curve.probability(*score)));
            }
        }
        out
    }

    /// Its bytes, which [`Head::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAGIC);
        writer.count(self.dim);
        writer.count(self.n_concepts);
        writer.byte(u8::from(self.exclusive));
        let curves: Vec<f32> = self.curves.iter().flat_map(|c| [c.up, c.down, c.offset]).collect();
        writer.numbers(&curves);
        match &self.scorer {
            Scorer::Linear(linear) => {
                writer.byte(if linear.method == Method::NearestMean { 1 } else { 0 });
                writer.numbers(&linear.weights);
                writer.numbers(&linear.biases);
            }
            Scorer::Neighbours(neighbours) => {
                writer.byte(2);
                neighbours.write(&mut writer);
            }
        }
        writer.finish()
    }

    /// Fails unless these are the whole and unaltered bytes of a classifier.
    pub fn from_bytes(bytes: &[u8]) -> Result<Head> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let (dim, n_concepts) = (reader.count()?, reader.count()?);
        if dim == 0 || n_concepts == 0 || dim.saturating_mul(n_concepts) > MOST_NUMBERS {
            return Err(damaged());
        }
        let exclusive = reader.byte()? != 0;
        let numbers = reader.numbers()?;
        let curves = numbers.as_chunks::<3>().0.iter();
        let curves =
            curves.map(|[up, down, offset]| Curve { up: *up, down: *down, offset: *offset }).collect();
        let scorer = match reader.byte()? {
            2 => Scorer::Neighbours(Neighbours::read(&mut reader, dim)?),
            kind @ (0 | 1) => {
                let method = if kind == 1 { Method::NearestMean } else { Method::Linear };
                Scorer::Linear(Linear { method, weights: reader.numbers()?, biases: reader.numbers()? })
            }
            _ => return Err(damaged()),
        };
        reader.finish()?;
        let head = Head { dim, n_concepts, exclusive, scorer, curves };
        if head.fits() { Ok(head) } else { Err(damaged()) }
    }

    /// Whether the parts are of the lengths that they must have.
    fn fits(&self) -> bool {
        let n_scores = self.scorer.n_scores();
        let is_enough = n_scores == self.n_concepts || (self.exclusive && n_scores == self.n_concepts + 1);
        let is_whole = match &self.scorer {
            Scorer::Linear(linear) => linear.weights.len() == n_scores * self.dim,
            Scorer::Neighbours(_) => true,
        };
        is_enough && is_whole && self.curves.len() == self.n_concepts
    }
}
