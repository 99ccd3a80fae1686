//! Writes a version of a dataset as an archive: input by input into a temporary file, which then becomes a blob.

use std::io::{Cursor, Read};

use bytes::Bytes;
use futures_util::FutureExt;
use ocellus_interchange::{Scratch, Sink, WriteOptions, Writer, ZipSink};
use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JobCtx, JobKind, NewJob, Outcome};
use crate::datasets::exports::{ExportAbout, ExportFormat, Exporter, FAILED, PENDING, READY};
use crate::datasets::frozen::Frozen;
use crate::datasets::versions::Version;
use crate::{Error, JsonMap, Result};

pub(crate) const KIND: JobKind = JobKind {
    name: "export_dataset",
    max_attempts: 20,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// Inputs read, and in a dialect's own formats written to one file, at once.
const BATCH: i64 = 128;

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

/// The job for an archive; its id is that of the attempt.
pub(crate) fn job(about: &ExportAbout, row: &store::DatasetExport) -> NewJob {
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

async fn run(cx: JobCtx) -> Result<Outcome> {
    let target = Target::of(&cx.job)?;
    let format = ExportFormat::from_name(&target.format)
        .ok_or_else(|| Error::unsupported(format!("there is no format '{}'", target.format)))?;
    let handle = tokio::runtime::Handle::current();
    let pages = Pages { cx: cx.clone(), target: target.clone(), handle };
    let written =
        tokio::task::spawn_blocking(move || write(&pages, format)).await.map_err(Error::internal)??;
    let size_bytes = written.file.as_file().metadata().map_err(Error::internal)?.len();
    let held = cx.platform.blob_gate().clone().read_owned().await;
    let hash = cx.platform.store().blobs().put_file(written.file.path().to_owned()).await?;
    let now_us = cx.platform.clock().now_us();
    let mut outcome = Outcome::effect(move |tx| {
        let Some(mut row) = target.row(tx)? else { return Ok(()) };
        (row.state, row.blob, row.n_done) = (READY, Some(hash.clone()), row.n_items);
        row.size_bytes = i64::try_from(size_bytes).unwrap_or(i64::MAX);
        row.doc.insert("lost".to_owned(), Value::Object(written.lost.clone()));
        row.modified_at_us = now_us;
        Ok(tx.put_dataset_export(&row)?)
    });
    outcome.blobs_held = Some(held);
    Ok(outcome)
}

/// An archive that was written, and what its format could not hold.
struct Written {
    file: tempfile::NamedTempFile,
    lost: JsonMap,
}

/// The inputs of a version, read page by page from a thread that may wait.
struct Pages {
    cx: JobCtx,
    target: Target,
    handle: tokio::runtime::Handle,
}

impl Pages {
    fn after(&self, seq: i64) -> Result<Vec<store::DatasetItem>> {
        self.cx.checkpoint()?;
        let target = self.target.clone();
        let store = self.cx.platform.store();
        self.handle.block_on(store.read(move |tx| {
            Ok::<_, Error>(tx.dataset_items_page(&target.about.app_uid, &target.version_uid, seq, BATCH)?)
        }))
    }

    fn bytes(&self, hash: &str) -> Result<Option<Bytes>> {
        Ok(self.handle.block_on(self.cx.platform.store().blobs().get(hash))?)
    }

    fn note(&self, n_done: i64) -> Result<()> {
        let (target, now_us) = (self.target.clone(), self.cx.platform.clock().now_us());
        let write = move |tx: &mut store::Tx<'_>| {
            Ok::<_, Error>(tx.set_dataset_export_progress(target.key(), n_done, now_us)?)
        };
        match self.handle.block_on(self.cx.platform.store().write(write))? {
            true => Ok(()),
            false => Err(Error::cancelled("the version was deleted")),
        }
    }

    /// Hands every page of inputs over.
    fn each(&self, mut visit: impl FnMut(Vec<Frozen>) -> Result<()>) -> Result<()> {
        let mut after = 0;
        self.note(0)?;
        loop {
            let rows = self.after(after)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.seq;
            let read = |row: store::DatasetItem| {
                serde_json::from_value(Value::Object(row.doc)).map_err(Error::internal)
            };
            visit(rows.into_iter().map(read).collect::<Result<Vec<Frozen>>>()?)?;
            self.note(after)?;
        }
    }
}

fn write(pages: &Pages, format: ExportFormat) -> Result<Written> {
    let mut file = tempfile::NamedTempFile::new().map_err(Error::internal)?;
    let mut sink = ZipSink::new(std::io::BufWriter::new(file.as_file_mut()));
    let lost = match format.of_the_field() {
        Some(format) => {
            let options = WriteOptions { scratch: scratch(), ..WriteOptions::default() };
            let mut writer = Writer::new(format, &mut sink, options).map_err(failed)?;
            pages.each(|page| page.into_iter().try_for_each(|frozen| put(pages, &mut writer, frozen)))?;
            let report = writer.finish().map_err(failed)?;
            let mut lost: JsonMap = report.lost.into_iter().map(|(what, n)| (what, n.into())).collect();
            if report.n_skipped > 0 {
                lost.insert("inputs".to_owned(), report.n_skipped.into());
            }
            lost
        }
        None => {
            let exporter = pages.cx.platform.exporters().get(format).ok_or_else(|| {
                Error::unavailable("this process does not speak the dialect of the format; a server does")
            })?;
            write_messages(pages, &mut sink, &exporter)?;
            JsonMap::new()
        }
    };
    let mut out = sink.finish().map_err(failed)?;
    std::io::Write::flush(&mut out).map_err(Error::internal)?;
    drop(out);
    Ok(Written { file, lost })
}

fn scratch() -> Scratch {
    Scratch::Folder(tempfile::env::temp_dir())
}

fn put(pages: &Pages, writer: &mut Writer<'_>, frozen: Frozen) -> Result<()> {
    let bytes = match &frozen.hash {
        Some(hash) => pages.bytes(hash)?,
        None => None,
    };
    let file_name = frozen.export_name();
    let mut item = frozen.item;
    item.file_name = file_name;
    let mut content = bytes.map(Cursor::new);
    let content = content.as_mut().map(|content| content as &mut dyn Read);
    writer.item(&item, content).map_err(failed)
}

/// Files of some inputs each, named by their place and the number of inputs in them.
fn write_messages(pages: &Pages, sink: &mut dyn Sink, exporter: &Exporter) -> Result<()> {
    sink.put("mimetype", &mut exporter.mimetype.as_bytes()).map_err(failed)?;
    let mut n_files = 0;
    pages.each(|page| {
        let path = format!("all/{n_files:08}_n{}", page.len());
        n_files += 1;
        let bytes = (exporter.encode)(&pages.target.about, &page);
        sink.put(&path, &mut bytes.as_slice()).map_err(failed)
    })
}

fn failed(error: ocellus_interchange::Error) -> Error {
    Error::internal(anyhow::Error::new(error))
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    _part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    let Some(mut row) = Target::of(job)?.row(tx)? else { return Ok(()) };
    (row.state, row.error, row.modified_at_us) = (FAILED, error.message.clone(), now_us);
    Ok(tx.put_dataset_export(&row)?)
}
