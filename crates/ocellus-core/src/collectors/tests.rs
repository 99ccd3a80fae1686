//! Collectors are checked before they are kept.

use serde_json::json;

use super::*;
use crate::testing::TestPlatform;
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
