//! Bulk operations from beginning to end.

use serde_json::json;

use super::*;
use crate::annotations::{self, AnnotationListing};
use crate::inputs::{self, NewInput};
use crate::search::{ConceptTerm, Filter, Test};
use crate::testing::TestPlatform;
use crate::{Kind, MediaKind, Source};

fn text(id: String, label: Option<&str>) -> NewInput {
    let labels = label.map(|id| NewLabel { concept_id: Some(id.to_owned()), name: None, value: 1.0 });
    NewInput {
        id: Some(id),
        source: Source::Text("a text".to_owned()),
        kind: MediaKind::Text,
        allow_duplicate_url: true,
        crop: None,
        labels: labels.into_iter().collect(),
        metadata: json!({"keep": 1, "drop": 2}).as_object().unwrap().clone(),
        geo: Some(GeoPoint { longitude: 1.0, latitude: 2.0 }),
        parts: annotations::Data::default(),
    }
}

/// An app with 250 inputs; every tenth is labelled "ten".
async fn app_with_inputs(test: &TestPlatform) -> AppCtx {
    let app = test.app().await;
    for chunk in (0..250).collect::<Vec<_>>().chunks(125) {
        let new = chunk.iter().map(|n| text(format!("i{n:03}"), (n % 10 == 0).then_some("ten"))).collect();
        inputs::create(&app, new).await.unwrap();
    }
    app
}

fn concept(id: &str) -> BulkConcept {
    BulkConcept { id: id.to_owned(), name: String::new(), value: 1.0 }
}

fn labelled(id: &str) -> Vec<Filter> {
    let term = ConceptTerm { id: id.to_owned(), name: String::new(), value: 1.0 };
    vec![Filter { negate: false, test: Test::Labelled { any: vec![term] } }]
}

async fn begin(app: &AppCtx, targets: Targets, change: Change) -> Result<Bulk> {
    let new = NewBulk { targets, change, echo: "as asked".to_owned() };
    Ok(create(app, vec![new]).await?.remove(0))
}

async fn done(test: &TestPlatform, app: &AppCtx, targets: Targets, change: Change) -> Bulk {
    let bulk = begin(app, targets, change).await.unwrap();
    assert_eq!((bulk.state, bulk.processed), (BulkState::Pending, 0));
    test.settle().await;
    let bulk = get(app, &bulk.id).await.unwrap();
    assert_eq!((bulk.state, bulk.error.as_str(), bulk.echo.as_str()), (BulkState::Success, "", "as asked"));
    bulk
}

async fn count_labelled(app: &AppCtx, id: &str) -> usize {
    crate::search::all_ids(app, labelled(id)).await.unwrap().len()
}

#[tokio::test]
async fn each_operation_changes_what_it_is_about_and_nothing_else() {
    for test in TestPlatform::all().await {
        let app = app_with_inputs(&test).await;
        let ten = || Targets::Search(labelled("ten"));
        let add = Change::AddConcepts { concepts: vec![concept("new")] };
        assert_eq!(done(&test, &app, ten(), add).await.processed, 25);
        assert_eq!(count_labelled(&app, "new").await, 25);
        let metadata = json!({"more": true}).as_object().unwrap().clone();
        done(&test, &app, Targets::Search(vec![]), Change::AddMetadata { metadata }).await;
        let metadata = json!({"drop": true}).as_object().unwrap().clone();
        done(&test, &app, ten(), Change::DeleteMetadata { metadata }).await;
        let geo = GeoPoint { longitude: 5.0, latitude: 6.0 };
        let named = Targets::Inputs(vec!["i000".to_owned(), "i001".to_owned()]);
        let bulk = done(&test, &app, named, Change::OverwriteGeo { geo }).await;
        assert_eq!((bulk.processed, bulk.last_id.as_str()), (2, "i001"));
        done(&test, &app, Targets::Inputs(vec!["i001".to_owned()]), Change::DeleteGeo).await;
        let first = inputs::get(&app, "i000").await.unwrap();
        assert_eq!(Value::Object(first.metadata), json!({"keep": 1, "more": true}));
        assert_eq!(first.geo, Some(geo));
        let second = inputs::get(&app, "i001").await.unwrap();
        assert_eq!(Value::Object(second.metadata), json!({"keep": 1, "drop": 2, "more": true}));
        assert_eq!(second.geo, None);
        let nobody = vec!["nobody".to_owned()];
        let gone = |account_ids| Change::DeleteConcepts { concepts: vec![concept("new")], account_ids };
        done(&test, &app, ten(), gone(nobody)).await;
        assert_eq!(count_labelled(&app, "new").await, 25);
        done(&test, &app, ten(), gone(vec![])).await;
        assert_eq!(count_labelled(&app, "new").await, 0);
        let source = AnnotationSource { concept_ids: vec!["ten".to_owned()], ..AnnotationSource::default() };
        let bulk = done(&test, &app, Targets::Annotations(source), Change::DeleteAnnotations).await;
        assert_eq!(bulk.processed, 25);
        let listing = AnnotationListing { page: Page::first(10), ..AnnotationListing::default() };
        assert_eq!(annotations::list(&app, listing).await.unwrap(), []);
        assert_eq!(list(&app, Page::first(100)).await.unwrap().len(), 8);
    }
}

#[tokio::test]
async fn a_split_puts_each_input_into_one_dataset_in_the_given_shares() {
    for test in TestPlatform::all().await {
        let app = app_with_inputs(&test).await;
        for id in ["train", "test"] {
            let doc = datasets::Dataset::default();
            datasets::create(&app, vec![crate::resources::New { id: Some(id.to_owned()), doc }])
                .await
                .unwrap();
        }
        let splits = vec![("train".to_owned(), 80), ("test".to_owned(), 20)];
        done(&test, &app, Targets::Search(vec![]), Change::SplitIntoDatasets { splits }).await;
        assert_eq!(datasets::count(&app, "train").await.unwrap(), 200);
        assert_eq!(datasets::count(&app, "test").await.unwrap(), 50);
        let gone = Change::DeleteFromDataset { dataset_id: "train".to_owned() };
        done(&test, &app, Targets::Dataset("train".to_owned()), gone).await;
        assert_eq!(datasets::count(&app, "train").await.unwrap(), 0);
        let add = Change::AddToDataset { dataset_id: "train".to_owned() };
        done(&test, &app, Targets::Dataset("test".to_owned()), add).await;
        assert_eq!(datasets::count(&app, "train").await.unwrap(), 50);
        let nowhere = Change::AddToDataset { dataset_id: "nowhere".to_owned() };
        let refused = begin(&app, Targets::Dataset("test".to_owned()), nowhere).await.unwrap_err();
        assert_eq!(refused.kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn a_cancelled_operation_does_no_more_and_can_then_be_forgotten() {
    for test in TestPlatform::all().await {
        let app = app_with_inputs(&test).await;
        let add = Change::AddConcepts { concepts: vec![concept("new")] };
        let bulk = begin(&app, Targets::Search(vec![]), add).await.unwrap();
        let ids = [bulk.id.clone()];
        assert_eq!(delete(&app, &ids).await.unwrap_err().kind, Kind::Conflict);
        assert_eq!(cancel(&app, &ids).await.unwrap()[0].state, BulkState::Cancelled);
        test.settle().await;
        assert_eq!(count_labelled(&app, "new").await, 0);
        delete(&app, &ids).await.unwrap();
        assert_eq!(get(&app, &bulk.id).await.unwrap_err().kind, Kind::NotFound);
        let missing = cancel(&app, &ids).await.unwrap_err();
        assert_eq!(missing.kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn operations_that_make_no_sense_are_refused_before_they_begin() {
    for test in TestPlatform::all().await {
        let app = app_with_inputs(&test).await;
        let all = || Targets::Search(vec![]);
        let geo = GeoPoint { longitude: 500.0, latitude: 0.0 };
        for (targets, change) in [
            (all(), Change::AddConcepts { concepts: vec![] }),
            (all(), Change::AddConcepts { concepts: vec![BulkConcept { value: 2.0, ..concept("x") }] }),
            (all(), Change::AddMetadata { metadata: JsonMap::new() }),
            (all(), Change::OverwriteGeo { geo }),
            (all(), Change::SplitIntoDatasets { splits: vec![("a".to_owned(), 60), ("b".to_owned(), 60)] }),
            (Targets::Inputs(vec![]), Change::DeleteGeo),
            (Targets::Annotations(AnnotationSource::default()), Change::DeleteGeo),
        ] {
            let refused = begin(&app, targets, change.clone()).await.unwrap_err();
            assert_eq!(refused.kind, Kind::Invalid, "{change:?}");
        }
        let nowhere = begin(&app, Targets::Inputs(vec!["no".to_owned()]), Change::DeleteGeo).await;
        assert_eq!(nowhere.unwrap_err().kind, Kind::NotFound);
    }
}
