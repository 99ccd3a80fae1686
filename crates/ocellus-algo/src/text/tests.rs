//! The tokenizer against hand-made cases and, with the network, against the golden sentences.

use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::nn::{Runtime, SessionOptions, TextSession};

fn small() -> WordPiece {
    let json = r###"{"model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "dog": 3, "##s": 4,
        "!": 5, "un": 6, "##like": 7, "##ly": 8, "犬": 9, "cafe": 10}}}"###;
    WordPiece::from_json(json.as_bytes()).unwrap()
}

#[test]
fn words_are_cut_into_the_longest_pieces_that_there_are() {
    let table: [(&str, &[i64]); 10] = [
        ("dog", &[1, 3, 2]),
        ("  DOGS!", &[1, 3, 4, 5, 2]),
        ("unlikely", &[1, 6, 7, 8, 2]),
        ("Café", &[1, 10, 2]),
        ("犬犬", &[1, 9, 9, 2]),
        ("dog\u{200d}s", &[1, 3, 4, 2]),
        ("dogx dog", &[1, 0, 3, 2]),
        ("", &[1, 2]),
        ("\t\n\0", &[1, 2]),
        ("!!", &[1, 5, 5, 2]),
    ];
    for (text, expected) in table {
        assert_eq!(small().encode(text, 256), expected, "{text:?}");
    }
}

#[test]
fn a_long_text_and_a_long_word_end_somewhere() {
    assert_eq!(small().encode("dog dog dog dog", 4), [1, 3, 3, 2]);
    assert_eq!(small().encode(&"dog".repeat(40), 256), [1, 0, 2]);
}

#[test]
fn a_file_that_is_no_tokenizer_is_refused() {
    for json in [
        "",
        "{}",
        r#"{"model": {"type": "BPE", "vocab": {}}}"#,
        r#"{"model": {"type": "WordPiece", "vocab": {}}}"#,
    ] {
        assert!(matches!(WordPiece::from_json(json.as_bytes()), Err(Error::BadInput(_))), "{json}");
    }
}

fn cache() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the setup script goes by the same variables")]
    let dir = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    dir("OCELLUS_CACHE")
        .or_else(|| dir("XDG_CACHE_HOME").map(|dir| dir.join("ocellus")))
        .unwrap_or_else(|| dir("HOME").expect("HOME is set").join(".cache/ocellus"))
}

#[test]
fn the_golden_sentences_have_their_pieces_and_their_vectors() {
    let models = cache().join("models");
    let tokenizer =
        models.join("be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037/tokenizer.json");
    let network = models
        .join("8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6/all-minilm-l6-v2-int8.onnx");
    let tokenizer = WordPiece::from_json(&std::fs::read(tokenizer).expect("run `make setup`")).unwrap();
    let runtime = Runtime::load(&cache().join("runtime/libonnxruntime.so.1.31.1")).unwrap();
    let mut session = TextSession::open(&runtime, &network, &SessionOptions { intra_threads: 1 }).unwrap();
    let golden =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/golden/minilm-sentences.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    let mut all = Vec::new();
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let ids = tokenizer.encode(text, 256);
        let expected: Vec<i64> =
            case["ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        assert_eq!(ids, expected, "{text:?}");
        all.push(ids);
    }
    // Together and one by one: padding must not change a vector.
    let together = session.embed(&all).unwrap();
    for ((case, ids), together) in cases.iter().zip(&all).zip(together) {
        let alone = session.embed(std::slice::from_ref(ids)).unwrap().remove(0);
        let expected = case["embedding"].as_array().unwrap();
        assert_eq!(alone.len(), expected.len());
        for ((x, y), z) in alone.iter().zip(expected).zip(together) {
            let y = y.as_f64().unwrap() as f32;
            assert!((x - y).abs() < 1e-4, "{}: {x} and {y}", case["text"]);
            assert!((x - z).abs() < 1e-4, "{}: {x} alone and {z} in a batch", case["text"]);
        }
    }
}
