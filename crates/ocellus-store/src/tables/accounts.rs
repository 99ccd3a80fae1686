//! Table `accounts`: who owns apps and keys.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};

/// An owner of apps and keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The user id that clients write in paths.
    pub id: String,
    /// The same account for clients that want a UUID.
    pub uuid: String,
    /// The name to show.
    pub name: String,
    /// Where to reach the owner.
    pub email: Option<String>,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// Whether everyone may read its apps.
    pub public: bool,
}

const COLUMNS: &str = "id, uuid, name, email, created_at_us, is_public";

fn from_row(row: &mut Row) -> Result<Account, BadColumn> {
    Ok(Account {
        id: row.text()?,
        uuid: row.text()?,
        name: row.text()?,
        email: row.opt_text()?,
        created_at_us: row.int()?,
        public: row.flag()?,
    })
}

impl Tx<'_> {
    /// Adds an account; `Conflict` when the id or the UUID is taken.
    pub fn insert_account(&self, account: &Account) -> Result<()> {
        let row = vec![
            (&account.id).into(),
            (&account.uuid).into(),
            (&account.name).into(),
            (&account.email).into(),
            account.created_at_us.into(),
            Val::flag(account.public),
        ];
        self.insert("accounts", COLUMNS, row)
    }

    /// The account with this user id.
    pub fn account(&self, id: &str) -> Result<Option<Account>> {
        let sql = format!("SELECT {COLUMNS} FROM accounts WHERE id = ?1");
        self.select_one("accounts", &sql, &[id.into()], from_row)
    }

    /// Writes an account's name and address; false when there is none.
    pub fn update_account(&self, account: &Account) -> Result<bool> {
        let sql = "UPDATE accounts SET name = ?2, email = ?3 WHERE id = ?1";
        Ok(self.exec(sql, &[(&account.id).into(), (&account.name).into(), (&account.email).into()])? > 0)
    }

    /// The account with this UUID.
    pub fn account_by_uuid(&self, uuid: &str) -> Result<Option<Account>> {
        let sql = format!("SELECT {COLUMNS} FROM accounts WHERE uuid = ?1");
        self.select_one("accounts", &sql, &[uuid.into()], from_row)
    }

    /// Whether there is any account.
    pub fn has_accounts(&self) -> Result<bool> {
        let sql = "SELECT id FROM accounts LIMIT 1";
        Ok(self.select_one("accounts", sql, &[], |row| row.text())?.is_some())
    }

    /// All accounts, oldest first.
    pub fn accounts(&self) -> Result<Vec<Account>> {
        let sql = format!("SELECT {COLUMNS} FROM accounts ORDER BY created_at_us, id");
        self.select("accounts", &sql, &[], from_row)
    }
}
