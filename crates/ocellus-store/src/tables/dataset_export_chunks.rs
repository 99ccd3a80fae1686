//! Table `dataset_export_chunks`: the finished chunks of archives of datasets that are not finished themselves.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::{JsonMap, Result};

/// A finished part of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetExportChunk {
    /// Its place among the chunks of the archive, from 0.
    pub idx: i64,
    /// The last of the version's inputs that is in it.
    pub last_seq: i64,
    /// The key of its bytes.
    pub blob: String,
    /// How many there are.
    pub size_bytes: i64,
    /// The files in it.
    pub doc: JsonMap,
}

fn from_row(row: &mut Row) -> Result<DatasetExportChunk, BadColumn> {
    Ok(DatasetExportChunk {
        idx: row.int()?,
        last_seq: row.int()?,
        blob: row.text()?,
        size_bytes: row.int()?,
        doc: row.json()?,
    })
}

impl Tx<'_> {
    /// Keeps a chunk of the attempt `run` at an archive, in place of an earlier one with the same number.
    pub fn put_dataset_export_chunk(
        &self,
        (app_uid, version_uid, format, run): (&str, &str, &str, &str),
        chunk: &DatasetExportChunk,
    ) -> Result<()> {
        let columns = "app_uid, version_uid, format, run, idx, last_seq, blob, size_bytes, doc";
        let tail = "ON CONFLICT (app_uid, version_uid, format, run, idx) DO UPDATE SET \
                    last_seq = excluded.last_seq, blob = excluded.blob, size_bytes = excluded.size_bytes, \
                    doc = excluded.doc";
        let row = vec![
            app_uid.into(),
            version_uid.into(),
            format.into(),
            run.into(),
            chunk.idx.into(),
            chunk.last_seq.into(),
            (&chunk.blob).into(),
            chunk.size_bytes.into(),
            Val::json(&chunk.doc),
        ];
        self.insert_many("dataset_export_chunks", columns, tail, vec![row])?;
        Ok(())
    }

    /// Up to `limit` chunks of an attempt from number `from` on, in order.
    pub fn dataset_export_chunks(
        &self,
        (app_uid, version_uid, format, run): (&str, &str, &str, &str),
        from: i64,
        limit: i64,
    ) -> Result<Vec<DatasetExportChunk>> {
        let sql = "SELECT idx, last_seq, blob, size_bytes, doc FROM dataset_export_chunks \
                   WHERE app_uid = ?1 AND version_uid = ?2 AND format = ?3 AND run = ?4 AND idx >= ?5 \
                   ORDER BY idx LIMIT ?6";
        let params =
            [app_uid.into(), version_uid.into(), format.into(), run.into(), from.into(), limit.into()];
        self.select("dataset_export_chunks", sql, &params, from_row)
    }

    /// Forgets the chunks of an attempt; returns the keys of their bytes, which are then in nobody's use.
    pub fn delete_dataset_export_chunks(
        &self,
        (app_uid, version_uid, format, run): (&str, &str, &str, &str),
    ) -> Result<Vec<String>> {
        let of_run = "FROM dataset_export_chunks \
                      WHERE app_uid = ?1 AND version_uid = ?2 AND format = ?3 AND run = ?4";
        let params = [app_uid.into(), version_uid.into(), format.into(), run.into()];
        let sql = format!("SELECT blob {of_run}");
        let blobs = self.select("dataset_export_chunks", &sql, &params, |row| row.text())?;
        self.exec(&format!("DELETE {of_run}"), &params)?;
        Ok(blobs)
    }
}
