//! Tables `usage_counts` and `usage_hours`: how much of what was used by whom, by day and by hour.

use crate::Result;
use crate::db::{BadColumn, Row, Tx};

/// What was used on a day, told apart by everything that there is to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Used {
    /// Whose key it was.
    pub account_id: String,
    /// Days since 1970, UTC.
    pub day: i64,
    /// The name of the call.
    pub operation: String,
    /// The owner of the app; empty for none.
    pub app_owner_id: String,
    /// The app; empty for none.
    pub app_id: String,
    /// The public id of the key.
    pub key_id: String,
    /// The model that was asked; empty for none.
    pub model_id: String,
    /// The kind of operation, which follows from its name.
    pub kind: String,
}

/// How often, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Calls.
    pub n_calls: i64,
    /// What the calls asked for: one each, or one for each image of a prediction.
    pub n_operations: i64,
}

/// What was used of one kind within an hour.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsedInHour {
    /// Whose key it was.
    pub account_id: String,
    /// Hours since 1970, UTC.
    pub hour: i64,
    /// The kind of operation.
    pub kind: String,
}

const COLUMNS: &str = "account_id, day, operation, app_owner_id, app_id, key_id, model_id, kind, n_calls, \
                       n_operations";

fn from_row(row: &mut Row) -> Result<(Used, Amount), BadColumn> {
    let used = Used {
        account_id: row.text()?,
        day: row.int()?,
        operation: row.text()?,
        app_owner_id: row.text()?,
        app_id: row.text()?,
        key_id: row.text()?,
        model_id: row.text()?,
        kind: row.text()?,
    };
    Ok((used, Amount { n_calls: row.int()?, n_operations: row.int()? }))
}

impl Tx<'_> {
    /// Adds to the counts. Nothing may be named twice, and the order should be that of the keys, so that no two writers wait
    /// for each other.
    pub fn add_usage(&self, amounts: &[(&Used, Amount)]) -> Result<()> {
        let rows = amounts.iter().map(|(used, amount)| {
            vec![
                (&used.account_id).into(),
                used.day.into(),
                (&used.operation).into(),
                (&used.app_owner_id).into(),
                (&used.app_id).into(),
                (&used.key_id).into(),
                (&used.model_id).into(),
                (&used.kind).into(),
                amount.n_calls.into(),
                amount.n_operations.into(),
            ]
        });
        let tail = "ON CONFLICT (account_id, day, operation, app_owner_id, app_id, key_id, model_id) DO UPDATE SET \
                    n_calls = usage_counts.n_calls + excluded.n_calls, \
                    n_operations = usage_counts.n_operations + excluded.n_operations";
        self.insert_many("usage_counts", COLUMNS, tail, rows.collect())?;
        Ok(())
    }

    /// Adds to the counts of hours, under the same conditions.
    pub fn add_usage_of_hours(&self, amounts: &[(&UsedInHour, i64)]) -> Result<()> {
        let rows = amounts.iter().map(|(used, n)| {
            vec![(&used.account_id).into(), used.hour.into(), (&used.kind).into(), (*n).into()]
        });
        let tail = "ON CONFLICT (account_id, hour, kind) DO UPDATE SET \
                    n_operations = usage_hours.n_operations + excluded.n_operations";
        self.insert_many("usage_hours", "account_id, hour, kind, n_operations", tail, rows.collect())?;
        Ok(())
    }

    /// An account's counts from one day on and before another, by day.
    pub fn usage(&self, account_id: &str, from_day: i64, before_day: i64) -> Result<Vec<(Used, Amount)>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM usage_counts WHERE account_id = ?1 AND day >= ?2 AND day < ?3 \
             ORDER BY day, operation, app_owner_id, app_id, key_id, model_id"
        );
        let params = [account_id.into(), from_day.into(), before_day.into()];
        self.select("usage_counts", &sql, &params, from_row)
    }

    /// The counts in an app from one day on and before another, whoever used it.
    pub fn usage_of_app(
        &self,
        owner_id: &str,
        app_id: &str,
        from_day: i64,
        before_day: i64,
    ) -> Result<Vec<(Used, Amount)>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM usage_counts WHERE app_owner_id = ?1 AND app_id = ?2 AND day >= ?3 AND day < ?4 \
             ORDER BY day, account_id, operation, key_id, model_id"
        );
        let params = [owner_id.into(), app_id.into(), from_day.into(), before_day.into()];
        self.select("usage_counts", &sql, &params, from_row)
    }

    /// An account's amounts by kind, from one day on and before another.
    pub fn usage_by_kind(
        &self,
        account_id: &str,
        from_day: i64,
        before_day: i64,
    ) -> Result<Vec<(String, Amount)>> {
        // The sums of PostgreSQL are wider numbers.
        let sql = "SELECT kind, CAST(SUM(n_calls) AS BIGINT), CAST(SUM(n_operations) AS BIGINT) FROM usage_counts \
                   WHERE account_id = ?1 AND day >= ?2 AND day < ?3 GROUP BY kind ORDER BY kind";
        let map = |row: &mut Row| Ok((row.text()?, Amount { n_calls: row.int()?, n_operations: row.int()? }));
        self.select("usage_counts", sql, &[account_id.into(), from_day.into(), before_day.into()], map)
    }

    /// What an account used within an hour, by kind.
    pub fn usage_of_hour(&self, account_id: &str, hour: i64) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT kind, n_operations FROM usage_hours WHERE account_id = ?1 AND hour = ?2";
        let map = |row: &mut Row| Ok((row.text()?, row.int()?));
        self.select("usage_hours", sql, &[account_id.into(), hour.into()], map)
    }

    /// Forgets hours before this one; returns how many rows that were.
    pub fn purge_usage_hours(&self, before_hour: i64) -> Result<u64> {
        self.exec("DELETE FROM usage_hours WHERE hour < ?1", &[before_hour.into()])
    }
}
