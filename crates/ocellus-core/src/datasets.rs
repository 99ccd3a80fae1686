//! Datasets: named sets of an app's inputs, their frozen versions, and the archives made of those.

pub mod content;
mod diff;
pub mod exports;
pub mod frozen;
mod members;
mod metrics;
#[cfg(test)]
mod tests;
pub mod versions;

pub use diff::{Change, Diff, DiffEntry, diff};
pub use members::{DatasetInput, add, add_all_of, add_many, count, input, inputs, remove};
pub(crate) use members::{add_in, ids_of_inputs};
pub use metrics::{Counts, Metrics};

use ocellus_store as store;
use serde::{Deserialize, Serialize};

use crate::jobs::{export_dataset, purge_datasets};
use crate::resources::{self, Document, Listing, MAX_PER_CALL, New, Shelf, Stored};
use crate::{AppCtx, Error, JsonMap, Page, PatchAction, Result};

/// A set of inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dataset {
    /// Tells it from a later one with the same id; never shown to a client.
    pub(crate) uid: String,
    /// The owner's words.
    pub description: String,
    /// More of the owner's words.
    pub notes: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// How far it may be seen, as the dialect numbers it; 0 for not said.
    pub visibility: i32,
    /// What its versions are made of where they do not say it themselves, as the dialect wrote it; empty for everything.
    pub default_filter: String,
    /// The address of a picture that stands for it.
    pub image_url: String,
}

impl Document for Dataset {
    const KIND: &'static str = "dataset";
    const NOUN: &'static str = "dataset";
    const FIELD: &'static str = "datasets";

    fn check(&self) -> Result<()> {
        for (field, text) in [("description", &self.description), ("notes", &self.notes)] {
            if text.len() > 100_000 {
                return Err(Error::invalid(format!("datasets.{field}"), "must have at most 100000 bytes"));
            }
        }
        Ok(())
    }
}

/// A change to a dataset; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct DatasetPatch {
    /// The dataset to change.
    pub id: String,
    /// The owner's words.
    pub description: Option<String>,
    /// More of the owner's words.
    pub notes: Option<String>,
    /// The owner's own document.
    pub metadata: Option<JsonMap>,
    /// How far it may be seen.
    pub visibility: Option<i32>,
    /// What its versions are made of where they do not say it themselves.
    pub default_filter: Option<String>,
    /// The address of a picture that stands for it.
    pub image_url: Option<String>,
}

/// Adds datasets. `Conflict` if any id exists; then none is added.
pub async fn create(app: &AppCtx, new: Vec<New<Dataset>>) -> Result<Vec<Stored<Dataset>>> {
    let uid = || app.platform().ids().id();
    let new = new.into_iter().map(|new| New { id: new.id, doc: Dataset { uid: uid(), ..new.doc } });
    resources::create(&Shelf::from(app), new.collect()).await
}

/// One dataset.
pub async fn get(app: &AppCtx, id: &str) -> Result<Stored<Dataset>> {
    resources::get(&Shelf::from(app), id).await
}

/// The app's datasets; those whose id or description contains the words, if any are given.
pub async fn list(app: &AppCtx, page: Page, newest_first: bool, words: &str) -> Result<Vec<Stored<Dataset>>> {
    let (shelf, listing) = (Shelf::from(app), Listing { newest_first, ..Listing::default() });
    if words.is_empty() {
        return resources::list(&shelf, &listing, page).await;
    }
    let words = words.to_lowercase();
    let fits = move |dataset: &Stored<Dataset>| {
        [&dataset.id, &dataset.doc.description].iter().any(|text| text.to_lowercase().contains(&words))
    };
    resources::search(&shelf, &listing, page, fits).await
}

/// Changes datasets. `NotFound` if any does not exist; then none is changed.
pub async fn patch(
    app: &AppCtx,
    patches: Vec<DatasetPatch>,
    action: PatchAction,
) -> Result<Vec<Stored<Dataset>>> {
    let patches = patches.into_iter().map(|patch| {
        let mut fields = JsonMap::new();
        let texts = [
            ("description", patch.description),
            ("notes", patch.notes),
            ("default_filter", patch.default_filter),
            ("image_url", patch.image_url),
        ];
        for (name, text) in texts {
            fields.extend(text.map(|text| (name.to_owned(), text.into())));
        }
        fields.extend(patch.metadata.map(|metadata| ("metadata".to_owned(), metadata.into())));
        fields.extend(patch.visibility.map(|number| ("visibility".to_owned(), number.into())));
        (patch.id, fields)
    });
    resources::patch(&Shelf::from(app), patches.collect(), action).await
}

/// Deletes datasets with their versions and exports; the inputs stay. `NotFound` if any does not exist; then none is
/// deleted.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    app.check_writable()?;
    if ids.is_empty() || ids.len() > MAX_PER_CALL {
        return Err(Error::invalid("dataset_ids", format!("must hold 1 to {MAX_PER_CALL} items")));
    }
    let platform = app.platform();
    let (app_uid, account_id, ids) = (app.uid().to_owned(), app.app().user_id.clone(), ids.to_vec());
    let (job_id, now_us) = (platform.ids().id(), platform.clock().now_us());
    platform
        .store()
        .write(move |tx| {
            let mut gone = purge_datasets::Gone::default();
            for id in &ids {
                let dataset = find(tx, &app_uid, id)?;
                gone.datasets.push(dataset.uid);
                for version in versions::all_of(tx, &app_uid, id)? {
                    export_dataset::stop_all(tx, &app_uid, &version.doc.uid, now_us)?;
                    gone.versions.push(version.doc.uid);
                }
                tx.delete_resources_within(&app_uid, versions::Version::KIND, id)?;
                tx.delete_resources(&app_uid, Dataset::KIND, "", &[id])?;
            }
            purge_datasets::job(&job_id, &account_id, &app_uid, &gone, now_us).insert(tx)
        })
        .await?;
    platform.job_added().notify_waiters();
    Ok(())
}

/// A dataset within a transaction. `NotFound` if it does not exist.
pub(crate) fn find(tx: &store::Tx<'_>, app_uid: &str, id: &str) -> Result<Dataset> {
    let row =
        tx.resource(app_uid, Dataset::KIND, "", id)?.ok_or_else(|| resources::missing::<Dataset>(id))?;
    read_doc(row)
}

pub(crate) fn read_doc<D: Document>(row: store::Resource) -> Result<D> {
    serde_json::from_value(serde_json::Value::Object(row.doc)).map_err(Error::internal)
}
