//! t-SNE in the plane, with repulsion by a tree for few points and by interpolation on a grid for many.
//!
//! van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 9, 2008; van der Maaten, "Accelerating t-SNE
//! using tree-based algorithms", JMLR 15, 2014; Linderman et al., "Fast interpolation-based
//! t-SNE for improved visualization of single-cell RNA-seq data", Nature Methods 16, 2019; computed by the crate bhtsne.
//! A step takes O(n log n) time with the tree, O(n) with the grid.

use super::{MapSpec, Neighbors, check};
use crate::error::{Error, Result};

/// The layout is done in this many parts, between which it can be stopped; the first has exaggerated attraction.
const N_PARTS: usize = 4;
/// Standard deviation of the first coordinate at the start, as in openTSNE and scikit-learn.
const START_DEVIATION: f32 = 1e-4;
/// From this many points on the grid is faster than the tree; below it the tree is as fast and minds stray points less.
const GRID_FROM: usize = 10_000;
/// How far a cell of the tree may be off for its points to count as one: size over distance.
const THETA: f32 = 0.5;

/// Points in the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// x and y of each point, by turns.
    pub coordinates: Vec<f32>,
}

/// Lays points out in the plane so that neighbours stay neighbours. `start` holds rows of `dim` numbers, of which the
/// first two, the first two principal components, are where the points begin. `progress` is told how much is done, 0 to
/// 1, and says whether to go on; `Stopped` if not. Fewer than four points stay where they begin, as do points that are all
/// in one place.
pub fn tsne(
    start: &[f32],
    dim: usize,
    neighbors: &Neighbors,
    spec: &MapSpec,
    progress: &mut dyn FnMut(f32) -> bool,
) -> Result<Option<Plane>> {
    let n_points = check(start, dim)?;
    if neighbors.rows.len() != n_points * neighbors.k {
        return Err(Error::BadInput("there must be neighbours for every point".to_owned()));
    }
    let begin = plane_of(start, dim);
    if neighbors.k < 3 || begin.iter().all(|value| *value == 0.0) {
        return Ok(Some(Plane { coordinates: begin }));
    }
    let table = table_of(neighbors);
    let places: Vec<u32> = (0..n_points as u32).collect();
    let mut coordinates = scaled(&begin);
    for part in 0..N_PARTS {
        if !progress(part as f32 / N_PARTS as f32) {
            return Ok(None);
        }
        let mut layout = bhtsne::tSNE::<f32, u32, 2>::new(&places);
        layout.perplexity(spec.perplexity.min(neighbors.k as f32 / 3.0));
        layout.epochs((spec.n_epochs / N_PARTS).max(1)).initial_embedding(coordinates);
        if part > 0 {
            layout.stop_lying_epoch(0).momentum_switch_epoch(0);
        }
        coordinates = if n_points < GRID_FROM {
            layout.barnes_hut_with_neighbors(THETA, &table).embedding()
        } else {
            layout.fit_sne_with_neighbors(&table).embedding()
        };
    }
    if coordinates.iter().any(|value| !value.is_finite()) {
        coordinates = begin;
    }
    Ok(Some(Plane { coordinates }))
}

/// The first two numbers of each row, the second being 0 where there is one only.
fn plane_of(rows: &[f32], dim: usize) -> Vec<f32> {
    rows.chunks_exact(dim).flat_map(|row| [row[0], row.get(1).copied().unwrap_or(0.0)]).collect()
}

fn scaled(coordinates: &[f32]) -> Vec<f32> {
    let n_points = (coordinates.len() / 2).max(1) as f32;
    let deviation = (coordinates.iter().step_by(2).map(|x| x * x).sum::<f32>() / n_points).sqrt();
    let factor = if deviation > 0.0 { START_DEVIATION / deviation } else { 1.0 };
    coordinates.iter().map(|value| value * factor).collect()
}

fn table_of(neighbors: &Neighbors) -> Vec<Vec<bhtsne::Neighbor<f32>>> {
    let rows = neighbors.rows.chunks_exact(neighbors.k);
    let both = rows.zip(neighbors.distances.chunks_exact(neighbors.k));
    both.map(|(rows, distances)| {
        let pairs = rows.iter().zip(distances);
        pairs.map(|(row, distance)| bhtsne::Neighbor { index: *row as usize, distance: *distance }).collect()
    })
    .collect()
}
