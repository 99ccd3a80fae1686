//! What a test runs in: a fresh platform, the router around it, a second account, and a server of photographs.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_clarifai::{ClarifaiConfig, router};
use ocellus_core::apps::{self, NewApp};
use ocellus_core::keys::{self, NewKey};
use ocellus_core::testing::{TestPlatform, cache_dir};
use ocellus_core::{Caller, KeyKind, ScopeSet, accounts};
use ocellus_http::scenario::World;

use crate::clips;

/// A router over a fresh platform.
pub fn routed(platform: &TestPlatform) -> Router {
    router(platform.platform.clone(), ClarifaiConfig::default())
}

/// Everything a scenario may name.
pub async fn world(test: &TestPlatform) -> World {
    let first = &test.first;
    let other = second_account(test).await;
    let platform = test.platform.clone();
    World::new(routed(test))
        .var("api_key", first.api_key.clone())
        .var("pat", first.pat.clone())
        .var("user_id", first.user_id.clone())
        .var("app_id", first.app_id.clone())
        .var("client_basic", STANDARD.encode(format!("{}:{}", first.client_id, first.client_secret)))
        .var("other_key", other.0)
        .var("other_pat", other.1)
        .var("photos", photo_server().await)
        .var("mixed_zip_bytes", length("mixed.zip"))
        .var("climbing_tar_bytes", length("climbing.tar"))
        .files(cache_dir().join("photos"))
        .files(clips::folder())
        .jobs(move || {
            let platform = platform.clone();
            async move { platform.run_until_idle().await.map(|_| ()).map_err(|e| e.to_string()) }
        })
}

/// How long a file of the clips is, in bytes.
fn length(name: &str) -> u64 {
    std::fs::metadata(clips::folder().join(name)).unwrap().len()
}

/// A key and a token of somebody else.
async fn second_account(test: &TestPlatform) -> (String, String) {
    let platform = &test.platform;
    accounts::create(platform, "other", "Other").await.unwrap();
    let caller = Caller {
        account_id: "other".to_owned(),
        key_id: "test".to_owned(),
        kind: KeyKind::Pat,
        app_uid: None,
        scopes: ScopeSet::everything(),
    };
    let account = platform.account(&caller, "me", &[]).await.unwrap();
    apps::create(&account, vec![NewApp { id: Some("theirs".to_owned()), ..NewApp::default() }])
        .await
        .unwrap();
    let new = |kind, app_id: Option<&str>| NewKey {
        kind,
        description: String::new(),
        app_id: app_id.map(str::to_owned),
        scopes: ScopeSet::everything(),
        expires_at_us: None,
    };
    let (_, key) = keys::create(&account, new(KeyKind::ApiKey, Some("theirs"))).await.unwrap();
    let (_, pat) = keys::create(&account, new(KeyKind::Pat, None)).await.unwrap();
    (key, pat)
}

/// Serves the photographs of the cache and one page that is no image, on a free local port.
async fn photo_server() -> String {
    let photos = cache_dir().join("photos");
    let serve = move |axum::extract::Path(name): axum::extract::Path<String>| {
        let path = photos.join(&name);
        async move {
            if name == "page.html" {
                return Ok(b"<html>not an image</html>".to_vec());
            }
            let clip = clips::folder().join(&name);
            std::fs::read(path).or_else(|_| std::fs::read(clip)).map_err(|_| StatusCode::NOT_FOUND)
        }
    };
    let app = Router::new().route("/{*name}", get(serve));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}
