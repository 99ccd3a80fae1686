//! Table `access_keys`: the secrets that callers identify themselves with, kept as hashes only.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};

/// A key, token or client credential; the secret itself is not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The public id: the first 16 hex digits of `hash`.
    pub id: String,
    /// SHA-256 of the secret, in hex; unique.
    pub hash: String,
    /// `api_key`, `pat`, `client` or `token`.
    pub kind: String,
    /// The owner.
    pub account_id: String,
    /// The only app that the key opens, if it is bound to one.
    pub app_uid: Option<String>,
    /// The owner's words.
    pub description: String,
    /// The scopes by number.
    pub scopes: Vec<u16>,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it ends by itself, in microseconds since 1970 UTC.
    pub expires_at_us: Option<i64>,
    /// When it was revoked, in microseconds since 1970 UTC.
    pub revoked_at_us: Option<i64>,
}

const COLUMNS: &str = "id, hash, kind, account_id, app_uid, description, scopes, created_at_us, \
                       expires_at_us, revoked_at_us";

fn from_row(row: &mut Row) -> Result<Key, BadColumn> {
    Ok(Key {
        id: row.text()?,
        hash: row.text()?,
        kind: row.text()?,
        account_id: row.text()?,
        app_uid: row.opt_text()?,
        description: row.text()?,
        scopes: row.document()?,
        created_at_us: row.int()?,
        expires_at_us: row.opt_int()?,
        revoked_at_us: row.opt_int()?,
    })
}

impl Tx<'_> {
    /// Adds a key; `Conflict` when its id or hash is taken.
    pub fn insert_key(&self, key: &Key) -> Result<()> {
        let row = vec![
            (&key.id).into(),
            (&key.hash).into(),
            (&key.kind).into(),
            (&key.account_id).into(),
            (&key.app_uid).into(),
            (&key.description).into(),
            Val::json(&key.scopes),
            key.created_at_us.into(),
            key.expires_at_us.into(),
            key.revoked_at_us.into(),
        ];
        self.insert("access_keys", COLUMNS, row)
    }

    /// The key with this hash, be it valid, expired or revoked.
    pub fn key_by_hash(&self, hash: &str) -> Result<Option<Key>> {
        let sql = format!("SELECT {COLUMNS} FROM access_keys WHERE hash = ?1");
        self.select_one("access_keys", &sql, &[hash.into()], from_row)
    }

    /// An account's key by its public id, be it valid, expired or revoked.
    pub fn key(&self, account_id: &str, id: &str) -> Result<Option<Key>> {
        let sql = format!("SELECT {COLUMNS} FROM access_keys WHERE id = ?2 AND account_id = ?1");
        self.select_one("access_keys", &sql, &[account_id.into(), id.into()], from_row)
    }

    /// An account's keys that are not revoked, oldest first.
    pub fn keys_of(&self, account_id: &str, limit: i64, offset: i64) -> Result<Vec<Key>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM access_keys WHERE account_id = ?1 AND revoked_at_us IS NULL \
             ORDER BY created_at_us, id LIMIT ?2 OFFSET ?3"
        );
        self.select("access_keys", &sql, &[account_id.into(), limit.into(), offset.into()], from_row)
    }

    /// Writes the description, scopes, app and expiry of a key that is not revoked; false when there
    /// is none.
    pub fn update_key(&self, key: &Key) -> Result<bool> {
        let sql = "UPDATE access_keys SET description = ?3, scopes = ?4, app_uid = ?5, expires_at_us = ?6 \
                   WHERE id = ?2 AND account_id = ?1 AND revoked_at_us IS NULL";
        let params = [
            (&key.account_id).into(),
            (&key.id).into(),
            (&key.description).into(),
            Val::json(&key.scopes),
            (&key.app_uid).into(),
            key.expires_at_us.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Ends a key for good; false when there is none or it was revoked before.
    pub fn revoke_key(&self, account_id: &str, id: &str, now_us: i64) -> Result<bool> {
        let sql = "UPDATE access_keys SET revoked_at_us = ?3 \
                   WHERE id = ?2 AND account_id = ?1 AND revoked_at_us IS NULL";
        Ok(self.exec(sql, &[account_id.into(), id.into(), now_us.into()])? > 0)
    }

    /// Removes tokens that have ended by themselves; returns how many.
    pub fn purge_expired_tokens(&self, now_us: i64) -> Result<u64> {
        let sql = "DELETE FROM access_keys WHERE kind = 'token' AND expires_at_us <= ?1";
        self.exec(sql, &[now_us.into()])
    }

    /// Ends all keys bound to an app; returns how many.
    pub fn revoke_keys_of_app(&self, app_uid: &str, now_us: i64) -> Result<u64> {
        let sql = "UPDATE access_keys SET revoked_at_us = ?2 WHERE app_uid = ?1 AND revoked_at_us IS NULL";
        self.exec(sql, &[app_uid.into(), now_us.into()])
    }
}
