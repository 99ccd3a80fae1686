//! The protocol over gRPC.

use std::marker::PhantomData;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use ocellus_core::tensors::{self, NamedTensor, Question, Values};
use ocellus_core::{Error, Result};
use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tower::service_fn;

use crate::error::WireError;
use crate::pb::infer_parameter::ParameterChoice;
use crate::pb::model_infer_request::InferInputTensor;
use crate::pb::model_infer_response::InferOutputTensor;
use crate::pb::model_metadata_response::TensorMetadata;
use crate::pb::*;
use crate::{Api, auth, binary, wire};

/// Answers `POST /inference.GRPCInferenceService/{rpc}`.
pub async fn call(State(api): State<Api>, Path(rpc): Path<String>, request: Request) -> Response {
    let headers = request.headers().clone();
    match rpc.as_str() {
        "ServerLive" => {
            unary(&api, request, |_: ServerLiveRequest| async { Ok(ServerLiveResponse { live: true }) }).await
        }
        "ServerReady" => {
            unary(&api, request, |_: ServerReadyRequest| async { Ok(ServerReadyResponse { ready: true }) })
                .await
        }
        "ServerMetadata" => {
            unary(&api, request, |_: ServerMetadataRequest| async { Ok(server_metadata()) }).await
        }
        "ModelReady" => {
            let ask = |req| Box::pin(model_ready(api.clone(), headers.clone(), req));
            unary(&api, request, ask).await
        }
        "ModelMetadata" => {
            let ask = |req| Box::pin(model_metadata(api.clone(), headers.clone(), req));
            unary(&api, request, ask).await
        }
        "ModelInfer" => {
            let ask = |req| Box::pin(model_infer(api.clone(), headers.clone(), req));
            unary(&api, request, ask).await
        }
        other => Status::unimplemented(format!("there is no RPC {other}")).into_http::<Body>(),
    }
}

async fn unary<Q, A, F>(api: &Api, request: Request, mut ask: impl FnMut(Q) -> F + Send) -> Response
where
    Q: Message + Default + 'static,
    A: Message + 'static,
    F: Future<Output = Result<A>> + Send,
{
    let codec = ProstCodec::<A, Q>(PhantomData);
    let mut server =
        tonic::server::Grpc::new(codec).apply_max_message_size_config(Some(api.max_body_bytes), None);
    let service = service_fn(move |request: tonic::Request<Q>| {
        let answer = ask(request.into_inner());
        async move {
            match answer.await {
                Ok(answer) => Ok(tonic::Response::new(answer)),
                Err(error) => Err(Status::from(WireError::from(error))),
            }
        }
    });
    server.unary(service, request).await.map(Body::new)
}

fn server_metadata() -> ServerMetadataResponse {
    ServerMetadataResponse {
        name: "ocellus".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        extensions: Vec::new(),
    }
}

async fn model_ready(api: Api, headers: HeaderMap, req: ModelReadyRequest) -> Result<ModelReadyResponse> {
    let app = auth::app(&api.platform, &headers).await?;
    tensors::about(&app, &req.name, &req.version).await?;
    Ok(ModelReadyResponse { ready: true })
}

async fn model_metadata(
    api: Api,
    headers: HeaderMap,
    req: ModelMetadataRequest,
) -> Result<ModelMetadataResponse> {
    let app = auth::app(&api.platform, &headers).await?;
    let about = tensors::about(&app, &req.name, &req.version).await?;
    let place = |place: &tensors::Place| TensorMetadata {
        name: place.name.clone(),
        datatype: wire::type_of(place.kind).to_owned(),
        shape: wire::sizes(place),
    };
    Ok(ModelMetadataResponse {
        inputs: about.inputs.iter().map(place).collect(),
        outputs: about.outputs.iter().map(place).collect(),
        properties: [("licence".to_owned(), about.licence)].into_iter().collect(),
        name: about.name,
        versions: vec![about.version],
        platform: "ocellus".to_owned(),
    })
}

async fn model_infer(api: Api, headers: HeaderMap, req: ModelInferRequest) -> Result<ModelInferResponse> {
    let app = auth::app(&api.platform, &headers).await?;
    let id = req.id.clone();
    let (about, outputs) = tensors::infer(&app, question(req)?).await?;
    let listed = outputs.iter().map(|output| InferOutputTensor {
        name: output.name.clone(),
        datatype: binary::datatype(&output.values).to_owned(),
        shape: output.shape.iter().map(|size| i64::try_from(*size).unwrap_or(i64::MAX)).collect(),
        ..InferOutputTensor::default()
    });
    let licence = InferParameter { parameter_choice: Some(ParameterChoice::StringParam(about.licence)) };
    Ok(ModelInferResponse {
        outputs: listed.collect(),
        raw_output_contents: outputs.iter().map(|output| binary::write(&output.values)).collect(),
        parameters: [("licence".to_owned(), licence)].into_iter().collect(),
        model_name: about.name,
        model_version: about.version,
        id,
    })
}

fn question(req: ModelInferRequest) -> Result<Question> {
    let is_raw = !req.raw_input_contents.is_empty();
    if is_raw && req.raw_input_contents.len() != req.inputs.len() {
        return Err(Error::invalid("raw_input_contents", "must have one item for each input"));
    }
    let mut raw = req.raw_input_contents.into_iter();
    let mut inputs = Vec::with_capacity(req.inputs.len());
    for input in req.inputs {
        inputs.push(tensor(input, raw.next())?);
    }
    let max_concepts =
        match req.parameters.get("max_concepts").and_then(|given| given.parameter_choice.clone()) {
            None => 0,
            Some(ParameterChoice::Int64Param(n)) => u32::try_from(n).unwrap_or(u32::MAX),
            Some(ParameterChoice::Uint64Param(n)) => u32::try_from(n).unwrap_or(u32::MAX),
            Some(_) => return Err(Error::invalid("parameters.max_concepts", "must be 1 to 200")),
        };
    Ok(Question {
        model_id: req.model_name,
        version_id: req.model_version,
        inputs,
        wanted: req.outputs.into_iter().map(|output| output.name).collect(),
        max_concepts,
    })
}

fn tensor(input: InferInputTensor, raw: Option<Bytes>) -> Result<NamedTensor> {
    let size = |size: &i64| usize::try_from(*size).ok();
    let shape: Option<Vec<usize>> = input.shape.iter().map(size).collect();
    let shape = shape.ok_or_else(|| Error::invalid("inputs.shape", "must not have negative sizes"))?;
    let n = wire::n_values(&shape)?;
    let values = match raw {
        Some(bytes) => binary::read(&input.datatype, bytes, n)?,
        None => {
            let contents = input.contents.unwrap_or_default();
            let values = match input.datatype.as_str() {
                "FP32" => Values::F32(contents.fp32_contents),
                "UINT8" => Values::F32(contents.uint_contents.iter().map(|x| *x as f32).collect()),
                "BYTES" => Values::Bytes(contents.bytes_contents),
                other => return Err(binary::unknown(other)),
            };
            let found = match &values {
                Values::F32(numbers) => numbers.len(),
                Values::U64(numbers) => numbers.len(),
                Values::Bytes(texts) => texts.len(),
            };
            if found != n {
                return Err(Error::invalid("inputs.contents", format!("must hold {n} values, not {found}")));
            }
            values
        }
    };
    Ok(NamedTensor { name: input.name, shape, values })
}

/// Encodes answers of one kind and decodes requests of another.
struct ProstCodec<A, Q>(PhantomData<(A, Q)>);

impl<A: Message + 'static, Q: Message + Default + 'static> Codec for ProstCodec<A, Q> {
    type Encode = A;
    type Decode = Q;
    type Encoder = ProstCodec<A, Q>;
    type Decoder = ProstCodec<A, Q>;

    fn encoder(&mut self) -> Self::Encoder {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        Self(PhantomData)
    }
}

impl<A: Message + 'static, Q: 'static> Encoder for ProstCodec<A, Q> {
    type Item = A;
    type Error = Status;

    fn encode(&mut self, message: A, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(out).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<A: 'static, Q: Message + Default + 'static> Decoder for ProstCodec<A, Q> {
    type Item = Q;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Q>, Status> {
        let wrong = |error: prost::DecodeError| {
            Status::invalid_argument(format!("the request is no message: {error}"))
        };
        Q::decode(message).map(Some).map_err(wrong)
    }
}
