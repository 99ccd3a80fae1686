use super::random::SplitMix64;
use super::*;

/// Rows around one corner for each class, of `dim` numbers, with their class.
pub(super) fn blobs(
    n: usize,
    n_classes: usize,
    dim: usize,
    spread: f32,
    seed: u64,
) -> (Vec<f32>, Vec<usize>) {
    let mut random = SplitMix64(seed);
    let mut values = Vec::with_capacity(n * dim);
    let mut classes = Vec::new();
    for row in 0..n {
        let class = row % n_classes;
        classes.push(class);
        for at in 0..dim {
            let noise: f64 = (0..6).map(|_| random.next_unit() - 0.5).sum();
            values.push(if at % n_classes == class { 1.0 } else { 0.0 } + spread * noise as f32);
        }
    }
    (values, classes)
}

/// Labels of rows with one class each: everything else is negative.
pub(super) fn told(classes: &[usize], n_classes: usize) -> Vec<Label> {
    let label = |own: bool| if own { Label::Positive } else { Label::Negative };
    classes.iter().flat_map(|class| (0..n_classes).map(move |c| label(c == *class))).collect()
}

pub(super) fn train(
    values: &[f32],
    dim: usize,
    labels: &[Label],
    k: usize,
    spec: &ClassifierSpec,
) -> TrainedClassifier {
    let rows = Rows { values, dim };
    let groups: Vec<u32> = (0..rows.n() as u32).collect();
    let labels = Labels { values: labels, n_concepts: k };
    train_classifier(rows, labels, &groups, Rows::none(dim), spec, &mut |_| true).unwrap()
}

/// The share of rows whose most probable concept is their class.
pub(super) fn accuracy(probabilities: &[f32], classes: &[usize], k: usize) -> f64 {
    let best = |row: &[f32]| (0..k).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
    let right =
        probabilities.chunks_exact(k).zip(classes).filter(|(row, class)| best(row) == **class).count();
    right as f64 / classes.len() as f64
}

#[test]
fn a_separable_toy_is_learned_by_every_method() {
    let (values, classes) = blobs(90, 3, 12, 0.3, 1);
    let labels = told(&classes, 3);
    let (unseen, truth) = blobs(300, 3, 12, 0.3, 2);
    for method in [None, Some(Method::Linear), Some(Method::NearestMean), Some(Method::NearestNeighbours)] {
        for exclusive in [false, true] {
            let spec = ClassifierSpec { method, exclusive, ..ClassifierSpec::default() };
            let trained = train(&values, 12, &labels, 3, &spec);
            let said = trained.head.probabilities(Rows { values: &unseen, dim: 12 }).unwrap();
            assert!(accuracy(&said, &truth, 3) > 0.97, "{method:?} {exclusive} {:?}", trained.choice);
            assert!(accuracy(&trained.held_out, &classes, 3) > 0.95, "{method:?} {exclusive}");
            let again = Head::from_bytes(&trained.head.to_bytes()).unwrap();
            assert_eq!(again, trained.head);
            assert_eq!(train(&values, 12, &labels, 3, &spec).head.to_bytes(), trained.head.to_bytes());
        }
    }
}
