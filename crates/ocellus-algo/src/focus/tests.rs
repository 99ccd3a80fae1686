//! Tests of the sharpness measure.

use ::image::Rgb;

use super::*;

/// A checkerboard of the given square size and contrast.
fn board(side: u32, square: u32, low: u8, high: u8) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        let value = if (x / square + y / square).is_multiple_of(2) { low } else { high };
        Rgb([value; 3])
    })
}

fn blurred(image: &RgbImage, sigma: f32) -> RgbImage {
    ::image::imageops::blur(image, sigma)
}

#[test]
fn the_variance_of_a_known_pattern_is_right() {
    // Squares of one pixel, 0 and 10: every neighbour differs by 10, so the Laplacian is +40 or -40 in equal parts.
    let focus = measure(&board(10, 1, 0, 10));
    assert!((focus.laplacian_variance - 1600.0).abs() < 0.5, "{focus:?}");
    assert!((focus.sharpness - 1600.0 / 1900.0).abs() < 1e-3, "{focus:?}");
}

#[test]
fn an_image_without_detail_is_not_sharp() {
    for image in [RgbImage::new(50, 50), RgbImage::new(2, 2), RgbImage::new(1, 40), RgbImage::new(0, 0)] {
        assert_eq!(measure(&image), Focus { sharpness: 0.0, laplacian_variance: 0.0 });
    }
}

#[test]
fn sharpness_falls_with_blur() {
    let image = board(256, 16, 20, 230);
    let values: Vec<f32> =
        [0.6, 1.2, 2.4, 4.8].map(|sigma| measure(&blurred(&image, sigma)).sharpness).to_vec();
    assert!(values.windows(2).all(|w| w[0] > w[1]), "{values:?}");
    assert!(values[3] < 0.1 && measure(&image).sharpness > 0.9, "{values:?}");
}

#[test]
fn a_sharp_subject_before_a_soft_background_is_sharp() {
    let mut image = blurred(&board(256, 16, 20, 230), 6.0);
    let subject = board(128, 16, 20, 230);
    ::image::imageops::replace(&mut image, &subject, 64, 64);
    assert!(measure(&image).sharpness > 0.9 * measure(&board(256, 16, 20, 230)).sharpness);
}

#[test]
fn the_cameras_resolution_does_not_matter() {
    let small = measure(&blurred(&board(1024, 64, 20, 230), 2.0)).sharpness;
    let large = measure(&blurred(&board(2048, 128, 20, 230), 4.0)).sharpness;
    assert!((small - large).abs() < 0.05, "{small} is not {large}");
}
