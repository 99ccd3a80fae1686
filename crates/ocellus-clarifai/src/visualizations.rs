//! Visualizations: RPCs, the wire form of an app's map, and the route that serves its points in compact form.
//!
//! Each input on a map has its place as an embedding of two dimensions and the ids of its neighbours in its metadata. The
//! address of the compact form stands in the map's own metadata; it carries a signature like that of a hosted image.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode as Http};
use ocellus_core::ids::hash_secret;
use ocellus_core::maps::{self, AppMap, MapState, Points};
use ocellus_core::resources::Stored;
use ocellus_core::{AppCtx, Caller, Error, JsonMap, KeyKind, Resource, Result, Scope, ScopeSet};
use serde_json::{Value, json};

use crate::error::WireError;
use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::service::Api;
use crate::{auth, documents, hosted, status};

/// The most inputs that an answer lists; the compact form has them all.
const MAX_LISTED: usize = 20_000;

pub async fn post_visualization(
    cx: Cx,
    req: PostVisualizationRequest,
) -> Result<SingleVisualizationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let map = maps::create(&app).await?;
    one(&cx, &app, &map).await
}

pub async fn get_visualization(cx: Cx, req: GetVisualizationRequest) -> Result<SingleVisualizationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let map = maps::get(&app, &req.visualization_id).await?;
    one(&cx, &app, &map).await
}

pub async fn get_app_visualization(
    cx: Cx,
    req: GetAppVisualizationRequest,
) -> Result<SingleVisualizationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let map = maps::newest(&app).await?;
    one(&cx, &app, &map).await
}

async fn one(cx: &Cx, app: &AppCtx, map: &Stored<AppMap>) -> Result<SingleVisualizationResponse> {
    let points = match maps::points(app, &map.doc).await? {
        Some(bytes) => Points::from_bytes(&bytes)?,
        None => Points::default(),
    };
    let code = match map.doc.state {
        MapState::Pending => Code::VisualizationPending,
        MapState::Ready => Code::VisualizationSuccess,
        MapState::Failed => Code::VisualizationFailed,
    };
    let status = Status {
        details: map.doc.error.clone(),
        percent_completed: (map.doc.done * 100.0) as u32,
        ..cx.status(code)
    };
    let about = Data { metadata: documents::to_struct(&about(cx, app, map)), ..Data::default() };
    let output = VisualizationOutput {
        status: Some(status),
        id: map.id.clone(),
        app_id: app.app().id.clone(),
        r#type: map.doc.method.map(maps::Method::name).unwrap_or_default().to_owned(),
        data: Some(about),
        created_at: documents::time(map.created_at_us),
        inputs: (0..points.input_ids.len().min(MAX_LISTED)).map(|at| input(&points, at)).collect(),
    };
    Ok(SingleVisualizationResponse { status: status::success(), visualization_output: Some(output) })
}

/// What is said of the map as a whole.
fn about(cx: &Cx, app: &AppCtx, map: &Stored<AppMap>) -> JsonMap {
    let doc = &map.doc;
    let mut about = JsonMap::new();
    about.insert("n_inputs".to_owned(), json!(doc.n_inputs));
    about.insert("n_left_out".to_owned(), json!(doc.n_left_out));
    if let Some(trust) = doc.trustworthiness {
        about.insert("trustworthiness".to_owned(), json!(trust));
    }
    if let Some(key) = maps::points_key(doc) {
        let ids = [&app.app().user_id, &app.app().id, &map.id].map(|id| hosted::segment(id)).join("/");
        let url = format!("{}/maps/{ids}/{}", cx.base_url, signature(app.uid(), &map.id, key));
        about.insert("points_url".to_owned(), Value::String(url));
    }
    about
}

fn input(points: &Points, at: usize) -> Input {
    let place = points.coordinates.get(2 * at..2 * at + 2).unwrap_or_default().to_vec();
    let neighbors: Vec<&str> = points.neighbors_of(at).collect();
    let mut about = JsonMap::new();
    about.insert("neighbors".to_owned(), json!(neighbors));
    let data = Data {
        embeddings: vec![Embedding { vector: place, num_dimensions: 2 }],
        metadata: documents::to_struct(&about),
        ..Data::default()
    };
    Input { id: points.input_ids[at].clone(), data: Some(data), ..Input::default() }
}

fn signature(app_uid: &str, map_id: &str, key: &str) -> String {
    let mut signature = hash_secret(&format!("map\n{app_uid}\n{map_id}\n{key}"));
    signature.truncate(32);
    signature
}

/// Answers `GET /maps/{user_id}/{app_id}/{map_id}/{signature}` with the points in compact form.
pub async fn points(
    State(api): State<Arc<Api>>,
    Path([user_id, app_id, map_id, given]): Path<[String; 4]>,
    headers: HeaderMap,
) -> Response {
    match find(&api, [&user_id, &app_id, &map_id, &given], &headers).await {
        Ok((bytes, etag)) => {
            let unchanged = headers.get(IF_NONE_MATCH) == Some(&etag);
            let mut response = Response::new(if unchanged { Body::empty() } else { Body::from(bytes) });
            *response.status_mut() = if unchanged { Http::NOT_MODIFIED } else { Http::OK };
            let all = response.headers_mut();
            all.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            all.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
            all.insert(ETAG, etag);
            response
        }
        Err(error) => {
            error.log();
            let mut response = Response::new(Body::from(error.message.clone()));
            *response.status_mut() = WireError::from(error).http;
            response
        }
    }
}

async fn find(
    api: &Api,
    [user_id, app_id, map_id, given]: [&str; 4],
    headers: &HeaderMap,
) -> Result<(bytes::Bytes, HeaderValue)> {
    let missing = || Error::not_found(Resource::Other("visualization", map_id.to_owned()));
    let secret = auth::secret(headers).ok();
    // Without a key the app is opened for looking at the signature only: nothing is answered before it was checked.
    let caller = match &secret {
        Some(secret) => api.platform.authenticate(secret).await.map_err(|_| missing())?,
        None => Caller {
            account_id: user_id.to_owned(),
            key_id: "signed address".to_owned(),
            kind: KeyKind::Pat,
            app_uid: None,
            scopes: [Scope::TSNE_VISUALIZATIONS_GET].into_iter().collect::<ScopeSet>(),
        },
    };
    let needs = [Scope::TSNE_VISUALIZATIONS_GET];
    let app = api.platform.app(&caller, user_id, app_id, &needs).await.map_err(|_| missing())?;
    let map = maps::get(&app, map_id).await.map_err(|_| missing())?;
    let key = maps::points_key(&map.doc).ok_or_else(missing)?;
    if secret.is_none() && given != signature(app.uid(), map_id, key) {
        return Err(missing());
    }
    let bytes = maps::points(&app, &map.doc).await?.ok_or_else(missing)?;
    Ok((bytes, HeaderValue::from_str(&format!("\"{key}\"")).map_err(Error::internal)?))
}
