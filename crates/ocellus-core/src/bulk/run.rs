//! Does the portions of a bulk operation.

use futures_util::FutureExt;
use ocellus_store as store;
use serde_json::Value;

use super::Change;
use crate::inputs::labels::{self, Known, Labeller};
use crate::inputs::{InputPatch, patch};
use crate::jobs::{JobCtx, JobKind, Outcome};
use crate::{Error, GeoPoint, PatchAction, Result, annotations, datasets};

pub(crate) const KIND: JobKind = JobKind {
    name: "bulk_operation",
    max_attempts: 5,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: None,
};

/// All of a portion is its effect, so that it happens once.
#[expect(clippy::unused_async, reason = "the registry of jobs holds asynchronous functions")]
async fn run(cx: JobCtx) -> Result<Outcome> {
    cx.checkpoint()?;
    let portion = Portion::read(&cx)?;
    Ok(Outcome::effect(move |tx| portion.apply(tx)))
}

struct Portion {
    job_id: String,
    by: Labeller,
    change: Change,
    ids: Vec<String>,
    of_annotations: bool,
    dataset_id: Option<String>,
}

impl Portion {
    fn read(cx: &JobCtx) -> Result<Self> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let change = cx.job.payload.get("change").cloned().unwrap_or_default();
        let ids = cx.part.payload.get("ids").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(Self {
            job_id: cx.job.id.clone(),
            by: Labeller {
                platform: cx.platform.clone(),
                app_uid: cx.job.app_uid.clone().unwrap_or_default(),
                account_id: cx.job.account_id.clone(),
                key_id: text(cx.job.payload.get("key_id")).unwrap_or_default(),
                language: "en".to_owned(),
                now_us: cx.platform.clock().now_us(),
            },
            change: serde_json::from_value(change).map_err(Error::internal)?,
            ids: ids.iter().filter_map(|id| text(Some(id))).collect(),
            of_annotations: cx.part.payload.get("of_annotations") == Some(&Value::Bool(true)),
            dataset_id: text(cx.part.payload.get("dataset_id")),
        })
    }

    fn apply(&self, tx: &store::Tx<'_>) -> Result<()> {
        if self.of_annotations {
            tx.delete_annotations(&self.by.app_uid, &self.ids)?;
            return self.note_progress(tx);
        }
        // What was deleted meanwhile needs no change.
        let found = tx.inputs_by_ids(&self.by.app_uid, &self.ids)?;
        let ids: Vec<String> = found.into_iter().map(|row| row.id).collect();
        match &self.change {
            Change::DeleteAnnotations => {
                let rows = tx.annotations_of_inputs(&self.by.app_uid, &ids)?;
                let gone: Vec<String> = rows.into_iter().map(|row| row.id).collect();
                tx.delete_annotations(&self.by.app_uid, &gone)?;
            }
            Change::AddToDataset { dataset_id } => self.add_to(tx, dataset_id, &ids)?,
            Change::SplitIntoDatasets { .. } => {
                if let Some(dataset_id) = &self.dataset_id {
                    self.add_to(tx, dataset_id, &ids)?;
                }
            }
            Change::DeleteFromDataset { dataset_id } => {
                let dataset = datasets::find(tx, &self.by.app_uid, dataset_id)?;
                tx.delete_dataset_inputs(&self.by.app_uid, &dataset.uid, &ids)?;
            }
            Change::AddConcepts { .. }
            | Change::DeleteConcepts { .. }
            | Change::AddMetadata { .. }
            | Change::DeleteMetadata { .. }
            | Change::OverwriteGeo { .. }
            | Change::DeleteGeo => self.patch(tx, ids)?,
        }
        self.note_progress(tx)
    }

    fn add_to(&self, tx: &store::Tx<'_>, dataset_id: &str, ids: &[String]) -> Result<()> {
        let who = (self.by.app_uid.as_str(), self.by.account_id.as_str(), self.by.key_id.as_str());
        let dataset_ids = [dataset_id.to_owned()];
        ids.iter().try_for_each(|id| datasets::add_in(tx, who, id, &dataset_ids, self.by.now_us))
    }

    fn patch(&self, tx: &store::Tx<'_>, ids: Vec<String>) -> Result<()> {
        let mut known = Known::default();
        let empty = InputPatch::default();
        let (change, action) = match &self.change {
            Change::AddConcepts { concepts } => {
                let labels = Some(concepts.iter().map(super::BulkConcept::label).collect());
                (InputPatch { labels, ..empty }, PatchAction::Merge)
            }
            Change::DeleteConcepts { concepts, account_ids } => {
                let mut gone = Vec::new();
                for concept in concepts {
                    gone.extend(labels::find(tx, &self.by, &concept.label())?);
                }
                for id in &ids {
                    annotations::remove_concepts(tx, &self.by, (id, &gone), account_ids)?;
                }
                return Ok(());
            }
            Change::AddMetadata { metadata } => {
                (InputPatch { metadata: Some(metadata.clone()), ..empty }, PatchAction::Merge)
            }
            Change::DeleteMetadata { metadata } => {
                (InputPatch { metadata: Some(metadata.clone()), ..empty }, PatchAction::Remove)
            }
            Change::OverwriteGeo { geo } => (InputPatch { geo: Some(*geo), ..empty }, PatchAction::Overwrite),
            Change::DeleteGeo => {
                // Which place is taken away does not matter.
                let geo = Some(GeoPoint { longitude: 0.0, latitude: 0.0 });
                (InputPatch { geo, ..empty }, PatchAction::Remove)
            }
            Change::AddToDataset { .. }
            | Change::DeleteFromDataset { .. }
            | Change::SplitIntoDatasets { .. }
            | Change::DeleteAnnotations => return Ok(()),
        };
        for id in ids {
            patch::apply(tx, &self.by, &InputPatch { id, ..change.clone() }, action, &mut known)?;
        }
        Ok(())
    }

    fn note_progress(&self, tx: &store::Tx<'_>) -> Result<()> {
        let Some(job) = tx.job(&self.job_id)? else { return Ok(()) };
        let mut result = job.result;
        let before = result.get("processed").and_then(Value::as_u64).unwrap_or(0);
        result.insert("processed".to_owned(), (before + self.ids.len() as u64).into());
        if let Some(last) = self.ids.last() {
            result.insert("last_id".to_owned(), last.clone().into());
        }
        tx.set_job_result(&self.job_id, &result, self.by.now_us)?;
        Ok(())
    }
}
