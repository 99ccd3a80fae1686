//! Hosted images: the addresses in answers can be fetched, and die with their image.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use ocellus_core::testing::TestPlatform;
use serde_json::Value;
use tower::ServiceExt;

use crate::world;

const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async fn send(test: &TestPlatform, request: Request<Body>) -> Response {
    world::routed(test).oneshot(request).await.unwrap()
}

async fn get(test: &TestPlatform, path: &str, etag: &str) -> Response {
    let request = Request::get(path).header("if-none-match", etag).body(Body::empty()).unwrap();
    send(test, request).await
}

#[tokio::test]
async fn a_signed_address_serves_its_image_without_a_key_until_the_image_is_deleted() {
    let test = TestPlatform::new().await;
    let body = format!(r#"{{"inputs":[{{"id":"a/b","data":{{"image":{{"base64":"{PIXEL}"}}}}}}]}}"#);
    let keyed = |method: &str, path: &str, body: String| {
        let key = format!("Key {}", test.first.api_key);
        let request = Request::builder().method(method).uri(path).header("authorization", key);
        request.header("host", "images.example:81").body(Body::from(body)).unwrap()
    };
    let made = send(&test, keyed("POST", "/v2/inputs", body)).await;
    let made: Value = serde_json::from_slice(&made.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let url = made["inputs"][0]["data"]["image"]["url"].as_str().unwrap();
    let path = url.strip_prefix("http://images.example:81").unwrap();

    let served = get(&test, path, "").await;
    assert_eq!(served.status(), StatusCode::OK);
    let etag = served.headers()["etag"].to_str().unwrap().to_owned();
    let bytes = served.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&bytes[1..4], b"PNG");
    assert_eq!(get(&test, path, &etag).await.status(), StatusCode::NOT_MODIFIED);

    let mut forged = path.to_owned();
    let last = forged.pop();
    forged.push(if last == Some('0') { '1' } else { '0' });
    assert_eq!(get(&test, &forged, "").await.status(), StatusCode::NOT_FOUND);

    let deleted = send(&test, keyed("DELETE", "/v2/inputs/a%2Fb", String::new())).await;
    assert_eq!(deleted.status(), StatusCode::OK);
    assert_eq!(get(&test, path, "").await.status(), StatusCode::NOT_FOUND);
}
