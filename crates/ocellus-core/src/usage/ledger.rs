//! Writes counts: one task adds up what waits and writes it in one transaction, and each caller goes on when its own is in.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use ocellus_store::{Amount, Store, Used, UsedInHour};
use tokio::sync::{mpsc, oneshot};

/// The most counts in one transaction.
const MAX_TOGETHER: usize = 1_024;
/// How long what could not be written waits for company before it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How many hours are kept by the hour.
const KEPT_HOURS: i64 = 48;

/// The kind under which calls of every kind are counted by the hour.
pub(super) const CALLS: &str = "calls";

/// Where counts are handed in.
pub(super) struct Ledger {
    store: Store,
    /// Opened by the first count, because only then there is a runtime for sure.
    queue: OnceLock<mpsc::UnboundedSender<Entry>>,
}

struct Entry {
    used: Used,
    n_operations: i64,
    hour: i64,
    written: oneshot::Sender<()>,
}

impl Ledger {
    pub(super) fn new(store: Store) -> Self {
        Self { store, queue: OnceLock::new() }
    }

    /// Counts one call. Returns when it is written; a caller who does not wait for it is counted all the same.
    pub(super) async fn add(&self, used: Used, n_operations: i64, hour: i64) {
        let (written, done) = oneshot::channel();
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            // It ends with the platform, which holds the other end.
            drop(tokio::spawn(write_all(self.store.clone(), receiver)));
            sender
        });
        if queue.send(Entry { used, n_operations, hour, written }).is_err() || done.await.is_err() {
            tracing::error!("usage could not be counted, because its writer has ended");
        }
    }
}

/// Counts that belong into one transaction.
#[derive(Clone, Default)]
struct Batch {
    days: BTreeMap<Used, Amount>,
    hours: BTreeMap<UsedInHour, i64>,
    /// The latest hour.
    hour: i64,
}

impl Batch {
    fn add(&mut self, used: Used, n_operations: i64, hour: i64) {
        for (kind, n) in [(used.kind.as_str(), n_operations), (CALLS, 1)] {
            let of_hour = UsedInHour { account_id: used.account_id.clone(), hour, kind: kind.to_owned() };
            *self.hours.entry(of_hour).or_default() += n;
        }
        let amount = self.days.entry(used).or_default();
        amount.n_calls += 1;
        amount.n_operations += n_operations;
        self.hour = self.hour.max(hour);
    }
}

async fn write_all(store: Store, mut queue: mpsc::UnboundedReceiver<Entry>) {
    let mut batch = Batch::default();
    let mut entries = Vec::new();
    let mut purged_hour = i64::MIN;
    loop {
        let next = queue.recv_many(&mut entries, MAX_TOGETHER);
        let n_entries = match batch.days.is_empty() {
            true => next.await,
            // What is left from a write that failed does not wait for ever.
            false => tokio::time::timeout(TRY_AGAIN, next).await.unwrap_or(1),
        };
        let mut waiting = Vec::with_capacity(entries.len());
        for Entry { used, n_operations, hour, written } in entries.drain(..) {
            batch.add(used, n_operations, hour);
            waiting.push(written);
        }
        let purge = (batch.hour > purged_hour).then_some(batch.hour - KEPT_HOURS);
        if !batch.days.is_empty() {
            match write(&store, batch.clone(), purge).await {
                Ok(()) => {
                    purged_hour = batch.hour;
                    batch = Batch::default();
                }
                Err(error) => {
                    tracing::error!(%error, "usage could not be written, it is kept for the next try");
                }
            }
        }
        for written in waiting {
            // Who does not wait any more was counted too.
            let _ = written.send(());
        }
        if n_entries == 0 {
            return;
        }
    }
}

async fn write(store: &Store, batch: Batch, purge_before: Option<i64>) -> ocellus_store::Result<()> {
    let write = move |tx: &mut ocellus_store::Tx<'_>| {
        let days: Vec<_> = batch.days.iter().map(|(used, amount)| (used, *amount)).collect();
        let hours: Vec<_> = batch.hours.iter().map(|(used, n)| (used, *n)).collect();
        tx.add_usage(&days)?;
        tx.add_usage_of_hours(&hours)?;
        if let Some(hour) = purge_before {
            tx.purge_usage_hours(hour)?;
        }
        Ok(())
    };
    store.count(write).await
}
