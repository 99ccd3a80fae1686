//! Modules, their versions and where they are installed.

use super::*;
use crate::apps::{self, NewApp};
use crate::testing::TestPlatform;
use crate::{Kind, Platform, Scope};
use installed::{ModuleRef, NewInstalled};

fn new<D>(id: &str, doc: D) -> New<D> {
    New { id: Some(id.to_owned()), doc }
}

fn version(url: &str) -> ModuleVersion {
    ModuleVersion { git_commit_url: url.to_owned(), ..ModuleVersion::default() }
}

fn install_of(id: &str, app_id: &str, version_id: &str) -> NewInstalled {
    let module = ModuleRef {
        app_id: app_id.to_owned(),
        module_id: "m".to_owned(),
        version_id: version_id.to_owned(),
        ..ModuleRef::default()
    };
    NewInstalled { id: id.to_owned(), module, ..NewInstalled::default() }
}

/// The first app by token, with module `m` in versions 1 and 2, and a second app of the same account.
async fn two_apps(test: &TestPlatform) -> (AppCtx, AppCtx) {
    let account = test.account().await;
    apps::create(&account, vec![NewApp { id: Some("second".to_owned()), ..NewApp::default() }])
        .await
        .unwrap();
    let platform: &Platform = &test.platform;
    let first = platform.app(account.caller(), "me", &test.first.app_id, &[]).await.unwrap();
    let second = platform.app(account.caller(), "me", "second", &[]).await.unwrap();
    resources::create(&Shelf::from(&first), vec![new("m", Module::default())]).await.unwrap();
    let versions = vec![new("1", version("https://example.com/m/tree/1")), new("2", version(""))];
    create_versions(&first, "m", versions).await.unwrap();
    (first, second)
}

#[tokio::test]
async fn an_installed_version_has_a_key_of_its_own_until_it_or_its_module_goes() {
    for test in TestPlatform::all().await {
        let (first, second) = two_apps(&test).await;
        let home = test.first.app_id.as_str();
        let all = vec![install_of("a", home, "1"), install_of("b", home, "1"), install_of("c", home, "2")];
        installed::install(&second, all).await.unwrap();
        assert_eq!(count_uses(&first, "m", "1").await.unwrap(), 2);
        for (bad, kind) in [
            (install_of("d", home, "9"), Kind::NotFound),
            (install_of("d", "nowhere", "1"), Kind::NotFound),
            (install_of("a", home, "1"), Kind::Conflict),
            (install_of("d", home, ""), Kind::Invalid),
        ] {
            assert_eq!(installed::install(&second, vec![bad]).await.unwrap_err().kind, kind);
        }
        assert_eq!(count_uses(&first, "m", "1").await.unwrap(), 2);

        let live = async |secret: &str| test.platform.authenticate(secret).await.is_ok();
        let (_, old) = installed::make_key(&second, "a").await.unwrap();
        let (key, secret) = installed::make_key(&second, "a").await.unwrap();
        assert!(!live(&old).await && live(&secret).await, "a new key takes the place of the old");
        let caller = test.platform.authenticate(&secret).await.unwrap();
        assert_eq!(caller.app_uid.as_deref(), Some(second.uid()));
        assert!(key.scopes.allows(Scope::INPUTS_GET) && !key.scopes.allows(Scope::KEYS_ADD));
        installed::uninstall(&second, &["a".to_owned()]).await.unwrap();
        assert!(!live(&secret).await);

        let (_, b) = installed::make_key(&second, "b").await.unwrap();
        let (_, c) = installed::make_key(&second, "c").await.unwrap();
        delete_versions(&first, "m", &["1".to_owned()]).await.unwrap();
        assert!(!live(&b).await && live(&c).await);
        delete(&first, &["m".to_owned()]).await.unwrap();
        assert!(!live(&c).await);
        let left = resources::list::<installed::Installed>(
            &Shelf::from(&second),
            &Listing::default(),
            Page::default(),
        )
        .await;
        assert!(left.unwrap().is_empty());
        assert_eq!(versions(&first, "m", Page::default()).await.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn a_deleted_app_no_longer_counts_as_a_place_of_use() {
    let test = TestPlatform::new().await;
    let (first, second) = two_apps(&test).await;
    installed::install(&second, vec![install_of("a", &test.first.app_id, "1")]).await.unwrap();
    apps::delete(&second).await.unwrap();
    assert_eq!(count_uses(&first, "m", "1").await.unwrap(), 0);
    test.settle().await;
    delete(&first, &["m".to_owned()]).await.unwrap();
}

#[tokio::test]
async fn modules_are_listed_by_app_or_account_in_the_order_asked_for() {
    for test in TestPlatform::all().await {
        let (first, second) = two_apps(&test).await;
        test.clock.advance_us(1);
        let described = Module { description: "Draws BOXES".to_owned(), ..Module::default() };
        resources::create(&Shelf::from(&second), vec![new("a", described)]).await.unwrap();
        let ids = |found: Vec<ListedModule>| {
            found.into_iter().map(|listed| listed.module.id).collect::<Vec<_>>().join(" ")
        };
        let account = test.account().await;
        let by = |sort_by, ascending, search: &str| ModuleListing {
            search: search.to_owned(),
            sort_by,
            ascending,
        };
        for (listing, expected) in [
            (ModuleListing::default(), "a m"),
            (by(SortBy::CreatedAt, true, ""), "m a"),
            (by(SortBy::Id, true, ""), "a m"),
            (by(SortBy::Id, false, "boxes"), "a"),
        ] {
            assert_eq!(ids(list_of_account(&account, listing, Page::default()).await.unwrap()), expected);
        }
        let found = list(&first, ModuleListing::default(), Page::default()).await.unwrap();
        assert_eq!(found[0].latest.as_ref().map(|version| version.id.as_str()), Some("2"));
        assert_eq!(found, vec![get(&first, "m").await.unwrap()]);
        let bad = create_versions(&first, "m", vec![new("3", version("git@example.com"))]).await.unwrap_err();
        assert_eq!(bad.kind, Kind::Invalid);
    }
}
