//! Predictions as streams: one message for each input, and for a video one for each frame, as soon as it is known. Only gRPC
//! has streams.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use ocellus_core::models::{self, Predictor};
use ocellus_core::predict::{self, FramePrediction, PredictInput, PredictOptions, Prediction};
use ocellus_core::usage::{self, Call, Done, OperationKind};
use ocellus_core::{AppCtx, Error, Kind, Result};
use prost::Message;

use crate::error::WireError;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{outputs, runner_outputs};

/// Answers one request.
pub fn generate_model_outputs(cx: Cx, requests: BoxStream<'static, Bytes>) -> BoxStream<'static, Bytes> {
    stream_model_outputs(cx, requests.take(1).boxed())
}

/// Answers one request after the other. Who is asked need only be said in the first.
pub fn stream_model_outputs(cx: Cx, requests: BoxStream<'static, Bytes>) -> BoxStream<'static, Bytes> {
    let start = Answering { cx, requests, last: PostModelOutputsRequest::default(), now: None };
    stream::unfold(start, |mut answering| async move {
        let answer = match Box::pin(answering.next()).await {
            Ok(answer) => answer?,
            Err(error) => {
                error.log();
                answering.now = None;
                let status = WireError::of(&error, answering.cx.era).status(answering.cx.era);
                MultiOutputResponse { status: Some(status), ..Default::default() }
            }
        };
        let encoded = answering.encoded(answer);
        Some((encoded, answering))
    })
    .boxed()
}

struct Answering {
    cx: Cx,
    requests: BoxStream<'static, Bytes>,
    /// The last request without its inputs.
    last: PostModelOutputsRequest,
    /// The request that is being answered.
    now: Option<Asked>,
}

/// A request with what is left of its inputs.
struct Asked {
    app: AppCtx,
    predictor: Predictor,
    options: PredictOptions,
    inputs: std::iter::Enumerate<std::vec::IntoIter<Input>>,
    /// The video that is being looked at, with how its input is repeated.
    video: Option<(Input, BoxStream<'static, Result<FramePrediction>>)>,
    /// Whether there was an answer to this request.
    is_begun: bool,
}

impl Answering {
    fn encoded(&self, mut answer: MultiOutputResponse) -> Bytes {
        answer.status.get_or_insert_default().req_id.clone_from(&self.cx.request_id);
        answer.encode_to_vec().into()
    }

    /// The next message; `None` at the end.
    async fn next(&mut self) -> Result<Option<MultiOutputResponse>> {
        loop {
            if let Some(asked) = &mut self.now {
                match asked.next(&self.cx).await? {
                    Some(output) => return Ok(Some(one(&self.cx, output))),
                    None => self.now = None,
                }
            }
            let Some(request) = self.requests.next().await else { return Ok(None) };
            if let Some(whole) = Box::pin(self.begin(request)).await? {
                return Ok(Some(whole));
            }
        }
    }

    /// Begins to answer a request; a runner answers it whole.
    async fn begin(&mut self, request: Bytes) -> Result<Option<MultiOutputResponse>> {
        let mut req = PostModelOutputsRequest::decode(request)
            .map_err(|e| Error::new(Kind::Invalid, format!("the request is not a valid message: {e}")))?;
        if req.model_id.is_empty() {
            let inputs = std::mem::take(&mut req.inputs);
            req = PostModelOutputsRequest { inputs, ..self.last.clone() };
        } else {
            self.last = PostModelOutputsRequest { inputs: Vec::new(), ..req.clone() };
        }
        let app = self.cx.app(req.user_app_id.clone()).await?;
        let version = (!req.version_id.is_empty()).then_some(req.version_id.as_str());
        if let Some(model) = ocellus_core::runners::to_predict(&app, &req.model_id, version).await? {
            return Ok(Some(runner_outputs::predict(&self.cx, &app, &model, req).await?));
        }
        let predictor = models::to_predict(&app, &req.model_id, version).await?;
        let options = outputs::options(&self.cx, req.model, &predictor)?;
        if req.inputs.is_empty() || req.inputs.len() > MAX_INPUTS {
            return Err(Error::invalid("inputs", format!("must hold 1 to {MAX_INPUTS} items")));
        }
        let inputs = req.inputs.into_iter().enumerate();
        self.now = Some(Asked { app, predictor, options, inputs, video: None, is_begun: false });
        Ok(None)
    }
}

/// The most inputs of one request.
const MAX_INPUTS: usize = 128;

impl Asked {
    /// What is said next; `None` at the end of the request. An input that cannot be looked at says so in its place.
    async fn next(&mut self, cx: &Cx) -> Result<Option<Output>> {
        loop {
            if let Some((input, frames)) = &mut self.video {
                let (input, frame) = (input.clone(), frames.next().await);
                match frame {
                    Some(Ok(frame)) => return Ok(Some(self.told(cx, input, Ok(frames_of(frame))).await?)),
                    Some(Err(error)) => {
                        self.video = None;
                        return Ok(Some(self.told(cx, input, Err(error)).await?));
                    }
                    None => self.video = None,
                }
            }
            let Some((idx, input)) = self.inputs.next() else { return Ok(None) };
            let mut echo = outputs::echo(&input);
            if echo.id.is_empty() {
                echo.id = cx.platform.ids().id();
            }
            let said = match outputs::subject(input, &format!("inputs[{idx}]")) {
                Ok(subject) => self.look(subject, &echo).await,
                Err(error) => Some(Err(error)),
            };
            if let Some(said) = said {
                return Ok(Some(self.told(cx, echo, said).await?));
            }
        }
    }

    /// What is said of an input; nothing yet of a video.
    async fn look(&mut self, input: PredictInput, echo: &Input) -> Option<Result<Prediction>> {
        match predict::each_frame(&self.app, &self.predictor, &input, &self.options).await {
            Ok(Some(frames)) => {
                self.video = Some((echo.clone(), frames));
                None
            }
            Ok(None) => match predict::run(&self.app, &self.predictor, vec![input], &self.options).await {
                Ok(mut said) => said.pop(),
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error)),
        }
    }

    /// An output. The first of a request was counted with the request; each further one is let in and counted here.
    async fn told(&mut self, cx: &Cx, input: Input, said: Result<Prediction>) -> Result<Output> {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let output = outputs::output(cx, &self.predictor, input, said, self.options.language.is_some());
        if !is_first
            && output.data.is_some()
            && let Some(caller) = &cx.caller
        {
            let call = Call {
                operation: cx.rpc.clone(),
                kind: OperationKind::Predict,
                n_operations: 1,
                free: false,
                is_part: true,
            };
            let done = Done {
                app_owner_id: self.app.app().user_id.clone(),
                app_id: self.app.app().id.clone(),
                model_id: output.model.as_ref().map(|model| model.id.clone()).unwrap_or_default(),
                n_operations: 1,
            };
            usage::begin(&cx.platform, caller, call).await?.end(done).await;
        }
        Ok(output)
    }
}

fn frames_of(frame: FramePrediction) -> Prediction {
    Prediction::Frames(vec![frame])
}

fn one(cx: &Cx, output: Output) -> MultiOutputResponse {
    let outputs = vec![output];
    MultiOutputResponse { status: Some(outputs::overall(cx, &outputs)), outputs, ..Default::default() }
}
