//! `ocellus import`: brings a collection of labelled pictures into an app.
//!
//! The database alone knows how far an import has got. Every record is looked up before it is added, and what is said of its
//! parts has ids drawn from its content, so running an interrupted import again adds only what is missing.

mod record;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use ocellus_core::concepts::{self, NewConcept};
use ocellus_core::resources::New;
use ocellus_core::{AppCtx, Kind, apps, datasets, inputs};
use ocellus_interchange::{Concept, Format};
use tokio::sync::mpsc;

use super::local;
use crate::cli::Import;
use crate::config::Config;
use crate::output;
use crate::serve::lock::DataLock;
use record::{Outcome, Record};

/// Inputs that wait for their description at any moment.
const MAX_WAITING: u64 = 64;
/// Records handed over at once.
const BATCH: usize = 16;
/// How often progress is looked up.
const TICK: Duration = Duration::from_millis(100);
/// Skipped entries shown on the terminal; the report file has all of them.
const SHOWN: usize = 20;

/// What an import came to.
#[derive(Debug, Default)]
pub struct Account {
    /// Records with inputs that were not there before.
    pub n_new: u64,
    /// Records whose input was there already.
    pub n_known: u64,
    /// What was left out: where it stands, and why.
    pub skipped: Vec<(String, String)>,
    /// Entries left out beyond those kept.
    pub n_more_skipped: u64,
    /// What there is no place for, with how often it was dropped.
    pub lost: Vec<(String, u64)>,
}

pub async fn run(config: Config, args: Import) -> anyhow::Result<()> {
    let format = args.format.as_deref().map(format_named).transpose()?;
    let platform = local::open(&config).await?;
    let account = local::account(&platform, args.of.user.as_deref()).await?;
    let app = open_app(&account, args.of.app.as_deref()).await?;
    let lock = DataLock::try_take(&config.server.data_dir, "import")?;
    let workers = match &lock {
        Ok(_) => Some(platform.start_workers().await.map_err(local::explain)?),
        Err(holder) => {
            output::complaint(&format!("{holder} runs on this data folder; it will describe the pictures"));
            None
        }
    };
    let bar = spinner();
    let work = async {
        let done = import(&app, &args.path, format, args.dataset.as_deref(), &bar).await?;
        wait(&app, &bar).await?;
        Ok::<_, anyhow::Error>(done)
    };
    let outcome = tokio::select! {
        outcome = work => Some(outcome),
        _ = tokio::signal::ctrl_c() => None,
    };
    bar.finish_and_clear();
    if let Some(workers) = workers {
        workers.stop().await;
    }
    match outcome {
        Some(done) => conclude(&done?, args.report.as_deref()),
        None => bail!("interrupted; run the same command again to go on"),
    }
}

/// The format of that name, or an error that lists them.
pub fn format_named(name: &str) -> anyhow::Result<Format> {
    let names: Vec<&str> = Format::ALL.into_iter().map(Format::name).collect();
    Format::from_name(name)
        .with_context(|| format!("there is no format `{name}`; there are {}", names.join(", ")))
}

/// The app of this id, or of the local collection; made if it is missing.
pub async fn open_app(account: &ocellus_core::AccountCtx, id: Option<&str>) -> anyhow::Result<AppCtx> {
    let Some(id) = id else { return local::local_app(account.platform(), true).await };
    match local::app(account, id).await {
        Ok(app) => Ok(app),
        Err(error) => {
            let is_missing =
                error.downcast_ref::<ocellus_core::Error>().is_some_and(|error| error.kind == Kind::NotFound);
            if !is_missing {
                return Err(error);
            }
            let new = apps::NewApp { id: Some(id.to_owned()), ..apps::NewApp::default() };
            apps::create(account, vec![new]).await.map_err(local::explain)?;
            local::app(account, id).await
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len} files  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// Brings a collection in; its descriptions may still be waiting then.
pub async fn import(
    app: &AppCtx,
    path: &Path,
    format: Option<Format>,
    dataset: Option<&str>,
    bar: &ProgressBar,
) -> anyhow::Result<Account> {
    if let Some(id) = dataset {
        make_dataset(app, id).await?;
    }
    let (to_us, mut records) = mpsc::channel(BATCH);
    let from = path.to_owned();
    let position = bar.clone();
    let reading = tokio::task::spawn_blocking(move || source::read(&from, format, &to_us, &position));
    let mut done = Account::default();
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(record) = records.recv().await {
        batch.push(record);
        if batch.len() == BATCH {
            hand_over(app, std::mem::take(&mut batch), dataset, &mut done, bar).await?;
        }
    }
    if !batch.is_empty() {
        hand_over(app, batch, dataset, &mut done, bar).await?;
    }
    let summary = reading.await.context("reading the collection failed")??;
    make_concepts(app, summary.concepts).await?;
    done.n_more_skipped = summary.report.n_skipped - summary.report.skipped.len() as u64;
    let skipped = summary.report.skipped.into_iter();
    done.skipped.extend(skipped.map(|entry| (entry.place.to_string(), entry.reason)));
    done.lost = summary.report.lost.into_iter().collect();
    Ok(done)
}

async fn make_dataset(app: &AppCtx, id: &str) -> anyhow::Result<()> {
    let new = New { id: Some(id.to_owned()), doc: datasets::Dataset::default() };
    match datasets::create(app, vec![new]).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind == Kind::Conflict => Ok(()),
        Err(error) => Err(local::explain(error)),
    }
}

/// Concepts that the collection declares and nothing uses are kept too.
async fn make_concepts(app: &AppCtx, declared: Vec<Concept>) -> anyhow::Result<()> {
    for concept in declared {
        let new = NewConcept { id: concept.id, name: concept.name, ..NewConcept::default() };
        match concepts::create(app, vec![new]).await {
            Ok(_) => {}
            Err(error) if matches!(error.kind, Kind::Conflict | Kind::Invalid) => {}
            Err(error) => return Err(local::explain(error)),
        }
    }
    Ok(())
}

async fn hand_over(
    app: &AppCtx,
    batch: Vec<Record>,
    dataset: Option<&str>,
    done: &mut Account,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    // Every waiting input holds a place in memory once it is worked on.
    while n_waiting(app).await? >= MAX_WAITING {
        tokio::time::sleep(TICK).await;
    }
    for (id, outcome) in record::put(app, batch, dataset).await? {
        match outcome {
            Outcome::New => done.n_new += 1,
            Outcome::Known => done.n_known += 1,
            Outcome::Skipped(reason) => done.skipped.push((id, reason)),
        }
    }
    bar.set_message(format!("{} new, {} known, {} skipped", done.n_new, done.n_known, done.skipped.len()));
    Ok(())
}

async fn n_waiting(app: &AppCtx) -> anyhow::Result<u64> {
    let counts = inputs::count(app).await.map_err(local::explain)?;
    Ok(counts.pending + counts.processing)
}

async fn wait(app: &AppCtx, bar: &ProgressBar) -> anyhow::Result<()> {
    loop {
        let n = n_waiting(app).await?;
        if n == 0 {
            return Ok(());
        }
        bar.set_message(format!("{n} are being described"));
        tokio::time::sleep(TICK).await;
    }
}

/// Writes what was skipped, where it stands and why, and what there was no place for, how often.
pub fn write_report(
    path: &Path,
    skipped: impl Iterator<Item = (String, String)>,
    lost: impl Iterator<Item = (String, u64)>,
) -> anyhow::Result<()> {
    let skipped = skipped.map(|(place, reason)| serde_json::json!({"skipped": place, "reason": reason}));
    let lost = lost.map(|(what, n)| serde_json::json!({"lost": what, "times": n}));
    let text: String = skipped.chain(lost).map(|line| format!("{line}\n")).collect();
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn conclude(done: &Account, report: Option<&Path>) -> anyhow::Result<()> {
    if let Some(path) = report {
        write_report(path, done.skipped.iter().cloned(), done.lost.iter().cloned())?;
    }
    for (place, reason) in done.skipped.iter().take(SHOWN) {
        output::complaint(&format!("skipped {place}: {reason}"));
    }
    let n_skipped = done.skipped.len() as u64 + done.n_more_skipped;
    if n_skipped > SHOWN as u64 {
        output::complaint(&format!("… and {} more; --report FILE lists them", n_skipped - SHOWN as u64));
    }
    for (what, n) in &done.lost {
        output::complaint(&format!("no place for {what}: {n} times"));
    }
    output::line(&format!("{} new, {} known before, {n_skipped} skipped", done.n_new, done.n_known));
    Ok(())
}
