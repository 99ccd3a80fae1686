//! Stats of an app: numbers with a time and tags that its users record, summed up by tag and span of time.
//!
//! What the app was used for is there without being recorded, under the tag [`USAGE`]: a number of operations for each day
//! with tags such as `operation:PostModelOutputs` or `model_id:general`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ocellus_store as store;

use crate::usage::{DAY_US, Span, day};
use crate::{AppCtx, Error, Result};

/// The tag of what was counted, not recorded.
pub const USAGE: &str = "usage";

/// The most numbers recorded at once.
const MAX_AT_ONCE: usize = 1_000;
/// The most tags of a number.
const MAX_TAGS: usize = 64;
/// The longest tag, in characters.
const MAX_TAG_CHARS: usize = 256;
/// The most numbers that one query looks at.
const MAX_READ: i64 = 200_000;
/// The years 1 to 9999, microseconds since the epoch.
const TIMES_US: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// A number that was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct StatValue {
    /// Microseconds since the epoch.
    pub at_us: i64,
    /// The number.
    pub value: f32,
    /// What it is about, such as `camera:3`.
    pub tags: Vec<String>,
}

/// A number to record.
#[derive(Clone, Debug)]
pub struct NewStatValue {
    /// Microseconds since the epoch; now if absent.
    pub at_us: Option<i64>,
    /// The number.
    pub value: f32,
    /// What it is about.
    pub tags: Vec<String>,
}

/// What becomes of the numbers of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Their sum.
    Sum,
    /// Their mean.
    Average,
}

/// A span of time whose numbers go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Step {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
}

impl Step {
    fn span(self) -> Span {
        match self {
            Self::Year => Span::Year,
            Self::Month => Span::Month,
            Self::Week => Span::Week,
            Self::Day => Span::Day,
            Self::Hour => Span::Hour,
            Self::Minute => Span::Minute,
        }
    }
}

/// Which numbers to sum up, and how.
#[derive(Clone, Debug)]
pub struct StatQuery {
    /// Only numbers with all these tags.
    pub tags: Vec<String>,
    /// Apart for each value of these tags: `camera` groups by `camera:1`, `camera:2` and so on.
    pub groups: Vec<String>,
    /// What becomes of them.
    pub aggregation: Aggregation,
    /// Apart for each of these spans; all together if absent.
    pub step: Option<Step>,
    /// Not before, microseconds since the epoch.
    pub from_us: Option<i64>,
    /// Before, microseconds since the epoch.
    pub to_us: Option<i64>,
}

/// The numbers of one group and span.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// When the span began, microseconds since the epoch; absent where all times go together.
    pub at_us: Option<i64>,
    /// Their sum or mean.
    pub value: f64,
    /// How many they are; for usage, how many calls.
    pub n_values: u64,
    /// The tags by which they were grouped.
    pub tags: Vec<String>,
}

/// Records numbers, all or none.
pub async fn record(app: &AppCtx, new: Vec<NewStatValue>) -> Result<Vec<StatValue>> {
    app.check_writable()?;
    if new.is_empty() || new.len() > MAX_AT_ONCE {
        return Err(Error::invalid("stat_values", format!("must be 1 to {MAX_AT_ONCE}")));
    }
    let now_us = app.platform().clock().now_us();
    let mut rows = Vec::with_capacity(new.len());
    for (idx, new) in new.into_iter().enumerate() {
        let field = format!("stat_values[{idx}]");
        check(&new, &field)?;
        rows.push(store::StatValue {
            app_uid: app.uid().to_owned(),
            at_us: new.at_us.unwrap_or(now_us),
            id: app.platform().ids().id(),
            value: new.value.into(),
            tags: new.tags,
            account_id: app.caller().account_id.clone(),
            key_id: app.caller().key_id.clone(),
        });
    }
    let stored = rows.iter().map(|row| StatValue {
        at_us: row.at_us,
        value: row.value as f32,
        tags: row.tags.clone(),
    });
    let stored = stored.collect();
    let write = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.insert_stat_values(&rows)?);
    app.platform().store().write(write).await?;
    Ok(stored)
}

fn check(new: &NewStatValue, field: &str) -> Result<()> {
    if !new.value.is_finite() {
        return Err(Error::invalid(format!("{field}.value"), "must be a finite number"));
    }
    if new.at_us.is_some_and(|at_us| !TIMES_US.contains(&at_us)) {
        return Err(Error::invalid(format!("{field}.time"), "must lie in the years 1 to 9999"));
    }
    if new.tags.len() > MAX_TAGS {
        return Err(Error::invalid(format!("{field}.tags"), format!("must be {MAX_TAGS} or fewer")));
    }
    for tag in &new.tags {
        if tag.is_empty() || tag.chars().count() > MAX_TAG_CHARS {
            let message = format!("must each have 1 to {MAX_TAG_CHARS} characters");
            return Err(Error::invalid(format!("{field}.tags"), message));
        }
        if tag == USAGE {
            let message = format!("cannot hold `{USAGE}`, which stands for what the server counts");
            return Err(Error::invalid(format!("{field}.tags"), message));
        }
    }
    Ok(())
}

/// Sums numbers up, by time and then by tags.
pub async fn aggregate(app: &AppCtx, query: &StatQuery) -> Result<Vec<Aggregate>> {
    let found = match query.tags.iter().any(|tag| tag == USAGE) {
        true => usage(app, query).await?,
        false => recorded(app, query).await?,
    };
    let mut groups: BTreeMap<(Option<i64>, Vec<String>), (f64, u64)> = BTreeMap::new();
    for number in found {
        if query.tags.iter().any(|tag| !number.tags.contains(tag)) {
            continue;
        }
        let at_us = query.step.map(|step| step.span().start_us(number.at_us));
        let (sum, n) = groups.entry((at_us, group_of(&number.tags, &query.groups))).or_default();
        *sum += number.value;
        *n += number.n;
    }
    let aggregate = |((at_us, tags), (sum, n_values)): (_, (f64, u64))| {
        let value = match query.aggregation {
            Aggregation::Sum => sum,
            Aggregation::Average => sum / n_values.max(1) as f64,
        };
        Aggregate { at_us, value, n_values, tags }
    };
    Ok(groups.into_iter().map(aggregate).collect())
}

/// The tags by which a number is told from those of other groups.
fn group_of(tags: &[String], groups: &[String]) -> Vec<String> {
    let in_group = |tag: &String, group: &String| {
        tag.strip_prefix(group.trim_end_matches(':'))
            .is_some_and(|rest| rest.starts_with(':') || rest.is_empty())
    };
    let mut found = Vec::new();
    for group in groups {
        found.extend(tags.iter().filter(|tag| in_group(tag, group)).cloned());
    }
    found
}

struct Number {
    at_us: i64,
    value: f64,
    n: u64,
    tags: Vec<String>,
}

async fn recorded(app: &AppCtx, query: &StatQuery) -> Result<Vec<Number>> {
    let range = (query.from_us.unwrap_or(i64::MIN), query.to_us.unwrap_or(i64::MAX));
    let uid = app.uid().to_owned();
    let read =
        move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.stat_values(&uid, range.0, range.1, MAX_READ + 1)?);
    let rows = app.platform().store().read(read).await?;
    if rows.len() > MAX_READ as usize {
        let message = format!("lets more than {MAX_READ} values in; choose a shorter time");
        return Err(Error::invalid("stat_value_aggregate_queries", message));
    }
    let number = |row: store::StatValue| Number { at_us: row.at_us, value: row.value, n: 1, tags: row.tags };
    Ok(rows.into_iter().map(number).collect())
}

/// What the app was used for. Whoever is not its owner sees only what they did themselves.
async fn usage(app: &AppCtx, query: &StatQuery) -> Result<Vec<Number>> {
    let (owner_id, app_id) = (app.app().user_id.clone(), app.app().id.clone());
    let from_day = query.from_us.map_or(i64::MIN, |us| day(us.saturating_add(DAY_US - 1)));
    let before_day = query.to_us.map_or(i64::MAX, |us| day(us.saturating_add(DAY_US - 1)));
    let read = move |tx: &mut store::Tx<'_>| {
        Ok::<_, Error>(tx.usage_of_app(&owner_id, &app_id, from_day, before_day)?)
    };
    let mut rows = app.platform().store().read(read).await?;
    if app.check_owner().is_err() {
        rows.retain(|(used, _)| used.account_id == app.caller().account_id);
    }
    let number = |(used, amount): (store::Used, store::Amount)| Number {
        at_us: used.day.saturating_mul(DAY_US),
        value: amount.n_operations as f64,
        n: u64::try_from(amount.n_calls).unwrap_or(0),
        tags: tags_of(used),
    };
    Ok(rows.into_iter().map(number).collect())
}

fn tags_of(used: store::Used) -> Vec<String> {
    let named = [
        ("operation", used.operation),
        ("op_type", used.kind),
        ("user_id", used.account_id),
        ("key_id", used.key_id),
        ("model_id", used.model_id),
    ];
    let named = named.into_iter().filter(|(_, value)| !value.is_empty());
    std::iter::once(USAGE.to_owned()).chain(named.map(|(name, value)| format!("{name}:{value}"))).collect()
}
