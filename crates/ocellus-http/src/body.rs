//! Request bodies: the limit for all of them, and reading one within it.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// The largest body in bytes, also in the request's extensions for those who read bodies themselves.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than allowed.
    TooLarge,
    /// The connection broke, or the framing is wrong.
    Broken,
}

/// Middleware: refuses a body that announces too great a length, and cuts off one that grows past the limit.
pub async fn limit(State(max): State<BodyLimit>, mut request: Request, next: Next) -> Response {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > max.0 as u64) {
        return too_large(max);
    }
    request.extensions_mut().insert(max);
    let request = request.map(|body| Body::new(Limited::new(body, max.0)));
    next.run(request).await
}

fn too_large(max: BodyLimit) -> Response {
    let message = format!("the request body is larger than {} bytes", max.0);
    let body = serde_json::json!({"error": {"code": 413, "message": message}});
    (StatusCode::PAYLOAD_TOO_LARGE, Json(body)).into_response()
}

/// Reads a whole body of at most `max_bytes`.
pub async fn read(body: Body, max_bytes: usize) -> Result<Bytes, BodyError> {
    match Limited::new(body, max_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if is_length_error(error.as_ref()) => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::Broken),
    }
}

/// The limit of an outer layer arrives wrapped by axum's own error type, so the whole chain is looked at.
fn is_length_error(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut current = Some(error);
    while let Some(error) = current {
        if error.is::<LengthLimitError>() {
            return true;
        }
        current = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_past_the_limit_is_told_from_a_whole_one() {
        let cases = [(4, Ok(Bytes::from("four"))), (3, Err(BodyError::TooLarge))];
        for (max, expected) in cases {
            assert_eq!(read(Body::from("four"), max).await, expected);
        }
        let cut_off_outside = Body::new(Limited::new(Body::from("four"), 2));
        assert_eq!(read(cut_off_outside, 100).await, Err(BodyError::TooLarge));
    }
}
