//! Table `users`: the people behind accounts, with how they sign in.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::{JsonMap, Result};

/// The person behind an account.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The user id of the account.
    pub account_id: String,
    /// The e-mail address as it was written.
    pub email: String,
    /// When it was shown to be theirs, in microseconds since 1970 UTC.
    pub verified_at_us: Option<i64>,
    /// Hashes of the password and of earlier ones, the newest first; empty where nobody can sign in.
    pub passwords: Vec<String>,
    /// Name, company and what they agreed to.
    pub doc: JsonMap,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str = "account_id, email, verified_at_us, passwords, doc, modified_at_us, email_key";

fn from_row(row: &mut Row) -> Result<User, BadColumn> {
    Ok(User {
        account_id: row.text()?,
        email: row.text()?,
        verified_at_us: row.opt_int()?,
        passwords: row.document()?,
        doc: row.json()?,
        modified_at_us: row.int()?,
    })
}

fn values(user: &User) -> Vec<Val<'_>> {
    vec![
        (&user.account_id).into(),
        (&user.email).into(),
        user.verified_at_us.into(),
        Val::json(&user.passwords),
        Val::json(&user.doc),
        user.modified_at_us.into(),
        user.email.to_lowercase().into(),
    ]
}

impl Tx<'_> {
    /// Adds a person; `Conflict` when the account has one or the address is taken.
    pub fn insert_user(&self, user: &User) -> Result<()> {
        self.insert("users", COLUMNS, values(user))
    }

    /// The person behind an account.
    pub fn user(&self, account_id: &str) -> Result<Option<User>> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE account_id = ?1");
        self.select_one("users", &sql, &[account_id.into()], from_row)
    }

    /// The person with this e-mail address, in any case.
    pub fn user_by_email(&self, email: &str) -> Result<Option<User>> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE email_key = ?1");
        self.select_one("users", &sql, &[email.to_lowercase().into()], from_row)
    }

    /// Writes everything of a person; false when there is none. Whether a new address is free must be
    /// asked before.
    pub fn update_user(&self, user: &User) -> Result<bool> {
        let sql = "UPDATE users SET email = ?2, verified_at_us = ?3, passwords = ?4, doc = ?5, \
                   modified_at_us = ?6, email_key = ?7 WHERE account_id = ?1";
        Ok(self.exec(sql, &values(user))? > 0)
    }

    /// Ends all sessions of an account but one; returns how many.
    pub fn end_sessions(&self, account_id: &str, but_key_id: &str, now_us: i64) -> Result<u64> {
        let sql = "UPDATE access_keys SET revoked_at_us = ?3 WHERE account_id = ?1 AND id <> ?2 \
                   AND kind = 'token' AND app_uid IS NULL AND revoked_at_us IS NULL";
        self.exec(sql, &[account_id.into(), but_key_id.into(), now_us.into()])
    }
}
