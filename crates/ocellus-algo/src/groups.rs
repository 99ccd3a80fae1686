//! Groups of items that learning must not tell apart when it is judged: versions of one picture, and parts of one source.
//! All of a group are trained on, or all are held out; else a model is praised for what it has learned by heart.
//!
//! Two pictures are versions of one by [`fingerprint`]'s judgement of hash and cosine, with one precaution: the judgement
//! was fitted on photographs of all kinds, and in a set whose pictures all look alike (digits, parts on a belt) it would
//! join whole classes. So a pair must also stand out from the set: its logit must exceed the median of the set's pairs by
//! five deviations, which are estimated from the median of the absolute differences (Rousseeuw and Croux, "Alternatives to
//! the median absolute deviation", JASA 88, 1993). Membership is transitive. Quadratic in the items up to
//! [`EXACT_UP_TO`], where only pairs of near hashes have their vectors compared; above, each item is compared with its
//! nearest by an approximate index.

#[cfg(test)]
mod tests;

use crate::index::{Ann, Kernel, LANES};
use crate::{Result, fingerprint};

/// Up to so many items every pair is looked at.
pub const EXACT_UP_TO: usize = 20_000;
/// The least probability of being versions of one picture.
pub const LEAST_PROBABILITY: f32 = 0.9;
/// How many deviations a pair must stand out from the set.
pub const DEVIATIONS: f32 = 5.0;
/// What always suffices, however alike the set is: the logit of an equal hash and a cosine of 0.85.
const ENOUGH_LOGIT: f32 = 8.0;
/// The least cosine where there are no hashes to compare.
const LEAST_COSINE: f32 = 0.99;
/// A hash with fewer bits set is of a picture without detail and says nothing.
const LEAST_BITS: u32 = 24;
/// Pairs from which the usual similarity in the set is estimated.
const SAMPLED_PAIRS: usize = 20_000;
/// Neighbours of each item that are looked at in large sets.
const NEIGHBOURS: usize = 16;

/// What is known of one item.
#[derive(Clone, Copy, Debug, Default)]
pub struct Item<'a> {
    /// The perceptual hash, of pictures.
    pub hash: Option<u64>,
    /// The embedding, of any length; empty if there is none.
    pub vector: &'a [f32],
    /// What it is a part of, such as a video; items with the same source belong together.
    pub source: Option<u64>,
}

/// Two items that are versions of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The earlier one's place.
    pub a: u32,
    /// The later one's place.
    pub b: u32,
    /// How probable it is, 0..1.
    pub probability: f32,
}

/// The group of each item, numbered from 0 in the order of their first items.
///
/// # Errors
/// `Backend` if there is no memory for the index of a large set.
pub fn of(items: &[Item<'_>]) -> Result<Vec<u32>> {
    Ok(joined(items, &near_duplicates(items)?))
}

/// The groups that follow from sources and pairs.
pub fn joined(items: &[Item<'_>], pairs: &[Pair]) -> Vec<u32> {
    let mut forest = Forest((0..items.len()).collect());
    let mut first_of = std::collections::HashMap::new();
    for (idx, item) in items.iter().enumerate() {
        if let Some(source) = item.source {
            forest.join(*first_of.entry(source).or_insert(idx), idx);
        }
    }
    pairs.iter().for_each(|pair| forest.join(pair.a as usize, pair.b as usize));
    let mut numbers = std::collections::HashMap::new();
    let number = |idx| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(forest.root(idx)).or_insert(next)
    };
    (0..items.len()).map(number).collect()
}

/// The pairs that are versions of one picture (or, without hashes, nearly the same vector), by their places.
///
/// # Errors
/// As [`of`].
pub fn near_duplicates(items: &[Item<'_>]) -> Result<Vec<Pair>> {
    let set = Set::new(items);
    let limits = set.limits();
    match items.len() <= EXACT_UP_TO {
        true => Ok(set.exact(limits)),
        false => set.by_neighbours(limits),
    }
}

/// What a pair must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limits {
    logit: f32,
    cosine: f32,
}

/// The items with vectors of length 1, padded for the dot product.
struct Set {
    hashes: Vec<Option<u64>>,
    /// Whether there is a vector.
    is_placed: Vec<bool>,
    rows: Vec<f32>,
    width: usize,
    dim: usize,
    kernel: Kernel,
}

impl Set {
    fn new(items: &[Item<'_>]) -> Self {
        let dim = items.iter().map(|item| item.vector.len()).max().unwrap_or(0);
        let width = dim.next_multiple_of(LANES).max(LANES);
        let mut rows = vec![0.0_f32; width * items.len()];
        let mut is_placed = vec![false; items.len()];
        for ((row, placed), item) in rows.chunks_exact_mut(width).zip(&mut is_placed).zip(items) {
            let norm = item.vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            if item.vector.len() == dim && norm.is_finite() && norm > 0.0 {
                row.iter_mut().zip(item.vector).for_each(|(to, x)| *to = (f64::from(*x) / norm) as f32);
                *placed = true;
            }
        }
        let telling = |hash: &u64| hash.count_ones() >= LEAST_BITS;
        let hashes = items.iter().map(|item| item.hash.filter(telling)).collect();
        Self { hashes, is_placed, rows, width, dim, kernel: Kernel::detect() }
    }

    fn row(&self, idx: usize) -> &[f32] {
        &self.rows[idx * self.width..][..self.width]
    }

    fn cosine(&self, a: usize, b: usize) -> f32 {
        let mut out = [0.0];
        self.kernel.dot_rows(self.row(a), self.row(b), &mut out);
        out[0].clamp(-1.0, 1.0)
    }

    /// The number of bits in which the hashes of two items differ, if both have one.
    fn bits(&self, a: usize, b: usize) -> Option<u32> {
        Some(fingerprint::hamming(self.hashes[a]?, self.hashes[b]?))
    }

    /// What a pair must reach to stand out from the set.
    fn limits(&self) -> Limits {
        let (mut logits, mut cosines) = (Vec::new(), Vec::new());
        for (a, b) in sampled_pairs(self.hashes.len()) {
            if self.is_placed[a] && self.is_placed[b] {
                let cosine = self.cosine(a, b);
                match self.bits(a, b) {
                    Some(bits) => logits.push(fingerprint::logit(bits, cosine)),
                    None => cosines.push(cosine),
                }
            }
        }
        let least = (LEAST_PROBABILITY / (1.0 - LEAST_PROBABILITY)).ln();
        let logit = median(&mut logits).map_or(least, |middle| {
            let mut apart: Vec<f32> = logits.iter().map(|x| (x - middle).abs()).collect();
            let deviation = 1.4826 * median(&mut apart).unwrap_or(0.0);
            (middle + DEVIATIONS * deviation).clamp(least, ENOUGH_LOGIT)
        });
        // A hundredth of the usual distance, where items are alike.
        let usual = median(&mut cosines).unwrap_or(0.0).max(0.0);
        Limits { logit, cosine: (1.0 - (1.0 - usual) / 100.0).clamp(LEAST_COSINE, 0.999_99) }
    }

    fn judge(&self, a: usize, b: usize, limits: Limits) -> Option<Pair> {
        if !(self.is_placed[a] && self.is_placed[b]) {
            return None;
        }
        let probability = match self.bits(a, b) {
            // Spares most pairs the product of their vectors.
            Some(bits) if fingerprint::logit(bits, 1.0) < limits.logit => return None,
            Some(bits) => {
                let logit = fingerprint::logit(bits, self.cosine(a, b));
                (logit >= limits.logit).then(|| 1.0 / (1.0 + (-logit).exp()))?
            }
            None => Some(self.cosine(a, b)).filter(|cosine| *cosine >= limits.cosine)?,
        };
        let place = |idx| u32::try_from(idx).unwrap_or(u32::MAX);
        Some(Pair { a: place(a.min(b)), b: place(a.max(b)), probability })
    }

    fn exact(&self, limits: Limits) -> Vec<Pair> {
        let n = self.hashes.len();
        let of = |a: usize| (a + 1..n).filter_map(move |b| self.judge(a, b, limits));
        (0..n).flat_map(of).collect()
    }

    fn by_neighbours(&self, limits: Limits) -> Result<Vec<Pair>> {
        let ann = Ann::new(self.dim, 1)?;
        let placed = || (0..self.hashes.len()).filter(|idx| self.is_placed[*idx]);
        for idx in placed() {
            ann.add(u32::try_from(idx).unwrap_or(u32::MAX), &self.row(idx)[..self.dim])?;
        }
        let mut pairs = Vec::new();
        for a in placed() {
            let near = ann.search(&self.row(a)[..self.dim], NEIGHBOURS + 1)?;
            let others = near.iter().map(|found| found.slot as usize).filter(|b| *b != a);
            pairs.extend(others.filter_map(|b| self.judge(a, b, limits)));
        }
        // A pair is found from both ends.
        pairs.sort_by_key(|pair| (pair.a, pair.b));
        pairs.dedup_by_key(|pair| (pair.a, pair.b));
        Ok(pairs)
    }
}

/// Some pairs of different items: all if there are few, else always the same ones.
fn sampled_pairs(n: usize) -> Vec<(usize, usize)> {
    if n * n.saturating_sub(1) / 2 <= SAMPLED_PAIRS {
        return (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect();
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        // Knuth's multiplier; the high bits are good enough for sampling.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let pairs = (0..SAMPLED_PAIRS).map(|_| (next(), next()));
    pairs.filter(|(a, b)| a != b).collect()
}

/// The middle number; the numbers are left in disorder.
fn median(numbers: &mut [f32]) -> Option<f32> {
    let middle = numbers.len() / 2;
    match numbers.is_empty() {
        true => None,
        false => Some(*numbers.select_nth_unstable_by(middle, f32::total_cmp).1),
    }
}

/// Sets that are joined by giving their roots one root.
struct Forest(Vec<usize>);

impl Forest {
    fn root(&mut self, mut idx: usize) -> usize {
        while self.0[idx] != idx {
            self.0[idx] = self.0[self.0[idx]];
            idx = self.0[idx];
        }
        idx
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The smaller becomes the root, so that the order of joining does not matter.
        self.0[a.max(b)] = a.min(b);
    }
}
