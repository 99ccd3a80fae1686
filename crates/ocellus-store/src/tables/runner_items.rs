//! Table `runner_items`: requests to models that run in their users' own processes, from the asking to the answer.
//!
//! A runner takes an item under a lease. When the lease ends without an answer, the item may be handed out
//! again, as often as the claim allows; the first answer counts.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};

/// A request that waits for a runner, or has been answered by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunnerItem {
    /// Unique.
    pub id: String,
    /// The account whose runners may take it.
    pub account_id: String,
    /// The app of the model.
    pub app_uid: String,
    /// The model, by the key that never changes.
    pub model_uid: String,
    /// The model's id as it was asked for.
    pub model_id: String,
    /// The version that was asked for; empty for any.
    pub model_version_id: String,
    /// 0 waiting, 1 with a runner, 2 answered, 3 failed, 4 given up by whoever waited.
    pub state: i64,
    /// What was asked, encoded; empty once the item has ended.
    pub request: Vec<u8>,
    /// How many inputs the request has.
    pub n_inputs: i64,
    /// The answer, encoded; empty until there is one.
    pub outputs: Vec<u8>,
    /// How often it was handed out.
    pub attempts: i64,
    /// The runner that has it, or had it last; empty for none.
    pub runner_id: String,
    /// From when on it may be handed out, in microseconds since 1970 UTC.
    pub due_at_us: i64,
    /// Until when somebody waits for the answer, in microseconds since 1970 UTC.
    pub deadline_us: i64,
    /// When it was asked, in microseconds since 1970 UTC.
    pub created_at_us: i64,
}

impl RunnerItem {
    /// The state of an item that nobody works on.
    pub const WAITING: i64 = 0;
    /// The state of an item that a runner has.
    pub const RUNNING: i64 = 1;
    /// The state of an item that has its answer.
    pub const ANSWERED: i64 = 2;
    /// The state of an item that was handed out as often as allowed, in vain.
    pub const FAILED: i64 = 3;
    /// The state of an item that nobody waits for any more.
    pub const CANCELLED: i64 = 4;
}

/// Which items a runner may take: those of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemsOf<'a> {
    /// A model by the key that never changes, and one of its versions or, if empty, any.
    Model(&'a str, &'a str),
    /// Every model of the account with this id.
    ModelId(&'a str),
}

/// When a claim takes place, and what it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The time, in microseconds since 1970 UTC.
    pub now_us: i64,
    /// Until when the runner has the item.
    pub lease_until_us: i64,
    /// Items that were handed out as often as this are left alone.
    pub max_attempts: i64,
}

/// Later than anything is due: the place of items that have ended.
const NEVER: i64 = i64::MAX;

const COLUMNS: &str = "id, account_id, app_uid, model_uid, model_id, model_version_id, state, request, n_inputs, \
                       outputs, attempts, runner_id, due_at_us, deadline_us, created_at_us";

fn from_row(row: &mut Row) -> Result<RunnerItem, BadColumn> {
    Ok(RunnerItem {
        id: row.text()?,
        account_id: row.text()?,
        app_uid: row.text()?,
        model_uid: row.text()?,
        model_id: row.text()?,
        model_version_id: row.text()?,
        state: row.int()?,
        request: row.bytes()?,
        n_inputs: row.int()?,
        outputs: row.bytes()?,
        attempts: row.int()?,
        runner_id: row.text()?,
        due_at_us: row.int()?,
        deadline_us: row.int()?,
        created_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds an item; `Conflict` when the id is taken.
    pub fn insert_runner_item(&self, item: &RunnerItem) -> Result<()> {
        let row = vec![
            (&item.id).into(),
            (&item.account_id).into(),
            (&item.app_uid).into(),
            (&item.model_uid).into(),
            (&item.model_id).into(),
            (&item.model_version_id).into(),
            item.state.into(),
            item.request.as_slice().into(),
            item.n_inputs.into(),
            item.outputs.as_slice().into(),
            item.attempts.into(),
            (&item.runner_id).into(),
            item.due_at_us.into(),
            item.deadline_us.into(),
            item.created_at_us.into(),
        ];
        self.insert("runner_items", COLUMNS, row)
    }

    /// An item by id.
    pub fn runner_item(&self, id: &str) -> Result<Option<RunnerItem>> {
        let sql = format!("SELECT {COLUMNS} FROM runner_items WHERE id = ?1");
        self.select_one("runner_items", &sql, &[id.into()], from_row)
    }

    /// How many items of a model have not ended, and somebody waits for them.
    pub fn count_open_runner_items(&self, account_id: &str, model_uid: &str, now_us: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM runner_items \
                   WHERE account_id = ?1 AND model_uid = ?2 AND due_at_us < ?3 AND deadline_us > ?4";
        let params = [account_id.into(), model_uid.into(), NEVER.into(), now_us.into()];
        Ok(self.select_one("runner_items", sql, &params, |row| row.int())?.unwrap_or(0))
    }

    /// Hands the item that has been due for longest to a runner; `None` when there is none that it may take.
    pub fn claim_runner_item(
        &self,
        account_id: &str,
        runner_id: &str,
        of: ItemsOf<'_>,
        claim: Claim,
    ) -> Result<Option<RunnerItem>> {
        let (column, key, version) = match of {
            ItemsOf::Model(uid, version) => ("model_uid", uid, version),
            ItemsOf::ModelId(id) => ("model_id", id, ""),
        };
        let mut params: Vec<Val<'_>> =
            vec![account_id.into(), key.into(), claim.now_us.into(), claim.max_attempts.into()];
        let mut of_version = "";
        if !version.is_empty() {
            of_version = "AND (model_version_id = ?5 OR model_version_id = '')";
            params.push(version.into());
        }
        let sql = format!(
            "SELECT id FROM runner_items WHERE account_id = ?1 AND {column} = ?2 AND due_at_us <= ?3 \
             AND attempts < ?4 AND deadline_us > ?3 {of_version} ORDER BY due_at_us LIMIT 1"
        );
        let Some(id) = self.select_one("runner_items", &sql, &params, |row| row.text())? else {
            return Ok(None);
        };
        // Asked again, because on PostgreSQL another claimer may have been faster.
        let sql = format!(
            "UPDATE runner_items SET state = 1, attempts = attempts + 1, runner_id = ?2, due_at_us = ?3 \
             WHERE id = ?1 AND due_at_us <= ?4 RETURNING {COLUMNS}"
        );
        let params = [(&id).into(), runner_id.into(), claim.lease_until_us.into(), claim.now_us.into()];
        self.select_one("runner_items", &sql, &params, from_row)
    }

    /// Keeps an item with the runner that has it, by the attempt it got it with, until a later time; false when it no
    /// longer has it.
    pub fn extend_runner_item(
        &self,
        id: &str,
        runner_id: &str,
        attempts: i64,
        lease_until_us: i64,
    ) -> Result<bool> {
        let sql = "UPDATE runner_items SET due_at_us = ?4 \
                   WHERE id = ?1 AND runner_id = ?2 AND attempts = ?3 AND state = 1";
        let params = [id.into(), runner_id.into(), attempts.into(), lease_until_us.into()];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Ends an item: with its answer, or as failed or given up. False when it had ended before.
    pub fn end_runner_item(&self, id: &str, state: i64, outputs: &[u8]) -> Result<bool> {
        let nothing: &[u8] = &[];
        let sql = "UPDATE runner_items SET state = ?2, outputs = ?3, request = ?4, due_at_us = ?5 \
                   WHERE id = ?1 AND state < 2";
        let params = [id.into(), state.into(), outputs.into(), nothing.into(), NEVER.into()];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Forgets items that nobody has waited for since a time; returns how many.
    pub fn purge_runner_items(&self, deadline_before_us: i64) -> Result<u64> {
        self.exec("DELETE FROM runner_items WHERE deadline_us < ?1", &[deadline_before_us.into()])
    }
}
