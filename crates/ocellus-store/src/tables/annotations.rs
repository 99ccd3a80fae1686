//! Table `annotations`: what people or models have said about inputs, beyond single labels.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::{JsonMap, Result};

/// An annotation of an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// The app.
    pub app_uid: String,
    /// Unique within the app.
    pub id: String,
    /// The input.
    pub input_id: String,
    /// Who made it.
    pub account_id: String,
    /// The model version that made it; empty for a person.
    pub model_version_id: String,
    /// Where it stands in review.
    pub status: String,
    /// Regions, concepts and whatever else it holds.
    pub doc: JsonMap,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str = "app_uid, id, input_id, account_id, model_version_id, status, doc, \
                       created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<Annotation, BadColumn> {
    Ok(Annotation {
        app_uid: row.text()?,
        id: row.text()?,
        input_id: row.text()?,
        account_id: row.text()?,
        model_version_id: row.text()?,
        status: row.text()?,
        doc: row.json()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

fn to_row(annotation: &Annotation) -> Vec<Val<'_>> {
    vec![
        (&annotation.app_uid).into(),
        (&annotation.id).into(),
        (&annotation.input_id).into(),
        (&annotation.account_id).into(),
        (&annotation.model_version_id).into(),
        (&annotation.status).into(),
        Val::json(&annotation.doc),
        annotation.created_at_us.into(),
        annotation.modified_at_us.into(),
    ]
}

impl Tx<'_> {
    /// Adds an annotation; `Conflict` when the app has one with this id.
    pub fn insert_annotation(&self, annotation: &Annotation) -> Result<()> {
        self.insert("annotations", COLUMNS, to_row(annotation))
    }

    /// An annotation by id.
    pub fn annotation(&self, app_uid: &str, id: &str) -> Result<Option<Annotation>> {
        let sql = format!("SELECT {COLUMNS} FROM annotations WHERE app_uid = ?1 AND id = ?2");
        self.select_one("annotations", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// The annotations of these inputs, those of one input oldest first.
    pub fn annotations_of_inputs<S: AsRef<str>>(
        &self,
        app_uid: &str,
        input_ids: &[S],
    ) -> Result<Vec<Annotation>> {
        let mut annotations = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM annotations WHERE app_uid = ?1 AND input_id IN ({list}) \
                 ORDER BY input_id, created_at_us, id"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            annotations.extend(self.select("annotations", &sql, &params, from_row)?);
        }
        Ok(annotations)
    }

    /// The app's annotations, oldest first.
    pub fn annotations_page(&self, app_uid: &str, limit: i64, offset: i64) -> Result<Vec<Annotation>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM annotations WHERE app_uid = ?1 \
             ORDER BY created_at_us, id LIMIT ?2 OFFSET ?3"
        );
        self.select("annotations", &sql, &[app_uid.into(), limit.into(), offset.into()], from_row)
    }

    /// Writes the status and document; false when there is no such annotation.
    pub fn update_annotation(&self, annotation: &Annotation) -> Result<bool> {
        let sql = "UPDATE annotations SET status = ?3, doc = ?4, modified_at_us = ?5 \
                   WHERE app_uid = ?1 AND id = ?2";
        let params = [
            (&annotation.app_uid).into(),
            (&annotation.id).into(),
            (&annotation.status).into(),
            Val::json(&annotation.doc),
            annotation.modified_at_us.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes annotations and their labels; returns how many annotations went.
    pub fn delete_annotations<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<u64> {
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(ids, 2) {
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let labels = format!("DELETE FROM labels WHERE app_uid = ?1 AND annotation_id IN ({list})");
            self.exec(&labels, &params)?;
            let annotations = format!("DELETE FROM annotations WHERE app_uid = ?1 AND id IN ({list})");
            n_deleted += self.exec(&annotations, &params)?;
        }
        Ok(n_deleted)
    }
}
