//! Maps of apps whose inputs are a few pictures of some shades.

use ocellus_algo::image::{RgbImage, encode_jpeg};

use super::*;
use crate::inputs::{self, NewInput};
use crate::testing::TestPlatform;
use crate::{Kind, MediaKind, Source};

fn picture(id: &str, shade: u8) -> NewInput {
    let bytes = (0..64 * 64).flat_map(|n: u32| [shade, (n % 64 * 4) as u8, (n / 64 * 4) as u8]).collect();
    let image = RgbImage::from_raw(64, 64, bytes).unwrap();
    NewInput {
        id: Some(id.to_owned()),
        source: Source::Bytes(encode_jpeg(&image, 90).unwrap().into()),
        kind: MediaKind::Image,
        allow_duplicate_url: true,
        crop: None,
        labels: Vec::new(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    }
}

async fn points_of(app: &AppCtx, map: &Stored<AppMap>) -> Points {
    Points::from_bytes(&points(app, &map.doc).await.unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn an_app_is_laid_out_by_a_job_and_its_map_says_what_is_on_it() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let shades = [0, 1, 2, 120, 121, 122, 250, 251];
        let new: Vec<NewInput> =
            shades.iter().enumerate().map(|(at, shade)| picture(&format!("p{at}"), *shade)).collect();
        inputs::create(&app, new).await.unwrap();
        test.settle().await;
        let begun = create(&app).await.unwrap();
        assert_eq!((begun.doc.state, begun.doc.method), (MapState::Pending, None));
        assert_eq!(points(&app, &begun.doc).await.unwrap(), None);
        assert_eq!(create(&app).await.unwrap().id, begun.id, "one is made at a time");
        test.settle().await;
        let done = get(&app, &begun.id).await.unwrap();
        assert_eq!((done.doc.state, done.doc.method), (MapState::Ready, Some(Method::Tsne)));
        assert_eq!((done.doc.n_inputs, done.doc.n_left_out), (8, 0));
        let points = points_of(&app, &done).await;
        assert_eq!(points.input_ids, ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"]);
        assert_eq!((points.coordinates.len(), points.n_neighbors), (16, 7));
        assert!(points.neighbors_of(3).all(|id| id != "p3"));
        // The points are kept as long as the map says so.
        app.platform().collect_blobs("somebody").await.unwrap();
        test.settle().await;
        assert_eq!(points_of(&app, &done).await, points);
        assert_eq!(newest(&app).await.unwrap().id, done.id);
    }
}

#[tokio::test]
async fn the_newest_map_with_points_is_shown_while_the_next_is_made() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    inputs::create(&app, vec![picture("a", 3)]).await.unwrap();
    test.settle().await;
    let first = create(&app).await.unwrap();
    assert_eq!(newest(&app).await.unwrap().id, first.id, "there is no other");
    test.settle().await;
    assert_eq!(get(&app, &first.id).await.unwrap().doc.trustworthiness, None, "one input has no neighbours");
    let second = create(&app).await.unwrap();
    assert_eq!(newest(&app).await.unwrap().id, first.id);
    test.settle().await;
    assert_eq!(newest(&app).await.unwrap().id, second.id);
}

#[tokio::test]
async fn there_is_no_map_of_nothing() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let refused = create(&app).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid);
    assert!(matches!(refused.about, Some(Resource::Other(NOTHING_TO_MAP, _))));
    assert_eq!(newest(&app).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(get(&app, "none").await.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn a_map_whose_inputs_went_away_says_why_there_is_none() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    inputs::create(&app, vec![picture("a", 3)]).await.unwrap();
    test.settle().await;
    let begun = create(&app).await.unwrap();
    inputs::delete_all(&app).await.unwrap();
    test.settle().await;
    let failed = get(&app, &begun.id).await.unwrap().doc;
    assert_eq!(failed.state, MapState::Failed);
    assert!(failed.error.contains("described"), "{}", failed.error);
}
