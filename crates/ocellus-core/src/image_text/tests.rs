//! Pictures are found by words through a pair of networks, and a pair that does not fit is refused.

use ocellus_algo::image::{RgbImage, encode_jpeg};
use ocellus_store::testing::TestStore;

use super::*;
use crate::inputs::{self, NewInput};
use crate::search::{self, Query, Rank, RankBy};
use crate::testing::{TestPlatform, image_text, runtime_library};
use crate::{AppCtx, JsonMap, MediaKind, Source};

fn plain(id: &str, color: [u8; 3]) -> NewInput {
    let bytes = encode_jpeg(&RgbImage::from_pixel(32, 32, color.into()), 95).unwrap();
    NewInput {
        id: Some(id.to_owned()),
        source: Source::Bytes(bytes.into()),
        kind: MediaKind::Image,
        allow_duplicate_url: true,
        crop: None,
        labels: Vec::new(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    }
}

fn text(words: &str) -> RankBy {
    RankBy::Text(words.to_owned())
}

async fn find(app: &AppCtx, ranks: Vec<(bool, RankBy)>) -> Vec<(String, f32)> {
    let ranks = ranks.into_iter().map(|(negate, by)| Rank { negate, by }).collect();
    let found = search::run(app, Query { ranks, ..Query::default() }).await.unwrap();
    found.hits.into_iter().map(|hit| (hit.input.id, hit.score)).collect()
}

#[tokio::test]
async fn words_find_the_pictures_that_they_describe() {
    for db in TestStore::all().await {
        let test = TestPlatform::on(db, |config| config.image_text = Some(image_text(false))).await;
        let app = test.app().await;
        let batch = vec![
            plain("red", [230, 10, 10]),
            plain("green", [10, 230, 10]),
            plain("blue", [10, 10, 230]),
            plain("purple", [160, 10, 230]),
        ];
        assert!(inputs::create(&app, batch).await.unwrap().iter().all(Result::is_ok));
        test.settle().await;
        let near_one = |score: f32| (0.99..=1.0).contains(&score);
        for (words, first) in [("A RED thing!", "red"), ("green", "green"), ("the blue", "blue")] {
            let found = find(&app, vec![(false, text(words))]).await;
            assert_eq!((found.len(), found[0].0.as_str()), (4, first), "{words}: {found:?}");
            assert!(near_one(found[0].1) && found[1].1 < 0.96, "{words}: {found:?}");
        }
        let ids = |found: Vec<(String, f32)>| found.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        let order = ids(find(&app, vec![(false, text("blue blue red"))]).await);
        assert_eq!(order, ["purple", "blue", "red", "green"]);
        let order = ids(find(&app, vec![(false, text("blue")), (true, text("red"))]).await);
        assert_eq!(order, ["blue", "purple", "green", "red"]);
        // Another space takes part: the picture itself scores 1 there.
        let both = vec![(false, text("green")), (false, RankBy::InputId("green".to_owned()))];
        let found = find(&app, both).await;
        assert_eq!((found.len(), found[0].0.as_str()), (4, "green"));
        assert!(near_one(found[0].1), "{found:?}");
    }
}

#[tokio::test]
async fn without_vectors_of_the_pair_nothing_is_found_by_text() {
    let test = TestPlatform::new().await;
    inputs::create(&test.app().await, vec![plain("red", [230, 10, 10])]).await.unwrap();
    test.settle().await;
    let platform = test.another_with(|config| config.image_text = Some(image_text(false)));
    let app = platform.app(&test.caller().await, "", "", &[]).await.unwrap();
    assert!(find(&app, vec![(false, text("red"))]).await.is_empty());
}

#[test]
fn a_pair_that_does_not_fit_is_refused_with_the_setting_and_the_cure() {
    type Change = fn(&mut ImageTextConfig);
    let table: [(Change, &str, &str); 11] = [
        (|c| c.merges = PathBuf::new(), "image_text.merges: is empty", "leave all paths"),
        (
            |c| c.text_model = "/nowhere.onnx".into(),
            "image_text.text_model: there is no file",
            "give its path",
        ),
        (
            |c| c.text_model.set_file_name("text-4.onnx"),
            "image_text.text_model: gives vectors of 4",
            "same model",
        ),
        (|c| c.image_model = c.text_model.clone(), "image_text.image_model: ", "vision half"),
        (|c| c.text_model = c.image_model.clone(), "image_text.text_model: ", "input_ids"),
        (|c| c.image_model = c.merges.clone(), "image_text.image_model: ", "vision half"),
        (|c| c.image_size = 9, "image_text.image_model: ", "set image_text.image_size"),
        (|c| c.context_length = 15, "image_text.text_model: ", "set image_text.context_length"),
        (|c| c.vocabulary = c.merges.clone(), "image_text.vocabulary: ", "give the vocab.json"),
        (|c| c.std[1] = 0.0, "image_text.std: ", "preprocessor_config.json"),
        (|c| c.image_size = 0, "image_text.image_size: must be", "224"),
    ];
    for (change, wrong, cure) in table {
        let mut config = image_text(false);
        change(&mut config);
        let message = ImageText::open(&config, &runtime_library()).err().unwrap().to_string();
        assert!(message.starts_with(wrong) && message.contains(cure), "{message}");
    }
}

#[test]
fn other_files_and_another_treatment_mean_another_space() {
    let open = |config: &ImageTextConfig| ImageText::open(config, &runtime_library()).unwrap();
    let one = open(&image_text(false));
    assert_eq!(one.space(), open(&image_text(false)).space());
    assert_ne!(one.space(), open(&image_text(true)).space());
    assert_ne!(one.space(), open(&ImageTextConfig { mean: [0.5; 3], ..image_text(false) }).space());
}
