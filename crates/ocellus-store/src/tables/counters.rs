//! Table `counters`: numbers that rise per app. Taking one locks its row until the transaction ends, so
//! rows numbered by it become visible in the order of their numbers.

use crate::Result;
use crate::db::Tx;

impl Tx<'_> {
    /// Takes `n` consecutive numbers and returns the first. Numbers start at 1 and are never given
    /// twice; a rolled-back transaction gives its numbers back.
    pub(crate) fn take_numbers(&self, app_uid: &str, name: &str, n: i64) -> Result<i64> {
        let sql = "INSERT INTO counters (app_uid, name, value) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (app_uid, name) DO UPDATE SET value = counters.value + excluded.value \
                   RETURNING value";
        let params = [app_uid.into(), name.into(), n.into()];
        let last = self.select_one("counters", sql, &params, |row| row.int())?;
        Ok(last.unwrap_or(n) - n + 1)
    }
}
