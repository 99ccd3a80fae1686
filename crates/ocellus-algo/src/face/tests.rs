//! Tests of reading the face detector and of aligning, against cases computed by hand; what real networks give is held
//! against other implementations in the tests of the core.

use proptest::prelude::*;

use super::*;
use crate::image::RgbImage;

const WHOLE: Frame = Frame { top: 0.0, left: 0.0, height: 1.0, width: 1.0 };

/// The twelve outputs for a square of 32 pixels, where nothing is seen.
fn nothing() -> Vec<Tensor> {
    let mut outputs = Vec::new();
    for width in [1, 1, 4, 10] {
        for n in [16, 4, 1] {
            outputs.push(Tensor { shape: vec![1, n, width], data: vec![0.0; n * width] });
        }
    }
    outputs
}

#[test]
fn a_place_tells_box_and_landmarks_in_distances_of_its_grid() {
    let mut outputs = nothing();
    // The second grid has places every 16 pixels; the one at across 1, down 0.
    outputs[1].data[1] = 0.81;
    outputs[4].data[1] = 1.0;
    // Half a place down, twice as high as the distance.
    outputs[7].data[4..8].copy_from_slice(&[0.0, 0.5, 0.0, 2.0_f32.ln()]);
    outputs[10].data[10..20].copy_from_slice(&[-0.25, 0.0, 0.25, 0.0, 0.0, 0.5, -0.25, 1.0, 0.25, 1.0]);
    let faces = decode(&outputs, 32, WHOLE, 0.6).unwrap();
    assert_eq!(faces.len(), 1);
    assert!((faces[0].score - 0.9).abs() < 1e-6);
    // In pixels: the middle at across 16, down 8; 16 wide, 32 high.
    assert_eq!(faces[0].sides, [-0.25, 0.25, 0.75, 0.75]);
    assert_eq!(faces[0].landmarks[0], [0.375, 0.0]);
    assert_eq!(faces[0].landmarks[4], [0.625, 0.5]);
    // The image fills the middle half of the square from top to bottom.
    let frame = Frame { left: 0.25, width: 0.5, ..WHOLE };
    assert_eq!(decode(&outputs, 32, frame, 0.6).unwrap()[0].sides, [-0.25, 0.0, 0.75, 1.0]);
    assert_eq!(decode(&outputs, 32, WHOLE, 0.95).unwrap(), []);
}

#[test]
fn of_two_places_that_see_one_face_the_surer_is_kept() {
    let mut outputs = nothing();
    for (grid, place, class) in [(1, 0, 0.64), (2, 0, 1.0)] {
        outputs[grid].data[place] = class;
        outputs[3 + grid].data[place] = 1.0;
    }
    // Both 32 pixels wide around the middle.
    outputs[7].data[..4].copy_from_slice(&[1.0, 1.0, 2.0_f32.ln(), 2.0_f32.ln()]);
    outputs[8].data[..4].copy_from_slice(&[0.5, 0.5, 0.0, 0.0]);
    let faces = decode(&outputs, 32, WHOLE, 0.6).unwrap();
    assert_eq!(faces.len(), 1);
    assert_eq!((faces[0].score, faces[0].sides), (1.0, [0.0, 0.0, 1.0, 1.0]));
}

#[test]
fn outputs_of_another_network_are_refused() {
    let mut outputs = nothing();
    assert!(decode(&outputs, 64, WHOLE, 0.6).is_err());
    outputs.pop();
    assert!(decode(&outputs, 32, WHOLE, 0.6).is_err());
    assert!(decode(&[], 32, WHOLE, 0.6).is_err());
}

#[test]
fn the_similarity_of_known_points_is_right() {
    let from = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]];
    // Turned by a quarter, twice as large, moved by 5 and 7.
    let to = [[5.0, 7.0], [5.0, 11.0], [1.0, 7.0]];
    let found = Similarity::between(&from, &to).unwrap();
    for (actual, expected) in [(found.a, 0.0), (found.b, 2.0), (found.tx, 5.0), (found.ty, 7.0)] {
        assert!((actual - expected).abs() < 1e-9, "{found:?}");
    }
    assert_eq!(Similarity::between(&[[1.0, 1.0]; 5], &ARCFACE), None);
    assert_eq!(Similarity::between(&[], &[]), None);
    assert_eq!(Similarity::between(&[[f32::NAN, 0.0]; 5], &ARCFACE), None);
}

#[test]
fn a_picture_whose_landmarks_lie_right_stays_as_it_is() {
    let img = RgbImage::from_fn(32, 32, |x, y| ::image::Rgb([(x * 8) as u8, (y * 8) as u8, 9]));
    let same = aligned(&img, &ARCFACE, &ARCFACE, 32).unwrap();
    assert_eq!(same, img);
    // Twice as large: a grey ramp stays a ramp.
    let large = aligned(&img, &ARCFACE, &ARCFACE, 64).unwrap();
    let middle = large.get_pixel(33, 20).0;
    assert!((f64::from(middle[0]) - 33.0 * 4.0).abs() < 2.0, "{middle:?}");
    assert!(aligned(&img, &[[0.5, 0.5]; 5], &ARCFACE, 32).is_none());
}

proptest! {
    #[test]
    fn the_inverse_undoes_a_similarity(
        angle in -3f64..3.0, scale in 0.1f64..10.0, tx in -50f64..50.0, ty in -50f64..50.0,
        x in -10f64..10.0, y in -10f64..10.0,
    ) {
        let there = Similarity { a: scale * angle.cos(), b: scale * angle.sin(), tx, ty };
        let [bx, by] = there.inverse().apply(there.apply([x, y]));
        prop_assert!((bx - x).abs() < 1e-6 && (by - y).abs() < 1e-6);
    }
}
