//! Table `dataset_items`: what was in a dataset when a version of it was made. Rows are written once.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::{JsonMap, Result};

/// An input as it was when a version was made.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetItem {
    /// The app.
    pub app_uid: String,
    /// The version's internal id.
    pub version_uid: String,
    /// The input.
    pub input_id: String,
    /// Its place in the version, from 1.
    pub seq: i64,
    /// SHA-256 in hex of what the input shows.
    pub content: String,
    /// SHA-256 in hex of what was said about it.
    pub labels: String,
    /// The input's bytes, which are kept as long as this row.
    pub blob: Option<String>,
    /// The input with everything that was said about it.
    pub doc: JsonMap,
}

/// An input that differs between two versions.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetItemDiff {
    /// The input.
    pub input_id: String,
    /// 0 added, 1 removed, 2 changed.
    pub change: i64,
}

const COLUMNS: &str = "app_uid, version_uid, input_id, seq, content, labels, blob, doc";

fn from_row(row: &mut Row) -> Result<DatasetItem, BadColumn> {
    Ok(DatasetItem {
        app_uid: row.text()?,
        version_uid: row.text()?,
        input_id: row.text()?,
        seq: row.int()?,
        content: row.text()?,
        labels: row.text()?,
        blob: row.opt_text()?,
        doc: row.json()?,
    })
}

/// What is in `b` and not in `a`, what is in `a` and not in `b`, and what differs. ?1 is the app, ?2 `a`, ?3 `b`.
const ADDED: &str = "FROM dataset_items y WHERE y.app_uid = ?1 AND y.version_uid = ?3 AND NOT EXISTS \
                     (SELECT 1 FROM dataset_items x WHERE x.app_uid = ?1 AND x.version_uid = ?2 \
                      AND x.input_id = y.input_id)";
const REMOVED: &str = "FROM dataset_items y WHERE y.app_uid = ?1 AND y.version_uid = ?2 AND NOT EXISTS \
                       (SELECT 1 FROM dataset_items x WHERE x.app_uid = ?1 AND x.version_uid = ?3 \
                        AND x.input_id = y.input_id)";
const CHANGED: &str = "FROM dataset_items y JOIN dataset_items x ON x.app_uid = y.app_uid \
                       AND x.version_uid = ?2 AND x.input_id = y.input_id \
                       WHERE y.app_uid = ?1 AND y.version_uid = ?3 \
                       AND (x.content <> y.content OR x.labels <> y.labels)";

impl Tx<'_> {
    /// Writes rows of a version that is being made.
    pub fn put_dataset_items(&self, rows: &[DatasetItem]) -> Result<()> {
        let rows = rows.iter().map(|row| {
            vec![
                (&row.app_uid).into(),
                (&row.version_uid).into(),
                (&row.input_id).into(),
                row.seq.into(),
                (&row.content).into(),
                (&row.labels).into(),
                (&row.blob).into(),
                Val::json(&row.doc),
            ]
        });
        let tail = "ON CONFLICT DO NOTHING";
        self.insert_many("dataset_items", COLUMNS, tail, rows.collect())?;
        Ok(())
    }

    /// A version's rows after a place (0 for the start).
    pub fn dataset_items_page(
        &self,
        app_uid: &str,
        version_uid: &str,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<DatasetItem>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM dataset_items WHERE app_uid = ?1 AND version_uid = ?2 AND seq > ?3 \
             ORDER BY seq LIMIT ?4"
        );
        let params = [app_uid.into(), version_uid.into(), after_seq.into(), limit.into()];
        self.select("dataset_items", &sql, &params, from_row)
    }

    /// One row of a version.
    pub fn dataset_item(
        &self,
        app_uid: &str,
        version_uid: &str,
        input_id: &str,
    ) -> Result<Option<DatasetItem>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM dataset_items \
             WHERE app_uid = ?1 AND version_uid = ?2 AND input_id = ?3"
        );
        let params = [app_uid.into(), version_uid.into(), input_id.into()];
        self.select_one("dataset_items", &sql, &params, from_row)
    }

    /// How many inputs version `b` has and `a` has not, the other way round, and how many differ.
    pub fn count_dataset_diff(&self, app_uid: &str, a: &str, b: &str) -> Result<[i64; 3]> {
        let mut counts = [0; 3];
        for (count, test) in counts.iter_mut().zip([ADDED, REMOVED, CHANGED]) {
            let sql = format!("SELECT COUNT(*) {test}");
            let params = [app_uid.into(), a.into(), b.into()];
            *count = self.select_one("dataset_items", &sql, &params, |row| row.int())?.unwrap_or(0);
        }
        Ok(counts)
    }

    /// The inputs that differ: those added first, then those removed, then those changed, each in their order.
    pub fn dataset_diff_page(
        &self,
        app_uid: &str,
        (a, b): (&str, &str),
        limit: i64,
        offset: i64,
    ) -> Result<Vec<DatasetItemDiff>> {
        let part = |number: i64, test: &str| {
            format!("SELECT CAST({number} AS BIGINT) AS part, y.seq AS place, y.input_id AS id {test}")
        };
        let sql = format!(
            "SELECT id, part FROM ({} UNION ALL {} UNION ALL {}) AS parts \
             ORDER BY part, place LIMIT ?4 OFFSET ?5",
            part(0, ADDED),
            part(1, REMOVED),
            part(2, CHANGED)
        );
        let params = [app_uid.into(), a.into(), b.into(), limit.into(), offset.into()];
        self.select("dataset_items", &sql, &params, |row| {
            Ok(DatasetItemDiff { input_id: row.text()?, change: row.int()? })
        })
    }

    /// Removes up to `limit` rows of a version that was deleted or is made anew; returns how many went.
    pub fn purge_dataset_items(&self, app_uid: &str, version_uid: &str, limit: i64) -> Result<u64> {
        let sql = "DELETE FROM dataset_items WHERE app_uid = ?1 AND version_uid = ?2 AND input_id IN \
                   (SELECT input_id FROM dataset_items WHERE app_uid = ?1 AND version_uid = ?2 LIMIT ?3)";
        self.exec(sql, &[app_uid.into(), version_uid.into(), limit.into()])
    }
}
