//! What differs between two versions of a dataset: which inputs came, which went, and what changed about the others.

use ocellus_store as store;
use serde_json::Value;

use super::frozen::Frozen;
use super::versions;
use crate::{AppCtx, Error, Page, Result};

/// How an input differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only in the later version.
    Added,
    /// Only in the earlier version.
    Removed,
    /// In both, with another content or other labels.
    Changed,
}

/// An input that differs.
#[derive(Clone, Debug)]
pub struct DiffEntry {
    /// The input.
    pub input_id: String,
    /// How it differs.
    pub change: Change,
    /// Whether it shows something else.
    pub content_changed: bool,
    /// How it was in the earlier version.
    pub before: Option<Frozen>,
    /// How it is in the later version.
    pub after: Option<Frozen>,
}

/// What differs between two versions.
#[derive(Clone, Debug)]
pub struct Diff {
    /// Inputs only in the later version.
    pub n_added: u64,
    /// Inputs only in the earlier version.
    pub n_removed: u64,
    /// Inputs that changed.
    pub n_changed: u64,
    /// A page of them: those added first, then those removed, then those changed.
    pub entries: Vec<DiffEntry>,
}

/// Compares two versions of a dataset that are ready.
pub async fn diff(app: &AppCtx, dataset_id: &str, from: &str, to: &str, page: Page) -> Result<Diff> {
    let page = page.check()?;
    let (app_uid, dataset_id) = (app.uid().to_owned(), dataset_id.to_owned());
    let (from, to) = (from.to_owned(), to.to_owned());
    app.platform()
        .store()
        .read(move |tx| {
            let a = versions::find_ready(tx, &app_uid, &dataset_id, &from)?.uid;
            let b = versions::find_ready(tx, &app_uid, &dataset_id, &to)?.uid;
            let [n_added, n_removed, n_changed] = if a == b {
                [0; 3]
            } else {
                tx.count_dataset_diff(&app_uid, &a, &b)?.map(|n| u64::try_from(n).unwrap_or(0))
            };
            let rows = tx.dataset_diff_page(&app_uid, (&a, &b), page.limit(), page.offset())?;
            let entries = rows.into_iter().map(|row| entry(tx, &app_uid, (&a, &b), row));
            let entries = entries.collect::<Result<Vec<_>>>()?;
            Ok::<_, Error>(Diff { n_added, n_removed, n_changed, entries })
        })
        .await
}

fn entry(
    tx: &store::Tx<'_>,
    app_uid: &str,
    (a, b): (&str, &str),
    row: store::DatasetItemDiff,
) -> Result<DiffEntry> {
    let change = match row.change {
        0 => Change::Added,
        1 => Change::Removed,
        _ => Change::Changed,
    };
    let before = tx.dataset_item(app_uid, a, &row.input_id)?;
    let after = tx.dataset_item(app_uid, b, &row.input_id)?;
    let content_changed = match (&before, &after) {
        (Some(before), Some(after)) => before.content != after.content,
        _ => false,
    };
    Ok(DiffEntry {
        input_id: row.input_id,
        change,
        content_changed,
        before: before.map(read).transpose()?,
        after: after.map(read).transpose()?,
    })
}

/// An input of a version from its row.
pub(super) fn read(row: store::DatasetItem) -> Result<Frozen> {
    serde_json::from_value(Value::Object(row.doc)).map_err(Error::internal)
}
