//! The vector indexes in memory, one per app and vector space, kept in step with the rows they are derived from.

use std::path::PathBuf;

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
    /// Threads that build an approximate index.
    pub build_threads: usize,
}

impl Default for IndexConfig {
    fn default() -> Self {
        Self { memory_bytes: 4 << 30, ann_above: 50_000, exact_below: 50_000, snapshot_above: 2_000, build_threads: 1 }
    }
}

/// All indexes of the process.
pub struct Indexes {}

impl Indexes {
    /// Indexes with their snapshots below `dir`.
    pub fn new(_dir: PathBuf, _config: IndexConfig) -> Self {
        todo!()
    }

    /// Writes a snapshot of every index that changed since its last one.
    pub async fn snapshot_all(&self) {
        todo!()
    }

    /// Forgets the indexes of an app, snapshots included.
    pub fn forget(&self, _app_uid: &str) {
        todo!()
    }
}
