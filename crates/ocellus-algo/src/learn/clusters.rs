//! Groups of rows that point in the same direction.
//!
//! Spherical k-means: Dhillon and Modha, "Concept decompositions for large sparse text data using clustering", Machine
//! Learning 42, 2001, from seeds of Arthur and Vassilvitskii, "k-means++", SODA 2007. The number of groups, if none is
//! given, is that of the best simplified silhouette (Hruschka, de Castro and Campello, ICDM 2004) on a sample. Time: rows x
//! dim x clusters a round; memory: one copy of the rows.

use super::bytes::{Reader, Writer, damaged};
use super::random::SplitMix64;
use super::set::standard;
use super::{Progress, Rows, kernel};
use crate::embed::l2_normalize;
use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"OCECLUS1";
/// Rows by which the number of clusters is chosen.
const SAMPLE: usize = 3000;
/// Clusters that are tried at most, if no number is given; of fewer rows, one and a half times their root, because copies
/// of one picture would make clusters of their own.
const MOST_CHOSEN: usize = 64;
/// More clusters must be better by this much.
const WORTH: f64 = 0.01;
/// Rounds after which k-means has settled or never will.
const MAX_ROUNDS: usize = 30;
/// It is settled when the mean cosine rises by less.
const SETTLED: f64 = 1e-5;
/// Starts of which the best counts.
const STARTS: u64 = 3;
/// Rows that are compared at a time.
const TILE: usize = 256;

/// How rows are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterSpec {
    /// How many clusters, at least 1; `None`: chosen.
    pub n_clusters: Option<usize>,
    /// Where the search begins.
    pub seed: u64,
}

/// Groups of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    dim: usize,
    /// Taken from every row before its direction is looked at.
    center: Vec<f32>,
    /// Of length 1, the largest cluster first.
    centroids: Vec<f32>,
    /// The cluster of each row that was grouped, in order.
    pub assignments: Vec<u32>,
    /// How well the clusters are apart, -1 to 1: the mean simplified silhouette; 0 for a single cluster.
    pub silhouette: f32,
}

impl Clusters {
    /// How many numbers a row must have.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many clusters there are.
    pub fn n_clusters(&self) -> usize {
        self.centroids.len() / self.dim
    }

    /// The direction of each cluster, from the middle of all rows.
    pub fn centroids(&self) -> Rows<'_> {
        Rows { values: &self.centroids, dim: self.dim }
    }

    /// The nearest cluster of each row and the cosine with its centroid. Fails if the rows are of another length or not
    /// finite.
    pub fn assign(&self, rows: Rows) -> Result<Vec<(u32, f32)>> {
        if rows.dim != self.dim {
            return Err(Error::BadInput(format!(
                "the clusterer takes {} numbers, not {}",
                self.dim, rows.dim
            )));
        }
        rows.check()?;
        let near = nearest(&directions(rows, &self.center), &self.centroids, self.dim);
        Ok(near.into_iter().map(|near| (near.cluster as u32, near.own.clamp(-1.0, 1.0))).collect())
    }

    /// Its bytes, which [`Clusters::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAGIC);
        writer.numbers(&self.center);
        writer.numbers(&self.centroids);
        writer.numbers(&[self.silhouette]);
        writer.count(self.assignments.len());
        self.assignments.iter().for_each(|cluster| writer.count(*cluster as usize));
        writer.finish()
    }

    /// Fails unless these are the whole and unaltered bytes of clusters.
    pub fn from_bytes(bytes: &[u8]) -> Result<Clusters> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let (center, centroids, silhouette) = (reader.numbers()?, reader.numbers()?, reader.numbers()?);
        let dim = center.len();
        if dim == 0 || centroids.is_empty() || !centroids.len().is_multiple_of(dim) || silhouette.len() != 1 {
            return Err(damaged());
        }
        let n_clusters = centroids.len() / dim;
        let mut assignments = Vec::new();
        for _ in 0..reader.count()? {
            let cluster = reader.count()?;
            assignments
                .push(u32::try_from(cluster).ok().filter(|_| cluster < n_clusters).ok_or_else(damaged)?);
        }
        reader.finish()?;
        Ok(Clusters { dim, center, centroids, assignments, silhouette: silhouette[0] })
    }
}

/// Groups rows by direction, from the middle of all of them. Fails if numbers are not finite, if there are no rows, or if
/// `progress` says so.
pub fn cluster(rows: Rows, spec: &ClusterSpec, progress: Progress) -> Result<Clusters> {
    rows.check()?;
    if rows.n() == 0 || spec.n_clusters == Some(0) {
        return Err(Error::BadInput("clusters need rows, and there must be at least one cluster".to_owned()));
    }
    let (mean, _) = standard(rows, Rows::none(rows.dim));
    // The middle of one or two rows tells nothing of them.
    let center = if rows.n() < 3 { vec![0.0; rows.dim] } else { mean };
    let units = directions(rows, &center);
    let wanted = match spec.n_clusters {
        Some(wanted) => wanted.min(rows.n()),
        None => chosen(&units, rows.dim, spec.seed, progress)?,
    };
    let starts = if rows.n() <= SAMPLE { STARTS } else { 1 };
    let mut best: Option<Grouping> = None;
    for start in 0..starts {
        let share = (start as f32 + 0.5) / starts as f32;
        let grouping = k_means(&units, rows.dim, wanted, spec.seed.wrapping_add(start), &mut |part| {
            progress(0.5 + 0.5 * (share + (part - 0.5) / starts as f32))
        })?;
        if best.as_ref().is_none_or(|best| grouping.cohesion > best.cohesion) {
            best = Some(grouping);
        }
    }
    let Some(best) = best else { return Err(Error::Cancelled) };
    Ok(by_size(best, rows.dim, center))
}

/// Rows from the middle, of length 1.
fn directions(rows: Rows, center: &[f32]) -> Vec<f32> {
    let mut units = rows.values.to_vec();
    for unit in units.chunks_exact_mut(rows.dim) {
        unit.iter_mut().zip(center).for_each(|(x, c)| *x -= c);
        l2_normalize(unit);
    }
    units
}

/// The number of clusters whose simplified silhouette is best on a sample.
fn chosen(units: &[f32], dim: usize, seed: u64, progress: Progress) -> Result<usize> {
    let n = units.len() / dim;
    let mut order: Vec<usize> = (0..n).collect();
    SplitMix64(seed).shuffle(&mut order);
    order.truncate(SAMPLE);
    let sample: Vec<f32> = order.iter().flat_map(|row| &units[row * dim..(row + 1) * dim]).copied().collect();
    let most = MOST_CHOSEN.min((1.5 * (order.len() as f64).sqrt()) as usize);
    // Every small number, then ever greater steps.
    let tried: Vec<usize> =
        std::iter::successors(Some(2), |k| Some(k + (k / 6).max(1))).take_while(|k| *k <= most).collect();
    let (mut best, mut best_silhouette) = (1, 0.0);
    for (idx, k) in tried.iter().enumerate() {
        let mut told = |_| progress(0.5 * idx as f32 / tried.len() as f32);
        let grouping = k_means(&sample, dim, *k, seed, &mut told)?;
        let silhouette = grouping.silhouette();
        if silhouette > best_silhouette + if best > 1 { WORTH } else { 0.0 } {
            (best, best_silhouette) = (grouping.n_clusters(dim), silhouette);
        }
    }
    Ok(best)
}

/// Where one row belongs.
#[derive(Clone, Copy)]
struct Near {
    cluster: usize,
    /// Cosine with its centroid.
    own: f32,
    /// Cosine with the next centroid; its own if there is no other.
    next: f32,
}

/// One result of k-means.
struct Grouping {
    centroids: Vec<f32>,
    near: Vec<Near>,
    /// Mean cosine with the own centroid.
    cohesion: f64,
}

impl Grouping {
    fn n_clusters(&self, dim: usize) -> usize {
        self.centroids.len() / dim
    }

    /// From centroids instead of all pairs: how much farther the next cluster is than the own.
    fn silhouette(&self) -> f64 {
        let of = |near: &Near| {
            let (own, next) = (1.0 - f64::from(near.own), 1.0 - f64::from(near.next));
            if next.max(own) > 1e-9 { (next - own) / next.max(own) } else { 0.0 }
        };
        self.near.iter().map(of).sum::<f64>() / self.near.len().max(1) as f64
    }
}

fn k_means(units: &[f32], dim: usize, k: usize, seed: u64, progress: Progress) -> Result<Grouping> {
    let n = units.len() / dim;
    let mut centroids = seeds(units, dim, k, seed);
    let mut cohesion = f64::NEG_INFINITY;
    let mut round = 0;
    loop {
        if !progress(round as f32 / MAX_ROUNDS as f32) {
            return Err(Error::Cancelled);
        }
        let near = nearest(units, &centroids, dim);
        let before = cohesion;
        cohesion = near.iter().map(|near| f64::from(near.own)).sum::<f64>() / n as f64;
        if cohesion - before < SETTLED || round == MAX_ROUNDS {
            return Ok(without_empty(Grouping { centroids, near, cohesion }, dim));
        }
        let k = centroids.len() / dim;
        let mut sums = vec![0.0f64; k * dim];
        for (near, unit) in near.iter().zip(units.chunks_exact(dim)) {
            let sum = &mut sums[near.cluster * dim..(near.cluster + 1) * dim];
            sum.iter_mut().zip(unit).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        for (centroid, sum) in centroids.chunks_exact_mut(dim).zip(sums.chunks_exact(dim)) {
            let mut mean: Vec<f32> = sum.iter().map(|x| *x as f32).collect();
            l2_normalize(&mut mean);
            // A cluster that lost its rows stays where it is.
            if mean.iter().any(|x| *x != 0.0) {
                centroid.copy_from_slice(&mean);
            }
        }
        round += 1;
    }
}

/// At most `k` rows, each further one drawn with a probability of its squared distance to those before.
fn seeds(units: &[f32], dim: usize, k: usize, seed: u64) -> Vec<f32> {
    let n = units.len() / dim;
    let mut random = SplitMix64(seed);
    let mut centroids = units[random.below(n) * dim..][..dim].to_vec();
    let mut distances = vec![f64::INFINITY; n];
    let mut cosines = vec![0.0; n];
    while centroids.len() < k * dim {
        kernel::products(units, &centroids[centroids.len() - dim..], dim, &mut cosines);
        for (distance, cosine) in distances.iter_mut().zip(&cosines) {
            *distance = distance.min(f64::from(1.0 - cosine).max(0.0));
        }
        let total: f64 = distances.iter().sum();
        let mut left = random.next_unit() * total;
        let drawn = distances.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        // Rounding leaves equal rows a little apart.
        match drawn.filter(|_| total > 1e-5) {
            Some(row) => centroids.extend_from_slice(&units[row * dim..(row + 1) * dim]),
            None => break,
        }
    }
    centroids
}

fn nearest(units: &[f32], centroids: &[f32], dim: usize) -> Vec<Near> {
    let k = centroids.len() / dim;
    let mut cosines = vec![0.0f32; TILE * k];
    let mut near = Vec::with_capacity(units.len() / dim);
    for tile in units.chunks(TILE * dim) {
        let cosines = &mut cosines[..tile.len() / dim * k];
        kernel::products(tile, centroids, dim, cosines);
        for row in cosines.chunks_exact(k) {
            let mut found = Near { cluster: 0, own: row[0], next: f32::NEG_INFINITY };
            for (cluster, cosine) in row.iter().enumerate().skip(1) {
                if *cosine > found.own {
                    found = Near { cluster, own: *cosine, next: found.own };
                } else {
                    found.next = found.next.max(*cosine);
                }
            }
            near.push(Near { next: if k == 1 { found.own } else { found.next }, ..found });
        }
    }
    near
}

/// Drops clusters that no row is in.
fn without_empty(mut grouping: Grouping, dim: usize) -> Grouping {
    let k = grouping.n_clusters(dim);
    let mut sizes = vec![0usize; k];
    grouping.near.iter().for_each(|near| sizes[near.cluster] += 1);
    let kept: Vec<usize> = (0..k).filter(|cluster| sizes[*cluster] > 0).collect();
    renumber(&mut grouping, &kept, dim);
    grouping
}

fn by_size(mut grouping: Grouping, dim: usize, center: Vec<f32>) -> Clusters {
    let k = grouping.n_clusters(dim);
    let mut sizes = vec![0usize; k];
    grouping.near.iter().for_each(|near| sizes[near.cluster] += 1);
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by_key(|cluster| std::cmp::Reverse(sizes[*cluster]));
    renumber(&mut grouping, &order, dim);
    let silhouette = if k > 1 { grouping.silhouette() as f32 } else { 0.0 };
    let assignments = grouping.near.iter().map(|near| near.cluster as u32).collect();
    Clusters { dim, center, centroids: grouping.centroids, assignments, silhouette }
}

/// Keeps these clusters, in this order.
fn renumber(grouping: &mut Grouping, order: &[usize], dim: usize) {
    let mut new_of = vec![0; grouping.n_clusters(dim)];
    order.iter().enumerate().for_each(|(new, old)| new_of[*old] = new);
    grouping.centroids =
        order.iter().flat_map(|old| &grouping.centroids[old * dim..(old + 1) * dim]).copied().collect();
    grouping.near.iter_mut().for_each(|near| near.cluster = new_of[near.cluster]);
}
