//! `GET /version` and `GET /healthcheck`, open to everybody as in the vendor's service.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ocellus_core::{Error, Platform};
use serde_json::{Value, json};

use crate::error::WireError;

/// The version of the API's paths: `/2/tasks`.
const API_VERSION: u32 = 2;

/// The vendor's document, with the name and version of this server beside it.
pub(crate) async fn get_version() -> Json<Value> {
    Json(json!({
        "Version": {
            "api": API_VERSION,
            "major": number(env!("CARGO_PKG_VERSION_MAJOR")),
            "minor": number(env!("CARGO_PKG_VERSION_MINOR")),
            "patch": number(env!("CARGO_PKG_VERSION_PATCH")),
        },
        "name": "ocellus",
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// Asks the database something small.
pub(crate) async fn healthcheck(State(platform): State<Platform>) -> Response {
    let started = Instant::now();
    match platform.store().read(|tx| Ok::<_, Error>(tx.has_accounts()?)).await {
        Ok(_) => Json(json!({"execution_time": started.elapsed().as_secs_f64()})).into_response(),
        Err(error) => {
            error.log();
            let part =
                json!({"component": "tasks_db", "error": WireError::from_core(&error).body(), "status": 0});
            (StatusCode::BAD_GATEWAY, Json(json!({"errors": [part]}))).into_response()
        }
    }
}
