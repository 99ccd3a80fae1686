//! A learned embedding: a linear projection in which rows of one concept lie close together.
//!
//! Regularised linear discriminant analysis: Fisher, "The use of multiple measurements in taxonomic problems", 1936, with
//! the covariance within concepts shrunken as by Ledoit and Wolf, "A well-conditioned estimator for large-dimensional
//! covariance matrices", JMVA 88(2), 2004. There are fewer discriminants than concepts; the rest of the asked for numbers
//! are the main directions of all rows, damped, so that concepts nobody named are still told apart. Time: rows x dim², and
//! dim³ / 6.

use super::bytes::{Reader, Writer, damaged};
use super::linalg::{Cholesky, eigen, orthonormal};
use super::random::SplitMix64;
use super::set::standard;
use super::{Label, Labels, Rows, kernel};
use crate::embed::l2_normalize;
use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"OCEPROJ1";
/// The most frequent concepts, of which the discriminants are made.
const MOST_CONCEPTS: usize = 256;
/// How much directions count that tell no concepts apart.
const DAMPED: f64 = 0.3;
/// The covariance is shrunken by this much at least.
const LEAST_SHRINKAGE: f64 = 0.02;
/// Rounds of subspace iteration; the main directions need not be exact.
const ROUNDS: usize = 4;
/// Larger matrices than of so many numbers a row are not inverted.
const MOST_DIM: usize = 4096;

/// How a projection is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectionSpec {
    /// How many numbers come out, at most as many as go in.
    pub dimensions: usize,
    /// Where the search for main directions begins.
    pub seed: u64,
}

impl Default for ProjectionSpec {
    fn default() -> Self {
        ProjectionSpec { dimensions: 128, seed: 0 }
    }
}

/// A learned linear projection.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    dim: usize,
    center: Vec<f32>,
    /// One row for each number that comes out.
    matrix: Vec<f32>,
}

impl Projection {
    /// How many numbers a row must have.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many numbers come out.
    pub fn dimensions(&self) -> usize {
        self.matrix.len() / self.dim
    }

    /// Row by row, vectors of length 1; zeros for a row in the middle of everything. Fails if the rows are of another
    /// length or not finite.
    pub fn apply(&self, rows: Rows) -> Result<Vec<f32>> {
        if rows.dim != self.dim {
            return Err(Error::BadInput(format!(
                "the embedder takes {} numbers, not {}",
                self.dim, rows.dim
            )));
        }
        rows.check()?;
        let mut centered = rows.values.to_vec();
        for row in centered.chunks_exact_mut(self.dim) {
            row.iter_mut().zip(&self.center).for_each(|(x, c)| *x -= c);
        }
        let mut out = vec![0.0; rows.n() * self.dimensions()];
        kernel::products(&centered, &self.matrix, self.dim, &mut out);
        out.chunks_exact_mut(self.dimensions()).for_each(l2_normalize);
        Ok(out)
    }

    /// Its bytes, which [`Projection::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAGIC);
        writer.numbers(&self.center);
        writer.numbers(&self.matrix);
        writer.finish()
    }

    /// Fails unless these are the whole and unaltered bytes of a projection.
    pub fn from_bytes(bytes: &[u8]) -> Result<Projection> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let (center, matrix) = (reader.numbers()?, reader.numbers()?);
        reader.finish()?;
        let dim = center.len();
        if dim == 0 || matrix.is_empty() || !matrix.len().is_multiple_of(dim) {
            return Err(damaged());
        }
        Ok(Projection { dim, center, matrix })
    }
}

/// Learns a projection from rows and the concepts that they have; `Negative` and `Unknown` say nothing here. Without any
/// positive label it is the main directions of the rows. Fails if numbers are not finite, or if there are no rows.
pub fn train_projection(rows: Rows, labels: Labels, spec: &ProjectionSpec) -> Result<Projection> {
    rows.check()?;
    labels.check(rows.n())?;
    if rows.n() == 0 || spec.dimensions == 0 {
        return Err(Error::BadInput("a projection needs rows and at least one dimension".to_owned()));
    }
    if rows.dim > MOST_DIM {
        return Err(Error::TooLarge(format!("rows of more than {MOST_DIM} numbers cannot be projected")));
    }
    let dim = rows.dim;
    let (center, scale) = standard(rows, Rows::none(dim));
    let mut values = Vec::with_capacity(rows.values.len());
    rows.iter().for_each(|row| values.extend(row.iter().zip(&center).map(|(x, c)| (x - c) * scale)));
    let within = Within::of(Rows { values: &values, dim }, labels);
    let cholesky = Cholesky::of(&within.covariance, dim)?;
    let mut found = discriminants(&within, &cholesky, spec.dimensions.min(dim));
    let n_discriminants = found.len();
    let wanted = spec.dimensions.min(dim) - n_discriminants;
    for direction in main_directions(Rows { values: &values, dim }, wanted, spec.seed) {
        found.extend(orthonormal(cholesky.times_upper(&direction), &found));
    }
    if found.is_empty() {
        // Rows that are all the same tell nothing: the first numbers are kept.
        found =
            (0..wanted).map(|axis| (0..dim).map(|at| f64::from(u8::from(at == axis))).collect()).collect();
    }
    let mut matrix = Vec::with_capacity(found.len() * dim);
    for (idx, mut row) in found.into_iter().enumerate() {
        cholesky.solve_upper(&mut row);
        let weight = if idx < n_discriminants { 1.0 } else { DAMPED };
        matrix.extend(row.iter().map(|x| (x * weight * f64::from(scale)) as f32));
    }
    Ok(Projection { dim, center, matrix })
}

/// How rows spread around the means of their concepts.
struct Within {
    dim: usize,
    covariance: Vec<f64>,
    /// Of each concept that any row has, the mean times the root of its share of the rows.
    means: Vec<Vec<f64>>,
}

impl Within {
    fn of(rows: Rows, labels: Labels) -> Within {
        let dim = rows.dim;
        let mut counts = vec![0.0f64; labels.n_concepts];
        for row in labels.values.chunks_exact(labels.n_concepts) {
            counts
                .iter_mut()
                .zip(row)
                .for_each(|(n, label)| *n += f64::from(u8::from(*label == Label::Positive)));
        }
        let mut frequent: Vec<usize> =
            (0..labels.n_concepts).filter(|concept| counts[*concept] > 0.0).collect();
        frequent.sort_by(|a, b| counts[*b].total_cmp(&counts[*a]));
        frequent.truncate(MOST_CONCEPTS);
        let has = |row: usize, concept: usize| labels.row(row)[concept] == Label::Positive;
        let is: Vec<f32> = (0..rows.n())
            .flat_map(|row| frequent.iter().map(move |concept| f32::from(u8::from(has(row, *concept)))))
            .collect();
        let mut sums = vec![0.0; frequent.len() * dim];
        kernel::add_multiples(rows.values, &is, dim, &mut sums);
        let mean =
            |(idx, sum): (usize, &[f64])| sum.iter().map(|x| x / counts[frequent[idx]]).collect::<Vec<f64>>();
        let means: Vec<Vec<f64>> = sums.chunks_exact(dim).enumerate().map(mean).collect();
        // What is left of each row without the mean of its concepts, number by number.
        let n = rows.n();
        let mut apart = vec![0.0f32; dim * n];
        for (row_idx, row) in rows.iter().enumerate() {
            let own: Vec<&Vec<f64>> = means
                .iter()
                .zip(&frequent)
                .filter(|(_, c)| has(row_idx, **c))
                .map(|(mean, _)| mean)
                .collect();
            for (at, x) in row.iter().enumerate() {
                let middle = own.iter().map(|mean| mean[at]).sum::<f64>() / own.len().max(1) as f64;
                apart[at * n + row_idx] = x - middle as f32;
            }
        }
        let share = |idx: usize| (counts[frequent[idx]] / n as f64).sqrt();
        let weighed = |(idx, mean): (usize, Vec<f64>)| mean.iter().map(|x| x * share(idx)).collect();
        Within {
            dim,
            covariance: shrunken(&apart, dim, n),
            means: means.into_iter().enumerate().map(weighed).collect(),
        }
    }
}

/// The covariance of `n` columns, drawn towards the same variance everywhere by as much as it is uncertain.
fn shrunken(columns: &[f32], dim: usize, n: usize) -> Vec<f64> {
    let mut products = vec![0.0f32; dim * dim];
    kernel::products(columns, columns, n, &mut products);
    let mut covariance: Vec<f64> = products.iter().map(|x| f64::from(*x) / n as f64).collect();
    let variance = (0..dim).map(|i| covariance[i * dim + i]).sum::<f64>() / dim as f64;
    let squared: f64 = covariance.iter().map(|x| x * x).sum();
    let mut lengths = vec![0.0f64; n];
    for column in columns.chunks_exact(n) {
        lengths.iter_mut().zip(column).for_each(|(length, x)| *length += f64::from(x * x));
    }
    let fourth: f64 = lengths.iter().map(|length| length * length).sum();
    let uncertain = (fourth - n as f64 * squared).max(0.0) / (n as f64).powi(2);
    let off = (squared - dim as f64 * variance * variance).max(1e-30);
    let shrinkage = (uncertain / off).clamp(LEAST_SHRINKAGE, 1.0);
    covariance.iter_mut().for_each(|x| *x *= 1.0 - shrinkage);
    // A floor where nothing varies at all.
    (0..dim).for_each(|i| covariance[i * dim + i] += shrinkage * variance + 1e-9);
    covariance
}

/// Orthonormal directions, in the space where rows of one concept spread evenly, that tell concepts apart; best first.
fn discriminants(within: &Within, cholesky: &Cholesky, most: usize) -> Vec<Vec<f64>> {
    let mut means = within.means.clone();
    means.iter_mut().for_each(|mean| cholesky.solve_lower(mean));
    let k = means.len();
    let product = |i: usize, j: usize| means[i].iter().zip(&means[j]).map(|(a, b)| a * b).sum::<f64>();
    let gram: Vec<f64> = (0..k * k).map(|at| product(at / k, at % k)).collect();
    let pairs = eigen(gram, k);
    let largest = pairs.first().map_or(0.0, |(value, _)| *value);
    let mut found: Vec<Vec<f64>> = Vec::new();
    for (value, vector) in pairs {
        if found.len() == most || value <= 1e-6 * largest || value <= 1e-12 {
            break;
        }
        let mut direction = vec![0.0; within.dim];
        for (share, mean) in vector.iter().zip(&means) {
            direction.iter_mut().zip(mean).for_each(|(x, m)| *x += share * m);
        }
        found.extend(orthonormal(direction, &found));
    }
    found
}

/// About the directions in which centred rows vary most: subspace iteration from random vectors.
fn main_directions(rows: Rows, wanted: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = SplitMix64(seed);
    let mut start = || (0..rows.dim).map(|_| random.next_unit() - 0.5).collect::<Vec<f64>>();
    let mut directions: Vec<Vec<f64>> = (0..wanted).map(|_| start()).collect();
    for _ in 0..ROUNDS {
        directions = orthonormalised(directions);
        let single: Vec<f32> = directions.iter().flatten().map(|x| *x as f32).collect();
        let mut places = vec![0.0; rows.n() * directions.len()];
        kernel::products(rows.values, &single, rows.dim, &mut places);
        let mut sums = vec![0.0; single.len()];
        kernel::add_multiples(rows.values, &places, rows.dim, &mut sums);
        directions = sums.chunks_exact(rows.dim).map(<[f64]>::to_vec).collect();
    }
    orthonormalised(directions)
}

fn orthonormalised(vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut found: Vec<Vec<f64>> = Vec::with_capacity(vectors.len());
    for vector in vectors {
        found.extend(orthonormal(vector, &found));
    }
    found
}
