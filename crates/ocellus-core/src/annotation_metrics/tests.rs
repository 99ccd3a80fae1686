//! Evaluations over annotations small enough to be counted by hand.

use super::*;
use crate::annotations::tests::text;
use crate::annotations::{self, AnnotationTerm, Data, NewAnnotation, Shape};
use crate::inputs;
use crate::search::Test;
use crate::testing::TestPlatform;
use crate::{CropBox, Kind};

fn said(concept_id: &str, value: f32) -> Said {
    Said { concept_id: concept_id.to_owned(), name: String::new(), value }
}

fn annotation(id: &str, input_id: &str, model: &str, data: Data) -> NewAnnotation {
    NewAnnotation {
        id: Some(id.to_owned()),
        input_id: input_id.to_owned(),
        model_version_id: model.to_owned(),
        data,
        ..NewAnnotation::default()
    }
}

fn whole(concept_id: &str, value: f32) -> Data {
    Data { concepts: vec![said(concept_id, value)], ..Data::default() }
}

fn boxed(concept_id: &str, left: f32, right: f32, value: f32) -> Data {
    let sides = CropBox { top: 0.0, left, bottom: 1.0, right };
    let shape = Some(Shape::Box(sides));
    let region =
        Region { shape, concepts: vec![said(concept_id, 1.0)], value: Some(value), ..Region::default() };
    Data { regions: vec![region], ..Data::default() }
}

fn by(app: &AppCtx, model: &str) -> Vec<Filter> {
    let account_id = if model.is_empty() { app.caller().account_id.clone() } else { String::new() };
    let term = AnnotationTerm { account_id, model_version_id: model.to_owned(), ..AnnotationTerm::default() };
    vec![Filter { negate: false, test: Test::Annotated(term) }]
}

async fn evaluated(app: &AppCtx, test: &TestPlatform, id: &str, model: &str, only: &[&str]) -> Report {
    let new = NewMetrics {
        id: Some(id.to_owned()),
        truth: by(app, ""),
        said: by(app, model),
        concept_ids: only.iter().map(|id| (*id).to_owned()).collect(),
        ..NewMetrics::default()
    };
    let made = create(app, new).await.unwrap();
    assert_eq!((made.id.as_str(), made.doc.state), (id, EvaluationState::Pending));
    test.settle().await;
    let done: Stored<AnnotationMetrics> = resources::get(&Shelf::from(app), id).await.unwrap();
    assert_eq!(done.doc.state, EvaluationState::Ready);
    done.doc.report.unwrap()
}

#[tokio::test]
async fn what_a_model_said_is_compared_with_what_people_said() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let new = vec![text("a", &["dog"]), text("b", &["dog"]), text("c", &["cat"])];
        inputs::create(&app, new).await.unwrap();
        let new = vec![
            annotation("1", "a", "m", whole("dog", 0.9)),
            annotation("2", "b", "m", whole("cat", 0.8)),
            annotation("3", "c", "m", whole("cat", 0.7)),
        ];
        annotations::create(&app, new).await.unwrap();
        let report = evaluated(&app, &test, "e", "m", &[]).await;
        assert_eq!((report.kind, report.n_inputs), (EvaluationKind::Classification, 3));
        let ids: Vec<&str> = report.concepts.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["cat", "dog"]);
        let [cat, dog] = &report.agreement.classes[..] else { panic!("two concepts") };
        assert_eq!((cat.precision, cat.recall), (0.5, 1.0));
        assert_eq!((dog.precision, dog.recall), (1.0, 0.5));
        assert_eq!(report.agreement.confusion, [vec![1, 1], vec![0, 1]]);
        let report = evaluated(&app, &test, "only", "m", &["dog"]).await;
        assert_eq!(report.concepts.len(), 1);
        let again = NewMetrics { id: Some("e".to_owned()), ..NewMetrics::default() };
        assert_eq!(create(&app, again).await.unwrap_err().kind, Kind::Conflict);
    }
}

#[tokio::test]
async fn boxes_are_compared_where_the_truth_has_boxes() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![text("a", &[])]).await.unwrap();
        let new = vec![
            annotation("t", "a", "", boxed("dog", 0.0, 0.5, 1.0)),
            annotation("right", "a", "m", boxed("dog", 0.0, 0.4, 0.9)),
            annotation("wrong", "a", "m", boxed("dog", 0.5, 1.0, 0.6)),
        ];
        annotations::create(&app, new).await.unwrap();
        let report = evaluated(&app, &test, "e", "m", &[]).await;
        assert_eq!(report.kind, EvaluationKind::Detection);
        let dog = &report.agreement.classes[0];
        assert_eq!((dog.n_positive, dog.n_right, dog.n_wrong), (1, 1, 1));
        assert_eq!((dog.precision, dog.recall, dog.average_precision), (0.5, 1.0, 1.0));
        // The overlap is 0.8: found at seven of the ten.
        let (at_half, over_range) = report.agreement.mean_average_precision.unwrap();
        assert!((at_half - 1.0).abs() < 1e-5 && (over_range - 0.7).abs() < 1e-5, "{over_range}");
    }
}
