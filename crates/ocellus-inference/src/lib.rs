//! The Open Inference Protocol, version 2: every model of the platform, asked in tensors or with encoded images, over REST
//! and gRPC.
//!
//! All of REST is below `/inference`, because Clarifai's API has `/v2/models/{id}` already; what nobody else has is at the
//! root too. See `docs/decisions/0015-open-inference-beside-clarifai.md`.

#![warn(missing_docs)]

mod auth;
mod binary;
mod error;
mod grpc;
mod rest;
mod wire;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use ocellus_core::Platform;
use ocellus_http::RouteInfo;

/// The messages.
#[expect(clippy::all, reason = "generated")]
mod pb {
    include!(concat!(env!("OUT_DIR"), "/inference.rs"));
}

/// Where all of the protocol is.
const PREFIX: &str = "/inference";
/// The name of the gRPC service.
const SERVICE: &str = "inference.GRPCInferenceService";

/// Path, function, and whether the path is at the root too.
const ROUTES: [(&str, &str, &str, bool); 10] = [
    ("GET", "/v2", "server_metadata", true),
    ("GET", "/v2/health/live", "live", true),
    ("GET", "/v2/health/ready", "ready", true),
    ("GET", "/v2/models/{name}", "model_metadata", false),
    ("GET", "/v2/models/{name}/versions/{version}", "model_metadata", false),
    ("GET", "/v2/models/{name}/ready", "model_ready", true),
    ("GET", "/v2/models/{name}/versions/{version}/ready", "model_ready", true),
    ("POST", "/v2/models/{name}/infer", "infer", true),
    ("POST", "/v2/models/{name}/versions/{version}/infer", "infer", true),
    ("POST", "/inference.GRPCInferenceService/{rpc}", "grpc", true),
];

/// What every handler knows.
#[derive(Clone)]
struct Api {
    platform: Platform,
    max_body_bytes: usize,
}

/// REST below `/inference` and, where free, at the root; gRPC under its usual paths.
pub fn router(platform: Platform, max_body_bytes: usize) -> Router {
    let mut router = Router::new().route(&format!("/{SERVICE}/{{rpc}}"), post(grpc::call));
    for (_, path, function, at_root) in ROUTES {
        let handler = match function {
            "server_metadata" => get(rest::server_metadata),
            "live" => get(rest::live),
            "ready" => get(rest::ready),
            "model_metadata" => get(rest::model_metadata),
            "model_ready" => get(rest::model_ready),
            "infer" => post(rest::infer),
            _ => continue,
        };
        router = router.route(&format!("{PREFIX}{path}"), handler.clone());
        if at_root && path != "/v2" {
            router = router.route(path, handler);
        }
    }
    let limit = DefaultBodyLimit::max(max_body_bytes);
    router.layer(limit).with_state(Api { platform, max_body_bytes })
}

/// Every method and path.
pub fn routes() -> Vec<RouteInfo> {
    let info = |method: &str, path: String, function: &str| RouteInfo {
        implemented: true,
        method: method.to_owned(),
        path,
        rpc: function.to_owned(),
    };
    let mut all = Vec::new();
    for (method, path, function, at_root) in ROUTES {
        if function != "grpc" {
            all.push(info(method, format!("{PREFIX}{path}"), function));
        }
        if at_root && path != "/v2" {
            all.push(info(method, path.to_owned(), function));
        }
    }
    all
}
