//! grpc-web for browsers: the same frames in a plain HTTP body, the trailers as a last frame.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode as Http};
use http_body_util::BodyExt;

use crate::service::Api;

const PREFIX: &str = "application/grpc-web";

/// Whether a request speaks grpc-web.
pub fn is_web(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with(PREFIX)
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// Translates the request to gRPC, calls, and translates the answer back.
pub async fn call(api: &Arc<Api>, rpc: &str, request: Request) -> Response {
    let kind = content_type(request.headers()).to_owned();
    let text = kind.starts_with("application/grpc-web-text");
    let (mut parts, body) = request.into_parts();
    let body = match ocellus_http::body::read(body, api.config.max_body_bytes).await {
        Ok(body) if text => match decode_text(&body) {
            Some(body) => body,
            None => return plain(Http::BAD_REQUEST),
        },
        Ok(body) => body,
        Err(_) => return plain(Http::PAYLOAD_TOO_LARGE),
    };
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    parts.headers.remove(CONTENT_LENGTH);
    let answer = crate::grpc::unary(api, rpc, Request::from_parts(parts, Body::from(body))).await;
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await else { return plain(Http::BAD_GATEWAY) };
    // A call that fails at once has its trailers among the headers.
    let trailers = body.trailers().cloned().unwrap_or_else(|| parts.headers.clone());
    let mut out = body.to_bytes().to_vec();
    put_trailers(&mut out, &trailers);
    if text {
        out = STANDARD.encode(out).into_bytes();
    }
    parts.headers.remove(CONTENT_LENGTH);
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_str(&kind).unwrap_or(HeaderValue::from_static(PREFIX)));
    Response::from_parts(parts, Body::from(out))
}

/// The text form is base64, perhaps of several pieces with padding each.
fn decode_text(body: &[u8]) -> Option<Bytes> {
    let mut out = Vec::with_capacity(body.len());
    for quad in body.trim_ascii().chunks(4) {
        out.extend_from_slice(&STANDARD.decode(quad).ok()?);
    }
    Some(out.into())
}

/// The last frame: marked by the top bit, with header lines as its contents.
fn put_trailers(out: &mut Vec<u8>, trailers: &HeaderMap) {
    let mut lines = Vec::new();
    for (name, value) in trailers {
        if name.as_str().starts_with("grpc-") {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.extend_from_slice(b":");
            lines.extend_from_slice(value.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
    }
    out.put_u8(0x80);
    out.put_u32(u32::try_from(lines.len()).unwrap_or_default());
    out.extend_from_slice(&lines);
}

fn plain(status: Http) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
