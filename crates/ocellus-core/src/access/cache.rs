//! A small memory of who showed which key, so that a busy caller costs no database read; forgotten at once on revocation.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Caller;

/// How long an answer is remembered: it bounds how long another process's revocation goes unnoticed.
const TTL_US: i64 = 2_000_000;
/// Enough for every busy caller; when full, everything is forgotten.
const CAPACITY: usize = 4096;

/// Callers by the hash of their secret.
#[derive(Default)]
pub(crate) struct CallerCache(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    generation: u64,
    entries: HashMap<String, Entry>,
}

struct Entry {
    caller: Caller,
    until_us: i64,
}

impl CallerCache {
    /// The caller, if remembered and still valid.
    pub(crate) fn get(&self, hash: &str, now_us: i64) -> Option<Caller> {
        let inner = self.0.lock();
        inner.entries.get(hash).filter(|entry| now_us < entry.until_us).map(|entry| entry.caller.clone())
    }

    /// To be taken before the database is read, so that [`CallerCache::put`] can tell whether a key changed meanwhile.
    pub(crate) fn generation(&self) -> u64 {
        self.0.lock().generation
    }

    /// How long an answer of now may be remembered: not beyond the key's own end.
    pub(crate) fn until_us(now_us: i64, expires_at_us: Option<i64>) -> i64 {
        expires_at_us.unwrap_or(i64::MAX).min(now_us.saturating_add(TTL_US))
    }

    /// Remembers a caller, unless any key changed since `generation` was taken.
    pub(crate) fn put(&self, generation: u64, hash: String, caller: Caller, until_us: i64) {
        let mut inner = self.0.lock();
        if inner.generation != generation {
            return;
        }
        if inner.entries.len() >= CAPACITY {
            inner.entries.clear();
        }
        inner.entries.insert(hash, Entry { caller, until_us });
    }

    /// Forgets everything, because a key changed.
    pub(crate) fn clear(&self) {
        let mut inner = self.0.lock();
        inner.generation += 1;
        inner.entries.clear();
    }
}
