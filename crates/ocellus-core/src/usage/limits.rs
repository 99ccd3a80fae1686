//! Quotas: what an account may use within a second, minute, hour, day or month, taken before the work and exact under
//! any number of callers.
//!
//! What is used of a running period is held in memory. It is read from the counts once, when an account first calls, and
//! kept up by every call from then on, so no call waits for the database to be let in.

use std::collections::HashMap;

use ocellus_store::Tx;
use parking_lot::Mutex;

use super::calendar::{Span, day};
use super::ledger::CALLS;
use super::{Call, OperationKind, UsageConfig, calendar};
use crate::{Error, Kind, Platform, Resource, Result};

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Calls of every kind.
    Calls,
    /// Operations of a kind.
    Operations(OperationKind),
}

/// How long a quota lasts. Periods follow the calendar in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Month,
}

impl Period {
    const ALL: [Self; 5] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// The name in the configuration and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The period with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    fn span(self) -> Span {
        match self {
            Self::Second => Span::Second,
            Self::Minute => Span::Minute,
            Self::Hour => Span::Hour,
            Self::Day => Span::Day,
            Self::Month => Span::Month,
        }
    }

    /// Whether tries count that came to nothing: such quotas protect the server, not a purse.
    fn counts_tries(self) -> bool {
        match self {
            Self::Second | Self::Minute => true,
            Self::Hour | Self::Day | Self::Month => false,
        }
    }
}

/// What an account may use within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Of what.
    pub counted: Counted,
    /// How much.
    pub limit: u64,
    /// Within which time.
    pub period: Period,
}

impl Quota {
    /// How much of it a call takes; nothing when it is about something else.
    fn amount(counted: Counted, call: &Call) -> u64 {
        match counted {
            Counted::Calls => u64::from(!call.is_part),
            Counted::Operations(kind) if kind == call.kind => call.n_operations,
            Counted::Operations(_) => 0,
        }
    }

    fn exceeded(&self, now_us: i64, ends_us: i64) -> Error {
        let retry_after_s = u32::try_from((ends_us - now_us).div_euclid(1_000_000) + 1).unwrap_or(u32::MAX);
        let what = match self.counted {
            Counted::Calls => "requests".to_owned(),
            Counted::Operations(kind) => format!("{} operations", kind.name()),
        };
        let message = format!(
            "exceeded limit of {} {what} per {}; try again in {retry_after_s} s",
            self.limit,
            self.period.name()
        );
        Error::new(Kind::Exhausted, message)
            .about(Resource::Other("quota", self.period.name().to_owned()))
            .retry_after(retry_after_s)
    }
}

/// What a call has taken from one period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pair: usize,
    start_us: i64,
    amount: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start_us: i64,
    used: u64,
}

/// Where an account stands.
#[derive(Clone, Debug)]
struct Standing {
    plan: String,
    windows: Vec<Window>,
}

/// Where everybody stands.
pub(super) struct Limits {
    /// What has to be kept for any plan.
    pairs: Vec<(Counted, Period)>,
    standings: Mutex<HashMap<String, Standing>>,
}

impl Limits {
    pub(super) fn new(config: &UsageConfig) -> Self {
        let mut pairs = Vec::new();
        for quota in config.plans().iter().flat_map(|plan| &plan.quotas) {
            if !pairs.contains(&(quota.counted, quota.period)) {
                pairs.push((quota.counted, quota.period));
            }
        }
        Self { pairs, standings: Mutex::default() }
    }

    /// Takes what a call will use from every quota that it touches, or from none and says which is too small.
    pub(super) async fn take(
        &self,
        platform: &Platform,
        account_id: &str,
        call: &Call,
        now_us: i64,
    ) -> Result<Vec<Held>> {
        if self.pairs.is_empty() {
            return Ok(Vec::new());
        }
        if !self.standings.lock().contains_key(account_id) {
            let read = self.read(platform, account_id, now_us).await?;
            // Whoever was faster has counted since.
            self.standings.lock().entry(account_id.to_owned()).or_insert(read);
        }
        let mut standings = self.standings.lock();
        let Some(standing) = standings.get_mut(account_id) else { return Ok(Vec::new()) };
        let quotas = &platform.usage().config().plan_or_usual(&standing.plan).quotas;
        self.take_from(standing, quotas, call, now_us)
    }

    fn take_from(
        &self,
        standing: &mut Standing,
        quotas: &[Quota],
        call: &Call,
        now_us: i64,
    ) -> Result<Vec<Held>> {
        let mut held = Vec::new();
        let mut worst: Option<(i64, &Quota)> = None;
        for (pair, ((counted, period), window)) in self.pairs.iter().zip(&mut standing.windows).enumerate() {
            let start_us = period.span().start_us(now_us);
            // A clock that was set back goes on with the period that was begun.
            if start_us > window.start_us {
                *window = Window { start_us, used: 0 };
            }
            let amount = Quota::amount(*counted, call);
            if amount == 0 {
                continue;
            }
            held.push(Held { pair, start_us: window.start_us, amount });
            let quota = quotas.iter().find(|quota| quota.counted == *counted && quota.period == *period);
            if let Some(quota) = quota.filter(|quota| window.used.saturating_add(amount) > quota.limit) {
                let ends_us = period.span().end_us(window.start_us);
                worst = worst.filter(|(other_us, _)| *other_us >= ends_us).or(Some((ends_us, quota)));
            }
        }
        if let Some((ends_us, quota)) = worst.filter(|_| !call.free) {
            return Err(quota.exceeded(now_us, ends_us));
        }
        for held in &held {
            let window = &mut standing.windows[held.pair];
            window.used = window.used.saturating_add(held.amount);
        }
        Ok(held)
    }

    /// Puts right what a successful call took, once it is known how much it used.
    pub(super) fn settle(&self, account_id: &str, held: Vec<Held>, n_operations: u64) {
        self.correct(account_id, held, |counted, _, _| match counted {
            Counted::Calls => 1,
            Counted::Operations(_) => n_operations,
        });
    }

    /// Gives back what a call took that came to nothing.
    pub(super) fn give_back(&self, account_id: &str, held: Vec<Held>) {
        self.correct(account_id, held, |_, period, taken| if period.counts_tries() { taken } else { 0 });
    }

    /// `really` says what was used instead of what was taken.
    fn correct(&self, account_id: &str, held: Vec<Held>, really: impl Fn(Counted, Period, u64) -> u64) {
        let mut standings = self.standings.lock();
        let Some(standing) = standings.get_mut(account_id) else { return };
        for Held { pair, start_us, amount } in held {
            let (counted, period) = self.pairs[pair];
            let window = &mut standing.windows[pair];
            // A period that has ended is nobody's concern any more.
            if window.start_us == start_us {
                window.used = window.used.saturating_sub(amount) + really(counted, period, amount);
            }
        }
    }

    /// What an account has used of the periods that are running, from the counts.
    async fn read(&self, platform: &Platform, account_id: &str, now_us: i64) -> Result<Standing> {
        let account_id = account_id.to_owned();
        let read = move |tx: &mut Tx<'_>| {
            let today = day(now_us);
            let month = day(Span::Month.start_us(now_us));
            let by_kind = |from_day| tx.usage_by_kind(&account_id, from_day, today + 1);
            Ok::<_, Error>(Counts {
                plan: tx.subscription(&account_id)?.map(|found| found.plan).unwrap_or_default(),
                hour: tx.usage_of_hour(&account_id, now_us.div_euclid(calendar::HOUR_US))?,
                day: by_kind(today)?.into_iter().flat_map(of_kind_and_calls).collect(),
                month: by_kind(month)?.into_iter().flat_map(of_kind_and_calls).collect(),
            })
        };
        let counts = platform.store().read(read).await?;
        let window = |(counted, period): &(Counted, Period)| Window {
            start_us: period.span().start_us(now_us),
            used: counts.of(*counted, *period),
        };
        let windows = self.pairs.iter().map(window).collect();
        Ok(Standing { plan: counts.plan.clone(), windows })
    }

    /// From now on the account stands under the quotas of another plan.
    pub(super) fn change_plan(&self, account_id: &str, plan: &str) {
        if let Some(standing) = self.standings.lock().get_mut(account_id) {
            plan.clone_into(&mut standing.plan);
        }
    }
}

fn of_kind_and_calls((kind, amount): (String, ocellus_store::Amount)) -> [(String, i64); 2] {
    [(kind, amount.n_operations), (CALLS.to_owned(), amount.n_calls)]
}

struct Counts {
    plan: String,
    hour: Vec<(String, i64)>,
    day: Vec<(String, i64)>,
    month: Vec<(String, i64)>,
}

impl Counts {
    fn of(&self, counted: Counted, period: Period) -> u64 {
        let counts = match period {
            // Too short to outlive a start.
            Period::Second | Period::Minute => return 0,
            Period::Hour => &self.hour,
            Period::Day => &self.day,
            Period::Month => &self.month,
        };
        let name = match counted {
            Counted::Calls => CALLS,
            Counted::Operations(kind) => kind.name(),
        };
        let n: i64 = counts.iter().filter(|(kind, _)| kind == name).map(|(_, n)| n).sum();
        u64::try_from(n).unwrap_or(0)
    }
}
