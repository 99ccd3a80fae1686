//! The converted EfficientNet-Lite0 gives what the original gives in PyTorch; `fixtures/make` has the making.

use std::path::{Path, PathBuf};

use ocellus_algo::embed::cosine;
use ocellus_algo::image::{DecodeLimits, RgbImage, decode};
use ocellus_algo::nn::{Runtime, Session, SessionOptions, Tensor};
use ocellus_algo::preprocess::{self, Channels, Filter, Layout, Resize, Spec};
use serde_json::Value;

const SIDE: u32 = 224;
const WEIGHTS: &str =
    "models/45243edc60215ab6432ed1be55c75ee2c26c2a9cd415f4ddcb002a25f3fd4473/efficientnet-lite0.onnx";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// Where `make setup` installs.
fn cache() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the setup script goes by the same variables")]
    let dir = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = dir("OCELLUS_CACHE").or_else(|| dir("XDG_CACHE_HOME"));
    base.or_else(|| dir("HOME").map(|home| home.join(".cache"))).expect("HOME is set").join("ocellus")
}

fn session() -> Session {
    let runtime = Runtime::load(&cache().join("runtime/libonnxruntime.so.1.31.1"))
        .expect("run `make setup` before the tests");
    Session::open(&runtime, &cache().join(WEIGHTS), &SessionOptions { intra_threads: 1 })
        .expect("run `make setup` before the tests")
}

/// The preprocessing of the manifest; the pictures already have the size, so nothing is resized.
fn spec() -> Spec {
    Spec {
        width: SIDE,
        height: SIDE,
        resize: Resize::Stretch,
        filter: Filter::Bicubic,
        channels: Channels::Rgb,
        layout: Layout::Nchw,
        mean: [127.0; 3],
        std: [128.0; 3],
    }
}

/// The bytes that the golden script gives the original where a case names no picture.
fn noise() -> RgbImage {
    let mut state = 12345_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let bytes = (0..SIDE * SIDE * 3).map(|_| next()).collect();
    RgbImage::from_raw(SIDE, SIDE, bytes).expect("the length is that of the picture")
}

struct Golden {
    input: Tensor,
    logits: Vec<f32>,
    embedding: Vec<f32>,
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number") as f32).collect()
}

fn golden() -> (f32, Vec<Golden>) {
    let text = std::fs::read_to_string(fixtures().join("golden/efficientnet-lite0.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let cases = document["cases"].as_array().expect("a list").iter().map(|case| {
        let image = match case["picture"].as_str() {
            Some(path) => {
                let bytes = std::fs::read(fixtures().join(path)).unwrap();
                decode(&bytes, &DecodeLimits::default()).unwrap().image
            }
            None => noise(),
        };
        Golden {
            input: preprocess::apply(&spec(), &image),
            logits: numbers(&case["logits"]),
            embedding: numbers(&case["embedding"]),
        }
    });
    (document["tolerance"].as_f64().expect("a number") as f32, cases.collect())
}

/// Largest difference as a part of the largest expected value.
fn relative_error(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, |a: f32, x| a.max(x.abs()));
    largest(&mut got.iter().zip(expected).map(|(g, e)| g - e)) / largest(&mut expected.iter().copied())
}

#[test]
fn the_converted_network_answers_like_the_original() {
    let mut session = session();
    assert_eq!(session.output_names(), ["logits", "embedding"]);
    let (tolerance, cases) = golden();
    assert_eq!(cases.len(), 3);
    for (idx, case) in cases.iter().enumerate() {
        let outputs = session.run(&case.input).unwrap();
        let (logits, embedding) = (&outputs[0], &outputs[1]);
        assert_eq!((&logits.shape[..], &embedding.shape[..]), (&[1, 1000][..], &[1, 1280][..]));
        let errors =
            [relative_error(&logits.data, &case.logits), relative_error(&embedding.data, &case.embedding)];
        assert!(errors.iter().all(|e| *e <= tolerance), "case {idx}: {errors:?}");
    }
}

#[test]
fn a_batch_gives_each_image_what_it_gets_alone() {
    let mut session = session();
    let (tolerance, cases) = golden();
    let batch = Tensor::stack(&cases.iter().map(|case| case.input.clone()).collect::<Vec<_>>()).unwrap();
    let outputs = session.run(&batch).unwrap();
    for (idx, case) in cases.iter().enumerate() {
        let logits = &outputs[0].data[idx * 1000..(idx + 1) * 1000];
        assert!(relative_error(logits, &case.logits) <= tolerance, "image {idx} of the batch");
    }
}

#[test]
fn different_pictures_have_embeddings_that_point_elsewhere() {
    let (_, cases) = golden();
    assert!(cosine(&cases[0].embedding, &cases[1].embedding) < 0.5);
}
