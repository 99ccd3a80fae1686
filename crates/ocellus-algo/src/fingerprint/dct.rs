//! The low frequencies of a small square image: a two-dimensional type II discrete cosine transform.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Side of the image.
pub(super) const SIDE: usize = 32;
/// Frequencies kept per axis: 1..=8, without the constant 0.
const KEPT: usize = 8;

/// `cos(pi * (2x + 1) * (u + 1) / 64)` for each kept frequency u.
static COSINES: LazyLock<[[f32; SIDE]; KEPT]> = LazyLock::new(|| {
    std::array::from_fn(|u| {
        std::array::from_fn(|x| {
            let turns = (2 * x + 1) as f64 * (u + 1) as f64 / (2 * SIDE) as f64;
            (PI * turns).cos() as f32
        })
    })
});

/// Frequencies 1..=8 on both axes of a 32 × 32 image given row by row, vertical frequency first.
pub(super) fn low_frequencies(image: &[f32]) -> [f32; KEPT * KEPT] {
    let mut rows = [[0.0f32; KEPT]; SIDE];
    for (row, pixels) in rows.iter_mut().zip(image.chunks_exact(SIDE)) {
        for (out, cosines) in row.iter_mut().zip(COSINES.iter()) {
            *out = pixels.iter().zip(cosines).map(|(p, c)| p * c).sum();
        }
    }
    std::array::from_fn(|i| {
        let (v, u) = (i / KEPT, i % KEPT);
        rows.iter().zip(&COSINES[v]).map(|(row, c)| row[u] * c).sum()
    })
}
