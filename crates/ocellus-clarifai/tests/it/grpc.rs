//! The gRPC and grpc-web transports, spoken by hand: frames and trailers as the official clients see them.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use ocellus_clarifai_proto::pb;
use ocellus_core::testing::TestPlatform;
use ocellus_core::usage::UsageConfig;
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
async fn a_call_beyond_a_quota_says_over_grpc_too_when_to_come_back() {
    let quotas = UsageConfig::read(&[], &[], &["calls 1/hour".to_owned()]).unwrap();
    let test = TestPlatform::with(|platform| platform.usage = quotas).await;
    let request = frame(&pb::ListConceptsRequest::default());
    let path = "/clarifai.api.V2/ListConcepts";
    let router = world::routed(&test);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = Request::post(path)
            .header("content-type", "application/grpc")
            .header("authorization", format!("Key {}", test.first.api_key))
            .body(Body::from(request.clone()))
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let retry_after = response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let message = pb::MultiConceptResponse::decode(&body[5..]).unwrap();
        answers.push((message.status.unwrap().code, retry_after));
    }
    assert_eq!(answers, [(10000, None), (11003, Some("3601".to_owned()))]);
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
    for rpc in ["PostPipelines", "NoSuchRpc", "StreamLivestreamAnnotations"] {
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

/// An annotation of one frame of the input `v`, forty milliseconds a frame.
fn annotation(id: &str, number: u32, model: &str, value: f32) -> pb::Annotation {
    let concepts = vec![pb::Concept { id: "car".to_owned(), value, ..Default::default() }];
    let info = pb::FrameInfo { number, time: u64::from(number) * 40, ..Default::default() };
    let data = pb::Data { concepts, ..Default::default() };
    let frame = pb::Frame { frame_info: Some(info), data: Some(data), ..Default::default() };
    pb::Annotation {
        id: id.to_owned(),
        input_id: "v".to_owned(),
        model_version_id: model.to_owned(),
        data: Some(pb::Data { frames: vec![frame], ..Default::default() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_annotations_of_frames_come_as_a_stream() {
    let test = TestPlatform::new().await;
    let key = test.first.api_key.as_str();
    let video = pb::Video { url: "http://127.0.0.1:1/clip.mp4".to_owned(), ..Default::default() };
    let data = pb::Data { video: Some(video), ..Default::default() };
    let input = pb::Input { id: "v".to_owned(), data: Some(data), ..Default::default() };
    let request = pb::PostInputsRequest { inputs: vec![input], ..Default::default() };
    call(&test, "/clarifai.api.V2/PostInputs", key, &request).await;
    // More frames than are read at once, and two annotations of the first.
    let many = (2..=90).map(|n| annotation(&format!("n{n:02}"), n, "", 1.0));
    let annotations = vec![annotation("a", 1, "", 1.0), annotation("b", 1, "m", 0.3)];
    let request = pb::PostAnnotationsRequest {
        annotations: annotations.into_iter().chain(many).collect(),
        ..Default::default()
    };
    call(&test, "/clarifai.api.V2/PostAnnotations", key, &request).await;
    let stream = async |request: pb::StreamAnnotationsRequest| {
        let path = "/clarifai.api.V2/StreamAnnotations";
        let response = send(&test, path, "application/grpc", key, frame(&request)).await;
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        let (mut rest, mut found) = (&body.to_bytes()[..], Vec::new());
        while let Some((head, tail)) = rest.split_at_checked(5) {
            let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
            found.push(pb::SingleStreamAnnotationResponse::decode(&tail[..length]).unwrap());
            rest = &tail[length..];
        }
        found
    };
    let of = |id: &str| pb::StreamAnnotationsRequest { input_id: id.to_owned(), ..Default::default() };
    let all = stream(of("v")).await;
    assert_eq!(all.len(), 91);
    let names: Vec<&str> = all.iter().filter_map(|one| Some(one.annotation.as_ref()?.id.as_str())).collect();
    assert_eq!((&names[..3], names[90]), (&["a", "b", "n02"][..], "n90"));
    let done: Vec<bool> = all.iter().take(3).map(|one| one.frame_fully_processed).collect();
    assert_eq!(done, [false, true, true]);
    assert_eq!(all[0].status.as_ref().unwrap().code, 10000);
    let sure =
        stream(pb::StreamAnnotationsRequest { min_prediction_score: 0.5, max_frames: 1, ..of("v") }).await;
    assert_eq!(sure.len(), 2, "the second says that the frame is complete");
    assert!(sure[1].annotation.is_none() && sure[1].frame_fully_processed);
    let few =
        stream(pb::StreamAnnotationsRequest { max_duration: 80, frame_time_start: 80, ..of("v") }).await;
    assert_eq!(few.len(), 2);
    for (request, code) in [
        (of("none"), 11101),
        (pb::StreamAnnotationsRequest { max_frames: 4_000, ..of("v") }, 11102),
        (pb::StreamAnnotationsRequest { min_prediction_score: 2.0, ..of("v") }, 11102),
    ] {
        let found = stream(request).await;
        assert_eq!((found.len(), found[0].status.as_ref().unwrap().code), (1, code));
    }
}
