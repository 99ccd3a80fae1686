//! Table `collaborators`: accounts that may work on an app of another account.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};

/// An account that may work on an app of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Collaborator {
    /// The app.
    pub app_uid: String,
    /// Unique within the app.
    pub id: String,
    /// Who may work on it.
    pub account_id: String,
    /// What they may do, by number.
    pub scopes: Vec<u16>,
    /// Account and key of the last change, as `account/key`.
    pub modified_by: String,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str = "app_uid, id, account_id, scopes, modified_by, created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<Collaborator, BadColumn> {
    Ok(Collaborator {
        app_uid: row.text()?,
        id: row.text()?,
        account_id: row.text()?,
        scopes: row.document()?,
        modified_by: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds a collaborator; `Conflict` when the account works on the app already.
    pub fn insert_collaborator(&self, collaborator: &Collaborator) -> Result<()> {
        let row = vec![
            (&collaborator.app_uid).into(),
            (&collaborator.id).into(),
            (&collaborator.account_id).into(),
            Val::json(&collaborator.scopes),
            (&collaborator.modified_by).into(),
            collaborator.created_at_us.into(),
            collaborator.modified_at_us.into(),
        ];
        self.insert("collaborators", COLUMNS, row)
    }

    /// An app's collaborator by id.
    pub fn collaborator(&self, app_uid: &str, id: &str) -> Result<Option<Collaborator>> {
        let sql = format!("SELECT {COLUMNS} FROM collaborators WHERE app_uid = ?1 AND id = ?2");
        self.select_one("collaborators", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// The collaborator that an account is on an app.
    pub fn collaborator_of(&self, app_uid: &str, account_id: &str) -> Result<Option<Collaborator>> {
        let sql = format!("SELECT {COLUMNS} FROM collaborators WHERE account_id = ?2 AND app_uid = ?1");
        self.select_one("collaborators", &sql, &[app_uid.into(), account_id.into()], from_row)
    }

    /// An app's collaborators, oldest first.
    pub fn collaborators_page(&self, app_uid: &str, limit: i64, offset: i64) -> Result<Vec<Collaborator>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM collaborators WHERE app_uid = ?1 \
             ORDER BY created_at_us, id LIMIT ?2 OFFSET ?3"
        );
        self.select("collaborators", &sql, &[app_uid.into(), limit.into(), offset.into()], from_row)
    }

    /// Everything that an account collaborates on, by app.
    pub fn collaborations_page(
        &self,
        account_id: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Collaborator>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM collaborators WHERE account_id = ?1 ORDER BY app_uid LIMIT ?2 OFFSET ?3"
        );
        self.select("collaborators", &sql, &[account_id.into(), limit.into(), offset.into()], from_row)
    }

    /// Writes a collaborator's scopes; false when there is none.
    pub fn update_collaborator(&self, collaborator: &Collaborator) -> Result<bool> {
        let sql = "UPDATE collaborators SET scopes = ?3, modified_by = ?4, modified_at_us = ?5 \
                   WHERE app_uid = ?1 AND id = ?2";
        let params = [
            (&collaborator.app_uid).into(),
            (&collaborator.id).into(),
            Val::json(&collaborator.scopes),
            (&collaborator.modified_by).into(),
            collaborator.modified_at_us.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes a collaborator; false when there is none.
    pub fn delete_collaborator(&self, app_uid: &str, id: &str) -> Result<bool> {
        let sql = "DELETE FROM collaborators WHERE app_uid = ?1 AND id = ?2";
        Ok(self.exec(sql, &[app_uid.into(), id.into()])? > 0)
    }
}
