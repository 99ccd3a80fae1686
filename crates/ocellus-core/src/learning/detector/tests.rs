//! Detectors learned from boxes with the really installed one, on pictures that are painted here, on every database.

#![expect(clippy::large_futures, reason = "each test has a stack of its own")]

use ocellus_algo::image::{self, RgbImage};
use serde_json::json;

use crate::annotations::{Data, Region, Said, Shape};
use crate::inputs::{self, NewInput};
use crate::learning::{self, NewTraining};
use crate::models::{self, Predictor};
use crate::predict::{self, PredictInput, PredictOptions, Prediction, Subject};
use crate::testing::TestPlatform;
use crate::user_models::{self, ConceptRef, FailureReason, NewModel, VersionState};
use crate::{AppCtx, CropBox, Error, JsonMap, MediaKind, Source};

const WIDTH: u32 = 240;
const HEIGHT: u32 = 200;

/// Two kinds of signs at seeded places on a seeded ground, and where they are.
fn paint(n: u32) -> (RgbImage, Vec<(&'static str, CropBox)>) {
    let ground = |x: u32, y: u32| {
        let wave = ((x * (3 + n % 5) + y * (2 + n % 3)) / 7 % 40) as u8;
        image_rgb([90 + wave, 110 + (n * 13 % 60) as u8, 150 - wave])
    };
    let mut picture = RgbImage::from_fn(WIDTH, HEIGHT, ground);
    let mut signs = Vec::new();
    for (which, kind) in ["cross", "ring"].into_iter().enumerate() {
        let side = 56 + (n * 7 + which as u32 * 11) % 30;
        let left = which as u32 * 120 + (n * 17) % (118 - side.min(117));
        let top = (n * 29 + which as u32 * 37) % (HEIGHT - side);
        for (x, y) in (0..side).flat_map(|x| (0..side).map(move |y| (x, y))) {
            let (u, v) = (x as f32 / side as f32 - 0.5, y as f32 / side as f32 - 0.5);
            let is_ink = match kind {
                "cross" => u.abs() < 0.14 || v.abs() < 0.14,
                _ => (0.3..0.5).contains(&u.hypot(v)),
            };
            let color = if is_ink { [230, 20, 30] } else { [250, 250, 240] };
            picture.put_pixel(left + x, top + y, image_rgb(color));
        }
        let at = |pixel: u32, of: u32| pixel as f32 / of as f32;
        let sides = CropBox {
            top: at(top, HEIGHT),
            left: at(left, WIDTH),
            bottom: at(top + side, HEIGHT),
            right: at(left + side, WIDTH),
        };
        signs.push((kind, sides));
    }
    (picture, signs)
}

fn image_rgb(color: [u8; 3]) -> <RgbImage as std::ops::Index<(u32, u32)>>::Output {
    color.into()
}

fn bytes(n: u32) -> bytes::Bytes {
    image::encode_jpeg(&paint(n).0, 92).unwrap().into()
}

async fn add_picture(app: &AppCtx, n: u32, with_boxes: bool) {
    let region = |(idx, (kind, sides)): (usize, (&str, CropBox))| Region {
        id: format!("r{idx}"),
        shape: Some(Shape::Box(sides)),
        concepts: vec![Said { concept_id: kind.to_owned(), name: String::new(), value: 1.0 }],
        ..Region::default()
    };
    let regions = paint(n).1.into_iter().enumerate().map(region).filter(|_| with_boxes).collect();
    let new = NewInput {
        id: Some(format!("p{n}")),
        source: Source::Bytes(bytes(n)),
        kind: MediaKind::Image,
        allow_duplicate_url: false,
        crop: None,
        labels: vec![],
        metadata: JsonMap::new(),
        geo: None,
        parts: Data { regions, ..Data::default() },
    };
    inputs::create(app, vec![new]).await.unwrap().remove(0).unwrap();
}

async fn model(app: &AppCtx, id: &str) {
    let refs = ["cross", "ring"].map(|id| ConceptRef { id: Some(id.to_owned()), name: None });
    let new = NewModel {
        id: id.to_owned(),
        model_type_id: "visual-detector".to_owned(),
        concepts: refs.to_vec(),
        ..NewModel::default()
    };
    user_models::create(app, new).await.unwrap();
}

/// Trains and tells the version as it is then.
async fn train(test: &TestPlatform, app: &AppCtx, id: &str) -> user_models::UserModelVersion {
    let params =
        json!({"n_folds": 3, "regularisation": 1.0, "max_iterations": 60}).as_object().unwrap().clone();
    let new = NewTraining { params, ..NewTraining::default() };
    let (_, version) = learning::train(app, id, new).await.unwrap();
    test.settle().await;
    let job_id = version.doc.training.as_ref().unwrap().job_id.clone();
    let read = move |tx: &mut ocellus_store::Tx<'_>| Ok::<_, Error>(tx.job_parts(&job_id, 10, 0)?);
    let parts = test.platform.store().read(read).await.unwrap();
    assert!(parts.iter().all(|part| part.error.is_empty()), "{parts:?}");
    let model = user_models::get(app, id).await.unwrap();
    user_models::version(app, &model, &version.id).await.unwrap()
}

#[tokio::test]
async fn a_detector_learned_from_boxes_finds_such_things_in_a_picture_never_seen() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        for n in 0..18 {
            add_picture(&app, n, true).await;
        }
        add_picture(&app, 40, false).await;
        model(&app, "signs").await;
        test.settle().await;
        let version = train(&test, &app, "signs").await;
        assert_eq!(version.state, VersionState::Trained, "{:?}", version.doc.failure);
        let on = version.doc.trained_on.clone().unwrap();
        assert_eq!((on.n_inputs, on.method.as_str()), (18, "linear-on-proposals"), "one has no boxes");
        assert_eq!(on.concepts.iter().map(|one| one.n_positive).collect::<Vec<_>>(), [18, 18]);
        assert_eq!(on.backbone.model_id, "general-image-detection");
        let precision = on.found["mean_average_precision"].as_f64().unwrap();
        assert!(precision > 0.7, "{precision} {:?}", on.found);
        let held_out = learning::held_out(&test.platform, &version).await.unwrap().unwrap();
        assert_eq!((held_out.input_ids.len(), held_out.labels.len()), (18, 36));

        let predictor = models::to_predict(&app, "signs", None).await.unwrap();
        assert!(matches!(predictor, Predictor::Own { .. }));
        let subjects = [Subject::Source(Source::Bytes(bytes(33))), Subject::Input("p40".to_owned())];
        let inputs = subjects.map(|subject| PredictInput { subject, crop: None }).to_vec();
        let options = PredictOptions { min_value: 0.3, ..PredictOptions::default() };
        let answers = predict::run(&app, &predictor, inputs, &options).await.unwrap();
        for (answer, n) in answers.into_iter().zip([33, 40]) {
            let Prediction::Regions(regions) = answer.unwrap() else { panic!("no regions") };
            for (kind, sides) in paint(n).1 {
                let found = regions.iter().any(|region| {
                    let [a, b] = [region.bbox, sides].map(|s| [s.top, s.left, s.bottom, s.right]);
                    region.concepts[0].concept_id == kind && ocellus_algo::agreement::iou(a, b) >= 0.5
                });
                assert!(found, "{n} {kind} {sides:?}: {regions:?}");
            }
        }

        // The same again is the same, to the byte.
        let again = train(&test, &app, "signs").await;
        assert_eq!(again.doc.artefact, version.doc.artefact);
        assert_eq!(again.doc.held_out, version.doc.held_out);
    }
}

#[tokio::test]
async fn without_boxes_there_is_nothing_to_learn() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    add_picture(&app, 1, false).await;
    model(&app, "signs").await;
    test.settle().await;
    let version = train(&test, &app, "signs").await;
    assert_eq!(version.state, VersionState::Failed);
    assert_eq!(version.doc.failure.unwrap().reason, FailureReason::NoData);
}
