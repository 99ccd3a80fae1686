//! Versions that wait for their training, and what goes with versions that are deleted.

use std::collections::BTreeSet;

use ocellus_store as store;

use super::{
    By, ConceptRef, ModelDoc, UserModel, UserModelVersion, VersionDoc, VersionState, create, from_json,
    missing, read, to_json, versions,
};
use crate::accounts::check_id;
use crate::jobs::gc_blobs;
use crate::{AppCtx, Error, Resource, Result};

/// A version that waits for its training.
pub(crate) struct NewQueued {
    /// Chosen by the user; made up if empty.
    pub version_id: String,
    /// What is said of it.
    pub doc: VersionDoc,
    /// The concepts it shall tell; those of the model if there are none.
    pub concepts: Vec<ConceptRef>,
}

/// Adds a version that waits, and whatever `with` writes for it, which is given the ids of its concepts. A model without
/// concepts gets those of the version.
pub(crate) async fn add_queued(
    app: &AppCtx,
    model_id: &str,
    new: NewQueued,
    with: impl Fn(&store::Tx<'_>, &store::ModelVersion, Vec<String>) -> Result<()> + Send + Sync + 'static,
) -> Result<(UserModel, UserModelVersion)> {
    let id = if new.version_id.is_empty() { app.platform().ids().id() } else { new.version_id };
    check_id("model_versions.id", &id)?;
    let (by, labels) = (By::new(app), create::check_concepts(new.concepts)?);
    let (doc, model_id) = (new.doc, model_id.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let uid = &by.labeller.app_uid;
        let mut row = tx.model(uid, &model_id)?.ok_or_else(|| missing(&model_id))?;
        if tx.model_version(uid, &row.uid, &id)?.is_some() {
            let text = format!("model '{model_id}' has a version '{id}' already");
            return Err(Error::conflict(Resource::ModelVersion(id.clone()), text));
        }
        let mut said: ModelDoc = from_json(row.doc.clone(), &row.id)?;
        let own = create::concept_ids(tx, &by.labeller, &labels)?;
        if said.concepts.is_empty() && !own.is_empty() {
            said.concepts.clone_from(&own);
            row.doc = to_json(&said)?;
            (row.modified_by, row.modified_at_us) = (by.labeller.changed_by(), by.labeller.now_us);
            tx.update_model(&row)?;
        }
        let mut version = versions::row_of(&by, &row.uid, &id, &doc)?;
        version.state = VersionState::Queued.name().to_owned();
        tx.insert_model_version(&version)?;
        with(tx, &version, if own.is_empty() { said.concepts } else { own })?;
        let n_versions =
            tx.count_model_versions(uid, &[&row.uid])?.get(&row.uid).copied().unwrap_or_default();
        let model = read(row, version.clone(), n_versions, &by.place)?;
        Ok((model, versions::read(version)?))
    };
    app.platform().store().write(write).await
}

/// Stops the trainings of versions that are about to be deleted, removes their evaluations, and has the blobs looked at,
/// which somebody else may still need.
pub(super) fn let_go(
    tx: &store::Tx<'_>,
    by: &By,
    (gc_id, versions): (&str, &[store::ModelVersion]),
    blobs: Vec<store::ModelBlob>,
) -> Result<()> {
    let mut hashes = stop(tx, by, versions)?;
    hashes.extend(blobs.into_iter().map(|blob| blob.blob));
    collect(tx, by, gc_id, &hashes)
}

/// Stops what is under way for versions; returns the blobs that their evaluations needed.
fn stop(tx: &store::Tx<'_>, by: &By, versions: &[store::ModelVersion]) -> Result<BTreeSet<String>> {
    let mut hashes = BTreeSet::new();
    for version in versions {
        let doc: VersionDoc = from_json(version.doc.clone(), &version.id)?;
        if let Some(training) = doc.training.filter(|training| !training.job_id.is_empty()) {
            tx.cancel_job(&training.job_id, by.labeller.now_us)?;
        }
        hashes.extend(crate::evaluations::let_go(tx, version, by.labeller.now_us)?);
    }
    Ok(hashes)
}

fn collect(tx: &store::Tx<'_>, by: &By, gc_id: &str, hashes: &BTreeSet<String>) -> Result<()> {
    match hashes.is_empty() {
        true => Ok(()),
        false => gc_blobs::job_for(gc_id, &by.labeller.account_id, hashes, by.labeller.now_us).insert(tx),
    }
}

/// The same for all versions of models.
pub(super) fn let_go_of_models(
    tx: &store::Tx<'_>,
    by: &By,
    gc_id: &str,
    model_uids: &[String],
) -> Result<()> {
    const BATCH: i64 = 500;
    let uid = &by.labeller.app_uid;
    let mut hashes = BTreeSet::new();
    for model_uid in model_uids {
        let mut before_seq = i64::MAX;
        loop {
            let rows = tx.model_versions_page(uid, model_uid, before_seq, BATCH)?;
            let Some(last) = rows.last() else { break };
            before_seq = last.seq;
            hashes.extend(stop(tx, by, &rows)?);
        }
    }
    hashes.extend(tx.blobs_of_models(uid, model_uids)?.into_iter().map(|blob| blob.blob));
    collect(tx, by, gc_id, &hashes)
}
