//! Numbers against scikit-learn's and cleanlab's, and small cases counted by hand.

use std::path::Path;

use serde_json::Value;

use super::*;

/// Labels and probabilities as they are in the fixture.
struct Set {
    n_concepts: usize,
    labels: Vec<Label>,
    probabilities: Vec<f32>,
    groups: Vec<u32>,
    expected: Value,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn golden(name: &str) -> (Set, f64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/golden/evaluate.json");
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let expected = all[name].clone();
    let n_concepts = expected["n_concepts"].as_u64().unwrap() as usize;
    let label = |x: f64| if x > 0.0 { Label::Positive } else { Label::Unknown };
    let labels: Vec<Label> = numbers(&expected["labels"]).into_iter().map(label).collect();
    let probabilities = numbers(&expected["probabilities"]).into_iter().map(|x| x as f32).collect();
    let groups = (0..(labels.len() / n_concepts) as u32).collect();
    (Set { n_concepts, labels, probabilities, groups, expected }, all["tolerance"].as_f64().unwrap())
}

impl Set {
    fn judged(&self, exclusive: bool) -> Judged<'_> {
        Judged {
            n_concepts: self.n_concepts,
            labels: &self.labels,
            probabilities: &self.probabilities,
            groups: &self.groups,
            folds: &[],
            exclusive,
            unlabelled_is_no: true,
        }
    }
}

fn without_draws() -> Spec {
    Spec { n_draws: 0, n_points: usize::MAX, ..Spec::default() }
}

fn near(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
    }
}

fn check_golden(name: &str, exclusive: bool) -> (Report, Value) {
    let (set, tolerance) = golden(name);
    let judged = set.judged(exclusive);
    let report = report(&judged, &without_draws(), &mut || true).unwrap();
    let named = report.numbers.named();
    for (number, expected) in set.expected["summary"].as_object().unwrap() {
        if let Some((_, found)) = named.iter().find(|(name, _)| name == number) {
            near(number, &[found.unwrap()], &[expected.as_f64().unwrap()], tolerance);
        }
    }
    let by_concept = &set.expected["summary"]["by_concept"];
    let of = |number: fn(&ConceptReport) -> f64| report.concepts.iter().map(number).collect::<Vec<_>>();
    near("precision", &of(|c| c.precision), &numbers(&by_concept[0]), tolerance);
    near("recall", &of(|c| c.recall), &numbers(&by_concept[1]), tolerance);
    near("f1", &of(|c| c.f1), &numbers(&by_concept[2]), tolerance);
    for (concept, expected) in report.concepts.iter().zip(set.expected["concepts"].as_array().unwrap()) {
        let (roc, curve) = (&expected["roc"], &expected["precision_recall"]);
        let areas = [concept.areas.roc_auc.unwrap(), concept.areas.average_precision.unwrap()];
        let expected = ["roc_auc", "average_precision"].map(|area| expected[area].as_f64().unwrap());
        near("areas", &areas, &expected, tolerance);
        near("false rates", &concept.roc.false_rates, &numbers(&roc["false_rates"]), tolerance);
        near("true rates", &concept.roc.true_rates, &numbers(&roc["true_rates"]), tolerance);
        near("thresholds", &concept.roc.thresholds[1..], &numbers(&roc["thresholds"]), tolerance);
        assert!(concept.roc.thresholds[0] > concept.roc.thresholds[1]);
        let found = &concept.precision_recall;
        near("precision", &found.precision, &numbers(&curve["precision"]), tolerance);
        near("recall", &found.recall, &numbers(&curve["recall"]), tolerance);
        near("thresholds", &found.thresholds, &numbers(&curve["thresholds"]), tolerance);
    }
    let counts = |of: &[Vec<u32>]| serde_json::to_value(of).unwrap();
    assert_eq!(counts(&report.cooccurrence), set.expected["cooccurrence"]);
    if exclusive {
        assert_eq!(counts(&report.confusion.counts), set.expected["confusion"]);
    }
    (report, set.expected)
}

#[test]
fn concepts_that_exclude_each_other_are_judged_as_scikit_learn_does() {
    let (report, expected) = check_golden("exclusive", true);
    let found: Vec<u64> = report.doubts.iter().map(|doubt| doubt.row as u64).collect();
    assert_eq!(serde_json::to_value(found).unwrap(), expected["doubts"]);
    let diagonal: Vec<f64> = report.confusion.order.iter().map(|k| report.confusion.share(*k, *k)).collect();
    assert!(diagonal.is_sorted_by(|a, b| a >= b), "{diagonal:?}");
}

#[test]
fn concepts_by_themselves_are_judged_as_scikit_learn_does() {
    let (report, expected) = check_golden("multi", false);
    for (concept, expected) in expected["doubts"].as_array().unwrap().iter().enumerate() {
        let mut found: Vec<usize> =
            report.doubts.iter().filter(|doubt| doubt.concept == concept).map(|doubt| doubt.row).collect();
        found.sort_unstable();
        assert_eq!(serde_json::to_value(found).unwrap(), *expected, "{concept}");
    }
}

fn places(items: &[(f64, bool)]) -> Vec<Place> {
    Ranked::new((0..).zip(items).map(|(row, (score, yes))| (row, *score, *yes))).places()
}

#[test]
fn thresholds_reach_their_targets_and_find_as_much_as_can_be() {
    let places = places(&[(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.5, true), (0.1, false)]);
    let cases = [
        (for_precision(&places, 1.0), Some((0.8, 1.0, 0.5, 0.0))),
        (for_precision(&places, 0.75), Some((0.5, 0.8, 1.0, 0.5))),
        (for_precision(&places, 1.1), None),
        (for_false_rate(&places, 0.0), Some((0.8, 1.0, 0.5, 0.0))),
        (for_false_rate(&places, 0.5), Some((0.5, 0.8, 1.0, 0.5))),
        (best_f1(&places), Some((0.5, 0.8, 1.0, 0.5))),
    ];
    for (found, expected) in cases {
        let found = found.map(|place| (place.threshold, place.precision, place.recall, place.false_rate));
        assert_eq!(found, expected);
    }
    let of_two = tests::places(&[(0.9, false), (0.5, true)]);
    assert_eq!(for_precision(&of_two, 0.9), None);
}

#[test]
fn what_nobody_said_counts_as_no_only_if_asked_for() {
    use Label::{Negative, Positive, Unknown};
    let labels = [Positive, Unknown, Negative, Unknown];
    let mut judged = Judged {
        n_concepts: 1,
        labels: &labels,
        probabilities: &[0.9, 0.8, 0.1, 0.2],
        groups: &[0, 1, 2, 3],
        folds: &[],
        exclusive: false,
        unlabelled_is_no: false,
    };
    let count = |judged: &Judged<'_>| {
        let report = report(judged, &without_draws(), &mut || true).unwrap();
        (report.concepts[0].n_positive, report.concepts[0].n_negative, report.concepts[0].precision)
    };
    assert_eq!(count(&judged), (1, 1, 1.0));
    judged.unlabelled_is_no = true;
    assert_eq!(count(&judged), (1, 3, 0.5));
}

#[test]
fn intervals_hold_the_number_and_grow_when_groups_are_large() {
    let (set, _) = golden("exclusive");
    let alone = report(&set.judged(true), &Spec::default(), &mut || true).unwrap();
    assert_eq!(alone, report(&set.judged(true), &Spec::default(), &mut || true).unwrap());
    let width = |report: &Report| {
        let (_, found) = report.intervals.iter().find(|(name, _)| name == "macro_roc_auc").unwrap();
        let whole = report.numbers.macro_roc_auc.unwrap();
        assert!(found.low < whole && whole < found.high, "{found:?} {whole}");
        found.high - found.low
    };
    // The same items ten times over are not ten times as much evidence.
    let copies = |items: &[f32]| items.repeat(10);
    let (labels, probabilities) = (set.labels.repeat(10), copies(&set.probabilities));
    let (together, apart): (Vec<u32>, Vec<u32>) = (set.groups.repeat(10), (0..1_500).collect());
    let judged =
        Judged { labels: &labels, probabilities: &probabilities, groups: &together, ..set.judged(true) };
    let copied = report(&judged, &Spec::default(), &mut || true).unwrap();
    assert_eq!(copied.n_groups, 150);
    let fooled = report(&Judged { groups: &apart, ..judged }, &Spec::default(), &mut || true).unwrap();
    let (alone, copied, fooled) = (width(&alone), width(&copied), width(&fooled));
    assert!((copied - alone).abs() < 0.2 * alone && fooled < 0.5 * alone, "{alone} {copied} {fooled}");
}

#[test]
fn deviations_are_over_folds_where_there_are_folds() {
    let (set, tolerance) = golden("exclusive");
    let folds: Vec<u32> = set.groups.iter().map(|row| row % 3).collect();
    let judged = Judged { folds: &folds, ..set.judged(true) };
    let found = report(&judged, &without_draws(), &mut || true).unwrap().deviations.top1_accuracy.unwrap();
    let shares = [0, 1, 2].map(|fold| {
        let rows = (0..judged.n_rows()).filter(|row| folds[*row] == fold);
        let right = rows
            .clone()
            .filter(|row| judged.truth(*row, judged.likeliest(*row, |_| true).unwrap()) == Some(true));
        right.count() as f64 / rows.count() as f64
    });
    let mean = shares.iter().sum::<f64>() / 3.0;
    let expected = (shares.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    near("deviation", &[found], &[expected], tolerance);
}

#[test]
fn a_better_classifier_is_told_from_a_worse_one_and_not_from_itself() {
    let (set, _) = golden("multi");
    let judged = set.judged(false);
    let truth = |at: usize| f32::from(u8::from(set.labels[at] == Label::Positive));
    let better: Vec<f32> =
        set.probabilities.iter().enumerate().map(|(at, p)| p * 0.7 + truth(at) * 0.3).collect();
    let of = |second: &[f32]| {
        let found = compare(&judged, second, &Spec::default(), &mut || true).unwrap();
        found.differences.into_iter().find(|one| one.name == "macro_roc_auc").unwrap()
    };
    let gain = of(&better);
    assert!(
        gain.difference > 0.0 && gain.interval.unwrap().low > 0.0 && gain.share_larger > 0.99,
        "{gain:?}"
    );
    let same = of(&set.probabilities);
    assert_eq!((same.difference, same.share_larger), (0.0, 0.5));
    assert_eq!(same.interval.unwrap(), Interval { low: 0.0, high: 0.0 });
}

#[test]
fn lists_that_do_not_fit_and_probabilities_that_are_none_are_refused() {
    let (set, _) = golden("multi");
    let judged = set.judged(false);
    let wrong = [f32::NAN, -0.1, 1.5].map(|p| vec![p; set.probabilities.len()]);
    let refused = |judged: &Judged<'_>| {
        matches!(report(judged, &without_draws(), &mut || true), Err(Error::BadInput(_)))
    };
    assert!(wrong.iter().all(|p| refused(&Judged { probabilities: p, ..judged })));
    assert!(refused(&Judged { labels: &set.labels[1..], ..judged }));
    assert!(refused(&Judged { folds: &[0], ..judged }));
    assert_eq!(report(&judged, &Spec::default(), &mut || false), Err(Error::Cancelled));
}

#[test]
fn bins_are_closed_below() {
    let mut all = Reliability::default();
    for probability in [0.0, 1.0 / 15.0, 0.999, 1.0] {
        all.add(probability, true, 1.0);
    }
    let filled: Vec<(usize, f64)> =
        all.bins().iter().enumerate().filter(|(_, bin)| bin.n > 0.0).map(|(at, bin)| (at, bin.n)).collect();
    assert_eq!(filled, [(0, 1.0), (1, 1.0), (14, 2.0)]);
    assert_eq!(Reliability::default().error(), None);
}
