//! Versions that were trained elsewhere and come whole.

use ocellus_store as store;

use super::{
    By, ConceptRef, UserModel, UserModelVersion, VersionDoc, VersionState, create, from_json, missing, read,
    to_json, versions,
};
use crate::accounts::check_id;
use crate::{AppCtx, Error, Resource, Result};

/// A version that can be used as it comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewTrained {
    /// Chosen by the user; made up if empty.
    pub version_id: String,
    /// What is said of it, and what it can do.
    pub doc: VersionDoc,
    /// The concepts it tells; those that the app lacks are made.
    pub concepts: Vec<ConceptRef>,
    /// The blobs it needs, each with the part it plays.
    pub blobs: Vec<(String, String)>,
}

/// Adds a version that can be used at once, with which the model tells the version's concepts. The caller holds the gate of
/// the blobs. `NotFound` without the model, `Conflict` if it has a version with this id.
pub(crate) async fn add_trained(
    app: &AppCtx,
    model_id: &str,
    new: NewTrained,
) -> Result<(UserModel, UserModelVersion)> {
    app.check_writable()?;
    let id = if new.version_id.is_empty() { app.platform().ids().id() } else { new.version_id };
    check_id("model_versions.id", &id)?;
    let by = By::new(app);
    let labels = create::check_concepts(new.concepts)?;
    let (doc, blobs, model_id) = (new.doc, new.blobs, model_id.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let uid = &by.labeller.app_uid;
        let mut row = tx.model(uid, &model_id)?.ok_or_else(|| missing(&model_id))?;
        if tx.model_version(uid, &row.uid, &id)?.is_some() {
            let text = format!("model '{model_id}' has a version '{id}' already");
            return Err(Error::conflict(Resource::ModelVersion(id.clone()), text));
        }
        let concepts = create::concept_ids(tx, &by.labeller, &labels)?;
        if !concepts.is_empty() {
            let mut said: super::ModelDoc = from_json(row.doc, &row.id)?;
            said.concepts = concepts;
            row.doc = to_json(&said)?;
            (row.modified_by, row.modified_at_us) = (by.labeller.changed_by(), by.labeller.now_us);
            tx.update_model(&row)?;
        }
        let mut version = versions::row_of(&by, &row.uid, &id, &doc)?;
        version.state = VersionState::Trained.name().to_owned();
        version.completed_at_us = Some(by.labeller.now_us);
        tx.insert_model_version(&version)?;
        let blob = |(role, blob): &(String, String)| store::ModelBlob {
            app_uid: uid.clone(),
            model_uid: row.uid.clone(),
            version_id: id.clone(),
            role: role.clone(),
            blob: blob.clone(),
        };
        tx.put_model_blobs(&blobs.iter().map(blob).collect::<Vec<_>>())?;
        let n_versions = tx.count_model_versions(uid, &[&row.uid])?.get(&row.uid).copied().unwrap_or(1);
        Ok((read(row, version.clone(), n_versions, &by.place)?, versions::read(version)?))
    };
    app.platform().store().write(write).await
}

/// Notes that a version needs a blob. The caller holds the gate of the blobs.
pub(crate) async fn keep_blob(app: &AppCtx, blob: store::ModelBlob) -> Result<()> {
    let by = By::new(app);
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let there = tx.model_version(&blob.app_uid, &blob.model_uid, &blob.version_id)?;
        there.ok_or_else(|| Error::not_found(Resource::ModelVersion(blob.version_id.clone())))?;
        tx.put_model_blobs(std::slice::from_ref(&blob))?;
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}
