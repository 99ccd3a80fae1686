//! Bundles of model versions: making them, and the route that serves them to whoever has the signed address.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue};
use http::{HeaderMap, StatusCode as Http};
use ocellus_core::ids::hash_secret;
use ocellus_core::model_bundles::{self, Exported};
use ocellus_core::{AppCtx, Caller, Error, KeyKind, Resource, Result, Scope, ScopeSet};

use crate::auth;
use crate::error::WireError;
use crate::hosted::segment;
use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::rpc::Cx;
use crate::service::Api;
use crate::status;

/// Bytes that are sent at once.
const CHUNK: u64 = 1 << 20;

pub async fn put_model_version_exports(
    cx: Cx,
    req: PutModelVersionExportsRequest,
) -> Result<SingleModelVersionExportResponse> {
    let app = cx.app(req.user_app_id).await?;
    let made = model_bundles::export(&app, &req.model_id, &req.version_id).await?;
    Ok(answer(&cx, &app, (&req.model_id, &req.version_id), &made))
}

pub async fn get_model_version_export(
    cx: Cx,
    req: GetModelVersionExportRequest,
) -> Result<SingleModelVersionExportResponse> {
    let app = cx.app(req.user_app_id).await?;
    let made = model_bundles::exported(&app, &req.model_id, &req.version_id).await?;
    Ok(answer(&cx, &app, (&req.model_id, &req.version_id), &made))
}

fn answer(
    cx: &Cx,
    app: &AppCtx,
    (model, version): (&str, &str),
    made: &Exported,
) -> SingleModelVersionExportResponse {
    let ids = [&app.app().user_id, &app.app().id, model, version].map(segment).join("/");
    let signature = signature(app, (model, version), &made.hash);
    let export = ModelVersionExport {
        status: Some(cx.status(Code::ModelExported)),
        url: format!("{}/bundles/{ids}/{signature}", cx.base_url),
        size: i64::try_from(made.size_bytes).unwrap_or(i64::MAX),
    };
    SingleModelVersionExportResponse { status: status::success(), export: Some(export) }
}

fn signature(app: &AppCtx, (model, version): (&str, &str), hash: &str) -> String {
    let mut signature = hash_secret(&format!("model bundle\n{}\n{model}\n{version}\n{hash}", app.uid()));
    signature.truncate(32);
    signature
}

/// Answers `GET /bundles/{user_id}/{app_id}/{model_id}/{version_id}/{signature}`.
pub async fn bundle(
    State(api): State<Arc<Api>>,
    Path([user_id, app_id, model, version, given]): Path<[String; 5]>,
    headers: HeaderMap,
) -> Response {
    let wanted = Wanted { user_id, app_id, model, version, signature: given };
    let found = find(&api, &wanted, &headers).await;
    match found.and_then(|(app, bundle)| stream_of(app, bundle, &wanted)) {
        Ok(response) => response,
        Err(error) => {
            error.log();
            let mut response = Response::new(Body::from(error.message.clone()));
            *response.status_mut() = WireError::from(error).http;
            response
        }
    }
}

struct Wanted {
    user_id: String,
    app_id: String,
    model: String,
    version: String,
    signature: String,
}

async fn find(api: &Api, wanted: &Wanted, headers: &HeaderMap) -> Result<(AppCtx, Exported)> {
    let missing = || Error::not_found(Resource::Other("model version export", wanted.version.clone()));
    let secret = auth::secret(headers).ok();
    // Without a key the app is opened for looking at the signature only: nothing is answered before it was checked.
    let caller = match &secret {
        Some(secret) => api.platform.authenticate(secret).await.map_err(|_| missing())?,
        None => Caller {
            account_id: wanted.user_id.clone(),
            key_id: "signed address".to_owned(),
            kind: KeyKind::Pat,
            app_uid: None,
            scopes: [Scope::MODELS_GET, Scope::MODEL_EXPORTS_GET].into_iter().collect::<ScopeSet>(),
        },
    };
    let needs = [Scope::MODELS_GET, Scope::MODEL_EXPORTS_GET];
    let app = api.platform.app(&caller, &wanted.user_id, &wanted.app_id, &needs).await;
    let app = app.map_err(|_| missing())?;
    let found = model_bundles::exported(&app, &wanted.model, &wanted.version).await.map_err(|_| missing())?;
    let is_signed = wanted.signature == signature(&app, (&wanted.model, &wanted.version), &found.hash);
    if is_signed || secret.is_some() { Ok((app, found)) } else { Err(missing()) }
}

fn stream_of(app: AppCtx, bundle: Exported, wanted: &Wanted) -> Result<Response> {
    let text = |text: String| HeaderValue::from_str(&text).map_err(Error::internal);
    let etag = text(format!("\"{}\"", bundle.hash))?;
    let name: String =
        wanted.model.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let size = bundle.size_bytes;
    let pieces = stream::unfold((app, bundle, 0), |(app, bundle, at)| async move {
        if at >= bundle.size_bytes {
            return None;
        }
        let piece: Result<Bytes> =
            model_bundles::read(&app, &bundle, at, CHUNK.min(bundle.size_bytes - at)).await;
        let next = match &piece {
            Ok(bytes) if !bytes.is_empty() => at + bytes.len() as u64,
            _ => bundle.size_bytes,
        };
        Some((piece, (app, bundle, next)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    *response.status_mut() = Http::OK;
    let all = response.headers_mut();
    all.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    all.insert(CONTENT_LENGTH, HeaderValue::from(size));
    all.insert(ETAG, etag);
    all.insert(CONTENT_DISPOSITION, text(format!("attachment; filename=\"{name}.ocellus-model.zip\""))?);
    Ok(response)
}
