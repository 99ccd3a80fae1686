//! Fits held against coefficients computed elsewhere.

use serde_json::Value;

use super::*;
use crate::learn::{ClassifierSpec, Labels, Rows};

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            vec![value.as_f64().expect("a number")]
        }
    }
}

/// A set of one fold from rows and labels.
fn set_of(rows: &[f32], dim: usize, labels: &[Label], exclusive: bool) -> Set {
    let n = rows.len() / dim;
    let labels = Labels { values: labels, n_concepts: labels.len() / n };
    let spec = ClassifierSpec { exclusive, closed: true, ..ClassifierSpec::default() };
    Set::new(Rows { values: rows, dim }, labels, &vec![0; n], Rows::none(dim), &spec)
}

/// Strong convexity bounds how far the weights are from the best ones by the slope over the penalty; rounding in single
/// precision adds about 1e-6 to the slope.
#[test]
fn weights_and_probabilities_are_those_of_scikit_learn() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/golden/logistic.json");
    let document: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("is committed")).expect("JSON");
    for case in document["cases"].as_array().expect("a list") {
        let name = &case["name"];
        let rows: Vec<f32> = numbers(&case["rows"]).iter().map(|x| *x as f32).collect();
        let labels = numbers(&case["labels"]);
        let labels: Vec<Label> =
            labels.iter().map(|x| if *x > 0.0 { Label::Positive } else { Label::Negative }).collect();
        let row_weights = numbers(&case["row_weights"]);
        let dim = rows.len() / row_weights.len();
        let mut set = set_of(&rows, dim, &labels, case["exclusive"] == true);
        let k = set.n_scores;
        set.weights = set.order.iter().flat_map(|row| vec![row_weights[*row] as f32; k]).collect();
        let logistic = Logistic::new(&set, set.without(None));
        let c = case["c"].as_f64().expect("a number");
        let mut at = logistic.start();
        let exact = Exactness { max_iterations: 2000, tolerance: 1e-7 };
        logistic.fit(&mut at, c, exact, || false).unwrap();

        let slope = case["gradient"].as_f64().expect("a number") + 2e-6;
        let tolerance = slope * c * row_weights.iter().sum::<f64>();
        assert!(tolerance < 5e-3, "{name}: the tolerance {tolerance} tells nothing");
        let (weights, offsets) = at.split_at_mut(k * dim);
        if set.exclusive {
            let middle = offsets.iter().sum::<f64>() / k as f64;
            offsets.iter_mut().for_each(|x| *x -= middle);
        }
        let near = |ours: &[f64], theirs: &[f64]| {
            assert_eq!(ours.len(), theirs.len());
            let far = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(far <= tolerance, "{name}: {far} is more than {tolerance}");
        };
        near(weights, &numbers(&case["weights"]));
        near(offsets, &numbers(&case["offsets"]));
    }
}

/// Both losses, with weights, gaps and rows of which several concepts are possible.
#[test]
fn the_slope_is_that_of_the_loss() {
    use Label::{Negative as N, Positive as P, Unknown as U};
    let rows: Vec<f32> = (0..24).map(|at| ((at * 7 % 11) as f32 - 5.0) / 3.0).collect();
    let labels = [P, N, N, N, P, U, U, N, P, P, P, N, N, N, U, U, N, U];
    for exclusive in [false, true] {
        let set = set_of(&rows, 4, &labels, exclusive);
        let logistic = Logistic::new(&set, set.without(None));
        let at: Vec<f64> = (0..logistic.start().len()).map(|i| (i as f64 * 1.7).sin() / 2.0).collect();
        let mut slope = vec![0.0; at.len()];
        logistic.look(&at, 0.1, &mut slope);
        let mut ignored = slope.clone();
        for i in 0..at.len() {
            let mut moved = at.clone();
            let step = 1e-2;
            moved[i] = at[i] + step;
            let above = logistic.look(&moved, 0.1, &mut ignored);
            moved[i] = at[i] - step;
            let below = logistic.look(&moved, 0.1, &mut ignored);
            let expected = (above - below) / (2.0 * step);
            // The third derivative of the loss times the step squared, and rounding.
            assert!((slope[i] - expected).abs() < 1e-4, "{exclusive} {i}: {} is not {expected}", slope[i]);
        }
    }
}
