//! One structured log line and two metrics for every request.
//!
//! A line holds the request's id, caller, method, route template, status and time. It never holds a path, query, header or
//! body: keys stand in all of them somewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

use crate::RequestId;

/// What a dialect adds to the log line of its request; found in the request's extensions.
#[derive(Clone, Debug, Default)]
pub struct AccessNote(Arc<Mutex<Fields>>);

#[derive(Clone, Debug, Default)]
struct Fields {
    caller: Option<String>,
    route: Option<String>,
    outcome: Option<i64>,
    n_operations: Option<u64>,
}

impl AccessNote {
    /// Who asks: an account and the public id of a key, never the secret.
    pub fn set_caller(&self, caller: impl Into<String>) {
        self.edit(|fields| fields.caller = Some(caller.into()));
    }

    /// The template of the route (`/v2/inputs/{input_id}`) or the RPC's name, where axum's own template does not tell it.
    pub fn set_route(&self, route: impl Into<String>) {
        self.edit(|fields| fields.route = Some(route.into()));
    }

    /// The vendor's code of the answer, where it says more than the HTTP status.
    pub fn set_outcome(&self, code: i64) {
        self.edit(|fields| fields.outcome = Some(code));
    }

    /// How many operations the request was counted as, where it was counted.
    pub fn set_operations(&self, n_operations: u64) {
        self.edit(|fields| fields.n_operations = Some(n_operations));
    }

    /// Writes a line of its own for operations of a stream, whose request is on the log since it was opened.
    pub fn log_operations(&self, id: &str, n_operations: u64) {
        let fields = self.fields();
        tracing::info!(
            target: "access",
            id,
            caller = fields.caller.as_deref().unwrap_or("-"),
            route = fields.route.as_deref().unwrap_or("unmatched"),
            operations = n_operations,
            "counted"
        );
    }

    fn edit(&self, change: impl FnOnce(&mut Fields)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn fields(&self) -> Fields {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Middleware: logs and counts the request. Needs [`crate::request_id::assign`] outside of it.
pub async fn log_request(mut request: Request, next: Next) -> Response {
    let mut entry = Entry::start(&mut request);
    let response = next.run(request).await;
    entry.status = response.status().as_u16();
    response
}

/// Written when dropped, so that a caller who hangs up leaves a line too.
struct Entry {
    id: String,
    method: String,
    template: Option<String>,
    note: AccessNote,
    started: Instant,
    status: u16,
}

/// The status logged when the caller left before the answer (nginx's convention).
const CLIENT_CLOSED: u16 = 499;

impl Entry {
    fn start(request: &mut Request) -> Entry {
        let note = AccessNote::default();
        request.extensions_mut().insert(note.clone());
        let extensions = request.extensions();
        Entry {
            id: extensions.get::<RequestId>().map_or_else(String::new, |id| id.0.clone()),
            method: request.method().to_string(),
            template: extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()),
            note,
            started: Instant::now(),
            status: CLIENT_CLOSED,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        let fields = self.note.fields();
        let route = fields.route.or_else(|| self.template.take()).unwrap_or_else(|| "unmatched".to_owned());
        let ms = (elapsed.as_secs_f64() * 10_000.0).round() / 10.0;
        tracing::info!(
            target: "access",
            id = %self.id,
            caller = fields.caller.as_deref().unwrap_or("-"),
            method = %self.method,
            route = %route,
            status = self.status,
            outcome = fields.outcome,
            operations = fields.n_operations,
            ms,
            "request"
        );
        let labels = [("method", self.method.clone()), ("route", route), ("status", self.status.to_string())];
        metrics::counter!("ocellus_http_requests_total", &labels).increment(1);
        metrics::histogram!("ocellus_http_request_seconds", &labels[..2]).record(elapsed.as_secs_f64());
    }
}
