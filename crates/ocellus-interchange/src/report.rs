//! What was read or written, what was skipped and why, and what a format could not hold.

use std::collections::BTreeMap;

use crate::error::Place;

/// How many skipped entries are kept with their place; further ones are only counted.
pub const MAX_SKIPPED_KEPT: usize = 10_000;

/// An entry that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it stands.
    pub place: Place,
    /// Why it was left out, as a sentence without a full stop.
    pub reason: String,
}

/// The account of one reading or writing.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Items handed over.
    pub n_items: u64,
    /// Regions in those items.
    pub n_regions: u64,
    /// Entries left out, at most [`MAX_SKIPPED_KEPT`] of them.
    pub skipped: Vec<Skipped>,
    /// All entries left out.
    pub n_skipped: u64,
    /// What the format cannot hold, with how often it was dropped.
    pub lost: BTreeMap<String, u64>,
}

impl Report {
    /// Counts an entry that is left out.
    pub fn skip(&mut self, place: Place, reason: impl std::fmt::Display) {
        self.n_skipped += 1;
        if self.skipped.len() < MAX_SKIPPED_KEPT {
            self.skipped.push(Skipped { place, reason: reason.to_string() });
        }
    }

    /// Counts something that the format of the output (or this reader's model) cannot hold.
    pub fn lose(&mut self, what: &str) {
        self.lose_n(what, 1);
    }

    /// The same for several at once; none changes nothing.
    pub fn lose_n(&mut self, what: &str, n: usize) {
        if n > 0 {
            *self.lost.entry(what.to_owned()).or_default() += n as u64;
        }
    }

    /// Whether everything came through.
    pub fn is_lossless(&self) -> bool {
        self.n_skipped == 0 && self.lost.is_empty()
    }
}
