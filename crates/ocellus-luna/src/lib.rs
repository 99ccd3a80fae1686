//! The VisionLabs Luna Tasks 3.8.8 dialect.
//!
//! The version and the health check are answered. Every other operation is mounted, asks who calls, and then says in the
//! vendor's form that it is not implemented.

#![warn(missing_docs)]

mod auth;
mod error;
mod health;
mod request_id;
mod routes;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, get, on};
use http::Method;
use ocellus_core::Platform;
use ocellus_http::RouteInfo;

use error::WireError;

/// The router of the dialect.
pub fn router(platform: Platform) -> Router {
    let mut gaps = Router::new();
    for route in routes::ALL.iter().filter(|route| !route.implemented) {
        let method = Method::from_bytes(route.method.as_bytes()).expect("the table holds real methods");
        let filter = MethodFilter::try_from(method).expect("the table holds methods that axum knows");
        gaps = gaps.route(route.path, on(filter, not_implemented));
    }
    gaps.route_layer(from_fn_with_state(platform.clone(), auth::require_account))
        .route("/version", get(health::get_version))
        .route("/healthcheck", get(health::healthcheck))
        .route_layer(from_fn_with_state(platform.clone(), request_id::echo))
        .with_state(platform)
}

/// Every method and path of the dialect.
pub fn routes() -> Vec<RouteInfo> {
    routes::ALL.iter().map(ocellus_http::Route::info).collect()
}

async fn not_implemented() -> WireError {
    WireError::NOT_IMPLEMENTED
}
