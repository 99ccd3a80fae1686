//! The converted EfficientNet-Lite0 gives what the original gives in PyTorch; `fixtures/make` has the making.

mod installed;

use installed::{efficientnet, repository, spec};
use ocellus_algo::embed::cosine;
use ocellus_algo::image::{DecodeLimits, RgbImage, decode};
use ocellus_algo::nn::Tensor;
use ocellus_algo::preprocess::{self, Resize};
use serde_json::Value;

const SIDE: u32 = 224;

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

/// The pictures already have the size of the input, so nothing is resized.
fn golden() -> (f32, Vec<Golden>) {
    let text = std::fs::read_to_string(repository().join("fixtures/golden/efficientnet-lite0.json"))
        .expect("the numbers are committed");
    let document: Value = serde_json::from_str(&text).expect("valid JSON");
    let cases = document["cases"].as_array().expect("a list").iter().map(|case| {
        let image = match case["picture"].as_str() {
            Some(path) => {
                let bytes = std::fs::read(repository().join("fixtures").join(path))
                    .expect("the picture is committed");
                decode(&bytes, &DecodeLimits::default()).expect("a PNG").image
            }
            None => noise(),
        };
        Golden {
            input: preprocess::apply(&spec(Resize::Stretch), &image),
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
    let mut session = efficientnet();
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
    let mut session = efficientnet();
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
