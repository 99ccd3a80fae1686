//! Tests of reading a detector's numbers, against cases computed by hand.

use proptest::prelude::*;

use super::*;

fn check(actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{actual:?} {expected:?}");
    for (a, e) in actual.iter().zip(expected) {
        assert!((a - e).abs() < 1e-6, "{actual:?} is not {expected:?}");
    }
}

#[test]
fn of_boxes_that_overlap_the_best_stays() {
    let boxes = [
        [0.0, 0.0, 0.4, 0.4],
        // Overlaps the first by 0.6: 0.4 x 0.3 of 0.4 x 0.5.
        [0.0, 0.1, 0.4, 0.5],
        [0.6, 0.6, 1.0, 1.0],
        // Overlaps the third by 0.25.
        [0.6, 0.6, 0.8, 0.8],
    ];
    let table: [(&[f32], f32, usize, &[usize]); 5] = [
        (&[0.9, 0.8, 0.7, 0.6], 0.5, 9, &[0, 2, 3]),
        (&[0.8, 0.9, 0.7, 0.6], 0.5, 9, &[1, 2, 3]),
        (&[0.9, 0.8, 0.7, 0.6], 0.7, 9, &[0, 1, 2, 3]),
        (&[0.9, 0.9, 0.9, 0.9], 0.2, 9, &[0, 2]),
        (&[f32::NAN, 0.1, 0.7, 0.6], 0.5, 2, &[2, 3]),
    ];
    for (scores, overlap, max, expected) in table {
        assert_eq!(suppress(&boxes, scores, overlap, max), expected, "{scores:?} {overlap}");
    }
}

#[test]
fn each_class_keeps_its_own_boxes_and_small_ones_are_dropped() {
    let boxes = [
        0.1, 0.1, 0.5, 0.5, //
        0.1, 0.1, 0.5, 0.52, //
        -0.2, 0.5, 0.4, 1.3, //
        0.9, 0.9, 0.901, 1.0,
    ];
    let scores = [0.9, 0.3, 0.8, 0.6, 0.1, 0.5, 1.0, 1.0];
    let raw = Raw { scores: &scores, n_classes: 2, boxes: &boxes };
    let found = detections(raw, 0.2, 10).unwrap();
    let said: Vec<(usize, f32)> = found.iter().map(|one| (one.class, one.score)).collect();
    assert_eq!(said, [(0, 0.9), (1, 0.6), (1, 0.5)]);
    assert_eq!(found[2].sides, [0.0, 0.5, 0.4, 1.0], "cut to the image");
    assert_eq!(detections(raw, 0.2, 1).unwrap().len(), 1);
    assert_eq!(detections(raw, 1.5, 10).unwrap(), []);
    let likely = proposals(raw, 10).unwrap();
    assert_eq!(likely, [[0.1, 0.1, 0.5, 0.5], [0.0, 0.5, 0.4, 1.0]], "whatever the class");
}

#[test]
fn numbers_that_do_not_fit_together_are_refused() {
    let table: [(&[f32], usize, &[f32]); 4] = [
        (&[0.5], 1, &[0.0, 0.0, 1.0]),
        (&[0.5, 0.5], 1, &[0.0, 0.0, 1.0, 1.0]),
        (&[], 0, &[]),
        (&[0.5], 2, &[0.0, 0.0, 1.0, 1.0]),
    ];
    for (scores, n_classes, boxes) in table {
        assert!(detections(Raw { scores, n_classes, boxes }, 0.1, 5).is_err(), "{scores:?} {n_classes}");
    }
    assert!(FeatureMap::new(&[1, 2, 2], &[0.0; 4]).is_err());
    assert!(FeatureMap::new(&[1, 1, 2, 2], &[0.0; 5]).is_err());
    assert!(FeatureMap::new(&[1, 0, 2, 2], &[]).is_err());
}

#[test]
fn a_box_is_described_by_the_means_of_its_cells() {
    // Two maps of two by two: 0 1 / 2 3 and all 4.
    let map = FeatureMap::new(&[1, 2, 2, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 4.0]).unwrap();
    let described = |sides, rows, columns| {
        let mut out = Vec::new();
        map.describe(sides, Cells { rows, columns }, &mut out);
        out
    };
    let unit = |v: &[f32]| {
        let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
        v.iter().map(|x| x / length).collect::<Vec<f32>>()
    };
    check(&described([0.0, 0.0, 1.0, 1.0], 1, 1), &unit(&[1.5, 4.0]));
    check(&described([0.0, 0.0, 0.5, 0.5], 1, 1), &unit(&[0.0, 4.0]));
    check(&described([0.5, 0.25, 1.0, 0.75], 1, 1), &unit(&[2.5, 4.0]));
    check(&described([0.0, 0.0, 1.0, 1.0], 1, 2), &unit(&[1.0, 4.0, 2.0, 4.0]));
    check(&described([0.0, 0.0, 1.0, 1.0], 2, 2), &unit(&[0.0, 4.0, 1.0, 4.0, 2.0, 4.0, 3.0, 4.0]));
    assert_eq!(map.dim(Cells { rows: 2, columns: 2 }), 8);
    let empty = described([0.5, 0.5, 0.5, 0.5], 1, 1);
    assert!(empty.iter().all(|x| x.is_finite()), "a box without area gives numbers");
}

proptest! {
    #[test]
    fn what_is_kept_does_not_overlap_and_falls_in_score(
        raw in prop::collection::vec((0f32..0.9, 0f32..0.9, 0.01f32..0.5, 0.01f32..0.5, 0f32..1.0), 0..40),
    ) {
        let boxes: Vec<[f32; 4]> = raw.iter().map(|b| [b.0, b.1, b.0 + b.2, b.1 + b.3]).collect();
        let scores: Vec<f32> = raw.iter().map(|b| b.4).collect();
        let kept = suppress(&boxes, &scores, 0.5, 40);
        for (n, a) in kept.iter().enumerate() {
            for b in &kept[n + 1..] {
                prop_assert!(scores[*a] >= scores[*b]);
                prop_assert!(iou(boxes[*a], boxes[*b]) <= 0.5);
            }
        }
    }
}
