//! Table `meta`: facts about this installation, by name.

use crate::Result;
use crate::db::Tx;

impl Tx<'_> {
    /// The value kept under a name.
    pub fn meta(&self, key: &str) -> Result<Option<String>> {
        self.select_one("meta", "SELECT value FROM meta WHERE key = ?1", &[key.into()], |row| row.text())
    }

    /// Sets or replaces the value kept under a name.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        let tail = "ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.insert_many("meta", "key, value", tail, vec![vec![key.into(), value.into()]])?;
        Ok(())
    }
}
