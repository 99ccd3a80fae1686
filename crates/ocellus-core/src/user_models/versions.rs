//! Versions of a model: listing, describing and deleting them.

use ocellus_store as store;

use super::queued::let_go;
use super::{By, UserModel, UserModelVersion, VersionDoc, VersionState, from_json, missing, to_json};
use crate::{AppCtx, Error, JsonMap, Page, PatchAction, Resource, Result};

/// Which versions to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct VersionListing {
    /// Only those that can be used.
    pub trained_only: bool,
    /// The oldest first.
    pub oldest_first: bool,
}

fn missing_version(id: &str) -> Error {
    Error::not_found(Resource::ModelVersion(id.to_owned()))
}

/// The row of an untrained version that is not yet written.
pub(super) fn row_of(by: &By, model_uid: &str, id: &str, doc: &VersionDoc) -> Result<store::ModelVersion> {
    Ok(store::ModelVersion {
        app_uid: by.labeller.app_uid.clone(),
        model_uid: model_uid.to_owned(),
        id: id.to_owned(),
        seq: 0,
        state: VersionState::Untrained.name().to_owned(),
        doc: checked(doc)?,
        account_id: by.labeller.account_id.clone(),
        key_id: by.labeller.key_id.clone(),
        modified_by: by.labeller.changed_by(),
        created_at_us: by.labeller.now_us,
        modified_at_us: by.labeller.now_us,
        completed_at_us: None,
    })
}

fn checked(doc: &VersionDoc) -> Result<JsonMap> {
    for (field, text, max) in [("description", &doc.description, 100_000), ("license", &doc.license, 1000)] {
        if text.len() > max {
            let field = format!("model_versions.{field}");
            return Err(Error::invalid(field, format!("must have at most {max} bytes")));
        }
    }
    to_json(doc)
}

pub(crate) fn read(row: store::ModelVersion) -> Result<UserModelVersion> {
    let state = VersionState::from_name(&row.state).ok_or_else(|| {
        Error::internal(anyhow::anyhow!("model version '{}' is in the unknown state '{}'", row.id, row.state))
    })?;
    Ok(UserModelVersion {
        state,
        doc: from_json(row.doc, &row.id)?,
        id: row.id,
        account_id: row.account_id,
        created_at_us: row.created_at_us,
        modified_at_us: row.modified_at_us,
        completed_at_us: row.completed_at_us,
    })
}

/// Changes a version that is being trained, named by app, model and id, both by their uids; nothing if it is gone or its
/// training has ended.
pub(crate) fn rewrite_version(
    tx: &store::Tx<'_>,
    (app_uid, model_uid, id): (&str, &str, &str),
    now_us: i64,
    change: impl FnOnce(&mut VersionState, &mut VersionDoc),
) -> Result<Option<UserModelVersion>> {
    let Some(mut row) = tx.model_version(app_uid, model_uid, id)? else { return Ok(None) };
    let mut version = read(row.clone())?;
    match version.state {
        VersionState::Queued | VersionState::Training => {}
        VersionState::Untrained | VersionState::Trained | VersionState::Failed => return Ok(None),
    }
    change(&mut version.state, &mut version.doc);
    let is_over = matches!(version.state, VersionState::Trained | VersionState::Failed);
    version.completed_at_us = is_over.then_some(now_us);
    version.modified_at_us = now_us;
    (row.state, row.doc) = (version.state.name().to_owned(), to_json(&version.doc)?);
    (row.completed_at_us, row.modified_at_us) = (version.completed_at_us, now_us);
    tx.update_model_version(&row)?;
    Ok(Some(version))
}

/// One version of a model.
pub async fn version(app: &AppCtx, model: &UserModel, id: &str) -> Result<UserModelVersion> {
    if model.newest.id == id {
        return Ok(model.newest.clone());
    }
    let (uid, model_uid, wanted) = (app.uid().to_owned(), model.uid.clone(), id.to_owned());
    let read_row = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.model_version(&uid, &model_uid, &wanted)?);
    let row = app.platform().store().read(read_row).await?;
    let found = read(row.ok_or_else(|| missing_version(id))?)?;
    let shown = !app.is_guest() || found.doc.published;
    Some(found).filter(|_| shown).ok_or_else(|| missing_version(id))
}

/// The version to predict with: the one with this id if it is trained, or the newest that is.
pub async fn trained_version(
    app: &AppCtx,
    model: &UserModel,
    id: Option<&str>,
) -> Result<Option<UserModelVersion>> {
    let is_trained = |version: &UserModelVersion| version.state == VersionState::Trained;
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        return Ok(Some(version(app, model, id).await?).filter(is_trained));
    }
    if is_trained(&model.newest) {
        return Ok(Some(model.newest.clone()));
    }
    let listing = VersionListing { trained_only: true, ..VersionListing::default() };
    Ok(list_versions(app, model, listing, Page::first(1)).await?.into_iter().next())
}

/// The trained version with this id, whichever model of the app it is of, with the model's id.
pub(crate) fn trained_version_by_id(
    tx: &store::Tx<'_>,
    app_uid: &str,
    id: &str,
) -> Result<Option<(String, UserModelVersion)>> {
    for row in tx.model_versions_by_id(app_uid, id)? {
        let Some(model) = tx.model_by_uid(app_uid, &row.model_uid)? else { continue };
        let version = read(row)?;
        if version.state == VersionState::Trained {
            return Ok(Some((model.id, version)));
        }
    }
    Ok(None)
}

/// The newest trained version of a model of the app, with the model's id.
pub(crate) fn newest_trained_version(
    tx: &store::Tx<'_>,
    app_uid: &str,
    model_id: &str,
) -> Result<Option<(String, UserModelVersion)>> {
    let Some(model) = tx.model(app_uid, model_id)? else { return Ok(None) };
    for row in tx.model_versions_page(app_uid, &model.uid, i64::MAX, 500)? {
        if row.state == VersionState::Trained.name() {
            return Ok(Some((model.id, read(row)?)));
        }
    }
    Ok(None)
}

/// A model's versions, the newest first unless asked otherwise.
pub async fn list_versions(
    app: &AppCtx,
    model: &UserModel,
    listing: VersionListing,
    page: Page,
) -> Result<Vec<UserModelVersion>> {
    const BATCH: i64 = 500;
    let page = page.check()?;
    let (uid, model_uid) = (app.uid().to_owned(), model.uid.clone());
    let n_wanted = usize::try_from(page.offset() + page.limit()).unwrap_or(usize::MAX);
    let guest = app.is_guest();
    let read_rows = move |tx: &mut store::Tx<'_>| {
        let (mut found, mut before_seq) = (Vec::new(), i64::MAX);
        loop {
            let rows = tx.model_versions_page(&uid, &model_uid, before_seq, BATCH)?;
            let n_rows = rows.len();
            before_seq = rows.last().map_or(before_seq, |row| row.seq);
            for row in rows {
                let version = read(row)?;
                let wanted = !listing.trained_only || version.state == VersionState::Trained;
                if wanted && (!guest || version.doc.published) {
                    found.push(version);
                }
            }
            let enough = !listing.oldest_first && found.len() >= n_wanted;
            if n_rows < BATCH as usize || enough {
                return Ok::<_, Error>(found);
            }
        }
    };
    let mut found = app.platform().store().read(read_rows).await?;
    if listing.oldest_first {
        found.reverse();
    }
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Ok(found.into_iter().skip(skip).take(page.per_page as usize).collect())
}

/// Changes what is said of versions, each patch being the id and fields of [`VersionDoc`], and returns them as they are
/// then, in order. `NotFound` if any does not exist; then none is changed.
pub async fn patch_versions(
    app: &AppCtx,
    model_id: &str,
    patches: Vec<(String, JsonMap)>,
    action: PatchAction,
) -> Result<Vec<UserModelVersion>> {
    app.check_writable()?;
    if patches.is_empty() || patches.len() > super::MAX_PER_CALL {
        let message = format!("must hold 1 to {} items", super::MAX_PER_CALL);
        return Err(Error::invalid("model_versions", message));
    }
    let (by, model_id) = (By::new(app), model_id.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let uid = &by.labeller.app_uid;
        let model = tx.model(uid, &model_id)?.ok_or_else(|| missing(&model_id))?;
        let mut changed = Vec::with_capacity(patches.len());
        for (id, fields) in &patches {
            let mut row = tx.model_version(uid, &model.uid, id)?.ok_or_else(|| missing_version(id))?;
            action.apply_to_fields(&mut row.doc, fields);
            let doc = from_json(row.doc, id).map_err(|error| {
                Error::invalid("model_versions", "has a field of the wrong kind").caused_by(error)
            })?;
            row.doc = checked(&doc)?;
            (row.modified_by, row.modified_at_us) = (by.labeller.changed_by(), by.labeller.now_us);
            tx.update_model_version(&row)?;
            changed.push(read(row)?);
        }
        Ok::<_, Error>(changed)
    };
    app.platform().store().write(write).await
}

/// Deletes a version. A model that loses its last one gets a new, untrained one.
pub async fn delete_version(app: &AppCtx, model_id: &str, id: &str) -> Result<()> {
    app.check_writable()?;
    let (by, fresh_id, gc_id) = (By::new(app), app.platform().ids().id(), app.platform().ids().id());
    let (model_id, id) = (model_id.to_owned(), id.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let uid = &by.labeller.app_uid;
        let model = tx.model(uid, &model_id)?.ok_or_else(|| missing(&model_id))?;
        let row = tx.model_version(uid, &model.uid, &id)?.ok_or_else(|| missing_version(&id))?;
        let blobs = tx.blobs_of_models(uid, &[&model.uid])?;
        let blobs = blobs.into_iter().filter(|blob| blob.version_id == id).collect();
        tx.delete_model_version(uid, &model.uid, &id)?;
        let_go(tx, &by, (&gc_id, &[row]), blobs)?;
        if tx.model_versions_page(uid, &model.uid, i64::MAX, 1)?.is_empty() {
            tx.insert_model_version(&row_of(&by, &model.uid, &fresh_id, &VersionDoc::default())?)?;
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}
