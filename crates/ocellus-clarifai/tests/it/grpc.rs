//! The gRPC and grpc-web transports, spoken by hand: frames and trailers as the official clients see them.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use ocellus_clarifai_proto::pb;
use ocellus_core::testing::TestPlatform;
use prost::Message;
use tower::ServiceExt;

use crate::world;

pub struct Answer {
    pub message: Vec<u8>,
    pub grpc_status: String,
}

pub fn frame(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let mut out = vec![0];
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&bytes);
    out
}

async fn send(
    test: &TestPlatform,
    path: &str,
    content_type: &str,
    key: &str,
    body: Vec<u8>,
) -> axum::response::Response {
    let request = Request::post(path)
        .header("content-type", content_type)
        .header("te", "trailers")
        .header("authorization", format!("Key {key}"))
        .body(Body::from(body))
        .unwrap();
    world::routed(test).oneshot(request).await.unwrap()
}

pub async fn call(test: &TestPlatform, path: &str, key: &str, request: &impl Message) -> Answer {
    let response = send(test, path, "application/grpc", key, frame(request)).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or(headers);
    let bytes = body.to_bytes();
    Answer {
        message: bytes.get(5..).unwrap_or_default().to_vec(),
        grpc_status: trailers["grpc-status"].to_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn a_call_over_grpc_answers_as_over_rest() {
    let test = TestPlatform::new().await;
    let request = pb::PostConceptsRequest {
        concepts: vec![pb::Concept { id: "dog".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    let answer = call(&test, "/clarifai.api.V2/PostConcepts", &test.first.api_key, &request).await;
    assert_eq!(answer.grpc_status, "0");
    let made = pb::MultiConceptResponse::decode(&answer.message[..]).unwrap();
    assert_eq!(made.status.unwrap().code, 10000);
    assert_eq!(made.concepts[0].id, "dog");
}

#[tokio::test]
async fn an_api_error_over_grpc_is_an_ok_call_with_its_status_set() {
    let test = TestPlatform::new().await;
    let request = pb::GetModelRequest { model_id: "nobody".to_owned(), ..Default::default() };
    for (key, code) in [(test.first.api_key.as_str(), 11101), ("nonsense", 11008)] {
        let answer = call(&test, "/clarifai.api.V2/GetModel", key, &request).await;
        assert_eq!(answer.grpc_status, "0");
        let failed = pb::SingleModelResponse::decode(&answer.message[..]).unwrap();
        let status = failed.status.unwrap();
        assert_eq!(status.code, code);
        assert_eq!(status.req_id.len(), 32);
    }
}

#[tokio::test]
async fn a_message_of_eight_megabytes_is_let_in() {
    let test = TestPlatform::new().await;
    let image = pb::Image { base64: vec![7; 8 << 20].into(), ..Default::default() };
    let data = pb::Data { image: Some(image), ..Default::default() };
    let input = pb::Input { id: "a".to_owned(), data: Some(data), ..Default::default() };
    let request = pb::PostInputsRequest { inputs: vec![input], ..Default::default() };
    let answer = call(&test, "/clarifai.api.V2/PostInputs", &test.first.api_key, &request).await;
    let made = pb::MultiInputResponse::decode(&answer.message[..]).unwrap();
    assert_eq!(made.status.unwrap().code, 10000);
}

#[tokio::test]
async fn an_rpc_that_is_not_built_is_unimplemented_and_health_is_serving() {
    let test = TestPlatform::new().await;
    let nothing = pb::GetHealthzRequest {};
    for rpc in ["PostWorkflows", "NoSuchRpc", "StreamModelOutputs"] {
        let answer = call(&test, &format!("/clarifai.api.V2/{rpc}"), &test.first.api_key, &nothing).await;
        assert_eq!(answer.grpc_status, "12", "{rpc}");
    }
    let answer = call(&test, "/grpc.health.v1.Health/Check", "", &nothing).await;
    assert_eq!((answer.grpc_status.as_str(), &answer.message[..]), ("0", &[8, 1][..]));
}

#[tokio::test]
async fn a_browser_gets_its_trailers_in_the_body() {
    let test = TestPlatform::new().await;
    let request = frame(&pb::ListStatusCodesRequest {});
    for (content_type, text) in [("application/grpc-web+proto", false), ("application/grpc-web-text", true)] {
        let body = if text { STANDARD.encode(&request).into_bytes() } else { request.clone() };
        let response = send(&test, "/clarifai.api.V2/ListStatusCodes", content_type, "", body).await;
        assert_eq!(response.headers()["content-type"], content_type);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = if text { STANDARD.decode(body).unwrap() } else { body.to_vec() };
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
        let answer = pb::MultiStatusCodeResponse::decode(&body[5..5 + length]).unwrap();
        assert!(answer.statuses.len() > 400);
        let trailers = &body[5 + length..];
        assert_eq!(trailers[0], 0x80);
        assert!(String::from_utf8_lossy(&trailers[5..]).contains("grpc-status:0\r\n"));
    }
}

#[tokio::test]
async fn a_concept_without_a_value_is_0_over_grpc_and_1_over_json() {
    let test = TestPlatform::new().await;
    let pixel = STANDARD.decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==").unwrap();
    let image = pb::Image { base64: pixel.into(), ..Default::default() };
    let concepts = vec![pb::Concept { id: "dog".to_owned(), ..Default::default() }];
    let data = pb::Data { image: Some(image), concepts, ..Default::default() };
    let request = pb::PostInputsRequest {
        inputs: vec![pb::Input { id: "a".to_owned(), data: Some(data), ..Default::default() }],
        ..Default::default()
    };
    let answer = call(&test, "/clarifai.api.V2/PostInputs", &test.first.api_key, &request).await;
    let made = pb::MultiInputResponse::decode(&answer.message[..]).unwrap();
    assert_eq!(made.inputs[0].data.as_ref().unwrap().concepts[0].value, 0.0);
}
