//! How far a map can be trusted: whether points that are near in it are near in truth.

use super::{check, fill_rows, nearest};
use crate::error::{Error, Result};

/// Trustworthiness of a map in the plane for the `k` nearest neighbours, 0 to 1, measured at about `n_sampled` rows
/// spread evenly (all of them if there are fewer). 1 means that every neighbour in the plane is one in truth; a random map
/// has about 0.5.
///
/// Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001, with the same weights as
/// scikit-learn's `trustworthiness`. `BadInput` unless `k` is at least 1 and less than half the number of rows.
pub fn trustworthiness(values: &[f32], dim: usize, plane: &[f32], k: usize, n_sampled: usize) -> Result<f64> {
    let n_rows = check(values, dim)?;
    if check(plane, 2)? != n_rows {
        return Err(Error::BadInput("the map must have a point for every row".to_owned()));
    }
    if k == 0 || 2 * k >= n_rows {
        return Err(Error::BadInput(format!("k must be at least 1 and less than half of {n_rows} rows")));
    }
    let near = nearest(plane, 2, k)?;
    let step = (n_rows / n_sampled.max(1)).max(1);
    let sampled: Vec<usize> = (0..n_rows).step_by(step).collect();
    let mut penalties = vec![0.0f64; sampled.len()];
    fill_rows(&mut penalties, 1, |first, part| {
        let mut distances = vec![0.0f32; n_rows];
        for (penalty, own) in part.iter_mut().zip(&sampled[first..]) {
            let query = &values[own * dim..][..dim];
            for (distance, row) in distances.iter_mut().zip(values.chunks_exact(dim)) {
                *distance = row.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum();
            }
            for neighbor in &near.rows[own * k..][..k] {
                let limit = distances[*neighbor as usize];
                let n_nearer =
                    distances.iter().enumerate().filter(|(row, d)| row != own && **d < limit).count();
                *penalty += (n_nearer + 1).saturating_sub(k) as f64;
            }
        }
    });
    let (n, k, n_sampled) = (n_rows as f64, k as f64, sampled.len() as f64);
    Ok(1.0 - penalties.iter().sum::<f64>() * 2.0 / (n_sampled * k * (2.0 * n - 3.0 * k - 1.0)))
}
