//! Background work: written in the transaction of the change it follows from, leased, retried, and resumed after a crash.
//!
//! A kind of job is a file here with an entry in `REGISTRY`. Its function runs outside any transaction, at least once
//! for each part of the job, and hands back its effect: a closure that is run in the very transaction that ends the part,
//! so that the effect happens exactly once however often the part was begun.

pub mod call_back;
pub(crate) mod delete_app;
pub(crate) mod describe_image_text;
pub(crate) mod describe_parts;
pub(crate) mod duplicate_app;
pub(crate) mod export_dataset;
pub(crate) mod extract_inputs;
pub(crate) mod freeze_dataset;
pub(crate) mod gc_blobs;
pub(crate) mod process_input;
pub(crate) mod purge_datasets;
mod run_part;
mod runner;
pub(crate) mod send_letter;
#[cfg(test)]
mod tests;
pub(crate) mod train_version;

use futures_util::future::BoxFuture;
use ocellus_store as store;
use tokio::sync::OwnedRwLockReadGuard;

pub(crate) use runner::Signal;
pub use runner::Workers;

use crate::{Error, Platform, Result};

/// Writes what came of a part; may be run again on a fresh state, like every transaction.
pub(crate) type Effect = Box<dyn Fn(&store::Tx<'_>) -> Result<()> + Send + Sync>;

/// Marks claimed parts as begun; given the time in microseconds since the epoch.
pub(crate) type Begin = fn(&store::Tx<'_>, &[(store::Job, store::JobPart)], i64) -> Result<()>;

/// Writes that a part was given up, and why; given the time in microseconds since the epoch.
pub(crate) type GiveUp = fn(&store::Tx<'_>, &store::Job, &store::JobPart, &Error, i64) -> Result<()>;

/// What a part came to.
#[derive(Default)]
pub(crate) struct Outcome {
    /// To be written together with the end of the part.
    pub effect: Option<Effect>,
    /// Keeps new blobs from being collected until the effect refers to them.
    pub blobs_held: Option<OwnedRwLockReadGuard<()>>,
}

impl Outcome {
    /// Nothing is left to be written.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// The effect is to be written.
    pub(crate) fn effect(effect: impl Fn(&store::Tx<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { effect: Some(Box::new(effect)), blobs_held: None }
    }
}

/// What a running part works with.
#[derive(Clone)]
pub(crate) struct JobCtx {
    /// The platform.
    pub platform: Platform,
    /// The job.
    pub job: store::Job,
    /// The part of it.
    pub part: store::JobPart,
    signal: Signal,
}

impl JobCtx {
    /// Of a part that a test has claimed.
    #[cfg(test)]
    pub(crate) fn claimed(platform: Platform, (job, part): (store::Job, store::JobPart)) -> Self {
        Self { platform, job, part, signal: Signal::default() }
    }

    /// To be called now and then by long parts: `Cancelled` when the job was cancelled or the lease was lost.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        if self.signal.should_stop() {
            return Err(Error::cancelled("the job was cancelled"));
        }
        Ok(())
    }
}

/// A kind of job.
pub(crate) struct JobKind {
    /// The name in the store.
    pub name: &'static str,
    /// How often a part may be begun.
    pub max_attempts: i64,
    /// Does a part's work.
    pub run: fn(JobCtx) -> BoxFuture<'static, Result<Outcome>>,
    /// Marks claimed parts as begun, all in one transaction.
    pub begin: Option<Begin>,
    /// Writes that a part was given up.
    pub give_up: Option<GiveUp>,
}

/// Every kind of job.
pub(crate) const REGISTRY: &[JobKind] = &[
    process_input::KIND,
    describe_parts::KIND,
    describe_image_text::KIND,
    delete_app::KIND,
    duplicate_app::KIND,
    gc_blobs::KIND,
    freeze_dataset::KIND,
    export_dataset::KIND,
    extract_inputs::KIND,
    call_back::KIND,
    send_letter::KIND,
    purge_datasets::KIND,
    train_version::KIND,
    crate::annotation_metrics::KIND,
    crate::evaluations::KIND,
    crate::maps::KIND,
    crate::bulk::KIND,
    crate::collectors::collect::KIND,
    crate::tasks::fill::KIND,
    #[cfg(test)]
    tests::PROBE,
];

/// A job about to be written.
pub(crate) struct NewJob {
    /// The job.
    pub job: store::Job,
    /// Its parts; none means one without a subject.
    pub parts: Vec<store::JobPart>,
}

impl NewJob {
    pub(crate) fn new(kind: &JobKind, id: &str, account_id: &str, now_us: i64) -> Self {
        let mut job = store::Job::new(id, kind.name, account_id, now_us);
        job.max_attempts = kind.max_attempts;
        Self { job, parts: Vec::new() }
    }

    /// Writes the job in the transaction of the change it follows from.
    pub(crate) fn insert(&self, tx: &store::Tx<'_>) -> Result<()> {
        Ok(tx.insert_job(&self.job, &self.parts)?)
    }
}

impl Platform {
    /// How many jobs have not ended.
    pub async fn count_open_jobs(&self) -> Result<u64> {
        let n_open = self.store().read(|tx| Ok::<_, Error>(tx.count_open_jobs()?)).await?;
        Ok(u64::try_from(n_open).unwrap_or(0))
    }

    /// Looks through all blobs for those that nothing refers to any more, in the background.
    pub async fn collect_blobs(&self, account_id: &str) -> Result<()> {
        let (id, account_id, now_us) = (self.ids().id(), account_id.to_owned(), self.clock().now_us());
        self.store().write(move |tx| gc_blobs::sweep_job(&id, &account_id, now_us).insert(tx)).await?;
        self.job_added().notify_waiters();
        Ok(())
    }
}
