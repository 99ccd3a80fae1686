//! The models in memory with their workers; the least recently used go when there is no room.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ocellus_algo::nn::Tensor;
use parking_lot::Mutex;

use super::batch::{BatchRule, Entry, Queue, Refusal, shared_out, stacked};
use super::open::{Opener, Run};
use super::{EngineConfig, EngineStats, ModelFile, or_cores};
use crate::{Error, Result};

/// Loaded models by id.
pub struct Cache {
    config: EngineConfig,
    opener: Arc<dyn Opener>,
    models: Mutex<Models>,
    pub counters: Arc<Counters>,
}

#[derive(Default)]
struct Models {
    by_id: HashMap<String, Arc<Loaded>>,
    // Workers of unloaded models, until they have ended.
    retired: Vec<JoinHandle<()>>,
    clock: u64,
}

#[derive(Default)]
pub struct Counters {
    pub done: AtomicU64,
    pub refused: AtomicU64,
    // Of models that are no longer loaded.
    abandoned: AtomicU64,
}

/// A model with its queue and its workers.
pub struct Loaded {
    file: ModelFile,
    queue: Arc<Queue>,
    rule: BatchRule,
    max_workers: usize,
    n_workers: Arc<AtomicUsize>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    last_used: AtomicU64,
    opener: Arc<dyn Opener>,
    counters: Arc<Counters>,
}

impl Cache {
    pub fn new(config: EngineConfig, opener: Arc<dyn Opener>) -> Self {
        Self {
            config,
            opener,
            models: Mutex::new(Models::default()),
            counters: Arc::new(Counters::default()),
        }
    }

    /// The model, loaded if it was not; others may be unloaded for it.
    pub fn loaded(&self, file: &ModelFile) -> Result<Arc<Loaded>> {
        let mut models = self.models.lock();
        models.clock += 1;
        let now = models.clock;
        if let Some(loaded) = models.by_id.get(&file.id)
            && !loaded.queue.is_closed()
            && loaded.file == *file
        {
            loaded.last_used.store(now, Ordering::Relaxed);
            return Ok(Arc::clone(loaded));
        }
        if let Some(old) = models.by_id.remove(&file.id) {
            self.retire(&mut models, &old);
        }
        self.make_room(&mut models, cost_bytes(file));
        let loaded = Arc::new(Loaded::new(&self.config, file, &self.opener, &self.counters));
        loaded.last_used.store(now, Ordering::Relaxed);
        loaded.add_worker()?;
        models.by_id.insert(file.id.clone(), Arc::clone(&loaded));
        Ok(loaded)
    }

    pub fn stats(&self) -> EngineStats {
        let models = self.models.lock();
        let abandoned: u64 = models.by_id.values().map(|m| m.queue.n_abandoned.load(Ordering::Relaxed)).sum();
        EngineStats {
            n_loaded: models.by_id.values().filter(|model| !model.queue.is_closed()).count(),
            loaded_bytes: models.by_id.values().map(|model| model.bytes()).sum(),
            n_waiting: models.by_id.values().map(|model| model.queue.len()).sum(),
            n_done: self.counters.done.load(Ordering::Relaxed),
            n_abandoned: abandoned + self.counters.abandoned.load(Ordering::Relaxed),
            n_refused: self.counters.refused.load(Ordering::Relaxed),
        }
    }

    /// Unloads the least recently used until `bytes` more fit, or nothing is left to unload.
    fn make_room(&self, models: &mut Models, bytes: u64) {
        loop {
            let held: u64 = models.by_id.values().map(|model| model.bytes()).sum();
            if held + bytes <= self.config.memory_bytes {
                return;
            }
            let oldest = models.by_id.iter().min_by_key(|(_, model)| model.last_used.load(Ordering::Relaxed));
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { return };
            if let Some(model) = models.by_id.remove(&id) {
                tracing::info!(model = id, "unloading a model to make room");
                self.retire(models, &model);
            }
        }
    }

    /// Lets the workers of a model finish what waits and end.
    fn retire(&self, models: &mut Models, model: &Loaded) {
        model.queue.close();
        self.counters.abandoned.fetch_add(model.queue.n_abandoned.load(Ordering::Relaxed), Ordering::Relaxed);
        models.retired.retain(|thread| !thread.is_finished());
        models.retired.append(&mut model.threads.lock());
    }
}

impl Drop for Cache {
    /// Waits for the workers: a session must not be alive when the process tears the runtime down.
    fn drop(&mut self) {
        let models = self.models.get_mut();
        let mut threads = std::mem::take(&mut models.retired);
        for model in models.by_id.values() {
            model.queue.close();
            threads.append(&mut model.threads.lock());
        }
        for thread in threads {
            // A worker that panicked has been logged by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Loaded {
    fn new(
        config: &EngineConfig,
        file: &ModelFile,
        opener: &Arc<dyn Opener>,
        counters: &Arc<Counters>,
    ) -> Self {
        let max_batch = if file.batches { config.max_batch.max(1) } else { 1 };
        Self {
            file: file.clone(),
            queue: Arc::new(Queue::new(config.queue_len)),
            rule: BatchRule { max_batch, max_wait: Duration::from_micros(config.max_wait_us) },
            max_workers: or_cores(config.sessions_per_model),
            n_workers: Arc::new(AtomicUsize::new(0)),
            threads: Mutex::new(Vec::new()),
            last_used: AtomicU64::new(0),
            opener: Arc::clone(opener),
            counters: Arc::clone(counters),
        }
    }

    /// Queues a request; another worker is started when all are busy and there may be one more.
    pub fn push(&self, entry: Entry) -> std::result::Result<(), (Refusal, Entry)> {
        let crowded = self.queue.push(entry)?;
        if crowded && self.n_workers.load(Ordering::Relaxed) < self.max_workers {
            // The request is queued and a worker exists: not getting a second one is no failure.
            let _ = self.add_worker();
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        cost_bytes(&self.file) * self.n_workers.load(Ordering::Relaxed).max(1) as u64
    }

    fn add_worker(&self) -> Result<()> {
        let mut threads = self.threads.lock();
        if threads.len() >= self.max_workers {
            return Ok(());
        }
        let worker = Worker {
            file: self.file.clone(),
            queue: Arc::clone(&self.queue),
            rule: self.rule,
            n_workers: Arc::clone(&self.n_workers),
            opener: Arc::clone(&self.opener),
            counters: Arc::clone(&self.counters),
        };
        self.n_workers.fetch_add(1, Ordering::Relaxed);
        self.queue.ready();
        let thread = std::thread::Builder::new()
            .name(format!("model-{}", self.file.id))
            .spawn(move || worker.work())
            .map_err(|err| {
                self.n_workers.fetch_sub(1, Ordering::AcqRel);
                self.queue.not_ready();
                Error::unavailable("no thread for a model can be started").caused_by(err)
            })?;
        threads.push(thread);
        Ok(())
    }
}

/// What a loaded model is counted for: the weights twice (the file's and the runtime's reordered copy) and room for
/// activations. Measured with 19 MB of weights: 55 to 70 MB resident per session.
fn cost_bytes(file: &ModelFile) -> u64 {
    file.size_bytes * 2 + (24 << 20)
}

/// One thread with one session.
struct Worker {
    file: ModelFile,
    queue: Arc<Queue>,
    rule: BatchRule,
    n_workers: Arc<AtomicUsize>,
    opener: Arc<dyn Opener>,
    counters: Arc<Counters>,
}

impl Worker {
    fn work(self) {
        let result = self.open().and_then(|session| self.serve(session));
        self.queue.not_ready();
        // Counting down decides who is the last: two workers that fail at once must not leave requests waiting.
        let n_left = self.n_workers.fetch_sub(1, Ordering::AcqRel) - 1;
        match result {
            Ok(()) => {}
            // The last one takes the model with it, so that the next request loads it anew.
            Err(err) if n_left == 0 => self.queue.fail(&err),
            Err(err) => err.log(),
        }
    }

    fn open(&self) -> Result<Box<dyn Run>> {
        let started = Instant::now();
        let session =
            catch_unwind(AssertUnwindSafe(|| self.opener.open(&self.file))).unwrap_or_else(|_| {
                Err(Error::internal(anyhow::anyhow!("loading model {} panicked", self.file.id)))
            })?;
        tracing::info!(model = self.file.id, ms = started.elapsed().as_millis() as u64, "model loaded");
        Ok(session)
    }

    /// Works until the model is unloaded; an error if the session was lost in a panic and cannot be opened again.
    fn serve(&self, mut session: Box<dyn Run>) -> Result<()> {
        while let Some(mut batch) = self.queue.next_batch(self.rule) {
            if batch.is_empty() {
                continue;
            }
            let n = batch.len();
            let outcome = catch_unwind(AssertUnwindSafe(|| self.run(session.as_mut(), &mut batch)));
            self.queue.ready();
            self.counters.done.fetch_add(n as u64, Ordering::Relaxed);
            let Ok(result) = outcome else {
                let panicked = Error::internal(anyhow::anyhow!("running model {} panicked", self.file.id));
                batch.into_iter().for_each(|entry| entry.answer(Err(panicked.clone())));
                // The session may be in any state.
                session = self.open()?;
                continue;
            };
            match result {
                Ok(rows) => batch.into_iter().zip(rows).for_each(|(entry, row)| entry.answer(Ok(row))),
                Err(err) => batch.into_iter().for_each(|entry| entry.answer(Err(err.clone()))),
            }
        }
        Ok(())
    }

    /// Runs a batch; the outputs of each of its requests.
    fn run(&self, session: &mut dyn Run, batch: &mut [Entry]) -> Result<Vec<Vec<Tensor>>> {
        let n = batch.len();
        let started = Instant::now();
        for entry in batch.iter() {
            let waited = started.duration_since(entry.arrived);
            metrics::histogram!("ocellus_engine_wait_seconds", "model" => self.file.id.clone())
                .record(waited);
        }
        let result = stacked(batch).and_then(|input| session.run(&input)).and_then(|out| shared_out(out, n));
        metrics::histogram!("ocellus_engine_run_seconds", "model" => self.file.id.clone())
            .record(started.elapsed());
        metrics::counter!("ocellus_engine_requests_total", "model" => self.file.id.clone())
            .increment(n as u64);
        result
    }
}
