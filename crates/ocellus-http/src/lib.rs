//! What every dialect needs from HTTP and no rule of the domain: request ids, the access log, CORS, body limits, panic catching.
//!
//! A dialect hands its `Router` to the binary, which calls [`wrap`] once over all of them.
//! Inside a handler the request's extensions carry [`RequestId`] and [`AccessNote`].

#![warn(missing_docs)]

pub mod access_log;
pub mod body;
pub mod cors;
pub mod panic;
pub mod peer;
pub mod request_id;
pub mod routes;
#[cfg(feature = "scenario")]
pub mod scenario;

pub use access_log::AccessNote;
pub use peer::Peer;
pub use request_id::RequestId;
pub use routes::{Route, RouteInfo};

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

/// Settings of the layers around all dialects.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Requests with a larger body are refused with 413. In bytes.
    pub max_body_bytes: usize,
}

/// Puts the layers shared by every dialect around `router`.
///
/// From the outside in: request id, access log and metrics, CORS, panic catch, body limit. The order matters: a panic and a
/// refused body are logged and carry the CORS headers, without which a browser hides the reason from the caller.
pub fn wrap(router: Router, cfg: &HttpConfig) -> Router {
    router
        .layer(from_fn_with_state(body::BodyLimit(cfg.max_body_bytes), body::limit))
        .layer(panic::layer(panic::plain_answer))
        .layer(cors::layer())
        .layer(from_fn(access_log::log_request))
        .layer(from_fn(request_id::assign))
}
