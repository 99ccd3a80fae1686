//! Perceptual hash and the probability that two images show the same picture.
use crate::image::RgbImage;

pub fn perceptual_hash(_img: &RgbImage) -> u64 {
    todo!()
}
pub fn hamming(a: u64, b: u64) -> u32 {
    (a ^ b).count_ones()
}
pub fn near_duplicate(_hash_a: u64, _hash_b: u64, _cosine: f32) -> f32 {
    todo!()
}
