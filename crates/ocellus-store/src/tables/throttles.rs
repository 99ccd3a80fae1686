//! Table `throttles`: how often something was tried lately.

use crate::Result;
use crate::db::{Row, Tx};

/// How often something was tried within its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Tries, this one counted.
    pub n_tries: i64,
    /// When the counting begins anew, in microseconds since 1970 UTC.
    pub ends_at_us: i64,
}

impl Tx<'_> {
    /// Counts a try; the first one opens a window of so many microseconds.
    pub fn count_try(&self, subject: &str, now_us: i64, window_us: i64) -> Result<Throttle> {
        let map = |row: &mut Row| Ok(Throttle { n_tries: row.int()?, ends_at_us: row.int()? });
        let sql = "SELECT n_tries, ends_at_us FROM throttles WHERE subject = ?1";
        let before = self.select_one("throttles", sql, &[subject.into()], map)?;
        let counted = match before.filter(|before| before.ends_at_us > now_us) {
            Some(before) => Throttle { n_tries: before.n_tries + 1, ..before },
            None => Throttle { n_tries: 1, ends_at_us: now_us + window_us },
        };
        let row = vec![subject.into(), counted.n_tries.into(), counted.ends_at_us.into()];
        let tail = "ON CONFLICT (subject) DO UPDATE SET n_tries = excluded.n_tries, \
                    ends_at_us = excluded.ends_at_us";
        self.insert_many("throttles", "subject, n_tries, ends_at_us", tail, vec![row])?;
        Ok(counted)
    }

    /// Takes one try back, because it was a good one.
    pub fn uncount_try(&self, subject: &str) -> Result<()> {
        let sql = "UPDATE throttles SET n_tries = n_tries - 1 WHERE subject = ?1 AND n_tries > 0";
        self.exec(sql, &[subject.into()])?;
        Ok(())
    }

    /// Removes what has ended; returns how many.
    pub fn purge_throttles(&self, now_us: i64) -> Result<u64> {
        self.exec("DELETE FROM throttles WHERE ends_at_us <= ?1", &[now_us.into()])
    }
}
