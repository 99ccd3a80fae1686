//! The time, injected: only the binary constructs the real clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in microseconds since the epoch, UTC.
#[derive(Clone, Debug)]
pub struct Clock(Face);

#[derive(Clone, Debug)]
enum Face {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Face::System)
    }

    /// A clock that stands still until [`Clock::advance_us`] moves it; clones share the time.
    pub fn manual(start_us: i64) -> Self {
        Self(Face::Manual(Arc::new(AtomicI64::new(start_us))))
    }

    /// Microseconds since the epoch, UTC.
    pub fn now_us(&self) -> i64 {
        match &self.0 {
            Face::System => system_now_us(),
            Face::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock forward by microseconds; the machine's clock takes no notice.
    pub fn advance_us(&self, by: i64) {
        match &self.0 {
            Face::System => {}
            Face::Manual(now) => {
                now.fetch_add(by, Ordering::SeqCst);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
