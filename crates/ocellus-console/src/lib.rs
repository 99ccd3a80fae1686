//! The console's own API: the few calls for which none of the vendors' dialects has a form. Documented in OpenAPI.
//!
//! It has no power that a key does not give: every call opens an app with the caller's key and its scopes.

#![warn(missing_docs)]

mod error;
mod models;
mod openapi;

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, header};
use ocellus_core::{AppCtx, Error, Platform, Result, Scope};
use ocellus_http::RouteInfo;

/// The router of the API.
pub fn router(platform: Platform) -> Router {
    Router::new()
        .route(openapi::PATH, get(openapi::document))
        .route(models::NEXT_TO_LABEL, get(models::get_next_to_label))
        .with_state(platform)
}

/// Every method and path of the API.
pub fn routes() -> Vec<RouteInfo> {
    [(openapi::PATH, "openapi"), (models::NEXT_TO_LABEL, "get_next_to_label")]
        .map(|(path, name)| RouteInfo {
            implemented: true,
            method: "GET".to_owned(),
            path: path.to_owned(),
            rpc: name.to_owned(),
        })
        .into()
}

/// Opens an app for the key in the `Authorization` header, `Key …` or `Bearer …`.
async fn open(
    platform: &Platform,
    headers: &HeaderMap,
    (user_id, app_id): (&str, &str),
    needs: &[Scope],
) -> Result<AppCtx> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, secret) = value.split_once(' ').unwrap_or_default();
    if !matches!(scheme.to_ascii_lowercase().as_str(), "key" | "bearer") {
        return Err(Error::unauthenticated("a key is missing: send it as 'Authorization: Key ...'"));
    }
    let caller = platform.authenticate(secret.trim()).await?;
    platform.app(&caller, user_id, app_id, needs).await
}
