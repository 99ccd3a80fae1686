//! The work of runners: asking for it, answering it, and the stream that does both.

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{self, BoxStream, StreamExt};
use ocellus_core::runners::items::{self, Answer, Delivery, Next};
use ocellus_core::{AccountCtx, Error, Kind, Resource, Result};
use prost::Message;

use crate::error::WireError;
use crate::pb::runner_item::Request;
use crate::pb::runner_item_output::Response;
use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

/// Waits for an item. Without one the caller is told to ask again, which the vendor's clients do at once.
pub async fn list_runner_items(cx: Cx, req: ListRunnerItemsRequest) -> Result<MultiRunnerItemResponse> {
    let account = cx.account(req.user_app_id).await?;
    match items::next(&account, &req.runner_id).await? {
        Some(delivery) => Ok(one(&delivery)?),
        None => Ok(MultiRunnerItemResponse {
            status: Some(cx.status(Code::RunnerNeedsRetry)),
            ..Default::default()
        }),
    }
}

pub async fn post_runner_item_outputs(
    cx: Cx,
    req: PostRunnerItemOutputsRequest,
) -> Result<MultiRunnerItemOutputResponse> {
    let account = cx.account(req.user_app_id).await?;
    let given = answer(req.runner_item_outputs, req.status)?;
    items::answer(&account, &req.runner_id, &req.runner_item_id, given).await?;
    Ok(MultiRunnerItemOutputResponse { status: status::success(), ..Default::default() })
}

fn one(delivery: &Delivery) -> Result<MultiRunnerItemResponse> {
    let request = PostModelOutputsRequest::decode(delivery.request.as_slice()).map_err(Error::internal)?;
    let item = RunnerItem {
        id: delivery.id.clone(),
        processing_info: Some(ProcessingInfo {
            runner_method_type: RunnerMethodType::UnaryUnary as i32,
            ..Default::default()
        }),
        request: Some(Request::PostModelOutputsRequest(request)),
        ..Default::default()
    };
    Ok(MultiRunnerItemResponse { status: status::success(), runner_items: vec![item] })
}

/// An answer is one set of outputs, or a status that says why there is none.
fn answer(outputs: Vec<RunnerItemOutput>, status: Option<Status>) -> Result<Answer> {
    let failed = status.filter(|status| ![0, Code::Success as i32].contains(&status.code));
    let response = match (<[RunnerItemOutput; 1]>::try_from(outputs), failed) {
        (Ok([RunnerItemOutput { response: Some(Response::MultiOutputResponse(response)) }]), _) => response,
        (Err(none), Some(status)) if none.is_empty() => {
            MultiOutputResponse { status: Some(status), ..Default::default() }
        }
        _ => return Err(Error::invalid("runner_item_outputs", "must hold one multi_output_response")),
    };
    let bad =
        response.status.as_ref().is_some_and(|status| ![0, Code::Success as i32].contains(&status.code));
    // A model that failed as a whole has nothing to say of the single inputs.
    let n_outputs = (!(bad && response.outputs.is_empty())).then_some(response.outputs.len());
    Ok(Answer { outputs: response.encode_to_vec(), n_outputs })
}

/// The stream of a runner: its first message says who it is, then items go out one at a time and answers come in. An item
/// stays with the runner for as long as the stream is open, and goes to another when the runner ends it.
pub fn process_runner_items(cx: Cx, requests: BoxStream<'static, Bytes>) -> BoxStream<'static, Bytes> {
    let session = Session { cx, requests, runner: None, delivery: None, over: false };
    stream::unfold(session, |mut session| async move {
        if session.over {
            return None;
        }
        let message = match session.step().await {
            Ok(message) => message?,
            Err(error) => {
                error.log();
                session.over = session.runner.is_none() || !is_about_one_answer(&error);
                let wire = WireError::of(&error, session.cx.era);
                MultiRunnerItemResponse { status: Some(wire.status(session.cx.era)), ..Default::default() }
            }
        };
        Some((session.encoded(message), session))
    })
    .boxed()
}

struct Session {
    cx: Cx,
    requests: BoxStream<'static, Bytes>,
    /// Who asks, once that is known.
    runner: Option<(AccountCtx, String)>,
    /// What the runner is working on.
    delivery: Option<Delivery>,
    over: bool,
}

impl Session {
    fn encoded(&self, mut message: MultiRunnerItemResponse) -> Bytes {
        message.status.get_or_insert_default().req_id.clone_from(&self.cx.request_id);
        message.encode_to_vec().into()
    }

    /// Until there is something to send; `None` when the runner has ended the stream.
    async fn step(&mut self) -> Result<Option<MultiRunnerItemResponse>> {
        loop {
            let Some((account, runner_id)) = self.runner.clone() else {
                let Some(first) = self.requests.next().await else { return Ok(None) };
                let first = decode(first)?;
                let account = self.cx.account(first.user_app_id.clone()).await?;
                ocellus_core::runners::get(&account, &first.runner_id).await?;
                self.runner = Some((account, first.runner_id));
                continue;
            };
            match self.delivery.clone() {
                Some(delivery) => match self.reply(&account, &delivery).await? {
                    Some(reply) => self.take(&account, &runner_id, reply).await?,
                    None => return Ok(None),
                },
                None => match items::next_until(&account, &runner_id, self.requests.next()).await? {
                    Next::Item(delivery) => {
                        let message = one(&delivery)?;
                        self.delivery = Some(delivery);
                        return Ok(Some(message));
                    }
                    Next::Stop(Some(message)) => self.take(&account, &runner_id, message).await?,
                    Next::Stop(None) => return Ok(None),
                },
            }
        }
    }

    /// The runner's next message, while its item is kept for it; the item is given back when there is none.
    async fn reply(&mut self, account: &AccountCtx, delivery: &Delivery) -> Result<Option<Bytes>> {
        let beat = account.platform().runners_config().lease / 3;
        loop {
            let pause = std::pin::pin!(tokio::time::sleep(beat));
            match select(self.requests.next(), pause).await {
                Either::Left((Some(message), _)) => return Ok(Some(message)),
                Either::Left((None, _)) => {
                    items::give_back(account, delivery).await?;
                    return Ok(None);
                }
                Either::Right(_) => {
                    items::keep(account, delivery).await?;
                }
            }
        }
    }

    /// A message without an item is another greeting.
    async fn take(&mut self, account: &AccountCtx, runner_id: &str, message: Bytes) -> Result<()> {
        let message = decode(message)?;
        if message.runner_item_id.is_empty() {
            return Ok(());
        }
        let given = answer(message.runner_item_outputs, message.status)?;
        if self.delivery.as_ref().is_some_and(|delivery| delivery.id == message.runner_item_id) {
            self.delivery = None;
        }
        items::answer(account, runner_id, &message.runner_item_id, given).await
    }
}

/// What was wrong with one answer does not end the stream.
fn is_about_one_answer(error: &Error) -> bool {
    let of_item = matches!(error.about, Some(Resource::Other(items::NOUN, _)));
    matches!(error.kind, Kind::Invalid | Kind::Conflict | Kind::Cancelled)
        || (error.kind == Kind::NotFound && of_item)
}

fn decode(message: Bytes) -> Result<PostRunnerItemOutputsRequest> {
    PostRunnerItemOutputsRequest::decode(message)
        .map_err(|error| Error::new(Kind::Invalid, format!("the request is not a valid message: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(n: usize, code: i32) -> RunnerItemOutput {
        let status = Some(Status { code, ..Default::default() });
        let response =
            MultiOutputResponse { status, outputs: vec![Output::default(); n], ..Default::default() };
        RunnerItemOutput { response: Some(Response::MultiOutputResponse(response)) }
    }

    #[test]
    fn an_answer_is_one_set_of_outputs_or_a_reason_why_there_is_none() {
        let failed = Some(Status { code: Code::RunnerProcessingFailed as i32, ..Default::default() });
        let n_outputs = |given, status| answer(given, status).map(|answer| answer.n_outputs);
        assert_eq!(n_outputs(vec![outputs(2, 10000)], None), Ok(Some(2)));
        assert_eq!(n_outputs(vec![outputs(0, 10000)], None), Ok(Some(0)));
        assert_eq!(n_outputs(vec![outputs(0, 10020)], None), Ok(None));
        assert_eq!(n_outputs(vec![outputs(1, 10020)], failed.clone()), Ok(Some(1)));
        assert_eq!(n_outputs(vec![], failed), Ok(None));
        for bad in [vec![], vec![RunnerItemOutput::default()], vec![outputs(1, 10000), outputs(1, 10000)]] {
            assert!(n_outputs(bad, None).is_err());
        }
    }
}
