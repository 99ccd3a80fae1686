//! Learning: what every method promises, and what breaks trainers.

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

/// Several values of a spec for every test that must hold for all of them.
fn specs() -> Vec<ClassifierSpec> {
    let mut specs = Vec::new();
    for method in [None, Some(Method::Linear), Some(Method::NearestMean), Some(Method::NearestNeighbours)] {
        for exclusive in [false, true] {
            for closed in [false, true] {
                let balance_classes = closed;
                specs.push(ClassifierSpec {
                    method,
                    exclusive,
                    closed,
                    balance_classes,
                    ..ClassifierSpec::default()
                });
            }
        }
    }
    specs
}

/// A name, rows, how long they are, labels, and how many of them a row has.
type Case = (&'static str, Vec<f32>, usize, Vec<Label>, usize);
/// Bytes, and whether they are refused.
type Artefact = (Vec<u8>, fn(&[u8]) -> bool);

#[test]
fn strange_sets_are_survived_with_probabilities_in_range() {
    use Label::{Negative as N, Positive as P, Unknown as U};
    let line: Vec<f32> = (0..40).map(|at| at as f32).collect();
    let cases: Vec<Case> = vec![
        ("one row", vec![1.0, 2.0], 2, vec![P], 1),
        ("one row of zeros", vec![0.0; 2], 2, vec![P, N], 2),
        ("one class", line.clone(), 4, vec![P; 10], 1),
        ("only negatives", line.clone(), 4, vec![N; 10], 1),
        ("nothing said", line.clone(), 4, vec![U; 20], 2),
        ("constant", vec![3.0; 40], 4, [P, N, N, P].repeat(5), 2),
        ("everything has everything", line.clone(), 4, vec![P; 20], 2),
        ("one concept never", line.clone(), 4, [P, N, N, N].repeat(5), 2),
        ("two rows", vec![0.0, 1.0], 1, vec![P, N], 1),
        ("far apart", line.iter().map(|x| x * 1e9).collect(), 4, [P, U, U, P].repeat(5), 2),
        ("close together", line.iter().map(|x| x * 1e-12).collect(), 4, [P, N, N, P].repeat(5), 2),
    ];
    for (name, values, dim, labels, k) in &cases {
        for spec in specs() {
            let trained = train(values, *dim, labels, *k, &spec);
            let unseen: Vec<f32> = [0.0, 1e11, -1e-30].iter().flat_map(|x| vec![*x; *dim]).collect();
            let said = trained.head.probabilities(Rows { values: &unseen, dim: *dim }).unwrap();
            let all = [&said, &trained.held_out, &trained.held_out_raw];
            for p in all.into_iter().flatten() {
                assert!((0.0..=1.0).contains(p), "{name} {spec:?}: {p}");
            }
            assert_eq!(trained.held_out.len(), labels.len(), "{name}");
            assert_eq!(trained.folds.len(), values.len() / dim, "{name}");
            if spec.exclusive && *k > 1 {
                let sums = said.chunks_exact(*k).map(|row| row.iter().sum::<f32>());
                assert!(sums.into_iter().all(|sum| sum <= 1.0 + 1e-5), "{name} {spec:?}");
            }
            assert_eq!(Head::from_bytes(&trained.head.to_bytes()).unwrap(), trained.head, "{name}");
            assert_eq!(
                train(values, *dim, labels, *k, &spec).head.to_bytes(),
                trained.head.to_bytes(),
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_no_set_is_refused() {
    let labels = [Label::Positive, Label::Negative];
    let attempt = |values: &[f32], dim: usize, labels: &[Label], groups: &[u32], spec: ClassifierSpec| {
        let labels = Labels { values: labels, n_concepts: 1 };
        let result =
            train_classifier(Rows { values, dim }, labels, groups, Rows::none(dim), &spec, &mut |_| true);
        matches!(result, Err(Error::BadInput(_)))
    };
    let spec = ClassifierSpec::default();
    assert!(attempt(&[1.0, f32::NAN], 1, &labels, &[0, 1], spec));
    assert!(attempt(&[1.0, f32::INFINITY], 1, &labels, &[0, 1], spec));
    assert!(attempt(&[1.0, 1e30], 1, &labels, &[0, 1], spec));
    assert!(attempt(&[1.0, 2.0], 0, &labels, &[0, 1], spec));
    assert!(attempt(&[1.0, 2.0, 3.0], 2, &labels, &[0], spec));
    assert!(attempt(&[1.0, 2.0], 1, &labels[..1], &[0, 1], spec));
    assert!(attempt(&[1.0, 2.0], 1, &labels, &[0], spec));
    assert!(attempt(&[], 1, &[], &[], spec));
    assert!(attempt(&[1.0, 2.0], 1, &labels, &[0, 1], ClassifierSpec { n_folds: 1, ..spec }));
    assert!(attempt(&[1.0, 2.0], 1, &labels, &[0, 1], ClassifierSpec { max_iterations: 0, ..spec }));
    assert!(attempt(&[1.0, 2.0], 1, &labels, &[0, 1], ClassifierSpec { regularisation: Some(0.0), ..spec }));
    let head = train(&[1.0, 2.0], 1, &labels, 1, &spec).head;
    assert!(head.probabilities(Rows { values: &[f32::NAN], dim: 1 }).is_err());
    assert!(head.probabilities(Rows { values: &[1.0, 2.0], dim: 2 }).is_err());
    assert_eq!(head.probabilities(Rows::none(1)).unwrap(), Vec::<f32>::new());
}

#[test]
fn damaged_bytes_are_refused() {
    let (values, classes) = blobs(12, 2, 3, 0.1, 5);
    let labels = told(&classes, 2);
    let near = ClassifierSpec { method: Some(Method::NearestNeighbours), ..ClassifierSpec::default() };
    let rows = Rows { values: &values, dim: 3 };
    let projection =
        train_projection(rows, Labels { values: &labels, n_concepts: 2 }, &ProjectionSpec::default());
    let clusters = cluster(rows, &ClusterSpec::default(), &mut |_| true).unwrap();
    let all: [Artefact; 4] = [
        (train(&values, 3, &labels, 2, &ClassifierSpec::default()).head.to_bytes(), |b| {
            Head::from_bytes(b).is_err()
        }),
        (train(&values, 3, &labels, 2, &near).head.to_bytes(), |b| Head::from_bytes(b).is_err()),
        (projection.unwrap().to_bytes(), |b| Projection::from_bytes(b).is_err()),
        (clusters.to_bytes(), |b| Clusters::from_bytes(b).is_err()),
    ];
    for (bytes, is_refused) in &all {
        assert!(!is_refused(bytes));
        assert!((0..bytes.len()).all(|len| is_refused(&bytes[..len])));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            assert!(is_refused(&damaged), "byte {at}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(is_refused(&longer));
    }
    assert!(Head::from_bytes(&all[2].0).is_err());
}

#[test]
fn training_stops_when_it_is_told_to() {
    let (values, classes) = blobs(60, 3, 6, 0.5, 1);
    let labels = told(&classes, 3);
    let groups: Vec<u32> = (0..60).collect();
    for method in Method::ALL {
        let spec = ClassifierSpec { method: Some(method), ..ClassifierSpec::default() };
        for allowed in [0, 1, 3] {
            let mut asked = 0;
            let mut shares = Vec::new();
            let result = train_classifier(
                Rows { values: &values, dim: 6 },
                Labels { values: &labels, n_concepts: 3 },
                &groups,
                Rows::none(6),
                &spec,
                &mut |share| {
                    asked += 1;
                    shares.push(share);
                    asked <= allowed
                },
            );
            assert!(matches!(result, Err(Error::Cancelled)), "{method:?}");
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        }
    }
    let rows = Rows { values: &values, dim: 6 };
    assert!(matches!(cluster(rows, &ClusterSpec::default(), &mut |_| false), Err(Error::Cancelled)));
}

/// Classes that overlap, so that nothing can be certain: what is said must come true as often as it is said.
#[test]
fn probabilities_hold_on_rows_that_were_not_seen() {
    let (values, classes) = blobs(600, 3, 12, 1.6, 3);
    let labels = told(&classes, 3);
    let (unseen, truth) = blobs(6000, 3, 12, 1.6, 4);
    for method in Method::ALL {
        for exclusive in [false, true] {
            let spec =
                ClassifierSpec { method: Some(method), exclusive, closed: true, ..ClassifierSpec::default() };
            let trained = train(&values, 12, &labels, 3, &spec);
            let said = trained.head.probabilities(Rows { values: &unseen, dim: 12 }).unwrap();
            // 15 bins; 6000 rows leave about 0.01 to chance, the 600 that were learned from about 0.02.
            let error = calibration_error(&said, &truth, 3);
            assert!(error < 0.05, "{method:?} {exclusive}: {error}");
            let own = calibration_error(&trained.held_out, &classes, 3);
            assert!(own < 0.05, "{method:?} {exclusive}: {own}");
            assert!(accuracy(&said, &truth, 3) < 0.95, "the toy is too easy to tell anything");
        }
    }
}

/// The expected calibration error over all rows and concepts, in 15 bins of the same width.
fn calibration_error(said: &[f32], classes: &[usize], k: usize) -> f64 {
    let mut bins = [[0.0f64; 2]; 15];
    for (row, class) in said.chunks_exact(k).zip(classes) {
        for (concept, p) in row.iter().enumerate() {
            let bin = &mut bins[((p * 15.0) as usize).min(14)];
            bin[0] += f64::from(*p);
            bin[1] += f64::from(u8::from(concept == *class));
        }
    }
    bins.iter().map(|[said, came]| (said - came).abs()).sum::<f64>() / said.len() as f64
}

#[test]
fn groups_never_straddle_a_fold_and_every_fold_has_its_share() {
    let mut random = SplitMix64(3);
    let groups: Vec<u32> = (0..300).map(|_| random.below(60) as u32 * 7).collect();
    let classes: Vec<usize> = (0..300).map(|row| if row % 10 == 0 { 1 } else { 0 }).collect();
    let labels = told(&classes, 2);
    let labels = Labels { values: &labels, n_concepts: 2 };
    let folds = fold_of_groups(&groups, labels, 5, 1);
    assert_eq!(folds, fold_of_groups(&groups, labels, 5, 1));
    assert_ne!(folds, fold_of_groups(&groups, labels, 5, 2));
    for (group, fold) in groups.iter().zip(&folds) {
        assert!(groups.iter().zip(&folds).all(|(g, f)| g != group || f == fold));
    }
    for fold in 0..5 {
        let n = folds.iter().filter(|f| **f == fold).count();
        let rare = folds.iter().zip(&classes).filter(|(f, class)| **f == fold && **class == 1).count();
        assert!((50..=70).contains(&n) && (4..=8).contains(&rare), "{n} {rare}");
    }
    assert_eq!(
        fold_of_groups(&[4, 4, 4], Labels { values: &[Label::Positive; 3], n_concepts: 1 }, 5, 1),
        [0; 3]
    );
    let two = fold_of_groups(&[1, 2], Labels { values: &[Label::Positive; 2], n_concepts: 1 }, 5, 1);
    assert!(two == [0, 1] || two == [1, 0]);
}

#[test]
fn examples_alone_are_enough_with_a_background_or_without() {
    // Towards one corner, and away from it.
    let (values, classes) = blobs(40, 2, 16, 0.2, 8);
    let of = |class: usize| -> Vec<f32> {
        let rows = values.chunks_exact(16).zip(&classes).filter(|(_, c)| **c == class);
        rows.flat_map(|(row, _)| row.iter().copied()).collect()
    };
    let (with, without) = (of(0), of(1));
    let labels = vec![Label::Positive; 20];
    let groups: Vec<u32> = (0..20).collect();
    for background in [Rows::none(16), Rows { values: &without[..160], dim: 16 }] {
        let trained = train_classifier(
            Rows { values: &with, dim: 16 },
            Labels { values: &labels, n_concepts: 1 },
            &groups,
            background,
            &ClassifierSpec::default(),
            &mut |_| true,
        )
        .unwrap();
        let say = |values: &[f32]| trained.head.probabilities(Rows { values, dim: 16 }).unwrap();
        assert!(
            say(&with).iter().filter(|p| **p > 0.5).count() >= 18,
            "{:?} {:?}",
            trained.choice,
            say(&with)
        );
        assert!(say(&without[160..]).iter().all(|p| *p < 0.5), "{:?}", trained.choice);
    }
}

#[test]
fn whoever_labels_only_what_there_is_gets_concepts_that_are_told_apart() {
    let (values, classes) = blobs(90, 3, 12, 0.4, 1);
    let mut labels = told(&classes, 3);
    labels.iter_mut().filter(|l| **l == Label::Negative).for_each(|l| *l = Label::Unknown);
    for closed in [false, true] {
        let spec = ClassifierSpec { closed, ..ClassifierSpec::default() };
        let trained = train(&values, 12, &labels, 3, &spec);
        assert!(accuracy(&trained.held_out, &classes, 3) > 0.95);
        assert!(trained.choice.concepts.iter().all(|seen| seen.n_positive == 30 && seen.n_negative == 0));
    }
}

#[test]
fn what_nobody_said_does_not_count_where_negatives_are_known() {
    let (values, classes) = blobs(90, 3, 12, 0.4, 1);
    let mut labels = told(&classes, 3);
    // Of every second row of other classes it is not known whether it has the first concept: it looks like it has not.
    let hidden: Vec<usize> = (0..90).filter(|row| classes[*row] == 1 && row % 2 == 0).collect();
    hidden.iter().for_each(|row| labels[row * 3] = Label::Unknown);
    let (rows, n) = (Rows { values: &values, dim: 12 }, 90);
    let folds = vec![0; n];
    let spec = ClassifierSpec { closed: true, ..ClassifierSpec::default() };
    let set = set::Set::new(rows, Labels { values: &labels, n_concepts: 3 }, &folds, Rows::none(12), &spec);
    assert!(hidden.iter().all(|row| set.weights_of(*row)[0] == 0.0));
}

#[test]
fn a_rare_concept_is_found_more_often_when_classes_are_balanced() {
    let (values, _) = blobs(200, 2, 8, 1.2, 1);
    // Every second row is of class 1; keep every tenth of them.
    let kept: Vec<usize> = (0..200).filter(|row| row % 2 == 0 || row % 20 == 1).collect();
    let rows: Vec<f32> = kept.iter().flat_map(|row| values[row * 8..(row + 1) * 8].to_vec()).collect();
    let classes: Vec<usize> = kept.iter().map(|row| row % 2).collect();
    let (unseen, truth) = blobs(1000, 2, 8, 1.2, 9);
    for exclusive in [false, true] {
        let found = |balance_classes: bool| {
            let method = Some(Method::Linear);
            let spec = ClassifierSpec {
                method,
                exclusive,
                balance_classes,
                closed: true,
                ..ClassifierSpec::default()
            };
            let trained = train(&rows, 8, &told(&classes, 2), 2, &spec);
            let said = trained.head.probabilities(Rows { values: &unseen, dim: 8 }).unwrap();
            said.chunks_exact(2).zip(&truth).filter(|(p, class)| **class == 1 && p[1] > 0.5).count()
        };
        let (plain, balanced) = (found(false), found(true));
        assert!(balanced > plain + 25, "{exclusive}: {balanced} is not many more than {plain}");
    }
}

#[test]
fn the_method_follows_from_how_many_examples_there_are() {
    let cases = [(2, &[Method::NearestMean, Method::NearestNeighbours][..]), (30, &[Method::Linear][..])];
    for (each, expected) in cases {
        let (values, classes) = blobs(each * 3, 3, 12, 0.3, 1);
        let choice = train(&values, 12, &told(&classes, 3), 3, &ClassifierSpec::default()).choice;
        assert!(expected.contains(&choice.method), "{choice:?}");
        assert!(choice.why.contains(&format!("{each} examples")), "{choice:?}");
        assert_eq!(choice.regularisation.is_some(), choice.method == Method::Linear);
    }
    for method in Method::ALL {
        assert_eq!(Method::from_name(method.name()), Some(method));
    }
}

#[test]
fn a_projection_brings_rows_of_one_concept_together() {
    // Twelve numbers that tell the class, drowned in noise that is the same for every class.
    let (values, classes) = blobs(600, 4, 32, 2.0, 1);
    let mut random = SplitMix64(9);
    let noisy: Vec<f32> = values
        .chunks_exact(32)
        .flat_map(|row| {
            let shift = random.next_unit() as f32 * 20.0;
            row.iter()
                .enumerate()
                .map(move |(at, x)| x + if at >= 12 { shift } else { 0.0 })
                .collect::<Vec<f32>>()
        })
        .collect();
    let (train_rows, test_rows) = noisy.split_at(400 * 32);
    let labels = told(&classes[..400], 4);
    let spec = ProjectionSpec { dimensions: 8, seed: 1 };
    let rows = Rows { values: train_rows, dim: 32 };
    let projection = train_projection(rows, Labels { values: &labels, n_concepts: 4 }, &spec).unwrap();
    let projected = projection.apply(Rows { values: test_rows, dim: 32 }).unwrap();
    assert_eq!(projection.dimensions(), 8);
    assert!(projected.chunks_exact(8).all(|row| (row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4));
    let same = |vectors: &[f32], dim: usize| {
        let truth = &classes[400..];
        let nearest = |i: usize| {
            let cosine = |j: usize| {
                crate::embed::cosine(&vectors[i * dim..(i + 1) * dim], &vectors[j * dim..(j + 1) * dim])
            };
            (0..200).filter(|j| *j != i).max_by(|a, b| cosine(*a).total_cmp(&cosine(*b))).unwrap()
        };
        (0..200).filter(|i| truth[*i] == truth[nearest(*i)]).count()
    };
    let (before, after) = (same(test_rows, 32), same(&projected, 8));
    assert!(after > before + 40, "{after} of 200 nearest rows are of the class, {before} before");
    assert_eq!(Projection::from_bytes(&projection.to_bytes()).unwrap(), projection);
    let again = train_projection(rows, Labels { values: &labels, n_concepts: 4 }, &spec).unwrap();
    assert_eq!(again.to_bytes(), projection.to_bytes());
    assert!(projection.apply(Rows { values: &[0.0; 31], dim: 31 }).is_err());
}

#[test]
fn clusters_are_found_and_counted() {
    let (values, classes) = blobs(300, 5, 20, 0.5, 2);
    let rows = Rows { values: &values, dim: 20 };
    for n_clusters in [None, Some(5)] {
        let spec = ClusterSpec { n_clusters, seed: 4 };
        let found = cluster(rows, &spec, &mut |_| true).unwrap();
        assert_eq!(found.n_clusters(), 5, "{n_clusters:?}");
        assert!(found.silhouette > 0.3);
        for class in 0..5 {
            let of_class: Vec<u32> = classes
                .iter()
                .zip(&found.assignments)
                .filter(|(c, _)| **c == class)
                .map(|(_, a)| *a)
                .collect();
            assert!(of_class.iter().all(|a| *a == of_class[0]));
        }
        let assigned: Vec<u32> =
            found.assign(rows).unwrap().into_iter().map(|(cluster, _)| cluster).collect();
        assert_eq!(assigned, found.assignments);
        assert_eq!(Clusters::from_bytes(&found.to_bytes()).unwrap(), found);
        assert_eq!(cluster(rows, &spec, &mut |_| true).unwrap().to_bytes(), found.to_bytes());
    }
    let equal = cluster(
        Rows { values: &[1.0; 40], dim: 4 },
        &ClusterSpec { n_clusters: Some(7), seed: 0 },
        &mut |_| true,
    );
    assert_eq!(equal.unwrap().n_clusters(), 1);
    let lone = cluster(Rows { values: &[1.0; 4], dim: 4 }, &ClusterSpec::default(), &mut |_| true).unwrap();
    assert_eq!((lone.n_clusters(), lone.assignments), (1, vec![0]));
    assert!(
        cluster(Rows { values: &[f32::NAN; 4], dim: 4 }, &ClusterSpec::default(), &mut |_| true).is_err()
    );
}
