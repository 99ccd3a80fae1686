//! The id of a request: taken from the caller when it is harmless, made here otherwise, and sent back in `x-request-id`.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;

/// The id of this request, in the request's extensions. Letters, digits, `.`, `_` and `-`, at most 64 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

const HEADER: &str = "x-request-id";
const MAX_LEN: usize = 64;

/// Middleware: gives the request an id and repeats it in the answer.
pub async fn assign(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_harmless(id))
        .map_or_else(fresh, str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().entry(HEADER).or_insert(value);
    }
    response
}

fn fresh() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Anything else could forge log lines or grow without bound.
fn is_harmless(id: &str) -> bool {
    (1..=MAX_LEN).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_ids_are_taken_over() {
        let cases = [
            ("abc-1.2_X", true),
            ("", false),
            ("two words", false),
            ("line\nbreak", false),
            (&"x".repeat(65), false),
        ];
        for (id, expected) in cases {
            assert_eq!(is_harmless(id), expected, "{id:?}");
        }
        assert!(is_harmless(&fresh()));
    }
}
