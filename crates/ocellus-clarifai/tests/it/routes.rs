//! Every route of the proto leads to its RPC, and the table of what is built is sound.

use std::collections::HashSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use ocellus_clarifai::{not_implemented, routes};
use ocellus_core::testing::TestPlatform;
use tower::ServiceExt;

use crate::world;

/// What is built, but not over REST.
const STREAMS: [&str; 5] = [
    "GenerateModelOutputs",
    "PostModelVersionsUpload",
    "ProcessRunnerItems",
    "StreamAnnotations",
    "StreamModelOutputs",
];

#[tokio::test]
async fn every_binding_of_the_proto_leads_to_its_rpc() {
    let test = TestPlatform::new().await;
    let router = world::routed(&test);
    let missing: HashSet<String> = not_implemented().into_iter().collect();
    let mut n_not_built = 0;
    for route in routes() {
        // A variable may hold anything; a slash must come escaped.
        let path: String = route
            .path
            .split('/')
            .map(|s| if s.starts_with('{') { "x%2Fy" } else { s })
            .collect::<Vec<_>>()
            .join("/");
        let request = Request::builder()
            .method(route.method.as_str())
            .uri(&path)
            .header("authorization", format!("Key {}", test.first.pat))
            .body(Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{} {path}", route.method);
        if !route.implemented {
            // What is built but not over REST streams in both directions, or frame by frame.
            let is_stream = STREAMS.contains(&route.rpc.as_str());
            assert!(is_stream != missing.contains(&route.rpc), "{}", route.rpc);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&body);
            assert_eq!(status, StatusCode::NOT_IMPLEMENTED, "{} {path}: {text}", route.method);
            let why = if is_stream { "a stream" } else { "not implemented" };
            assert!(text.contains(&format!("{} is {why}", route.rpc)), "{} {path}: {text}", route.method);
            n_not_built += 1;
        } else {
            assert_ne!(status, StatusCode::NOT_IMPLEMENTED, "{} {path}", route.method);
        }
    }
    assert!(n_not_built > 0, "the check above ran");
}

#[test]
fn what_is_built_and_what_is_not_make_up_the_whole_service() {
    let missing = not_implemented();
    assert!(!missing.iter().any(|rpc| rpc == "PostModelOutputs"));
    assert!(missing.iter().any(|rpc| rpc == "PostPipelines"));
    let rpcs: HashSet<String> = routes().into_iter().map(|route| route.rpc).collect();
    assert!(rpcs.len() > 270, "{}", rpcs.len());
}
