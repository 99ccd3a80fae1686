//! Table `email_codes`: codes sent to e-mail addresses to show whose they are, kept as hashes only.

use crate::Result;
use crate::db::{BadColumn, Row, Tx};

/// A code that was sent; the code itself is not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct EmailCode {
    /// SHA-256 of the code, in hex.
    pub hash: String,
    /// Whose address it is.
    pub account_id: String,
    /// The address, in lower case.
    pub email_key: String,
    /// Until when it can be used, in microseconds since 1970 UTC.
    pub expires_at_us: i64,
}

const COLUMNS: &str = "hash, account_id, email_key, expires_at_us";

fn from_row(row: &mut Row) -> Result<EmailCode, BadColumn> {
    Ok(EmailCode {
        hash: row.text()?,
        account_id: row.text()?,
        email_key: row.text()?,
        expires_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds a code, which replaces the account's earlier ones.
    pub fn put_email_code(&self, code: &EmailCode) -> Result<()> {
        self.exec("DELETE FROM email_codes WHERE account_id = ?1", &[(&code.account_id).into()])?;
        let row = vec![
            (&code.hash).into(),
            (&code.account_id).into(),
            (&code.email_key).into(),
            code.expires_at_us.into(),
        ];
        self.insert("email_codes", COLUMNS, row)
    }

    /// Takes a code out, so that nobody can use it a second time.
    pub fn take_email_code(&self, hash: &str) -> Result<Option<EmailCode>> {
        let sql = format!("SELECT {COLUMNS} FROM email_codes WHERE hash = ?1");
        let code = self.select_one("email_codes", &sql, &[hash.into()], from_row)?;
        self.exec("DELETE FROM email_codes WHERE hash = ?1", &[hash.into()])?;
        Ok(code)
    }

    /// Removes codes that have ended; returns how many.
    pub fn purge_email_codes(&self, now_us: i64) -> Result<u64> {
        self.exec("DELETE FROM email_codes WHERE expires_at_us <= ?1", &[now_us.into()])
    }
}
