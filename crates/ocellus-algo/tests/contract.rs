//! What every algorithm of the crate promises: it survives the strangest images and vectors, answers in its range,
//! and gives the same answer twice.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod learning;

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, Rgba, RgbaImage};
use ocellus_algo::agreement::{self, Claim};
use ocellus_algo::detect::{Cells, FeatureMap, Raw};
use ocellus_algo::image::{DecodeLimits, RgbImage, decode};
use ocellus_algo::index::{Ann, Flat};
use ocellus_algo::learn::{Label, Method, Rows};
use ocellus_algo::nn::Tensor;
use ocellus_algo::preprocess::{self, Channels, Filter, Layout, Resize, Spec};
use ocellus_algo::{ALGORITHMS, active, color, detect, evaluate, face, fingerprint, focus, groups, map};

/// Images that have broken algorithms before: tiny, thin, flat, grey, from transparent pixels, and empty.
fn strange_images() -> Vec<(&'static str, RgbImage)> {
    let transparent =
        DynamicImage::ImageRgba8(RgbaImage::from_fn(9, 5, |x, _| Rgba([255, 0, 0, x as u8 * 28])));
    let grey =
        DynamicImage::ImageLuma8(image::GrayImage::from_fn(40, 30, |x, y| image::Luma([(x * y) as u8])));
    let through_png = |image: &DynamicImage| {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        decode(bytes.get_ref(), &DecodeLimits::default()).unwrap().image
    };
    vec![
        ("one pixel", RgbImage::from_pixel(1, 1, Rgb([7, 8, 9]))),
        ("two pixels", RgbImage::from_pixel(2, 1, Rgb([255; 3]))),
        ("one long row", RgbImage::from_fn(3000, 1, |x, _| Rgb([x as u8; 3]))),
        ("one long column", RgbImage::from_fn(1, 3000, |_, y| Rgb([0, y as u8, 0]))),
        ("black", RgbImage::new(64, 64)),
        ("white", RgbImage::from_pixel(300, 200, Rgb([255; 3]))),
        ("grey", through_png(&grey)),
        ("transparent", through_png(&transparent)),
        ("checkerboard", RgbImage::from_fn(129, 65, |x, y| Rgb([((x + y) % 2 * 255) as u8; 3]))),
        ("empty", RgbImage::new(0, 0)),
        ("no rows", RgbImage::new(5, 0)),
    ]
}

/// Runs one algorithm on every strange input; returns everything it said.
fn run(id: &str) -> String {
    match id {
        "preprocess" => on_images(run_preprocess),
        "color" => on_images(run_color),
        "focus" => on_images(run_focus),
        "fingerprint" => on_images(run_fingerprint),
        "flat" => run_flat(),
        "ann" => run_ann(),
        "agreement" => run_agreement(),
        "detect" => run_detect(),
        "face" => on_images(run_face) + &run_face_numbers(),
        "evaluate" => run_evaluate(),
        "groups" => run_groups(),
        "active" => run_active(),
        "linear" => learning::run_classifier(Method::Linear),
        "means" => learning::run_classifier(Method::NearestMean),
        "neighbours" => learning::run_classifier(Method::NearestNeighbours),
        // Every classifier is calibrated.
        "calibrate" => Method::ALL.into_iter().map(learning::run_classifier).collect(),
        "folds" => learning::run_folds(),
        "projection" => learning::run_projection(),
        "clusters" => learning::run_clusters(),
        "map" => run_map(),
        _ => panic!("the algorithm {id} has no contract test"),
    }
}

fn on_images(run: impl Fn(&str, &RgbImage) -> String) -> String {
    strange_images().iter().map(|(name, image)| run(name, image)).collect()
}

fn run_preprocess(name: &str, image: &RgbImage) -> String {
    let mut said = String::new();
    for resize in [Resize::Stretch, Resize::CenterCrop { resize_short: 20 }, Resize::Letterbox] {
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos3] {
            let spec = Spec {
                width: 16,
                height: 12,
                resize,
                filter,
                channels: Channels::Bgr,
                layout: Layout::Nchw,
                mean: [127.5; 3],
                std: [127.5; 3],
            };
            let tensor = preprocess::apply(&spec, image);
            assert_eq!(tensor.data.len(), 3 * 16 * 12, "{name}");
            assert!(tensor.data.iter().all(|v| (-1.0..=1.0).contains(v)), "{name}");
            said += &format!("{:?}", tensor.data);
        }
    }
    said
}

fn run_color(name: &str, image: &RgbImage) -> String {
    let colors = color::dominant(image, 5);
    assert_eq!(colors.is_empty(), image.is_empty(), "{name}");
    let sum: f32 = colors.iter().map(|c| c.fraction).sum();
    assert!(image.is_empty() || (sum - 1.0).abs() < 1e-4, "{name}: {sum}");
    format!("{colors:?}")
}

fn run_focus(name: &str, image: &RgbImage) -> String {
    let focus = focus::measure(image);
    assert!((0.0..=1.0).contains(&focus.sharpness) && focus.laplacian_variance >= 0.0, "{name}: {focus:?}");
    format!("{focus:?}")
}

fn run_fingerprint(name: &str, image: &RgbImage) -> String {
    let hash = fingerprint::perceptual_hash(image);
    assert!(fingerprint::near_duplicate(hash, hash, 1.0) > 0.99, "{name}");
    format!("{hash:x}")
}

/// Vectors that have broken indexes before: zeros, huge, tiny, equal, opposite.
fn strange_vectors() -> Vec<Vec<f32>> {
    [0.0, 1e30, 1e-30, 1.0, 1.0, -1.0].map(|x| vec![x; 5]).to_vec()
}

fn run_flat() -> String {
    let mut flat = Flat::new(5);
    for v in strange_vectors() {
        flat.push(&v).unwrap();
    }
    let answers: Vec<_> = strange_vectors().iter().map(|q| flat.search(q, 9, None).unwrap()).collect();
    assert!(answers.iter().all(|a| a.len() == 6 && a.iter().all(|n| (-1.0..=1.0).contains(&n.similarity))));
    format!("{answers:?}")
}

fn run_ann() -> String {
    let ann = Ann::new(5, 1).unwrap();
    for (slot, v) in (0..).zip(strange_vectors()) {
        ann.add(slot, &v).unwrap();
    }
    let answers: Vec<_> = strange_vectors().iter().map(|q| ann.search(q, 9).unwrap()).collect();
    assert!(answers.iter().all(|a| a.len() == 6 && a.iter().all(|n| (-1.0..=1.0).contains(&n.similarity))));
    format!("{answers:?}")
}

/// Claims with scores that are none, and boxes without area, inside out, without end and twice the same.
fn strange_claims() -> Vec<Claim> {
    let scores = [0.0, 0.5, 1.0, -1.0, f32::NAN, f32::INFINITY];
    let boxes = [
        [0.0; 4],
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 1.0, 1.0],
        [1.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, f32::MAX, f32::MAX],
        [f32::NAN; 4],
    ];
    let all = scores.iter().flat_map(|score| boxes.iter().map(move |sides| (*score, *sides)));
    all.enumerate().map(|(n, (score, sides))| Claim { item: n % 3, class: n % 2, score, sides }).collect()
}

fn run_active() -> String {
    let mut said = String::new();
    for (name, values, dim) in strange_rows() {
        let rows = Rows { values: &values, dim };
        let uncertainties = vec![0.5; rows.n()];
        let taken = active::next_to_label(rows, &uncertainties, rows, 3).unwrap();
        assert_eq!(taken.len(), rows.n().min(3), "{name}");
        said += &format!("{name}: {taken:?}\n");
    }
    said
}

/// Rows that have broken learners before.
fn strange_rows() -> Vec<(&'static str, Vec<f32>, usize)> {
    vec![
        ("none", Vec::new(), 4),
        ("one", vec![1.0; 4], 4),
        ("all equal", vec![2.0; 4 * 30], 4),
        ("all zero", vec![0.0; 4 * 30], 4),
        ("one number each", (0..30).map(|at| at as f32).collect(), 1),
        ("far apart", (0..4 * 30).map(|at| (at as f32 - 60.0) * 1e9).collect(), 4),
    ]
}

fn run_map() -> String {
    let mut said = String::new();
    let strange: [(&str, Vec<f32>); 5] = [
        ("none", Vec::new()),
        ("one", vec![1.0; 4]),
        ("all equal", vec![2.0; 4 * 30]),
        ("all but one equal", (0..4 * 30).map(|at| if at < 4 { 1e6 } else { 0.0 }).collect()),
        ("far apart", (0..4 * 30).map(|at| (at as f32 - 60.0) * 1e9).collect()),
    ];
    for (name, values) in strange {
        let reduced = map::principal_components(&values, 4, map::N_COMPONENTS, 7).unwrap();
        let near = map::nearest(&reduced, map::N_COMPONENTS, 9).unwrap();
        let spec = map::MapSpec { n_epochs: 100, ..map::MapSpec::default() };
        let plane = map::tsne(&reduced, map::N_COMPONENTS, &near, &spec, &mut |_| true).unwrap().unwrap();
        assert_eq!(plane.coordinates.len(), values.len() / 2, "{name}");
        assert!(plane.coordinates.iter().all(|value| value.is_finite()), "{name}");
        // Sums in another order differ in the last digits, and a layout carries that on.
        said += &format!("{name}: {} of {}\n", plane.coordinates.len(), near.rows.len());
    }
    said
}

/// Numbers that no detector should give, but may.
fn strange_numbers(n: usize) -> Vec<f32> {
    let strange = [0.0, 1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3.0, 0.5, 1e30, 0.25];
    (0..n).map(|at| strange[(at * 7 + at / 5) % strange.len()]).collect()
}

fn run_detect() -> String {
    let (scores, boxes) = (strange_numbers(60), strange_numbers(80));
    let raw = Raw { scores: &scores, n_classes: 3, boxes: &boxes };
    let found = detect::detections(raw, 0.1, 10).unwrap();
    let proposed = detect::proposals(raw, 10).unwrap();
    let map = FeatureMap::new(&[1, 2, 3, 4], &[0.5; 24]).unwrap();
    let mut said = format!("{found:?} {proposed:?}");
    for sides in boxes.as_chunks::<4>().0 {
        let mut out = Vec::new();
        let Some(sides) = detect::cut(*sides) else { continue };
        map.describe(sides, Cells { rows: 2, columns: 2 }, &mut out);
        assert!(out.len() == 8 && out.iter().all(|x| x.is_finite()), "{sides:?} {out:?}");
        said += &format!("{out:?}");
    }
    let none = Raw { scores: &[], n_classes: 3, boxes: &[] };
    said + &format!("{:?}", detect::detections(none, 0.1, 10))
}

fn run_face(name: &str, image: &RgbImage) -> String {
    let mut said = String::new();
    let all = [face::ARCFACE, [[0.0; 2]; 5], face::CHIP.map(|[x, y]| [x * 1e6, y * 1e6])];
    for landmarks in all {
        let out = face::aligned(image, &landmarks, &face::CHIP, 8);
        said += &format!("{name} {:?}", out.map(|image| image.into_raw()));
    }
    said
}

fn run_face_numbers() -> String {
    let mut outputs = Vec::new();
    for width in [1, 1, 4, 10] {
        for n in [16, 4, 1] {
            outputs.push(Tensor { shape: vec![1, n, width], data: strange_numbers(n * width) });
        }
    }
    let frame = face::Frame { top: 0.0, left: 0.0, height: 1.0, width: 1.0 };
    format!("{:?}", face::decode(&outputs, 32, frame, 0.5))
}

fn run_agreement() -> String {
    let (none, strange): (Vec<Claim>, _) = (Vec::new(), strange_claims());
    let mut said = String::new();
    for (truth, claims) in [(&none, &none), (&strange, &none), (&none, &strange), (&strange, &strange)] {
        for found in [agreement::of_items(3, 2, truth, claims), agreement::of_boxes(2, truth, claims)] {
            for class in &found.classes {
                for number in [class.precision, class.recall, class.f1, class.average_precision] {
                    assert!((0.0..=1.0).contains(&number), "{class:?}");
                }
            }
            said += &format!("{found:?}");
        }
    }
    said
}

/// Sets that have broken judges before: empty, one item, one concept, all alike, nothing known, all equal.
fn run_evaluate() -> String {
    use evaluate::{Judged, Spec};
    let mut said = String::new();
    for (n_rows, n_concepts) in [(0, 0), (0, 2), (1, 1), (3, 1), (7, 6)] {
        let groups: Vec<u32> = (0..n_rows as u32).map(|row| row / 2).collect();
        for label in [Label::Unknown, Label::Negative, Label::Positive] {
            for (p, exclusive) in [(0.0, false), (0.5, true), (1.0, false), (f32::MIN_POSITIVE, true)] {
                let judged = Judged {
                    n_concepts,
                    labels: &vec![label; n_rows * n_concepts],
                    probabilities: &vec![p; n_rows * n_concepts],
                    groups: &groups,
                    folds: &groups,
                    exclusive,
                    unlabelled_is_no: p > 0.0,
                };
                let spec = Spec { n_draws: 3, ..Spec::default() };
                let report = evaluate::report(&judged, &spec, &mut || true).unwrap();
                let numbers = report.numbers.named();
                let finite = |x: &Option<f64>| x.is_none_or(|x| x.is_finite() && x >= 0.0);
                assert!(numbers.iter().all(|(_, x)| finite(x)), "{numbers:?}");
                let other = vec![1.0; n_rows * n_concepts];
                let compared = evaluate::compare(&judged, &other, &spec, &mut || true).unwrap();
                said += &format!("{report:?}{compared:?}");
            }
        }
    }
    said
}

fn run_groups() -> String {
    let vectors = strange_vectors();
    let mut said = String::new();
    for hash in [None, Some(0), Some(u64::MAX), Some(0x5555_5555_5555_5555)] {
        let mut items: Vec<_> =
            vectors.iter().map(|vector| groups::Item { hash, vector, source: None }).collect();
        items.push(groups::Item::default());
        items[0].vector = &[f32::NAN; 5];
        items[1].vector = &[1.0; 3];
        let found = groups::of(&items).unwrap();
        assert_eq!((found.len(), found[0]), (items.len(), 0));
        said += &format!("{found:?}{:?}", groups::near_duplicates(&items).unwrap());
    }
    assert_eq!(groups::of(&[]).unwrap(), [0; 0]);
    said
}

#[test]
fn every_algorithm_survives_strange_input_and_gives_the_same_answer_twice() {
    for algorithm in ALGORITHMS {
        assert!(run(algorithm.id) == run(algorithm.id), "{}", algorithm.id);
    }
}

#[test]
fn every_algorithm_is_described_and_its_parameters_are_named_once() {
    let mut ids: Vec<&str> = ALGORITHMS.iter().map(|a| a.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), ALGORITHMS.len());
    for algorithm in ALGORITHMS {
        assert!(algorithm.summary.ends_with('.') && !algorithm.source.is_empty(), "{}", algorithm.id);
        let mut names: Vec<&str> = algorithm.parameters.iter().map(|p| p.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), algorithm.parameters.len(), "{}", algorithm.id);
    }
}
