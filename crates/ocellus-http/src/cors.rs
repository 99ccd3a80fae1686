//! CORS: any origin may call, with the methods and headers the vendors' browser clients use.

use std::time::Duration;

use http::{HeaderName, Method};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

/// The answers' headers that a script in a browser may read; grpc-web needs the `grpc-` ones.
const EXPOSED: [&str; 5] =
    ["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id", "retry-after"];

/// Credentials travel in the `Authorization` header and never in cookies, so an open origin gives nothing away.
pub fn layer() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(Duration::from_secs(86_400))
}
