//! Learning from labelled vectors: classifiers with calibrated probabilities, projections and clusters.
//!
//! Nothing here looks at pixels: what is learned from is what another network says of an image. The same rows, labels and
//! seed give the same bytes on the same machine.

mod bytes;
mod calibrate;
mod clusters;
mod folds;
mod head;
mod kernel;
mod lbfgs;
mod linalg;
mod linear;
mod logistic;
mod means;
mod neighbours;
mod projection;
mod random;
mod set;
#[cfg(test)]
mod tests;
mod train;

pub use clusters::{ClusterSpec, Clusters, cluster};
pub use folds::fold_of_groups;
pub use head::Head;
pub use projection::{Projection, ProjectionSpec, train_projection};
pub use train::train_classifier;

use crate::error::{Error, Result};

/// Asked between steps with the progress, 0 to 1; `false` stops the work with [`Error::Cancelled`].
pub type Progress<'a> = &'a mut dyn FnMut(f32) -> bool;

/// Rows of `dim` numbers each, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// `n * dim` numbers.
    pub values: &'a [f32],
    /// How many numbers a row has.
    pub dim: usize,
}

impl<'a> Rows<'a> {
    /// No rows.
    pub fn none(dim: usize) -> Rows<'a> {
        Rows { values: &[], dim }
    }

    /// How many rows there are.
    pub fn n(&self) -> usize {
        self.values.len() / self.dim.max(1)
    }

    /// One row; panics beyond the last.
    pub fn row(&self, row_idx: usize) -> &'a [f32] {
        &self.values[row_idx * self.dim..(row_idx + 1) * self.dim]
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        self.values.chunks_exact(self.dim.max(1))
    }

    /// Fails unless the numbers are whole rows, finite, and small enough that their squares are.
    pub(crate) fn check(&self) -> Result<()> {
        if self.dim == 0 || !self.values.len().is_multiple_of(self.dim) {
            return Err(Error::BadInput(format!(
                "{} numbers are no rows of {} numbers",
                self.values.len(),
                self.dim
            )));
        }
        match self.values.iter().position(|x| x.is_nan() || x.abs() > LARGEST) {
            Some(at) => Err(Error::BadInput(format!(
                "row {} has a number that is not finite or too large",
                at / self.dim
            ))),
            None => Ok(()),
        }
    }
}

/// Larger numbers than this come from no network, and their products overflow.
const LARGEST: f32 = 1e12;

/// What is known of one row and one concept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Label {
    /// Nobody said.
    Unknown,
    /// It has it not.
    Negative,
    /// It has it.
    Positive,
}

/// Labels of rows, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// `n * n_concepts` labels.
    pub values: &'a [Label],
    /// How many labels a row has.
    pub n_concepts: usize,
}

impl<'a> Labels<'a> {
    /// The labels of one row; panics beyond the last.
    pub fn row(&self, row_idx: usize) -> &'a [Label] {
        &self.values[row_idx * self.n_concepts..(row_idx + 1) * self.n_concepts]
    }

    /// Fails unless there are labels of exactly `n_rows` rows.
    pub(crate) fn check(&self, n_rows: usize) -> Result<()> {
        if self.n_concepts == 0 || self.values.len() != n_rows * self.n_concepts {
            return Err(Error::BadInput(format!(
                "{} labels do not fit {n_rows} rows and {} concepts",
                self.values.len(),
                self.n_concepts
            )));
        }
        Ok(())
    }
}

/// How a concept is told from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Regularised logistic regression.
    Linear,
    /// By the nearest mean of a concept's rows.
    NearestMean,
    /// By the nearest rows themselves.
    NearestNeighbours,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 3] = [Method::Linear, Method::NearestMean, Method::NearestNeighbours];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Method::Linear => "linear",
            Method::NearestMean => "nearest-mean",
            Method::NearestNeighbours => "nearest-neighbours",
        }
    }

    /// The method of a name.
    pub fn from_name(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// How a classifier is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassifierSpec {
    /// `None`: chosen by how much there is to learn from.
    pub method: Option<Method>,
    /// Every row has exactly one concept, or none of them if not `closed`.
    pub exclusive: bool,
    /// There is nothing but these concepts: background rows are not looked at.
    pub closed: bool,
    /// A rare concept counts as much as a frequent one. Probabilities are then those of a world where they are equally
    /// frequent.
    pub balance_classes: bool,
    /// C of scikit-learn, on rows centred and scaled to a mean squared length of 1; `None`: by cross-validation.
    pub regularisation: Option<f64>,
    /// In how many parts the groups are divided for choosing and calibrating, at least 2.
    pub n_folds: usize,
    /// Of the optimiser, at least 1.
    pub max_iterations: usize,
    /// Decides how groups are divided.
    pub seed: u64,
}

impl Default for ClassifierSpec {
    fn default() -> Self {
        ClassifierSpec {
            method: None,
            exclusive: false,
            closed: false,
            balance_classes: false,
            regularisation: None,
            n_folds: 5,
            max_iterations: 200,
            seed: 0,
        }
    }
}

/// How often a concept was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Rows that have it.
    pub n_positive: usize,
    /// Rows that are said not to have it.
    pub n_negative: usize,
}

/// What was decided while training.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The method.
    pub method: Method,
    /// C; `None` for a method without.
    pub regularisation: Option<f64>,
    /// How many folds there were really.
    pub n_folds: usize,
    /// Why this method and this C, in a sentence for people.
    pub why: String,
    /// By concept.
    pub concepts: Vec<Seen>,
}

/// A classifier and what it said of rows that it had not seen.
#[derive(Clone, Debug)]
pub struct TrainedClassifier {
    /// The classifier.
    pub head: Head,
    /// What was decided.
    pub choice: Choice,
    /// Row by row, concept by concept: the calibrated probability by a model and a calibration that were fitted without
    /// the row's fold.
    pub held_out: Vec<f32>,
    /// The same before calibration.
    pub held_out_raw: Vec<f32>,
    /// The fold of each row.
    pub folds: Vec<u32>,
}
