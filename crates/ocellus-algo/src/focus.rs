//! How sharp an image is: the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield
//! microscopy", ICPR 2000), taken where the image is sharpest.
//!
//! The image is first shrunk to at most 1024 pixels on its longer side, so that the number does not depend on the
//! camera's resolution, and divided into 8 × 8 tiles (fewer
//! if it is smaller than 128 pixels). A portrait in front of a soft background is a sharp photo:
//! `sharpness` looks at the sharpest quarter of the tiles, `laplacian_variance` at the whole image.
//!
//! `sharpness = v / (v + 300)` with v the mean variance of those tiles. It grows with v, 0.5 is at v = 300. Of 81
//! test photographs four fifths lie between 0.39 and 0.95 (median 0.83); blurred by a Gaussian of 1, 2 and 4 pixels
//! their median falls to 0.27, 0.04 and 0.01.

#[cfg(test)]
mod tests;

use crate::image::RgbImage;
use crate::luma::Luma;
use crate::preprocess::Filter;
use crate::resize::resize;

/// Longer side in pixels at which sharpness is measured.
const MAX_SIDE: u32 = 1024;
/// Tiles per row and per column of a large image.
const MAX_TILES: usize = 8;
/// Smaller tiles say nothing about the picture; small images have fewer tiles.
const MIN_TILE_SIDE: usize = 16;
/// Tile variance (of brightness on the scale 0..255) that counts as half sharp.
const HALF_SHARP: f64 = 300.0;

/// The sharpness of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focus {
    /// 0 (no detail anywhere) ..1 (sharp), by the sharpest quarter of the image.
    pub sharpness: f32,
    /// Variance of the Laplacian over the whole image, brightness on the scale 0..255; 0 and up.
    pub laplacian_variance: f32,
}

/// Measures an image. An image under 3 × 3 pixels has no detail: both numbers are 0.
pub fn measure(img: &RgbImage) -> Focus {
    let (width, height) = crate::image::fit(img.width(), img.height(), MAX_SIDE);
    let luma = if (width, height) == img.dimensions() {
        Luma::of(img)
    } else {
        Luma::of(&resize(img, None, (width, height), Filter::Bilinear))
    };
    let tiles = tiles(&luma);
    let mut all = Moments::default();
    for tile in &tiles {
        all.add(tile);
    }
    let mut variances: Vec<f64> = tiles.iter().map(Moments::variance).collect();
    variances.sort_by(|a, b| b.total_cmp(a));
    let n_sharpest = variances.len().div_ceil(4);
    let v = variances[..n_sharpest].iter().sum::<f64>() / n_sharpest.max(1) as f64;
    Focus { sharpness: (v / (v + HALF_SHARP)) as f32, laplacian_variance: all.variance() as f32 }
}

/// Count, sum and sum of squares of some numbers.
#[derive(Clone, Copy, Default)]
struct Moments {
    n: f64,
    sum: f64,
    sum_squares: f64,
}

impl Moments {
    fn add(&mut self, other: &Moments) {
        self.n += other.n;
        self.sum += other.sum;
        self.sum_squares += other.sum_squares;
    }

    fn variance(&self) -> f64 {
        if self.n == 0.0 {
            return 0.0;
        }
        let mean = self.sum / self.n;
        (self.sum_squares / self.n - mean * mean).max(0.0)
    }
}

/// Moments of the 4-neighbour Laplacian in every tile that has pixels; border pixels have no Laplacian.
fn tiles(luma: &Luma) -> Vec<Moments> {
    let (w, h) = (luma.width, luma.height);
    if w < 3 || h < 3 {
        return Vec::new();
    }
    let n_across = ((w - 2) / MIN_TILE_SIDE).clamp(1, MAX_TILES);
    let n_down = ((h - 2) / MIN_TILE_SIDE).clamp(1, MAX_TILES);
    let mut tiles = vec![Moments::default(); n_across * n_down];
    for y in 1..h - 1 {
        let above = &luma.values[(y - 1) * w..y * w];
        let row = &luma.values[y * w..(y + 1) * w];
        let below = &luma.values[(y + 1) * w..(y + 2) * w];
        let tile_row = (y - 1) * n_down / (h - 2);
        for tile_x in 0..n_across {
            let from = 1 + (w - 2) * tile_x / n_across;
            let to = 1 + (w - 2) * (tile_x + 1) / n_across;
            let (mut sum, mut sum_squares) = (0.0f32, 0.0f32);
            for x in from..to {
                let v = above[x] + below[x] + row[x - 1] + row[x + 1] - 4.0 * row[x];
                sum += v;
                sum_squares += v * v;
            }
            tiles[tile_row * n_across + tile_x].add(&Moments {
                n: (to - from) as f64,
                sum: f64::from(sum),
                sum_squares: f64::from(sum_squares),
            });
        }
    }
    tiles
}
