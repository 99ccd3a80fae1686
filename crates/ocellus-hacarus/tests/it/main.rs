//! Runs the scenarios of this dialect, each on a fresh platform, and checks that every route of its table is mounted.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use ocellus_core::testing::TestPlatform;
use ocellus_http::scenario::{World, files_in, run_file};
use ocellus_http::{HttpConfig, wrap};
use tower::ServiceExt as _;

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/hacarus")
}

fn router(test: &TestPlatform) -> Router {
    wrap(ocellus_hacarus::router(test.platform.clone()), &HttpConfig { max_body_bytes: 1 << 20 })
}

#[tokio::test]
async fn every_scenario_holds() {
    let files = files_in(&scenarios()).unwrap();
    assert!(!files.is_empty());
    for file in files {
        for test in TestPlatform::all().await {
            let first = test.first.clone();
            let world = World::new(router(&test))
                .var("pat", first.pat)
                .var("account_id", first.account_id)
                .var("client_id", first.client_id)
                .var("client_secret", first.client_secret);
            run_file(&world, &file).await.unwrap_or_else(|report| panic!("{report}"));
        }
    }
}

#[tokio::test]
async fn every_route_of_the_table_is_mounted_and_guarded() {
    let test = TestPlatform::new().await;
    let open = ["/api/auth/token"];
    for route in ocellus_hacarus::routes() {
        let path = route.path.replace(['{', '}'], "");
        let request =
            Request::builder().method(route.method.as_str()).uri(&path).body(Body::empty()).unwrap();
        let status = router(&test).oneshot(request).await.unwrap().status();
        let expected =
            if open.contains(&path.as_str()) { StatusCode::BAD_REQUEST } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, expected, "{} {path}", route.method);
    }
}
