//! Table `dataset_exports`: archives made of versions of datasets, one for each format.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::{JsonMap, Result};

/// An archive that was made, or is being made.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetExport {
    /// The app.
    pub app_uid: String,
    /// The version's internal id.
    pub version_uid: String,
    /// The format's name.
    pub format: String,
    /// 0 pending, 1 running, 2 ready, 3 failed.
    pub state: i64,
    /// The attempt at making it: what another attempt has to say no longer counts.
    pub run: String,
    /// The archive, once ready.
    pub blob: Option<String>,
    /// Its size.
    pub size_bytes: i64,
    /// How many inputs it will hold.
    pub n_items: i64,
    /// How many are written.
    pub n_done: i64,
    /// Why it failed.
    pub error: String,
    /// What it was asked for with, and what the format could not hold.
    pub doc: JsonMap,
    /// Who asked for it.
    pub account_id: String,
    /// The public id of the key with which it was asked for.
    pub key_id: String,
    /// When it was asked for, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str = "app_uid, version_uid, format, state, run, blob, size_bytes, n_items, n_done, error, doc, \
                       account_id, key_id, created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<DatasetExport, BadColumn> {
    Ok(DatasetExport {
        app_uid: row.text()?,
        version_uid: row.text()?,
        format: row.text()?,
        state: row.int()?,
        run: row.text()?,
        blob: row.opt_text()?,
        size_bytes: row.int()?,
        n_items: row.int()?,
        n_done: row.int()?,
        error: row.text()?,
        doc: row.json()?,
        account_id: row.text()?,
        key_id: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Writes an export, in place of an earlier one of the same version and format.
    pub fn put_dataset_export(&self, export: &DatasetExport) -> Result<()> {
        let row = vec![
            (&export.app_uid).into(),
            (&export.version_uid).into(),
            (&export.format).into(),
            export.state.into(),
            (&export.run).into(),
            (&export.blob).into(),
            export.size_bytes.into(),
            export.n_items.into(),
            export.n_done.into(),
            (&export.error).into(),
            Val::json(&export.doc),
            (&export.account_id).into(),
            (&export.key_id).into(),
            export.created_at_us.into(),
            export.modified_at_us.into(),
        ];
        let tail = "ON CONFLICT (app_uid, version_uid, format) DO UPDATE SET state = excluded.state, \
                    run = excluded.run, blob = excluded.blob, size_bytes = excluded.size_bytes, \
                    n_items = excluded.n_items, n_done = excluded.n_done, error = excluded.error, \
                    doc = excluded.doc, account_id = excluded.account_id, key_id = excluded.key_id, \
                    created_at_us = excluded.created_at_us, modified_at_us = excluded.modified_at_us";
        self.insert_many("dataset_exports", COLUMNS, tail, vec![row])?;
        Ok(())
    }

    /// The exports of a version, by format.
    pub fn dataset_exports(&self, app_uid: &str, version_uid: &str) -> Result<Vec<DatasetExport>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM dataset_exports WHERE app_uid = ?1 AND version_uid = ?2 ORDER BY format"
        );
        self.select("dataset_exports", &sql, &[app_uid.into(), version_uid.into()], from_row)
    }

    /// Writes how far an export has got; false when it has ended, another attempt has taken its place, or it is gone.
    pub fn set_dataset_export_progress(
        &self,
        (app_uid, version_uid, format, run): (&str, &str, &str, &str),
        n_done: i64,
        now_us: i64,
    ) -> Result<bool> {
        let sql = "UPDATE dataset_exports SET state = 1, n_done = ?5, modified_at_us = ?6 \
                   WHERE app_uid = ?1 AND version_uid = ?2 AND format = ?3 AND run = ?4 AND state < 2";
        let params =
            [app_uid.into(), version_uid.into(), format.into(), run.into(), n_done.into(), now_us.into()];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes the exports of a version with their chunks; the blobs of both are then in nobody's use. Returns how many
    /// exports went.
    pub fn delete_dataset_exports(&self, app_uid: &str, version_uid: &str) -> Result<u64> {
        let sql = "DELETE FROM dataset_export_chunks WHERE app_uid = ?1 AND version_uid = ?2";
        self.exec(sql, &[app_uid.into(), version_uid.into()])?;
        let sql = "DELETE FROM dataset_exports WHERE app_uid = ?1 AND version_uid = ?2";
        self.exec(sql, &[app_uid.into(), version_uid.into()])
    }
}
