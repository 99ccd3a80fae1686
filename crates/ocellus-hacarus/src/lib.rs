//! The Hacarus visual inspection dialects: the SDK's API and the SaaS API, both under `/api`.
//!
//! Signing in and the version are answered. Every other operation is mounted, asks for a valid token, and then says in the
//! vendor's form that it is not implemented. SDK and SaaS paths often differ by the trailing slash only.

#![warn(missing_docs)]

mod auth;
mod error;
mod routes;

use axum::Router;

use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, get, on, post};
use http::{HeaderMap, Method, Uri};
use ocellus_core::Platform;
use ocellus_http::RouteInfo;

use error::{Language, WireError};

/// The router of both Hacarus dialects.
pub fn router(platform: Platform) -> Router {
    let guard = from_fn_with_state(platform.clone(), auth::require_token);
    let mut gaps = Router::new().route("/api/auth/app_version", get(auth::get_version));
    for route in routes::ALL.iter().filter(|route| !route.implemented) {
        let method = Method::from_bytes(route.method.as_bytes()).expect("the table holds real methods");
        let filter = MethodFilter::try_from(method).expect("the table holds methods that axum knows");
        gaps = gaps.route(route.path, on(filter, not_implemented));
    }
    gaps.route_layer(guard).route("/api/auth/token", post(auth::login)).with_state(platform)
}

/// Every method and path of both dialects.
pub fn routes() -> Vec<RouteInfo> {
    routes::ALL.iter().map(ocellus_http::Route::info).collect()
}

async fn not_implemented(headers: HeaderMap, uri: Uri) -> WireError {
    WireError::not_implemented(uri.path(), Language::of(&headers))
}

/// Kept here so that the guard and the login share how an error of the core is answered.
fn answer(error: &ocellus_core::Error, pointer: &str, language: Language) -> WireError {
    error.log();
    WireError::from_core(error, pointer, language)
}
