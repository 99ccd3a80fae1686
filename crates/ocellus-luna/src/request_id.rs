//! `Luna-Request-Id`: ten digits of time, a comma and a UUID; repeated in every answer, made here when it is missing or malformed.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use ocellus_core::Platform;

const HEADER: &str = "luna-request-id";

/// Middleware: repeats the id or makes one.
pub(crate) async fn echo(State(platform): State<Platform>, request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).filter(|value| value.to_str().is_ok_and(is_well_formed));
    let id = given.cloned().or_else(|| fresh(&platform));
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(HEADER, id);
    }
    response
}

fn fresh(platform: &Platform) -> Option<HeaderValue> {
    let seconds = platform.clock().now_us() / 1_000_000;
    HeaderValue::from_str(&format!("{seconds:010},{}", platform.ids().uuid())).ok()
}

fn is_well_formed(id: &str) -> bool {
    let Some((seconds, uuid)) = id.split_once(',') else { return false };
    let groups: Vec<&str> = uuid.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    seconds.len() == 10
        && seconds.bytes().all(|byte| byte.is_ascii_digit())
        && lengths == [8, 4, 4, 4, 12]
        && groups.concat().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_form_is_repeated() {
        let cases = [
            ("1536751345,8b8b5937-2e9c-4e8b-a7a7-5caf86621b5a", true),
            ("153675134,8b8b5937-2e9c-4e8b-a7a7-5caf86621b5a", false),
            ("1536751345,8B8B5937-2e9c-4e8b-a7a7-5caf86621b5a", false),
            ("1536751345,8b8b59372e9c4e8ba7a75caf86621b5a", false),
            ("1536751345", false),
        ];
        for (id, expected) in cases {
            assert_eq!(is_well_formed(id), expected, "{id}");
        }
    }
}
