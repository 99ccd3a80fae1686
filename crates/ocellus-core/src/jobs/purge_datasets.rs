//! Removes what deleted datasets and versions leave behind, in small transactions, and then the blobs that only they
//! needed.

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JobCtx, JobKind, NewJob, Outcome, gc_blobs};
use crate::{Error, JsonMap, Result};

pub(crate) const KIND: JobKind = JobKind {
    name: "purge_datasets",
    max_attempts: 20,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: None,
};

/// Rows removed in one transaction.
const BATCH: i64 = 500;

/// What was deleted, by internal id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Gone {
    pub datasets: Vec<String>,
    pub versions: Vec<String>,
}

/// The job for what is being deleted.
pub(crate) fn job(id: &str, account_id: &str, app_uid: &str, gone: &Gone, now_us: i64) -> NewJob {
    let mut new = NewJob::new(&KIND, id, account_id, now_us);
    new.job.app_uid = Some(app_uid.to_owned());
    new.job.payload = match serde_json::to_value(gone) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => JsonMap::new(),
    };
    new
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let gone: Gone =
        serde_json::from_value(Value::Object(cx.job.payload.clone())).map_err(Error::internal)?;
    for uid in gone.datasets {
        loop {
            cx.checkpoint()?;
            let (app_uid, uid) = (app_uid.clone(), uid.clone());
            let purge = move |tx: &mut ocellus_store::Tx<'_>| {
                Ok::<_, Error>(tx.purge_dataset_inputs(&app_uid, &uid, BATCH)?)
            };
            if cx.platform.store().write(purge).await? == 0 {
                break;
            }
        }
    }
    for uid in gone.versions {
        purge_version(&cx, &app_uid, &uid).await?;
    }
    let (id, account_id) = (cx.platform.ids().id(), cx.job.account_id.clone());
    let now_us = cx.platform.clock().now_us();
    Ok(Outcome::effect(move |tx| gc_blobs::sweep_job(&id, &account_id, now_us).insert(tx)))
}

/// Removes the frozen rows of a version.
pub(super) async fn purge_version(cx: &JobCtx, app_uid: &str, version_uid: &str) -> Result<()> {
    loop {
        cx.checkpoint()?;
        let (app_uid, uid) = (app_uid.to_owned(), version_uid.to_owned());
        let purge = move |tx: &mut ocellus_store::Tx<'_>| {
            Ok::<_, Error>(tx.purge_dataset_items(&app_uid, &uid, BATCH)?)
        };
        if cx.platform.store().write(purge).await? == 0 {
            return Ok(());
        }
    }
}
