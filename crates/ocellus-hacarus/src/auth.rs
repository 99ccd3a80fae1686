//! Signing in with a client id and secret, and the guard that asks every other operation for a token.

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Uri, header};
use ocellus_core::{Kind, Platform};
use ocellus_http::AccessNote;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Language, WireError};

#[derive(Deserialize)]
struct LoginParams {
    client_id: String,
    client_secret: String,
    grant_type: String,
}

/// `POST /api/auth/token`. The SDK reads `data.access_token`, the SaaS of 2020 a bare `access_token`; both are there.
pub(crate) async fn login(
    State(platform): State<Platform>,
    uri: Uri,
    body: Bytes,
) -> Result<Json<Value>, WireError> {
    let path = uri.path();
    let params: LoginParams =
        serde_json::from_slice(&body).map_err(|error| WireError::invalid(path, error.to_string()))?;
    if params.grant_type != "client_credentials" {
        return Err(WireError::invalid(path, "grant_type must be client_credentials"));
    }
    let token = match platform.token_for_client(&params.client_id, &params.client_secret).await {
        Ok(token) => token,
        // The core does not tell an unknown id from a wrong secret, and a stranger should not learn it either.
        Err(error) if matches!(error.kind, Kind::Unauthenticated | Kind::NotFound) => {
            return Err(WireError::login(path, "Client id and secret mismatch"));
        }
        Err(error) => return Err(crate::answer(&error, path, Language::English)),
    };
    Ok(Json(json!({
        "data": {"access_token": token.secret, "expires": token.expires_in_s},
        "access_token": token.secret,
        "expires": token.expires_in_s,
    })))
}

/// `GET /api/auth/app_version`.
pub(crate) async fn get_version() -> Json<Value> {
    Json(json!({"data": concat!(env!("CARGO_PKG_VERSION"), ".0")}))
}

/// Middleware: lets a request with a valid bearer token pass.
pub(crate) async fn require_token(
    State(platform): State<Platform>,
    uri: Uri,
    request: Request,
    next: Next,
) -> Response {
    let language = Language::of(request.headers());
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    match platform.authenticate(token.trim()).await {
        Ok(caller) => {
            if let Some(note) = request.extensions().get::<AccessNote>() {
                note.set_caller(format!("{}/{}", caller.account_id, caller.key_id));
            }
            next.run(request).await
        }
        Err(error) => crate::answer(&error, uri.path(), language).into_response(),
    }
}
