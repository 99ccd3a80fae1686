//! Showing versions to others, and no longer.

use ocellus_store as store;

use super::{By, UserModelVersion, VersionDoc, VersionState, from_json, missing, to_json, versions};
use crate::{AppCtx, Error, Resource, Result};

/// Whether a model of an app has a version that others may use.
pub(crate) fn is_published(tx: &store::Tx<'_>, app_uid: &str, model_id: &str) -> Result<bool> {
    let Some(model) = tx.model(app_uid, model_id)? else { return Ok(false) };
    Ok(!published_versions(tx, app_uid, &model.uid)?.is_empty())
}

/// The versions of a model that others may use, the newest first.
pub(super) fn published_versions(
    tx: &store::Tx<'_>,
    app_uid: &str,
    model_uid: &str,
) -> Result<Vec<UserModelVersion>> {
    const BATCH: i64 = 500;
    let (mut found, mut before_seq) = (Vec::new(), i64::MAX);
    loop {
        let rows = tx.model_versions_page(app_uid, model_uid, before_seq, BATCH)?;
        let Some(last) = rows.last() else { return Ok(found) };
        before_seq = last.seq;
        for row in rows {
            found.extend(Some(versions::read(row)?).filter(|version| version.doc.published));
        }
    }
}

/// Lets others use versions of a model, or no longer. Only what is trained can be shown. `NotFound` if any does not exist;
/// then none is changed.
pub async fn publish(app: &AppCtx, model_id: &str, ids: &[String], published: bool) -> Result<()> {
    app.check_writable()?;
    app.check_owner()?;
    if ids.is_empty() || ids.len() > super::MAX_PER_CALL {
        let message = format!("must hold 1 to {} items", super::MAX_PER_CALL);
        return Err(Error::invalid("publications", message));
    }
    let (by, model_id, ids) = (By::new(app), model_id.to_owned(), ids.to_vec());
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let uid = &by.labeller.app_uid;
        let model = tx.model(uid, &model_id)?.ok_or_else(|| missing(&model_id))?;
        for id in &ids {
            let about = || Resource::ModelVersion(id.clone());
            let row = tx.model_version(uid, &model.uid, id)?;
            let mut row = row.ok_or_else(|| Error::not_found(about()))?;
            if published && row.state != VersionState::Trained.name() {
                let message = format!("model version '{id}' is not trained, so it cannot be published");
                return Err(Error::invalid("publications.version_id", message).about(about()));
            }
            let mut doc: VersionDoc = from_json(row.doc, id)?;
            doc.published = published;
            row.doc = to_json(&doc)?;
            (row.modified_by, row.modified_at_us) = (by.labeller.changed_by(), by.labeller.now_us);
            tx.update_model_version(&row)?;
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}
