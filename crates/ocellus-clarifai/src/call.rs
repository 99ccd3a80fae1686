//! What both transports do with a call: let it in, run it, and turn errors into answers.

use std::sync::Arc;

use axum::http::request::Parts;
use bytes::Bytes;
use http::{HeaderMap, StatusCode as Http, Uri};
use ocellus_http::{AccessNote, RequestId};
use prost::Message;

use crate::audit::{Record, Touched};
use crate::auth::{self, AuthType};
use crate::error::WireError;
use crate::metering::Metered;
use crate::pb::status::{Status, StatusCode as Code};
use crate::rpc::{Cx, Era, Handler, Reply};
use crate::service::{Api, Rpc};
use crate::transcode::wire;

/// What is known of a call before its body is read.
pub struct Head {
    pub era: Era,
    pub request_id: String,
    pub note: AccessNote,
    pub base_url: String,
    pub headers: HeaderMap,
    /// Where the call comes from; empty where that is unknown.
    pub address: String,
}

impl Head {
    pub fn new(api: &Api, parts: &Parts) -> Self {
        let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        Self {
            era: Era::of(&parts.headers),
            request_id: id.unwrap_or_else(|| api.platform.ids().id()),
            note: parts.extensions.get::<AccessNote>().cloned().unwrap_or_default(),
            base_url: base_url(api, &parts.headers, &parts.uri),
            headers: parts.headers.clone(),
            address: ocellus_http::peer::address(parts.extensions.get(), &parts.headers),
        }
    }

    /// The status of an error, ready to be sent.
    pub fn error_status(&self, error: &WireError) -> Status {
        self.note.set_outcome((error.code as i32).into());
        Status { req_id: self.request_id.clone(), ..error.status(self.era) }
    }
}

/// How the caller reaches us: the configured address, or what the request itself says.
fn base_url(api: &Api, headers: &HeaderMap, uri: &Uri) -> String {
    if let Some(url) = &api.config.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let host = header("x-forwarded-host")
        .or_else(|| header("host"))
        .or_else(|| uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or("localhost");
    let scheme = header("x-forwarded-proto").or_else(|| uri.scheme_str()).unwrap_or("http");
    format!("{scheme}://{host}")
}

/// Checks key and scopes, and finds the handler with its context.
pub async fn admit(api: &Arc<Api>, rpc: &Rpc, head: &Head) -> Result<(Handler, Cx), WireError> {
    let cx = enter(api, rpc, head).await?;
    let handler = rpc.handler.ok_or_else(|| {
        let is_stream = crate::rpc::is_built(&rpc.name);
        let why =
            if is_stream { "a stream and answered over gRPC only" } else { "not implemented by this server" };
        let details = format!("{} is {why}", rpc.name);
        WireError::new(Code::NotImplemented, Http::NOT_IMPLEMENTED, details)
    })?;
    Ok((handler, cx))
}

/// Checks key and scopes, and makes the context of a handler.
pub async fn enter(api: &Arc<Api>, rpc: &Rpc, head: &Head) -> Result<Cx, WireError> {
    head.note.set_route(rpc.name.clone());
    let caller = match rpc.auth {
        AuthType::None => None,
        auth @ (AuthType::Key | AuthType::Account) => {
            let caller = auth::caller(&api.platform, &head.headers, auth, head.era).await?;
            head.note.set_caller(format!("{}/{}", caller.account_id, caller.key_id));
            caller.check_scopes(&rpc.needs).map_err(|e| WireError::of(&e, head.era))?;
            Some(caller)
        }
    };
    Ok(Cx {
        platform: api.platform.clone(),
        caller,
        needs: rpc.needs.clone(),
        era: head.era,
        base_url: head.base_url.clone(),
        headers: head.headers.clone(),
        request_id: head.request_id.clone(),
        rpc: rpc.name.clone(),
        address: head.address.clone(),
        touched: Touched::default(),
    })
}

/// Runs a handler; its error is logged here, once. What it changed is written to the audit log, and what it used is
/// counted, before there is an answer.
pub async fn run(handler: Handler, cx: Cx, body: Bytes, head: &Head) -> Result<Reply, WireError> {
    let record = Record::begin(&cx, &body);
    let (metered, answer) = match Metered::begin(&cx, &body, &head.note).await {
        Ok(metered) => (metered, handler(cx, body).await),
        Err(refusal) => (None, Err(refusal)),
    };
    let answer = answer.map_err(|error| {
        error.log();
        WireError::of(&error, head.era)
    });
    let code = answer.as_ref().map_or_else(|error| error.code as i32, |reply| reply.code);
    let reply = answer.as_ref().ok();
    // Side by side, so that they can share a commit.
    tokio::join!(
        async {
            if let Some(record) = record {
                record.end(code, reply).await;
            }
        },
        async {
            if let Some(metered) = metered {
                metered.end(reply).await;
            }
        }
    );
    let reply = answer?;
    head.note.set_outcome(reply.code.into());
    Ok(reply)
}

/// An encoded answer of this RPC that holds only a status.
pub fn only_status(rpc: &Rpc, status: &Status) -> Vec<u8> {
    let mut out = Vec::new();
    wire::put_bytes(&mut out, rpc.status_field, &status.encode_to_vec());
    out
}
