//! The scenario runner: captures, keys, jobs, files, requests sent together, and reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use ocellus_http::scenario::{World, files_in, run_text};
use serde_json::{Value, json};

type Shared = Arc<AtomicU32>;

fn world() -> World {
    let done = Shared::default();
    let router = Router::new()
        .route("/echo/{id}", post(echo))
        .route("/jobs", get(count))
        .route("/first", post(first_only))
        .with_state(done.clone());
    World::new(router).var("api_key", "K1").var("other", "K2").files(env!("CARGO_MANIFEST_DIR")).jobs(
        move || {
            done.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        },
    )
}

async fn echo(Path(id): Path<String>, headers: HeaderMap, body: String) -> Json<Value> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let parsed: Option<Value> = serde_json::from_str(&body).ok();
    let (key, kind) = (text("authorization"), text("content-type"));
    Json(json!({"id": id, "key": key, "kind": kind, "json": parsed, "text": body, "x": text("x-a")}))
}

async fn count(State(done): State<Shared>) -> Json<u32> {
    Json(done.load(Ordering::SeqCst))
}

/// Answers the first caller 200 with the state 100, all later ones 409.
async fn first_only(State(done): State<Shared>) -> (StatusCode, Json<Value>) {
    match done.compare_exchange(0, 100, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => (StatusCode::OK, Json(json!({"made": "it"}))),
        Err(_) => (StatusCode::CONFLICT, Json(json!({"made": null}))),
    }
}

#[tokio::test]
async fn a_scenario_that_fits_passes() {
    let text = r#"# Everything the format offers works.
> POST /echo/a%2Fb {"n": [{"[repeat]": 3, "id": "x[n]"}], "file": "[base64:Cargo.toml]"}
< 200 {"id": "a/b", "key": "Key K1", "kind": "application/json",
       "json": {"n": [{"id": "x0"}, "[...]"], "file": "[starts:W3BhY2thZ2Vd]"}, "text": "[id:sent]"}
> POST /echo/的 ={"broken
>! X-A: {{other}}
< 2xx {"id": "的", "json": null, "text": "{\"broken", "kind": null, "x": "K2", "z": "[absent]"}
@key other
@set name {"deep": [1, "two words"]}
> POST /echo/{{name.deep.1}} {"again": "{{name.deep}}"}
< 200 {"id": "two words", "key": "Key K2", "json": {"again": [1, "two words"]}}
@key none
@header x-a: sticky
> POST /echo/{{sent}}
< * {"key": null, "id": "{{sent}}", "x": "sticky"}
jobs
jobs
> GET /jobs
< 200 2
"#;
    run_text(&world(), "all", text).await.unwrap();
}

#[tokio::test]
async fn requests_sent_together_may_be_answered_in_any_order() {
    let text = "# One of three writers wins.\n> POST /first\n> POST /first\n> POST /first\n\
                < 409\n< 200 {\"made\": \"[keep:what]\"}\n< 409\n> POST /echo/{{what}}\n< 200 {\"id\": \"it\"}\n";
    run_text(&world(), "race", text).await.unwrap();
    let wrong = text.replacen("< 409", "< 200", 1);
    let report = run_text(&world(), "race", &wrong).await.unwrap_err();
    assert!(report.starts_with("race:5: requests sent together"), "{report}");
    assert_eq!(report.matches("answer: 409").count(), 2, "{report}");
}

#[tokio::test]
async fn a_report_names_file_line_place_and_both_values() {
    let text = "# This one does not fit.\n\n> POST /echo/a {\"k\": 1}\n< 200 {\"json\": {\"k\": 2}, \"id\": \"[int]\"}\n";
    let report = run_text(&world(), "some/file.txt", text).await.unwrap_err();
    let head = "some/file.txt:4: POST /echo/a\n  at json.k: expected 2, got 1\n  at id: expected [int], got \"a\"\n  answer: 200 {";
    assert!(report.starts_with(head), "{report}");
}

#[test]
fn the_files_of_a_folder_come_in_order_and_a_missing_folder_is_an_error() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(files_in(dir).unwrap().is_empty());
    assert!(files_in(&dir.join("nowhere")).is_err());
}
