//! Table `annotation_tracks`: things followed through the frames of a video.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::{JsonMap, Result};

/// A track.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotationTrack {
    /// The app.
    pub app_uid: String,
    /// Unique within the app.
    pub id: String,
    /// The video.
    pub input_id: String,
    /// What is followed; empty if not said.
    pub concept_id: String,
    /// Where it stands.
    pub status: String,
    /// The frames from which to which it goes.
    pub doc: JsonMap,
    /// Who made it.
    pub account_id: String,
    /// Account and key of the last change.
    pub modified_by: String,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str = "app_uid, id, input_id, concept_id, status, doc, account_id, modified_by, \
                       created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<AnnotationTrack, BadColumn> {
    Ok(AnnotationTrack {
        app_uid: row.text()?,
        id: row.text()?,
        input_id: row.text()?,
        concept_id: row.text()?,
        status: row.text()?,
        doc: row.json()?,
        account_id: row.text()?,
        modified_by: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds a track; `Conflict` when the app has one with this id.
    pub fn insert_annotation_track(&self, track: &AnnotationTrack) -> Result<()> {
        let row = vec![
            (&track.app_uid).into(),
            (&track.id).into(),
            (&track.input_id).into(),
            (&track.concept_id).into(),
            (&track.status).into(),
            Val::json(&track.doc),
            (&track.account_id).into(),
            (&track.modified_by).into(),
            track.created_at_us.into(),
            track.modified_at_us.into(),
        ];
        self.insert("annotation_tracks", COLUMNS, row)
    }

    /// A track by id.
    pub fn annotation_track(&self, app_uid: &str, id: &str) -> Result<Option<AnnotationTrack>> {
        let sql = format!("SELECT {COLUMNS} FROM annotation_tracks WHERE app_uid = ?1 AND id = ?2");
        self.select_one("annotation_tracks", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// The tracks of an input, oldest first.
    pub fn annotation_tracks_of(
        &self,
        app_uid: &str,
        input_id: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<AnnotationTrack>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM annotation_tracks WHERE app_uid = ?1 AND input_id = ?2 \
             ORDER BY created_at_us, id LIMIT ?3 OFFSET ?4"
        );
        let params = [app_uid.into(), input_id.into(), limit.into(), offset.into()];
        self.select("annotation_tracks", &sql, &params, from_row)
    }

    /// Writes concept, status, document and who changed it; false when there is no such track.
    pub fn update_annotation_track(&self, track: &AnnotationTrack) -> Result<bool> {
        let sql = "UPDATE annotation_tracks SET concept_id = ?3, status = ?4, doc = ?5, modified_by = ?6, \
                   modified_at_us = ?7 WHERE app_uid = ?1 AND id = ?2";
        let params = [
            (&track.app_uid).into(),
            (&track.id).into(),
            (&track.concept_id).into(),
            (&track.status).into(),
            Val::json(&track.doc),
            (&track.modified_by).into(),
            track.modified_at_us.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes tracks, not their annotations; returns how many went.
    pub fn delete_annotation_tracks<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<u64> {
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(ids, 2) {
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let sql = format!("DELETE FROM annotation_tracks WHERE app_uid = ?1 AND id IN ({list})");
            n_deleted += self.exec(&sql, &params)?;
        }
        Ok(n_deleted)
    }
}
