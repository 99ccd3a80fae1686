//! The protocol over REST.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use ocellus_core::{Error, Result, tensors};
use serde_json::{Value, json};

use crate::error::WireError;
use crate::{Api, auth, wire};

/// Says how long the JSON is, before binary data.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

type Names = Path<HashMap<String, String>>;

pub async fn live() -> Json<Value> {
    Json(json!({"live": true}))
}

pub async fn ready() -> Json<Value> {
    Json(json!({"ready": true}))
}

pub async fn server_metadata() -> Json<Value> {
    Json(
        json!({"name": "ocellus", "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data"]}),
    )
}

pub async fn model_metadata(
    State(api): State<Api>,
    Path(names): Names,
    headers: HeaderMap,
) -> Result<Json<Value>, WireError> {
    let app = auth::app(&api.platform, &headers).await?;
    let about = tensors::about(&app, name(&names, "name"), name(&names, "version")).await?;
    Ok(Json(wire::metadata(&about)))
}

pub async fn model_ready(
    State(api): State<Api>,
    Path(names): Names,
    headers: HeaderMap,
) -> Result<Json<Value>, WireError> {
    let app = auth::app(&api.platform, &headers).await?;
    let about = tensors::about(&app, name(&names, "name"), name(&names, "version")).await?;
    Ok(Json(json!({"name": about.name, "ready": true})))
}

pub async fn infer(
    State(api): State<Api>,
    Path(names): Names,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, WireError> {
    let app = auth::app(&api.platform, &headers).await?;
    let (request, binary) = read(&headers, body)?;
    let mut question = wire::question(&request, binary)?;
    name(&names, "name").clone_into(&mut question.model_id);
    name(&names, "version").clone_into(&mut question.version_id);
    let (about, outputs) = tensors::infer(&app, question).await?;
    let (json, binary) = wire::answer(&request, &about, &outputs)?;
    Ok(response(json, binary))
}

fn name<'a>(names: &'a HashMap<String, String>, which: &str) -> &'a str {
    names.get(which).map_or("", String::as_str)
}

fn read(headers: &HeaderMap, mut body: Bytes) -> Result<(wire::InferRequest, Bytes)> {
    let length = headers.get(JSON_LENGTH).map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    let json = match length {
        None => std::mem::take(&mut body),
        Some(Some(n)) if n <= body.len() => body.split_to(n),
        Some(_) => return Err(Error::invalid(JSON_LENGTH.as_str(), "must be the length of the JSON")),
    };
    let request = serde_json::from_slice(&json).map_err(|error| {
        Error::new(ocellus_core::Kind::Invalid, format!("the request cannot be read: {error}"))
    })?;
    Ok((request, body))
}

fn response(mut json: Vec<u8>, binary: Option<Vec<u8>>) -> Response {
    let length = json.len();
    let (kind, is_binary) = match binary {
        None => ("application/json", false),
        Some(bytes) => {
            json.extend(bytes);
            ("application/octet-stream", true)
        }
    };
    let mut response = json.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if is_binary {
        response.headers_mut().insert(JSON_LENGTH, HeaderValue::from(length));
    }
    response
}
