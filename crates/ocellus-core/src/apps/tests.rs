//! Making, changing and deleting apps.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::inputs::{self, NewInput};
use crate::testing::TestPlatform;
use crate::{Kind, MediaKind, Source};

fn new_app(id: &str) -> NewApp {
    NewApp { id: Some(id.to_owned()), ..NewApp::default() }
}

fn map(value: serde_json::Value) -> JsonMap {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn an_app_id_can_be_used_once_per_account_and_a_batch_is_all_or_nothing() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        let made = create(&account, vec![new_app("a"), NewApp::default()]).await.unwrap();
        assert_eq!((made[0].name.as_str(), made[0].default_language.as_str()), ("a", "en"));
        assert_eq!(made[1].id.len(), 32);
        for batch in [vec![new_app("b"), new_app("a")], vec![new_app("b"), new_app("b")]] {
            let error = create(&account, batch).await.unwrap_err();
            assert_eq!(error.kind, Kind::Conflict);
            assert!(matches!(error.about, Some(Resource::App(_))));
        }
        let listed = list(&account, Page::first(10), None).await.unwrap();
        assert_eq!(listed.len(), 3);
        let named = list(&account, Page::first(10), Some("MAIN")).await.unwrap();
        assert_eq!(named.iter().map(|app| app.id.as_str()).collect::<Vec<_>>(), ["main-app"]);
    }
}

#[tokio::test]
async fn patching_changes_only_what_is_given_and_nothing_if_an_app_is_unknown() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        let mut new = new_app("a");
        new.metadata = map(json!({"x": 1, "y": {"z": [1]}}));
        create(&account, vec![new]).await.unwrap();
        let patch_of = |id: &str| AppPatch {
            id: id.to_owned(),
            description: Some("new".to_owned()),
            metadata: Some(map(json!({"y": {"z": [2]}}))),
            ..AppPatch::default()
        };
        let error =
            patch(&account, vec![patch_of("a"), patch_of("nope")], PatchAction::Merge).await.unwrap_err();
        assert_eq!(error, Error::not_found(Resource::App("nope".to_owned())));
        // The same app twice in one call is changed twice.
        let patched = patch(&account, vec![patch_of("a"), patch_of("a")], PatchAction::Merge).await.unwrap();
        assert_eq!((patched[1].name.as_str(), patched[1].description.as_str()), ("a", "new"));
        assert_eq!(patched[1].metadata, map(json!({"x": 1, "y": {"z": [1, 2]}})));
    }
}

#[tokio::test]
async fn a_deleted_app_is_gone_at_once_with_its_keys_and_its_rows_and_blobs_follow() {
    for test in TestPlatform::all().await {
        let (app, account) = (test.app().await, test.account().await);
        let input = NewInput {
            id: Some("i".to_owned()),
            source: Source::Bytes(Bytes::from_static(b"no image")),
            kind: MediaKind::Image,
            allow_duplicate_url: false,
            crop: None,
            labels: Vec::new(),
            metadata: JsonMap::new(),
            geo: None,
            parts: Default::default(),
        };
        let made = inputs::create(&app, vec![input]).await.unwrap().remove(0).unwrap();
        let hash = made.hosted.unwrap().hash;
        delete(&app).await.unwrap();
        assert_eq!(delete(&app).await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(get(&app).await.unwrap_err().kind, Kind::NotFound);
        let refused = inputs::create(&app, vec![text_input()]).await.unwrap_err();
        assert_eq!(refused.kind, Kind::NotFound);
        assert_eq!(
            test.platform.authenticate(&test.first.api_key).await.unwrap_err().kind,
            Kind::Unauthenticated
        );
        // The id is free again.
        create(&account, vec![new_app("main-app")]).await.unwrap();
        test.settle().await;
        let uid = app.uid().to_owned();
        let left = test
            .platform
            .store()
            .read(move |tx| Ok::<_, Error>((tx.app_by_uid(&uid)?, tx.input(&uid, "i")?)));
        assert_eq!(left.await.unwrap(), (None, None));
        assert!(test.platform.store().blobs().exists(&hash).await.unwrap());
        test.clock.advance_us(crate::jobs::gc_blobs::GRACE_US + 2);
        test.settle().await;
        assert!(!test.platform.store().blobs().exists(&hash).await.unwrap());
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 0);
    }
}

fn text_input() -> NewInput {
    NewInput {
        id: None,
        source: Source::Text("words".to_owned()),
        kind: MediaKind::Text,
        allow_duplicate_url: false,
        crop: None,
        labels: Vec::new(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    }
}
