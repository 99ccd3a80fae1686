//! Adding, changing, listing and deleting inputs, apart from their description.

use serde_json::json;

use super::*;
use crate::apps::{self, NewApp};
use crate::testing::TestPlatform;
use crate::{AppCtx, Error, Kind, PatchAction, Resource, concepts};

fn map(value: serde_json::Value) -> JsonMap {
    value.as_object().unwrap().clone()
}

fn text(id: &str) -> NewInput {
    NewInput {
        id: Some(id.to_owned()),
        source: Source::Text(format!("text of {id}")),
        kind: MediaKind::Text,
        allow_duplicate_url: false,
        crop: None,
        labels: Vec::new(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    }
}

fn image_at(id: &str, url: &str) -> NewInput {
    NewInput { source: Source::Url(url.to_owned()), kind: MediaKind::Image, ..text(id) }
}

fn label(id: &str, value: f32) -> NewLabel {
    NewLabel { concept_id: Some(id.to_owned()), name: None, value }
}

async fn add(app: &AppCtx, new: NewInput) -> Input {
    create(app, vec![new]).await.unwrap().remove(0).unwrap()
}

fn labels_of(input: &Input) -> Vec<(&str, f32)> {
    input.labels.iter().map(|label| (label.concept_id.as_str(), label.value)).collect()
}

/// One line per result: the id, or the kind and subject of the error.
fn verdicts(results: &[Result<Input, Error>]) -> Vec<String> {
    let line = |result: &Result<Input, Error>| match result {
        Ok(input) => input.id.clone(),
        Err(error) => format!("{:?} {}", error.kind, error.about.as_ref().map_or("", |about| about.noun())),
    };
    results.iter().map(line).collect()
}

#[tokio::test]
async fn each_input_of_a_batch_is_accepted_or_refused_on_its_own() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        add(&app, text("old")).await;
        add(&app, image_at("old-url", "http://example.com/old.jpg")).await;
        let allowed = NewInput { allow_duplicate_url: true, ..image_at("d", "http://example.com/old.jpg") };
        let upside_down = CropBox { top: 0.9, left: 0.0, bottom: 0.1, right: 1.0 };
        let batch = vec![
            text("a"),
            text("old"),
            text("a"),
            image_at("b", "http://example.com/b.jpg"),
            image_at("c", "http://example.com/b.jpg"),
            image_at("c", "http://example.com/old.jpg"),
            allowed,
            image_at("e", "ftp://example.com/e.jpg"),
            image_at("f", "no address"),
            NewInput { crop: Some(upside_down), ..image_at("g", "http://example.com/g.jpg") },
            NewInput { geo: Some(GeoPoint { longitude: 200.0, latitude: 0.0 }), ..text("h") },
            NewInput { labels: vec![label("x", 1.5)], ..text("i") },
            NewInput { kind: MediaKind::Video, ..image_at("j", "http://example.com/j.mp4") },
            NewInput { source: Source::Bytes(bytes::Bytes::new()), kind: MediaKind::Image, ..text("k") },
            // An id refused above is still free.
            text("c"),
        ];
        let results = create(&app, batch).await.unwrap();
        let expected = [
            "a",
            "Conflict input",
            "Conflict input",
            "b",
            "Conflict url",
            "Conflict url",
            "d",
            "Invalid field",
            "Invalid field",
            "Invalid field",
            "Invalid field",
            "Invalid field",
            "j",
            "Invalid field",
            "c",
        ];
        assert_eq!(verdicts(&results), expected);
        let accepted = results[3].as_ref().unwrap();
        assert_eq!(accepted.state, InputState::Pending);
        assert_eq!(get(&app, "b").await.unwrap(), *accepted);
        // "old-url", and one job for "b" and "d" together; texts need none.
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 2);
        let counts = count(&app).await.unwrap();
        assert_eq!(counts, InputCounts { pending: 4, processing: 0, ready: 3, failed: 0 });
    }
}

#[tokio::test]
async fn a_call_takes_1_to_128_inputs() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let many = |n: usize| (0..n).map(|i| text(&format!("t{i}"))).collect::<Vec<_>>();
        for n in [0, 129] {
            assert_eq!(create(&app, many(n)).await.unwrap_err().kind, Kind::Invalid, "{n}");
        }
        assert!(create(&app, many(128)).await.unwrap().iter().all(Result::is_ok));
        let unnamed = add(&app, NewInput { id: None, ..text("") }).await;
        assert!(unnamed.id.len() == 32 && unnamed.id.chars().all(|c| c.is_ascii_hexdigit()));
    }
}

#[tokio::test]
async fn refused_bytes_are_collected_and_shared_ones_kept() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let bytes = |id: &str, content: &'static [u8]| NewInput {
            source: Source::Bytes(bytes::Bytes::from_static(content)),
            kind: MediaKind::Image,
            ..text(id)
        };
        let batch = vec![bytes("a", b"one"), bytes("a", b"two"), bytes("b", b"one")];
        let results = create(&app, batch).await.unwrap();
        assert_eq!(verdicts(&results), ["a", "Conflict input", "b"]);
        let one = results[0].as_ref().unwrap().hosted.clone().unwrap().hash;
        delete(&app, &["a".to_owned()]).await.unwrap();
        test.clock.advance_us(crate::jobs::gc_blobs::GRACE_US + 2);
        test.settle().await;
        let blobs = test.platform.store().blobs().list("", 10).await.unwrap();
        assert_eq!(blobs.iter().map(|blob| blob.hash.as_str()).collect::<Vec<_>>(), [one.as_str()]);
        delete_all(&app).await.unwrap();
        test.clock.advance_us(crate::jobs::gc_blobs::GRACE_US + 2);
        test.settle().await;
        assert!(test.platform.store().blobs().list("", 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn labels_find_concepts_by_id_or_name_and_make_the_missing_ones() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let known =
            concepts::NewConcept { id: "c1".to_owned(), name: "Dog".to_owned(), ..Default::default() };
        concepts::create(&app, vec![known]).await.unwrap();
        let named = |name: &str| NewLabel { concept_id: None, name: Some(name.to_owned()), value: 1.0 };
        let both = NewLabel { concept_id: Some("c2".to_owned()), name: Some("Cat".to_owned()), value: 0.0 };
        let public = test.platform.catalog().general().labels.concepts[0].clone();
        let labels = vec![named("Dog"), both, named("new"), label(&public.id, 1.0)];
        let input = add(&app, NewInput { labels, ..text("a") }).await;
        assert_eq!(labels_of(&input), [("c1", 1.0), ("c2", 0.0), ("new", 1.0), (public.id.as_str(), 1.0)]);
        let names: Vec<&str> = input.labels.iter().map(|label| label.name.as_str()).collect();
        assert_eq!(names, ["Dog", "Cat", "new", public.name.as_str()]);
        let ids: Vec<String> = concepts::list(&app, Page::first(10))
            .await
            .unwrap()
            .into_iter()
            .map(|concept| concept.id)
            .collect();
        // What was made at the same moment comes in the order of its making.
        assert_eq!(ids, ["c1", "c2", "new", public.id.as_str()]);
    }
}

/// A patch and what the input says afterwards: metadata, labels and place (longitude).
struct Step {
    action: PatchAction,
    metadata: Option<serde_json::Value>,
    labels: &'static [&'static str],
    geo: Option<GeoPoint>,
    then: (serde_json::Value, &'static [&'static str], Option<f64>),
}

fn patch_steps() -> Vec<Step> {
    use PatchAction::{Merge, Overwrite, Remove};
    let place = Some(GeoPoint { longitude: -1.5, latitude: 2.5 });
    let step = |action, metadata, labels, geo, then| Step { action, metadata, labels, geo, then };
    let merged = json!({"k": 1, "list": [{"id": "p", "n": 1, "m": 2}]});
    let less = json!({"list": [{"id": "p", "n": 1, "m": 2}]});
    let only = json!({"only": []});
    let patch = |value: serde_json::Value| Some(value);
    vec![
        step(
            Merge,
            patch(json!({"list": [{"id": "p", "m": 2}], "z": null})),
            &["two", "three"],
            None,
            (merged, &["one", "two", "three"], Some(10.0)),
        ),
        step(
            Remove,
            patch(json!({"k": true, "list": {}})),
            &["one", "unknown"],
            None,
            (less.clone(), &["two", "three"], Some(10.0)),
        ),
        step(Overwrite, None, &["four"], place, (less, &["four"], Some(-1.5))),
        step(Overwrite, patch(only.clone()), &[], None, (only.clone(), &["four"], Some(-1.5))),
        step(Remove, patch(json!({})), &[], place, (only, &["four"], None)),
        step(Merge, patch(json!({})), &[], None, (json!({}), &["four"], None)),
    ]
}

#[tokio::test]
async fn a_patch_merges_overwrites_or_removes() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let start = NewInput {
            labels: vec![label("one", 1.0), label("two", 0.0)],
            metadata: map(json!({"k": 1, "list": [{"id": "p", "n": 1}]})),
            geo: Some(GeoPoint { longitude: 10.0, latitude: 50.0 }),
            ..text("a")
        };
        add(&app, start).await;
        for (nth, step) in patch_steps().into_iter().enumerate() {
            test.clock.advance_us(1);
            let labels: Vec<_> = step.labels.iter().map(|id| label(id, 1.0)).collect();
            let change = InputPatch {
                id: "a".to_owned(),
                labels: (!labels.is_empty()).then_some(labels),
                metadata: step.metadata.map(map),
                geo: step.geo,
                ..InputPatch::default()
            };
            let patched = patch(&app, vec![change], step.action).await.unwrap().remove(0);
            let (metadata, labels, longitude) = step.then;
            assert_eq!(patched.metadata, map(metadata), "step {nth}");
            let said: Vec<_> = patched.labels.iter().map(|label| label.concept_id.as_str()).collect();
            assert_eq!(said, labels, "step {nth}");
            assert_eq!(patched.geo.map(|geo| geo.longitude), longitude, "step {nth}");
            assert_eq!(patched.modified_at_us, test.clock.now_us(), "step {nth}");
            assert_eq!(get(&app, "a").await.unwrap(), patched, "step {nth}");
        }
    }
}

#[tokio::test]
async fn a_patch_or_deletion_with_an_unknown_id_changes_nothing() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let before = add(&app, text("a")).await;
        let patch_of = |id: &str| InputPatch {
            id: id.to_owned(),
            labels: Some(vec![label("x", 1.0)]),
            metadata: Some(map(json!({"x": 1}))),
            geo: None,
            ..InputPatch::default()
        };
        let missing = Error::not_found(Resource::Input("nope".to_owned()));
        for action in [PatchAction::Merge, PatchAction::Overwrite, PatchAction::Remove] {
            let error = patch(&app, vec![patch_of("a"), patch_of("nope")], action).await.unwrap_err();
            assert_eq!(error, missing);
        }
        assert_eq!(delete(&app, &["a".to_owned(), "nope".to_owned()]).await.unwrap_err(), missing);
        assert_eq!(get(&app, "a").await.unwrap(), before);
        assert!(concepts::list(&app, Page::first(10)).await.unwrap().is_empty());
        delete(&app, &["a".to_owned(), "a".to_owned()]).await.unwrap();
        assert_eq!(get(&app, "a").await.unwrap_err(), Error::not_found(Resource::Input("a".to_owned())));
    }
}

#[tokio::test]
async fn two_writers_at_once_on_one_input_lose_nothing() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        add(&app, text("a")).await;
        let writers = (0..8).map(|i| {
            let app = app.clone();
            tokio::spawn(async move {
                let change = InputPatch {
                    id: "a".to_owned(),
                    labels: Some(vec![label(&format!("c{i}"), 1.0)]),
                    metadata: Some(map(json!({"list": [i], format!("k{i}"): i}))),
                    geo: None,
                    ..InputPatch::default()
                };
                patch(&app, vec![change], PatchAction::Merge).await
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap().unwrap();
        }
        let input = get(&app, "a").await.unwrap();
        assert_eq!(input.metadata["list"].as_array().unwrap().len(), 8);
        assert_eq!((input.metadata.len(), input.labels.len()), (9, 8));
    }
}

#[tokio::test]
async fn of_two_writers_that_add_one_id_or_address_at_once_one_is_refused() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        for (one, other) in [
            (text("same"), text("same")),
            (image_at("u1", "http://example.com/same.jpg"), image_at("u2", "http://example.com/same.jpg")),
        ] {
            let (first, second) = tokio::join!(create(&app, vec![one]), create(&app, vec![other]));
            let results = [first.unwrap().remove(0), second.unwrap().remove(0)];
            let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
            assert_eq!(refused.len(), 1, "{results:?}");
            assert_eq!(refused[0].kind, Kind::Conflict);
        }
    }
}

#[tokio::test]
async fn pages_and_streams_follow_the_order_of_creation() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        for id in ["c", "a", "b", "d", "e"] {
            add(&app, text(id)).await;
        }
        let listing = |page: u32, newest_first: bool| InputListing {
            page: Page { page, per_page: 2 },
            states: Vec::new(),
            newest_first,
        };
        for (page, newest_first, expected) in
            [(1, false, vec!["c", "a"]), (3, false, vec!["e"]), (4, false, vec![]), (1, true, vec!["e", "d"])]
        {
            let inputs = list(&app, listing(page, newest_first)).await.unwrap();
            assert_eq!(inputs.iter().map(|input| input.id.as_str()).collect::<Vec<_>>(), expected);
        }
        for (last, expected) in [(None, vec!["c", "a"]), (Some("a"), vec!["b", "d"]), (Some("e"), vec![])] {
            let inputs = stream(&app, last, 2).await.unwrap();
            assert_eq!(inputs.iter().map(|input| input.id.as_str()).collect::<Vec<_>>(), expected);
        }
        assert_eq!(stream(&app, Some("nope"), 2).await.unwrap_err().kind, Kind::NotFound);
        let only_failed = InputListing { states: vec![StateFilter::Failed], ..listing(1, false) };
        assert!(list(&app, only_failed).await.unwrap().is_empty());
        for page in
            [Page { page: 0, per_page: 2 }, Page { page: 1, per_page: 0 }, Page { page: 1, per_page: 1001 }]
        {
            let listing = InputListing { page, ..listing(1, false) };
            assert_eq!(list(&app, listing).await.unwrap_err().kind, Kind::Invalid);
        }
    }
}

#[tokio::test]
async fn apps_do_not_see_each_others_inputs() {
    for test in TestPlatform::all().await {
        let (app, account) = (test.app().await, test.account().await);
        apps::create(&account, vec![NewApp { id: Some("other".to_owned()), ..NewApp::default() }])
            .await
            .unwrap();
        let other = test.platform.app(account.caller(), "me", "other", &[]).await.unwrap();
        add(&app, image_at("a", "http://example.com/a.jpg")).await;
        assert_eq!(get(&other, "a").await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(delete(&other, &["a".to_owned()]).await.unwrap_err().kind, Kind::NotFound);
        // Neither the id nor the address is taken there.
        add(&other, image_at("a", "http://example.com/a.jpg")).await;
        delete_all(&other).await.unwrap();
        assert_eq!(get(&app, "a").await.unwrap().url.as_deref(), Some("http://example.com/a.jpg"));
    }
}
