//! Writes a version of a dataset as an archive: chunk by chunk, each kept as a blob when it is finished, and in the end put
//! together. An attempt that was cut off is taken up after its last finished chunk; the archive is the same as if it had
//! never been.

mod chunks;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeSet;
use std::io::{self, Read};

use futures_util::FutureExt;
use ocellus_interchange::{Format, Scratch, Sink, WriteOptions, Writer};
use ocellus_store::{self as store, Piece};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OwnedRwLockReadGuard;

use self::chunks::{Chunks, Parts};
use self::work::{Work, no_longer_wanted};
use super::{JobCtx, JobKind, NewJob, Outcome, gc_blobs};
use crate::datasets::content::ContentReader;
use crate::datasets::exports::{ExportAbout, ExportFormat, Exporter, FAILED, PENDING, READY};
use crate::datasets::frozen::Frozen;
use crate::datasets::versions::Version;
use crate::{Error, JsonMap, Platform, Result};

pub(crate) const KIND: JobKind = JobKind {
    name: "export_dataset",
    max_attempts: 20,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// Inputs read, and in a dialect's own formats written to one file, at once: all that a chunk holds.
const BATCH: i64 = chunks::MAX_INPUTS as i64;
/// How often a blob is put again that was collected before anything could refer to it.
const MAX_PUTS: u32 = 3;

/// Who asked for archives, and the attempt at making each.
pub(crate) struct Asked {
    pub version_id: String,
    pub account_id: String,
    pub key_id: String,
    pub now_us: i64,
    pub runs: Vec<(ExportFormat, String)>,
}

impl Asked {
    /// The row of an archive that is about to be made.
    pub(crate) fn row(
        &self,
        about: &ExportAbout,
        version: &Version,
        format: ExportFormat,
        run: &str,
    ) -> store::DatasetExport {
        store::DatasetExport {
            app_uid: about.app_uid.clone(),
            version_uid: version.uid.clone(),
            format: format.name().to_owned(),
            state: PENDING,
            run: run.to_owned(),
            blob: None,
            size_bytes: 0,
            n_items: i64::try_from(version.counts.total.inputs).unwrap_or(i64::MAX),
            n_done: 0,
            error: String::new(),
            doc: JsonMap::new(),
            account_id: self.account_id.clone(),
            key_id: self.key_id.clone(),
            created_at_us: self.now_us,
            modified_at_us: self.now_us,
        }
    }
}

/// What to write.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    version_uid: String,
    format: String,
    run: String,
    about: ExportAbout,
}

impl Target {
    fn of(job: &store::Job) -> Result<Self> {
        serde_json::from_value(Value::Object(job.payload.clone())).map_err(Error::internal)
    }

    fn key(&self) -> (&str, &str, &str, &str) {
        (&self.about.app_uid, &self.version_uid, &self.format, &self.run)
    }

    /// The row that this attempt may change, if it is still the one that counts.
    fn row(&self, tx: &store::Tx<'_>) -> Result<Option<store::DatasetExport>> {
        let rows = tx.dataset_exports(&self.about.app_uid, &self.version_uid)?;
        Ok(rows.into_iter().find(|row| row.format == self.format && row.run == self.run))
    }
}

/// Where the row of an archive that waits for its version says what it is made for.
const WAITING: &str = "waiting";

/// Has an archive made of a version that is ready.
pub(crate) fn begin(tx: &store::Tx<'_>, about: &ExportAbout, row: &store::DatasetExport) -> Result<()> {
    tx.put_dataset_export(row)?;
    job(about, row).insert(tx)
}

/// Has an archive made as soon as its version is ready.
pub(crate) fn wait(tx: &store::Tx<'_>, about: &ExportAbout, row: &store::DatasetExport) -> Result<()> {
    let mut row = row.clone();
    row.doc.insert(WAITING.to_owned(), serde_json::to_value(about).map_err(Error::internal)?);
    Ok(tx.put_dataset_export(&row)?)
}

/// Has the archives made that waited for a version.
pub(crate) fn version_is_ready(
    tx: &store::Tx<'_>,
    app_uid: &str,
    version: &Version,
    now_us: i64,
) -> Result<()> {
    for mut row in tx.dataset_exports(app_uid, &version.uid)? {
        let Some(about) = row.doc.shift_remove(WAITING) else { continue };
        let about = serde_json::from_value(about).map_err(Error::internal)?;
        row.n_items = i64::try_from(version.counts.total.inputs).unwrap_or(i64::MAX);
        row.modified_at_us = now_us;
        begin(tx, &about, &row)?;
    }
    Ok(())
}

/// Gives up the archives that waited for a version.
pub(crate) fn version_failed(
    tx: &store::Tx<'_>,
    app_uid: &str,
    version: &Version,
    now_us: i64,
) -> Result<()> {
    for mut row in tx.dataset_exports(app_uid, &version.uid)? {
        if row.doc.shift_remove(WAITING).is_some() {
            (row.state, row.modified_at_us) = (FAILED, now_us);
            row.error = format!("the version could not be made: {}", version.error);
            tx.put_dataset_export(&row)?;
        }
    }
    Ok(())
}

/// The job for an archive; its id is that of the attempt.
fn job(about: &ExportAbout, row: &store::DatasetExport) -> NewJob {
    let mut new = NewJob::new(&KIND, &row.run, &row.account_id, row.created_at_us);
    new.job.app_uid = Some(about.app_uid.clone());
    let target = Target {
        version_uid: row.version_uid.clone(),
        format: row.format.clone(),
        run: row.run.clone(),
        about: about.clone(),
    };
    new.job.payload = match serde_json::to_value(target) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => JsonMap::new(),
    };
    new
}

/// Stops and forgets the exports of a version that is being deleted.
pub(crate) fn stop_all(tx: &store::Tx<'_>, app_uid: &str, version_uid: &str, now_us: i64) -> Result<()> {
    for row in tx.dataset_exports(app_uid, version_uid)? {
        tx.cancel_job(&row.run, now_us)?;
    }
    tx.delete_dataset_exports(app_uid, version_uid)?;
    Ok(())
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let target = Target::of(&cx.job)?;
    let format = ExportFormat::from_name(&target.format)
        .ok_or_else(|| Error::unsupported(format!("there is no format '{}'", target.format)))?;
    let handle = tokio::runtime::Handle::current();
    let work = Work { cx: cx.clone(), target: target.clone(), handle };
    let written =
        tokio::task::spawn_blocking(move || write(&work, format)).await.map_err(Error::internal)??;
    cx.checkpoint()?;
    let kept = keep(&cx.platform, written.parts.pieces.clone()).await?;
    let now_us = cx.platform.clock().now_us();
    let (cleanup_id, account_id) = (cx.platform.ids().id(), cx.job.account_id.clone());
    let (hash, size_bytes, lost) = (kept.hash, kept.size_bytes, written.lost);
    let mut outcome = Outcome::effect(move |tx| {
        collect_chunks(tx, &target, (&cleanup_id, &account_id), now_us)?;
        let Some(mut row) = target.row(tx)? else { return Ok(()) };
        (row.state, row.blob, row.n_done) = (READY, Some(hash.clone()), row.n_items);
        row.size_bytes = i64::try_from(size_bytes).unwrap_or(i64::MAX);
        row.doc.insert("lost".to_owned(), Value::Object(lost.clone()));
        row.modified_at_us = now_us;
        Ok(tx.put_dataset_export(&row)?)
    });
    outcome.blobs_held = Some(kept.held);
    Ok(outcome)
}

/// Forgets the chunks of an attempt that has ended; their bytes are collected later.
fn collect_chunks(
    tx: &store::Tx<'_>,
    target: &Target,
    (job_id, account_id): (&str, &str),
    now_us: i64,
) -> Result<()> {
    let blobs: BTreeSet<String> = tx.delete_dataset_export_chunks(target.key())?.into_iter().collect();
    if blobs.is_empty() {
        return Ok(());
    }
    gc_blobs::job_for(job_id, account_id, &blobs, now_us).insert(tx)
}

/// A blob that is not collected while this is held.
struct Kept {
    hash: String,
    size_bytes: u64,
    held: OwnedRwLockReadGuard<()>,
}

/// Puts a blob together. The collector is kept waiting only after the bytes are there, however long that takes.
async fn keep(platform: &Platform, pieces: Vec<Piece>) -> Result<Kept> {
    let blobs = platform.store().blobs();
    for _ in 0..MAX_PUTS {
        let (hash, size_bytes) = blobs.put_joined(pieces.clone()).await?;
        let held = platform.blob_gate().clone().read_owned().await;
        if blobs.exists(&hash).await? {
            return Ok(Kept { hash, size_bytes, held });
        }
    }
    Err(Error::unavailable("what was just written to the blob store is gone"))
}

/// An archive that is ready to be put together, and what its format could not hold.
struct Written {
    parts: Parts,
    lost: JsonMap,
}

fn write(work: &Work, format: ExportFormat) -> Result<Written> {
    let chunks = Chunks::new(work)?;
    let mut lost = match format.of_the_field() {
        Some(format) => write_items(work, &chunks, format)?,
        None => {
            let (plain, with_vectors) = format.without_vectors();
            let exporter = work.cx.platform.exporters().get(plain).ok_or_else(|| {
                Error::unavailable("this process does not speak the dialect of the format; a server does")
            })?;
            write_messages(work, &chunks, &exporter, with_vectors)?;
            JsonMap::new()
        }
    };
    let parts = chunks.finish()?;
    if parts.n_missing > 0 {
        lost.insert("files whose bytes are gone".to_owned(), parts.n_missing.into());
    }
    Ok(Written { parts, lost })
}

/// Hands every input to the format's writer. The writer numbers and names things as it goes, so it is also told of those
/// that are in finished chunks, whose bytes are not looked at again.
fn write_items(work: &Work, chunks: &Chunks<'_>, format: Format) -> Result<JsonMap> {
    let scratch = Scratch::Folder(tempfile::env::temp_dir());
    let mut sink = chunks;
    let mut writer = Writer::new(format, &mut sink, WriteOptions { scratch, ..WriteOptions::default() })
        .map_err(failed)?;
    let mut last_seq = 0;
    work.each(0, |page| {
        for (seq, frozen) in page {
            put(work, chunks, &mut writer, (seq, frozen))?;
            last_seq = seq;
        }
        Ok(())
    })?;
    chunks.close(last_seq)?;
    let report = writer.finish().map_err(failed)?;
    let mut lost: JsonMap = report.lost.into_iter().map(|(what, n)| (what, n.into())).collect();
    if report.n_skipped > 0 {
        lost.insert("inputs".to_owned(), report.n_skipped.into());
    }
    Ok(lost)
}

fn put(
    work: &Work,
    chunks: &Chunks<'_>,
    writer: &mut Writer<'_>,
    (seq, frozen): (i64, Frozen),
) -> Result<()> {
    let is_expected = ContentReader::is_expected(&frozen);
    let mut content: Option<Box<dyn Read>> = match chunks.begin(seq) {
        Some(was_there) => (is_expected && was_there).then(|| Box::new(io::empty()) as Box<dyn Read>),
        None => {
            let found = ContentReader::open(work.cx.platform.store().blobs(), &work.handle, &frozen)?;
            found.map(|content| Box::new(content) as Box<dyn Read>)
        }
    };
    let file_name = frozen.export_name();
    let mut item = frozen.item;
    item.file_name = file_name;
    let is_missing = is_expected && content.is_none();
    writer.item(&item, content.as_mut().map(|content| &mut **content as &mut dyn Read)).map_err(failed)?;
    chunks.end(seq, is_missing)
}

/// Files of some inputs each, named by their place and the number of inputs in them: one to a chunk.
fn write_messages(work: &Work, chunks: &Chunks<'_>, exporter: &Exporter, with_vectors: bool) -> Result<()> {
    let mut sink = chunks;
    let (n_done, last_seq) = chunks.done();
    if n_done == 0 {
        sink.put("mimetype", &mut exporter.mimetype.as_bytes()).map_err(failed)?;
    }
    let mut n_files = n_done;
    work.each(last_seq, |page| {
        let path = format!("all/{n_files:08}_n{}", page.len());
        n_files += 1;
        let (numbers, mut page): (Vec<i64>, Vec<Frozen>) = page.into_iter().unzip();
        if with_vectors {
            work.add_vectors(&mut page)?;
        }
        let bytes = (exporter.encode)(&work.target.about, &page);
        sink.put(&path, &mut bytes.as_slice()).map_err(failed)?;
        chunks.close_page(&numbers)
    })
}

/// A fault of the store is one still when it comes back through a writer.
fn failed(error: ocellus_interchange::Error) -> Error {
    if let ocellus_interchange::Error::Io { source, .. } = &error
        && let Some(cause) = source.get_ref().and_then(|cause| cause.downcast_ref::<store::Error>())
    {
        return cause.clone().into();
    }
    Error::internal(anyhow::Error::new(error))
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    _part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    let target = Target::of(job)?;
    collect_chunks(tx, &target, (&format!("{}-chunks", target.run), &job.account_id), now_us)?;
    let Some(mut row) = target.row(tx)? else { return Ok(()) };
    (row.state, row.error, row.modified_at_us) = (FAILED, error.message.clone(), now_us);
    Ok(tx.put_dataset_export(&row)?)
}
