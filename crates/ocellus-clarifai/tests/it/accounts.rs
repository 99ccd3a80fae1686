//! Accounts where a scenario cannot see: codes in letters, and servers whose operator alone makes accounts.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use ocellus_core::testing::TestPlatform;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world;

async fn post(test: &TestPlatform, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::post(path).body(Body::from(body.to_string())).unwrap();
    let response = world::routed(test).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn ada() -> Value {
    json!({"email": "ada@example.org", "password": "correct horse battery"})
}

#[tokio::test]
async fn the_code_from_the_letter_verifies_the_address() {
    for test in TestPlatform::all().await {
        let (status, answer) = post(&test, "/v2/signup", ada()).await;
        assert_eq!(
            (status, &answer["email_addresses"][0]["verified"]),
            (StatusCode::OK, &Value::Bool(false))
        );
        let letter = test.platform.accounts_config().mailer.letters().pop().unwrap();
        assert!(!answer.to_string().contains(&letter.text), "the answer must not give the code away");
        let key = json!({"key": letter.text});
        assert_eq!(post(&test, "/v2/verify_email", key.clone()).await.0, StatusCode::OK);
        assert_eq!(post(&test, "/v2/verify_email", key).await.0, StatusCode::BAD_REQUEST);
        let (_, answer) = post(&test, "/v2/login", ada()).await;
        assert_eq!(answer["email_addresses"][0]["verified"], true);
    }
}

#[tokio::test]
async fn a_closed_server_says_that_signing_up_is_not_permitted() {
    let test = TestPlatform::with(|config| config.accounts.signup_open = false).await;
    let (status, answer) = post(&test, "/v2/signup", ada()).await;
    // The vendor's code and text for it.
    assert_eq!((status, &answer["status"]["code"]), (StatusCode::FORBIDDEN, &json!(46002)));
    assert_eq!(answer["status"]["description"], "Signup not permitted");
    assert_eq!(post(&test, "/v2/login", ada()).await.1["status"]["code"], 11002);
}
