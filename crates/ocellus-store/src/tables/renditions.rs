//! Table `renditions`: pictures made from an input's bytes when somebody first asked for them.

use crate::Result;
use crate::db::Tx;
use crate::page::id_chunks;

/// A picture made from an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// The app.
    pub app_uid: String,
    /// The input.
    pub input_id: String,
    /// Which size.
    pub size: String,
    /// The blob that it was made from.
    pub source: String,
    /// The key of its bytes in the blob store.
    pub blob: String,
    /// When it was made, in microseconds since 1970 UTC.
    pub created_at_us: i64,
}

impl Tx<'_> {
    /// Keeps a rendition in the place of an earlier one of the same input and size.
    pub fn put_rendition(&self, made: &Rendition) -> Result<()> {
        let columns = "app_uid, input_id, size, source, blob, created_at_us";
        let tail = "ON CONFLICT (app_uid, input_id, size) DO UPDATE SET source = excluded.source, \
                    blob = excluded.blob, created_at_us = excluded.created_at_us";
        let row = vec![
            (&made.app_uid).into(),
            (&made.input_id).into(),
            (&made.size).into(),
            (&made.source).into(),
            (&made.blob).into(),
            made.created_at_us.into(),
        ];
        self.insert_many("renditions", columns, tail, vec![row])?;
        Ok(())
    }

    /// The blob of an input's rendition, if it was made from this source.
    pub fn rendition_blob(
        &self,
        app_uid: &str,
        input_id: &str,
        size: &str,
        source: &str,
    ) -> Result<Option<String>> {
        let sql =
            "SELECT blob FROM renditions WHERE app_uid = ?1 AND input_id = ?2 AND size = ?3 AND source = ?4";
        let params = [app_uid.into(), input_id.into(), size.into(), source.into()];
        self.select_one("renditions", sql, &params, |row| row.text())
    }

    /// The blobs of all renditions of these inputs.
    pub fn rendition_blobs<S: AsRef<str>>(&self, app_uid: &str, input_ids: &[S]) -> Result<Vec<String>> {
        let mut blobs = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!("SELECT blob FROM renditions WHERE app_uid = ?1 AND input_id IN ({list})");
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            blobs.extend(self.select("renditions", &sql, &params, |row| row.text())?);
        }
        Ok(blobs)
    }

    /// Whether anything of any app still needs this blob.
    pub fn blob_in_use(&self, hash: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM inputs WHERE blob = ?1 UNION ALL SELECT 1 FROM inputs WHERE thumb = ?1 \
                   UNION ALL SELECT 1 FROM dataset_items WHERE blob = ?1 \
                   UNION ALL SELECT 1 FROM dataset_exports WHERE blob = ?1 \
                   UNION ALL SELECT 1 FROM dataset_export_chunks WHERE blob = ?1 \
                   UNION ALL SELECT 1 FROM renditions WHERE blob = ?1 \
                   UNION ALL SELECT 1 FROM model_blobs WHERE blob = ?1 \
                   UNION ALL SELECT 1 FROM resources WHERE blob = ?1 \
                   UNION ALL SELECT 1 FROM upload_parts WHERE blob = ?1 LIMIT 1";
        // PostgreSQL reads a bare 1 as a 4-byte integer; the row's presence is all that matters.
        Ok(!self.select("inputs", sql, &[hash.into()], |_| Ok(()))?.is_empty())
    }
}
