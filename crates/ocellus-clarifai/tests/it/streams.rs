//! Streams over gRPC are counted and held by quotas like other calls.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use ocellus_clarifai_proto::pb;
use ocellus_core::testing::TestPlatform;
use ocellus_core::usage::{self, UsageConfig};
use prost::Message;
use tower::ServiceExt;

use crate::grpc::{call, frame};
use crate::world;

/// The codes of the answers of a stream with one request.
async fn stream(test: &TestPlatform, input_id: &str) -> Vec<i32> {
    let asked = pb::StreamAnnotationsRequest { input_id: input_id.to_owned(), ..Default::default() };
    let request = Request::post("/clarifai.api.V2/StreamAnnotations")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Key {}", test.first.api_key))
        .body(Body::from(frame(&asked)))
        .unwrap();
    let response = world::routed(test).oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let (mut rest, mut codes) = (&body[..], Vec::new());
    while let Some((head, tail)) = rest.split_at_checked(5) {
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let answer = pb::SingleStreamAnnotationResponse::decode(&tail[..length]).unwrap();
        codes.push(answer.status.unwrap().code);
        rest = &tail[length..];
    }
    codes
}

async fn counted(test: &TestPlatform) -> Vec<(String, i64)> {
    let history = usage::history(&test.account().await, None).await.unwrap();
    let of = |series: &usage::Series| (series.used.operation.clone(), series.n_operations.iter().sum());
    history.series.iter().map(of).collect()
}

#[tokio::test]
async fn a_stream_is_one_call_if_it_works_and_refused_beyond_a_quota() {
    let quotas = UsageConfig::read(&[], &[], &["calls 3/day".to_owned()]).unwrap();
    let test = TestPlatform::with(|platform| platform.usage = quotas).await;
    let video = pb::Video { url: "http://127.0.0.1:1/clip.mp4".to_owned(), ..Default::default() };
    let data = pb::Data { video: Some(video), ..Default::default() };
    let input = pb::Input { id: "v".to_owned(), data: Some(data), ..Default::default() };
    let request = pb::PostInputsRequest { inputs: vec![input], ..Default::default() };
    call(&test, "/clarifai.api.V2/PostInputs", &test.first.api_key, &request).await;
    // What fails gives back what it took.
    for _ in 0..4 {
        assert_eq!(stream(&test, "none").await, [11101]);
    }
    // Nothing was said of the video yet: the stream ends without an answer, and has worked.
    assert!(stream(&test, "v").await.is_empty());
    let frame_info = Some(pb::FrameInfo { number: 1, time: 40, ..Default::default() });
    let concepts = vec![pb::Concept { id: "car".to_owned(), value: 1.0, ..Default::default() }];
    let data = Some(pb::Data { concepts, ..Default::default() });
    let frames = vec![pb::Frame { frame_info, data, ..Default::default() }];
    let data = Some(pb::Data { frames, ..Default::default() });
    let annotation = pb::Annotation { input_id: "v".to_owned(), data, ..Default::default() };
    let request = pb::PostAnnotationsRequest { annotations: vec![annotation], ..Default::default() };
    call(&test, "/clarifai.api.V2/PostAnnotations", &test.first.api_key, &request).await;
    assert_eq!(stream(&test, "v").await, [11006]);
    test.clock.advance_us(24 * 3_600_000_000);
    assert_eq!(stream(&test, "v").await, [10000]);
    let of_streams: i64 = counted(&test)
        .await
        .into_iter()
        .filter(|(name, _)| name == "StreamAnnotations")
        .map(|(_, n)| n)
        .sum();
    assert_eq!(of_streams, 2);
}
