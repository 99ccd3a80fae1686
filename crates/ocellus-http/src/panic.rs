//! A panic in a handler becomes a 500 answer and an error line; the server goes on.

use std::any::Any;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};

/// Makes the answer for a panic. It is not told the panic's text, which may hold private data.
pub type Render = fn() -> Response;

/// The layer; a dialect puts it around its own router with its own error body, the binary around everything else.
pub fn layer(render: Render) -> CatchPanicLayer<Catch> {
    CatchPanicLayer::custom(Catch { render })
}

/// Logs a panic and renders its answer.
#[derive(Clone, Copy, Debug)]
pub struct Catch {
    render: Render,
}

impl ResponseForPanic for Catch {
    type ResponseBody = axum::body::Body;

    fn response_for_panic(&mut self, cause: Box<dyn Any + Send + 'static>) -> Response {
        let text = cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("a panic without a text");
        tracing::error!(cause = text, "a handler panicked");
        (self.render)()
    }
}

/// The answer of routes that belong to no dialect.
pub fn plain_answer() -> Response {
    let body = serde_json::json!({"error": {"code": 500, "message": "internal error"}});
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}
