//! Maps of many vectors in the plane: principal components, and t-SNE from them, with how far to trust the result.
//!
//! Vectors are reduced to their 50 first principal components, the nearest neighbours are found among those, and the
//! plane is laid out so that neighbours stay neighbours. The first two components are where the layout starts from,
//! so the same vectors give the same map up to rounding.

mod layout;
mod neighbors;
mod pca;
#[cfg(test)]
mod tests;
mod trust;

use crate::error::{Error, Result};

pub use layout::{Plane, tsne};
pub use neighbors::{Neighbors, nearest};
pub use pca::principal_components;
pub use trust::trustworthiness;

/// How many principal components neighbours are found in; scikit-learn's manual advises 50 before t-SNE.
pub const N_COMPONENTS: usize = 50;

/// What shapes a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapSpec {
    /// The effective number of neighbours of a point; made smaller for few points.
    pub perplexity: f32,
    /// Steps of the layout, the first quarter of them with exaggerated attraction.
    pub n_epochs: usize,
    /// Chooses the random directions of the principal components.
    pub seed: u64,
}

impl Default for MapSpec {
    fn default() -> Self {
        Self { perplexity: 30.0, n_epochs: 1000, seed: 0 }
    }
}

/// Rows of equal length, checked: a whole number of them, and nothing but finite numbers.
fn check(values: &[f32], dim: usize) -> Result<usize> {
    if dim == 0 || !values.len().is_multiple_of(dim) {
        return Err(Error::BadInput(format!("{} numbers are no rows of {dim}", values.len())));
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Error::BadInput(format!("row {} holds a number that is not finite", at / dim))),
        None => Ok(values.len() / dim),
    }
}

/// Fills `out`, rows of `width` numbers, in equal parts on all cores; `fill` gets the first row's number and the part.
/// Every row depends on its number alone, so the result does not depend on how many cores there are.
fn fill_rows<T: Send>(out: &mut [T], width: usize, fill: impl Fn(usize, &mut [T]) + Sync) {
    let n_rows = out.len() / width.max(1);
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(n_rows.max(1));
    let rows_each = n_rows.div_ceil(n_threads).max(1);
    std::thread::scope(|scope| {
        for (part_idx, part) in out.chunks_mut(rows_each * width.max(1)).enumerate() {
            let fill = &fill;
            scope.spawn(move || fill(part_idx * rows_each, part));
        }
    });
}
