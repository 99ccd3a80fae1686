//! Errors in the protocol's words: `{"error": "…"}` with an HTTP status, or a gRPC status.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode as Http;
use http::header::{HeaderValue, RETRY_AFTER};
use ocellus_core::{Error, Kind};
use serde_json::json;
use tonic::Code;

/// An error on its way to a client.
pub struct WireError(pub Error);

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        error.log();
        Self(error)
    }
}

/// The one table of error codes.
fn codes(kind: Kind) -> (Http, Code) {
    match kind {
        Kind::Invalid => (Http::BAD_REQUEST, Code::InvalidArgument),
        Kind::Unauthenticated => (Http::UNAUTHORIZED, Code::Unauthenticated),
        Kind::Forbidden => (Http::FORBIDDEN, Code::PermissionDenied),
        Kind::NotFound => (Http::NOT_FOUND, Code::NotFound),
        Kind::Conflict => (Http::CONFLICT, Code::AlreadyExists),
        Kind::TooLarge => (Http::PAYLOAD_TOO_LARGE, Code::InvalidArgument),
        Kind::Unsupported => (Http::BAD_REQUEST, Code::FailedPrecondition),
        Kind::Exhausted => (Http::TOO_MANY_REQUESTS, Code::ResourceExhausted),
        Kind::Unavailable => (Http::SERVICE_UNAVAILABLE, Code::Unavailable),
        Kind::Timeout => (Http::GATEWAY_TIMEOUT, Code::DeadlineExceeded),
        Kind::Cancelled => (Http::SERVICE_UNAVAILABLE, Code::Cancelled),
        Kind::Internal => (Http::INTERNAL_SERVER_ERROR, Code::Internal),
    }
}

impl IntoResponse for WireError {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": self.0.message}));
        let mut response = (codes(self.0.kind).0, body).into_response();
        if let Some(seconds) = self.0.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<WireError> for tonic::Status {
    fn from(error: WireError) -> Self {
        Self::new(codes(error.0.kind).1, error.0.message)
    }
}
