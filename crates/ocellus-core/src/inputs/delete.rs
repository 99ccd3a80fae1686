//! Deleting inputs: gone at once with their labels, predictions and vectors; their bytes are collected by a job.

use std::collections::BTreeSet;

use ocellus_store as store;

use super::create::check_alive;
use crate::jobs::gc_blobs;
use crate::{AppCtx, Error, Page, Resource, Result};

/// Deletes inputs by id. `NotFound` if any does not exist; then none is deleted.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    app.check_writable()?;
    if ids.is_empty() || ids.len() > Page::MAX_PER_PAGE as usize {
        return Err(Error::invalid("ids", format!("must hold 1 to {} items", Page::MAX_PER_PAGE)));
    }
    let platform = app.platform();
    let (uid, account_id) = (app.uid().to_owned(), app.app().user_id.clone());
    let ids: Vec<String> = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let (job_id, now_us) = (platform.ids().id(), platform.clock().now_us());
    platform
        .store()
        .write(move |tx| {
            check_alive(tx, &uid)?;
            let found = tx.inputs_by_ids(&uid, &ids)?;
            if let Some(missing) = ids.iter().find(|id| !found.iter().any(|row| row.id == **id)) {
                return Err(Error::not_found(Resource::Input(missing.clone())));
            }
            let mut hashes = hashes_of(&found);
            hashes.extend(tx.rendition_blobs(&uid, &ids)?);
            tx.delete_inputs(&uid, &ids)?;
            if !hashes.is_empty() {
                gc_blobs::job_for(&job_id, &account_id, &hashes, now_us).insert(tx)?;
            }
            Ok(())
        })
        .await?;
    platform.job_added().notify_waiters();
    Ok(())
}

fn hashes_of(rows: &[store::Input]) -> BTreeSet<String> {
    rows.iter().flat_map(|row| [row.blob.clone(), row.thumb.clone()]).flatten().collect()
}

/// Deletes every input of the app.
pub async fn delete_all(app: &AppCtx) -> Result<()> {
    app.check_writable()?;
    let platform = app.platform();
    let (uid, account_id) = (app.uid().to_owned(), app.app().user_id.clone());
    let (job_id, now_us) = (platform.ids().id(), platform.clock().now_us());
    platform
        .store()
        .write(move |tx| {
            check_alive(tx, &uid)?;
            if tx.delete_all_inputs(&uid)? > 0 {
                gc_blobs::sweep_job(&job_id, &account_id, now_us).insert(tx)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    platform.job_added().notify_waiters();
    Ok(())
}
