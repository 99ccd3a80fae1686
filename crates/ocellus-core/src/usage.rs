//! Usage: every successful call is counted, by account, key, app, operation, model and day, and refused beyond a quota.
//!
//! A call is announced by [`begin`], which takes what it will use from the quotas of the account before any work is done,
//! and ends with [`Begun::end`], which returns when the count is written for good. A call that fails gives back what it took.

mod calendar;
mod ledger;
mod limits;
mod plans;
mod report;
#[cfg(test)]
mod tests;

use ocellus_store::{Amount, Store, Tx, Used, UsedInHour};

pub(crate) use calendar::{DAY_US, Span, day};
pub use limits::{Counted, Period, Quota};
pub use plans::{Plan, UsageConfig};
pub use report::{
    Bill, Cycle, History, Item, Series, bill, cycles, history, realtime, subscribe, subscription,
};

use ledger::Ledger;
use limits::{Held, Limits};

use crate::{Caller, Platform, Result};

/// What is priced and limited alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OperationKind {
    /// An image, or a frame of a video, shown to a model.
    Predict,
    /// A search for inputs or annotations.
    Search,
    /// An input taken in.
    AddInput,
    /// A training of a model.
    Train,
    /// Every other call.
    Other,
}

impl OperationKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Predict, Self::Search, Self::AddInput, Self::Train, Self::Other];

    /// The name in the configuration, in the store and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Search => "search",
            Self::AddInput => "add_input",
            Self::Train => "train",
            Self::Other => "other",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A call that is about to begin.
#[derive(Clone, Debug)]
pub struct Call {
    /// The name of the call.
    pub operation: String,
    /// What it is priced and limited as.
    pub kind: OperationKind,
    /// How many operations it asks for, 1 or more.
    pub n_operations: u64,
    /// Whether it is let through beyond every quota, as a look at one's own usage is.
    pub free: bool,
    /// Whether it is part of a call that was counted before, and so is no call of its own.
    pub is_part: bool,
}

/// What a call that succeeded has used.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The owner of the app; empty for none.
    pub app_owner_id: String,
    /// The app; empty for none.
    pub app_id: String,
    /// The model that was asked; empty for none.
    pub model_id: String,
    /// How many operations were done.
    pub n_operations: u64,
}

/// A call that was let in. Dropped without an end, it gives back what it took.
pub struct Begun {
    platform: Platform,
    account_id: String,
    key_id: String,
    call: Call,
    at_us: i64,
    held: Vec<Held>,
}

/// The counts and limits of a platform.
pub(crate) struct Meter {
    config: UsageConfig,
    limits: Limits,
    ledger: Ledger,
}

impl Meter {
    pub(crate) fn new(config: UsageConfig, store: Store) -> Self {
        Self { limits: Limits::new(&config), ledger: Ledger::new(store), config }
    }

    pub(crate) fn config(&self) -> &UsageConfig {
        &self.config
    }
}

/// Lets a call begin. `Exhausted` when it would use more than the account's plan allows; then it uses nothing.
pub async fn begin(platform: &Platform, caller: &Caller, call: Call) -> Result<Begun> {
    begin_as(platform, (&caller.account_id, &caller.key_id), call).await
}

async fn begin_as(platform: &Platform, (account_id, key_id): (&str, &str), call: Call) -> Result<Begun> {
    let at_us = platform.clock().now_us();
    let meter = platform.usage();
    let held = meter.limits.take(platform, account_id, &call, at_us).await?;
    Ok(Begun {
        platform: platform.clone(),
        account_id: account_id.to_owned(),
        key_id: key_id.to_owned(),
        call,
        at_us,
        held,
    })
}

/// Lets a job take in inputs for somebody whose call that began it was counted as a call. `Exhausted` like [`begin`].
pub(crate) async fn begin_inputs(
    platform: &Platform,
    (account_id, key_id): (&str, &str),
    job: &str,
    n_inputs: u64,
) -> Result<Begun> {
    let call = Call {
        operation: job.to_owned(),
        kind: OperationKind::AddInput,
        n_operations: n_inputs,
        free: false,
        is_part: true,
    };
    begin_as(platform, (account_id, key_id), call).await
}

impl Begun {
    /// What counts in the transaction that does the work. Once that is committed, [`Begun::settle`] is due.
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            used: Used {
                account_id: self.account_id.clone(),
                day: day(self.at_us),
                operation: self.call.operation.clone(),
                app_owner_id: String::new(),
                app_id: String::new(),
                key_id: self.key_id.clone(),
                model_id: String::new(),
                kind: self.call.kind.name().to_owned(),
            },
            hour: self.at_us.div_euclid(calendar::HOUR_US),
        }
    }

    /// Puts the quotas right once it is known how much was used, where that is counted already.
    pub(crate) fn settle(mut self, n_operations: u64) {
        let held = std::mem::take(&mut self.held);
        self.platform.usage().limits.settle(&self.account_id, held, n_operations);
    }

    /// Counts the call. What it counts is on the disk when this returns, unless the database is out of order: then it is
    /// kept and written with the next count.
    pub async fn end(mut self, done: Done) {
        let meter = self.platform.usage();
        let held = std::mem::take(&mut self.held);
        meter.limits.settle(&self.account_id, held, done.n_operations);
        let used = Used {
            account_id: self.account_id.clone(),
            day: day(self.at_us),
            operation: self.call.operation.clone(),
            app_owner_id: done.app_owner_id,
            app_id: done.app_id,
            key_id: self.key_id.clone(),
            model_id: done.model_id,
            kind: self.call.kind.name().to_owned(),
        };
        let hour = self.at_us.div_euclid(calendar::HOUR_US);
        meter.ledger.add(used, i64::try_from(done.n_operations).unwrap_or(i64::MAX), hour).await;
    }
}

/// Counts what a job has done.
#[derive(Clone)]
pub(crate) struct Tally {
    used: Used,
    hour: i64,
}

impl Tally {
    /// Adds operations in an app to the counts.
    pub(crate) fn add(&self, tx: &Tx<'_>, app: &ocellus_store::App, n_operations: u64) -> Result<()> {
        let n_operations = i64::try_from(n_operations).unwrap_or(i64::MAX);
        let (app_owner_id, app_id) = (app.account_id.clone(), app.id.clone());
        let used = Used { app_owner_id, app_id, ..self.used.clone() };
        let of_hour =
            UsedInHour { account_id: used.account_id.clone(), hour: self.hour, kind: used.kind.clone() };
        tx.add_usage(&[(&used, Amount { n_calls: 0, n_operations })])?;
        tx.add_usage_of_hours(&[(&of_hour, n_operations)])?;
        Ok(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.platform.usage().limits.give_back(&self.account_id, held);
        }
    }
}
