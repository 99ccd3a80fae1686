//! The gRPC transport: one route for all RPCs, over tonic with a codec that leaves bytes alone.
//!
//! An API error is an OK call whose message has its status set, as with the vendor. Only an RPC that
//! is not built ends with a gRPC status, `UNIMPLEMENTED`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::{Buf, BufMut, Bytes};
use futures_util::future::BoxFuture;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::call::{self, Head};
use crate::numbers_2023;
use crate::pb::status::StatusCode as Code;
use crate::service::{Api, Rpc};

/// Answers `POST /clarifai.api.V2/{rpc}`.
pub async fn call(State(api): State<Arc<Api>>, Path(rpc): Path<String>, request: Request) -> Response {
    if crate::grpc_web::is_web(request.headers()) {
        return crate::grpc_web::call(&api, &rpc, request).await;
    }
    if let Some(rpc) = api.service.rpcs.get(&rpc)
        && let Some(handler) = rpc.stream
    {
        return crate::grpc_stream::call(&api, rpc.clone(), handler, request).await;
    }
    unary(&api, &rpc, request).await
}

/// Answers a gRPC request for the RPC of this name.
pub async fn unary(api: &Arc<Api>, rpc: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let head = Arc::new(Head::new(api, &parts));
    let rpc = api.service.rpcs.get(rpc).cloned().ok_or_else(|| rpc.to_owned());
    let service = Unary { api: api.clone(), rpc, head };
    let max = api.config.max_body_bytes;
    let mut server = tonic::server::Grpc::new(RawCodec).apply_max_message_size_config(Some(max), None);
    server.unary(service, Request::from_parts(parts, body)).await.map(Body::new)
}

/// Answers the standard health check: while we answer, we serve.
pub async fn health(State(api): State<Arc<Api>>, request: Request) -> Response {
    let mut server = tonic::server::Grpc::new(RawCodec)
        .apply_max_message_size_config(Some(api.config.max_body_bytes), None);
    server.unary(Health, request).await.map(Body::new)
}

type Answer = BoxFuture<'static, Result<tonic::Response<Bytes>, tonic::Status>>;

struct Unary {
    api: Arc<Api>,
    /// The RPC, or the name of one that does not exist.
    rpc: Result<Arc<Rpc>, String>,
    head: Arc<Head>,
}

impl tonic::server::UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = Answer;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Answer {
        let (api, rpc, head) = (self.api.clone(), self.rpc.clone(), self.head.clone());
        Box::pin(async move {
            let rpc = rpc.map_err(|name| tonic::Status::unimplemented(format!("there is no RPC {name}")))?;
            let request = request.into_inner();
            let of_2023 = numbers_2023::request(&rpc.name, &request);
            let is_of_2023 = of_2023.is_some();
            let answer = match call::admit(&api, &rpc, &head).await {
                Ok((handler, cx)) => call::run(handler, cx, of_2023.unwrap_or(request), &head).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(reply) if is_of_2023 => {
                    Ok(tonic::Response::new(numbers_2023::answer(&rpc.name, &reply.body)))
                }
                Ok(reply) => Ok(tonic::Response::new(reply.body)),
                Err(error) if error.code == Code::NotImplemented && rpc.handler.is_none() => {
                    Err(tonic::Status::unimplemented(error.details))
                }
                Err(error) => {
                    let status = head.error_status(&error);
                    let mut response = tonic::Response::new(call::only_status(&rpc, &status).into());
                    if let Some(seconds) = error.retry_after_s {
                        response.metadata_mut().insert("retry-after", seconds.into());
                    }
                    Ok(response)
                }
            }
        })
    }
}

struct Health;

impl tonic::server::UnaryService<Bytes> for Health {
    type Response = Bytes;
    type Future = Answer;

    fn call(&mut self, _: tonic::Request<Bytes>) -> Answer {
        // `HealthCheckResponse { status: SERVING }`, encoded.
        Box::pin(async { Ok(tonic::Response::new(Bytes::from_static(&[0x08, 0x01]))) })
    }
}

/// Passes encoded messages through as they are.
#[derive(Clone, Copy, Default)]
pub struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        out.reserve(message.len());
        out.put(message);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        let n = message.remaining();
        Ok(Some(message.copy_to_bytes(n)))
    }
}
