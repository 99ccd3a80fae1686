//! Principal components by randomised subspace iteration.
//!
//! Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53(2), 2011, algorithm 4.4. With n rows
//! of d numbers and k components it takes O(n d k) steps and O((n + d) k) memory.

use super::{check, fill_rows};
use crate::error::Result;

/// Extra directions that make the wanted ones accurate.
const OVERSAMPLING: usize = 8;
/// Rounds of iteration; the error shrinks with the power `2 * N_ROUNDS + 1` of the ratio of singular values.
const N_ROUNDS: usize = 3;
/// Rows that are summed up together before the sums are added in order, whatever the number of cores.
const ROWS_PER_SUM: usize = 2048;

/// The rows' coordinates along their `n_components` directions of largest variance, largest first: one row of as many
/// numbers each. Directions that the rows do not have give zeros. The sign of each is such that the coordinate of
/// largest magnitude is positive. `BadInput` for numbers that are not finite.
pub fn principal_components(values: &[f32], dim: usize, n_components: usize, seed: u64) -> Result<Vec<f32>> {
    let n_rows = check(values, dim)?;
    let width = (n_components + OVERSAMPLING).min(dim).max(1);
    let mean = mean_of(values, dim, n_rows);
    let mut directions = random_directions(dim, width, seed);
    orthonormalise(&mut directions, width);
    for _ in 0..N_ROUNDS {
        let coordinates = project(values, dim, &mean, &directions, width);
        directions = back_project(values, dim, &mean, &coordinates, width);
        orthonormalise(&mut directions, width);
    }
    let coordinates = project(values, dim, &mean, &directions, width);
    Ok(rotate(&coordinates, width, n_components))
}

fn mean_of(values: &[f32], dim: usize, n_rows: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; dim];
    for row in values.chunks_exact(dim) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sums.iter().map(|sum| (sum / n_rows.max(1) as f64) as f32).collect()
}

/// `dim` rows of `width` numbers of the normal distribution.
fn random_directions(dim: usize, width: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    let mut unit = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    // Box and Muller, 1958.
    let mut normal = || ((-2.0 * (1.0 - unit()).ln()).sqrt() * (std::f64::consts::TAU * unit()).cos()) as f32;
    (0..dim * width).map(|_| normal()).collect()
}

/// Each centred row's products with the directions.
fn project(values: &[f32], dim: usize, mean: &[f32], directions: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0f32; values.len() / dim * width];
    fill_rows(&mut out, width, |first, part| {
        let rows = values[first * dim..].chunks_exact(dim);
        for (out, row) in part.chunks_exact_mut(width).zip(rows) {
            for ((value, mean), direction) in row.iter().zip(mean).zip(directions.chunks_exact(width)) {
                let centred = value - mean;
                out.iter_mut().zip(direction).for_each(|(out, number)| *out += centred * number);
            }
        }
    });
    out
}

/// The sum over all rows of the centred row times its coordinates: `dim` rows of `width` numbers.
fn back_project(values: &[f32], dim: usize, mean: &[f32], coordinates: &[f32], width: usize) -> Vec<f32> {
    let n_rows = values.len() / dim;
    let n_sums = n_rows.div_ceil(ROWS_PER_SUM).max(1);
    let mut sums = vec![0.0f32; n_sums * dim * width];
    fill_rows(&mut sums, dim * width, |first, part| {
        for (at, sum) in part.chunks_exact_mut(dim * width).enumerate() {
            let begin = ((first + at) * ROWS_PER_SUM).min(n_rows);
            let end = (begin + ROWS_PER_SUM).min(n_rows);
            let rows = values[begin * dim..end * dim].chunks_exact(dim);
            for (row, coordinates) in rows.zip(coordinates[begin * width..].chunks_exact(width)) {
                for ((value, mean), sum) in row.iter().zip(mean).zip(sum.chunks_exact_mut(width)) {
                    let centred = value - mean;
                    sum.iter_mut().zip(coordinates).for_each(|(sum, number)| *sum += centred * number);
                }
            }
        }
    });
    let (total, rest) = sums.split_at_mut(dim * width);
    for sum in rest.chunks_exact(dim * width) {
        total.iter_mut().zip(sum).for_each(|(total, number)| *total += number);
    }
    total.to_vec()
}

/// Makes the columns orthogonal and of length 1 by Gram and Schmidt's method, twice for accuracy; columns that depend
/// on earlier ones become zero.
fn orthonormalise(columns: &mut [f32], width: usize) {
    let n_rows = columns.len() / width;
    let mut done: Vec<Vec<f64>> = Vec::with_capacity(width);
    for idx in 0..width {
        let mut column: Vec<f64> = (0..n_rows).map(|row| f64::from(columns[row * width + idx])).collect();
        let before = dot(&column, &column).sqrt();
        for _ in 0..2 {
            for other in &done {
                let shared = dot(&column, other);
                column.iter_mut().zip(other).for_each(|(value, other)| *value -= shared * other);
            }
        }
        let length = dot(&column, &column).sqrt();
        let scale = if length > before * 1e-6 && length > 0.0 { 1.0 / length } else { 0.0 };
        column.iter_mut().for_each(|value| *value *= scale);
        for (row, value) in column.iter().enumerate() {
            columns[row * width + idx] = *value as f32;
        }
        done.push(column);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Turns the coordinates so that they are uncorrelated, the largest variance first, and keeps the first of them.
fn rotate(coordinates: &[f32], width: usize, n_components: usize) -> Vec<f32> {
    let mut scatter = vec![0.0f64; width * width];
    for row in coordinates.chunks_exact(width) {
        for (a, line) in row.iter().zip(scatter.chunks_exact_mut(width)) {
            line.iter_mut().zip(row).for_each(|(sum, b)| *sum += f64::from(*a) * f64::from(*b));
        }
    }
    let (variances, axes) = eigen(scatter, width);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|a, b| variances[*b].total_cmp(&variances[*a]).then(a.cmp(b)));
    let mut out = vec![0.0f32; coordinates.len() / width * n_components];
    for (row, out) in coordinates.chunks_exact(width).zip(out.chunks_exact_mut(n_components.max(1))) {
        for (axis, out) in order.iter().zip(out) {
            let along = row.iter().enumerate().map(|(at, value)| f64::from(*value) * axes[at * width + axis]);
            *out = along.sum::<f64>() as f32;
        }
    }
    fix_signs(&mut out, n_components);
    out
}

fn fix_signs(coordinates: &mut [f32], n_components: usize) {
    for component in 0..n_components {
        let column = || coordinates.iter().skip(component).step_by(n_components);
        let largest = column().copied().fold(0.0f32, |a, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            coordinates.iter_mut().skip(component).step_by(n_components).for_each(|value| *value = -*value);
        }
    }
}

/// Eigenvalues and, in columns, eigenvectors of a symmetric matrix by Jacobi's rotations.
fn eigen(mut matrix: Vec<f64>, width: usize) -> (Vec<f64>, Vec<f64>) {
    const MAX_SWEEPS: usize = 60;
    let mut axes = vec![0.0f64; width * width];
    (0..width).for_each(|at| axes[at * width + at] = 1.0);
    let total: f64 = matrix.iter().map(|value| value * value).sum();
    for _ in 0..MAX_SWEEPS {
        let off: f64 = (0..width)
            .flat_map(|row| (0..row).map(move |column| (row, column)))
            .map(|(row, column)| matrix[row * width + column].powi(2))
            .sum();
        if off <= total * 1e-24 {
            break;
        }
        for p in 0..width {
            for q in p + 1..width {
                turn(&mut matrix, &mut axes, width, (p, q));
            }
        }
    }
    ((0..width).map(|at| matrix[at * width + at]).collect(), axes)
}

/// One rotation that makes element (p, q) zero.
fn turn(matrix: &mut [f64], axes: &mut [f64], width: usize, (p, q): (usize, usize)) {
    let shared = matrix[p * width + q];
    if shared == 0.0 {
        return;
    }
    let theta = (matrix[q * width + q] - matrix[p * width + p]) / (2.0 * shared);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for at in 0..width {
        let (a, b) = (matrix[at * width + p], matrix[at * width + q]);
        (matrix[at * width + p], matrix[at * width + q]) = (cosine * a - sine * b, sine * a + cosine * b);
    }
    for at in 0..width {
        let (a, b) = (matrix[p * width + at], matrix[q * width + at]);
        (matrix[p * width + at], matrix[q * width + at]) = (cosine * a - sine * b, sine * a + cosine * b);
        let (a, b) = (axes[at * width + p], axes[at * width + q]);
        (axes[at * width + p], axes[at * width + q]) = (cosine * a - sine * b, sine * a + cosine * b);
    }
}
