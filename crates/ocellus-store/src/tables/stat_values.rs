//! Table `stat_values`: numbers with a time and tags that the users of an app record.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};

/// A recorded number.
#[derive(Clone, Debug, PartialEq)]
pub struct StatValue {
    /// The app.
    pub app_uid: String,
    /// What it is the value of, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// Tells apart what is of the same time.
    pub id: String,
    /// The number.
    pub value: f64,
    /// What it is about.
    pub tags: Vec<String>,
    /// Who recorded it.
    pub account_id: String,
    /// The public id of the key with which it was recorded.
    pub key_id: String,
}

const COLUMNS: &str = "app_uid, at_us, id, value, tags, account_id, key_id";

fn from_row(row: &mut Row) -> Result<StatValue, BadColumn> {
    Ok(StatValue {
        app_uid: row.text()?,
        at_us: row.int()?,
        id: row.text()?,
        value: row.real()?,
        tags: row.document()?,
        account_id: row.text()?,
        key_id: row.text()?,
    })
}

impl Tx<'_> {
    /// Records numbers.
    pub fn insert_stat_values(&self, values: &[StatValue]) -> Result<()> {
        let rows = values.iter().map(|value| {
            vec![
                (&value.app_uid).into(),
                value.at_us.into(),
                (&value.id).into(),
                Val::Real(value.value),
                Val::json(&value.tags),
                (&value.account_id).into(),
                (&value.key_id).into(),
            ]
        });
        self.insert_many("stat_values", COLUMNS, "", rows.collect())?;
        Ok(())
    }

    /// The first of an app's numbers from `from_us` on and before `to_us`, by time.
    pub fn stat_values(&self, app_uid: &str, from_us: i64, to_us: i64, limit: i64) -> Result<Vec<StatValue>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM stat_values WHERE app_uid = ?1 AND at_us >= ?2 AND at_us < ?3 \
             ORDER BY at_us, id LIMIT ?4"
        );
        let params = [app_uid.into(), from_us.into(), to_us.into(), limit.into()];
        self.select("stat_values", &sql, &params, from_row)
    }
}
