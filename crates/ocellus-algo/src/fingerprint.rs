//! Perceptual hash and the probability that two images are versions of the same picture.
//!
//! The hash is pHash (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, section
//! 3.2.1): the image is shrunk to 32 × 32 grey pixels, transformed by the DCT, and the 8 × 8 lowest frequencies
//! without the constant ones give one bit each, telling whether they exceed their median. Hashes are stored, so the
//! function must not change; a new one would be a new function.

mod dct;
#[cfg(test)]
mod tests;

use crate::image::RgbImage;
use crate::luma::Luma;
use crate::preprocess::Filter;
use crate::resize::resize;

/// The 64-bit perceptual hash of an image. Bit 63 is the lowest frequency.
pub fn perceptual_hash(img: &RgbImage) -> u64 {
    let side = dct::SIDE as u32;
    let luma = Luma::of(&resize(img, None, (side, side), Filter::Bilinear));
    let frequencies = dct::low_frequencies(&luma.values);
    let mut sorted = frequencies;
    sorted.sort_by(f32::total_cmp);
    let median = f32::midpoint(sorted[31], sorted[32]);
    frequencies.iter().fold(0, |hash, &f| hash << 1 | u64::from(f > median))
}

/// Number of differing bits, 0..=64.
pub fn hamming(a: u64, b: u64) -> u32 {
    (a ^ b).count_ones()
}

/// Probability, 0..1, that two images are versions of the same picture (recompressed, resized, recoloured, slightly
/// cropped or written on), from their perceptual hashes and the cosine of their embeddings.
///
/// It falls with the hashes' distance and grows with the cosine.
pub fn near_duplicate(hash_a: u64, hash_b: u64, cosine: f32) -> f32 {
    let hamming = hamming(hash_a, hash_b) as f32;
    let logit = BIAS + PER_BIT * hamming + PER_COSINE * cosine;
    1.0 / (1.0 + (-logit).exp())
}

const BIAS: f32 = -20.0;
const PER_BIT: f32 = -0.15;
const PER_COSINE: f32 = 30.0;
