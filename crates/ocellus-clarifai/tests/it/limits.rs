//! Limits and addresses from the configuration.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use ocellus_clarifai::{ClarifaiConfig, router};
use ocellus_core::testing::TestPlatform;
use serde_json::Value;
use tower::ServiceExt;

async fn post(test: &TestPlatform, config: ClarifaiConfig, body: String) -> (StatusCode, Value) {
    let request = Request::post("/v2/inputs")
        .header("authorization", format!("Key {}", test.first.api_key))
        .body(Body::from(body))
        .unwrap();
    let response = router(test.platform.clone(), config).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn upload(n_digits: usize) -> String {
    // Four base64 digits stand for three bytes.
    format!(r#"{{"inputs":[{{"id":"a","data":{{"image":{{"base64":"{}"}}}}}}]}}"#, "A".repeat(n_digits))
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_in_the_vendors_form() {
    let test = TestPlatform::new().await;
    let config = ClarifaiConfig { max_body_bytes: 1000, ..ClarifaiConfig::default() };
    let (status, body) = post(&test, config.clone(), upload(1000)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(body["status"]["code"], 40033);
    assert_eq!(body["inputs"], Value::Array(Vec::new()));
    let (status, _) = post(&test, config, upload(800)).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_of_eight_megabytes_is_let_in() {
    let test = TestPlatform::new().await;
    let (status, body) = post(&test, ClarifaiConfig::default(), upload(8 << 20)).await;
    assert_eq!((status, &body["status"]["code"]), (StatusCode::OK, &Value::from(10000)));
}

#[tokio::test]
async fn links_begin_with_the_configured_address() {
    let test = TestPlatform::new().await;
    let public_url = Some("https://images.example.org/".to_owned());
    let config = ClarifaiConfig { public_url, ..ClarifaiConfig::default() };
    let (_, body) = post(&test, config, upload(8)).await;
    let image = &body["inputs"][0]["data"]["image"];
    let url = image["url"].as_str().unwrap();
    assert!(url.starts_with("https://images.example.org/hosted/orig/"), "{url}");
    assert_eq!(image["hosted"]["prefix"], "https://images.example.org/hosted");
}
