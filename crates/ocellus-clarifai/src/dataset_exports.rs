//! Archives of versions of datasets: the RPC that asks for them, what they are made of, and the route that serves them.
//!
//! An archive's address carries a signature like that of a hosted image: it reads this one archive, needs no key, and dies
//! with it. A caller with a key that may read datasets needs no signature.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, RANGE,
};
use http::{HeaderMap, StatusCode as Http};
use ocellus_core::datasets::exports::{
    self, Archive, Export, ExportAbout, ExportFormat, ExportState, Exporter, Exporters,
};
use ocellus_core::datasets::frozen::Frozen;
use ocellus_core::ids::hash_secret;
use ocellus_core::{AppCtx, Caller, Error, KeyKind, Resource, Result, Scope, ScopeSet};
use prost::Message;

use crate::dataset_versions::percent;
use crate::error::WireError;
use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::{
    DatasetVersionExport, DatasetVersionExportFormat as WireFormat, DatasetVersionExportInfo, InputBatch,
    MultiDatasetVersionExportResponse, PutDatasetVersionExportsRequest,
};
use crate::rpc::Cx;
use crate::service::Api;
use crate::transcode::{self, Form, Plans};
use crate::{auth, frozen, hosted, status};

/// The pieces in which an archive is sent. In bytes.
const CHUNK: u64 = 1 << 20;

pub async fn put_dataset_version_exports(
    cx: Cx,
    req: PutDatasetVersionExportsRequest,
) -> Result<MultiDatasetVersionExportResponse> {
    let app = cx.app(req.user_app_id).await?;
    let formats = req.exports.iter().enumerate().map(|(i, export)| {
        let field = format!("exports[{i}]");
        let format = from_wire(export.format);
        let format = format.ok_or_else(|| Error::invalid(format!("{field}.format"), "must be given"))?;
        let why = "is for the two formats of Clarifai's own data: the others have no place for vectors";
        match export.include_embeddings {
            true => format
                .with_vectors()
                .ok_or_else(|| Error::invalid(format!("{field}.include_embeddings"), why)),
            false => Ok(format),
        }
    });
    let formats = formats.collect::<Result<Vec<_>>>()?;
    let place = (req.dataset_id.as_str(), req.dataset_version_id.as_str());
    let found = exports::put(&app, place.0, place.1, formats, &cx.base_url).await?;
    let exports = found.iter().map(|export| to_wire(&cx, &app, place, export)).collect();
    Ok(MultiDatasetVersionExportResponse { status: status::success(), exports })
}

fn from_wire(format: i32) -> Option<ExportFormat> {
    match WireFormat::try_from(format).ok()? {
        WireFormat::NotSet => None,
        WireFormat::ClarifaiDataProtobuf => Some(ExportFormat::DialectBinary),
        WireFormat::ClarifaiDataJson => Some(ExportFormat::DialectJson),
        WireFormat::Coco => Some(ExportFormat::Coco),
        WireFormat::PascalVoc => Some(ExportFormat::Voc),
        WireFormat::Yolo => Some(ExportFormat::Yolo),
    }
}

/// The archives of a version; absent if nobody asked for any.
pub fn info(
    cx: &Cx,
    app: &AppCtx,
    place: (&str, &str),
    found: &[Export],
) -> Option<DatasetVersionExportInfo> {
    if found.is_empty() {
        return None;
    }
    let mut info = DatasetVersionExportInfo::default();
    // Of a format that was asked for in both ways, the one without vectors is told here.
    let (with, without): (Vec<_>, Vec<_>) =
        found.iter().partition(|export| export.format.without_vectors().1);
    for export in with.into_iter().chain(without) {
        let wire = Some(to_wire(cx, app, place, export));
        match export.format {
            ExportFormat::DialectBinary | ExportFormat::VectorsBinary => info.clarifai_data_protobuf = wire,
            ExportFormat::DialectJson | ExportFormat::VectorsJson => info.clarifai_data_json = wire,
            ExportFormat::Coco => info.coco = wire,
            ExportFormat::Voc => info.pascal_voc = wire,
            ExportFormat::Yolo => info.yolo = wire,
        }
    }
    Some(info)
}

fn to_wire(cx: &Cx, app: &AppCtx, (dataset, version): (&str, &str), export: &Export) -> DatasetVersionExport {
    let format = match export.format {
        ExportFormat::DialectBinary | ExportFormat::VectorsBinary => WireFormat::ClarifaiDataProtobuf,
        ExportFormat::DialectJson | ExportFormat::VectorsJson => WireFormat::ClarifaiDataJson,
        ExportFormat::Coco => WireFormat::Coco,
        ExportFormat::Voc => WireFormat::PascalVoc,
        ExportFormat::Yolo => WireFormat::Yolo,
    };
    let code = match export.state {
        ExportState::Pending => Code::DatasetVersionExportPending,
        ExportState::InProgress => Code::DatasetVersionExportInProgress,
        ExportState::Ready => Code::DatasetVersionExportSuccess,
        ExportState::Failed => Code::DatasetVersionExportFailed,
    };
    let lost = export.lost.iter().map(|(what, n)| format!("{n} {what}")).collect::<Vec<_>>().join(", ");
    let details = match (&export.error, lost.is_empty()) {
        (error, _) if !error.is_empty() => error.clone(),
        (_, true) => String::new(),
        (_, false) => format!("left out, because the format cannot hold it: {lost}"),
    };
    let done = percent(export.n_done, export.n_items);
    let url = export.hash.as_ref().map(|hash| {
        let segment = hosted::segment;
        let ids = [&app.app().user_id, &app.app().id].map(|id| segment(id)).join("/");
        let name = export.format.name();
        let signature = signature(app, (dataset, version, name), hash);
        let base_url = &cx.base_url;
        format!("{base_url}/exports/{ids}/{}/{}/{name}/{signature}", segment(dataset), segment(version))
    });
    DatasetVersionExport {
        format: format as i32,
        status: Some(Status { details, percent_completed: done, ..cx.status(code) }),
        url: url.unwrap_or_default(),
        size: export.size_bytes,
        include_embeddings: export.format.without_vectors().1,
    }
}

fn signature(app: &AppCtx, (dataset, version, format): (&str, &str, &str), hash: &str) -> String {
    let text = format!("dataset export\n{}\n{dataset}\n{version}\n{format}\n{hash}", app.uid());
    let mut signature = hash_secret(&text);
    signature.truncate(32);
    signature
}

/// Brings the vendor's two formats along.
pub fn register(exporters: &Exporters, plans: Arc<Plans>) {
    let batch = |about: &ExportAbout, inputs: &[Frozen]| {
        let inputs = inputs.iter().map(|input| frozen::to_wire(about, input)).collect();
        InputBatch { inputs }.encode_to_vec()
    };
    let binary = Exporter { mimetype: "application/x.clarifai-data+protobuf", encode: Arc::new(batch) };
    exporters.register(ExportFormat::DialectBinary, binary);
    let as_json = move |about: &ExportAbout, inputs: &[Frozen]| {
        let mut json = Vec::new();
        if let Some(index) = plans.index("clarifai.api.InputBatch") {
            let form = Form { plans: &plans, old: false };
            transcode::write(form, plans.get(index), &batch(about, inputs), &mut json);
        }
        json
    };
    let json = Exporter { mimetype: "application/x.clarifai-data+json", encode: Arc::new(as_json) };
    exporters.register(ExportFormat::DialectJson, json);
}

/// Answers `GET /exports/{user_id}/{app_id}/{dataset_id}/{version_id}/{format}/{signature}`, from the middle on if asked.
pub async fn archive(
    State(api): State<Arc<Api>>,
    Path([user_id, app_id, dataset, version, format, given]): Path<[String; 6]>,
    headers: HeaderMap,
) -> Response {
    let wanted = Wanted { user_id, app_id, dataset, version, format, signature: given };
    let found = find(&api, &wanted, &headers).await;
    match found.and_then(|archive| answer(archive, &wanted, &headers)) {
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
    dataset: String,
    version: String,
    format: String,
    signature: String,
}

async fn find(api: &Api, wanted: &Wanted, headers: &HeaderMap) -> Result<Archive> {
    let missing = || Error::not_found(Resource::Other("dataset version export", wanted.format.clone()));
    let format = ExportFormat::from_name(&wanted.format).ok_or_else(missing)?;
    let secret = auth::secret(headers).ok();
    // Without a key the app is opened for looking at the signature only: nothing is answered before it was checked.
    let caller = match &secret {
        Some(secret) => api.platform.authenticate(secret).await.map_err(|_| missing())?,
        None => Caller {
            account_id: wanted.user_id.clone(),
            key_id: "signed address".to_owned(),
            kind: KeyKind::Pat,
            app_uid: None,
            scopes: [Scope::DATASETS_GET].into_iter().collect::<ScopeSet>(),
        },
    };
    let app = api.platform.app(&caller, &wanted.user_id, &wanted.app_id, &[Scope::DATASETS_GET]).await;
    let app = app.map_err(|_| missing())?;
    let archive =
        exports::open(&app, &wanted.dataset, &wanted.version, format).await.map_err(|_| missing())?;
    let place = (wanted.dataset.as_str(), wanted.version.as_str(), wanted.format.as_str());
    let is_signed = wanted.signature == signature(&app, place, &archive.hash);
    if is_signed || secret.is_some() { Ok(archive) } else { Err(missing()) }
}

fn answer(archive: Archive, wanted: &Wanted, headers: &HeaderMap) -> Result<Response> {
    let size = archive.size_bytes;
    let range = headers.get(RANGE).and_then(|value| value.to_str().ok()).map(|text| range(text, size));
    let (status, start, end) = match range {
        None => (Http::OK, 0, size),
        Some(Some((start, end))) => (Http::PARTIAL_CONTENT, start, end),
        Some(None) => (Http::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let text = |text: String| HeaderValue::from_str(&text).map_err(Error::internal);
    let etag = text(format!("\"{}\"", archive.hash))?;
    let name: String =
        wanted.dataset.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let mut response = Response::new(Body::from_stream(pieces(archive, start, end)));
    *response.status_mut() = status;
    let all = response.headers_mut();
    all.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    all.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    all.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    all.insert(ETAG, etag);
    all.insert(CONTENT_DISPOSITION, text(format!("attachment; filename=\"{name}-{}.zip\"", wanted.format))?);
    if status == Http::PARTIAL_CONTENT {
        all.insert(CONTENT_RANGE, text(format!("bytes {start}-{}/{size}", end - 1))?);
    } else if status == Http::RANGE_NOT_SATISFIABLE {
        all.insert(CONTENT_RANGE, text(format!("bytes */{size}"))?);
    }
    Ok(response)
}

fn pieces(archive: Archive, start: u64, end: u64) -> impl stream::Stream<Item = Result<Bytes>> {
    stream::unfold((archive, start), move |(archive, at)| async move {
        if at >= end {
            return None;
        }
        let piece = archive.read(at, CHUNK.min(end - at)).await;
        let next = match &piece {
            Ok(bytes) if !bytes.is_empty() => at + bytes.len() as u64,
            _ => end,
        };
        Some((piece, (archive, next)))
    })
}

/// One range of bytes as start and end; `None` if it cannot be had.
fn range(text: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.trim(), last.trim()) {
        ("", n) => (size.saturating_sub(n.parse().ok()?), size),
        (start, "") => (start.parse().ok()?, size),
        (start, last) => (start.parse().ok()?, last.parse::<u64>().ok()?.saturating_add(1).min(size)),
    };
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_and_refused_beyond_it() {
        let cases = [
            ("bytes=0-9", Some((0, 10))),
            ("bytes=90-", Some((90, 100))),
            ("bytes=-10", Some((90, 100))),
            ("bytes=95-400", Some((95, 100))),
            ("bytes=100-", None),
            ("bytes=9-3", None),
            ("lines=1-2", None),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text, 100), expected, "{text}");
        }
    }
}
