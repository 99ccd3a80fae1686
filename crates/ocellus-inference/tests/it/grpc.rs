//! Messages over gRPC, with frames by hand.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use ocellus_core::testing::{TestPlatform, cache_dir};
use prost::Message;
use tower::ServiceExt as _;

use crate::rest::router;

#[expect(clippy::all, reason = "generated, and not all of it is asked for")]
mod pb {
    include!(concat!(env!("OUT_DIR"), "/inference.rs"));
}

use pb::model_infer_request::InferInputTensor;

fn frame(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let mut out = vec![0];
    out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend(bytes);
    out
}

/// The gRPC status and, if there was one, the answer.
async fn call<A: Message + Default>(
    test: &TestPlatform,
    rpc: &str,
    key: &str,
    request: &impl Message,
) -> (String, A) {
    let request = Request::post(format!("/inference.GRPCInferenceService/{rpc}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Key {key}"))
        .body(Body::from(frame(request)))
        .unwrap();
    let response = router(test).oneshot(request).await.unwrap();
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or(headers);
    let bytes = body.to_bytes();
    let answer = A::decode(bytes.get(5..).unwrap_or_default()).unwrap();
    (trailers["grpc-status"].to_str().unwrap().to_owned(), answer)
}

#[tokio::test]
async fn a_server_says_that_it_lives_to_everybody_and_a_model_that_it_is_ready_to_its_users() {
    let test = TestPlatform::new().await;
    let (status, live): (_, pb::ServerLiveResponse) =
        call(&test, "ServerLive", "", &pb::ServerLiveRequest {}).await;
    assert_eq!((status.as_str(), live.live), ("0", true));
    let (_, ready): (_, pb::ServerReadyResponse) =
        call(&test, "ServerReady", "", &pb::ServerReadyRequest {}).await;
    assert!(ready.ready);
    let ask = pb::ModelReadyRequest { name: "general-v1.3".to_owned(), version: String::new() };
    for (key, expected) in [(test.first.api_key.as_str(), "0"), ("nonsense", "16")] {
        let (status, _): (_, pb::ModelReadyResponse) = call(&test, "ModelReady", key, &ask).await;
        assert_eq!(status, expected, "{key}");
    }
    let none = pb::ModelReadyRequest { name: "nobody".to_owned(), version: String::new() };
    let (status, _): (_, pb::ModelReadyResponse) =
        call(&test, "ModelReady", &test.first.api_key, &none).await;
    assert_eq!(status, "5");
}

#[tokio::test]
async fn a_server_and_a_model_say_what_they_are() {
    let test = TestPlatform::new().await;
    test.own_colours().await;
    let key = test.first.api_key.as_str();
    let (_, server): (_, pb::ServerMetadataResponse) =
        call(&test, "ServerMetadata", key, &pb::ServerMetadataRequest {}).await;
    assert_eq!(server.name, "ocellus");
    let ask = pb::ModelMetadataRequest { name: "colours".to_owned(), version: String::new() };
    let (status, model): (_, pb::ModelMetadataResponse) = call(&test, "ModelMetadata", key, &ask).await;
    assert_eq!(status, "0");
    let names = |all: &[pb::model_metadata_response::TensorMetadata]| {
        all.iter().map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    // Pictures in files, or what the network itself takes.
    assert_eq!(names(&model.inputs), ["image", "image"]);
    assert_eq!(names(&model.outputs), ["concept_ids", "probabilities", "feature", "logits"]);
}

#[tokio::test]
async fn a_photograph_and_raw_numbers_are_answered() {
    let test = TestPlatform::new().await;
    test.own_colours().await;
    let photo = std::fs::read(cache_dir().join("photos/dog.png")).unwrap();
    let image = InferInputTensor {
        name: "image".to_owned(),
        datatype: "BYTES".to_owned(),
        shape: vec![1],
        contents: Some(pb::InferTensorContents { bytes_contents: vec![photo.into()], ..Default::default() }),
        ..Default::default()
    };
    let ask = pb::ModelInferRequest {
        model_name: "general-v1.3".to_owned(),
        id: "7".to_owned(),
        inputs: vec![image],
        ..Default::default()
    };
    let (status, said): (_, pb::ModelInferResponse) =
        call(&test, "ModelInfer", &test.first.api_key, &ask).await;
    assert_eq!((status.as_str(), said.id.as_str()), ("0", "7"));
    let names: Vec<&str> = said.outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["concept_ids", "probabilities"]);
    assert_eq!(said.outputs[1].shape, [1, 20]);
    assert_eq!(said.raw_output_contents[1].len(), 80);

    // Two red pictures and a blue one, as the network itself takes them.
    let red = (0..192).map(|idx| if idx < 64 { 1.0_f32 } else { 0.0 });
    let blue = (0..192).map(|idx| if idx < 128 { 0.0_f32 } else { 1.0 });
    let numbers: Vec<f32> = red.clone().chain(red).chain(blue).collect();
    let raw: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    let tensor = InferInputTensor {
        name: "image".to_owned(),
        datatype: "FP32".to_owned(),
        shape: vec![3, 3, 8, 8],
        ..Default::default()
    };
    let ask = pb::ModelInferRequest {
        model_name: "colours".to_owned(),
        inputs: vec![tensor],
        raw_input_contents: vec![raw.into()],
        ..Default::default()
    };
    let (status, said): (_, pb::ModelInferResponse) =
        call(&test, "ModelInfer", &test.first.api_key, &ask).await;
    assert_eq!(status, "0");
    let logits = said.outputs.iter().position(|output| output.name == "logits").unwrap();
    let numbers = said.raw_output_contents[logits].as_ref().as_chunks::<4>().0;
    let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    assert_eq!(numbers, [10.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 10.0]);
}
