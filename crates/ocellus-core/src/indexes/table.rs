//! The vectors of one space in memory under slots, with the approximate index over part of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ocellus_algo::index::{Ann, Flat};
use ocellus_store as store;

use crate::Result;

/// The state of an index. `seq` says up to which change of the space it is complete.
#[derive(Clone, Default)]
pub(crate) struct Table {
    /// `None` until the first vector tells the length.
    pub flat: Option<Flat>,
    /// Input ids by slot.
    pub ids: Vec<Option<Arc<str>>>,
    /// Slots by input id.
    pub slots: HashMap<Arc<str>, u32>,
    pub seq: i64,
    /// The input of the change with number `seq`.
    pub last_input: String,
    /// Changes since the last snapshot.
    pub n_unsaved: usize,
    /// Counts the changes of every slot, so that whoever copied a vector can see whether it is still the same.
    pub versions: Vec<u32>,
    pub ann: Option<Arc<Ann>>,
    /// Slots whose present vector is not in the approximate index; empty while there is none.
    pub fresh: HashSet<u32>,
    /// Slots without vector that the approximate index still holds.
    pub stale: Vec<u32>,
}

impl Table {
    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The input whose vector lies in a slot.
    pub fn id(&self, slot: u32) -> Option<&str> {
        self.ids.get(slot as usize)?.as_deref()
    }

    /// Makes a change. A vector that cannot be indexed is left out, and said so in the log.
    pub fn apply(&mut self, row: store::Vector) {
        self.seq = self.seq.max(row.seq);
        self.n_unsaved += 1;
        if row.deleted {
            self.remove(&row.input_id);
        } else if let Err(err) = self.put(&row.input_id, &row.data) {
            tracing::warn!(input = row.input_id, %err, "a vector cannot be indexed");
            self.remove(&row.input_id);
        }
        self.last_input = row.input_id;
    }

    fn put(&mut self, id: &str, vector: &[f32]) -> Result<()> {
        let flat = self.flat.get_or_insert_with(|| Flat::new(vector.len()));
        let slot = match self.slots.get(id) {
            Some(slot) => {
                flat.set(*slot, vector)?;
                *slot
            }
            None => flat.push(vector)?,
        };
        self.name(slot, id);
        Ok(())
    }

    /// Notes that a slot now holds a new vector of this input.
    fn name(&mut self, slot: u32, id: &str) {
        let at = slot as usize;
        if at >= self.ids.len() {
            self.ids.resize(at + 1, None);
            self.versions.resize(at + 1, 0);
        }
        if self.ids[at].is_none() {
            let id: Arc<str> = id.into();
            self.ids[at] = Some(Arc::clone(&id));
            self.slots.insert(id, slot);
        }
        self.versions[at] = self.versions[at].wrapping_add(1);
        if self.ann.is_some() {
            self.fresh.insert(slot);
        }
    }

    /// Puts a vector where a snapshot had it.
    pub fn restore(&mut self, slot: u32, id: &str, vector: &[f32]) -> Result<()> {
        self.flat.get_or_insert_with(|| Flat::new(vector.len())).set(slot, vector)?;
        self.name(slot, id);
        Ok(())
    }

    fn remove(&mut self, id: &str) {
        let Some(slot) = self.slots.remove(id) else { return };
        let at = slot as usize;
        self.ids[at] = None;
        self.versions[at] = self.versions[at].wrapping_add(1);
        if let Some(flat) = &mut self.flat {
            flat.remove(slot);
        }
        if self.ann.is_some() && !self.fresh.remove(&slot) {
            self.stale.push(slot);
        }
    }

    /// Starts or replaces the approximate index; `covered` says which slots' vectors it holds.
    pub fn set_ann(&mut self, ann: Arc<Ann>, covered: impl Fn(u32) -> bool) {
        self.fresh = self.slots.values().copied().filter(|slot| !covered(*slot)).collect();
        self.stale = Vec::new();
        self.ann = Some(ann);
    }

    /// Vectors to add to the approximate index, with the version at which they were copied.
    pub fn next_fresh(&self, limit: usize) -> Vec<(u32, u32, Vec<f32>)> {
        let Some(flat) = &self.flat else { return Vec::new() };
        let copies = self.fresh.iter().take(limit);
        copies
            .filter_map(|slot| Some((*slot, self.versions[*slot as usize], flat.get(*slot)?.to_vec())))
            .collect()
    }

    /// Notes that the approximate index has a slot's vector of that version.
    pub fn covered(&mut self, slot: u32, version: u32) {
        if self.versions.get(slot as usize) == Some(&version) {
            self.fresh.remove(&slot);
        } else if self.ids[slot as usize].is_none() {
            self.stale.push(slot);
        }
    }

    /// Bytes held; ids are counted with what the two maps need for them.
    pub fn memory_bytes(&self) -> usize {
        let flat = self.flat.as_ref().map_or(0, Flat::memory_bytes);
        let ann = self.ann.as_ref().map_or(0, |ann| ann.memory_bytes());
        flat + ann + self.ids.len() * 120
    }
}
