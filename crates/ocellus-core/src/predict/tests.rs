//! Prediction with the really installed weights on photographs everybody knows what they show.

use serde_json::json;

use super::*;
use crate::Kind;
use crate::inputs::{self, InputState, NewInput};
use crate::testing::{TestPlatform, cache_dir};
use crate::{JsonMap, MediaKind};

fn photo(name: &str) -> Source {
    let path = cache_dir().join("photos").join(name);
    let bytes =
        std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}; run `make setup`", path.display()));
    Source::Bytes(bytes.into())
}

async fn concepts(test: &TestPlatform, name: &str, options: &PredictOptions) -> Vec<Scored> {
    let model = test.platform.catalog().general().clone();
    let answer = source(&test.platform, &model, &photo(name), None, options).await.unwrap();
    let Prediction::Concepts(concepts) = answer else { panic!("{answer:?}") };
    concepts
}

#[tokio::test]
async fn photographs_show_what_they_show() {
    let test = TestPlatform::new().await;
    let table = [
        ("dog.png", "dog"),
        ("cat.png", "cat"),
        ("coffee.png", "espresso"),
        ("baboon.jpg", "baboon"),
        ("orange.jpg", "orange"),
        ("monarch.png", "butterfly"),
        ("squirrel.jpg", "fox squirrel"),
        ("double_decker_bus.jpg", "bus"),
    ];
    for (name, expected) in table {
        let found = concepts(&test, name, &PredictOptions::default()).await;
        assert_eq!(found.len(), 20);
        assert!(found.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        let top: Vec<&str> = found.iter().take(5).map(|concept| concept.name.as_str()).collect();
        assert!(top.iter().any(|name| name.contains(expected)), "{name}: {top:?}");
    }
}

#[tokio::test]
async fn only_what_was_asked_for_is_answered() {
    let test = TestPlatform::new().await;
    let few = PredictOptions { max_concepts: 3, ..PredictOptions::default() };
    assert_eq!(concepts(&test, "dog.png", &few).await.len(), 3);
    let likely = PredictOptions { max_concepts: 200, min_value: 0.2, ..PredictOptions::default() };
    assert!(concepts(&test, "dog.png", &likely).await.iter().all(|concept| concept.probability >= 0.2));
    let select = vec![
        ConceptSelector { id: "ai_8S2Vq3cR".into(), name: String::new() },
        ConceptSelector { id: String::new(), name: "Espresso".into() },
        ConceptSelector { id: String::new(), name: "no such thing".into() },
    ];
    let selected = PredictOptions { select, ..PredictOptions::default() };
    let names: Vec<String> =
        concepts(&test, "dog.png", &selected).await.into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["dog", "espresso"]);

    let model = test.platform.catalog().general().clone();
    let nothing = vec![ConceptSelector { id: String::new(), name: "no such thing".into() }];
    let table = [
        (
            PredictOptions { select: nothing, ..PredictOptions::default() },
            "select_concepts names no concept of this model",
        ),
        (PredictOptions { max_concepts: 0, ..PredictOptions::default() }, "max_concepts must be 1 to 200"),
        (PredictOptions { max_concepts: 201, ..PredictOptions::default() }, "max_concepts must be 1 to 200"),
        (PredictOptions { min_value: 1.5, ..PredictOptions::default() }, "min_value must be 0 to 1"),
    ];
    for (options, message) in table {
        let err = source(&test.platform, &model, &photo("dog.png"), None, &options).await.unwrap_err();
        assert_eq!((err.kind, err.message.as_str()), (Kind::Invalid, message));
    }
}

#[tokio::test]
async fn every_model_answers_in_its_own_way() {
    let test = TestPlatform::new().await;
    for model in test.platform.catalog().list() {
        let answer = source(&test.platform, model, &photo("coffee.png"), None, &PredictOptions::default())
            .await
            .unwrap();
        match answer {
            Prediction::Concepts(concepts) => assert!(concepts[0].probability > 0.1),
            Prediction::Embedding(vector) => {
                assert_eq!(Some(vector.len()), model.dimensions);
                assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
            }
            Prediction::Colors(colors) => {
                assert!((colors.iter().map(|color| color.fraction).sum::<f32>() - 1.0).abs() < 1e-3);
                assert!(colors.windows(2).all(|pair| pair[0].fraction >= pair[1].fraction));
            }
            Prediction::Focus(focus) => assert!((0.0..=1.0).contains(&focus.sharpness)),
            Prediction::Fingerprint(hash) => assert_ne!(hash, 0),
            Prediction::Regions(regions) => {
                assert!(regions.iter().all(|region| region.probability >= 0.2), "{regions:?}");
            }
            Prediction::Frames(frames) => panic!("a photograph has no frames: {frames:?}"),
        }
    }
}

#[tokio::test]
async fn one_bad_image_does_not_fail_its_neighbours() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let model = test.platform.catalog().general().clone();
    let input = |subject| PredictInput { subject, crop: None };
    let inputs = vec![
        input(Subject::Source(photo("dog.png"))),
        input(Subject::Source(Source::Bytes(Bytes::from_static(b"not an image")))),
        input(Subject::Source(Source::Url("http://10.0.0.1/x.jpg".into()))),
        input(Subject::Source(Source::Text("a dog".into()))),
        input(Subject::Input("nobody".into())),
        input(Subject::Source(photo("cat.png"))),
    ];
    let answers =
        run(&app, &Predictor::Public(model.clone()), inputs, &PredictOptions::default()).await.unwrap();
    let kinds: Vec<Option<Kind>> =
        answers.iter().map(|answer| answer.as_ref().err().map(|err| err.kind)).collect();
    assert_eq!(kinds[0], None);
    assert!(matches!(kinds[1], Some(Kind::Invalid | Kind::Unsupported)), "{kinds:?}");
    assert_eq!(&kinds[2..], [Some(Kind::Forbidden), Some(Kind::Unsupported), Some(Kind::NotFound), None]);
    assert!(matches!(answers[1].as_ref().unwrap_err().about, Some(Resource::Image(_))));
}

#[tokio::test]
async fn what_is_kept_with_an_input_is_what_the_model_would_say() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let crop = CropBox { top: 0.1, left: 0.1, bottom: 0.9, right: 0.8 };
    let new = NewInput {
        id: Some("cup".into()),
        source: photo("coffee.png"),
        kind: MediaKind::Image,
        allow_duplicate_url: false,
        crop: Some(crop),
        labels: vec![],
        metadata: JsonMap::from_iter([("a".to_owned(), json!(1))]),
        geo: None,
        parts: Default::default(),
    };
    inputs::create(&app, vec![new]).await.unwrap().remove(0).unwrap();
    test.settle().await;
    assert_eq!(inputs::get(&app, "cup").await.unwrap().state, InputState::Ready);
    for model in test.platform.catalog().list() {
        let options = PredictOptions::default();
        let of_input = PredictInput { subject: Subject::Input("cup".into()), crop: None };
        let kept = run(&app, &Predictor::Public(model.clone()), vec![of_input], &options)
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        let fresh = source(&test.platform, model, &photo("coffee.png"), Some(crop), &options).await.unwrap();
        match (kept, fresh) {
            (Prediction::Embedding(kept), Prediction::Embedding(fresh)) => {
                assert!(ocellus_algo::embed::cosine(&kept, &fresh) > 0.9999);
            }
            (Prediction::Concepts(kept), Prediction::Concepts(fresh)) => {
                assert_eq!(kept.len(), fresh.len());
                for (kept, fresh) in kept.iter().zip(&fresh) {
                    assert!((kept.probability - fresh.probability).abs() < 1e-5, "{kept:?} {fresh:?}");
                }
            }
            (kept, fresh) => assert_eq!(kept, fresh),
        }
    }
}

#[tokio::test]
async fn a_picture_is_searched_for_by_its_looks() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    for name in ["motorcycle_left.png", "dog.png", "motorcycle_right.png", "hubble_deep_field.jpg"] {
        let new = NewInput {
            id: Some(name.into()),
            source: photo(name),
            kind: MediaKind::Image,
            allow_duplicate_url: false,
            crop: None,
            labels: vec![],
            metadata: JsonMap::new(),
            geo: None,
            parts: Default::default(),
        };
        inputs::create(&app, vec![new]).await.unwrap().remove(0).unwrap();
    }
    test.settle().await;
    let by = crate::search::RankBy::Image { source: photo("motorcycle_left.png"), crop: None };
    let query = crate::search::Query {
        filters: vec![],
        ranks: vec![crate::search::Rank { negate: false, by }],
        min_score: 0.0,
        page: crate::Page::first(10),
        ..crate::search::Query::default()
    };
    let hits = crate::search::run(&app, query).await.unwrap().hits;
    let ids: Vec<&str> = hits.iter().map(|hit| hit.input.id.as_str()).collect();
    assert_eq!(&ids[..2], ["motorcycle_left.png", "motorcycle_right.png"]);
    assert!(
        (hits[0].score - 1.0).abs() < 1e-4 && hits[1].score < 0.999 && hits[2].score < hits[1].score,
        "{hits:?}"
    );
}
