//! Runs jobs: claims parts in small batches, works on several at once, keeps their leases alive, and ends each in one write.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ocellus_store as store;
use parking_lot::Mutex;
use store::{Job, JobPart, Lease};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::run_part::run_part;
use super::{JobCtx, JobKind, REGISTRY};
use crate::{Error, Platform, Result};

/// How long an orderly stop waits for parts that are being worked on.
const STOP_PATIENCE: Duration = Duration::from_secs(8);
/// How often old jobs are looked for.
const HOUSEKEEPING_US: i64 = 3_600_000_000;
/// How long ended jobs are kept, for those who ask what came of them.
const KEEP_US: i64 = 7 * 24 * 3_600_000_000;

/// Tells a running part that it should stop.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<AtomicBool>);

impl Signal {
    fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it should.
    pub(crate) fn should_stop(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The running workers; dropping them stops them without patience, and their leases expire.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Stops in order: nothing more is begun, what is being worked on is finished if it takes a few seconds, and the rest
    /// is given back.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in &mut self.tasks {
            // A worker that panicked has stopped too.
            let _ = task.await;
        }
    }

    /// Stops as if the process had been killed: nothing is finished or given back.
    #[cfg(test)]
    pub(super) async fn kill(mut self) {
        for task in &mut self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Platform {
    /// Starts working on jobs in the background. On SQLite, which only this process works on, whatever a dead process
    /// held is taken over at once. Inputs that an image-text pair has not seen are given to it.
    pub async fn start_workers(&self) -> Result<Workers> {
        if self.is_alone() {
            let owner = self.boot_id().to_owned();
            self.store().write(move |tx| Ok::<_, Error>(tx.release_leases_of_others(&owner)?)).await?;
        }
        self.describe_older_inputs().await?;
        let (stop, stopped) = watch::channel(false);
        let runner = Runner::new(self.clone());
        let beating = tokio::spawn(heartbeat(runner.platform.clone(), runner.held.clone(), stopped.clone()));
        let working = tokio::spawn(runner.work(stopped));
        Ok(Workers { stop, tasks: vec![working, beating] })
    }

    /// Works until no part is due, on this task; for tests and the command line.
    pub async fn run_until_idle(&self) -> Result<()> {
        let mut runner = Runner::new(self.clone());
        let (_stop, stopped) = watch::channel(false);
        let beating = tokio::spawn(heartbeat(self.clone(), runner.held.clone(), stopped));
        let result = runner.drain().await;
        beating.abort();
        result
    }
}

/// The parts this process holds, with the way to tell each to stop.
type Held = Arc<Mutex<HashMap<(String, i64), (JobPart, Signal)>>>;

struct Runner {
    platform: Platform,
    n_workers: usize,
    held: Held,
    queue: VecDeque<JobCtx>,
    running: JoinSet<()>,
}

impl Runner {
    fn new(platform: Platform) -> Self {
        let configured = platform.jobs_config().workers;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let n_workers = if configured == 0 { 2 * cores } else { configured };
        Self { platform, n_workers, held: Held::default(), queue: VecDeque::new(), running: JoinSet::new() }
    }

    async fn work(mut self, mut stopped: watch::Receiver<bool>) {
        let poll = Duration::from_millis(self.platform.jobs_config().poll_ms.max(10));
        let platform = self.platform.clone();
        let mut cleaned_at_us = 0;
        while !*stopped.borrow() {
            if platform.clock().now_us() - cleaned_at_us > HOUSEKEEPING_US {
                cleaned_at_us = platform.clock().now_us();
                purge_old_jobs(&platform).await.unwrap_or_else(|error| error.log());
            }
            // Registered before looking, so that a job added in between is not missed.
            let mut added = std::pin::pin!(platform.job_added().notified());
            added.as_mut().enable();
            let wait = match self.fill().await {
                Ok(_) => poll,
                Err(error) => {
                    error.log();
                    poll.max(Duration::from_secs(1))
                }
            };
            tokio::select! {
                _ = stopped.changed() => {}
                Some(_) = self.running.join_next(), if !self.running.is_empty() => {}
                () = added => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.wind_up().await;
    }

    async fn drain(&mut self) -> Result<()> {
        loop {
            let n_busy = self.fill().await?;
            if n_busy == 0 {
                return Ok(());
            }
            self.running.join_next().await;
        }
    }

    /// Claims when the queue runs low and begins what there is room for; how many parts are being worked on then.
    async fn fill(&mut self) -> Result<usize> {
        while self.running.try_join_next().is_some() {}
        let room = self.n_workers.saturating_sub(self.running.len());
        if self.queue.len() < room.max(self.n_workers / 2) {
            self.claim(self.n_workers + room - self.queue.len().min(room)).await?;
        }
        while self.running.len() < self.n_workers {
            let Some(cx) = self.queue.pop_front() else { break };
            let held = self.held.clone();
            self.running.spawn(async move {
                let key = (cx.part.job_id.clone(), cx.part.idx);
                if let Err(error) = run_part(cx).await {
                    error.log();
                }
                held.lock().remove(&key);
            });
        }
        Ok(self.running.len())
    }

    async fn claim(&mut self, limit: usize) -> Result<()> {
        let platform = &self.platform;
        let kinds = REGISTRY.iter().map(|kind| kind.name.to_owned()).collect();
        let now_us = platform.clock().now_us();
        let limit = i64::try_from(limit).unwrap_or(1);
        let owner = platform.boot_id().to_owned();
        let claimed =
            platform.store().claim_parts(kinds, owner, now_us, lease_until_us(platform), limit).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        for (job, part) in &claimed {
            let signal = Signal::default();
            let key = (part.job_id.clone(), part.idx);
            self.held.lock().insert(key, (part.clone(), signal.clone()));
            self.queue.push_back(JobCtx {
                platform: platform.clone(),
                job: job.clone(),
                part: part.clone(),
                signal,
            });
        }
        // A mark that cannot be written now is no reason to leave the work.
        begin(platform, claimed, now_us).await.unwrap_or_else(|error| error.log());
        Ok(())
    }

    async fn wind_up(&mut self) {
        let finish = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_PATIENCE, finish).await.is_err() {
            self.running.shutdown().await;
        }
        let parts: Vec<JobPart> = self.held.lock().drain().map(|(_, (part, _))| part).collect();
        let give_back = move |tx: &mut store::Tx<'_>| {
            for part in &parts {
                tx.release_part(part)?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = self.platform.store().write(give_back).await {
            error.log();
        }
    }
}

async fn purge_old_jobs(platform: &Platform) -> Result<()> {
    const BATCH: i64 = 200;
    let before_us = platform.clock().now_us() - KEEP_US;
    while platform.store().write(move |tx| Ok::<_, Error>(tx.purge_jobs(before_us, BATCH)?)).await? == BATCH {
    }
    Ok(())
}

fn lease_until_us(platform: &Platform) -> i64 {
    platform.clock().now_us() + i64::from(platform.jobs_config().lease_s.max(1)) * 1_000_000
}

pub(super) fn kind_of(job: &Job) -> Option<&'static JobKind> {
    REGISTRY.iter().find(|kind| kind.name == job.kind)
}

/// Lets each kind mark its claimed parts as begun, in one transaction for the batch.
async fn begin(platform: &Platform, claimed: Vec<(Job, JobPart)>, now_us: i64) -> Result<()> {
    for kind in REGISTRY {
        let Some(begin) = kind.begin else { continue };
        let theirs: Vec<_> = claimed.iter().filter(|(job, _)| job.kind == kind.name).cloned().collect();
        if !theirs.is_empty() {
            platform.store().write(move |tx| begin(tx, &theirs, now_us)).await?;
        }
    }
    Ok(())
}

/// Extends all held leases three times per lease, and tells parts that lost theirs, or whose job was cancelled, to stop.
async fn heartbeat(platform: Platform, held: Held, mut stopped: watch::Receiver<bool>) {
    let beat = Duration::from_secs(u64::from(platform.jobs_config().lease_s.max(1))) / 3;
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(beat) => {}
        }
        if let Err(error) = extend(&platform, &held).await {
            error.log();
        }
    }
}

async fn extend(platform: &Platform, held: &Held) -> Result<()> {
    let parts: Vec<(JobPart, Signal)> = held.lock().values().cloned().collect();
    if parts.is_empty() {
        return Ok(());
    }
    let until_us = lease_until_us(platform);
    let leases = parts.iter().map(|(part, _)| part.clone()).collect::<Vec<_>>();
    let states = platform
        .store()
        .write(move |tx| {
            let extended = leases.iter().map(|part| tx.extend_lease(part, until_us));
            Ok::<_, Error>(extended.collect::<store::Result<Vec<_>>>()?)
        })
        .await?;
    for ((_, signal), state) in parts.iter().zip(states) {
        match state {
            Lease::Held => {}
            Lease::CancelRequested | Lease::Lost => signal.raise(),
        }
    }
    Ok(())
}
