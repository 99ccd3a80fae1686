//! Errors in the vendor's form: `{"errors": {"source": {"pointer"}, "status", "title", "detail"}}`, in English or Japanese.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use ocellus_core::{Error, Kind};
use serde::Serialize;

/// The languages the vendor answers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Japanese,
}

impl Language {
    /// What the caller asks for; English unless Japanese comes first.
    pub fn of(headers: &HeaderMap) -> Language {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        if wanted.is_some_and(|wanted| wanted.trim_start().starts_with("ja")) {
            Language::Japanese
        } else {
            Language::English
        }
    }

    fn pick(self, english: &'static str, japanese: &'static str) -> &'static str {
        match self {
            Language::English => english,
            Language::Japanese => japanese,
        }
    }
}

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct WireError {
    status: StatusCode,
    pointer: String,
    title: String,
    detail: Option<String>,
}

#[derive(Serialize)]
struct Envelope {
    errors: Body,
}

#[derive(Serialize)]
struct Body {
    detail: Option<String>,
    source: Source,
    status: u16,
    title: String,
}

#[derive(Serialize)]
struct Source {
    pointer: String,
}

impl WireError {
    /// `pointer` is the path of the request, as the vendor gives it.
    fn new(status: StatusCode, pointer: &str, title: impl Into<String>) -> WireError {
        WireError { status, pointer: pointer.to_owned(), title: title.into(), detail: None }
    }

    /// No token, or none that is valid.
    pub fn no_permission(pointer: &str, language: Language) -> WireError {
        let title = language
            .pick("No permission to access this resource", "このリソースへのアクセス権限がありません。");
        WireError::new(StatusCode::UNAUTHORIZED, pointer, title)
    }

    /// A part of the login that does not fit.
    pub fn login(pointer: &str, title: &'static str) -> WireError {
        WireError::new(StatusCode::UNAUTHORIZED, pointer, title)
    }

    /// A body that cannot be read.
    pub fn invalid(pointer: &str, detail: impl Into<String>) -> WireError {
        let mut error = WireError::new(StatusCode::BAD_REQUEST, pointer, "Invalid Request");
        error.detail = Some(detail.into());
        error
    }

    /// The operation is in the vendor's document but not here.
    pub fn not_implemented(pointer: &str, language: Language) -> WireError {
        let title = language.pick("Not Implemented", "未実装");
        let detail = language.pick(
            "This server does not implement this operation yet",
            "このサーバーはこの操作にまだ対応していません。",
        );
        let mut error = WireError::new(StatusCode::NOT_IMPLEMENTED, pointer, title);
        error.detail = Some(detail.to_owned());
        error
    }

    /// The one place where an error of the core becomes one of this dialect.
    pub fn from_core(error: &Error, pointer: &str, language: Language) -> WireError {
        let status = match error.kind {
            Kind::Unauthenticated => return WireError::no_permission(pointer, language),
            Kind::Invalid | Kind::Cancelled => StatusCode::BAD_REQUEST,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        WireError::new(status, pointer, error.message.clone())
    }
}

impl IntoResponse for WireError {
    fn into_response(self) -> Response {
        let body = Envelope {
            errors: Body {
                detail: self.detail,
                source: Source { pointer: self.pointer },
                status: self.status.as_u16(),
                title: self.title,
            },
        };
        (self.status, Json(body)).into_response()
    }
}
