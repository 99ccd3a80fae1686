//! Boxes on photographs with the really installed weights, held against what other implementations find with the same.

use serde_json::Value;

use super::*;
use crate::Source;
use crate::predict::{ConceptSelector, PredictOptions, source};
use crate::testing::{TestPlatform, cache_dir};

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../../fixtures/golden/regions.json")).unwrap()
}

fn photo(name: &str) -> Source {
    let path = cache_dir().join("photos").join(name);
    let bytes =
        std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}; run `make setup`", path.display()));
    Source::Bytes(bytes.into())
}

async fn regions(
    test: &TestPlatform,
    model: &str,
    name: &str,
    options: &PredictOptions,
) -> Vec<RegionPrediction> {
    let model = test.platform.catalog().find(model).unwrap().clone();
    match source(&test.platform, &model, &photo(name), None, options).await.unwrap() {
        Prediction::Regions(regions) => regions,
        other @ (Prediction::Concepts(_)
        | Prediction::Embedding(_)
        | Prediction::Colors(_)
        | Prediction::Focus(_)
        | Prediction::Fingerprint(_)
        | Prediction::Frames(_)) => panic!("{other:?}"),
    }
}

fn sides(region: &RegionPrediction) -> [f64; 4] {
    [region.bbox.top, region.bbox.left, region.bbox.bottom, region.bbox.right].map(f64::from)
}

/// How far the sides of a region are from those of a reference, which may reach beyond the picture.
fn distance(region: &RegionPrediction, wanted: &Value) -> f64 {
    let wanted =
        wanted["sides"].as_array().unwrap().iter().map(|side| side.as_f64().unwrap().clamp(0.0, 1.0));
    sides(region).into_iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[tokio::test]
async fn things_are_where_another_implementation_finds_them() {
    let (test, golden) = (TestPlatform::new().await, golden());
    let tolerance = &golden["tolerance"];
    for (name, wanted) in golden["objects"].as_object().unwrap() {
        let found = regions(&test, "general-image-detection", name, &PredictOptions::default()).await;
        for wanted in wanted.as_array().unwrap() {
            let same = found.iter().find(|region| {
                region.concepts[0].name == wanted["name"].as_str().unwrap()
                    && distance(region, wanted) < tolerance["sides"].as_f64().unwrap()
            });
            let same = same.unwrap_or_else(|| panic!("{name}: {wanted} is not in {found:?}"));
            let off = (f64::from(same.probability) - wanted["score"].as_f64().unwrap()).abs();
            assert!(off < tolerance["score"].as_f64().unwrap(), "{name}: {wanted} {same:?}");
        }
        let sure = found.iter().filter(|region| region.probability > 0.5).count();
        assert!(sure <= wanted.as_array().unwrap().len(), "{name}: nothing else is sure: {found:?}");
    }
}

#[tokio::test]
async fn faces_are_found_and_told_apart_as_other_implementations_do() {
    let (test, golden) = (TestPlatform::new().await, golden());
    let tolerance = |name: &str| golden["tolerance"][name].as_f64().unwrap();
    let mut vectors = Vec::new();
    for (name, wanted) in golden["faces"].as_object().unwrap() {
        let wanted = wanted.as_array().unwrap();
        let found = regions(&test, "face-detection", name, &PredictOptions::default()).await;
        let told = regions(&test, "d02b4508df58432fbb84e800597b8959", name, &PredictOptions::default()).await;
        let looks =
            regions(&test, "demographics", name, &PredictOptions { max_concepts: 200, ..Default::default() })
                .await;
        assert_eq!([found.len(), told.len(), looks.len()], [wanted.len(); 3], "{name}");
        for (((face, told), looks), wanted) in found.iter().zip(&told).zip(&looks).zip(wanted) {
            assert!(distance(face, wanted) < tolerance("sides"), "{name}: {face:?} {wanted}");
            assert!(
                (f64::from(face.probability) - wanted["score"].as_f64().unwrap()).abs() < tolerance("score")
            );
            assert_eq!(
                (face.concepts[0].concept_id.as_str(), face.concepts[0].name.as_str()),
                ("ai_8jtPl3Xj", "face")
            );
            assert_eq!([&told.id, &looks.id], [&face.id; 2], "the same face has the same id");
            let vector = told.embedding.clone().unwrap();
            let reference: Vec<f32> =
                wanted["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
            let cosine = ocellus_algo::embed::cosine(&vector, &reference);
            assert!(f64::from(cosine) > tolerance("cosine"), "{name}: {cosine}");
            vectors.push(vector);
            let appearance = looks.appearance.as_ref().unwrap();
            let years: f64 = appearance
                .age
                .iter()
                .map(|age| age.name.parse::<f64>().unwrap() * f64::from(age.probability))
                .sum();
            assert!(
                (years - wanted["years"].as_f64().unwrap()).abs() < tolerance("years"),
                "{name}: {years}"
            );
            let feminine = appearance.gender.iter().find(|one| one.name == "feminine").unwrap();
            assert!(
                (f64::from(feminine.probability) - wanted["feminine"].as_f64().unwrap()).abs() < 0.1,
                "{name}"
            );
        }
    }
    for (n, a) in vectors.iter().enumerate() {
        for b in &vectors[n + 1..] {
            assert!(ocellus_algo::embed::cosine(a, b) < 0.5, "different people");
        }
    }
}

#[tokio::test]
async fn a_face_is_the_same_in_another_light_and_from_a_crop() {
    let test = TestPlatform::new().await;
    let model = test.platform.catalog().find("face-embedding").unwrap().clone();
    let crop = CropBox { top: 0.0, left: 0.2, bottom: 0.5, right: 0.7 };
    let whole =
        source(&test.platform, &model, &photo("astronaut.png"), None, &PredictOptions::default()).await;
    let part =
        source(&test.platform, &model, &photo("astronaut.png"), Some(crop), &PredictOptions::default()).await;
    let vector = |answer: Result<Prediction>| match answer.unwrap() {
        Prediction::Regions(mut regions) => regions.remove(0).embedding.unwrap(),
        other @ (Prediction::Concepts(_)
        | Prediction::Embedding(_)
        | Prediction::Colors(_)
        | Prediction::Focus(_)
        | Prediction::Fingerprint(_)
        | Prediction::Frames(_)) => panic!("{other:?}"),
    };
    let cosine = ocellus_algo::embed::cosine(&vector(whole), &vector(part));
    assert!(cosine > 0.85, "{cosine}");
}

#[tokio::test]
async fn only_what_was_asked_for_is_told_of_regions() {
    let test = TestPlatform::new().await;
    let detector = "general-image-detection";
    let select = |name: &str| vec![ConceptSelector { id: String::new(), name: name.into() }];
    let cars = PredictOptions { select: select("car"), ..PredictOptions::default() };
    let found = regions(&test, detector, "double_decker_bus.jpg", &cars).await;
    assert!(!found.is_empty() && found.iter().all(|one| one.concepts[0].name == "car"), "{found:?}");
    let sure = PredictOptions { min_value: 0.9, ..PredictOptions::default() };
    let found = regions(&test, detector, "double_decker_bus.jpg", &sure).await;
    assert_eq!(found.iter().map(|one| one.concepts[0].name.as_str()).collect::<Vec<_>>(), ["bus"]);
    assert_eq!(regions(&test, "face-detection", "dog.png", &PredictOptions::default()).await, []);
    let few = PredictOptions { max_concepts: 3, ..PredictOptions::default() };
    let looks = regions(&test, "demographics", "astronaut.png", &few).await;
    assert_eq!(looks[0].appearance.as_ref().unwrap().age.len(), 3);
}

#[tokio::test]
async fn a_photograph_of_a_cat_is_safe() {
    let test = TestPlatform::new().await;
    for (model, safe) in [("nsfw-v1.0", "sfw"), ("moderation", "safe")] {
        let model = test.platform.catalog().find(model).unwrap().clone();
        for name in ["cat.png", "astronaut.png", "coffee.png", "footballer.jpg"] {
            let answer = source(&test.platform, &model, &photo(name), None, &PredictOptions::default()).await;
            let Prediction::Concepts(concepts) = answer.unwrap() else { panic!("{name}") };
            assert_eq!(concepts[0].name, safe, "{name}");
            assert!(concepts[0].probability > 0.9, "{name}: {concepts:?}");
            let sum: f32 = concepts.iter().map(|one| one.probability).sum();
            assert!((sum - 1.0).abs() < 1e-3, "{concepts:?}");
        }
    }
}
