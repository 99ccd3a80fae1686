//! Versions of datasets: what was in one at some moment, frozen for good by a job.

use std::collections::BTreeSet;

use ocellus_store as store;
use serde::{Deserialize, Serialize};

use super::frozen::Only;
use super::{Counts, find, read_doc};
use crate::jobs::{export_dataset, freeze_dataset, purge_datasets};
use crate::resources::{self, Document, Listing, MAX_PER_CALL, New, Shelf, Stored};
use crate::search::{self, Filter};
use crate::{AppCtx, Error, JsonMap, Page, PatchAction, Result};

/// A version of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Version {
    /// Under which its rows are kept; never shown to a client.
    pub(crate) uid: String,
    /// The dataset it is of, told from a later one with the same id.
    pub(crate) dataset_uid: String,
    /// The owner's words.
    pub description: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// How far it may be seen, as the dialect numbers it; 0 for not said.
    pub visibility: i32,
    /// What it was made for, as the dialect numbers it; 0 for not said.
    pub origin: i32,
    /// How far it has got.
    pub state: VersionState,
    /// What it is made of, as the dialect wrote it; empty for all that counts.
    pub filter: String,
    /// Why it could not be made.
    pub error: String,
    /// Inputs frozen so far, and to be frozen.
    pub progress: (u64, u64),
    /// SHA-256 over inputs, their content and their labels, once ready.
    pub content_hash: String,
    /// What it holds, once ready.
    pub counts: Counts,
}

/// How far a version has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Waiting.
    #[default]
    Pending,
    /// Being frozen.
    InProgress,
    /// There for good.
    Ready,
    /// Given up.
    Failed,
}

impl Document for Version {
    const KIND: &'static str = "dataset_version";
    const NOUN: &'static str = "dataset version";
    const FIELD: &'static str = "dataset_versions";

    fn about(&self) -> String {
        self.origin.to_string()
    }

    fn state(&self) -> i64 {
        match self.state {
            VersionState::Pending => 0,
            VersionState::InProgress => 1,
            VersionState::Ready => 2,
            VersionState::Failed => 3,
        }
    }
}

/// A version to make.
#[derive(Clone, Debug, Default)]
pub struct NewVersion {
    /// Chosen by the user; made up if absent.
    pub id: Option<String>,
    /// The owner's words.
    pub description: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// How far it may be seen.
    pub visibility: i32,
    /// What it is made for.
    pub origin: i32,
    /// Which annotations it is made of; absent: all that count.
    pub filter: Option<VersionFilter>,
}

/// The annotations that a version is made of: those that a search finds when the version is asked for.
#[derive(Clone, Debug, Default)]
pub struct VersionFilter {
    /// What annotations and their inputs must pass.
    pub filters: Vec<Filter>,
    /// Whether inputs without such an annotation are left out.
    pub without_empty: bool,
    /// The same as the dialect wrote it.
    pub doc: String,
}

/// A change to what people say about a version; what it holds never changes. `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct VersionPatch {
    /// The version to change.
    pub id: String,
    /// The owner's words.
    pub description: Option<String>,
    /// The owner's own document.
    pub metadata: Option<JsonMap>,
    /// How far it may be seen.
    pub visibility: Option<i32>,
}

/// The hash of a version: SHA-256, in hex, over one line for each input, ordered by the bytes of the lines. A line is the
/// input's id, the digest of its content and the digest of its labels, with a tab between them and a line feed at the end.
pub(crate) fn content_hash(mut lines: Vec<String>) -> String {
    use sha2::{Digest, Sha256};
    lines.sort_unstable();
    let mut hasher = Sha256::new();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    hex::encode(hasher.finalize())
}

fn shelf(app: &AppCtx, dataset_id: &str) -> Shelf {
    Shelf::from(app).within(dataset_id)
}

/// Adds versions, to be frozen by a job each. `NotFound` about the dataset, `Conflict` if any id exists; then none is
/// added.
pub async fn create(app: &AppCtx, dataset_id: &str, new: Vec<NewVersion>) -> Result<Vec<Stored<Version>>> {
    app.check_writable()?;
    let platform = app.platform();
    let dataset_uid = super::get(app, dataset_id).await?.doc.uid;
    let mut docs = Vec::with_capacity(new.len());
    let mut jobs = Vec::with_capacity(new.len());
    for new in new {
        let id = new.id.filter(|id| !id.is_empty()).unwrap_or_else(|| platform.ids().id());
        let (filter, only) = resolved(app, new.filter).await?;
        let doc = Version {
            filter,
            uid: platform.ids().id(),
            dataset_uid: dataset_uid.clone(),
            description: new.description,
            metadata: new.metadata,
            visibility: new.visibility,
            origin: new.origin,
            ..Version::default()
        };
        let target = freeze_dataset::Target {
            dataset_id: dataset_id.to_owned(),
            version_id: id.clone(),
            version_uid: doc.uid.clone(),
            only,
        };
        jobs.push(freeze_dataset::job(app, &target));
        docs.push(New { id: Some(id), doc });
    }
    let id = dataset_id.to_owned();
    let allowed = move |tx: &store::Tx<'_>, app_uid: &str| {
        if find(tx, app_uid, &id)?.uid != dataset_uid {
            return Err(resources::missing::<super::Dataset>(&id));
        }
        jobs.iter().try_for_each(|job| job.insert(tx))
    };
    let made = resources::create_if(&shelf(app, dataset_id), docs, allowed).await?;
    platform.job_added().notify_waiters();
    Ok(made)
}

/// The most annotations that a version with a filter can be made of.
const MAX_CHOSEN: usize = 200_000;

/// The annotations that a filter finds now.
async fn resolved(app: &AppCtx, filter: Option<VersionFilter>) -> Result<(String, Option<Only>)> {
    let Some(VersionFilter { filters, without_empty, doc }) = filter else {
        return Ok((String::new(), None));
    };
    let found = search::annotations::all_ids(app, filters).await?;
    if found.len() > MAX_CHOSEN {
        let message = format!("must find at most {MAX_CHOSEN} annotations");
        return Err(Error::invalid("dataset_versions.annotation_filter_config", message));
    }
    Ok((doc, Some(Only { annotation_ids: found.into_iter().collect(), without_empty })))
}

/// One version.
pub async fn get(app: &AppCtx, dataset_id: &str, id: &str) -> Result<Stored<Version>> {
    super::get(app, dataset_id).await?;
    resources::get(&shelf(app, dataset_id), id).await
}

/// The versions of a dataset in order of creation, those made for one of these purposes if any are given.
pub async fn list(
    app: &AppCtx,
    dataset_id: &str,
    origins: Vec<i32>,
    page: Page,
) -> Result<Vec<Stored<Version>>> {
    super::get(app, dataset_id).await?;
    let (shelf, listing) = (shelf(app, dataset_id), Listing::default());
    if origins.is_empty() {
        return resources::list(&shelf, &listing, page).await;
    }
    let fits = move |version: &Stored<Version>| origins.contains(&version.doc.origin);
    resources::search(&shelf, &listing, page, fits).await
}

/// Changes versions. `NotFound` if any does not exist; then none is changed.
pub async fn patch(
    app: &AppCtx,
    dataset_id: &str,
    patches: Vec<VersionPatch>,
    action: PatchAction,
) -> Result<Vec<Stored<Version>>> {
    super::get(app, dataset_id).await?;
    let patches = patches.into_iter().map(|patch| {
        let mut fields = JsonMap::new();
        fields.extend(patch.description.map(|text| ("description".to_owned(), text.into())));
        fields.extend(patch.metadata.map(|metadata| ("metadata".to_owned(), metadata.into())));
        fields.extend(patch.visibility.map(|number| ("visibility".to_owned(), number.into())));
        (patch.id, fields)
    });
    resources::patch(&shelf(app, dataset_id), patches.collect(), action).await
}

/// Deletes versions with their exports. `NotFound` if any does not exist; then none is deleted.
pub async fn delete(app: &AppCtx, dataset_id: &str, ids: &[String]) -> Result<()> {
    app.check_writable()?;
    if ids.is_empty() || ids.len() > MAX_PER_CALL {
        return Err(Error::invalid("dataset_version_ids", format!("must hold 1 to {MAX_PER_CALL} items")));
    }
    let platform = app.platform();
    let (app_uid, dataset_id) = (app.uid().to_owned(), dataset_id.to_owned());
    let ids: BTreeSet<String> = ids.iter().cloned().collect();
    let account_id = app.app().user_id.clone();
    let (job_id, now_us) = (platform.ids().id(), platform.clock().now_us());
    platform
        .store()
        .write(move |tx| {
            find(tx, &app_uid, &dataset_id)?;
            let mut gone = purge_datasets::Gone::default();
            for id in &ids {
                let version = find_in(tx, &app_uid, &dataset_id, id)?;
                tx.delete_resources(&app_uid, Version::KIND, &dataset_id, &[id])?;
                export_dataset::stop_all(tx, &app_uid, &version.uid, now_us)?;
                gone.versions.push(version.uid);
            }
            purge_datasets::job(&job_id, &account_id, &app_uid, &gone, now_us).insert(tx)
        })
        .await?;
    platform.job_added().notify_waiters();
    Ok(())
}

/// A version within a transaction.
pub(crate) fn find_in(tx: &store::Tx<'_>, app_uid: &str, dataset_id: &str, id: &str) -> Result<Version> {
    let row = tx.resource(app_uid, Version::KIND, dataset_id, id)?;
    read_doc(row.ok_or_else(|| resources::missing::<Version>(id))?)
}

/// A version that is ready or being made, within a transaction; `Invalid` if that failed.
pub(crate) fn find_unless_failed(
    tx: &store::Tx<'_>,
    app_uid: &str,
    dataset_id: &str,
    id: &str,
) -> Result<Version> {
    find(tx, app_uid, dataset_id)?;
    let version = find_in(tx, app_uid, dataset_id, id)?;
    match version.state {
        VersionState::Failed => Err(Error::invalid("dataset_version_id", "is of a version that failed")),
        VersionState::Ready | VersionState::Pending | VersionState::InProgress => Ok(version),
    }
}

/// A version that is ready, within a transaction; `Invalid` while it is made, or if that failed.
pub(crate) fn find_ready(tx: &store::Tx<'_>, app_uid: &str, dataset_id: &str, id: &str) -> Result<Version> {
    let version = find_unless_failed(tx, app_uid, dataset_id, id)?;
    match version.state {
        VersionState::Ready => Ok(version),
        VersionState::Failed | VersionState::Pending | VersionState::InProgress => {
            Err(Error::invalid("dataset_version_id", "is of a version that is not ready yet"))
        }
    }
}

/// A version and its id.
pub(crate) struct Named {
    pub doc: Version,
}

/// Every version of a dataset, within a transaction.
pub(crate) fn all_of(tx: &store::Tx<'_>, app_uid: &str, dataset_id: &str) -> Result<Vec<Named>> {
    const BATCH: i64 = 500;
    let mut query =
        store::ResourceQuery { parent: Some(dataset_id.to_owned()), limit: BATCH, ..Default::default() };
    let mut all = Vec::new();
    loop {
        let rows = tx.resources_page(app_uid, Version::KIND, &query)?;
        let n_rows = rows.len();
        query.after_seq = rows.last().map(|row| row.seq);
        for row in rows {
            all.push(Named { doc: read_doc(row)? });
        }
        if n_rows < BATCH as usize {
            return Ok(all);
        }
    }
}

/// Inputs of a version that is ready, after a place (0 for the start), each with its place.
pub async fn items(
    app: &AppCtx,
    dataset_id: &str,
    id: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, super::frozen::Frozen)>> {
    let (app_uid, dataset_id, id) = (app.uid().to_owned(), dataset_id.to_owned(), id.to_owned());
    app.platform()
        .store()
        .read(move |tx| {
            let version = find_ready(tx, &app_uid, &dataset_id, &id)?;
            let rows = tx.dataset_items_page(&app_uid, &version.uid, after, i64::from(limit))?;
            rows.into_iter().map(|row| Ok((row.seq, super::diff::read(row)?))).collect()
        })
        .await
}
