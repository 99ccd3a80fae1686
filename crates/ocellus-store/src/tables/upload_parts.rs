//! Table `upload_parts`: the pieces of an upload that have arrived, each a blob.

use crate::Result;
use crate::db::{BadColumn, Row, Tx};

/// A piece of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPart {
    /// Its first byte's place in the whole.
    pub range_start: i64,
    /// Its length in bytes.
    pub length: i64,
    /// The number that the sender gave it.
    pub part_number: i64,
    /// The key of its bytes in the blob store.
    pub blob: String,
}

fn from_row(row: &mut Row) -> Result<UploadPart, BadColumn> {
    Ok(UploadPart { range_start: row.int()?, length: row.int()?, part_number: row.int()?, blob: row.text()? })
}

impl Tx<'_> {
    /// Keeps a piece in the place of an earlier one that began at the same byte.
    pub fn put_upload_part(&self, app_uid: &str, upload_id: &str, part: &UploadPart) -> Result<()> {
        let columns = "app_uid, upload_id, range_start, length, part_number, blob";
        let tail = "ON CONFLICT (app_uid, upload_id, range_start) DO UPDATE SET length = excluded.length, \
                    part_number = excluded.part_number, blob = excluded.blob";
        let row = vec![
            app_uid.into(),
            upload_id.into(),
            part.range_start.into(),
            part.length.into(),
            part.part_number.into(),
            (&part.blob).into(),
        ];
        self.insert_many("upload_parts", columns, tail, vec![row])?;
        Ok(())
    }

    /// The pieces of an upload that have arrived, in the order of their bytes.
    pub fn upload_parts(&self, app_uid: &str, upload_id: &str) -> Result<Vec<UploadPart>> {
        let sql = "SELECT range_start, length, part_number, blob FROM upload_parts \
                   WHERE app_uid = ?1 AND upload_id = ?2 ORDER BY range_start";
        self.select("upload_parts", sql, &[app_uid.into(), upload_id.into()], from_row)
    }

    /// Forgets the pieces of an upload.
    pub fn delete_upload_parts(&self, app_uid: &str, upload_id: &str) -> Result<u64> {
        let sql = "DELETE FROM upload_parts WHERE app_uid = ?1 AND upload_id = ?2";
        self.exec(sql, &[app_uid.into(), upload_id.into()])
    }
}
