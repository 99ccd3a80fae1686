//! Metering: announces each call to the usage counts before it runs, and says what it has used when it has succeeded.

use bytes::Bytes;
use ocellus_core::Result;
use ocellus_core::usage::{self, Begun, Call, Done, OperationKind};
use ocellus_http::AccessNote;
use prost::Message;

use crate::audit::Touched;
use crate::pb::status::StatusCode as Code;
use crate::rpc::{Cx, Reply};

/// Calls that show what is left, and so are let through when nothing is.
const FREE: [&str; 6] = [
    "GetRealtimeUsage",
    "PostHistoricalUsage",
    "GetBillingUsage",
    "ListUserBillingCycles",
    "GetSubscription",
    "PostSubscription",
];

/// A call that was let in and is to be counted.
pub struct Metered {
    begun: Begun,
    kind: OperationKind,
    rpc: String,
    touched: Touched,
    note: AccessNote,
}

impl Metered {
    /// Nothing for a call that is nobody's. `Exhausted` beyond a quota.
    pub async fn begin(cx: &Cx, request: &Bytes, note: &AccessNote) -> Result<Option<Self>> {
        let Some(caller) = &cx.caller else { return Ok(None) };
        let kind = kind(&cx.rpc);
        let call = Call {
            operation: cx.rpc.clone(),
            kind,
            n_operations: asked(kind, &cx.rpc, request),
            free: FREE.contains(&cx.rpc.as_str()),
            is_part: false,
        };
        let begun = usage::begin(&cx.platform, caller, call).await?;
        Ok(Some(Self { begun, kind, rpc: cx.rpc.clone(), touched: cx.touched.clone(), note: note.clone() }))
    }

    /// Whether a call with this code counts.
    pub fn counts(code: i32) -> bool {
        [Code::Success as i32, Code::MixedStatus as i32].contains(&code)
    }

    /// Counts the call if it succeeded, at least in part. Returns how many operations it was.
    pub async fn end(self, reply: Option<&Reply>) -> u64 {
        let Some(reply) = reply.filter(|reply| Self::counts(reply.code)) else { return 0 };
        let (model_id, n_operations) = used(self.kind, &self.rpc, &reply.body);
        let (app_owner_id, app_id) = self.touched.app_ids();
        self.note.set_operations(n_operations);
        self.begun.end(Done { app_owner_id, app_id, model_id, n_operations }).await;
        n_operations
    }
}

pub fn kind(rpc: &str) -> OperationKind {
    match rpc {
        "PostModelOutputs" | "PostWorkflowResults" | "GenerateModelOutputs" | "StreamModelOutputs" => {
            OperationKind::Predict
        }
        "PostSearches" | "PostSearchesByID" | "PostInputsSearches" | "PostAnnotationsSearches" => {
            OperationKind::Search
        }
        "PostInputs" => OperationKind::AddInput,
        "PostModelVersions" => OperationKind::Train,
        _ => OperationKind::Other,
    }
}

/// As many operations as inputs came with the request, and one for everything else.
fn asked(kind: OperationKind, rpc: &str, request: &Bytes) -> u64 {
    let n_inputs = match (kind, rpc) {
        (OperationKind::Predict, "PostWorkflowResults") => {
            ResultsAsked::decode(request.clone()).map_or(0, |asked| asked.inputs.len())
        }
        (OperationKind::Predict, _) => {
            OutputsAsked::decode(request.clone()).map_or(0, |asked| asked.inputs.len())
        }
        (OperationKind::AddInput, _) => {
            InputsAsked::decode(request.clone()).map_or(0, |asked| asked.inputs.len())
        }
        (OperationKind::Search | OperationKind::Train | OperationKind::Other, _) => 1,
    };
    n_inputs.max(1) as u64
}

/// The model that answered, and how many operations that took: one for each image that a model looked at or input that was
/// taken in, and one for each frame of a video.
fn used(kind: OperationKind, rpc: &str, answer: &Bytes) -> (String, u64) {
    match kind {
        OperationKind::Predict => {
            let outputs = outputs(rpc, answer);
            let model = outputs.first().and_then(|output| output.model.as_ref());
            let model_id = model.map(|model| model.id.clone()).unwrap_or_default();
            let good = outputs.iter().filter(|output| is_good(output.status.as_ref()));
            let n_frames = |output: &Output| output.data.as_ref().map_or(0, |data| data.frames.len());
            (model_id, good.map(|output| n_frames(output).max(1) as u64).sum())
        }
        OperationKind::AddInput => {
            let inputs = Inputs::decode(answer.clone()).unwrap_or_default().inputs;
            let good = inputs.iter().filter(|input| is_good(input.status.as_ref()));
            (String::new(), good.count() as u64)
        }
        OperationKind::Search | OperationKind::Train | OperationKind::Other => (String::new(), 1),
    }
}

fn outputs(rpc: &str, answer: &Bytes) -> Vec<Output> {
    match rpc {
        "PostWorkflowResults" => {
            let results = Results::decode(answer.clone()).unwrap_or_default().results;
            results.into_iter().flat_map(|result| result.outputs).collect()
        }
        _ => Outputs::decode(answer.clone()).unwrap_or_default().outputs,
    }
}

fn is_good(status: Option<&Status>) -> bool {
    let good = [Code::Success, Code::InputSuccess, Code::InputPending, Code::InputInProgress];
    status.is_some_and(|status| good.iter().any(|code| *code as i32 == status.code))
}

// Messages of the vendor with only the fields that are counted; a test compares them with the full ones.

#[derive(Clone, PartialEq, Message)]
struct OutputsAsked {
    #[prost(bytes = "bytes", repeated, tag = "4")]
    inputs: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct ResultsAsked {
    #[prost(bytes = "bytes", repeated, tag = "3")]
    inputs: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct InputsAsked {
    #[prost(bytes = "bytes", repeated, tag = "2")]
    inputs: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Outputs {
    #[prost(message, repeated, tag = "2")]
    outputs: Vec<Output>,
}

#[derive(Clone, PartialEq, Message)]
struct Results {
    #[prost(message, repeated, tag = "3")]
    results: Vec<WorkflowResult>,
}

#[derive(Clone, PartialEq, Message)]
struct WorkflowResult {
    #[prost(message, repeated, tag = "6")]
    outputs: Vec<Output>,
}

#[derive(Clone, PartialEq, Message)]
struct Output {
    #[prost(message, optional, tag = "2")]
    status: Option<Status>,
    #[prost(message, optional, tag = "4")]
    model: Option<Model>,
    #[prost(message, optional, tag = "6")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct Data {
    #[prost(bytes = "bytes", repeated, tag = "12")]
    frames: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Inputs {
    #[prost(message, repeated, tag = "2")]
    inputs: Vec<Input>,
}

#[derive(Clone, PartialEq, Message)]
struct Input {
    #[prost(message, optional, tag = "6")]
    status: Option<Status>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb;
    use ocellus_clarifai_proto as proto;

    fn status(code: Code) -> pb::status::Status {
        pb::status::Status { code: code as i32, ..Default::default() }
    }

    #[test]
    fn a_prediction_counts_its_good_outputs_and_the_frames_of_videos() {
        let output = |code, n_frames| pb::Output {
            status: Some(status(code)),
            model: Some(pb::Model { id: "general".to_owned(), ..Default::default() }),
            data: Some(pb::Data { frames: vec![pb::Frame::default(); n_frames], ..Default::default() }),
            ..Default::default()
        };
        let outputs = vec![output(Code::Success, 0), output(Code::Failure, 0), output(Code::Success, 3)];
        let expected = ("general".to_owned(), 4);
        let results = vec![pb::WorkflowResult { outputs: outputs.clone(), ..Default::default() }];
        let answer = pb::MultiOutputResponse { outputs, ..Default::default() }.encode_to_vec();
        assert_eq!(used(OperationKind::Predict, "PostModelOutputs", &answer.into()), expected);
        let answer = pb::PostWorkflowResultsResponse { results, ..Default::default() }.encode_to_vec();
        assert_eq!(used(OperationKind::Predict, "PostWorkflowResults", &answer.into()), expected);

        let request =
            pb::PostModelOutputsRequest { inputs: vec![pb::Input::default(); 5], ..Default::default() };
        assert_eq!(asked(OperationKind::Predict, "PostModelOutputs", &request.encode_to_vec().into()), 5);
        let request =
            pb::PostWorkflowResultsRequest { inputs: vec![pb::Input::default(); 6], ..Default::default() };
        assert_eq!(asked(OperationKind::Predict, "PostWorkflowResults", &request.encode_to_vec().into()), 6);
        assert_eq!(asked(OperationKind::Predict, "PostModelOutputs", &Bytes::new()), 1);
    }

    #[test]
    fn adding_counts_the_inputs_that_were_taken_in() {
        let input = |code| pb::Input { status: Some(status(code)), ..Default::default() };
        let inputs = vec![input(Code::InputPending), input(Code::InputDuplicate), input(Code::InputSuccess)];
        let answer = pb::MultiInputResponse { inputs, ..Default::default() }.encode_to_vec();
        assert_eq!(used(OperationKind::AddInput, "PostInputs", &answer.into()), (String::new(), 2));
        let request = pb::PostInputsRequest { inputs: vec![pb::Input::default(); 3], ..Default::default() };
        assert_eq!(asked(OperationKind::AddInput, "PostInputs", &request.encode_to_vec().into()), 3);
    }

    #[test]
    fn what_is_named_here_is_what_the_service_has() {
        let service = proto::pool().get_service_by_name(proto::SERVICE).unwrap();
        let exists = |name: &str| service.methods().any(|method| method.name() == name);
        for name in FREE {
            assert!(exists(name), "{name}");
        }
        let n_special =
            service.methods().filter(|method| kind(method.name()) != OperationKind::Other).count();
        assert_eq!(n_special, 10);
    }
}
