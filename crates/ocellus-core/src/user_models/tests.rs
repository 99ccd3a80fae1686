//! Models that users make, on every database.

use serde_json::json;

use super::*;
use crate::models::{self, AnyModel, Found, ModelQuery, Origin, Owner, SortBy, WantedTags};
use crate::testing::TestPlatform;
use crate::{Kind, PatchAction, apps};

fn new(id: &str, concepts: &[&str]) -> NewModel {
    NewModel {
        id: id.to_owned(),
        model_type_id: "embedding-classifier".to_owned(),
        concepts: refs(concepts),
        ..NewModel::default()
    }
}

fn refs(ids: &[&str]) -> Vec<ConceptRef> {
    ids.iter().map(|id| ConceptRef { id: Some((*id).to_owned()), name: None }).collect()
}

fn map(value: Value) -> JsonMap {
    value.as_object().unwrap().clone()
}

async fn change(app: &AppCtx, id: &str, fields: Value, action: PatchAction) -> Result<UserModel> {
    let patch = ModelPatch { id: id.to_owned(), fields: map(fields), ..ModelPatch::default() };
    Ok(super::patch(app, vec![patch], action).await?.remove(0))
}

async fn ids(owner: Owner<'_>, query: ModelQuery, page: Page) -> String {
    let found = models::list(owner, query, page).await.unwrap();
    let ids = found.iter().map(|model| match model {
        AnyModel::Own(model) => model.id.as_str(),
        AnyModel::Public(_) => "public",
    });
    ids.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_new_model_is_untrained_and_makes_the_concepts_that_the_app_lacks() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let made = create(&app, new("m", &["cat", "dog", "cat"])).await.unwrap();
        assert_eq!(
            (made.name.as_str(), made.n_versions, made.newest.state),
            ("m", 1, VersionState::Untrained)
        );
        assert_eq!(made.doc.concepts, ["cat", "dog"]);
        assert_eq!(get(&app, "m").await.unwrap(), made);
        let found = concepts(&app, &made, "DO", Page::default()).await.unwrap();
        assert_eq!(found.iter().map(|concept| concept.id.as_str()).collect::<Vec<_>>(), ["dog"]);
        assert_eq!(models::to_predict(&app, "m", None).await.unwrap_err(), untrained("m"));
        assert_eq!(count(&app).await.unwrap(), 1);

        let general = test.platform.catalog().general().id.clone();
        for (bad, kind) in [
            (new("m", &[]), Kind::Conflict),
            (new(&general, &[]), Kind::Conflict),
            (NewModel { model_type_id: String::new(), ..new("x", &[]) }, Kind::Invalid),
            (new("bad\n", &[]), Kind::Invalid),
            (new("x", &[""]), Kind::Invalid),
            (NewModel { name: "n".repeat(2000), ..new("x", &[]) }, Kind::Invalid),
        ] {
            assert_eq!(create(&app, bad.clone()).await.unwrap_err().kind, kind, "{bad:?}");
        }
        assert_eq!(count(&app).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn an_id_means_the_apps_own_model_before_a_public_name_and_after_a_public_id() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let general = std::sync::Arc::clone(test.platform.catalog().general());
        let public = |found| matches!(found, Found::Public(_));
        assert!(public(models::find(&app, &general.name, None).await.unwrap()));
        let made = create(&app, new(&general.name, &[])).await.unwrap();
        let found = models::find(&app, &general.name, Some(&made.newest.id)).await.unwrap();
        assert!(matches!(found, Found::Own(model, version) if model == made && version == made.newest));
        assert!(public(models::find(&app, &general.id, None).await.unwrap()));
        let missing = models::find(&app, &general.name, Some("none")).await.unwrap_err();
        assert_eq!(missing, Error::not_found(Resource::ModelVersion("none".to_owned())));
        assert_eq!(models::find(&app, "none", None).await.unwrap_err(), super::missing("none"));
    }
}

#[tokio::test]
async fn patches_add_replace_and_take_away() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        create(&app, new("m", &["a"])).await.unwrap();
        test.clock.advance_us(1_000_000);
        for (action, ids, expected) in [
            (PatchAction::Merge, vec!["b", "a"], vec!["a", "b"]),
            (PatchAction::Merge, vec![], vec!["a", "b"]),
            (PatchAction::Remove, vec!["a", "unknown"], vec!["b"]),
            (PatchAction::Overwrite, vec!["c", "c"], vec!["c"]),
            (PatchAction::Remove, vec!["c"], vec![]),
        ] {
            let patch = ModelPatch {
                id: "m".to_owned(),
                concepts: Some(refs(&ids)),
                name: Some("renamed".to_owned()),
                ..ModelPatch::default()
            };
            let changed = super::patch(&app, vec![patch], action).await.unwrap().remove(0);
            assert_eq!(changed.doc.concepts, expected, "{action:?} {ids:?}");
            assert_eq!((changed.name.as_str(), changed.id.as_str()), ("renamed", "m"));
            assert!(changed.modified_at_us > changed.created_at_us);
        }
        let uid = app.uid().to_owned();
        let unknown = test.platform.store().read(move |tx| Ok::<_, Error>(tx.concept(&uid, "unknown")?));
        assert_eq!(unknown.await.unwrap(), None);

        let config = json!({"output_config": {"max_concepts": 5, "min_value": 0.5}, "metadata": {"a": 1}});
        change(&app, "m", config, PatchAction::Merge).await.unwrap();
        let more = json!({"output_config": {"closed_environment": true}, "metadata": {"b": 2}});
        let merged = change(&app, "m", more.clone(), PatchAction::Merge).await.unwrap().doc;
        let config = &merged.output_config;
        assert_eq!((config.max_concepts, config.closed_environment), (5, true));
        assert!((config.min_value - 0.5).abs() < 1e-6);
        assert_eq!(merged.metadata, map(json!({"a": 1, "b": 2})));
        let replaced = change(&app, "m", more, PatchAction::Overwrite).await.unwrap().doc;
        assert_eq!((replaced.output_config.max_concepts, replaced.metadata), (0, map(json!({"b": 2}))));

        for (id, fields, kind) in [
            ("none", json!({}), Kind::NotFound),
            ("m", json!({"notes": 7}), Kind::Invalid),
            ("m", json!({"output_config": {"min_value": 2.0}}), Kind::Invalid),
        ] {
            assert_eq!(change(&app, id, fields, PatchAction::Overwrite).await.unwrap_err().kind, kind);
        }
        let other = ModelPatch {
            id: "m".to_owned(),
            model_type_id: Some("visual-detector".to_owned()),
            ..ModelPatch::default()
        };
        assert_eq!(patch(&app, vec![other], PatchAction::Merge).await.unwrap_err().kind, Kind::Invalid);
    }
}

#[tokio::test]
async fn tags_are_a_set_that_needs_the_right_to_change() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        create(&app, new("m", &[])).await.unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (action, given, expected) in [
            (PatchAction::Merge, words(&["x", "y", "x"]), words(&["x", "y"])),
            (PatchAction::Merge, words(&["y", "z"]), words(&["x", "y", "z"])),
            (PatchAction::Remove, words(&["y"]), words(&["x", "z"])),
            (PatchAction::Overwrite, words(&["w"]), words(&["w"])),
            (PatchAction::Overwrite, words(&[]), words(&[])),
        ] {
            for tags in [Tags::Toolkits, Tags::UseCases, Tags::Languages, Tags::CheckConsents] {
                let now = patch_tags(&app, "m", tags, given.clone(), action).await.unwrap();
                assert_eq!(now, expected, "{tags:?} {action:?}");
            }
        }
        let none =
            patch_tags(&app, "none", Tags::Toolkits, Vec::new(), PatchAction::Merge).await.unwrap_err();
        assert_eq!(none, missing("none"));
        let mut caller = test.caller().await;
        caller.scopes = [crate::Scope::MODELS_GET].into_iter().collect();
        let reader = test.platform.app(&caller, "", "", &[]).await.unwrap();
        let refused =
            patch_tags(&reader, "m", Tags::Toolkits, Vec::new(), PatchAction::Merge).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Forbidden);
    }
}

#[tokio::test]
async fn lists_hold_own_models_before_public_ones_and_obey_every_filter() {
    for test in TestPlatform::all().await {
        let (app, account) = (test.app().await, test.account().await);
        let in_app = Owner::App(&app);
        for (id, name) in [("b", "Zebra"), ("a", "apple"), ("c", "Mango")] {
            create(&app, NewModel { name: name.to_owned(), ..new(id, &[]) }).await.unwrap();
            test.clock.advance_us(1_000_000);
        }
        patch_tags(&app, "a", Tags::Toolkits, vec!["Tool".to_owned()], PatchAction::Merge).await.unwrap();
        let own = ModelQuery { origin: Origin::Own, ..ModelQuery::default() };
        let all = ids(in_app, ModelQuery::default(), Page::first(1000)).await;
        assert!(all.starts_with("b a c public public"), "{all}");
        assert_eq!(ids(in_app, ModelQuery::default(), Page { page: 2, per_page: 2 }).await, "c public");
        let named = |name: &str| ModelQuery { name: Some(name.to_owned()), ..own.clone() };
        let some = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        for (query, expected) in [
            (own.clone(), "b a c"),
            (named("*A*"), "b a c"),
            (named("zeb*"), "b"),
            (named("c"), "c"),
            (named("pple"), ""),
            (ModelQuery { ids: some(&["c", "b"]), ..own.clone() }, "b c"),
            (ModelQuery { model_type_ids: some(&["visual-detector"]), ..own.clone() }, ""),
            (ModelQuery { trained_only: true, ..own.clone() }, ""),
            (
                ModelQuery {
                    tags: WantedTags { toolkits: some(&["tool", "x"]), ..WantedTags::default() },
                    ..ModelQuery::default()
                },
                "a",
            ),
            (ModelQuery { sort_by: SortBy::Name, ..own.clone() }, "a c b"),
            (ModelQuery { sort_by: SortBy::CreatedAt, descending: true, ..own.clone() }, "c a b"),
            (ModelQuery { sort_by: SortBy::ModifiedAt, descending: true, ..own.clone() }, "a c b"),
        ] {
            assert_eq!(ids(in_app, query.clone(), Page::first(10)).await, expected, "{query:?}");
        }
        // The account's list goes through its apps; a key of one app sees those of that app.
        let other = apps::NewApp { id: Some("other".to_owned()), ..apps::NewApp::default() };
        apps::create(&account, vec![other]).await.unwrap();
        let other = test.platform.app(account.caller(), "me", "other", &[]).await.unwrap();
        create(&other, new("d", &[])).await.unwrap();
        assert_eq!(ids(Owner::Account(&account), own.clone(), Page::first(10)).await, "b a c d");
        let bound = test.platform.account(&test.caller().await, "me", &[]).await.unwrap();
        assert_eq!(ids(Owner::Account(&bound), own.clone(), Page::first(10)).await, "b a c");
        apps::delete(&other).await.unwrap();
        assert_eq!(ids(Owner::Account(&account), own, Page::first(10)).await, "b a c");
    }
}

#[tokio::test]
async fn models_are_renamed_and_deleted_all_or_none() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        for id in ["a", "b"] {
            create(&app, new(id, &[])).await.unwrap();
        }
        let pair = |id: &str, new_id: &str| (id.to_owned(), new_id.to_owned());
        for (pairs, kind) in [
            (vec![pair("a", "x"), pair("none", "y")], Kind::NotFound),
            (vec![pair("a", "b")], Kind::Conflict),
            (vec![pair("a", "")], Kind::Invalid),
            (vec![], Kind::Invalid),
        ] {
            assert_eq!(rename(&app, pairs.clone()).await.unwrap_err().kind, kind, "{pairs:?}");
        }
        let before = get(&app, "a").await.unwrap();
        let renamed = rename(&app, vec![pair("a", "c"), pair("b", "a")]).await.unwrap();
        assert_eq!(
            (renamed[0].id.as_str(), &renamed[0].uid, &renamed[0].newest),
            ("c", &before.uid, &before.newest)
        );
        assert_eq!(delete(&app, &["c".to_owned(), "b".to_owned()]).await.unwrap_err(), missing("b"));
        delete(&app, &["c".to_owned()]).await.unwrap();
        assert_eq!(get(&app, "c").await.unwrap_err(), missing("c"));
        create(&app, new("c", &[])).await.unwrap();
        assert_eq!(delete_all(&app).await.unwrap(), 2);
        assert_eq!(count(&app).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn versions_are_described_and_a_model_is_never_without_one() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let made = create(&app, new("m", &[])).await.unwrap();
        let first = made.newest.id.clone();
        let fields = map(json!({"description": "raw", "license": "MIT", "metadata": {"k": 1}}));
        let patches = vec![(first.clone(), fields)];
        let changed = patch_versions(&app, "m", patches, PatchAction::Merge).await.unwrap().remove(0);
        assert_eq!((changed.doc.description.as_str(), changed.doc.license.as_str()), ("raw", "MIT"));
        for (model, id, kind) in [("m", "none", Kind::NotFound), ("none", first.as_str(), Kind::NotFound)] {
            let patches = vec![(id.to_owned(), JsonMap::new())];
            let error = patch_versions(&app, model, patches, PatchAction::Merge).await.unwrap_err();
            assert_eq!(error.kind, kind);
            assert_eq!(delete_version(&app, model, id).await.unwrap_err().kind, kind);
        }
        let bad = vec![(first.clone(), map(json!({"license": 3})))];
        assert_eq!(patch_versions(&app, "m", bad, PatchAction::Merge).await.unwrap_err().kind, Kind::Invalid);

        delete_version(&app, "m", &first).await.unwrap();
        let now = get(&app, "m").await.unwrap();
        assert_eq!((now.n_versions, now.newest.state), (1, VersionState::Untrained));
        assert_ne!(now.newest.id, first);
        assert_eq!(version(&app, &now, &first).await.unwrap_err().kind, Kind::NotFound);
        for (listing, expected) in [
            (VersionListing::default(), 1),
            (VersionListing { oldest_first: true, ..VersionListing::default() }, 1),
            (VersionListing { trained_only: true, ..VersionListing::default() }, 0),
        ] {
            let found = list_versions(&app, &now, listing, Page::default()).await.unwrap();
            assert_eq!(found.len(), expected, "{listing:?}");
        }
        assert!(
            list_versions(&app, &now, VersionListing::default(), Page { page: 2, per_page: 1 })
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn an_app_takes_its_models_along() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let made = create(&app, new("m", &[])).await.unwrap();
        apps::delete(&app).await.unwrap();
        test.settle().await;
        let uid = app.uid().to_owned();
        let left = test.platform.store().read(move |tx| {
            let versions = tx.model_versions_page(&uid, &made.uid, i64::MAX, 10)?;
            Ok::<_, Error>((tx.count_models(&uid)?, versions.len()))
        });
        assert_eq!(left.await.unwrap(), (0, 0));
        assert_eq!(create(&app, new("late", &[])).await.unwrap_err().kind, Kind::NotFound);
    }
}
