//! The server's own routes: the page at `/`, the list of routes, health and metrics.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, header};
use ocellus_core::bootstrap::FIRST_USER;
use ocellus_core::{Error, Platform};
use ocellus_http::RouteInfo;
use serde_json::{Value, json};

use super::metrics::Recorder;
use crate::commands::routes::dialects;
use crate::config::platform::is_file;

#[derive(Clone)]
struct Pages {
    platform: Platform,
    runtime: PathBuf,
    recorder: Recorder,
    /// The list of routes never changes while the process lives.
    docs: Arc<str>,
}

/// The routes with what they need.
pub fn router(platform: Platform, runtime: PathBuf, recorder: Recorder) -> Router {
    Router::new()
        .route("/", get(get_index))
        .route("/docs", get(get_docs))
        .route("/livez", get(get_livez))
        .route("/readyz", get(get_readyz))
        .route("/metrics", get(get_metrics))
        .with_state(Pages { platform, runtime, recorder, docs: docs_page().into() })
}

/// What [`router`] answers.
pub fn routes() -> Vec<RouteInfo> {
    let own = [
        ("/", "get_index"),
        ("/docs", "get_docs"),
        ("/livez", "get_livez"),
        ("/readyz", "get_readyz"),
        ("/metrics", "get_metrics"),
    ];
    own.map(|(path, name)| RouteInfo {
        method: "GET".to_owned(),
        path: path.to_owned(),
        rpc: name.to_owned(),
        implemented: true,
    })
    .to_vec()
}

/// The answer for paths that nobody has.
pub async fn not_found() -> Response {
    let body =
        json!({"error": {"code": 404, "message": "there is no such path; GET /docs lists all of them"}});
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

async fn get_index(headers: HeaderMap) -> Response {
    let about = "It says what photographs show and finds similar ones, over the Clarifai API (REST, gRPC and grpc-web).";
    let links = [
        ("/docs", "every route"),
        ("/readyz", "whether database, runtime and models are ready"),
        ("/metrics", "figures for Prometheus, with a key of the first account"),
        ("/version", "the version"),
    ];
    let title = concat!("Ocellus ", env!("CARGO_PKG_VERSION"));
    let wants_html = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if wants_html {
        let items: String = links
            .iter()
            .map(|(path, what)| format!("<li><a href=\"{path}\">{path}</a> {what}</li>"))
            .collect();
        return page(title, &format!("<h1>{title}</h1><p>{about}</p><ul>{items}</ul>")).into_response();
    }
    let mut text = format!("{title}\n{about}\n\n");
    for (path, what) in links {
        let _ = writeln!(text, "{path:<10} {what}");
    }
    text.into_response()
}

async fn get_docs(State(pages): State<Pages>) -> Html<String> {
    Html(pages.docs.to_string())
}

fn docs_page() -> String {
    let mut body = String::from("<h1>Routes</h1>");
    for dialect in dialects() {
        let _ = write!(body, "<h2>{}</h2><table>", dialect.name);
        for route in dialect.routes {
            let state = if route.implemented { "" } else { "not implemented" };
            let (method, path, name) = (&route.method, &route.path, &route.rpc);
            let _ = write!(
                body,
                "<tr><td>{method}</td><td><code>{path}</code></td><td>{name}</td><td>{state}</td></tr>"
            );
        }
        body.push_str("</table>");
    }
    page("Routes of Ocellus", &body).0
}

fn page(title: &str, body: &str) -> Html<String> {
    let style = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}\
                 td{padding:.1rem .8rem .1rem 0;vertical-align:top}table{font-size:.9rem}";
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{style}</style>{body}</html>\n"
    ))
}

async fn get_livez() -> &'static str {
    "ok\n"
}

/// Ready when requests can be answered: database, inference runtime and weights are all there.
async fn get_readyz(State(pages): State<Pages>) -> (StatusCode, Json<Value>) {
    let database = pages.platform.store().read(|tx| Ok::<_, Error>(tx.has_accounts()?)).await.is_ok();
    let (platform, runtime) = (pages.platform.clone(), pages.runtime.clone());
    let files = tokio::task::spawn_blocking(move || {
        let models = platform.catalog().list().iter();
        let missing: Vec<String> =
            models.filter(|model| !model.installed()).map(|model| model.name.clone()).collect();
        (is_file(&runtime), missing)
    });
    let (runtime, missing) = files.await.unwrap_or_default();
    let ready = database && runtime && missing.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({"ready": ready, "database": database, "runtime": runtime, "models_missing": missing});
    (status, Json(body))
}

/// Figures cover every account, so that only the operator's keys open them: those of the account of the first start.
async fn get_metrics(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    if !is_operator(&pages.platform, &headers).await {
        let text = "a key of the first account is needed: Authorization: Bearer KEY\n";
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response();
    }
    let stats = pages.platform.engine().stats();
    metrics::gauge!("ocellus_engine_models_loaded").set(stats.n_loaded as f64);
    metrics::gauge!("ocellus_engine_models_bytes").set(stats.loaded_bytes as f64);
    metrics::gauge!("ocellus_engine_waiting").set(stats.n_waiting as f64);
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, pages.recorder.render()).into_response()
}

async fn is_operator(platform: &Platform, headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = shown.and_then(|text| text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("Key ")));
    match secret {
        Some(secret) => {
            platform.authenticate(secret.trim()).await.is_ok_and(|caller| caller.account_id == FIRST_USER)
        }
        None => false,
    }
}
