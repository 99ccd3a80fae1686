//! Tests of the perceptual hash and of the near-duplicate judgement.

use std::f32::consts::PI;

use ::image::Rgb;
use proptest::prelude::*;

use super::*;
use crate::image::tests::picture;

/// A smooth picture made of a few waves.
fn waves(width: u32, height: u32, phase: f32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        let value = (u * 9.0 + phase).sin() + (v * 7.0 - phase).cos() + (u * v * 11.0 + 2.0 * phase).sin();
        Rgb([((value + 3.0) * 42.0) as u8; 3])
    })
}

#[test]
fn one_wave_gives_one_frequency() {
    let (u, v) = (3, 5);
    let image: Vec<f32> = (0..dct::SIDE * dct::SIDE)
        .map(|i| {
            let (y, x) = (i / dct::SIDE, i % dct::SIDE);
            let wave = |at: usize, n: usize| (PI * (2 * at + 1) as f32 * n as f32 / 64.0).cos();
            wave(x, u) * wave(y, v)
        })
        .collect();
    let frequencies = dct::low_frequencies(&image);
    for (i, f) in frequencies.iter().enumerate() {
        let is_the_one = i == (v - 1) * 8 + (u - 1);
        // The squared norm of a cosine of length 32 is 16 on each axis.
        let expected = if is_the_one { 256.0 } else { 0.0 };
        assert!((f - expected).abs() < 1e-2, "frequency {i}: {f}");
    }
}

#[test]
fn half_of_the_bits_are_set() {
    assert_eq!(perceptual_hash(&waves(200, 150, 0.3)).count_ones(), 32);
}

#[test]
fn a_stored_hash_stays_valid() {
    // Changing the function would make every stored hash useless, so this value may not change.
    assert_eq!(format!("{:016x}", perceptual_hash(&waves(64, 64, 1.0))), "c0b56a552a552d5f");
}

#[test]
fn versions_of_a_picture_have_near_hashes_and_other_pictures_have_far_ones() {
    let original = waves(300, 200, 0.5);
    let hash = perceptual_hash(&original);
    let brighter = RgbImage::from_fn(300, 200, |x, y| Rgb(original.get_pixel(x, y).0.map(|v| v / 2 + 100)));
    let small = crate::image::thumbnail(&original, 90);
    let jpeg = crate::image::encode_jpeg(&original, 20).unwrap();
    let recompressed = crate::image::decode(&jpeg, &Default::default()).unwrap().image;
    for version in [brighter, small, recompressed] {
        assert!(hamming(hash, perceptual_hash(&version)) <= 6);
    }
    for other in [waves(300, 200, 2.0), picture(300, 200)] {
        assert!(hamming(hash, perceptual_hash(&other)) >= 16);
    }
}

#[test]
fn tiny_and_flat_images_have_a_hash() {
    for image in [RgbImage::new(1, 1), RgbImage::new(0, 0), RgbImage::new(500, 2)] {
        assert_eq!(perceptual_hash(&image), perceptual_hash(&image));
    }
}

#[test]
fn the_judgement_separates_clear_cases() {
    assert!(near_duplicate(0, 0, 1.0) > 0.99);
    assert!(near_duplicate(0, 0xff, 0.9) > 0.9);
    assert!(near_duplicate(0, 0xffff_ffff, 0.3) < 0.01);
    assert!(near_duplicate(0, 0xffff_ffff, 0.6) < 0.1);
}

proptest! {
    #[test]
    fn the_probability_falls_with_distance_and_grows_with_the_cosine(
        n_bits in 0u32..63, cosine in -1f32..1.0, step in 0.01f32..0.5,
    ) {
        let hash = |n: u32| (1u64 << n) - 1;
        let p = near_duplicate(0, hash(n_bits), cosine);
        prop_assert!((0.0..=1.0).contains(&p));
        prop_assert!(near_duplicate(0, hash(n_bits + 1), cosine) <= p);
        prop_assert!(near_duplicate(0, hash(n_bits), (cosine + step).min(1.0)) >= p);
        prop_assert_eq!(p, near_duplicate(hash(n_bits), 0, cosine));
    }
}
