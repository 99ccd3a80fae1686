//! Table `view_counts`: how often something in an app was looked at, by day.

use crate::Result;
use crate::db::{BadColumn, Row, Tx};

/// How often something was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Views {
    /// The owner of the app.
    pub account_id: String,
    /// The app.
    pub app_id: String,
    /// What was looked at.
    pub object_id: String,
    /// How often.
    pub n_views: i64,
}

const SUMS: &str = "SELECT a.account_id, a.id, v.object_id, CAST(SUM(v.n_views) AS BIGINT) FROM view_counts v \
                    JOIN apps a ON a.uid = v.app_uid";
const ORDER: &str = "GROUP BY a.account_id, a.id, v.object_id ORDER BY 4 DESC, 1, 2, 3";

fn from_row(row: &mut Row) -> Result<Views, BadColumn> {
    Ok(Views { account_id: row.text()?, app_id: row.text()?, object_id: row.text()?, n_views: row.int()? })
}

impl Tx<'_> {
    /// Counts a view.
    pub fn count_view(&self, app_uid: &str, view_type: &str, object_id: &str, day: i64) -> Result<()> {
        let row = vec![app_uid.into(), view_type.into(), object_id.into(), day.into(), 1_i64.into()];
        let tail = "ON CONFLICT (app_uid, view_type, object_id, day) DO UPDATE SET n_views = view_counts.n_views + 1";
        self.insert_many("view_counts", "app_uid, view_type, object_id, day, n_views", tail, vec![row])?;
        Ok(())
    }

    /// What in an app was looked at most since a day.
    #[expect(clippy::too_many_arguments, reason = "what is asked for, and the page")]
    pub fn most_viewed(
        &self,
        app_uid: &str,
        view_type: &str,
        from_day: i64,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Views>> {
        let sql = format!(
            "{SUMS} WHERE v.app_uid = ?1 AND v.view_type = ?2 AND v.day >= ?3 {ORDER} LIMIT ?4 OFFSET ?5"
        );
        let params = [app_uid.into(), view_type.into(), from_day.into(), limit.into(), offset.into()];
        self.select("view_counts", &sql, &params, from_row)
    }

    /// What in all apps of an account was looked at most since a day.
    #[expect(clippy::too_many_arguments, reason = "what is asked for, and the page")]
    pub fn most_viewed_of_account(
        &self,
        account_id: &str,
        view_type: &str,
        from_day: i64,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Views>> {
        let sql = format!(
            "{SUMS} WHERE a.account_id = ?1 AND a.deleted_at_us IS NULL AND v.view_type = ?2 AND v.day >= ?3 \
             {ORDER} LIMIT ?4 OFFSET ?5"
        );
        let params = [account_id.into(), view_type.into(), from_day.into(), limit.into(), offset.into()];
        self.select("view_counts", &sql, &params, from_row)
    }
}
