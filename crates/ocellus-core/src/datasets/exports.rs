//! Archives of versions: asked for, made by a job, and read by whoever may read the app.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ocellus_interchange::Format;
use ocellus_store as store;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frozen::Frozen;
use super::versions::{self, VersionState};
use crate::jobs::export_dataset;
use crate::{AppCtx, Error, JsonMap, Resource, Result};

/// What an archive is made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExportFormat {
    /// The dialect's own messages, encoded.
    DialectBinary,
    /// The dialect's own messages, as JSON.
    DialectJson,
    /// The dialect's own messages, encoded, with the inputs' vectors.
    VectorsBinary,
    /// The dialect's own messages, as JSON, with the inputs' vectors.
    VectorsJson,
    /// COCO detection and instances.
    Coco,
    /// Pascal VOC.
    Voc,
    /// YOLO v5/v8.
    Yolo,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::DialectBinary,
        Self::DialectJson,
        Self::VectorsBinary,
        Self::VectorsJson,
        Self::Coco,
        Self::Voc,
        Self::Yolo,
    ];

    /// The format, and whether vectors are added to it.
    pub fn without_vectors(self) -> (Self, bool) {
        match self {
            Self::VectorsBinary => (Self::DialectBinary, true),
            Self::VectorsJson => (Self::DialectJson, true),
            Self::DialectBinary | Self::DialectJson | Self::Coco | Self::Voc | Self::Yolo => (self, false),
        }
    }

    /// The same with vectors; none for formats that cannot hold them.
    pub fn with_vectors(self) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.without_vectors() == (self, true))
    }

    /// The name used in the store and in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::DialectBinary => "dialect-binary",
            Self::DialectJson => "dialect-json",
            Self::VectorsBinary => "dialect-binary-vectors",
            Self::VectorsJson => "dialect-json-vectors",
            Self::Coco => "coco",
            Self::Voc => "voc",
            Self::Yolo => "yolo",
        }
    }

    /// The format with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The format of the field that it is, if it is one.
    pub(crate) fn of_the_field(self) -> Option<Format> {
        match self {
            Self::DialectBinary | Self::DialectJson | Self::VectorsBinary | Self::VectorsJson => None,
            Self::Coco => Some(Format::Coco),
            Self::Voc => Some(Format::Voc),
            Self::Yolo => Some(Format::Yolo),
        }
    }
}

/// What an archive in a dialect's own messages is made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportAbout {
    /// The app's internal id, for signing addresses.
    pub app_uid: String,
    /// The app's owner.
    pub user_id: String,
    /// The app.
    pub app_id: String,
    /// The dataset.
    pub dataset_id: String,
    /// How whoever asked for it reaches the server, for addresses in it.
    pub base_url: String,
}

/// Encodes some inputs as one file of an archive.
pub type Encode = Arc<dyn Fn(&ExportAbout, &[Frozen]) -> Vec<u8> + Send + Sync>;

/// A dialect's own way of writing archives: files of some inputs each.
#[derive(Clone)]
pub struct Exporter {
    /// The content of the archive's first file, `mimetype`.
    pub mimetype: &'static str,
    /// Encodes some inputs as one file.
    pub encode: Encode,
}

/// The ways of writing archives that dialects brought along.
#[derive(Default)]
pub struct Exporters(RwLock<HashMap<ExportFormat, Exporter>>);

impl Exporters {
    /// Brings one along; the last for a format counts.
    pub fn register(&self, format: ExportFormat, exporter: Exporter) {
        self.0.write().insert(format, exporter);
    }

    pub(crate) fn get(&self, format: ExportFormat) -> Option<Exporter> {
        self.0.read().get(&format).cloned()
    }
}

/// How far an archive has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// Waiting.
    Pending,
    /// Being written.
    InProgress,
    /// Can be fetched.
    Ready,
    /// Given up.
    Failed,
}

pub(crate) const PENDING: i64 = 0;
pub(crate) const READY: i64 = 2;
pub(crate) const FAILED: i64 = 3;

/// An archive, there or on its way.
#[derive(Clone, Debug)]
pub struct Export {
    /// What it is made in.
    pub format: ExportFormat,
    /// How far it has got.
    pub state: ExportState,
    /// SHA-256 of the archive, once ready.
    pub hash: Option<String>,
    /// In bytes, once ready.
    pub size_bytes: u64,
    /// Inputs written so far.
    pub n_done: u64,
    /// Inputs to be written.
    pub n_items: u64,
    /// Why it could not be made.
    pub error: String,
    /// What was left out because the format cannot hold it, with how often.
    pub lost: JsonMap,
}

fn from_row(row: store::DatasetExport) -> Option<Export> {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    Some(Export {
        format: ExportFormat::from_name(&row.format)?,
        state: match row.state {
            PENDING => ExportState::Pending,
            READY => ExportState::Ready,
            FAILED => ExportState::Failed,
            _ => ExportState::InProgress,
        },
        hash: row.blob,
        size_bytes: number(row.size_bytes),
        n_done: number(row.n_done),
        n_items: number(row.n_items),
        error: row.error,
        lost: match row.doc.get("lost") {
            Some(Value::Object(lost)) => lost.clone(),
            _ => JsonMap::new(),
        },
    })
}

/// Asks for archives of a version, and tells how far each has got. One that is there or on its way is not made again; one
/// that failed is. Those of a version that is being made wait for it. `Invalid` if the version failed.
pub async fn put(
    app: &AppCtx,
    dataset_id: &str,
    version_id: &str,
    formats: Vec<ExportFormat>,
    base_url: &str,
) -> Result<Vec<Export>> {
    app.check_writable()?;
    if formats.is_empty() || formats.len() > ExportFormat::ALL.len() {
        return Err(Error::invalid("exports", format!("must hold 1 to {} items", ExportFormat::ALL.len())));
    }
    let platform = app.platform();
    let about = ExportAbout {
        app_uid: app.uid().to_owned(),
        user_id: app.app().user_id.clone(),
        app_id: app.app().id.clone(),
        dataset_id: dataset_id.to_owned(),
        base_url: base_url.to_owned(),
    };
    let asked = export_dataset::Asked {
        version_id: version_id.to_owned(),
        account_id: app.caller().account_id.clone(),
        key_id: app.caller().key_id.clone(),
        now_us: platform.clock().now_us(),
        runs: formats.iter().map(|format| (*format, platform.ids().id())).collect(),
    };
    let exports = platform.store().write(move |tx| start(tx, &about, &asked)).await?;
    platform.job_added().notify_waiters();
    Ok(exports)
}

fn start(tx: &store::Tx<'_>, about: &ExportAbout, asked: &export_dataset::Asked) -> Result<Vec<Export>> {
    let version = versions::find_unless_failed(tx, &about.app_uid, &about.dataset_id, &asked.version_id)?;
    let mut known: HashMap<String, store::DatasetExport> = HashMap::new();
    for row in tx.dataset_exports(&about.app_uid, &version.uid)? {
        known.insert(row.format.clone(), row);
    }
    let mut exports = Vec::with_capacity(asked.runs.len());
    for (format, run) in &asked.runs {
        let row = match known.get(format.name()) {
            Some(row) if row.state != FAILED => row.clone(),
            _ => {
                let row = asked.row(about, &version, *format, run);
                match version.state {
                    VersionState::Ready => export_dataset::begin(tx, about, &row)?,
                    VersionState::Pending | VersionState::InProgress | VersionState::Failed => {
                        export_dataset::wait(tx, about, &row)?;
                    }
                }
                known.insert(row.format.clone(), row.clone());
                row
            }
        };
        exports.extend(from_row(row));
    }
    Ok(exports)
}

/// The archives of versions, made or on their way, in the order of the versions.
pub async fn of_versions(app: &AppCtx, uids: Vec<VersionRef>) -> Result<Vec<Vec<Export>>> {
    let app_uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let of = |uid: &VersionRef| {
            Ok(tx.dataset_exports(&app_uid, &uid.0)?.into_iter().filter_map(from_row).collect())
        };
        uids.iter().map(of).collect::<Result<Vec<_>>>()
    };
    app.platform().store().read(read).await
}

/// Names a version for [`of_versions`].
#[derive(Clone, Debug)]
pub struct VersionRef(String);

impl From<&versions::Version> for VersionRef {
    fn from(version: &versions::Version) -> Self {
        Self(version.uid.clone())
    }
}

/// An archive to read from.
#[derive(Clone)]
pub struct Archive {
    /// SHA-256 of it, in hex.
    pub hash: String,
    /// In bytes.
    pub size_bytes: u64,
    blobs: store::Blobs,
}

/// Opens an archive. `NotFound` unless it is ready.
pub async fn open(app: &AppCtx, dataset_id: &str, version_id: &str, format: ExportFormat) -> Result<Archive> {
    let (app_uid, dataset, version) = (app.uid().to_owned(), dataset_id.to_owned(), version_id.to_owned());
    let missing = || Error::not_found(Resource::Other("dataset version export", format.name().to_owned()));
    let rows = app
        .platform()
        .store()
        .read(move |tx| {
            let version = versions::find_ready(tx, &app_uid, &dataset, &version)?;
            Ok::<_, Error>(tx.dataset_exports(&app_uid, &version.uid)?)
        })
        .await?;
    let row = rows.into_iter().find(|row| row.format == format.name() && row.state == READY);
    let row = row.ok_or_else(missing)?;
    let hash = row.blob.ok_or_else(missing)?;
    let blobs = app.platform().store().blobs().clone();
    Ok(Archive { hash, size_bytes: u64::try_from(row.size_bytes).unwrap_or(0), blobs })
}

impl Archive {
    /// Up to `n_bytes` bytes from a place on; none beyond the end.
    pub async fn read(&self, offset: u64, n_bytes: u64) -> Result<Bytes> {
        let n_bytes = n_bytes.min(self.size_bytes.saturating_sub(offset));
        if n_bytes == 0 {
            return Ok(Bytes::new());
        }
        let missing = || Error::not_found(Resource::Other("dataset version export", self.hash.clone()));
        self.blobs.read_at(&self.hash, offset, n_bytes).await?.ok_or_else(missing)
    }
}
