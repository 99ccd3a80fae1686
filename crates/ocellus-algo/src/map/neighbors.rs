//! The nearest neighbours of every row among the others: exactly, or by a graph where there are very many.

use super::{check, fill_rows};
use crate::error::Result;
use crate::index::{Ann, Flat, Kernel, LANES};

/// From this many rows on, neighbours are searched in a graph: comparing all pairs would take minutes.
const GRAPH_FROM: usize = 60_000;

/// The `k` nearest others of each row, nearest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbors {
    /// How many a row has.
    pub k: usize,
    /// Row numbers, `k` a row.
    pub rows: Vec<u32>,
    /// Euclidean distances, `k` a row.
    pub distances: Vec<f32>,
}

/// The `k` nearest others of each row by Euclidean distance; fewer where there are fewer others. Ties go to the lower
/// row. Exact below 60,000 rows; from there on most of them are right.
pub fn nearest(values: &[f32], dim: usize, k: usize) -> Result<Neighbors> {
    let n_rows = check(values, dim)?;
    let k = k.min(n_rows.saturating_sub(1));
    let mut found = vec![(0u32, 0.0f32); n_rows * k];
    if k > 0 && n_rows < GRAPH_FROM {
        exactly(values, dim, k, &mut found);
    } else if k > 0 {
        by_graph(values, dim, k, &mut found)?;
    }
    let (rows, distances) = found.into_iter().unzip();
    Ok(Neighbors { k, rows, distances })
}

fn exactly(values: &[f32], dim: usize, k: usize, found: &mut [(u32, f32)]) {
    let (n_rows, stride) = (values.len() / dim, dim.next_multiple_of(LANES));
    let mut padded = vec![0.0f32; n_rows * stride];
    for (padded, row) in padded.chunks_exact_mut(stride).zip(values.chunks_exact(dim)) {
        padded[..dim].copy_from_slice(row);
    }
    let squares: Vec<f32> = values.chunks_exact(dim).map(|row| row.iter().map(|v| v * v).sum()).collect();
    let kernel = Kernel::detect();
    fill_rows(found, k, |first, part| {
        let mut products = vec![0.0f32; n_rows];
        let mut candidates: Vec<(f32, u32)> = Vec::with_capacity(n_rows);
        for (at, found) in part.chunks_exact_mut(k).enumerate() {
            let own = first + at;
            kernel.dot_rows(&padded[own * stride..][..stride], &padded, &mut products);
            let others = products.iter().zip(&squares).enumerate().filter(|(row, _)| *row != own);
            candidates.clear();
            candidates.extend(others.map(|(row, (product, square))| {
                ((squares[own] + square - 2.0 * product).max(0.0), row as u32)
            }));
            let by_distance = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            candidates.select_nth_unstable_by(k - 1, by_distance);
            candidates[..k].sort_by(by_distance);
            for (found, (square, row)) in found.iter_mut().zip(&candidates) {
                *found = (*row, square.sqrt());
            }
        }
    });
}

/// Candidates by cosine, twice as many as wanted, put in the order of their Euclidean distances.
fn by_graph(values: &[f32], dim: usize, k: usize, found: &mut [(u32, f32)]) -> Result<()> {
    let mut flat = Flat::new(dim);
    for row in values.chunks_exact(dim) {
        // A row of zeros has no direction; it still needs its slot.
        if row.iter().all(|value| *value == 0.0) {
            let mut any = vec![0.0; dim];
            any[0] = 1.0;
            flat.push(&any)?;
        } else {
            flat.push(row)?;
        }
    }
    let graph = Ann::build(&flat, 1)?;
    for (own, found) in found.chunks_exact_mut(k).enumerate() {
        let query = &values[own * dim..][..dim];
        let mut near: Vec<(f32, u32)> = graph
            .search(query, (2 * k + 1).min(values.len() / dim))?
            .into_iter()
            .filter(|hit| hit.slot as usize != own)
            .map(|hit| (distance(query, &values[hit.slot as usize * dim..][..dim]), hit.slot))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        // A graph may find fewer than asked for; the last one found stands for the missing.
        for (at, found) in found.iter_mut().enumerate() {
            let (distance, row) = near.get(at).or(near.last()).copied().unwrap_or((0.0, 0));
            *found = (row, distance);
        }
    }
    Ok(())
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}
