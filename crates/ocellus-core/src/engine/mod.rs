//! Runs models: loads them on first use, queues and batches what arrives, and unloads what memory has no room for.

mod batch;
mod cache;
mod cpu;
mod frames;
mod isolated;
mod open;
#[cfg(test)]
mod tests;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ocellus_algo::nn::Tensor;
use tokio::sync::oneshot;

use crate::{Error, Result};

pub use isolated::IsolationConfig;
pub use worker::serve_stdin;

use batch::{Entry, Refusal};
use cache::Cache;
use cpu::CpuPool;
use isolated::{Isolated, IsolatedOpener};
use open::{Opener, Run as _, RuntimeOpener};

/// The variable of the environment by which a process knows that it is to run a model; see [`serve_stdin`].
pub const NAME_OF_WORKERS: &str = "OCELLUS_MODEL_WORKER";

/// How the engine behaves; a section of the configuration.
///
/// The defaults, one session of one thread per core and no batches, cost the least CPU time for an image and so serve a
/// busy machine best. Measured with `examples/engine_threads.rs` (EfficientNet-Lite0, 57 photographs, decoding included,
/// 2 cores, 32 callers): 8.6 ms of CPU an image with 2 sessions x 1 thread, 9.3 with 1 x 2, 9.0 with 2 x 2, and 9.2 to
/// 9.8 in batches of 8. One caller alone waits 8 ms with two threads and 11 ms with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Models beyond this many bytes are unloaded, least recently used first.
    pub memory_bytes: u64,
    /// How many requests may wait for one model.
    pub queue_len: usize,
    /// Threads that work on one request together.
    pub threads_per_session: usize,
    /// Requests that one model works on at once; 0 means one per core. Each has its own copy of the weights, made when
    /// requests begin to wait.
    pub sessions_per_model: usize,
    /// Requests that are run through the model together, at most.
    pub max_batch: usize,
    /// How long a request may wait for company, in microseconds.
    pub max_wait_us: u64,
    /// Threads that decode and prepare images; 0 means one per core.
    pub cpu_threads: usize,
    /// How many images may wait for such a thread.
    pub cpu_queue_len: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 2 << 30,
            queue_len: 256,
            threads_per_session: 1,
            sessions_per_model: 0,
            max_batch: 1,
            max_wait_us: 0,
            cpu_threads: 0,
            cpu_queue_len: 512,
        }
    }
}

/// A weight file and how it may be run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelFile {
    /// Names the model in the engine and in its metrics.
    pub id: String,
    /// Where the weights lie.
    pub path: PathBuf,
    /// Size of the file.
    pub size_bytes: u64,
    /// Whether several requests can be run together.
    pub batches: bool,
}

/// What the engine did since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Models in memory.
    pub n_loaded: usize,
    /// Bytes that they are counted for.
    pub loaded_bytes: u64,
    /// Requests that wait.
    pub n_waiting: usize,
    /// Requests answered.
    pub n_done: u64,
    /// Requests dropped because their caller left.
    pub n_abandoned: u64,
    /// Requests turned away because a queue was full.
    pub n_refused: u64,
}

/// The engine; one for the whole process.
pub struct Engine {
    cache: Cache,
    cpu: CpuPool,
}

impl Engine {
    /// An engine that loads the runtime library on first use.
    pub fn new(config: EngineConfig, runtime_library: PathBuf) -> Self {
        let opener = RuntimeOpener::new(runtime_library, config.threads_per_session.max(1));
        Self::with_opener(config, Arc::new(opener))
    }

    /// An engine that runs each session in a process of its own.
    pub fn isolated(config: EngineConfig, isolation: IsolationConfig) -> Self {
        Self::with_opener(config, Arc::new(IsolatedOpener(isolation)))
    }

    fn with_opener(config: EngineConfig, opener: Arc<dyn Opener>) -> Self {
        let cpu = CpuPool::new(or_cores(config.cpu_threads), config.cpu_queue_len);
        Self { cache: Cache::new(config, opener), cpu }
    }

    /// Runs one tensor (first axis 1) through a model; outputs in the order of the graph. `Unavailable` when the queue is
    /// full, or when the runtime or the weights are missing (the message then says what to do). Dropping the future
    /// before the model got to it takes the request out of the queue.
    pub async fn run(&self, model: &ModelFile, input: Tensor) -> Result<Vec<Tensor>> {
        let (reply, answer) = oneshot::channel();
        let mut entry = Entry::new(input, reply);
        loop {
            let loaded = self.cache.loaded(model)?;
            match loaded.push(entry) {
                Ok(()) => break,
                // Unloaded between the two lines above: load it again.
                Err((Refusal::Closed, returned)) => entry = returned,
                Err((Refusal::Full, _)) => {
                    self.cache.counters.refused.fetch_add(1, Ordering::Relaxed);
                    metrics::counter!("ocellus_engine_refused_total", "model" => model.id.clone())
                        .increment(1);
                    return Err(Error::unavailable("too many requests wait for this model"));
                }
            }
        }
        answer
            .await
            .unwrap_or_else(|_| Err(Error::internal(anyhow::anyhow!("a model worker dropped a request"))))
    }

    /// Runs `work` on the bounded pool for decoding and other work that takes more than a millisecond. `Unavailable` when
    /// too much waits for it, `Internal` when the work panics.
    pub async fn cpu<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        self.cpu.run(work).await
    }

    /// Counters for metrics and tests.
    pub fn stats(&self) -> EngineStats {
        self.cache.stats()
    }
}

/// Loads a model in a process of its own and runs it over each of the tensors; the outputs of each run. Blocks.
pub(crate) fn try_out(
    isolation: &IsolationConfig,
    model: &ModelFile,
    inputs: &[Tensor],
) -> Result<Vec<Vec<Tensor>>> {
    let mut session = Isolated::open(isolation, model)?;
    inputs.iter().map(|input| session.run(input)).collect()
}

/// The configured number, or the number of cores for 0.
fn or_cores(configured: usize) -> usize {
    if configured > 0 { configured } else { std::thread::available_parallelism().map_or(1, usize::from) }
}
