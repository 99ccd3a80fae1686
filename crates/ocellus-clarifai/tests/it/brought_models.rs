//! Models that users bring along: uploaded piece by piece, asked, streamed, taken elsewhere as bundles.

use axum::body::Body;
use axum::http::Request;
use futures_util::stream;
use http_body_util::BodyExt;
use ocellus_clarifai_proto::pb;
use ocellus_clarifai_proto::pb::post_model_versions_upload_request::UploadData;
use ocellus_core::testing::{TestPlatform, cache_dir};
use ocellus_core::usage;
use ocellus_interchange::{Sink, ZipSink};
use prost::Message;
use tower::ServiceExt;

use crate::grpc::{call, frame};
use crate::{clips, world};

/// Not a test by itself: the process that runs a model, when a test of this program starts it.
#[test]
fn the_worker_of_models() {
    ocellus_core::testing::model_worker();
}

/// All answers of a stream.
async fn stream_of<A: Message + Default>(test: &TestPlatform, rpc: &str, messages: Vec<Vec<u8>>) -> Vec<A> {
    let pieces = stream::iter(messages.into_iter().map(Ok::<_, std::convert::Infallible>));
    let request = Request::post(format!("/clarifai.api.V2/{rpc}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Key {}", test.first.api_key))
        .body(Body::from_stream(pieces))
        .unwrap();
    let body = world::routed(test).oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let (bytes, mut found) = (body.to_bytes(), Vec::new());
    let mut rest = &bytes[..];
    while let Some((head, tail)) = rest.split_at_checked(5) {
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        found.push(A::decode(&tail[..length]).unwrap());
        rest = &tail[length..];
    }
    found
}

async fn ask<A: Message + Default>(test: &TestPlatform, rpc: &str, request: &impl Message) -> A {
    let answer = call(test, &format!("/clarifai.api.V2/{rpc}"), &test.first.api_key, request).await;
    A::decode(&answer.message[..]).unwrap()
}

async fn make_model(test: &TestPlatform, id: &str) {
    let model_type_id = "visual-classifier".to_owned();
    let model = pb::Model { id: id.to_owned(), model_type_id, ..Default::default() };
    let request = pb::PostModelsRequest { models: vec![model], ..Default::default() };
    let made: pb::SingleModelResponse = ask(test, "PostModels", &request).await;
    assert_eq!(made.status.unwrap().code, 10000);
}

/// The fixture as an archive.
fn package() -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/own-models");
    let mut zip = ZipSink::new(std::io::Cursor::new(Vec::new()));
    for (name, file) in
        [("model.toml", "colours.toml"), ("colours.onnx", "colours.onnx"), ("colours.txt", "colours.txt")]
    {
        zip.put(name, &mut std::fs::File::open(folder.join(file)).unwrap()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn config(model_id: &str, total_size: u64) -> pb::PostModelVersionsUploadRequest {
    let config = pb::PostModelVersionsUploadConfig {
        model_id: model_id.to_owned(),
        model_version: Some(pb::ModelVersion { description: "brought".to_owned(), ..Default::default() }),
        total_size,
        ..Default::default()
    };
    pb::PostModelVersionsUploadRequest { upload_data: Some(UploadData::UploadConfig(config)) }
}

fn part(range_start: u64, part_number: i64, data: &[u8]) -> pb::PostModelVersionsUploadRequest {
    let part = pb::UploadContentPart { range_start, part_number, data: data.to_vec() };
    pb::PostModelVersionsUploadRequest { upload_data: Some(UploadData::ContentPart(part)) }
}

/// What is told of each message of an upload: code, and bytes left.
async fn upload(test: &TestPlatform, model_id: &str, file: &[u8], n_parts: usize) -> Vec<(i32, u64)> {
    let mut messages = vec![frame(&config(model_id, file.len() as u64))];
    let size = file.len().div_ceil(n_parts);
    for (idx, piece) in file.chunks(size).enumerate() {
        messages.push(frame(&part((idx * size) as u64, idx as i64 + 1, piece)));
    }
    let answers: Vec<pb::PostModelVersionsUploadResponse> =
        stream_of(test, "PostModelVersionsUpload", messages).await;
    answers.into_iter().map(|answer| (answer.status.unwrap().code, answer.bytes_remaining)).collect()
}

fn picture(name: &str) -> pb::Input {
    let image = pb::Image {
        base64: std::fs::read(cache_dir().join("photos").join(name)).unwrap().into(),
        ..Default::default()
    };
    let data = pb::Data { image: Some(image), ..Default::default() };
    pb::Input { id: name.to_owned(), data: Some(data), ..Default::default() }
}

fn film() -> pb::Input {
    let bytes = std::fs::read(clips::folder().join("dog-then-coffee.mp4")).unwrap();
    let video = pb::Video { base64: bytes.into(), ..Default::default() };
    let data = pb::Data { video: Some(video), ..Default::default() };
    pb::Input { id: "film".to_owned(), data: Some(data), ..Default::default() }
}

fn outputs_of(model_id: &str, inputs: Vec<pb::Input>) -> pb::PostModelOutputsRequest {
    pb::PostModelOutputsRequest { model_id: model_id.to_owned(), inputs, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uploaded_model_predicts_says_its_licence_and_goes_elsewhere_as_a_bundle() {
    let test = TestPlatform::new().await;
    make_model(&test, "brought").await;
    let file = package();
    let told = upload(&test, "brought", &file, 3).await;
    let size = file.len().div_ceil(3) as u64;
    let n = file.len() as u64;
    assert_eq!(told, [(21104, n), (21104, n - size), (21104, n - 2 * size), (21107, 0)]);

    let request = outputs_of("brought", vec![picture("dog.png"), picture("coffee.png")]);
    let said: pb::MultiOutputResponse = ask(&test, "PostModelOutputs", &request).await;
    assert_eq!(said.status.unwrap().code, 10000);
    for output in &said.outputs {
        let version = output.model.as_ref().unwrap().model_version.as_ref().unwrap();
        assert_eq!((version.license.as_str(), version.description.as_str()), ("CC0-1.0", "brought"));
        assert_eq!(version.status.as_ref().unwrap().code, 21100);
        let concepts = &output.data.as_ref().unwrap().concepts;
        assert_eq!(concepts.len(), 3);
        assert!((concepts.iter().map(|concept| concept.value).sum::<f32>() - 1.0).abs() < 1e-4);
    }
    let version_id = said.outputs[0].model.as_ref().unwrap().model_version.as_ref().unwrap().id.clone();

    let get = pb::GetModelVersionExportRequest {
        model_id: "brought".to_owned(),
        version_id: version_id.clone(),
        ..Default::default()
    };
    let none: pb::SingleModelVersionExportResponse = ask(&test, "GetModelVersionExport", &get).await;
    assert_eq!(none.status.unwrap().code, 11101);
    let put = pb::PutModelVersionExportsRequest {
        model_id: "brought".to_owned(),
        version_id,
        ..Default::default()
    };
    let made: pb::SingleModelVersionExportResponse = ask(&test, "PutModelVersionExports", &put).await;
    assert_eq!(made.status.unwrap().code, 10000);
    let again: pb::SingleModelVersionExportResponse = ask(&test, "GetModelVersionExport", &get).await;
    let export = again.export.unwrap();
    assert_eq!(Some(&export), made.export.as_ref());
    assert_eq!(export.status.unwrap().code, 21500);
    let path = export.url.find("/bundles/").map(|at| export.url[at..].to_owned()).unwrap();
    let fetch = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = world::routed(&test).oneshot(request).await.unwrap();
        (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
    };
    assert_eq!(fetch(&format!("{}0", &path[..path.len() - 1])).await.0, 404);
    let (status, bundle) = fetch(&path).await;
    assert_eq!((status, bundle.len() as i64), (200, export.size));

    make_model(&test, "again").await;
    assert_eq!(upload(&test, "again", &bundle, 1).await.last(), Some(&(21107, 0)));
    let request = outputs_of("again", vec![picture("dog.png")]);
    let same: pb::MultiOutputResponse = ask(&test, "PostModelOutputs", &request).await;
    let values = |answer: &pb::MultiOutputResponse| {
        let concepts = &answer.outputs[0].data.as_ref().unwrap().concepts;
        concepts.iter().map(|concept| (concept.id.clone(), concept.value)).collect::<Vec<_>>()
    };
    let first = pb::MultiOutputResponse { outputs: said.outputs, ..Default::default() };
    assert_eq!(values(&same), values(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_makes_no_sense_is_refused_and_leaves_no_version() {
    let test = TestPlatform::new().await;
    make_model(&test, "m").await;
    let file = package();
    let n = file.len() as u64;
    let table: Vec<(Vec<Vec<u8>>, i32)> = vec![
        (vec![frame(&part(0, 1, &file))], 11102),
        (vec![frame(&config("none", n))], 11101),
        (vec![frame(&config("m", 0))], 11102),
        (vec![frame(&config("m", 1 << 50))], 11102),
        (vec![frame(&config("m", n)), frame(&config("m", n))], 11102),
        (vec![frame(&config("m", n)), frame(&part(5, 1, &file))], 11102),
        (vec![frame(&config("m", 5)), frame(&part(0, 1, &file))], 11102),
        // One that breaks off.
        (vec![frame(&config("m", n)), frame(&part(0, 1, &file[..9]))], 11102),
        // Whole, but no model.
        (vec![frame(&config("m", 9)), frame(&part(0, 1, b"no model!"))], 11102),
    ];
    for (idx, (messages, expected)) in table.into_iter().enumerate() {
        let answers: Vec<pb::PostModelVersionsUploadResponse> =
            stream_of(&test, "PostModelVersionsUpload", messages).await;
        let codes: Vec<i32> = answers.into_iter().map(|answer| answer.status.unwrap().code).collect();
        assert_eq!(codes.last(), Some(&expected), "{idx}: {codes:?}");
        assert!(codes[..codes.len() - 1].iter().all(|code| *code == 21104), "{idx}: {codes:?}");
    }
    let list = pb::ListModelVersionsRequest { model_id: "m".to_owned(), ..Default::default() };
    let versions: pb::MultiModelVersionResponse = ask(&test, "ListModelVersions", &list).await;
    assert_eq!(versions.model_versions.len(), 1, "the one that every model has");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_are_answered_one_by_one_and_a_video_frame_by_frame() {
    let test = TestPlatform::new().await;
    let broken = pb::Input { id: "broken".to_owned(), ..Default::default() };
    let request = outputs_of("general-v1.3", vec![picture("dog.png"), film(), broken, picture("coffee.png")]);
    let answers: Vec<pb::MultiOutputResponse> =
        stream_of(&test, "GenerateModelOutputs", vec![frame(&request)]).await;
    let told: Vec<(String, i32, Vec<u32>)> = answers
        .iter()
        .map(|answer| {
            let [output] = answer.outputs.as_slice() else { panic!("{answer:?}") };
            let data = output.data.clone().unwrap_or_default();
            let times = data.frames.iter().map(|frame| frame.frame_info.as_ref().unwrap().index).collect();
            (output.input.as_ref().unwrap().id.clone(), output.status.as_ref().unwrap().code, times)
        })
        .collect();
    let names: Vec<&str> = told.iter().map(|(id, _, _)| id.as_str()).collect();
    assert_eq!(names, ["dog.png", "film", "film", "film", "film", "broken", "coffee.png"]);
    assert_eq!(
        told.iter().filter(|(id, _, _)| id == "film").map(|t| t.2[0]).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert!(told.iter().all(|(id, code, _)| (*code == 10000) == (id != "broken")), "{told:?}");

    // The same as in one piece, and each image and frame was counted once.
    let whole: pb::MultiOutputResponse =
        ask(&test, "PostModelOutputs", &outputs_of("general-v1.3", vec![film()])).await;
    let frames = whole.outputs[0].data.as_ref().unwrap().frames.clone();
    let streamed: Vec<pb::Frame> =
        answers[1..5].iter().flat_map(|answer| answer.outputs[0].data.clone().unwrap().frames).collect();
    assert_eq!(streamed, frames);
    let history = usage::history(&test.account().await, None).await.unwrap();
    let of =
        |series: &usage::Series| (series.used.operation.clone(), series.n_operations.iter().sum::<i64>());
    let counted: Vec<(String, i64)> = history.series.iter().map(of).collect();
    let generated: i64 = counted.iter().filter(|(name, _)| name == "GenerateModelOutputs").map(|c| c.1).sum();
    assert_eq!(generated, 6, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_answers_request_after_request() {
    let test = TestPlatform::new().await;
    let first = outputs_of("general-v1.3", vec![picture("dog.png")]);
    let next = outputs_of("", vec![picture("coffee.png")]);
    let wrong = outputs_of("nobody", vec![picture("coffee.png")]);
    let empty = outputs_of("general-v1.3", Vec::new());
    let messages = [first, next, wrong, empty].iter().map(frame).collect();
    let answers: Vec<pb::MultiOutputResponse> = stream_of(&test, "StreamModelOutputs", messages).await;
    let told: Vec<(i32, usize)> =
        answers.iter().map(|answer| (answer.status.as_ref().unwrap().code, answer.outputs.len())).collect();
    assert_eq!(told, [(10000, 1), (10000, 1), (11101, 0), (30104, 0)]);
    assert_eq!(answers[1].outputs[0].input.as_ref().unwrap().id, "coffee.png");
}
