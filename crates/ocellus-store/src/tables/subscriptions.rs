//! Table `subscriptions`: the plan that an account has chosen.

use crate::Result;
use crate::db::{BadColumn, Row, Tx};

/// The plan that an account has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Whose it is.
    pub account_id: String,
    /// The plan's name.
    pub plan: String,
    /// The code that was given for it; empty for none.
    pub signup_code: String,
    /// The public id of the key with which it was chosen.
    pub key_id: String,
    /// When it was chosen, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str = "account_id, plan, signup_code, key_id, modified_at_us";

fn from_row(row: &mut Row) -> Result<Subscription, BadColumn> {
    Ok(Subscription {
        account_id: row.text()?,
        plan: row.text()?,
        signup_code: row.text()?,
        key_id: row.text()?,
        modified_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// What an account subscribes to; nothing until it chooses.
    pub fn subscription(&self, account_id: &str) -> Result<Option<Subscription>> {
        let sql = format!("SELECT {COLUMNS} FROM subscriptions WHERE account_id = ?1");
        self.select_one("subscriptions", &sql, &[account_id.into()], from_row)
    }

    /// Writes what an account subscribes to.
    pub fn put_subscription(&self, subscription: &Subscription) -> Result<()> {
        let row = vec![
            (&subscription.account_id).into(),
            (&subscription.plan).into(),
            (&subscription.signup_code).into(),
            (&subscription.key_id).into(),
            subscription.modified_at_us.into(),
        ];
        let tail = "ON CONFLICT (account_id) DO UPDATE SET plan = excluded.plan, \
                    signup_code = excluded.signup_code, key_id = excluded.key_id, \
                    modified_at_us = excluded.modified_at_us";
        self.insert_many("subscriptions", COLUMNS, tail, vec![row])?;
        Ok(())
    }
}
