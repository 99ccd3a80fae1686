//! Tests of dominant colours, and of the colour space against the `palette` crate.

use ::image::Rgb;
use palette::{FromColor, Srgb};
use proptest::prelude::*;

use super::*;

fn striped(colors: &[([u8; 3], u32)]) -> RgbImage {
    let width: u32 = colors.iter().map(|(_, n)| n).sum();
    let row: Vec<[u8; 3]> = colors.iter().flat_map(|&(c, n)| vec![c; n as usize]).collect();
    RgbImage::from_fn(width, 10, |x, _| Rgb(row[x as usize]))
}

#[test]
fn areas_of_flat_colour_are_found_with_their_shares_and_names() {
    let image = striped(&[([47, 79, 79], 60), ([255, 99, 71], 30), ([250, 250, 255], 10)]);
    let found = dominant(&image, 5);
    let expected = [
        ("#2f4f4f", "#2f4f4f", "DarkSlateGray", 0.6),
        ("#ff6347", "#ff6347", "Tomato", 0.3),
        ("#fafaff", "#f8f8ff", "GhostWhite", 0.1),
    ];
    assert_eq!(found.len(), 3);
    for (found, (hex, w3c_hex, w3c_name, fraction)) in found.iter().zip(expected) {
        assert_eq!(
            (found.hex.as_str(), found.w3c_hex.as_str(), found.w3c_name.as_str()),
            (hex, w3c_hex, w3c_name)
        );
        assert!((found.fraction - fraction).abs() < 1e-6);
    }
}

#[test]
fn colours_that_look_alike_are_one() {
    let image = striped(&[([200, 30, 30], 50), ([204, 33, 28], 50)]);
    assert_eq!(dominant(&image, 8).len(), 1);
}

#[test]
fn a_speck_is_not_a_dominant_colour() {
    let image = striped(&[([255, 255, 255], 998), ([255, 0, 0], 2)]);
    assert_eq!(dominant(&image, 8).len(), 1);
}

#[test]
fn nothing_comes_of_nothing() {
    assert_eq!(dominant(&RgbImage::new(0, 0), 5), []);
    assert_eq!(dominant(&RgbImage::new(4, 4), 0), []);
}

#[test]
fn the_names_and_values_are_the_standards() {
    assert_eq!(w3c::W3C_COLORS.len(), 139);
    for (name, rgb) in w3c::W3C_COLORS {
        let standard = palette::named::from_str(&name.to_lowercase());
        assert_eq!(standard, Some(Srgb::from(*rgb)), "{name}");
        assert_eq!(nearest_w3c(Oklab::from_srgb(rgb.map(f32::from))).1, *rgb, "{name}");
    }
}

#[test]
fn the_colour_space_agrees_with_palette() {
    for rgb in [[0u8, 0, 0], [255, 255, 255], [255, 0, 0], [12, 200, 77], [1, 2, 3], [90, 90, 90]] {
        let ours = Oklab::from_srgb(rgb.map(f32::from));
        let theirs = palette::Oklab::from_color(Srgb::from(rgb).into_format::<f32>().into_linear());
        for (a, b) in [(ours.l, theirs.l), (ours.a, theirs.a), (ours.b, theirs.b)] {
            assert!((a - b).abs() < 1e-4, "{rgb:?}: {ours:?} is not {theirs:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_colour_space_is_invertible(rgb: [u8; 3]) {
        prop_assert_eq!(Oklab::from_srgb(rgb.map(f32::from)).to_srgb(), rgb);
    }

    #[test]
    fn shares_sum_to_one_and_fall_and_the_order_of_pixels_does_not_matter(
        pixels in prop::collection::vec(any::<[u8; 3]>(), 64),
        max in 1usize..9,
        turn in 1usize..63,
    ) {
        let image = RgbImage::from_raw(8, 8, pixels.concat()).unwrap();
        let colors = dominant(&image, max);
        prop_assert!((1..=max).contains(&colors.len()));
        prop_assert!((colors.iter().map(|c| c.fraction).sum::<f32>() - 1.0).abs() < 1e-4);
        prop_assert!(colors.windows(2).all(|w| w[0].fraction >= w[1].fraction));
        let mut turned = pixels;
        turned.rotate_left(turn);
        let image = RgbImage::from_raw(8, 8, turned.concat()).unwrap();
        prop_assert_eq!(dominant(&image, max), colors);
    }
}
