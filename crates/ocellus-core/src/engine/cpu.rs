//! A bounded pool for work that keeps a core busy for more than a moment: decoding, scaling, scanning vectors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::{Error, Result};

/// Runs so many pieces of work at once, lets so many wait, and refuses the rest.
pub struct CpuPool {
    running: Arc<Semaphore>,
    n_waiting: AtomicUsize,
    max_waiting: usize,
}

impl CpuPool {
    pub fn new(threads: usize, max_waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(threads.max(1))),
            n_waiting: AtomicUsize::new(0),
            max_waiting,
        }
    }

    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = match Arc::clone(&self.running).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.wait()?;
                let permit = Arc::clone(&self.running).acquire_owned().await;
                permit.map_err(|_| Error::internal(anyhow::anyhow!("the pool is closed")))?
            }
        };
        // The permit goes with the work: a caller that leaves does not free the core that is still busy for it.
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        task.await.map_err(|err| Error::internal(anyhow::anyhow!("work on the pool failed: {err}")))
    }

    #[cfg(test)]
    pub fn n_free(&self) -> usize {
        self.running.available_permits()
    }

    #[cfg(test)]
    pub fn n_waiting(&self) -> usize {
        self.n_waiting.load(Ordering::Relaxed)
    }

    fn wait(&self) -> Result<Place<'_>> {
        let before = self.n_waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(&self.n_waiting);
        if before >= self.max_waiting {
            return Err(Error::unavailable("too many images wait to be decoded"));
        }
        Ok(place)
    }
}

/// A place in the queue, given back when the wait ends or its caller leaves.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
