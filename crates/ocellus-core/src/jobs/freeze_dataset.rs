//! Freezes a dataset into a version: reads it at one moment into a temporary file, then writes the rows in portions.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};

use futures_util::FutureExt;
use ocellus_interchange::Content;
use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::purge_datasets::{self, purge_version};
use super::{JobCtx, JobKind, NewJob, Outcome, export_dataset};
use crate::datasets::frozen::{Frozen, Only, freeze, freeze_only};
use crate::datasets::versions::{Version, VersionState, content_hash};
use crate::datasets::{Counts, read_doc};
use crate::resources::Document;
use crate::{AppCtx, Error, JsonMap, Platform, Result};

pub(crate) const KIND: JobKind = JobKind {
    name: "freeze_dataset",
    max_attempts: 10,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// Inputs read at once.
const READ: i64 = 500;
/// Rows written in one transaction.
const WRITE: usize = 256;

/// Which version to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub dataset_id: String,
    pub version_id: String,
    pub version_uid: String,
    /// Which annotations it is made of; absent: all that count.
    #[serde(default)]
    pub only: Option<Only>,
}

impl Target {
    fn of(job: &store::Job) -> Result<Self> {
        serde_json::from_value(Value::Object(job.payload.clone())).map_err(Error::internal)
    }
}

/// The job for a version that is being made.
pub(crate) fn job(app: &AppCtx, target: &Target) -> NewJob {
    let platform = app.platform();
    let account_id = &app.caller().account_id;
    let mut new = NewJob::new(&KIND, &platform.ids().id(), account_id, platform.clock().now_us());
    new.job.app_uid = Some(app.uid().to_owned());
    new.job.payload = match serde_json::to_value(target) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => JsonMap::new(),
    };
    new
}

/// A line of the temporary file.
#[derive(Serialize, Deserialize)]
struct Line {
    content: String,
    labels: String,
    frozen: Frozen,
}

/// The dataset as it was at one moment.
struct Snapshot {
    file: File,
    n_items: u64,
    counts: Counts,
    content_hash: String,
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let mut target = Target::of(&cx.job)?;
    // It may be long, and the target is copied often.
    let only = target.only.take();
    let at_start =
        |version: &mut Version| (version.state, version.error) = (VersionState::InProgress, String::new());
    let Some(version) = set(&cx.platform, &app_uid, &target, at_start).await? else {
        return Ok(Outcome::nothing());
    };
    // Rows of an attempt that was cut off.
    purge_version(&cx, &app_uid, &target.version_uid).await?;
    let (uid, dataset_uid) = (app_uid.clone(), version.dataset_uid);
    let snapshot = cx.platform.store().read(move |tx| read(tx, &uid, &dataset_uid, only.as_ref())).await?;
    let Snapshot { file, n_items, counts, content_hash } = snapshot;
    write(&cx, &app_uid, &target, file, n_items).await?;
    let (cleanup_id, account_id) = (cx.platform.ids().id(), cx.job.account_id.clone());
    let now_us = cx.platform.clock().now_us();
    Ok(Outcome::effect(move |tx| {
        let done = |version: &mut Version| {
            version.state = VersionState::Ready;
            version.progress = (n_items, n_items);
            (version.counts, version.content_hash) = (counts.clone(), content_hash.clone());
        };
        if let Some(version) = set_in(tx, &app_uid, &target, done, now_us)? {
            return export_dataset::version_is_ready(tx, &app_uid, &version, now_us);
        }
        // Deleted meanwhile; what its own clean-up missed must go too.
        let gone = purge_datasets::Gone { datasets: Vec::new(), versions: vec![target.version_uid.clone()] };
        purge_datasets::job(&cleanup_id, &account_id, &app_uid, &gone, now_us).insert(tx)
    }))
}

/// Reads the whole dataset in the one moment that the transaction sees.
fn read(tx: &store::Tx<'_>, app_uid: &str, dataset_uid: &str, only: Option<&Only>) -> Result<Snapshot> {
    let mut out = BufWriter::new(tempfile::tempfile().map_err(Error::internal)?);
    let (mut counts, mut lines, mut after) = (Counts::default(), Vec::new(), 0);
    loop {
        let rows = tx.dataset_inputs_page(app_uid, dataset_uid, after, (READ, 0))?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        let ids: Vec<&str> = rows.iter().map(|row| row.input_id.as_str()).collect();
        let all = match only {
            Some(only) => freeze_only(tx, app_uid, &ids, only)?,
            None => freeze(tx, app_uid, &ids)?,
        };
        for frozen in all {
            let line = Line { content: frozen.content_digest(), labels: frozen.labels_digest(), frozen };
            counts.add(&line.frozen);
            lines.push(format!("{}\t{}\t{}", line.frozen.item.id, line.content, line.labels));
            serde_json::to_writer(&mut out, &line).map_err(Error::internal)?;
            out.write_all(b"\n").map_err(Error::internal)?;
        }
    }
    let mut file = out.into_inner().map_err(|error| Error::internal(error.into_error()))?;
    file.rewind().map_err(Error::internal)?;
    Ok(Snapshot { file, n_items: lines.len() as u64, counts, content_hash: content_hash(lines) })
}

async fn write(cx: &JobCtx, app_uid: &str, target: &Target, file: File, n_items: u64) -> Result<()> {
    let mut lines = BufReader::new(file).lines();
    let mut n_done = 0_u64;
    loop {
        cx.checkpoint()?;
        let mut rows = Vec::with_capacity(WRITE);
        for text in lines.by_ref().take(WRITE) {
            let line: Line =
                serde_json::from_str(&text.map_err(Error::internal)?).map_err(Error::internal)?;
            n_done += 1;
            rows.push(row_of(app_uid, &target.version_uid, n_done, line)?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let (uid, wanted, now_us) = (app_uid.to_owned(), target.clone(), cx.platform.clock().now_us());
        cx.platform
            .store()
            .write(move |tx| {
                let progress = |version: &mut Version| version.progress = (n_done, n_items);
                set_in(tx, &uid, &wanted, progress, now_us)?
                    .ok_or_else(|| Error::cancelled("the version was deleted"))?;
                tx.put_dataset_items(&rows)?;
                Ok::<_, Error>(())
            })
            .await?;
    }
}

fn row_of(app_uid: &str, version_uid: &str, n: u64, line: Line) -> Result<store::DatasetItem> {
    let doc = match serde_json::to_value(&line.frozen) {
        Ok(Value::Object(map)) => map,
        Ok(_) => JsonMap::new(),
        Err(error) => return Err(Error::internal(error)),
    };
    Ok(store::DatasetItem {
        app_uid: app_uid.to_owned(),
        version_uid: version_uid.to_owned(),
        input_id: line.frozen.item.id,
        seq: i64::try_from(n).unwrap_or(i64::MAX),
        content: line.content,
        labels: line.labels,
        // Words are kept with the row; only bytes are kept apart from it.
        blob: line.frozen.hash.filter(|_| !matches!(line.frozen.item.content, Content::Text(_))),
        doc,
    })
}

/// Changes the version, unless it was deleted.
async fn set(
    platform: &Platform,
    app_uid: &str,
    target: &Target,
    change: impl Fn(&mut Version) + Send + Sync + 'static,
) -> Result<Option<Version>> {
    let (app_uid, target, now_us) = (app_uid.to_owned(), target.clone(), platform.clock().now_us());
    platform.store().write(move |tx| set_in(tx, &app_uid, &target, &change, now_us)).await
}

fn set_in(
    tx: &store::Tx<'_>,
    app_uid: &str,
    target: &Target,
    change: impl Fn(&mut Version),
    now_us: i64,
) -> Result<Option<Version>> {
    let found = tx.resource(app_uid, Version::KIND, &target.dataset_id, &target.version_id)?;
    let Some(mut row) = found else { return Ok(None) };
    let mut version: Version = read_doc(row.clone())?;
    if version.uid != target.version_uid {
        return Ok(None);
    }
    change(&mut version);
    row.state = version.state();
    row.doc = match serde_json::to_value(&version) {
        Ok(Value::Object(map)) => map,
        Ok(_) => JsonMap::new(),
        Err(error) => return Err(Error::internal(error)),
    };
    row.modified_at_us = now_us;
    tx.update_resource(&row)?;
    Ok(Some(version))
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    _part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    let Some(app_uid) = &job.app_uid else { return Ok(()) };
    let failed = |version: &mut Version| {
        (version.state, version.error) = (VersionState::Failed, error.message.clone())
    };
    match set_in(tx, app_uid, &Target::of(job)?, failed, now_us)? {
        Some(version) => export_dataset::version_failed(tx, app_uid, &version, now_us),
        None => Ok(()),
    }
}
