//! How a search for similar vectors is carried out: by scan over what matches, or by the approximate index with
//! over-fetching and widening, such that it never returns fewer than there are.
//!
//! Measured on 50 000 vectors: a graph search that skips what a filter refuses takes longer than the scan of everything
//! once less than a third passes. So few matches are scanned, and many are picked out of an unfiltered answer.

use std::collections::HashSet;

use ocellus_algo::index::{Ann, Flat, Neighbor};

use super::Selection;
use crate::Result;
use crate::indexes::{Found, Table};

/// Where scanning ends and the approximate index begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Up to this many matching vectors are scanned.
    pub exact_below: usize,
    /// The approximate index is never asked for more than this many.
    pub max_fetch: usize,
}

/// The `k` vectors of the selection most similar to `query`.
pub(crate) fn search(
    table: &Table,
    query: &[f32],
    k: usize,
    selection: &Selection,
    limits: Limits,
) -> Result<Found> {
    let Some(flat) = &table.flat else { return Ok(Found::default()) };
    let allowed = Allowed::new(table, selection);
    let n_candidates = allowed.count(table);
    let k = k.min(n_candidates);
    let mut neighbors = None;
    // An index under construction would add to the work of the scan that is needed anyway.
    let ann = table
        .ann
        .as_ref()
        .filter(|_| n_candidates > limits.exact_below && table.fresh.len() * 2 <= table.len());
    if let Some(ann) = ann {
        let wide = Wide { table, flat, ann, allowed: &allowed, n_candidates, max_fetch: limits.max_fetch };
        neighbors = wide.search(query, k)?;
    }
    let approximate = neighbors.is_some();
    let neighbors = match neighbors {
        Some(neighbors) => neighbors,
        None => flat.search(query, k, allowed.slots(flat).as_deref())?,
    };
    let named =
        neighbors.into_iter().filter_map(|hit| Some((table.id(hit.slot)?.to_owned(), hit.similarity)));
    Ok(Found { hits: named.collect(), n_candidates, approximate })
}

/// The selection in terms of slots.
enum Allowed {
    All,
    Slots(HashSet<u32>),
    AllBut(HashSet<u32>),
}

impl Allowed {
    fn new(table: &Table, selection: &Selection) -> Self {
        let slots = |ids: &HashSet<String>| {
            ids.iter().filter_map(|id| table.slots.get(id.as_str()).copied()).collect()
        };
        match selection {
            Selection::Only(ids) => Self::Slots(slots(ids)),
            Selection::Except(ids) if ids.is_empty() => Self::All,
            Selection::Except(ids) => Self::AllBut(slots(ids)),
        }
    }

    fn count(&self, table: &Table) -> usize {
        match self {
            Self::All => table.len(),
            Self::Slots(slots) => slots.len(),
            Self::AllBut(slots) => table.len() - slots.len(),
        }
    }

    fn contains(&self, slot: u32) -> bool {
        match self {
            Self::All => true,
            Self::Slots(slots) => slots.contains(&slot),
            Self::AllBut(slots) => !slots.contains(&slot),
        }
    }

    /// The slots to scan, ascending as they lie in memory; `None` for all.
    fn slots(&self, flat: &Flat) -> Option<Vec<u32>> {
        match self {
            Self::All => None,
            Self::Slots(slots) => {
                let mut slots: Vec<u32> = slots.iter().copied().collect();
                slots.sort_unstable();
                Some(slots)
            }
            Self::AllBut(slots) => Some(flat.slots().filter(|slot| !slots.contains(slot)).collect()),
        }
    }
}

/// A search by the approximate index.
struct Wide<'a> {
    table: &'a Table,
    flat: &'a Flat,
    ann: &'a Ann,
    allowed: &'a Allowed,
    n_candidates: usize,
    max_fetch: usize,
}

impl Wide<'_> {
    /// The nearest, or `None` when a scan is called for after all.
    fn search(&self, query: &[f32], k: usize) -> Result<Option<Vec<Neighbor>>> {
        let fresh: Vec<u32> =
            self.table.fresh.iter().copied().filter(|slot| self.allowed.contains(*slot)).collect();
        let n_wanted = k.min(self.n_candidates - fresh.len());
        let per_match = self.table.len() as f64 / self.n_candidates as f64;
        // A fifth more than should be needed, because matches are not spread evenly.
        let mut n_fetched = (n_wanted as f64 * per_match * 1.2) as usize + 8;
        loop {
            if n_fetched > self.max_fetch {
                return Ok(None);
            }
            let mut found = self.ann.search(query, n_fetched)?;
            found.retain(|hit| self.is_current(hit.slot) && self.allowed.contains(hit.slot));
            if found.len() >= n_wanted {
                found.extend(self.flat.search(query, k, Some(&fresh))?);
                found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.slot.cmp(&b.slot)));
                found.truncate(k);
                return Ok(Some(found));
            }
            n_fetched *= 4;
        }
    }

    /// Whether the approximate index holds the present vector of this slot.
    fn is_current(&self, slot: u32) -> bool {
        self.table.id(slot).is_some() && !self.table.fresh.contains(&slot)
    }
}
