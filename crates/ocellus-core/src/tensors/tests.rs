//! Models asked in tensors: public ones and one that a user brought along.

use super::*;
use crate::Kind as ErrorKind;
use crate::testing::{TestPlatform, cache_dir};

fn photo(name: &str) -> Bytes {
    std::fs::read(cache_dir().join("photos").join(name)).unwrap().into()
}

fn images(names: &[&str]) -> Vec<NamedTensor> {
    let files = names.iter().map(|name| photo(name)).collect();
    vec![NamedTensor { name: IMAGE.to_owned(), shape: vec![names.len()], values: Values::Bytes(files) }]
}

fn question(model_id: &str, inputs: Vec<NamedTensor>) -> Question {
    Question { model_id: model_id.to_owned(), inputs, ..Question::default() }
}

#[tokio::test]
async fn every_public_model_that_is_installed_says_the_same_in_arrays() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    for spec in test.platform.catalog().list().iter().filter(|spec| spec.installed()) {
        let inputs = images(&["dog.png", "coffee.png"]);
        let (about, outputs) = infer(&app, question(&spec.id, inputs)).await.unwrap();
        assert_eq!(about.version, spec.version_id());
        for output in &outputs {
            let place = about.outputs.iter().find(|place| place.name == output.name);
            let place = place.unwrap_or_else(|| panic!("{}: {} is not announced", spec.id, output.name));
            assert_eq!((output.shape.len(), output.shape[0]), (place.shape.len(), 2), "{}", spec.id);
            let n = match &output.values {
                Values::F32(numbers) => numbers.len(),
                Values::U64(numbers) => numbers.len(),
                Values::Bytes(texts) => texts.len(),
            };
            assert_eq!(n, output.shape.iter().product::<usize>(), "{} {}", spec.id, output.name);
        }
        assert!(!outputs.is_empty(), "{}", spec.id);
    }
}

#[tokio::test]
async fn raw_numbers_give_what_the_network_gives() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    test.own_colours().await;
    let numbers: Vec<f32> = (0..2 * 192).map(|idx| if idx % 192 < 64 { 1.0 } else { 0.0 }).collect();
    let tensor = |shape: &[usize], numbers: &[f32]| {
        let values = Values::F32(numbers.to_vec());
        vec![NamedTensor { name: IMAGE.to_owned(), shape: shape.to_vec(), values }]
    };
    let asked = Question {
        wanted: vec!["logits".to_owned()],
        ..question("colours", tensor(&[2, 3, 8, 8], &numbers))
    };
    let (about, outputs) = infer(&app, asked).await.unwrap();
    assert_eq!(about.licence, "CC0-1.0");
    let values = Values::F32(vec![10.0, 0.0, 0.0, 10.0, 0.0, 0.0]);
    assert_eq!(outputs, [NamedTensor { name: "logits".to_owned(), shape: vec![2, 3], values }]);

    let wrong: Vec<(Question, &str)> = vec![
        (question("colours", tensor(&[2, 3, 4, 8], &numbers[..192])), "[rows, 3, 8, 8]"),
        (question("colours", Vec::new()), "one tensor"),
        (question("colours", images(&[])), "1 to 128 rows"),
        (Question { wanted: vec!["x".to_owned()], ..question("colours", images(&["dog.png"])) }, "'x'"),
        (Question { max_concepts: 201, ..question("colours", images(&["dog.png"])) }, "max_concepts"),
    ];
    for (asked, expected) in wrong {
        let error = infer(&app, asked).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error:?}");
        assert!(error.message.contains(expected), "{expected}: {error}");
    }
    let none = infer(&app, question("nobody", images(&["dog.png"]))).await.unwrap_err();
    assert_eq!(none.kind, ErrorKind::NotFound);
}
