//! What every algorithm that learns promises beyond that: it learns a toy whose classes lie apart, its bytes come back as
//! the same thing, and it survives one row, one class, constants and labels that say nothing.

use ocellus_algo::learn::{
    ClassifierSpec, ClusterSpec, Clusters, Head, Label, Labels, Method, Projection, ProjectionSpec, Rows,
    cluster, fold_of_groups, train_classifier, train_projection,
};

use Label::{Negative, Positive, Unknown};

/// A name, rows, how long they are, labels, and how many of them a row has.
type Case = (&'static str, Vec<f32>, usize, Vec<Label>, usize);

/// Sets that have broken learners before.
fn strange_sets() -> Vec<Case> {
    let line: Vec<f32> = (0..40).map(|at| at as f32).collect();
    vec![
        ("one row", vec![1.0, 2.0], 2, vec![Positive], 1),
        ("one row of zeros", vec![0.0; 2], 2, vec![Positive, Negative], 2),
        ("one class", line.clone(), 4, vec![Positive; 10], 1),
        ("only negatives", line.clone(), 4, vec![Negative; 10], 1),
        ("nothing said", line.clone(), 4, vec![Unknown; 20], 2),
        ("constant", vec![3.0; 40], 4, [Positive, Negative, Negative, Positive].repeat(5), 2),
        ("one number each", line.clone(), 1, [Positive, Negative].repeat(20), 1),
        ("far apart", line.iter().map(|x| x * 1e9).collect(), 4, [Positive, Unknown].repeat(10), 2),
    ]
}

/// Sixty rows of three classes in six numbers, which lie well apart.
fn toy() -> Case {
    let number = |row: usize, at: usize| {
        let own = if at % 3 == row % 3 { 1.0 } else { 0.0 };
        own + ((row * 7 + at * 13) as f32).sin() / 5.0
    };
    let values = (0..60).flat_map(|row| (0..6).map(move |at| number(row, at))).collect();
    let label = |row: usize, class: usize| if row % 3 == class { Positive } else { Negative };
    let labels = (0..60).flat_map(|row| (0..3).map(move |class| label(row, class))).collect();
    ("toy", values, 6, labels, 3)
}

/// How many rows of the toy get the most for their own class.
fn n_right(numbers: &[f32]) -> usize {
    let best = |row: &[f32]| (0..3).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
    numbers.chunks_exact(3).enumerate().filter(|(idx, row)| best(row) == idx % 3).count()
}

/// Trains by one method on everything; returns everything it said.
pub fn run_classifier(method: Method) -> String {
    let mut said = String::new();
    for (name, values, dim, labels, k) in strange_sets().into_iter().chain([toy()]) {
        for (exclusive, closed) in [(false, false), (true, false), (false, true), (true, true)] {
            let spec =
                ClassifierSpec { method: Some(method), exclusive, closed, ..ClassifierSpec::default() };
            let (rows, labels) = (Rows { values: &values, dim }, Labels { values: &labels, n_concepts: k });
            let groups: Vec<u32> = (0..rows.n() as u32).collect();
            let background = Rows { values: &values[..dim], dim };
            let trained = train_classifier(rows, labels, &groups, background, &spec, &mut |_| true).unwrap();
            let bytes = trained.head.to_bytes();
            assert_eq!(Head::from_bytes(&bytes).unwrap(), trained.head, "{name}");
            let strange: Vec<f32> = [0.0, 1e11, -1e-30].iter().flat_map(|x| vec![*x; dim]).collect();
            let unseen = trained.head.probabilities(Rows { values: &strange, dim }).unwrap();
            let again = trained.head.probabilities(rows).unwrap();
            for p in unseen.iter().chain(&again).chain(&trained.held_out).chain(&trained.held_out_raw) {
                assert!((0.0..=1.0).contains(p), "{name}: {p}");
            }
            if name == "toy" {
                assert!(n_right(&trained.held_out) >= 57 && n_right(&again) >= 57, "{:?}", trained.choice);
            }
            said += &format!("{name}: {bytes:?} {:?} {:?}\n", trained.held_out, trained.choice);
        }
    }
    let nan = Rows { values: &[f32::NAN, 1.0], dim: 1 };
    let labels = Labels { values: &[Positive, Negative], n_concepts: 1 };
    let spec = ClassifierSpec { method: Some(method), ..ClassifierSpec::default() };
    assert!(train_classifier(nan, labels, &[0, 1], Rows::none(1), &spec, &mut |_| true).is_err());
    said
}

pub fn run_projection() -> String {
    let mut said = String::new();
    for (name, values, dim, labels, k) in strange_sets().into_iter().chain([toy()]) {
        let (rows, labels) = (Rows { values: &values, dim }, Labels { values: &labels, n_concepts: k });
        let projection = train_projection(rows, labels, &ProjectionSpec { dimensions: 3, seed: 1 }).unwrap();
        assert_eq!(Projection::from_bytes(&projection.to_bytes()).unwrap(), projection, "{name}");
        let out = projection.apply(rows).unwrap();
        for row in out.chunks_exact(projection.dimensions()) {
            let length: f32 = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            assert!(length == 0.0 || (length - 1.0).abs() < 1e-4, "{name}: {row:?}");
        }
        if name == "toy" {
            let row = |idx: usize| &out[idx * 3..(idx + 1) * 3];
            let cosine = |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum::<f32>();
            assert!((3..60).all(|idx| cosine(idx, idx % 3) > 0.5), "{out:?}");
        }
        said += &format!("{name}: {out:?}\n");
    }
    let nan = Rows { values: &[f32::NAN], dim: 1 };
    let labels = Labels { values: &[Positive], n_concepts: 1 };
    assert!(train_projection(nan, labels, &ProjectionSpec::default()).is_err());
    said
}

pub fn run_clusters() -> String {
    let mut said = String::new();
    for (name, values, dim, _, _) in strange_sets().into_iter().chain([toy()]) {
        let rows = Rows { values: &values, dim };
        for n_clusters in [None, Some(1), Some(3), Some(100)] {
            let found = cluster(rows, &ClusterSpec { n_clusters, seed: 1 }, &mut |_| true).unwrap();
            assert!((1..=rows.n()).contains(&found.n_clusters()), "{name}");
            assert!((-1.0..=1.0).contains(&found.silhouette), "{name}");
            assert_eq!(Clusters::from_bytes(&found.to_bytes()).unwrap(), found, "{name}");
            let assigned = found.assign(rows).unwrap();
            assert!(assigned.iter().all(|(_, cosine)| (-1.0..=1.0).contains(cosine)), "{name}");
            if name == "toy" && n_clusters.is_none_or(|n| n == 3) {
                let apart = |idx: usize| found.assignments[idx] == found.assignments[idx % 3];
                assert!(found.n_clusters() == 3 && (0..60).all(apart), "{found:?}");
            }
            said += &format!("{name}: {found:?} {assigned:?}\n");
        }
    }
    assert!(cluster(Rows { values: &[f32::NAN], dim: 1 }, &ClusterSpec::default(), &mut |_| true).is_err());
    said
}

pub fn run_folds() -> String {
    let mut said = String::new();
    for (name, values, dim, labels, k) in strange_sets().into_iter().chain([toy()]) {
        for groups_of in [1, 3, 100] {
            let groups: Vec<u32> = (0..(values.len() / dim) as u32).map(|row| row / groups_of).collect();
            let folds = fold_of_groups(&groups, Labels { values: &labels, n_concepts: k }, 5, 1);
            assert_eq!(folds.len(), groups.len(), "{name}");
            for (group, fold) in groups.iter().zip(&folds) {
                assert!(groups.iter().zip(&folds).all(|(g, f)| g != group || f == fold), "{name}");
            }
            said += &format!("{name}: {folds:?}\n");
        }
    }
    said
}
