//! The documents of inputs of one kind, in the order of creation, for filters by what a text says.

use crate::db::Tx;
use crate::{JsonMap, Result};

impl Tx<'_> {
    /// Number, id and document of up to `limit` inputs of a kind, created after `after_seq` (0 for all).
    pub fn docs_of_kind(
        &self,
        app_uid: &str,
        kind: &str,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<(i64, String, JsonMap)>> {
        let sql = "SELECT seq, id, doc FROM inputs WHERE app_uid = ?1 AND kind = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";
        let params = [app_uid.into(), kind.into(), after_seq.into(), limit.into()];
        self.select("inputs", sql, &params, |row| Ok((row.int()?, row.text()?, row.json()?)))
    }
}
