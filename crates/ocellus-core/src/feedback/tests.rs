//! Feedback is kept as it was given, and only where it makes sense.

use super::*;
use crate::annotations::tests::text;
use crate::annotations::{self, AnnotationListing, Status};
use crate::testing::TestPlatform;
use crate::{Kind, PatchAction, inputs};

fn feedback(model_id: &str, value: f32, area: [f32; 4]) -> ModelFeedback {
    let judged = Judged { concept_id: "dog".to_owned(), name: String::new(), value };
    ModelFeedback {
        model_id: model_id.to_owned(),
        subject: Subject { url: "https://samples.clarifai.com/dog1.jpeg".to_owned(), ..Subject::default() },
        concepts: vec![judged],
        regions: vec![JudgedRegion { area, verdict: Verdict::Misplaced, concepts: Vec::new() }],
        ..ModelFeedback::default()
    }
}

#[tokio::test]
async fn feedback_of_models_and_searches_is_kept_and_found_again_the_latest_first() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let area = [0.1, 0.2, 0.3, 0.4];
        let general = app.platform().catalog().general();
        let given = feedback(&general.id, 1.0, area);
        add_for_model(&app, given.clone()).await.unwrap();
        // By another name of the same model.
        add_for_model(&app, feedback(&general.name, 0.0, area)).await.unwrap();
        let found = of_models(&app, Some(&general.id), Page::default()).await.unwrap();
        assert_eq!(found.iter().map(|f| f.doc.concepts[0].value).collect::<Vec<_>>(), [0.0, 1.0]);
        assert_eq!(found[1].doc, given);
        assert!(of_models(&app, Some("other"), Page::default()).await.unwrap().is_empty());

        let subject = Subject { input_id: "hit".to_owned(), ..Subject::default() };
        let picked = SearchFeedback { search_id: "s".to_owned(), subject, ..SearchFeedback::default() };
        add_for_search(&app, picked.clone()).await.unwrap();
        let found = of_searches(&app, None, Page::default()).await.unwrap();
        assert_eq!(found[0].doc, picked);

        let general = &general.id;
        let empty = ModelFeedback { subject: Subject::default(), ..feedback(general, 1.0, area) };
        for (bad, kind) in [
            (feedback("nothing", 1.0, area), Kind::NotFound),
            (feedback(general, 2.0, area), Kind::Invalid),
            (feedback(general, 1.0, [0.5, 0.2, 0.3, 0.4]), Kind::Invalid),
            (feedback(general, 1.0, [0.1, 0.2, 0.3, f32::NAN]), Kind::Invalid),
            (empty, Kind::Invalid),
        ] {
            assert_eq!(add_for_model(&app, bad).await.unwrap_err().kind, kind);
        }
    }
}

#[tokio::test]
async fn what_is_said_of_an_input_is_proposed_and_counts_once_it_is_accepted() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![text("a", &[])]).await.unwrap();
        let subject = Subject { input_id: "a".to_owned(), ..Subject::default() };
        let judged = |concept_id: &str, value| Judged {
            concept_id: concept_id.to_owned(),
            name: String::new(),
            value,
        };
        let region = |verdict, concepts| JudgedRegion { area: [0.1, 0.2, 0.3, 0.4], verdict, concepts };
        let given = ModelFeedback {
            model_id: app.platform().catalog().general().id.clone(),
            subject,
            session: Session { end_user_id: "u".to_owned(), session_id: "s".to_owned() },
            concepts: vec![judged("dog", 1.0), judged("cat", 0.0)],
            regions: vec![
                region(Verdict::NotDetected, vec![judged("ear", 1.0)]),
                region(Verdict::FalsePositive, vec![judged("tail", 1.0)]),
                region(Verdict::Misplaced, Vec::new()),
            ],
            ..ModelFeedback::default()
        };
        add_for_model(&app, given).await.unwrap();
        let listing = AnnotationListing { statuses: vec![Status::Pending], ..AnnotationListing::default() };
        let proposed = annotations::list(&app, listing.clone()).await.unwrap();
        let [proposal] = &proposed[..] else { panic!("{proposed:?}") };
        assert_eq!(proposal.info["feedback"]["end_user_id"], "u");
        assert_eq!(proposal.data.regions.len(), 1);
        let labels = |input: inputs::Input| -> Vec<(String, f32)> {
            input.labels.into_iter().map(|label| (label.concept_id, label.value)).collect()
        };
        assert!(labels(inputs::get(&app, "a").await.unwrap()).is_empty());
        let patch = annotations::AnnotationPatch {
            id: proposal.id.clone(),
            status: Some(Status::Success),
            ..annotations::AnnotationPatch::default()
        };
        annotations::patch(&app, vec![patch], PatchAction::Merge, false).await.unwrap();
        assert!(annotations::list(&app, listing).await.unwrap().is_empty());
        let counted = labels(inputs::get(&app, "a").await.unwrap());
        assert_eq!(counted, [("dog".to_owned(), 1.0), ("cat".to_owned(), 0.0)]);
    }
}
