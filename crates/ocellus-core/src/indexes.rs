//! The vector indexes in memory, one per app and vector space, kept in step with the rows they are derived from.

mod snapshot;
mod space;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ocellus_store::Store;
use parking_lot::Mutex;

use crate::Result;
use snapshot::Files;
pub(crate) use space::{Found, Space};
pub(crate) use table::Table;

/// How indexes behave; a section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexConfig {
    /// Indexes beyond this many bytes are unloaded, least recently used first.
    pub memory_bytes: u64,
    /// From this many vectors on an approximate index is built.
    pub ann_above: usize,
    /// Up to this many matching vectors are compared one by one.
    pub exact_below: usize,
    /// From this many vectors on an index is snapshotted.
    pub snapshot_above: usize,
    /// Approximate indexes that are built at the same time, each by one thread.
    pub build_threads: usize,
}

impl Default for IndexConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 30,
            ann_above: 50_000,
            exact_below: 50_000,
            snapshot_above: 2_000,
            build_threads: 1,
        }
    }
}

/// All indexes of the process.
pub struct Indexes {
    shared: Arc<Shared>,
    spaces: Mutex<HashMap<SpaceKey, Arc<Space>>>,
    clock: AtomicU64,
}

/// What every index needs to know.
pub(crate) struct Shared {
    pub dir: PathBuf,
    pub config: IndexConfig,
    /// Limits how many approximate indexes are built at once.
    pub builders: Mutex<usize>,
}

/// Names an index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SpaceKey {
    /// The app's internal id.
    pub app_uid: String,
    /// The model version that made the vectors.
    pub space: String,
}

impl Indexes {
    /// Indexes with their snapshots below `dir`, which is made when the first one is written.
    pub fn new(dir: PathBuf, config: IndexConfig) -> Self {
        let shared = Arc::new(Shared { dir, config, builders: Mutex::new(0) });
        Self { shared, spaces: Mutex::new(HashMap::new()), clock: AtomicU64::new(0) }
    }

    /// The index of a space, holding everything that was committed before the call.
    pub(crate) async fn current(&self, store: &Store, app_uid: &str, space: &str) -> Result<Arc<Space>> {
        let key = SpaceKey { app_uid: app_uid.to_owned(), space: space.to_owned() };
        let index = {
            let mut spaces = self.spaces.lock();
            let index = spaces.entry(key.clone()).or_insert_with(|| Arc::new(Space::new(key, &self.shared)));
            index.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            Arc::clone(index)
        };
        if index.catch_up(store).await? {
            self.make_room(&index);
        }
        index.tend();
        Ok(index)
    }

    /// Writes a snapshot of every index of which more than a little changed since its last one; the rest is read from
    /// the rows faster than it is written. To be called before the process ends.
    pub async fn snapshot_all(&self) {
        let spaces: Vec<Arc<Space>> = self.spaces.lock().values().cloned().collect();
        let save = tokio::task::spawn_blocking(move || {
            spaces.iter().for_each(|space| space.save_if_changed(space.len() / 50 + 1));
        });
        if let Err(err) = save.await {
            tracing::warn!(%err, "writing index snapshots failed");
        }
    }

    /// Forgets the indexes of an app, snapshots included.
    pub fn forget(&self, app_uid: &str) {
        self.spaces.lock().retain(|key, space| {
            if key.app_uid == app_uid {
                space.forget();
            }
            key.app_uid != app_uid
        });
        Files::delete_app(&self.shared.dir, app_uid);
    }

    /// Bytes held by all indexes.
    pub fn memory_bytes(&self) -> u64 {
        self.spaces.lock().values().map(|space| space.memory_bytes()).sum()
    }

    /// Unloads what was not used for longest until the rest fits; never the one that is wanted now or one in use.
    fn make_room(&self, wanted: &Arc<Space>) {
        let mut spaces = self.spaces.lock();
        loop {
            let held: u64 = spaces.values().map(|space| space.memory_bytes()).sum();
            if held <= self.shared.config.memory_bytes {
                return;
            }
            let idle = spaces
                .iter()
                .filter(|(_, space)| !Arc::ptr_eq(space, wanted) && Arc::strong_count(space) == 1);
            let oldest = idle.min_by_key(|(_, space)| space.last_used.load(Ordering::Relaxed));
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            if let Some(space) = spaces.remove(&key) {
                tracing::info!(app = key.app_uid, "unloading a vector index to make room");
                tokio::task::spawn_blocking(move || space.save_if_changed(1));
            }
        }
    }

    /// Drops the indexes from memory as the end of the process would, after writing their snapshots.
    #[cfg(test)]
    pub async fn unload_all(&self) {
        self.snapshot_all().await;
        self.spaces.lock().clear();
    }
}
