//! Table `audit_log`: who changed what, when, and whether it worked. Rows are only ever added.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};

/// A call that changed something, or tried to.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Whose log it is in: the owner of what was touched.
    pub account_id: String,
    /// When it was, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// Tells apart what happened at the same time.
    pub id: String,
    /// The user id of who did it.
    pub actor_id: String,
    /// The public id of the key with which it was done.
    pub key_id: String,
    /// The name of the call.
    pub operation: String,
    /// The app it was done in; empty for none.
    pub app_id: String,
    /// What was touched, in words such as `concepts: dog, cat`.
    pub subjects: Vec<String>,
    /// Whether it worked.
    pub success: bool,
    /// The dialect's status code.
    pub code: i64,
    /// The id of the request.
    pub request_id: String,
    /// The network address it came from; empty where that is unknown.
    pub address: String,
}

const COLUMNS: &str = "account_id, at_us, id, actor_id, key_id, operation, app_id, subjects, success, code, \
                       request_id, address";

fn from_row(row: &mut Row) -> Result<AuditEntry, BadColumn> {
    Ok(AuditEntry {
        account_id: row.text()?,
        at_us: row.int()?,
        id: row.text()?,
        actor_id: row.text()?,
        key_id: row.text()?,
        operation: row.text()?,
        app_id: row.text()?,
        subjects: row.document()?,
        success: row.flag()?,
        code: row.int()?,
        request_id: row.text()?,
        address: row.text()?,
    })
}

impl Tx<'_> {
    /// Adds an entry.
    pub fn insert_audit_entry(&self, entry: &AuditEntry) -> Result<()> {
        let row = vec![
            (&entry.account_id).into(),
            entry.at_us.into(),
            (&entry.id).into(),
            (&entry.actor_id).into(),
            (&entry.key_id).into(),
            (&entry.operation).into(),
            (&entry.app_id).into(),
            Val::json(&entry.subjects),
            Val::flag(entry.success),
            entry.code.into(),
            (&entry.request_id).into(),
            (&entry.address).into(),
        ];
        self.insert("audit_log", COLUMNS, row)
    }

    /// Entries of an account from `from_us` on and before `to_us`, in the order of their times.
    #[expect(clippy::too_many_arguments, reason = "whose log, what of it, and the page")]
    pub fn audit_page(
        &self,
        account_id: &str,
        (from_us, to_us): (i64, i64),
        ascending: bool,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<AuditEntry>> {
        let order = if ascending { "ASC" } else { "DESC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_log WHERE account_id = ?1 AND at_us >= ?2 AND at_us < ?3 \
             ORDER BY at_us {order}, id {order} LIMIT ?4 OFFSET ?5"
        );
        let params = [account_id.into(), from_us.into(), to_us.into(), limit.into(), offset.into()];
        self.select("audit_log", &sql, &params, from_row)
    }
}
