//! Bulk operations: one change of many inputs or annotations, done in the background in portions. Each portion is one
//! transaction that happens once; a cancelled operation stops between portions, and what is done stays done.

mod run;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use run::KIND;
pub use source::{AnnotationSource, Targets};

use crate::inputs::NewLabel;
use crate::inputs::create::{check_alive, labeller};
use crate::jobs::NewJob;
use crate::{AppCtx, Error, GeoPoint, JsonMap, Page, Resource, Result, datasets};

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Change {
    AddConcepts {
        concepts: Vec<BulkConcept>,
    },
    /// Out of the annotations by these people, or by everybody if none is named.
    DeleteConcepts {
        concepts: Vec<BulkConcept>,
        account_ids: Vec<String>,
    },
    AddMetadata {
        metadata: JsonMap,
    },
    /// As a patch that removes.
    DeleteMetadata {
        metadata: JsonMap,
    },
    OverwriteGeo {
        geo: GeoPoint,
    },
    DeleteGeo,
    AddToDataset {
        dataset_id: String,
    },
    DeleteFromDataset {
        dataset_id: String,
    },
    /// Each input goes by chance into one dataset or none; the percentages add up to at most 100.
    SplitIntoDatasets {
        splits: Vec<(String, u32)>,
    },
    DeleteAnnotations,
}

/// A concept by id, or by name if the id is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BulkConcept {
    pub id: String,
    pub name: String,
    pub value: f32,
}

impl BulkConcept {
    fn label(&self) -> NewLabel {
        let given = |word: &String| (!word.is_empty()).then(|| word.clone());
        NewLabel { concept_id: given(&self.id), name: given(&self.name), value: self.value }
    }
}

/// An operation to begin.
#[derive(Clone, Debug)]
pub struct NewBulk {
    /// What is changed.
    pub targets: Targets,
    /// What is done.
    pub change: Change,
    /// Kept and given back as it is: the request in the words of whoever made it.
    pub echo: String,
}

/// An operation as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Bulk {
    /// Unique.
    pub id: String,
    /// How far it is.
    pub state: BulkState,
    /// How many inputs or annotations were looked at.
    pub processed: u64,
    /// The last of them, or empty.
    pub last_id: String,
    /// Why it failed, or empty.
    pub error: String,
    /// Who began it, by user id.
    pub account_id: String,
    /// See [`NewBulk`].
    pub echo: String,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BulkState {
    Pending,
    InProgress,
    Success,
    Failed,
    Cancelled,
}

/// The most operations one call may begin.
const MAX_PER_CALL: usize = 128;

fn missing(id: &str) -> Error {
    Error::not_found(Resource::Other("bulk operation", id.to_owned()))
}

impl Change {
    fn check(&self, targets: &Targets) -> Result<()> {
        let field = "bulk_operations.operation";
        let of_annotations = matches!(targets, Targets::Annotations(_));
        if of_annotations && *self != Self::DeleteAnnotations {
            return Err(Error::invalid(field, "must delete annotations when annotations are searched"));
        }
        match self {
            Self::AddConcepts { concepts } | Self::DeleteConcepts { concepts, .. } => {
                if concepts.is_empty() {
                    return Err(Error::invalid(format!("{field}.concepts"), "must not be empty"));
                }
                let check =
                    |c: &BulkConcept| crate::inputs::labels::check(&c.label(), &format!("{field}.concepts"));
                concepts.iter().try_for_each(check)
            }
            Self::OverwriteGeo { geo } => geo.check(&format!("{field}.geo")).map(|_| ()),
            Self::AddMetadata { metadata } | Self::DeleteMetadata { metadata } if metadata.is_empty() => {
                Err(Error::invalid(format!("{field}.metadata"), "must not be empty"))
            }
            Self::SplitIntoDatasets { splits } => {
                let sum: u64 = splits.iter().map(|(_, percent)| u64::from(*percent)).sum();
                match splits.is_empty() || sum == 0 || sum > 100 {
                    true => {
                        let message = "must have percentages that add up to 1 to 100";
                        Err(Error::invalid(format!("{field}.dataset_splits"), message))
                    }
                    false => Ok(()),
                }
            }
            Self::AddMetadata { .. }
            | Self::DeleteMetadata { .. }
            | Self::DeleteGeo
            | Self::AddToDataset { .. }
            | Self::DeleteFromDataset { .. }
            | Self::DeleteAnnotations => Ok(()),
        }
    }

    fn dataset_ids(&self) -> Vec<&String> {
        match self {
            Self::AddToDataset { dataset_id } | Self::DeleteFromDataset { dataset_id } => vec![dataset_id],
            Self::SplitIntoDatasets { splits } => splits.iter().map(|(id, _)| id).collect(),
            Self::AddConcepts { .. }
            | Self::DeleteConcepts { .. }
            | Self::AddMetadata { .. }
            | Self::DeleteMetadata { .. }
            | Self::OverwriteGeo { .. }
            | Self::DeleteGeo
            | Self::DeleteAnnotations => Vec::new(),
        }
    }
}

/// Begins operations; what they change is looked up now, and changed later. All begin, or none.
pub async fn create(app: &AppCtx, new: Vec<NewBulk>) -> Result<Vec<Bulk>> {
    app.check_writable()?;
    if new.is_empty() || new.len() > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {}", new.len());
        return Err(Error::invalid("bulk_operations", message));
    }
    let by = labeller(app);
    let mut jobs = Vec::with_capacity(new.len());
    for bulk in &new {
        bulk.change.check(&bulk.targets)?;
        let ids = source::ids(app, &bulk.targets).await?;
        let mut job = NewJob::new(&KIND, &app.platform().ids().id(), &by.account_id, by.now_us);
        job.job.app_uid = Some(by.app_uid.clone());
        let change = serde_json::to_value(&bulk.change).map_err(Error::internal)?;
        job.job.payload = JsonMap::from_iter([
            ("change".to_owned(), change),
            ("key_id".to_owned(), by.key_id.clone().into()),
            ("echo".to_owned(), bulk.echo.clone().into()),
        ]);
        job.parts = source::portions(&job.job.id, ids, &bulk.change, &bulk.targets, by.now_us);
        jobs.push(job);
    }
    let made: Vec<String> = jobs.iter().map(|job| job.job.id.clone()).collect();
    let (jobs, new) = (Arc::new(jobs), Arc::new(new));
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &by.app_uid)?;
        for dataset_id in new.iter().flat_map(|bulk| bulk.change.dataset_ids()) {
            datasets::find(tx, &by.app_uid, dataset_id)?;
        }
        jobs.iter().try_for_each(|job| job.insert(tx))
    };
    app.platform().store().write(write).await?;
    app.platform().job_added().notify_waiters();
    get_all(app, &made).await
}

async fn get_all(app: &AppCtx, ids: &[String]) -> Result<Vec<Bulk>> {
    let (uid, ids) = (app.uid().to_owned(), ids.to_vec());
    let read = move |tx: &mut store::Tx<'_>| ids.iter().map(|id| find(tx, &uid, id).map(read)).collect();
    app.platform().store().read(read).await
}

/// An operation of the app. `NotFound` for another's.
fn find(tx: &store::Tx<'_>, app_uid: &str, id: &str) -> Result<store::Job> {
    let job = tx.job(id)?.filter(|job| job.kind == KIND.name && job.app_uid.as_deref() == Some(app_uid));
    job.ok_or_else(|| missing(id))
}

fn read(job: store::Job) -> Bulk {
    let text = |map: &JsonMap, key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let error = match job.n_failed {
        0 => job.error.clone(),
        n => format!("{n} of {} portions failed: {}", job.n_parts, job.error),
    };
    let state = match job.state {
        store::Job::PENDING => BulkState::Pending,
        store::Job::CANCELLED => BulkState::Cancelled,
        store::Job::FAILED => BulkState::Failed,
        store::Job::DONE if job.n_failed > 0 => BulkState::Failed,
        store::Job::DONE => BulkState::Success,
        _ => BulkState::InProgress,
    };
    Bulk {
        state,
        error,
        processed: job.result.get("processed").and_then(Value::as_u64).unwrap_or(0),
        last_id: text(&job.result, "last_id"),
        echo: text(&job.payload, "echo"),
        id: job.id,
        account_id: job.account_id,
        created_at_us: job.created_at_us,
        modified_at_us: job.updated_at_us,
    }
}

/// One operation. Those that ended are forgotten after a week.
pub async fn get(app: &AppCtx, id: &str) -> Result<Bulk> {
    get_all(app, &[id.to_owned()]).await?.into_iter().next().ok_or_else(|| missing(id))
}

/// A page of the app's operations, newest first.
pub async fn list(app: &AppCtx, page: Page) -> Result<Vec<Bulk>> {
    let page = page.check()?;
    let uid = app.uid().to_owned();
    let list = move |tx: &mut store::Tx<'_>| {
        Ok::<_, Error>(tx.jobs_of_app(&uid, KIND.name, page.limit(), page.offset())?)
    };
    Ok(app.platform().store().read(list).await?.into_iter().map(read).collect())
}

/// Stops operations; those that have ended stay as they are. `NotFound` if any does not exist; then none is stopped.
pub async fn cancel(app: &AppCtx, ids: &[String]) -> Result<Vec<Bulk>> {
    change_jobs(app, ids, |tx, id, now_us| {
        tx.cancel_job(id, now_us)?;
        Ok(())
    })
    .await?;
    get_all(app, ids).await
}

/// Forgets operations that have ended. `Conflict` for one that has not; then none is forgotten.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    change_jobs(app, ids, |tx, id, _| match tx.delete_ended_job(id)? {
        true => Ok(()),
        false => {
            let about = Resource::Other("bulk operation", id.to_owned());
            Err(Error::conflict(about, format!("bulk operation '{id}' has not ended; cancel it first")))
        }
    })
    .await
}

async fn change_jobs(
    app: &AppCtx,
    ids: &[String],
    change: impl Fn(&store::Tx<'_>, &str, i64) -> Result<()> + Send + Sync + 'static,
) -> Result<()> {
    app.check_writable()?;
    if ids.is_empty() || ids.len() > MAX_PER_CALL {
        return Err(Error::invalid("ids", format!("must hold 1 to {MAX_PER_CALL} items, not {}", ids.len())));
    }
    let (uid, ids, now_us) = (app.uid().to_owned(), ids.to_vec(), app.platform().clock().now_us());
    let write = move |tx: &mut store::Tx<'_>| {
        for id in &ids {
            find(tx, &uid, id)?;
        }
        ids.iter().try_for_each(|id| change(tx, id, now_us))
    };
    app.platform().store().write(write).await
}
