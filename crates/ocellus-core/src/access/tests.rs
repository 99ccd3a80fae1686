//! Who gets in, and who does not.

use crate::apps::{self, NewApp};
use crate::inputs::{self, InputListing};
use crate::keys::{self, NewKey};
use crate::testing::TestPlatform;
use crate::{AccountCtx, Caller, Error, KeyKind, Kind, Page, Platform, Resource, Scope, ScopeSet, accounts};

async fn another_account(test: &TestPlatform) -> AccountCtx {
    accounts::create(&test.platform, "mallory", "Mallory").await.unwrap();
    let caller = Caller::operator("mallory");
    test.platform.account(&caller, "me", &[]).await.unwrap()
}

async fn key_with(account: &AccountCtx, scopes: &[Scope], expires_at_us: Option<i64>) -> (keys::Key, String) {
    let new = NewKey {
        kind: KeyKind::ApiKey,
        description: "test".to_owned(),
        app_id: Some("main-app".to_owned()),
        scopes: scopes.iter().copied().collect(),
        expires_at_us,
    };
    keys::create(account, new).await.unwrap()
}

async fn refusal(platform: &Platform, secret: &str) -> Kind {
    platform.authenticate(secret).await.unwrap_err().kind
}

#[tokio::test]
async fn the_first_start_gives_keys_that_work_and_the_second_gives_none() {
    for test in TestPlatform::all().await {
        let caller = test.caller().await;
        assert_eq!((caller.kind, caller.account_id.as_str()), (KeyKind::ApiKey, "owner"));
        assert_eq!(test.app().await.app().id, test.first.app_id);
        assert_eq!(test.account().await.account().uuid, test.first.account_id);
        assert!(test.platform.first_start().await.unwrap().is_none());
        assert_eq!(test.first.api_key.len(), 64);
    }
}

#[tokio::test]
async fn only_hashes_of_secrets_are_stored() {
    for test in TestPlatform::all().await {
        let secrets = [test.first.api_key.clone(), test.first.pat.clone(), test.first.client_secret.clone()];
        let keys =
            test.platform.store().read(|tx| Ok::<_, Error>(tx.keys_of("owner", 100, 0)?)).await.unwrap();
        assert_eq!(keys.len(), 3);
        for key in keys {
            let stored = format!("{key:?}");
            assert!(secrets.iter().all(|secret| !stored.contains(secret.as_str())));
            assert!(secrets.iter().any(|secret| crate::ids::hash_secret(secret) == key.hash));
        }
    }
}

#[tokio::test]
async fn a_key_that_is_unknown_expired_or_of_the_wrong_kind_is_refused() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        let soon = test.clock.now_us() + 1_000_000;
        let (_, secret) = key_with(&account, &[Scope::PREDICT], Some(soon)).await;
        test.platform.authenticate(&secret).await.unwrap();
        test.clock.advance_us(1_000_000);
        for bad in ["", "nonsense", &secret, &test.first.client_secret, &test.first.client_id] {
            assert_eq!(refusal(&test.platform, bad).await, Kind::Unauthenticated, "{bad}");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_stops_working_at_once() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        let (key, secret) = key_with(&account, &[Scope::PREDICT], None).await;
        test.platform.authenticate(&secret).await.unwrap();
        keys::revoke(&account, &key.id).await.unwrap();
        assert_eq!(refusal(&test.platform, &secret).await, Kind::Unauthenticated);
        let gone = keys::get(&account, &key.id).await.unwrap_err();
        assert_eq!(gone.about, Some(Resource::Key(key.id)));
    }
}

#[tokio::test]
async fn a_scope_taken_from_a_key_is_gone_at_once() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        let (key, secret) = key_with(&account, &[Scope::PREDICT, Scope::INPUTS_GET], None).await;
        let caller = test.platform.authenticate(&secret).await.unwrap();
        test.platform.app(&caller, "", "", &[Scope::PREDICT]).await.unwrap();
        let patch =
            keys::KeyPatch { id: key.id, scopes: Some(vec![Scope::PREDICT]), ..keys::KeyPatch::default() };
        keys::patch(&account, patch, crate::PatchAction::Remove).await.unwrap();
        let caller = test.platform.authenticate(&secret).await.unwrap();
        let error = test.platform.app(&caller, "", "", &[Scope::PREDICT]).await.err().unwrap();
        assert_eq!(error.kind, Kind::Forbidden);
        assert_eq!(error.about, Some(Resource::Scope("Predict".to_owned())));
        test.platform.app(&caller, "", "", &[Scope::INPUTS_GET]).await.unwrap();
    }
}

#[tokio::test]
async fn another_accounts_app_is_not_found_by_whatever_name() {
    for test in TestPlatform::all().await {
        let mallory = another_account(&test).await;
        apps::create(&mallory, vec![NewApp { id: Some("hers".to_owned()), ..NewApp::default() }])
            .await
            .unwrap();
        let her_caller = mallory.caller();
        for (caller, user, app) in [
            (&test.caller().await, "mallory", "hers"),
            (&test.caller().await, "me", "hers"),
            (&test.caller().await, "", "hers"),
            (her_caller, "owner", "main-app"),
            (her_caller, "me", "main-app"),
            (her_caller, "nobody", "hers"),
        ] {
            let error = test.platform.app(caller, user, app, &[]).await.err().unwrap();
            assert_eq!(error.kind, Kind::NotFound, "{user}/{app}");
        }
        let stranger = test.platform.account(her_caller, "owner", &[]).await.err().unwrap();
        assert_eq!(stranger.kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn a_key_of_one_app_reaches_no_other_app_of_the_account() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        apps::create(&account, vec![NewApp { id: Some("second".to_owned()), ..NewApp::default() }])
            .await
            .unwrap();
        let caller = test.caller().await;
        assert_eq!(test.platform.app(&caller, "me", "second", &[]).await.err().unwrap().kind, Kind::NotFound);
        let bound = test.platform.account(&caller, "me", &[]).await.unwrap();
        let seen = apps::list(&bound, Page::first(10), None).await.unwrap();
        assert_eq!(seen.iter().map(|app| app.id.as_str()).collect::<Vec<_>>(), ["main-app"]);
        let refused = apps::create(&bound, vec![NewApp::default()]).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Forbidden);
        test.platform.app(account.caller(), "me", "second", &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_for_the_whole_account_must_say_which_app() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        let error = test.platform.app(account.caller(), "me", "", &[]).await.err().unwrap();
        assert_eq!(error.kind, Kind::Invalid);
        assert_eq!(error.about, Some(Resource::Field("user_app_id.app_id".to_owned())));
        assert!(error.message.contains("needs an app id"));
    }
}

#[tokio::test]
async fn the_public_app_can_be_read_by_everybody_and_changed_by_nobody() {
    for test in TestPlatform::all().await {
        let app = test.platform.app(&test.caller().await, "clarifai", "main", &[]).await.unwrap();
        assert!(app.is_public());
        let listing = InputListing { page: Page::first(10), states: Vec::new(), newest_first: false };
        assert!(inputs::list(&app, listing).await.unwrap().is_empty());
        for error in [
            inputs::delete_all(&app).await.unwrap_err(),
            apps::delete(&app).await.unwrap_err(),
            inputs::create(&app, Vec::new()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind, Kind::Forbidden);
        }
        let account = test.platform.account(&test.caller().await, "clarifai", &[]).await.unwrap();
        assert_eq!(keys::list(&account, Page::first(10), None).await.unwrap_err().kind, Kind::Forbidden);
        assert_eq!(apps::create(&account, vec![NewApp::default()]).await.unwrap_err().kind, Kind::Forbidden);
        let names = apps::list(&account, Page::first(10), None).await.unwrap();
        assert_eq!(names.iter().map(|app| app.id.as_str()).collect::<Vec<_>>(), ["main"]);
    }
}

#[tokio::test]
async fn a_client_secret_buys_a_token_for_an_hour() {
    for test in TestPlatform::all().await {
        let (id, secret) = (&test.first.client_id, &test.first.client_secret);
        let token = test.platform.token_for_client(id, secret).await.unwrap();
        let caller = test.platform.authenticate(&token.secret).await.unwrap();
        assert_eq!(caller.kind, KeyKind::Token);
        assert_eq!(test.platform.app(&caller, "", "", &[Scope::PREDICT]).await.unwrap().app().id, "main-app");
        for (id, secret) in
            [(id.as_str(), "wrong"), ("wrong", secret.as_str()), (id, test.first.pat.as_str())]
        {
            let error = test.platform.token_for_client(id, secret).await.unwrap_err();
            assert_eq!(error.kind, Kind::Unauthenticated);
        }
        test.clock.advance_us(i64::from(token.expires_in_s) * 1_000_000);
        assert_eq!(refusal(&test.platform, &token.secret).await, Kind::Unauthenticated);
    }
}

#[tokio::test]
async fn a_key_cannot_give_more_than_it_has() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        let (_, secret) = key_with(&account, &[Scope::KEYS_ADD, Scope::PREDICT], None).await;
        let caller = test.platform.authenticate(&secret).await.unwrap();
        let weak = test.platform.account(&caller, "me", &[Scope::KEYS_ADD]).await.unwrap();
        for (kind, app_id, scopes, kind_of_error) in [
            (KeyKind::ApiKey, Some("main-app"), vec![Scope::ALL], Kind::Forbidden),
            (KeyKind::ApiKey, Some("main-app"), vec![Scope::PREDICT, Scope::SEARCH], Kind::Forbidden),
            (KeyKind::Pat, None, vec![Scope::PREDICT], Kind::Forbidden),
            (KeyKind::ApiKey, None, vec![Scope::PREDICT], Kind::Invalid),
            (KeyKind::ApiKey, Some("main-app"), vec![], Kind::Invalid),
            (KeyKind::ApiKey, Some("nowhere"), vec![Scope::PREDICT], Kind::NotFound),
            (KeyKind::Token, Some("main-app"), vec![Scope::PREDICT], Kind::Invalid),
        ] {
            let new = NewKey {
                kind,
                description: String::new(),
                app_id: app_id.map(str::to_owned),
                scopes: scopes.iter().copied().collect::<ScopeSet>(),
                expires_at_us: None,
            };
            assert_eq!(
                keys::create(&weak, new).await.unwrap_err().kind,
                kind_of_error,
                "{kind:?} {scopes:?}"
            );
        }
        key_with(&weak, &[Scope::PREDICT], None).await;
        assert_eq!(keys::list(&weak, Page::first(100), None).await.unwrap().len(), 4);
        assert_eq!(
            keys::list(&account, Page { page: 2, per_page: 3 }, Some("main-app")).await.unwrap().len(),
            1
        );
    }
}
