//! Scenarios, each on a fresh platform.

use std::path::Path;

use axum::Router;
use ocellus_core::testing::{TestPlatform, cache_dir};
use ocellus_http::scenario::{World, files_in, run_file};
use ocellus_http::{HttpConfig, wrap};

pub fn router(test: &TestPlatform) -> Router {
    let max_body_bytes = 1 << 24;
    wrap(ocellus_inference::router(test.platform.clone(), max_body_bytes), &HttpConfig { max_body_bytes })
}

/// Not a test by itself: the process that runs a model, when a test of this program starts it.
#[test]
fn the_worker_of_models() {
    ocellus_core::testing::model_worker();
}

#[tokio::test]
async fn every_scenario_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/inference");
    let files = files_in(&folder).unwrap();
    assert!(!files.is_empty());
    for file in files {
        for test in TestPlatform::all().await {
            let first = test.first.clone();
            test.own_colours().await;
            let world = World::new(router(&test))
                .var("api_key", first.api_key)
                .var("pat", first.pat)
                .var("app_id", first.app_id)
                .files(cache_dir().join("photos"));
            run_file(&world, &file).await.unwrap_or_else(|report| panic!("{report}"));
        }
    }
}
