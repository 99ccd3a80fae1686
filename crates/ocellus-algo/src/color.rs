//! Dominant colours of an image: weighted k-means in Oklab, named after the nearest W3C colour.
//!
//! The image is shrunk, its pixels are counted in a histogram of 5 bits per channel, and the histogram's cells are
//! clustered (Lloyd's algorithm from k-means++ seeds with a fixed random sequence), so that the same pixels in any
//! order give the same answer. Clusters that look alike are merged, so fewer colours than asked for may come back.

mod kmeans;
mod oklab;
#[cfg(test)]
mod tests;
mod w3c;

use crate::image::RgbImage;
use crate::preprocess::Filter;
use crate::resize::resize;
use oklab::Oklab;

/// Longer side in pixels of the image whose pixels are counted.
const MAX_SIDE: u32 = 128;
/// Two clusters closer than this in Oklab are one colour to the eye (a just noticeable difference is about 0.02).
const SAME_COLOR_DISTANCE: f32 = 0.08;
/// Clusters covering less than this share of the image are joined to their nearest neighbour.
const MIN_FRACTION: f32 = 0.01;

/// One dominant colour of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct DominantColor {
    /// The colour itself, `#rrggbb` in lower case.
    pub hex: String,
    /// The nearest named W3C colour, `#rrggbb` in lower case.
    pub w3c_hex: String,
    /// Name of the nearest W3C colour in the W3C's spelling, such as `DarkSlateGray`.
    pub w3c_name: String,
    /// Share of the image's area, 0..1; the shares of one image sum to 1.
    pub fraction: f32,
}

/// At most `max` dominant colours, the largest first. Empty if the image is or `max` is 0.
pub fn dominant(img: &RgbImage, max: usize) -> Vec<DominantColor> {
    let (width, height) = crate::image::fit(img.width(), img.height(), MAX_SIDE);
    let cells = if (width, height) == img.dimensions() {
        histogram(img)
    } else {
        histogram(&resize(img, None, (width, height), Filter::Bilinear))
    };
    let mut clusters = kmeans::cluster(&cells, max);
    merge(&mut clusters);
    clusters.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let total: f32 = clusters.iter().map(|c| c.weight).sum();
    clusters.iter().map(|c| name(c.center, c.weight / total)).collect()
}

/// A number of pixels around one place in the colour space.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weighted {
    center: Oklab,
    weight: f32,
}

/// Counts pixels in 32 × 32 × 32 cells; a cell stands at the mean of its pixels.
fn histogram(img: &RgbImage) -> Vec<Weighted> {
    let mut sums = vec![[0u32; 4]; 1 << 15];
    for &[r, g, b] in img.as_raw().as_chunks::<3>().0 {
        let cell = usize::from(r >> 3) << 10 | usize::from(g >> 3) << 5 | usize::from(b >> 3);
        let sum = &mut sums[cell];
        sum[0] += u32::from(r);
        sum[1] += u32::from(g);
        sum[2] += u32::from(b);
        sum[3] += 1;
    }
    sums.iter()
        .filter(|sum| sum[3] > 0)
        .map(|&[r, g, b, n]| {
            let n = n as f32;
            Weighted { center: Oklab::from_srgb([r as f32 / n, g as f32 / n, b as f32 / n]), weight: n }
        })
        .collect()
}

/// Joins clusters that look alike or are too small to mention, the closest pair first.
fn merge(clusters: &mut Vec<Weighted>) {
    let total: f32 = clusters.iter().map(|c| c.weight).sum();
    while clusters.len() > 1 {
        let Some((from, into)) = pair_to_merge(clusters, total * MIN_FRACTION) else {
            break;
        };
        let a = clusters[from];
        let b = &mut clusters[into];
        let weight = a.weight + b.weight;
        b.center = b.center.lerp(a.center, a.weight / weight);
        b.weight = weight;
        clusters.remove(from);
    }
}

fn pair_to_merge(clusters: &[Weighted], min_weight: f32) -> Option<(usize, usize)> {
    let mut best = None;
    let mut best_distance = f32::INFINITY;
    for (i, a) in clusters.iter().enumerate() {
        for (j, b) in clusters.iter().enumerate().skip(i + 1) {
            let distance = a.center.distance_squared(b.center);
            let is_mergeable =
                distance < SAME_COLOR_DISTANCE * SAME_COLOR_DISTANCE || a.weight.min(b.weight) < min_weight;
            if is_mergeable && distance < best_distance {
                best_distance = distance;
                best = Some((j, i));
            }
        }
    }
    best
}

fn name(center: Oklab, fraction: f32) -> DominantColor {
    let (name, rgb) = nearest_w3c(center);
    DominantColor { hex: hex(center.to_srgb()), w3c_hex: hex(rgb), w3c_name: name.to_owned(), fraction }
}

fn nearest_w3c(color: Oklab) -> (&'static str, [u8; 3]) {
    let distance = |rgb: [u8; 3]| color.distance_squared(Oklab::from_srgb(rgb.map(f32::from)));
    *w3c::W3C_COLORS
        .iter()
        .min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)))
        .expect("the table of named colours is not empty")
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
