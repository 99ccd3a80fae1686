//! The little linear algebra that projections need, in double precision.

use super::lbfgs::dot;
use crate::error::{Error, Result};

/// Sweeps after which Jacobi's method has long settled.
const MAX_SWEEPS: usize = 30;

/// The lower triangle L of a positive definite matrix A = L Lᵀ of `n` rows.
pub(super) struct Cholesky {
    n: usize,
    lower: Vec<f64>,
    /// The transpose, so that both solves run along rows.
    upper: Vec<f64>,
}

impl Cholesky {
    /// O(n³ / 6) multiplications. Fails if the matrix is not positive definite.
    pub fn of(matrix: &[f64], n: usize) -> Result<Cholesky> {
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let (row_i, row_j) = (&lower[i * n..i * n + j], &lower[j * n..j * n + j]);
                let left = matrix[i * n + j] - dot(row_i, row_j);
                if i != j {
                    lower[i * n + j] = left / lower[j * n + j];
                } else if left > 0.0 {
                    lower[i * n + i] = left.sqrt();
                } else {
                    return Err(Error::BadInput(
                        "the rows vary too little to learn a projection from".to_owned(),
                    ));
                }
            }
        }
        let mut upper = vec![0.0; n * n];
        for i in 0..n {
            (0..=i).for_each(|j| upper[j * n + i] = lower[i * n + j]);
        }
        Ok(Cholesky { n, lower, upper })
    }

    /// Solves L x = b in place.
    pub fn solve_lower(&self, b: &mut [f64]) {
        for i in 0..self.n {
            let known = dot(&self.lower[i * self.n..i * self.n + i], &b[..i]);
            b[i] = (b[i] - known) / self.lower[i * self.n + i];
        }
    }

    /// Solves Lᵀ x = b in place.
    pub fn solve_upper(&self, b: &mut [f64]) {
        for i in (0..self.n).rev() {
            let known = dot(&self.upper[i * self.n + i + 1..(i + 1) * self.n], &b[i + 1..]);
            b[i] = (b[i] - known) / self.upper[i * self.n + i];
        }
    }

    /// Lᵀ x
    pub fn times_upper(&self, x: &[f64]) -> Vec<f64> {
        (0..self.n).map(|i| dot(&self.upper[i * self.n + i..(i + 1) * self.n], &x[i..])).collect()
    }
}

/// Eigenvalues, falling, and eigenvectors of a symmetric matrix of `n` rows: cyclic Jacobi rotations (Golub and Van
/// Loan, "Matrix computations", section 8.5). O(n³) for each of about eight sweeps.
pub(super) fn eigen(mut matrix: Vec<f64>, n: usize) -> Vec<(f64, Vec<f64>)> {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    let size = dot(&matrix, &matrix).sqrt();
    for _ in 0..MAX_SWEEPS {
        let outside: f64 =
            (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| matrix[i * n + j].powi(2)).sum();
        if outside.sqrt() <= 1e-12 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut matrix, &mut vectors, n, (p, q));
            }
        }
    }
    // Rows of `vectors` are eigenvectors.
    let mut pairs: Vec<(f64, Vec<f64>)> =
        (0..n).map(|i| (matrix[i * n + i], vectors[i * n..(i + 1) * n].to_vec())).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs
}

/// Makes one number outside the diagonal zero.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], n: usize, (p, q): (usize, usize)) {
    let apq = matrix[p * n + q];
    if apq == 0.0 {
        return;
    }
    let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for k in 0..n {
        let (kp, kq) = (matrix[k * n + p], matrix[k * n + q]);
        matrix[k * n + p] = c * kp - s * kq;
        matrix[k * n + q] = s * kp + c * kq;
    }
    for k in 0..n {
        let (pk, qk) = (matrix[p * n + k], matrix[q * n + k]);
        matrix[p * n + k] = c * pk - s * qk;
        matrix[q * n + k] = s * pk + c * qk;
        let (vp, vq) = (vectors[p * n + k], vectors[q * n + k]);
        vectors[p * n + k] = c * vp - s * vq;
        vectors[q * n + k] = s * vp + c * vq;
    }
}

/// Takes from a vector what lies along the others, which are orthonormal, and makes its length 1; `None` if nothing much
/// is left.
pub(super) fn orthonormal(mut vector: Vec<f64>, others: &[Vec<f64>]) -> Option<Vec<f64>> {
    let before = dot(&vector, &vector).sqrt();
    // Twice is enough (Parlett, "The symmetric eigenvalue problem", section 6.9).
    for _ in 0..2 {
        for other in others {
            let along = dot(&vector, other);
            vector.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
        }
    }
    let after = dot(&vector, &vector).sqrt();
    if after <= 1e-6 * before || after <= 1e-30 {
        return None;
    }
    vector.iter_mut().for_each(|x| *x /= after);
    Some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_matrix_is_solved_and_has_its_eigenvalues() {
        let matrix = vec![4.0, 2.0, 0.0, 2.0, 5.0, 3.0, 0.0, 3.0, 6.0];
        let cholesky = Cholesky::of(&matrix, 3).unwrap();
        let mut x = vec![6.0, 10.0, 9.0]; // the sums of the rows
        cholesky.solve_lower(&mut x);
        cholesky.solve_upper(&mut x);
        assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-12), "{x:?}");
        let pairs = eigen(matrix.clone(), 3);
        assert!((pairs.iter().map(|p| p.0).sum::<f64>() - 15.0).abs() < 1e-10);
        for (value, vector) in &pairs {
            for i in 0..3 {
                let product = dot(&matrix[i * 3..(i + 1) * 3], vector);
                assert!((product - value * vector[i]).abs() < 1e-9, "{pairs:?}");
            }
        }
        assert!(Cholesky::of(&[1.0, 2.0, 2.0, 1.0], 2).is_err());
    }
}
