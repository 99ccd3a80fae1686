//! Errors in the vendor's form: `{"error_code", "desc", "detail", "link"}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ocellus_core::{Error, Kind};
use serde_json::{Value, json};

/// Where the vendor explains each code.
const LINK: &str = "https://docs.visionlabs.ai/info/luna/troubleshooting/errors-description/code-";

/// An answer that is an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireError {
    status: StatusCode,
    code: u32,
    desc: &'static str,
    detail: &'static str,
}

impl WireError {
    /// The vendor's own answer for what it does not do (additional_extract without `missing`).
    pub const NOT_IMPLEMENTED: WireError = WireError {
        status: StatusCode::NOT_IMPLEMENTED,
        code: 12029,
        desc: "Functionality is not implemented",
        detail: "Required server functionality is not implemented",
    };
    /// Nobody said who calls. The code is that of the platform's gateway; Luna Tasks itself trusts its network.
    pub const NO_ACCOUNT: WireError = WireError {
        status: StatusCode::FORBIDDEN,
        code: 11036,
        desc: "Forbidden",
        detail: "Luna-Account-Id header is required for requests which change the state of system",
    };
    const INTERNAL: WireError = WireError {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: 1,
        desc: "Internal server error",
        detail: "Unknown error",
    };
    const DATABASE: WireError = WireError {
        status: StatusCode::GATEWAY_TIMEOUT,
        code: 10017,
        desc: "Database error",
        detail: "Database connection timeout error",
    };

    /// What finding out who calls can fail with.
    pub fn from_core(error: &Error) -> WireError {
        match error.kind {
            Kind::Invalid
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::TooLarge
            | Kind::Unsupported
            | Kind::Cancelled => WireError::NO_ACCOUNT,
            Kind::Unavailable | Kind::Timeout | Kind::Exhausted => WireError::DATABASE,
            Kind::Internal => WireError::INTERNAL,
        }
    }

    pub fn body(&self) -> Value {
        json!({
            "error_code": self.code,
            "desc": self.desc,
            "detail": self.detail,
            "link": format!("{LINK}{}", self.code),
        })
    }
}

impl IntoResponse for WireError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
