//! CLIP's tokenizer against the golden texts of an independent one, and what it refuses.

use std::path::PathBuf;

use serde_json::Value;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

fn tiny() -> BytePair {
    let merges = String::from_utf8(fixture("image-text/merges.txt")).unwrap();
    BytePair::read(&fixture("image-text/vocab.json"), &merges).unwrap()
}

#[test]
fn the_golden_texts_have_their_pieces() {
    let golden: Value = serde_json::from_slice(&fixture("golden/clip-texts.json")).unwrap();
    let length = usize::try_from(golden["length"].as_u64().unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 15);
    let tokenizer = tiny();
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let expected: Vec<i64> =
            case["ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        let (ids, n_used) = tokenizer.encode(text, length);
        assert_eq!(ids, expected, "{text:?}");
        assert_eq!(n_used as u64, case["n_used"].as_u64().unwrap(), "{text:?}");
        assert!(ids.iter().all(|id| *id <= tokenizer.max_id()));
    }
}

#[test]
fn a_long_word_is_cut() {
    let (ids, n_used) = tiny().encode(&"ж".repeat(1_000_000), 2_000);
    assert_eq!((ids.len(), n_used), (2_000, MAX_WORD_BYTES + 2));
}

#[test]
fn files_that_are_no_tokenizer_are_refused() {
    let vocabulary = fixture("image-text/vocab.json");
    let table: [(&[u8], &str, &str); 4] = [
        (b"[]", "", "the vocabulary cannot be read"),
        (b"{\"a\": 1}", "", "the vocabulary has no piece"),
        (&vocabulary, "#version: 0.2\nred", "line 1 of the merges is not two pieces"),
        (&vocabulary, "q q", "the vocabulary has no piece 'qq'"),
    ];
    for (vocabulary, merges, expected) in table {
        let error = BytePair::read(vocabulary, merges).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
