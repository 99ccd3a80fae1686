//! Collectors are checked before they are kept.

use serde_json::json;

use super::*;
use crate::predict::{PredictInput, Subject};
use crate::testing::TestPlatform;
use crate::workflows::findings::Findings;
use crate::{Kind, Page};

fn collector(app: &AppCtx) -> Collector {
    let model_id = app.platform().catalog().general().id.clone();
    Collector { source: Source { model_id, ..Source::default() }, ..Collector::default() }
}

fn new(id: &str, doc: Collector) -> Vec<New<Collector>> {
    vec![New { id: Some(id.to_owned()), doc }]
}

#[tokio::test]
async fn a_collector_needs_a_model_and_keys_that_are_there() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let good = collector(&app);
        let with = |change: fn(&mut Collector)| {
            let mut changed = good.clone();
            change(&mut changed);
            changed
        };
        for (bad, kind) in [
            (Collector::default(), Kind::Invalid),
            (with(|c| c.source.model_id = "nothing".to_owned()), Kind::NotFound),
            (with(|c| c.source.model_version_id = "nothing".to_owned()), Kind::NotFound),
            (with(|c| c.source.post_inputs_key_id = "nothing".to_owned()), Kind::NotFound),
            (with(|c| c.source.caller_user_id = "somebody".to_owned()), Kind::NotFound),
            (with(|c| c.pre_queue_random_sample = 1.5), Kind::Invalid),
            (with(|c| c.post_queue_workflow_id = "a\nb".to_owned()), Kind::Invalid),
            (with(|c| c.pre_queue_workflow_id = "nothing".to_owned()), Kind::NotFound),
        ] {
            assert_eq!(create(&app, new("c", bad.clone())).await.unwrap_err().kind, kind, "{bad:?}");
        }
        let mut keyed = good.clone();
        keyed.source.post_inputs_key_id.clone_from(&test.first.api_key);
        let made = create(&app, new("c", keyed)).await.unwrap();
        // The secret is not kept, only the public id of its key.
        assert_eq!(made[0].doc.source.post_inputs_key_id, app.caller().key_id);

        let fields = json!({"description": "d"}).as_object().cloned().unwrap();
        let changed = patch(&app, vec![("c".to_owned(), fields, None)], PatchAction::Merge).await.unwrap();
        assert_eq!((changed[0].doc.description.as_str(), &changed[0].doc.source), ("d", &made[0].doc.source));
        let wrong = Some(Source { model_id: "nothing".to_owned(), ..Source::default() });
        let refused =
            patch(&app, vec![("c".to_owned(), JsonMap::new(), wrong)], PatchAction::Overwrite).await;
        assert_eq!(refused.unwrap_err().kind, Kind::NotFound);
        let found =
            resources::list::<Collector>(&Shelf::from(&app), &resources::Listing::default(), Page::default())
                .await;
        assert_eq!(found.unwrap(), changed);
    }
}

#[tokio::test]
async fn what_is_asked_is_collected_once_for_each_call_even_after_a_crash() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        create(&app, new("c", collector(&app))).await.unwrap();
        let general = app.platform().catalog().general().clone();
        let photo = std::fs::read(crate::testing::cache_dir().join("photos/dog.png")).unwrap();
        let source = crate::Source::Bytes(photo.into());
        let picture = PredictInput { subject: Subject::Source(source), crop: None };
        let asked = |model_id: &str| Asked {
            model_user_id: "clarifai".to_owned(),
            model_app_id: "main".to_owned(),
            model_id: model_id.to_owned(),
            version_ids: general.version_ids.clone(),
            pictures: vec![(picture.clone(), Findings::default())],
        };
        notice(&app, asked(&general.id)).await.unwrap();
        notice(&app, asked("another")).await.unwrap();
        let stranger = crate::Caller { account_id: "other".to_owned(), ..app.caller().clone() };
        assert!(!collector(&app).source.hears(&asked(&general.id), &stranger.account_id));
        // A worker dies in the middle; its lease runs out and another begins again.
        let now_us = app.platform().clock().now_us();
        let claim = move |tx: &mut store::Tx<'_>| {
            Ok::<_, Error>(tx.claim_parts(&["collect_input"], "dead", now_us, now_us + 1, 1)?)
        };
        assert_eq!(app.platform().store().write(claim).await.unwrap().len(), 1);
        test.clock.advance_us(60_000_000);
        test.settle().await;
        let inputs = crate::inputs::count(&app).await.unwrap();
        assert_eq!(inputs.ready, 1);
        let found = resources::get::<Collector>(&Shelf::from(&app), "c").await.unwrap();
        assert_eq!(found.doc.counts, Counts { n_taken: 1, ..Counts::default() });
        let uid = app.uid().to_owned();
        let left = move |tx: &mut store::Tx<'_>| {
            let query = store::ResourceQuery { limit: 10, ..store::ResourceQuery::default() };
            Ok::<_, Error>(tx.resources_page(&uid, "collected_item", &query)?)
        };
        let left = app.platform().store().read(left).await.unwrap();
        assert!(left.is_empty(), "its bytes are kept by the input alone");
    }
}
