//! What an account has used, what it costs, and the plan it stands under. Only for the account's owner.

use std::collections::BTreeMap;

use ocellus_store as store;
use store::{Amount, Used};

use super::calendar::{DAY_US, Span, day, month_number};
use super::{OperationKind, Plan};
use crate::{AccountCtx, Error, Page, Resource, Result};

/// How many days the history tells.
const HISTORY_DAYS: i64 = 30;

/// A month of which a bill is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Year and month, such as 202611.
    pub number: i32,
    /// Microseconds since the epoch.
    pub start_us: i64,
    /// When the next one begins, microseconds since the epoch.
    pub end_us: i64,
}

impl Cycle {
    fn around(us: i64) -> Self {
        let start_us = Span::Month.start_us(us);
        Self { number: month_number(us), start_us, end_us: Span::Month.end_us(start_us) }
    }
}

/// A line of a bill.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What was used.
    pub kind: OperationKind,
    /// How many operations.
    pub n_operations: u64,
    /// What one of them costs, in dollars.
    pub price: f64,
}

impl Item {
    /// What all of them cost, in dollars.
    pub fn dollars(&self) -> f64 {
        self.price * self.n_operations as f64
    }
}

/// What the running month has cost so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Bill {
    /// The month.
    pub cycle: Cycle,
    /// A line for every kind of operation.
    pub items: Vec<Item>,
}

/// How much of one thing was used on each of several days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// What it is; its day means nothing.
    pub used: Used,
    /// Operations on each day.
    pub n_operations: Vec<i64>,
}

/// What was used on the last days, today included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// When the first day began, microseconds since the epoch.
    pub start_us: i64,
    /// When the last day ends, microseconds since the epoch.
    pub end_us: i64,
    /// One for each combination of operation, app, key and model.
    pub series: Vec<Series>,
}

impl History {
    /// How many days it tells.
    pub const N_DAYS: i64 = HISTORY_DAYS;
    /// The time between two numbers of a series, in seconds.
    pub const INTERVAL_S: i64 = DAY_US / 1_000_000;
}

fn check_own(account: &AccountCtx) -> Result<()> {
    if account.is_public() {
        let about = Resource::Account(account.account().id.clone());
        return Err(Error::forbidden(about, "only its owner can see what an account uses"));
    }
    Ok(())
}

/// What was used in the running month, by kind; in all apps, or in one.
pub async fn realtime(account: &AccountCtx, app_id: Option<&str>) -> Result<Vec<(OperationKind, u64)>> {
    let cycle = Cycle::around(account.platform().clock().now_us());
    let rows = rows(account, app_id, cycle.start_us, cycle.end_us).await?;
    Ok(by_kind(&rows))
}

/// What was used on each of the last days; in all apps, or in one.
pub async fn history(account: &AccountCtx, app_id: Option<&str>) -> Result<History> {
    let end_us = Span::Day.end_us(Span::Day.start_us(account.platform().clock().now_us()));
    let start_us = end_us - HISTORY_DAYS * DAY_US;
    let mut series: BTreeMap<Used, Vec<i64>> = BTreeMap::new();
    for (mut used, amount) in rows(account, app_id, start_us, end_us).await? {
        let idx = usize::try_from(used.day - day(start_us)).unwrap_or(0);
        used.day = 0;
        let days = series.entry(used).or_insert_with(|| vec![0; HISTORY_DAYS as usize]);
        days[idx] += amount.n_operations;
    }
    let series = series.into_iter().map(|(used, n_operations)| Series { used, n_operations });
    Ok(History { start_us, end_us, series: series.collect() })
}

/// What the running month has cost so far.
pub async fn bill(account: &AccountCtx) -> Result<Bill> {
    let cycle = Cycle::around(account.platform().clock().now_us());
    let rows = rows(account, None, cycle.start_us, cycle.end_us).await?;
    let (plan, _) = subscription(account).await?;
    let item = |(kind, n_operations)| Item { kind, n_operations, price: plan.price(kind) };
    Ok(Bill { cycle, items: by_kind(&rows).into_iter().map(item).collect() })
}

/// The months since the account was made, the running one first.
pub async fn cycles(account: &AccountCtx, page: Page) -> Result<Vec<Cycle>> {
    let page = page.check()?;
    check_own(account)?;
    let first_us = Span::Month.start_us(account.account().created_at_us);
    let running = Cycle::around(account.platform().clock().now_us());
    let earlier = |cycle: &Cycle| Some(Cycle::around(cycle.start_us - 1)).filter(|c| c.start_us >= first_us);
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Ok(std::iter::successors(Some(running), earlier).skip(skip).take(page.per_page as usize).collect())
}

async fn rows(
    account: &AccountCtx,
    app_id: Option<&str>,
    start_us: i64,
    end_us: i64,
) -> Result<Vec<(Used, Amount)>> {
    check_own(account)?;
    let (id, from_day, before_day) = (account.account().id.clone(), day(start_us), day(end_us));
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.usage(&id, from_day, before_day)?);
    let mut rows = account.platform().store().read(read).await?;
    if let Some(app_id) = app_id {
        rows.retain(|(used, _)| used.app_id == app_id);
    }
    Ok(rows)
}

fn by_kind(rows: &[(Used, Amount)]) -> Vec<(OperationKind, u64)> {
    let sum = |kind: OperationKind| {
        let of_kind = rows.iter().filter(|(used, _)| used.kind == kind.name());
        let n: i64 = of_kind.map(|(_, amount)| amount.n_operations).sum();
        (kind, u64::try_from(n).unwrap_or(0))
    };
    OperationKind::ALL.into_iter().map(sum).collect()
}

/// The plan that the account stands under, and the code that it was chosen with.
pub async fn subscription(account: &AccountCtx) -> Result<(Plan, String)> {
    check_own(account)?;
    let id = account.account().id.clone();
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.subscription(&id)?);
    let found = account.platform().store().read(read).await?;
    let (plan, code) = found.map(|found| (found.plan, found.signup_code)).unwrap_or_default();
    Ok((account.platform().usage().config().plan_or_usual(&plan).clone(), code))
}

/// Chooses a plan. `NotFound` for one that is not offered, `Invalid` without its code.
pub async fn subscribe(account: &AccountCtx, plan: &str, signup_code: &str) -> Result<Plan> {
    check_own(account)?;
    if plan.is_empty() {
        return Err(Error::invalid("plan.name", "must be given"));
    }
    let meter = account.platform().usage();
    let missing = || Error::not_found(Resource::Other("plan", plan.to_owned()));
    let plan = meter.config().plan(plan).ok_or_else(missing)?;
    if plan.signup_code.as_ref().is_some_and(|code| code != signup_code) {
        return Err(Error::invalid("signup_code", "is not the one of this plan"));
    }
    let row = store::Subscription {
        account_id: account.account().id.clone(),
        plan: plan.name.clone(),
        signup_code: signup_code.to_owned(),
        key_id: account.caller().key_id.clone(),
        modified_at_us: account.platform().clock().now_us(),
    };
    let write = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.put_subscription(&row)?);
    account.platform().store().write(write).await?;
    meter.limits.change_plan(&account.account().id, &plan.name);
    Ok(plan.clone())
}
