//! Predictions that runners answer: asked over one transport, worked on over another, by polling and by a stream.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use ocellus_clarifai_proto::pb::runner_item::Request as Wanted;
use ocellus_clarifai_proto::pb::runner_item_output::Response as Given;
use ocellus_clarifai_proto::pb::status::{BaseResponse, Status};
use ocellus_clarifai_proto::pb::{self, worker};
use ocellus_core::testing::TestPlatform;
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::grpc::{call, frame};
use crate::world;

async fn ask<A: Message + Default>(test: &TestPlatform, rpc: &str, request: &impl Message) -> A {
    let answer = call(test, &format!("/clarifai.api.V2/{rpc}"), &test.first.pat, request).await;
    assert_eq!(answer.grpc_status, "0", "{rpc}");
    A::decode(&answer.message[..]).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "message fields are options")]
fn me(test: &TestPlatform) -> Option<pb::UserAppIdSet> {
    Some(pb::UserAppIdSet { user_id: test.first.user_id.clone(), app_id: test.first.app_id.clone() })
}

/// A platform with a model "m", served by the runner "r".
async fn served() -> std::sync::Arc<TestPlatform> {
    let test = TestPlatform::with(|config| {
        config.jobs.poll_ms = 10;
        config.runners.predict_timeout = Duration::from_secs(60);
        config.runners.poll = Duration::from_secs(30);
    })
    .await;
    let model = pb::Model { id: "m".to_owned(), app_id: test.first.app_id.clone(), ..Default::default() };
    let request =
        pb::PostModelsRequest { user_app_id: me(&test), models: vec![model.clone()], ..Default::default() };
    let made: pb::SingleModelResponse = ask(&test, "PostModels", &request).await;
    assert_eq!(made.status.unwrap().code, 10000);
    let worker = pb::Worker { worker: Some(worker::Worker::Model(Box::new(model))) };
    let runner = pb::Runner { id: "r".to_owned(), worker: Some(worker), ..Default::default() };
    let request =
        pb::PostRunnersRequest { user_app_id: me(&test), runners: vec![runner], ..Default::default() };
    let made: pb::MultiRunnerResponse = ask(&test, "PostRunners", &request).await;
    assert_eq!(made.status.unwrap().code, 10000);
    std::sync::Arc::new(test)
}

fn text(raw: &str) -> pb::Input {
    let text = pb::Text { raw: raw.to_owned(), ..Default::default() };
    pb::Input { data: Some(pb::Data { text: Some(text), ..Default::default() }), ..Default::default() }
}

fn predict(
    test: &std::sync::Arc<TestPlatform>,
    inputs: Vec<pb::Input>,
) -> JoinHandle<pb::MultiOutputResponse> {
    let test = test.clone();
    tokio::spawn(async move {
        let request = pb::PostModelOutputsRequest {
            user_app_id: me(&test),
            model_id: "m".to_owned(),
            inputs,
            ..Default::default()
        };
        ask(&test, "PostModelOutputs", &request).await
    })
}

async fn poll(test: &TestPlatform) -> pb::RunnerItem {
    let request =
        pb::ListRunnerItemsRequest { user_app_id: me(test), runner_id: "r".to_owned(), ..Default::default() };
    let mut work: pb::MultiRunnerItemResponse = ask(test, "ListRunnerItems", &request).await;
    assert_eq!((work.status.unwrap().code, work.runner_items.len()), (10000, 1));
    work.runner_items.remove(0)
}

/// A worker that says of every text how long it is.
fn work(test: &TestPlatform, item: &pb::RunnerItem) -> pb::PostRunnerItemOutputsRequest {
    let Some(Wanted::PostModelOutputsRequest(request)) = &item.request else { panic!("{item:?}") };
    assert_eq!(request.model_id, "m");
    let of = |input: &pb::Input| {
        let raw = &input.data.as_ref().unwrap().text.as_ref().unwrap().raw;
        let status = match raw.is_empty() {
            true => Status { code: 21313, details: "an empty text".to_owned(), ..Default::default() },
            false => Status { code: 10000, ..Default::default() },
        };
        let concept = pb::Concept { id: format!("length-{}", raw.len()), value: 1.0, ..Default::default() };
        let data = pb::Data { concepts: vec![concept], ..Default::default() };
        pb::Output { status: Some(status), data: (!raw.is_empty()).then_some(data), ..Default::default() }
    };
    let response =
        pb::MultiOutputResponse { outputs: request.inputs.iter().map(of).collect(), ..Default::default() };
    pb::PostRunnerItemOutputsRequest {
        user_app_id: me(test),
        runner_id: "r".to_owned(),
        runner_item_id: item.id.clone(),
        runner_item_outputs: vec![pb::RunnerItemOutput {
            response: Some(Given::MultiOutputResponse(response)),
        }],
        ..Default::default()
    }
}

fn told(answer: &pb::MultiOutputResponse) -> Vec<(i32, String)> {
    let of = |output: &pb::Output| {
        let concepts = output.data.as_ref().map(|data| &data.concepts[..]).unwrap_or_default();
        (output.status.as_ref().unwrap().code, concepts.first().map(|c| c.id.clone()).unwrap_or_default())
    };
    answer.outputs.iter().map(of).collect()
}

fn good(concept: &str) -> (i32, String) {
    (10000, concept.to_owned())
}

#[tokio::test]
async fn a_polling_worker_answers_each_prediction_once() {
    let test = served().await;
    let missing = pb::Input { id: "none".to_owned(), ..Default::default() };
    let asking = predict(&test, vec![text("four"), missing, text(""), text("seven..")]);
    let item = poll(&test).await;
    let answer = work(&test, &item);
    let posted: pb::MultiRunnerItemOutputResponse = ask(&test, "PostRunnerItemOutputs", &answer).await;
    assert_eq!(posted.status.unwrap().code, 10000);
    let predicted = asking.await.unwrap();
    assert_eq!(predicted.status.as_ref().unwrap().code, 10010);
    let none = || (11101, String::new());
    assert_eq!(told(&predicted), [good("length-4"), none(), (21313, String::new()), good("length-7")]);
    let output = &predicted.outputs[0];
    assert_eq!(output.model.as_ref().unwrap().id, "m");
    assert_eq!(output.input.as_ref().unwrap().data.as_ref().unwrap().text.as_ref().unwrap().raw, "four");

    let again: pb::MultiRunnerItemOutputResponse = ask(&test, "PostRunnerItemOutputs", &answer).await;
    assert_eq!(again.status.unwrap().code, 40010);
}

#[tokio::test]
async fn a_worker_that_fails_as_a_whole_says_why() {
    let test = served().await;
    let asking = predict(&test, vec![text("four")]);
    let item = poll(&test).await;
    let status = Status { code: 25608, details: "out of memory".to_owned(), ..Default::default() };
    let failed = pb::PostRunnerItemOutputsRequest {
        status: Some(status),
        runner_item_outputs: vec![],
        ..work(&test, &item)
    };
    let posted: pb::MultiRunnerItemOutputResponse = ask(&test, "PostRunnerItemOutputs", &failed).await;
    assert_eq!(posted.status.unwrap().code, 10000);
    let status = asking.await.unwrap().status.unwrap();
    assert_eq!((status.code, status.details.as_str()), (25608, "out of memory"));
}

/// The stream of a worker.
struct Open {
    requests: mpsc::Sender<Vec<u8>>,
    answers: mpsc::Receiver<Bytes>,
    read: Vec<u8>,
}

impl Open {
    async fn new(test: &TestPlatform, key: &str, first: &pb::PostRunnerItemOutputsRequest) -> Self {
        let (requests, receiver) = mpsc::channel(4);
        let sent = stream::unfold(receiver, |mut receiver| async move {
            let next: Vec<u8> = receiver.recv().await?;
            Some((Ok::<_, Infallible>(next), receiver))
        });
        requests.send(frame(first)).await.unwrap();
        let request = Request::post("/clarifai.api.V2/ProcessRunnerItems")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Key {key}"))
            .body(Body::from_stream(sent))
            .unwrap();
        let mut body = world::routed(test).oneshot(request).await.unwrap().into_body();
        let (sender, answers) = mpsc::channel(4);
        // As a connection does, whether somebody reads or not.
        tokio::spawn(async move {
            while let Some(frame) = body.frame().await {
                match frame.unwrap().into_data() {
                    Ok(bytes) => sender.send(bytes).await.unwrap(),
                    Err(trailers) => assert_eq!(trailers.trailers_ref().unwrap()["grpc-status"], "0"),
                }
            }
        });
        Self { requests, answers, read: Vec::new() }
    }

    async fn send(&self, message: &impl Message) {
        self.requests.send(frame(message)).await.unwrap();
    }

    /// The next message; `None` at the end.
    async fn receive(&mut self) -> Option<pb::MultiRunnerItemResponse> {
        loop {
            if let Some(head) = self.read.get(1..5) {
                let n = u32::from_be_bytes(head.try_into().unwrap()) as usize;
                if self.read.len() >= 5 + n {
                    let message = pb::MultiRunnerItemResponse::decode(&self.read[5..5 + n]).unwrap();
                    self.read.drain(..5 + n);
                    return Some(message);
                }
            }
            self.read.extend_from_slice(&self.answers.recv().await?);
        }
    }

    async fn item(&mut self) -> pb::RunnerItem {
        let mut message = self.receive().await.unwrap();
        assert_eq!(message.status.unwrap().code, 10000);
        message.runner_items.remove(0)
    }
}

fn greeting(test: &TestPlatform, runner_id: &str) -> pb::PostRunnerItemOutputsRequest {
    let runner_id = runner_id.to_owned();
    pb::PostRunnerItemOutputsRequest { user_app_id: me(test), runner_id, ..Default::default() }
}

#[tokio::test]
async fn a_stream_hands_out_items_one_after_another_and_takes_the_answers() {
    let test = served().await;
    let mut open = Open::new(&test, &test.first.pat, &greeting(&test, "r")).await;
    for raw in ["one", "three"] {
        let asking = predict(&test, vec![text(raw)]);
        let item = open.item().await;
        assert_eq!(item.processing_info.as_ref().unwrap().runner_method_type, 1);
        let answer = work(&test, &item);
        // A wrong answer is refused, and the item can still be answered.
        open.send(&pb::PostRunnerItemOutputsRequest { runner_item_outputs: vec![], ..answer.clone() }).await;
        assert_eq!(open.receive().await.unwrap().status.unwrap().code, 25602);
        open.send(&answer).await;
        assert_eq!(told(&asking.await.unwrap()), [good(&format!("length-{}", raw.len()))]);
    }
    let asking = predict(&test, vec![text("left")]);
    let item = open.item().await;
    // What a worker leaves behind when it ends its stream goes to another at once.
    let Open { requests, mut answers, .. } = open;
    drop(requests);
    assert_eq!(answers.recv().await, None);
    let again = poll(&test).await;
    assert_eq!(again.id, item.id);
    let _: pb::MultiRunnerItemOutputResponse =
        ask(&test, "PostRunnerItemOutputs", &work(&test, &again)).await;
    assert_eq!(told(&asking.await.unwrap()), [good("length-4")]);
}

#[tokio::test]
async fn a_stream_for_nobodys_runner_or_with_the_wrong_key_says_so_and_ends() {
    let test = served().await;
    for (key, runner_id, code) in [
        (test.first.pat.as_str(), "none", 25600),
        (test.first.api_key.as_str(), "r", 11007),
        ("nonsense", "r", 11008),
    ] {
        let mut open = Open::new(&test, key, &greeting(&test, runner_id)).await;
        let status = open.receive().await.unwrap().status.unwrap();
        assert_eq!((status.code, status.req_id.len()), (code, 32));
        assert_eq!(open.receive().await, None);
    }
    // The runner is deleted while its worker waits.
    let mut open = Open::new(&test, &test.first.pat, &greeting(&test, "r")).await;
    let delete =
        pb::DeleteRunnersRequest { user_app_id: me(&test), ids: vec!["r".to_owned()], ..Default::default() };
    let (last, deleted) = tokio::join!(open.receive(), ask::<BaseResponse>(&test, "DeleteRunners", &delete));
    assert_eq!(deleted.status.unwrap().code, 10000);
    assert_eq!(last.unwrap().status.unwrap().code, 25600);
    assert_eq!(open.receive().await, None);
}
