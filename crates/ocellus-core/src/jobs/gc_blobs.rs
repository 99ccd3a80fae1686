//! Removes blobs that no input refers to any more: some by hash, or all of them in a sweep.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use ocellus_store::{BlobEntry, JobPart};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JobCtx, JobKind, NewJob, Outcome};
use crate::{Error, JsonMap, Result};

pub(crate) const KIND: JobKind =
    JobKind { name: "gc_blobs", max_attempts: 10, run: |cx| run(cx).boxed(), begin: None, give_up: None };

/// A blob put more recently may belong to an input that another process is about to write.
pub(crate) const GRACE_US: i64 = 10 * 60 * 1_000_000;
/// Blobs listed at once in a sweep.
const BATCH: usize = 500;

/// What to look at; all blobs if no hash is given.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Payload {
    hashes: BTreeSet<String>,
}

/// The job for blobs whose input was just deleted, or never came to be.
pub(crate) fn job_for(id: &str, account_id: &str, hashes: &BTreeSet<String>, now_us: i64) -> NewJob {
    let mut new = NewJob::new(&KIND, id, account_id, now_us);
    let list = hashes.iter().cloned().map(Value::from).collect::<Vec<_>>();
    new.job.payload = [("hashes".to_owned(), Value::from(list))].into_iter().collect();
    new.parts = vec![JobPart::new("", now_us + GRACE_US + 1)];
    new
}

/// The job that looks at every blob.
pub(crate) fn sweep_job(id: &str, account_id: &str, now_us: i64) -> NewJob {
    let mut new = NewJob::new(&KIND, id, account_id, now_us);
    new.job.payload = JsonMap::new();
    new.parts = vec![JobPart::new("", now_us + GRACE_US + 1)];
    new
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let payload: Payload =
        serde_json::from_value(Value::Object(cx.job.payload.clone())).map_err(Error::internal)?;
    if payload.hashes.is_empty() {
        sweep(&cx).await?;
        return Ok(Outcome::nothing());
    }
    let blobs = cx.platform.store().blobs();
    for hash in payload.hashes {
        cx.checkpoint()?;
        // Listing from just before a hash finds its entry, and with it the time it was last put.
        let before = hash.get(..hash.len().saturating_sub(1)).unwrap_or_default();
        let entry = blobs.list(before, 1).await?.into_iter().find(|entry| entry.hash == hash);
        if let Some(entry) = entry {
            collect(&cx, &entry).await?;
        }
    }
    Ok(Outcome::nothing())
}

async fn sweep(cx: &JobCtx) -> Result<()> {
    let mut after = String::new();
    loop {
        let entries = cx.platform.store().blobs().list(&after, BATCH).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        after.clone_from(&last.hash);
        for entry in &entries {
            cx.checkpoint()?;
            collect(cx, entry).await?;
        }
    }
}

async fn collect(cx: &JobCtx, entry: &BlobEntry) -> Result<()> {
    if entry.modified_at_us > cx.platform.clock().now_us() - GRACE_US {
        return Ok(());
    }
    // Nobody in this process puts a blob and has not written its input yet while the gate is closed.
    let _closed = cx.platform.blob_gate().write().await;
    let hash = entry.hash.clone();
    let in_use = cx.platform.store().read(move |tx| Ok::<_, Error>(tx.blob_in_use(&hash)?)).await?;
    if !in_use {
        cx.platform.store().blobs().delete(&entry.hash).await?;
    }
    Ok(())
}
