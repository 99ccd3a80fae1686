//! The API is asked over its router; what it answers is the core's affair.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use ocellus_core::testing::TestPlatform;
use serde_json::Value;
use tower::ServiceExt;

async fn get(router: &Router, path: &str, key: &str) -> (StatusCode, Value) {
    let mut request = Request::get(path);
    if !key.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Key {key}"));
    }
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn what_to_label_next_is_told_to_whoever_may_see_the_app() {
    let test = TestPlatform::new().await;
    let router = ocellus_console::router(test.platform.clone());
    let app = format!("/console/api/v1/users/me/apps/{}/models", test.first.app_id);
    let key = test.first.api_key.as_str();
    let table = [
        (format!("{app}/nothing/next-to-label"), "", StatusCode::UNAUTHORIZED, "key is missing"),
        (format!("{app}/nothing/next-to-label"), "wrong", StatusCode::UNAUTHORIZED, ""),
        (format!("{app}/nothing/next-to-label"), key, StatusCode::NOT_FOUND, "nothing"),
        (format!("{app}/general-v1.3/next-to-label"), key, StatusCode::UNPROCESSABLE_ENTITY, "no classifier"),
        (format!("{app}/general-v1.3/next-to-label?n=0"), key, StatusCode::BAD_REQUEST, "1 to 200"),
        (format!("{app}/general-v1.3/next-to-label?n=many"), key, StatusCode::BAD_REQUEST, "whole number"),
        (
            "/console/api/v1/users/me/apps/none/models/m/next-to-label".to_owned(),
            key,
            StatusCode::NOT_FOUND,
            "",
        ),
    ];
    for (path, key, expected, says) in table {
        let (status, body) = get(&router, &path, key).await;
        assert_eq!(status, expected, "{path}: {body}");
        assert!(body["title"].as_str().unwrap_or_default().contains(says), "{path}: {body}");
    }
}

#[tokio::test]
async fn the_document_is_open_to_everybody() {
    let test = TestPlatform::new().await;
    let router = ocellus_console::router(test.platform.clone());
    let (status, body) = get(&router, "/console/api/v1/openapi.json", "").await;
    assert_eq!((status, body["openapi"].as_str()), (StatusCode::OK, Some("3.1.0")));
}
