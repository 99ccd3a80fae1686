//! Who calls: a key, or the id of an account in the header, the query or the body, as Luna Tasks 3.8.8 and its gateway have it.

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use ocellus_core::{Platform, Result, accounts};
use ocellus_http::{AccessNote, body};
use serde::Deserialize;

use crate::error::WireError;

/// Bodies of this dialect are JSON documents; the largest lists ids of 20,000 objects.
const MAX_BODY_BYTES: usize = 16 << 20;

#[derive(Deserialize)]
struct Named {
    account_id: Option<String>,
}

/// Middleware: lets a request pass that names an account of ours or shows a key.
pub(crate) async fn require_account(
    State(platform): State<Platform>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, request_body) = request.into_parts();
    let Ok(bytes) = body::read(request_body, MAX_BODY_BYTES).await else {
        return WireError::NO_ACCOUNT.into_response();
    };
    let query: Option<Query<Named>> = Query::try_from_uri(&parts.uri).ok();
    let named = header(&parts.headers, "luna-account-id")
        .map(str::to_owned)
        .or_else(|| query.and_then(|Query(named)| named.account_id))
        .or_else(|| serde_json::from_slice::<Named>(&bytes).ok().and_then(|named| named.account_id));
    match identify(&platform, key(&parts.headers), named.as_deref()).await {
        Ok(Some(caller)) => {
            if let Some(note) = parts.extensions.get::<AccessNote>() {
                note.set_caller(caller);
            }
            next.run(Request::from_parts(parts, Body::from(bytes))).await
        }
        Ok(None) => WireError::NO_ACCOUNT.into_response(),
        Err(error) => {
            error.log();
            WireError::from_core(&error).into_response()
        }
    }
}

/// A key that was given must be valid, whatever else was given.
async fn identify(platform: &Platform, key: Option<&str>, account: Option<&str>) -> Result<Option<String>> {
    if let Some(key) = key {
        let caller = platform.authenticate(key).await?;
        return Ok(Some(format!("{}/{}", caller.account_id, caller.key_id)));
    }
    match account {
        // The public account belongs to nobody, so naming it proves nothing.
        Some(uuid) => {
            let account = accounts::get_by_uuid(platform, uuid).await?;
            Ok((!account.public).then_some(account.id))
        }
        None => Ok(None),
    }
}

fn key(headers: &HeaderMap) -> Option<&str> {
    let value = header(headers, header::AUTHORIZATION.as_str())?;
    let (scheme, secret) = value.split_once(' ')?;
    matches!(scheme.to_ascii_lowercase().as_str(), "bearer" | "key").then_some(secret.trim())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
