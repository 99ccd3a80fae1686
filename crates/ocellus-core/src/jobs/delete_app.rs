//! Removes what a deleted app leaves behind, in small transactions, and then the blobs that only it needed.

use futures_util::FutureExt;

use super::{JobCtx, JobKind, NewJob, Outcome, gc_blobs};
use crate::{Error, Platform, Result};

pub(crate) const KIND: JobKind =
    JobKind { name: "delete_app", max_attempts: 20, run: |cx| run(cx).boxed(), begin: None, give_up: None };

/// Rows removed in one transaction: few enough that others hardly wait.
const BATCH: i64 = 500;

/// The job for an app that is being deleted.
pub(crate) fn job(platform: &Platform, account_id: &str, app_uid: &str) -> NewJob {
    let mut new = NewJob::new(&KIND, &platform.ids().id(), account_id, platform.clock().now_us());
    new.job.app_uid = Some(app_uid.to_owned());
    new
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    loop {
        cx.checkpoint()?;
        let app_uid = uid.clone();
        let purge = move |tx: &mut ocellus_store::Tx<'_>| Ok::<_, Error>(tx.purge_app_rows(&app_uid, BATCH)?);
        if cx.platform.store().write(purge).await? == 0 {
            break;
        }
    }
    cx.platform.indexes().forget(&uid);
    let (id, account_id) = (cx.platform.ids().id(), cx.job.account_id.clone());
    let now_us = cx.platform.clock().now_us();
    Ok(Outcome::effect(move |tx| gc_blobs::sweep_job(&id, &account_id, now_us).insert(tx)))
}
