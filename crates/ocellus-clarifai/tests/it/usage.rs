//! Usage over the real service: every call is counted once, and exactly as many get through as a quota allows.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use ocellus_core::testing::{TestPlatform, cache_dir};
use ocellus_core::usage::UsageConfig;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world;

const COLOR: &str = "/v2/models/eeed0b6733a644cea07cf4c60f87ebb7/outputs";

struct Answer {
    http: StatusCode,
    retry_after: Option<String>,
    body: Value,
}

impl Answer {
    fn code(&self) -> i64 {
        self.body["status"]["code"].as_i64().unwrap()
    }
}

async fn call(router: Router, method: &str, path: &str, key: &str, body: Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Key {key}"))
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let http = response.status();
    let retry_after = response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { http, retry_after, body: serde_json::from_slice(&body).unwrap() }
}

fn outputs(n_images: usize) -> Value {
    let image = STANDARD.encode(std::fs::read(cache_dir().join("photos/dog.png")).unwrap());
    json!({"inputs": vec![json!({"data": {"image": {"base64": image}}}); n_images]})
}

/// Operations by operation, as the service tells its owner.
async fn counted(router: Router, pat: &str) -> BTreeMap<String, i64> {
    let answer = call(router, "POST", "/v2/users/me/historical_usage", pat, json!({})).await;
    let mut counts = BTreeMap::new();
    for series in answer.body["usage"].as_array().into_iter().flatten() {
        let operation = series["dimension"]["operation"].as_str().unwrap().to_owned();
        let days = series["int_value_list"].as_array().unwrap();
        let n: i64 = days.iter().map(|n| n.as_str().unwrap().parse::<i64>().unwrap()).sum();
        *counts.entry(operation).or_default() += n;
    }
    counts
}

/// One of the mixed calls: what it is, what to send, and the name and number of what it counts as, if it works.
fn mixed(i: usize) -> (&'static str, String, Value, &'static str, i64) {
    match i % 8 {
        0 | 1 => ("GET", "/v2/concepts".to_owned(), json!({}), "ListConcepts", 1),
        2 => {
            let concept = json!({"concepts": [{"id": format!("c{i}")}, {"id": format!("d{i}")}]});
            ("POST", "/v2/concepts".to_owned(), concept, "PostConcepts", 1)
        }
        3 => ("GET", format!("/v2/inputs/missing{i}"), json!({}), "", 0),
        4 => ("POST", "/v2/concepts".to_owned(), json!({"concepts": "nonsense"}), "", 0),
        5 => ("GET", "/v2/inputs/status".to_owned(), json!({}), "GetInputCount", 1),
        6 => ("POST", "/v2/concepts/searches".to_owned(), json!({}), "PostConceptsSearches", 1),
        _ => {
            let inputs = json!({"inputs": [{"id": format!("i{i}"), "data": {"image": {"base64": "YWJj"}}},
                {"id": format!("j{i}"), "data": {"image": {"base64": "YWJj"}}}]});
            ("POST", "/v2/inputs".to_owned(), inputs, "PostInputs", 2)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_mixed_calls_are_counted_as_often_as_they_worked() {
    const N_CALLERS: usize = 20;
    const N_CALLS: usize = 50;
    for test in TestPlatform::all().await {
        let router = world::routed(&test);
        let mut callers = Vec::new();
        for caller in 0..N_CALLERS {
            let (router, key) = (router.clone(), test.first.api_key.clone());
            callers.push(tokio::spawn(async move {
                let mut worked = Vec::new();
                for i in caller * N_CALLS..(caller + 1) * N_CALLS {
                    let (method, path, body, operation, n_operations) = mixed(i);
                    let answer = call(router.clone(), method, &path, &key, body).await;
                    assert_eq!(answer.code() == 10000, n_operations > 0, "{path}: {}", answer.body);
                    worked.push((operation, n_operations));
                }
                worked
            }));
        }
        let mut expected = BTreeMap::new();
        for caller in callers {
            for (operation, n_operations) in caller.await.unwrap().into_iter().filter(|(_, n)| *n > 0) {
                *expected.entry(operation.to_owned()).or_default() += n_operations;
            }
        }
        assert_eq!(counted(router, &test.first.pat).await, expected);
        let again = ocellus_clarifai::router(test.another(), Default::default());
        let mut after = counted(again, &test.first.pat).await;
        assert_eq!(after.remove("PostHistoricalUsage"), Some(1));
        assert_eq!(after, expected);
    }
}

async fn limited(quotas: &[&str]) -> TestPlatform {
    let quotas: Vec<String> = quotas.iter().map(|quota| (*quota).to_owned()).collect();
    let config = UsageConfig::read(&[], &[], &quotas).unwrap();
    TestPlatform::with(|platform| platform.usage = config).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_callers_at_once_exactly_ten_get_the_ten_predictions_there_are() {
    let test = limited(&["predict 10/month"]).await;
    let router = world::routed(&test);
    let body = outputs(1);
    let mut callers = Vec::new();
    for _ in 0..50 {
        let (router, key, body) = (router.clone(), test.first.api_key.clone(), body.clone());
        callers.push(tokio::spawn(async move { call(router, "POST", COLOR, &key, body).await }));
    }
    let mut n_good = 0;
    for caller in callers {
        let answer = caller.await.unwrap();
        if answer.http == StatusCode::OK {
            n_good += 1;
            continue;
        }
        assert_eq!((answer.http, answer.code()), (StatusCode::TOO_MANY_REQUESTS, 11004));
        // The tests' clock stands at the first moment of a January.
        assert_eq!(answer.retry_after.as_deref(), Some("2678401"));
        assert!(answer.body["status"]["details"].as_str().unwrap().starts_with("exceeded limit of 10"));
    }
    assert_eq!(n_good, 10);
    assert_eq!(counted(router, &test.first.pat).await["PostModelOutputs"], 10);
}

#[tokio::test]
async fn the_call_that_crosses_the_line_is_the_first_one_refused() {
    let test = limited(&["predict 5/day", "calls 5/hour"]).await;
    let (key, pat) = (&test.first.api_key, &test.first.pat);
    let router = world::routed(&test);
    let post = |n| call(router.clone(), "POST", COLOR, key, outputs(n));
    assert_eq!(post(3).await.code(), 10000);
    assert_eq!(post(3).await.code(), 11006);
    assert_eq!(post(2).await.code(), 10000);
    // What a failing call took is given back.
    let list = |path: &'static str| call(router.clone(), "GET", path, key, json!({}));
    for _ in 0..5 {
        assert_eq!(list("/v2/inputs/missing").await.code(), 11101);
    }
    for _ in 0..3 {
        assert_eq!(list("/v2/concepts").await.code(), 10000);
    }
    let refused = list("/v2/concepts").await;
    assert_eq!((refused.http, refused.code()), (StatusCode::TOO_MANY_REQUESTS, 11003));
    assert_eq!(refused.retry_after.as_deref(), Some("3601"));
    // To see why, one may look.
    let usage = call(router.clone(), "GET", "/v2/users/me/realtime_usage", pat, json!({})).await;
    assert_eq!(usage.body["realtime_usage"][0]["count"], "5");
    test.clock.advance_us(3_600_000_000);
    assert_eq!(list("/v2/concepts").await.code(), 10000);
}
