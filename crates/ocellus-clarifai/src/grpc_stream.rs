//! Calls that are streams in both directions. Only gRPC has them; over REST they are not implemented.

use std::future::ready;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use ocellus_core::Error;

use crate::call::{self, Head};
use crate::error::WireError;
use crate::grpc::RawCodec;
use crate::rpc::StreamHandler;
use crate::service::{Api, Rpc};
use crate::stream_metering;

/// Answers a gRPC request for an RPC with this handler.
pub async fn call(api: &Arc<Api>, rpc: Arc<Rpc>, handler: StreamHandler, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let head = Arc::new(Head::new(api, &parts));
    let max = api.config.max_body_bytes;
    let service = Streams { api: api.clone(), rpc, handler, head };
    let mut server = tonic::server::Grpc::new(RawCodec).apply_max_message_size_config(Some(max), None);
    server.streaming(service, Request::from_parts(parts, body)).await.map(Body::new)
}

struct Streams {
    api: Arc<Api>,
    rpc: Arc<Rpc>,
    handler: StreamHandler,
    head: Arc<Head>,
}

type Answers = BoxStream<'static, Result<Bytes, tonic::Status>>;

impl tonic::server::StreamingService<Bytes> for Streams {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<tonic::Response<Answers>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<tonic::Streaming<Bytes>>) -> Self::Future {
        let (api, rpc, handler, head) = (self.api.clone(), self.rpc.clone(), self.handler, self.head.clone());
        Box::pin(async move {
            let answers = match call::enter(&api, &rpc, &head).await {
                Ok(cx) => {
                    // A stream that breaks off has ended.
                    let whole = request.into_inner().take_while(|message| ready(message.is_ok()));
                    let requests = whole.filter_map(|message| ready(message.ok())).boxed();
                    let refusal = {
                        let (rpc, head) = (rpc.clone(), head.clone());
                        move |error: &Error| {
                            error.log();
                            let status = head.error_status(&WireError::of(error, head.era));
                            Bytes::from(call::only_status(&rpc, &status))
                        }
                    };
                    let note = head.note.clone();
                    stream_metering::run(cx, handler, requests, note, refusal).map(Ok).boxed()
                }
                Err(error) => {
                    let status = head.error_status(&error);
                    let only = Bytes::from(call::only_status(&rpc, &status));
                    stream::once(ready(Ok(only))).boxed()
                }
            };
            Ok(tonic::Response::new(answers))
        })
    }
}
