//! Archives of datasets in the vendor's own formats, read as the vendor's client reads them.

use std::io::Read;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use ocellus_clarifai_proto::pb::InputBatch;
use ocellus_core::testing::{TestPlatform, cache_dir};
use ocellus_interchange::{Files, Limits, ZipFiles};
use prost::Message;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world;

const HOST: &str = "http://images.example:81";

async fn send(test: &TestPlatform, request: Request<Body>) -> (StatusCode, String, Bytes) {
    let response = world::routed(test).oneshot(request).await.unwrap();
    let kind =
        response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    (response.status(), kind, response.into_body().collect().await.unwrap().to_bytes())
}

async fn call(test: &TestPlatform, method: &str, path: &str, body: Value) -> Value {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Key {}", test.first.api_key))
        .header("host", "images.example:81")
        .body(Body::from(body.to_string()))
        .unwrap();
    let (status, _, bytes) = send(test, request).await;
    assert!(status.is_success(), "{method} {path}: {}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap()
}

async fn fetch(test: &TestPlatform, url: &str) -> (StatusCode, String, Bytes) {
    let path = url.strip_prefix(HOST).unwrap();
    send(test, Request::get(path).body(Body::empty()).unwrap()).await
}

/// Exports a dataset of one photograph and gives the archive's files.
async fn archive(test: &TestPlatform, format: &str) -> ZipFiles {
    let exports = json!({"exports": [{"format": format}]});
    call(test, "PUT", "/v2/datasets/d/versions/v/exports", exports.clone()).await;
    test.settle().await;
    let answer = call(test, "PUT", "/v2/datasets/d/versions/v/exports", exports).await;
    let url = answer["exports"][0]["url"].as_str().unwrap();
    let (status, kind, bytes) = fetch(test, url).await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/zip"));
    ZipFiles::open(Arc::new(bytes.to_vec()), Limits::default()).unwrap()
}

fn content(files: &ZipFiles, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    files.open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

async fn filled() -> TestPlatform {
    use base64::Engine;
    let test = TestPlatform::new().await;
    let photo = std::fs::read(cache_dir().join("photos/robin.jpg")).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD.encode(photo);
    call(&test, "POST", "/v2/datasets", json!({"datasets": [{"id": "d"}]})).await;
    let data = json!({"image": {"base64": base64}, "concepts": [{"id": "bird", "name": "Bird"}], "metadata": {"k": "v"}});
    call(&test, "POST", "/v2/inputs", json!({"inputs": [{"id": "a/b", "dataset_ids": ["d"], "data": data}]}))
        .await;
    test.settle().await;
    call(&test, "POST", "/v2/datasets/d/versions", json!({"dataset_versions": [{"id": "v"}]})).await;
    test.settle().await;
    test
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_binary_archive_holds_batches_of_inputs_whose_pictures_can_be_fetched() {
    let test = filled().await;
    let files = archive(&test, "CLARIFAI_DATA_PROTOBUF").await;
    assert_eq!(content(&files, "mimetype"), b"application/x.clarifai-data+protobuf");
    let names: Vec<&str> =
        files.entries().iter().map(|entry| entry.path.as_str()).filter(|path| *path != "mimetype").collect();
    let n_inputs: usize =
        names.iter().map(|name| name.rsplit("_n").next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(n_inputs, 1);
    let batch = InputBatch::decode(content(&files, names[0]).as_slice()).unwrap();
    let input = &batch.inputs[0];
    let data = input.data.as_ref().unwrap();
    assert_eq!((input.id.as_str(), data.concepts[0].name.as_str()), ("a/b", "Bird"));
    assert_eq!(input.dataset_ids, ["d"]);
    let hosted = data.image.as_ref().unwrap().hosted.as_ref().unwrap();
    let (status, _, bytes) = fetch(&test, &format!("{}/orig/{}", hosted.prefix, hosted.suffix)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(bytes, std::fs::read(cache_dir().join("photos/robin.jpg")).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_json_archive_says_the_same_in_the_vendors_json() {
    let test = filled().await;
    let files = archive(&test, "CLARIFAI_DATA_JSON").await;
    assert_eq!(content(&files, "mimetype"), b"application/x.clarifai-data+json");
    let batch: Value = serde_json::from_slice(&content(&files, "all/00000000_n1")).unwrap();
    let input = &batch["inputs"][0];
    assert_eq!(input["id"], "a/b");
    assert_eq!(input["data"]["concepts"][0]["id"], "bird");
    assert_eq!(input["data"]["metadata"]["k"], "v");
}
