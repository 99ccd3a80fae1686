//! A duplication copies what it says, once, however often its job is begun.

use ocellus_algo::image::{RgbImage, encode_jpeg};

use super::*;
use crate::concepts::{self, NewConcept};
use crate::inputs::{self, InputListing, InputState, NewInput, NewLabel};
use crate::search::{self, Query, Rank, RankBy};
use crate::testing::TestPlatform;
use crate::user_models::{self, NewModel};
use crate::{JsonMap, Kind, MediaKind, Platform, Source};

const ALL: Parts = Parts { concepts: true, inputs: true, annotations: true, models: true, workflows: true };

fn picture(shade: u8) -> Source {
    let bytes = (0..64 * 64).flat_map(|n: u32| [shade, (n % 64 * 4) as u8, (n / 64 * 4) as u8]).collect();
    let image = RgbImage::from_raw(64, 64, bytes).unwrap();
    Source::Bytes(encode_jpeg(&image, 90).unwrap().into())
}

fn input(id: &str, shade: u8, concept: &str) -> NewInput {
    let label = NewLabel { concept_id: Some(concept.to_owned()), name: None, value: 1.0 };
    NewInput {
        id: Some(id.to_owned()),
        source: picture(shade),
        kind: MediaKind::Image,
        allow_duplicate_url: true,
        crop: None,
        labels: vec![label],
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    }
}

async fn open(test: &TestPlatform, app_id: &str) -> AppCtx {
    let platform: &Platform = &test.platform;
    platform.app(test.account().await.caller(), "me", app_id, &[]).await.unwrap()
}

fn to(destination: Destination, parts: Parts) -> NewDuplication {
    NewDuplication { destination, parts }
}

fn fresh(id: &str) -> Destination {
    Destination::New(NewApp { id: Some(id.to_owned()), ..NewApp::default() })
}

#[tokio::test]
async fn a_copy_has_the_inputs_concepts_labels_and_vectors_of_its_source() {
    for test in TestPlatform::all().await {
        let (account, app) = (test.account().await, open(&test, &test.first.app_id).await);
        concepts::create(&app, vec![NewConcept { id: "spare".to_owned(), ..NewConcept::default() }])
            .await
            .unwrap();
        inputs::create(&app, vec![input("a", 10, "dark"), input("b", 240, "bright")]).await.unwrap();
        test.settle().await;
        // Not yet described when it is copied: it is described in both.
        inputs::create(&app, vec![input("c", 120, "dark")]).await.unwrap();
        let model = NewModel { id: "m".to_owned(), model_type_id: "t".to_owned(), ..NewModel::default() };
        let model = user_models::create(&app, model).await.unwrap();
        let made = create(&account, &app, to(fresh("copy"), ALL)).await.unwrap();
        assert_eq!(made.doc.state, State::Pending);
        test.settle().await;
        let found = get(&account, &made.id).await.unwrap();
        let n_annotations = found.doc.done.annotations;
        let done = Done { concepts: 3, inputs: 3, annotations: n_annotations, models: 1, ..Done::default() };
        assert_eq!((found.doc.state, found.doc.done), (State::Done, done));

        let copy = open(&test, "copy").await;
        let listing = InputListing { page: Page::default(), states: Vec::new(), newest_first: false };
        let copies = inputs::list(&copy, listing.clone()).await.unwrap();
        let originals = inputs::list(&app, listing).await.unwrap();
        let essence = |all: &[inputs::Input]| {
            let one = |i: &inputs::Input| (i.id.clone(), i.labels.clone(), i.hosted.clone(), i.state.clone());
            all.iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(essence(&copies), essence(&originals));
        assert!(copies.iter().all(|input| input.state == InputState::Ready));
        let by = Rank { negate: false, by: RankBy::InputId("b".to_owned()) };
        let query = Query { ranks: vec![by], ..Query::default() };
        let hits = search::run(&copy, query).await.unwrap().hits;
        assert_eq!((hits.len(), hits[0].input.id.as_str()), (3, "b"));

        let copied = user_models::get(&copy, "m").await.unwrap();
        assert_eq!((copied.newest, copied.app_id.as_str()), (model.newest, "copy"));
        // The copy stands on its own.
        user_models::delete(&app, &["m".to_owned()]).await.unwrap();
        let renamed = vec![("m".to_owned(), "n".to_owned())];
        user_models::rename(&copy, renamed).await.unwrap();
        inputs::delete(&app, &["a".to_owned()]).await.unwrap();
        assert!(inputs::get(&copy, "a").await.is_ok());
        let again = create(&account, &app, to(Destination::Existing("copy".to_owned()), ALL)).await.unwrap();
        test.settle().await;
        let again = get(&account, &again.id).await.unwrap().doc.done;
        assert_eq!((again.inputs, again.inputs_skipped, again.concepts), (0, 2, 0));
        let ids =
            list(&account, Page::default()).await.unwrap().into_iter().map(|one| one.doc.destination_app_id);
        assert_eq!(ids.collect::<Vec<_>>(), ["copy", "copy"]);
    }
}

#[tokio::test]
async fn a_duplication_that_makes_no_sense_is_refused_and_one_whose_app_goes_fails() {
    let test = TestPlatform::new().await;
    let (account, app) = (test.account().await, open(&test, &test.first.app_id).await);
    let some = |concepts, inputs, annotations| Parts {
        concepts,
        inputs,
        annotations,
        models: false,
        workflows: false,
    };
    for (bad, kind) in [
        (to(fresh("x"), some(true, false, true)), Kind::Invalid),
        (to(fresh("x"), some(false, false, false)), Kind::Invalid),
        (to(fresh("x"), Parts { models: true, ..some(false, true, false) }), Kind::Invalid),
        (to(fresh(&test.first.app_id), ALL), Kind::Conflict),
        (to(Destination::Existing("nowhere".to_owned()), ALL), Kind::NotFound),
        (to(Destination::Existing(test.first.app_id.clone()), ALL), Kind::Invalid),
    ] {
        assert_eq!(create(&account, &app, bad.clone()).await.unwrap_err().kind, kind, "{bad:?}");
    }
    let made = create(&account, &app, to(fresh("copy"), ALL)).await.unwrap();
    apps::delete(&open(&test, "copy").await).await.unwrap();
    test.settle().await;
    let found = get(&account, &made.id).await.unwrap().doc;
    assert_eq!(found.state, State::Failed);
    assert!(found.failure.contains("copy"), "{}", found.failure);
}
