//! Annotations and the inputs that show them.

use serde_json::json;

use super::*;
use crate::inputs::{self, InputPatch, NewInput, NewLabel};
use crate::search::{ConceptTerm, Filter, Query, Test};
use crate::testing::TestPlatform;
use crate::{AppCtx, CropBox, Kind, MediaKind, PatchAction, Resource, Source, concepts};

pub(crate) fn text(id: &str, labels: &[&str]) -> NewInput {
    NewInput {
        id: Some(id.to_owned()),
        source: Source::Text(format!("the text of {id}")),
        kind: MediaKind::Text,
        allow_duplicate_url: true,
        crop: None,
        labels: labels.iter().map(|id| label(id, 1.0)).collect(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Data::default(),
    }
}

fn label(id: &str, value: f32) -> NewLabel {
    NewLabel { concept_id: Some(id.to_owned()), name: None, value }
}

fn said(id: &str, value: f32) -> Said {
    Said { concept_id: id.to_owned(), name: String::new(), value }
}

fn concepts(list: &[(&str, f32)]) -> Data {
    Data { concepts: list.iter().map(|(id, value)| said(id, *value)).collect(), ..Data::default() }
}

fn boxed(id: &str, concept: &str) -> Region {
    let sides = CropBox { top: 0.1, left: 0.2, bottom: 0.5, right: 0.6 };
    Region {
        id: id.to_owned(),
        shape: Some(Shape::Box(sides)),
        concepts: vec![said(concept, 1.0)],
        ..Region::default()
    }
}

fn new(id: &str, input_id: &str, data: Data) -> NewAnnotation {
    NewAnnotation { id: Some(id.to_owned()), input_id: input_id.to_owned(), data, ..NewAnnotation::default() }
}

fn concept(id: &str) -> AnnotationTerm {
    let term = ConceptTerm { id: id.to_owned(), name: String::new(), value: 1.0 };
    AnnotationTerm { concepts: vec![term], ..AnnotationTerm::default() }
}

async fn add(app: &AppCtx, new: NewAnnotation) -> Annotation {
    create(app, vec![new]).await.unwrap().remove(0).unwrap()
}

/// The concepts that an input shows.
async fn shown(app: &AppCtx, input_id: &str) -> Vec<(String, f32)> {
    let input = inputs::get(app, input_id).await.unwrap();
    input.labels.into_iter().map(|label| (label.concept_id, label.value)).collect()
}

fn pairs(list: &[(&str, f32)]) -> Vec<(String, f32)> {
    list.iter().map(|(id, value)| ((*id).to_owned(), *value)).collect()
}

fn all() -> AnnotationListing {
    AnnotationListing { page: Page::first(100), by_models: true, ..AnnotationListing::default() }
}

fn of_annotation(annotation: &Annotation) -> Vec<(String, f32)> {
    annotation.data.concepts.iter().map(|said| (said.concept_id.clone(), said.value)).collect()
}

async fn patch_input(app: &AppCtx, id: &str, labels: &[(&str, f32)], action: PatchAction) {
    let labels = labels.iter().map(|(id, value)| label(id, *value)).collect();
    let patch = InputPatch { id: id.to_owned(), labels: Some(labels), ..InputPatch::default() };
    inputs::patch(app, vec![patch], action).await.unwrap();
}

#[tokio::test]
async fn concepts_and_regions_posted_with_an_input_are_annotations_by_the_caller() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let parts = Data { regions: vec![boxed("", "nose"), boxed("r", "ear")], ..Data::default() };
        let input = NewInput { parts, ..text("a", &["dog", "pet"]) };
        inputs::create(&app, vec![input]).await.unwrap().remove(0).unwrap();
        let found = list(&app, all()).await.unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
        let caller = app.caller();
        for annotation in &found {
            assert_eq!(annotation.account_id, caller.account_id);
            assert_eq!(annotation.key_id, caller.key_id);
            assert_eq!(annotation.status, Status::Success);
            assert!(annotation.data.regions.iter().all(|region| !region.id.is_empty()));
        }
        let whole: Vec<_> = found.iter().filter(|annotation| annotation.input_level).collect();
        assert_eq!(whole.len(), 1);
        assert_eq!(of_annotation(whole[0]), pairs(&[("dog", 1.0), ("pet", 1.0)]));
        assert_eq!(shown(&app, "a").await, pairs(&[("dog", 1.0), ("pet", 1.0)]));
        // Concepts of regions were made too.
        concepts::get(&app, "nose").await.unwrap();
    }
}

#[tokio::test]
async fn a_change_of_an_inputs_concepts_shows_in_its_annotations_and_the_other_way_round() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![text("a", &["dog"])]).await.unwrap();
        add(&app, new("second", "a", concepts(&[("cat", 1.0)]))).await;
        assert_eq!(shown(&app, "a").await, pairs(&[("dog", 1.0), ("cat", 1.0)]));

        // Merging changes a concept where it stands, and a new one goes into the input's own annotation.
        patch_input(&app, "a", &[("cat", 0.0), ("new", 1.0)], PatchAction::Merge).await;
        assert_eq!(shown(&app, "a").await, pairs(&[("dog", 1.0), ("cat", 0.0), ("new", 1.0)]));
        assert_eq!(of_annotation(&get(&app, "a", "second").await.unwrap()), pairs(&[("cat", 0.0)]));
        let own = list(&app, all()).await.unwrap().into_iter().find(|found| found.input_level).unwrap();
        assert_eq!(of_annotation(&own), pairs(&[("dog", 1.0), ("new", 1.0)]));

        let patch_of = |id: &str, data: Data| AnnotationPatch {
            id: id.to_owned(),
            data: Some(data),
            ..AnnotationPatch::default()
        };
        let change = patch_of(&own.id, concepts(&[("dog", 0.0)]));
        patch(&app, vec![change], PatchAction::Merge, false).await.unwrap();
        assert_eq!(shown(&app, "a").await[0], ("dog".to_owned(), 0.0));
        let gone = patch_of(&own.id, concepts(&[("dog", 0.0)]));
        patch(&app, vec![gone], PatchAction::Remove, false).await.unwrap();
        assert_eq!(shown(&app, "a").await, pairs(&[("cat", 0.0), ("new", 1.0)]));

        // Removing takes it off every annotation; one that says nothing more goes.
        patch_input(&app, "a", &[("cat", 1.0)], PatchAction::Remove).await;
        assert_eq!(get(&app, "a", "second").await.unwrap_err().kind, Kind::NotFound);
        add(&app, new("third", "a", concepts(&[("x", 1.0), ("y", 1.0)]))).await;
        patch_input(&app, "a", &[("y", 1.0), ("z", 1.0)], PatchAction::Overwrite).await;
        assert_eq!(shown(&app, "a").await, pairs(&[("y", 1.0), ("z", 1.0)]));
        assert_eq!(get(&app, "a", "third").await.unwrap_err().kind, Kind::NotFound);
        let left = list(&app, all()).await.unwrap();
        assert_eq!((left.len(), left[0].id.clone()), (1, own.id.clone()));
        delete(&app, &[own.id], &["a".to_owned()]).await.unwrap();
        assert_eq!(shown(&app, "a").await, []);
    }
}

#[tokio::test]
async fn only_annotations_by_people_that_count_show_in_the_input() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![text("a", &[])]).await.unwrap();
        let pending =
            NewAnnotation { status: Some(Status::Pending), ..new("p", "a", concepts(&[("x", 1.0)])) };
        add(&app, pending).await;
        let model = NewAnnotation { model_version_id: "m".into(), ..new("m", "a", concepts(&[("y", 1.0)])) };
        add(&app, model).await;
        let region = Data { regions: vec![boxed("r", "nose")], ..Data::default() };
        add(&app, new("r", "a", region)).await;
        assert_eq!(shown(&app, "a").await, []);
        let counts = set_status(&app, &[], None, &[Status::Pending], Status::Success).await.unwrap();
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(app.caller().account_id.clone(), 1)]);
        assert_eq!(shown(&app, "a").await, pairs(&[("x", 1.0)]));
        let counts = set_status(&app, &[], None, &[], Status::Denied).await.unwrap();
        assert_eq!(counts.values().sum::<u64>(), 3);
        assert_eq!(shown(&app, "a").await, []);
        let denied = AnnotationListing { statuses: vec![Status::Denied], ..all() };
        assert_eq!(list(&app, denied).await.unwrap().len(), 3);
        let workers = workers(&app, Page::first(10)).await.unwrap();
        let me = Worker::Person(app.caller().account_id.clone());
        assert_eq!(workers, [me, Worker::Model("m".to_owned())]);
        let by_people = AnnotationListing { page: Page::first(10), ..AnnotationListing::default() };
        assert_eq!(list(&app, by_people).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn each_annotation_of_a_call_is_accepted_or_refused_on_its_own() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![text("a", &[])]).await.unwrap();
        add(&app, new("old", "a", concepts(&[("x", 1.0)]))).await;
        let shape = |shape: Shape| Data {
            regions: vec![Region { shape: Some(shape), ..Region::default() }],
            ..Data::default()
        };
        let point = |row: f32, col: f32| Point { row, col, ..Point::default() };
        let span = |start: u32, end: u32| shape(Shape::Span(Span { start, end, raw: String::new() }));
        let triangle = vec![point(0.0, 0.0), point(1.0, 0.0), point(0.5, 1.0)];
        let mask =
            |base64: &str| Shape::Mask { base64: base64.into(), url: String::new(), color: String::new() };
        let upside_down = CropBox { top: 0.9, left: 0.0, bottom: 0.1, right: 1.0 };
        let batch = vec![
            new("ok", "a", concepts(&[("x", 1.0)])),
            new("old", "a", concepts(&[("x", 1.0)])),
            new("ok", "a", concepts(&[("x", 1.0)])),
            new("b", "nowhere", concepts(&[("x", 1.0)])),
            NewAnnotation { account_id: "somebody".to_owned(), ..new("c", "a", Data::default()) },
            new("d", "a", concepts(&[("x", 2.0)])),
            new("e", "a", shape(Shape::Box(upside_down))),
            new("f", "a", shape(Shape::Polygon { points: triangle[..2].to_vec() })),
            new("g", "a", shape(Shape::Polygon { points: triangle })),
            new("h", "a", shape(Shape::Point(point(1.5, 0.0)))),
            new("i", "a", span(4, 8)),
            new("j", "a", span(8, 4)),
            // The text has 13 characters.
            new("k", "a", span(4, 14)),
            new("l", "a", shape(mask("bm8gaW1hZ2U="))),
            NewAnnotation { task_id: "no task".to_owned(), ..new("m", "a", Data::default()) },
        ];
        let verdicts: Vec<String> = create(&app, batch)
            .await
            .unwrap()
            .into_iter()
            .map(|result| match result {
                Ok(made) => made.id,
                Err(error) => format!("{:?}", error.kind),
            })
            .collect();
        let expected = [
            "ok", "Conflict", "Conflict", "NotFound", "Invalid", "Invalid", "Invalid", "Invalid", "g",
            "Invalid", "i", "Invalid", "Invalid", "Invalid", "NotFound",
        ];
        assert_eq!(verdicts, expected);
    }
}

#[tokio::test]
async fn a_patch_of_a_region_changes_that_region_and_removing_all_can_delete_the_annotation() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![text("a", &[])]).await.unwrap();
        let data = Data { regions: vec![boxed("1", "nose"), boxed("2", "ear")], ..Data::default() };
        add(&app, new("n", "a", data)).await;
        let change = |regions: Vec<Region>| AnnotationPatch {
            id: "n".to_owned(),
            data: Some(Data { regions, ..Data::default() }),
            ..AnnotationPatch::default()
        };
        let more = Region { shape: None, ..boxed("2", "left ear") };
        let found = patch(&app, vec![change(vec![more])], PatchAction::Merge, false).await.unwrap().remove(0);
        assert_eq!(found.data.regions[1].shape, boxed("2", "").shape);
        assert_eq!(found.data.regions[1].concepts.len(), 2);
        assert_eq!(found.data.regions[1].concepts[1].name, "left ear");
        let gone = |id: &str| Region { id: id.to_owned(), ..Region::default() };
        patch(&app, vec![change(vec![gone("2")])], PatchAction::Remove, true).await.unwrap();
        assert_eq!(get(&app, "a", "n").await.unwrap().data.regions.len(), 1);
        let wrong = AnnotationPatch { input_id: Some("b".to_owned()), ..change(vec![gone("1")]) };
        let refused = patch(&app, vec![wrong], PatchAction::Remove, true).await.unwrap_err();
        assert_eq!(refused.about, Some(Resource::Annotation("n".to_owned())));
        patch(&app, vec![change(vec![gone("1")])], PatchAction::Remove, true).await.unwrap();
        assert_eq!(get(&app, "a", "n").await.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn annotations_are_listed_by_pairs_of_ids_and_deleted_only_with_their_input() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![text("a", &[]), text("b", &[])]).await.unwrap();
        for (id, input_id) in [("1", "a"), ("2", "a"), ("3", "b")] {
            let info = json!({"n": id}).as_object().unwrap().clone();
            add(&app, NewAnnotation { info, ..new(id, input_id, concepts(&[("x", 1.0)])) }).await;
        }
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (ids, input_ids, expected) in [
            (vec!["3", "1"], vec!["b", "a"], vec!["3", "1"]),
            (vec!["3", "1"], vec!["a", "a"], vec!["1"]),
            (vec![], vec!["a"], vec!["1", "2"]),
            (vec!["2"], vec![], vec!["2"]),
        ] {
            let listing = AnnotationListing { ids: words(&ids), input_ids: words(&input_ids), ..all() };
            let found = list(&app, listing).await.unwrap();
            assert_eq!(found.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(), expected);
        }
        let refused = delete(&app, &words(&["3"]), &words(&["a"])).await.unwrap_err();
        assert_eq!(refused.kind, Kind::NotFound);
        delete(&app, &[], &words(&["a"])).await.unwrap();
        assert_eq!(list(&app, all()).await.unwrap().len(), 1);
        assert_eq!(delete(&app, &[], &[]).await.unwrap_err().kind, Kind::Invalid);
    }
}

#[tokio::test]
async fn a_search_finds_annotations_of_which_all_terms_hold_together() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![text("a", &[]), text("b", &[]), text("c", &[])]).await.unwrap();
        for (id, input_id, concept, status) in [
            ("1", "a", "dog", Status::Success),
            ("2", "a", "cat", Status::Success),
            ("3", "b", "dog", Status::Pending),
            ("4", "c", "dog", Status::Success),
        ] {
            let said = new(id, input_id, concepts(&[(concept, 1.0)]));
            add(&app, NewAnnotation { status: Some(status), ..said }).await;
        }
        let found_of = async |filters: Vec<Filter>, page: Page| {
            let hits = search(&app, Query { filters, page, ..Query::default() }).await.unwrap();
            hits.into_iter()
                .map(|hit| {
                    let said = hit.annotation.map(|found| found.data.concepts[0].concept_id.clone());
                    format!("{}:{}", hit.input.id, said.unwrap_or_default())
                })
                .collect::<Vec<_>>()
        };
        let test = |negate, term| Filter { negate, test: Test::Annotated(term) };
        let found = async |terms: Vec<AnnotationTerm>, page: Page| {
            found_of(terms.into_iter().map(|term| test(false, term)).collect(), page).await
        };
        let all = Page::first(10);
        assert_eq!(found(vec![], all).await, ["a:dog", "a:cat", "b:dog", "c:dog"]);
        assert_eq!(found(vec![], Page { page: 2, per_page: 2 }).await, ["b:dog", "c:dog"]);
        assert_eq!(found(vec![concept("dog")], all).await, ["a:dog", "b:dog", "c:dog"]);
        assert_eq!(found(vec![concept("dog"), concept("cat")], all).await, [] as [&str; 0]);
        let status = AnnotationTerm { statuses: vec![Status::Success], ..concept("dog") };
        assert_eq!(found(vec![status], all).await, ["a:dog", "c:dog"]);
        assert_eq!(found_of(vec![test(true, concept("dog"))], all).await, ["a:cat"]);
        let pending = AnnotationTerm { statuses: vec![Status::Pending], ..concept("dog") };
        assert_eq!(found(vec![pending.clone()], all).await, ["b:dog"], "its input shows no dog");
        let of_inputs = Query { filters: vec![test(false, pending)], ..Query::default() };
        let hits = crate::search::run(&app, of_inputs).await.unwrap().hits;
        assert_eq!(hits.into_iter().map(|hit| hit.input.id).collect::<Vec<_>>(), ["b"]);
        let nobody = AnnotationTerm { account_id: "nobody".to_owned(), ..AnnotationTerm::default() };
        assert_eq!(found(vec![nobody], all).await, [] as [&str; 0]);
    }
}
