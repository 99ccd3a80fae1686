//! The REST transport: finds the RPC of a path, turns JSON into its request and its answer into JSON.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode as Http};
use ocellus_http::body::{self, BodyError};
use prost::Message;

use crate::call::{self, Head};
use crate::error::WireError;
use crate::paths::Found;
use crate::pb::status::StatusCode as Code;
use crate::rpc::{Era, Reply};
use crate::service::{Api, Rpc};
use crate::status;
use crate::transcode::{self, Form, Malformed};

/// Above this many bytes a body is transcoded away from the threads that serve connections.
const LARGE_BODY_BYTES: usize = 1 << 20;

/// Answers any request below `/v2`.
pub async fn rest(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let head = Head::new(&api, &parts);
    let (route, variables) = match api.service.paths.find(&parts.method, parts.uri.path()) {
        Found::Target(route, variables) => (route, variables),
        Found::WrongMethod => {
            let details = format!("{} is not allowed on this path", parts.method);
            let error = WireError::new(Code::ConnMethodNotAllowed, Http::METHOD_NOT_ALLOWED, details);
            return failure(&api, None, &head, &error);
        }
        Found::Nothing => {
            let details = "No such path. Check the url of your request.";
            let error = WireError::new(Code::ConnDoesNotExist, Http::NOT_FOUND, details);
            return failure(&api, None, &head, &error);
        }
    };
    let rpc = route.rpc.clone();
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
    let params: Vec<(String, String)> =
        query(parts.uri.query().unwrap_or_default()).chain(variables).collect();
    // Clients send a body with everything, even with DELETE; with GET it means nothing.
    let body = match parts.method {
        Method::GET | Method::HEAD => Body::empty(),
        _ => body,
    };
    match answer(&api, &rpc, &head, params, body).await {
        Ok(reply) => success(&api, &rpc, &head, &reply),
        Err(error) => failure(&api, Some(&rpc), &head, &error),
    }
}

async fn answer(
    api: &Arc<Api>,
    rpc: &Arc<Rpc>,
    head: &Head,
    params: Vec<(String, String)>,
    body: Body,
) -> Result<Reply, WireError> {
    let (handler, cx) = call::admit(api, rpc, head).await?;
    let body = body::read(body, api.config.max_body_bytes).await.map_err(|e| unreadable(api, e))?;
    let message = if body.len() > LARGE_BODY_BYTES {
        let (api, rpc, form) = (api.clone(), rpc.clone(), is_form(&head.headers));
        let work = tokio::task::spawn_blocking(move || request_message(&api, &rpc, form, &body, &params));
        work.await.map_err(|_| WireError::malformed("the request body could not be read"))?
    } else {
        request_message(api, rpc, is_form(&head.headers), &body, &params)
    };
    let message = message.map_err(|e| WireError::malformed(e.to_string()))?;
    call::run(handler, cx, message.into(), head).await
}

fn unreadable(api: &Api, error: BodyError) -> WireError {
    match error {
        BodyError::TooLarge => {
            let details = format!("the request body is larger than {} bytes", api.config.max_body_bytes);
            WireError::new(Code::RpcMaxMessageSizeExceeded, Http::PAYLOAD_TOO_LARGE, details)
        }
        BodyError::Broken => WireError::malformed("the request body broke off"),
    }
}

/// Body first, then query, then path: what comes later adds to lists and overrides single values.
fn request_message(
    api: &Api,
    rpc: &Rpc,
    form: bool,
    body: &[u8],
    params: &[(String, String)],
) -> Result<Vec<u8>, Malformed> {
    let plans = &api.service.plans;
    let plan = plans.get(rpc.input);
    let mut out = Vec::with_capacity(body.len() * 3 / 4 + 256);
    let body = body.trim_ascii();
    // JSON is often sent under the form type, as curl does; a real form only comes for tokens.
    if form && !body.starts_with(b"{") {
        for (name, value) in url::form_urlencoded::parse(body) {
            transcode::set(plans, plan, &name, &value, &mut out)?;
        }
    } else if !body.is_empty() {
        transcode::read(plans, plan, body, &mut out)?;
    }
    for (name, value) in params {
        transcode::set(plans, plan, name, value, &mut out)?;
    }
    Ok(out)
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    content_type.starts_with("application/x-www-form-urlencoded")
}

fn query(raw: &str) -> impl Iterator<Item = (String, String)> + '_ {
    url::form_urlencoded::parse(raw.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

fn success(api: &Api, rpc: &Rpc, head: &Head, reply: &Reply) -> Response {
    // The status of this one answer is what was asked about, not how the call went.
    let http = if rpc.name == "GetStatusCode" { Http::OK } else { status::http(reply.code) };
    json(api, head, http, rpc.output, &reply.body)
}

fn failure(api: &Api, rpc: Option<&Rpc>, head: &Head, error: &WireError) -> Response {
    let status = head.error_status(error);
    let mut response = match rpc {
        Some(rpc) => json(api, head, error.http, rpc.output, &call::only_status(rpc, &status)),
        None => {
            let mut out = b"{\"status\":".to_vec();
            let plan = api.service.plans.get(api.service.status_plan);
            transcode::write(form(api, head), plan, &status.encode_to_vec(), &mut out);
            out.push(b'}');
            typed(error.http, out)
        }
    };
    if let Some(seconds) = error.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The answer of a call whose handler panicked; what it was about is only logged.
pub fn panicked() -> Response {
    let code = Code::InternalUnexpectedPanic;
    let description = status::description(Era::Current, code as i32);
    let body = serde_json::json!({"status": {"code": code as i32, "description": description}});
    typed(Http::INTERNAL_SERVER_ERROR, body.to_string().into_bytes())
}

fn form<'p>(api: &'p Api, head: &Head) -> Form<'p> {
    Form { plans: &api.service.plans, old: head.era == Era::Y2019 }
}

fn json(api: &Api, head: &Head, http: Http, message: usize, bytes: &[u8]) -> Response {
    let mut out = Vec::with_capacity(bytes.len() * 3 + 256);
    transcode::write(form(api, head), api.service.plans.get(message), bytes, &mut out);
    typed(http, out)
}

fn typed(http: Http, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = http;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_with_the_vendors_code_for_it() {
        let response = panicked();
        assert_eq!(response.status(), Http::INTERNAL_SERVER_ERROR);
        let body = body::read(response.into_body(), 1000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["status"]["code"], 98011);
    }
}
