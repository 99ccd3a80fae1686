//! Cases small enough to be counted by hand.

use super::*;

fn of(item: usize, class: usize, score: f32) -> Claim {
    Claim { item, class, score, sides: [0.0; 4] }
}

fn boxed(item: usize, class: usize, score: f32, sides: [f32; 4]) -> Claim {
    Claim { item, class, score, sides }
}

fn near(a: f32, b: f32) {
    assert!((a - b).abs() < 1e-5, "{a} is not {b}");
}

#[test]
fn the_overlap_of_boxes_is_the_shared_part_of_their_union() {
    let unit = [0.0, 0.0, 1.0, 1.0];
    for (other, expected) in [
        (unit, 1.0),
        ([0.0, 0.5, 1.0, 1.5], 1.0 / 3.0),
        ([0.5, 0.5, 1.0, 1.0], 0.25),
        ([1.0, 0.0, 2.0, 1.0], 0.0),
        ([0.2, 0.2, 0.2, 0.2], 0.0),
    ] {
        near(iou(unit, other), expected);
        near(iou(other, unit), expected);
    }
}

#[test]
fn whole_items_are_counted_ranked_and_confused() {
    // Class 0 is true of items 0, 1 and 2 of five; class 1 of items 2 and 3.
    let truth = [of(0, 0, 1.0), of(1, 0, 1.0), of(2, 0, 1.0), of(2, 1, 1.0), of(3, 1, 1.0), of(4, 1, 0.0)];
    let said = [of(0, 0, 0.9), of(1, 0, 0.4), of(1, 1, 0.8), of(2, 0, 0.6), of(3, 0, 0.7), of(4, 1, 0.2)];
    let found = of_items(5, 2, &truth, &said);
    let first = &found.classes[0];
    assert_eq!((first.n_positive, first.n_negative, first.n_right, first.n_wrong), (3, 2, 2, 1));
    near(first.precision, 2.0 / 3.0);
    near(first.recall, 2.0 / 3.0);
    near(first.f1, 2.0 / 3.0);
    // By falling score: right, wrong, right, right.
    near(first.average_precision, (1.0 + 2.0 / 3.0 + 3.0 / 4.0) / 3.0);
    // Six pairs: 0.9 beats both, 0.6 and 0.4 beat the one with 0 but not 0.7.
    near(first.roc_auc.unwrap(), 4.0 / 6.0);
    let second = &found.classes[1];
    assert_eq!((second.n_positive, second.n_right, second.n_wrong), (2, 0, 1));
    near(second.f1, 0.0);
    // Items 2 and 3 have 0, item 0 has 0 too, items 1 and 4 have more: a half of one pair of three each.
    near(second.roc_auc.unwrap(), 1.0 / 6.0);
    // Item 1: class 0 was missed and class 1 said instead. Item 3: the other way round. Item 2: class 1 was missed only.
    assert_eq!(found.confusion, [vec![2, 1], vec![1, 0]]);
    assert_eq!(found.classes[0].curve.len(), 4);
    near(found.classes[0].curve[1].false_rate, 0.5);
}

#[test]
fn boxes_find_each_box_of_the_truth_once() {
    let (left, right) = ([0.0, 0.0, 1.0, 0.5], [0.0, 0.5, 1.0, 1.0]);
    let truth = [boxed(0, 0, 1.0, left), boxed(0, 0, 1.0, right), boxed(1, 1, 1.0, left)];
    let said = [
        boxed(0, 0, 0.9, left),
        // The same once more is wrong.
        boxed(0, 0, 0.8, left),
        // Overlaps by 0.8 of 1: right up to 0.8.
        boxed(0, 0, 0.7, [0.0, 0.5, 0.8, 1.0]),
        // Of the wrong class.
        boxed(1, 0, 0.6, left),
    ];
    let found = of_boxes(2, &truth, &said);
    let first = &found.classes[0];
    assert_eq!((first.n_positive, first.n_right, first.n_wrong), (2, 2, 2));
    near(first.precision, 0.5);
    near(first.recall, 1.0);
    // Precisions 1, 1/2, 2/3, 1/2 at recalls 1/2, 1/2, 1, 1; raised to the best to come: 1 and 2/3.
    near(first.average_precision, 0.5 + 0.5 * 2.0 / 3.0);
    assert_eq!((found.classes[1].n_positive, found.classes[1].n_right), (1, 0));
    let (at_half, over_range) = found.mean_average_precision.unwrap();
    near(at_half, (5.0 / 6.0) / 2.0);
    // 0.5 to 0.8 are seven steps with 5/6; above, only the first box is found: 1/2.
    near(over_range, (7.0 * 5.0 / 6.0 + 3.0 * 0.5) / 10.0 / 2.0);
    assert_eq!(found.confusion, [vec![2, 1], vec![0, 0]]);
}

#[test]
fn nothing_agrees_with_nothing() {
    let found = of_items(0, 1, &[], &[]);
    assert_eq!((found.classes[0].roc_auc, found.classes[0].f1), (None, 0.0));
    assert_eq!(of_boxes(1, &[], &[]).mean_average_precision, Some((0.0, 0.0)));
    near(deviation(&[1.0, 3.0]), 1.0);
}
