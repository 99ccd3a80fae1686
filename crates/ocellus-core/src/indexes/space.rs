//! One index: following the rows, searching, and the background work of building and saving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ocellus_algo::index::{Ann, Flat};
use ocellus_store::{Store, Vector};
use parking_lot::{Mutex, RwLock};

use super::snapshot::Files;
use super::table::Table;
use super::{Shared, SpaceKey};
use crate::search::Selection;
use crate::search::plan::{self, Limits};
use crate::{Error, Result};

/// Rows read at once when following.
const ROWS_AT_ONCE: i64 = 1_000;
/// Vectors copied out at once when they are added to the approximate index.
const ADDED_AT_ONCE: usize = 64;
/// From this many vectors outside the approximate index on they are added to it; scanning fewer costs nothing.
const FRESH_ABOVE: usize = 512;
/// The approximate index is never asked for more than this many; a scan is faster then.
const MAX_FETCH: usize = 4_096;

/// An index of one space of one app.
pub(crate) struct Space {
    shared: Arc<Shared>,
    files: Files,
    table: RwLock<Table>,
    /// Held while following the rows; says whether the snapshot has been looked for.
    step: tokio::sync::Mutex<bool>,
    saving: Mutex<()>,
    is_tended: AtomicBool,
    is_forgotten: AtomicBool,
    pub last_used: AtomicU64,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Input ids with cosine similarity, most similar first; equal ones by id.
    pub hits: Vec<(String, f32)>,
    /// How many vectors were to choose from.
    pub n_candidates: usize,
    /// Whether the approximate index answered.
    pub approximate: bool,
}

impl Space {
    pub fn new(key: SpaceKey, shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            files: Files::new(&shared.dir, key),
            table: RwLock::new(Table::default()),
            step: tokio::sync::Mutex::new(false),
            saving: Mutex::new(()),
            is_tended: AtomicBool::new(false),
            is_forgotten: AtomicBool::new(false),
            last_used: AtomicU64::new(0),
        }
    }

    pub fn memory_bytes(&self) -> u64 {
        self.table.read().memory_bytes() as u64
    }

    /// How many vectors the index holds.
    pub fn len(&self) -> usize {
        self.table.read().len()
    }

    /// The `k` vectors of the selection most similar to `query` (cosine). Blocks for up to tens of milliseconds.
    pub fn search(&self, query: &[f32], k: usize, selection: &Selection) -> Result<Found> {
        let table = self.table.read();
        let limits = Limits { exact_below: self.shared.config.exact_below, max_fetch: MAX_FETCH };
        plan::search(&table, query, k, selection, limits)
    }

    /// Like [`Space::search`] over everything, by scan only (`exact`) or by the approximate index if there is one.
    pub fn search_by(&self, exact: bool, query: &[f32], k: usize) -> Result<Found> {
        let limits = Limits { exact_below: if exact { usize::MAX } else { 0 }, max_fetch: MAX_FETCH };
        plan::search(&self.table.read(), query, k, &Selection::all(), limits)
    }

    /// Up to `n` vectors spread evenly over the index.
    pub fn sample(&self, n: usize) -> Vec<Vec<f32>> {
        let table = self.table.read();
        let Some(flat) = &table.flat else { return Vec::new() };
        let step = table.len().div_ceil(n.max(1)).max(1);
        flat.slots().step_by(step).take(n).filter_map(|slot| flat.get(slot).map(<[f32]>::to_vec)).collect()
    }

    /// Brings the index up to the rows as they are now; true if that took more than reading a few changes.
    pub async fn catch_up(self: &Arc<Self>, store: &Store) -> Result<bool> {
        let mut loaded = self.step.lock().await;
        if *loaded {
            return Ok(self.follow(store).await? > 100);
        }
        let is_restored = self.restore(store).await?;
        self.follow(store).await?;
        if is_restored && !self.agrees(store).await? {
            tracing::warn!(index = %self.files, "a snapshot does not fit the rows; reading them all");
            *self.table.write() = Table::default();
            self.follow(store).await?;
        }
        *loaded = true;
        Ok(true)
    }

    /// Reads the snapshot, unless it is missing, damaged, or of another history than the rows; says whether it did.
    async fn restore(self: &Arc<Self>, store: &Store) -> Result<bool> {
        let here = Arc::clone(self);
        let read = move || here.files.load();
        let Some(table) = tokio::task::spawn_blocking(read).await.map_err(Error::internal)? else {
            return Ok(false);
        };
        let (key, seq) = (self.files.key.clone(), table.seq);
        let at_seq = move |tx: &mut ocellus_store::Tx<'_>| {
            let last = tx.last_vector_seq(&key.app_uid, &key.space)?;
            Ok::<_, Error>((last, tx.vectors_since(&key.app_uid, &key.space, seq - 1, 1)?))
        };
        let (last, row) = store.read(at_seq).await?;
        let other_input = row.first().is_some_and(|row| row.seq == seq && row.input_id != table.last_input);
        if seq > last || other_input {
            tracing::warn!(index = %self.files, "a snapshot is of another history than the rows; reading them all");
            return Ok(false);
        }
        *self.table.write() = table;
        Ok(true)
    }

    /// Whether the index has as many vectors as there are rows; reads what was added meanwhile.
    async fn agrees(self: &Arc<Self>, store: &Store) -> Result<bool> {
        loop {
            let (key, seq) = (self.files.key.clone(), self.table.read().seq);
            let count = move |tx: &mut ocellus_store::Tx<'_>| {
                let (uid, space) = (&key.app_uid, &key.space);
                let behind = tx.last_vector_seq(uid, space)? > seq;
                Ok::<_, Error>((behind, tx.count_vectors(uid, space)?))
            };
            let (behind, n_rows) = store.read(count).await?;
            if behind {
                self.follow(store).await?;
                continue;
            }
            return Ok(usize::try_from(n_rows) == Ok(self.len()));
        }
    }

    /// Applies the changes that the index does not have yet; returns how many.
    async fn follow(self: &Arc<Self>, store: &Store) -> Result<usize> {
        let mut n_applied = 0;
        loop {
            let (key, seq) = (self.files.key.clone(), self.table.read().seq);
            let read = move |tx: &mut ocellus_store::Tx<'_>| {
                Ok::<_, Error>(tx.vectors_since(&key.app_uid, &key.space, seq, ROWS_AT_ONCE)?)
            };
            let rows = store.read(read).await?;
            let n = rows.len();
            n_applied += n;
            self.apply(rows).await?;
            if (n as i64) < ROWS_AT_ONCE {
                return Ok(n_applied);
            }
        }
    }

    async fn apply(self: &Arc<Self>, rows: Vec<Vector>) -> Result<()> {
        if rows.len() > 32 {
            let here = Arc::clone(self);
            let apply = move || rows.into_iter().for_each(|row| here.table.write().apply(row));
            return tokio::task::spawn_blocking(apply).await.map_err(Error::internal);
        }
        rows.into_iter().for_each(|row| self.table.write().apply(row));
        Ok(())
    }

    /// Starts the background work that is due: building, extending, saving.
    pub fn tend(self: &Arc<Self>) {
        if !self.needs_tending() || self.is_tended.swap(true, Ordering::AcqRel) {
            return;
        }
        if !self.take_builder() {
            self.is_tended.store(false, Ordering::Release);
            return;
        }
        let here = Arc::clone(self);
        let work = move || {
            if let Err(err) = here.extend_ann() {
                tracing::warn!(index = %here.files, %err, "building an approximate index failed; searching by scan");
            }
            here.save_if_changed(here.worth_saving());
            *here.shared.builders.lock() -= 1;
            here.is_tended.store(false, Ordering::Release);
        };
        if std::thread::Builder::new().name("index-build".into()).spawn(work).is_err() {
            *self.shared.builders.lock() -= 1;
            self.is_tended.store(false, Ordering::Release);
        }
    }

    fn take_builder(&self) -> bool {
        let mut n_busy = self.shared.builders.lock();
        let free = *n_busy < self.shared.config.build_threads.max(1);
        *n_busy += usize::from(free);
        free
    }

    fn needs_tending(&self) -> bool {
        let table = self.table.read();
        let needs_ann = table.ann.is_none() && table.len() >= self.shared.config.ann_above;
        let fresh_above = FRESH_ABOVE.min(self.shared.config.ann_above / 4 + 1);
        let needs_more = table.ann.is_some() && table.fresh.len() + table.stale.len() >= fresh_above;
        drop(table);
        needs_ann || needs_more || self.is_worth_saving()
    }

    /// How many changes make a new snapshot worth its writing: a fifth of the index.
    fn worth_saving(&self) -> usize {
        (self.table.read().len() / 5).max(self.shared.config.snapshot_above).max(1)
    }

    fn is_worth_saving(&self) -> bool {
        let n_worth = self.worth_saving();
        let table = self.table.read();
        table.len() >= self.shared.config.snapshot_above && table.n_unsaved >= n_worth
    }

    /// Adds to the approximate index whatever is not in it, making it first if need be. One vector at a time, so that
    /// searches go on in between.
    fn extend_ann(&self) -> Result<()> {
        let Some(ann) = self.ann()? else { return Ok(()) };
        loop {
            let (stale, fresh) = {
                let mut table = self.table.write();
                let stale = std::mem::take(&mut table.stale);
                let gone: Vec<u32> =
                    stale.into_iter().filter(|slot| table.ids[*slot as usize].is_none()).collect();
                (gone, table.next_fresh(ADDED_AT_ONCE))
            };
            if stale.is_empty() && fresh.is_empty() || self.is_forgotten.load(Ordering::Relaxed) {
                return Ok(());
            }
            for slot in stale {
                ann.remove(slot)?;
            }
            for (slot, version, vector) in fresh {
                ann.add(slot, &vector)?;
                self.table.write().covered(slot, version);
            }
        }
    }

    /// The approximate index, made if there are enough vectors for one.
    fn ann(&self) -> Result<Option<Arc<Ann>>> {
        let mut table = self.table.write();
        if let Some(ann) = &table.ann {
            return Ok(Some(Arc::clone(ann)));
        }
        let Some(dim) = table.flat.as_ref().map(Flat::dim) else { return Ok(None) };
        if table.len() < self.shared.config.ann_above {
            return Ok(None);
        }
        let ann = Arc::new(Ann::new(dim, search_threads())?);
        table.set_ann(Arc::clone(&ann), |_| false);
        // Worth a snapshot of its own once it is complete.
        table.n_unsaved += table.len();
        Ok(Some(ann))
    }

    /// Writes a snapshot if the index is large enough and at least `n_changes` changed since the last one. Blocks.
    pub fn save_if_changed(&self, n_changes: usize) {
        let _alone = self.saving.lock();
        // A copy, so that nobody waits for the disk; the approximate index is shared, and holds at least what it held.
        let copy = {
            let table = self.table.read();
            let due = table.n_unsaved >= n_changes && table.len() >= self.shared.config.snapshot_above;
            if !due || self.is_forgotten.load(Ordering::Relaxed) {
                return;
            }
            table.clone()
        };
        match self.files.save(&copy) {
            Ok(()) => {
                let mut table = self.table.write();
                table.n_unsaved = table.n_unsaved.saturating_sub(copy.n_unsaved);
            }
            Err(err) => tracing::warn!(index = %self.files, %err, "writing an index snapshot failed"),
        }
        if self.is_forgotten.load(Ordering::Relaxed) {
            self.files.delete();
        }
    }

    /// The app is gone: nothing is saved any more.
    pub fn forget(&self) {
        self.is_forgotten.store(true, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub fn is_building(&self) -> bool {
        self.is_tended.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub fn n_unsaved(&self) -> usize {
        self.table.read().n_unsaved
    }

    /// How many vectors the approximate index holds; the others are compared one by one.
    pub fn n_approximate(&self) -> usize {
        let table = self.table.read();
        if table.ann.is_some() { table.len() - table.fresh.len() } else { 0 }
    }
}

/// Searches that may run at once in one approximate index.
pub(super) fn search_threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}
