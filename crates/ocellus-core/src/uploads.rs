//! Uploads in parts: a file too large for one request arrives piece by piece, in any order, and may be taken up again.
//!
//! Each piece is kept under the hash of its bytes and read back against it. A piece that is sent again replaces itself;
//! one that contradicts what is there is refused.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use bytes::Bytes;
use ocellus_store as store;
use serde::{Deserialize, Serialize};

use crate::inputs::create::check_alive;
use crate::jobs::gc_blobs;
use crate::resources::{self, Document, Listing, New, Shelf, Stored};
use crate::{AppCtx, Error, Page, Resource, Result, extractions};

/// The largest file that can be uploaded, in bytes.
pub const MAX_BYTES: u64 = 64 << 30;
/// The most pieces of one upload.
pub const MAX_PARTS: usize = 10_000;
/// An upload takes no more pieces after this time, in microseconds: a week.
const LIFETIME_US: i64 = 7 * 24 * 3600 * 1_000_000;

/// What is to be uploaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upload {
    /// The name of the file, for people.
    pub content_name: String,
    /// Its size in bytes.
    pub content_length: u64,
}

impl Document for Upload {
    const KIND: &'static str = "upload";
    const NOUN: &'static str = "upload";
    const FIELD: &'static str = "uploads";

    fn check(&self) -> Result<()> {
        if self.content_length == 0 || self.content_length > MAX_BYTES {
            return Err(Error::invalid("uploads.content_length", format!("must be 1 to {MAX_BYTES}")));
        }
        Ok(())
    }
}

/// A piece of a file.
#[derive(Clone, Debug)]
pub struct Part {
    /// The place of its first byte in the file.
    pub range_start: u64,
    /// The sender's own count.
    pub part_number: i64,
    /// Its bytes.
    pub data: Bytes,
}

/// An upload as far as it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What is uploaded.
    pub upload: Stored<Upload>,
    /// How many of its bytes are here.
    pub n_received: u64,
    /// When it stops taking pieces, in microseconds since the epoch.
    pub expires_at_us: i64,
}

impl Progress {
    fn new(upload: Stored<Upload>, parts: &[store::UploadPart]) -> Self {
        let n_received = parts.iter().map(|part| u64::try_from(part.length).unwrap_or(0)).sum();
        Self { n_received, expires_at_us: upload.created_at_us + LIFETIME_US, upload }
    }

    /// Whether every byte is here. Pieces never overlap, so their lengths tell.
    pub fn is_whole(&self) -> bool {
        self.n_received == self.upload.doc.content_length
    }

    /// Whether it takes no more pieces, though some are missing.
    pub fn is_expired(&self, now_us: i64) -> bool {
        !self.is_whole() && now_us >= self.expires_at_us
    }
}

/// Announces uploads.
pub async fn create(app: &AppCtx, new: Vec<New<Upload>>) -> Result<Vec<Progress>> {
    let made = resources::create(&Shelf::from(app), new).await?;
    Ok(made.into_iter().map(|upload| Progress::new(upload, &[])).collect())
}

/// One upload. `NotFound` if it does not exist.
pub async fn get(app: &AppCtx, id: &str) -> Result<Progress> {
    let upload = resources::get::<Upload>(&Shelf::from(app), id).await?;
    Ok(with_parts(app, vec![upload]).await?.remove(0))
}

/// A page of the app's uploads in order of creation.
pub async fn list(app: &AppCtx, page: Page) -> Result<Vec<Progress>> {
    let found = resources::list::<Upload>(&Shelf::from(app), &Listing::default(), page).await?;
    with_parts(app, found).await
}

/// The uploads with these ids as far as they have come, within a transaction; missing ones are left out.
pub(crate) fn progress_of(tx: &store::Tx<'_>, uid: &str, ids: &[String]) -> Result<Vec<Progress>> {
    let rows = tx.resources_by_ids(uid, Upload::KIND, "", ids)?;
    let progress = |row: store::Resource| {
        let upload = resources::stored::<Upload>(row)?;
        let parts = tx.upload_parts(uid, &upload.id)?;
        Ok(Progress::new(upload, &parts))
    };
    rows.into_iter().map(progress).collect()
}

async fn with_parts(app: &AppCtx, uploads: Vec<Stored<Upload>>) -> Result<Vec<Progress>> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let progress = |upload: &Stored<Upload>| {
            Ok::<_, Error>(Progress::new(upload.clone(), &tx.upload_parts(&uid, &upload.id)?))
        };
        uploads.iter().map(progress).collect::<Result<Vec<_>>>()
    };
    app.platform().store().read(read).await
}

/// Takes pieces of an upload; all or none. `Conflict` about one that contradicts what is there.
pub async fn put_parts(app: &AppCtx, id: &str, parts: Vec<Part>) -> Result<Progress> {
    app.check_writable()?;
    let before = get(app, id).await?;
    let now_us = app.platform().clock().now_us();
    if before.is_expired(now_us) {
        let message = format!("upload '{id}' has expired and takes no more parts");
        return Err(Error::conflict(Resource::Other(Upload::NOUN, id.to_owned()), message));
    }
    check_parts(&parts, before.upload.doc.content_length)?;
    // Held until the rows that refer to the new blobs are written.
    let held = app.platform().blob_gate().read().await;
    let mut rows = Vec::with_capacity(parts.len());
    for part in parts {
        rows.push(store::UploadPart {
            range_start: number(part.range_start),
            length: number(part.data.len() as u64),
            part_number: part.part_number,
            blob: app.platform().store().blobs().put(part.data).await?,
        });
    }
    let (uid, id) = (app.uid().to_owned(), id.to_owned());
    let n_bytes = number(before.upload.doc.content_length);
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &uid)?;
        // It may have been deleted since.
        if tx.resource(&uid, Upload::KIND, "", &id)?.is_none() {
            return Err(resources::missing::<Upload>(&id));
        }
        let mut there = tx.upload_parts(&uid, &id)?;
        for row in &rows {
            add(&mut there, row, &id)?;
            tx.put_upload_part(&uid, &id, row)?;
        }
        if there.iter().map(|part| part.length).sum::<i64>() == n_bytes {
            extractions::start_waiting(tx, &uid, &id, now_us)?;
        }
        Ok(there)
    };
    let there = app.platform().store().write(write).await?;
    drop(held);
    app.platform().job_added().notify_waiters();
    Ok(Progress::new(before.upload, &there))
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn check_parts(parts: &[Part], content_length: u64) -> Result<()> {
    if parts.is_empty() {
        return Err(Error::invalid("content_parts", "must hold at least one part"));
    }
    for (idx, part) in parts.iter().enumerate() {
        let field = format!("content_parts[{idx}]");
        if part.data.is_empty() {
            return Err(Error::invalid(format!("{field}.data"), "has no bytes"));
        }
        let end = part.range_start.checked_add(part.data.len() as u64);
        if end.is_none_or(|end| end > content_length) {
            let message = format!("leads beyond the {content_length} bytes of the upload");
            return Err(Error::invalid(format!("{field}.range_start"), message));
        }
    }
    Ok(())
}

/// Adds a piece to those that are there, unless it contradicts them.
fn add(there: &mut Vec<store::UploadPart>, new: &store::UploadPart, id: &str) -> Result<()> {
    let (start, end) = (new.range_start, new.range_start + new.length);
    let overlaps =
        |part: &store::UploadPart| part.range_start < end && start < part.range_start + part.length;
    let same = |part: &store::UploadPart| {
        (part.range_start, part.length, &part.blob) == (start, new.length, &new.blob)
    };
    match there.iter().find(|part| overlaps(part)) {
        Some(part) if same(part) => return Ok(()),
        Some(part) => {
            let message = format!(
                "the part from byte {start} contradicts the one from byte {}, which is here already",
                part.range_start
            );
            return Err(Error::conflict(Resource::Other(Upload::NOUN, id.to_owned()), message));
        }
        None => {}
    }
    if there.len() >= MAX_PARTS {
        return Err(Error::invalid("content_parts", format!("must not be more than {MAX_PARTS} in all")));
    }
    there.push(new.clone());
    Ok(())
}

/// Deletes uploads with their pieces. `NotFound` if any does not exist; then none is deleted.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    let (job_id, now_us) = (app.platform().ids().id(), app.platform().clock().now_us());
    let (account_id, ids_of_parts) = (app.caller().account_id.clone(), ids.to_vec());
    let last = ids.last().cloned();
    resources::delete_with::<Upload>(&Shelf::from(app), ids, move |tx, uid, gone| {
        // All at once with the last, as one job.
        if last.as_deref() != Some(gone.id.as_str()) {
            return Ok(());
        }
        let mut hashes = BTreeSet::new();
        for id in &ids_of_parts {
            hashes.extend(tx.upload_parts(uid, id)?.into_iter().map(|part| part.blob));
            tx.delete_upload_parts(uid, id)?;
        }
        if !hashes.is_empty() {
            gc_blobs::job_for(&job_id, &account_id, &hashes, now_us).insert(tx)?;
        }
        Ok(())
    })
    .await?;
    app.platform().job_added().notify_waiters();
    Ok(())
}
