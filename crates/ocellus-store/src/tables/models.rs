//! Table `models`: the models that an app's users made. Their versions are in `model_versions`.

use std::collections::HashMap;

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::{JsonMap, Result};

/// A model of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The app.
    pub app_uid: String,
    /// Its key within the app; unlike the id it never changes, and it is not used again.
    pub uid: String,
    /// The id that clients use; unique within the app.
    pub id: String,
    /// Its place in the order of creation.
    pub seq: i64,
    /// The name to show.
    pub name: String,
    /// What goes in and what comes out, by the id of a model type.
    pub model_type_id: String,
    /// Everything else that is said of it.
    pub doc: JsonMap,
    /// The account that made it.
    pub account_id: String,
    /// The key that made it.
    pub key_id: String,
    /// The account and key that changed it last.
    pub modified_by: String,
    /// When it was made, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str = "app_uid, uid, id, seq, name, model_type_id, doc, account_id, key_id, modified_by, \
                       created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<Model, BadColumn> {
    Ok(Model {
        app_uid: row.text()?,
        uid: row.text()?,
        id: row.text()?,
        seq: row.int()?,
        name: row.text()?,
        model_type_id: row.text()?,
        doc: row.json()?,
        account_id: row.text()?,
        key_id: row.text()?,
        modified_by: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds a model and returns its place in the order of creation; `model.seq` is not looked at. `Conflict` when the
    /// app has one with this id.
    pub fn insert_model(&self, model: &Model) -> Result<i64> {
        let seq = self.take_numbers(&model.app_uid, "models", 1)?;
        let row = vec![
            (&model.app_uid).into(),
            (&model.uid).into(),
            (&model.id).into(),
            seq.into(),
            (&model.name).into(),
            (&model.model_type_id).into(),
            Val::json(&model.doc),
            (&model.account_id).into(),
            (&model.key_id).into(),
            (&model.modified_by).into(),
            model.created_at_us.into(),
            model.modified_at_us.into(),
        ];
        self.insert("models", COLUMNS, row)?;
        Ok(seq)
    }

    /// A model by id.
    pub fn model(&self, app_uid: &str, id: &str) -> Result<Option<Model>> {
        let sql = format!("SELECT {COLUMNS} FROM models WHERE app_uid = ?1 AND id = ?2");
        self.select_one("models", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// A model by uid.
    pub fn model_by_uid(&self, app_uid: &str, uid: &str) -> Result<Option<Model>> {
        let sql = format!("SELECT {COLUMNS} FROM models WHERE app_uid = ?1 AND uid = ?2");
        self.select_one("models", &sql, &[app_uid.into(), uid.into()], from_row)
    }

    /// The models with these ids, in the order of the ids; missing ones are left out.
    pub fn models_by_ids<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<Vec<Model>> {
        let mut found = HashMap::new();
        for (list, vals) in id_chunks(ids, 2) {
            let sql = format!("SELECT {COLUMNS} FROM models WHERE app_uid = ?1 AND id IN ({list})");
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let models = self.select("models", &sql, &params, from_row)?;
            found.extend(models.into_iter().map(|model| (model.id.clone(), model)));
        }
        Ok(ids.iter().filter_map(|id| found.get(id.as_ref()).cloned()).collect())
    }

    /// An app's models in the order of creation, after a place in it (0 for the start).
    pub fn models_page(&self, app_uid: &str, after_seq: i64, limit: i64) -> Result<Vec<Model>> {
        let sql =
            format!("SELECT {COLUMNS} FROM models WHERE app_uid = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
        self.select("models", &sql, &[app_uid.into(), after_seq.into(), limit.into()], from_row)
    }

    /// How many models an app has.
    pub fn count_models(&self, app_uid: &str) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM models WHERE app_uid = ?1";
        Ok(self.select_one("models", sql, &[app_uid.into()], |row| row.int())?.unwrap_or(0))
    }

    /// Writes the id, name, type and document of a model; false when there is none with this uid. `Conflict` when
    /// another one has the id.
    pub fn update_model(&self, model: &Model) -> Result<bool> {
        // Tested beforehand: a violated index would end the whole transaction on PostgreSQL.
        if self.model(&model.app_uid, &model.id)?.is_some_and(|other| other.uid != model.uid) {
            return Err(crate::Error::Conflict("models".to_owned()));
        }
        let sql = "UPDATE models SET id = ?3, name = ?4, model_type_id = ?5, doc = ?6, modified_by = ?7, \
                   modified_at_us = ?8 WHERE app_uid = ?1 AND uid = ?2";
        let params = [
            (&model.app_uid).into(),
            (&model.uid).into(),
            (&model.id).into(),
            (&model.name).into(),
            (&model.model_type_id).into(),
            Val::json(&model.doc),
            (&model.modified_by).into(),
            model.modified_at_us.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes models, by uid, with their versions; returns how many models went.
    pub fn delete_models<S: AsRef<str>>(&self, app_uid: &str, uids: &[S]) -> Result<u64> {
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(uids, 2) {
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let versions = format!("DELETE FROM model_versions WHERE app_uid = ?1 AND model_uid IN ({list})");
            self.exec(&versions, &params)?;
            let blobs = format!("DELETE FROM model_blobs WHERE app_uid = ?1 AND model_uid IN ({list})");
            self.exec(&blobs, &params)?;
            let models = format!("DELETE FROM models WHERE app_uid = ?1 AND uid IN ({list})");
            n_deleted += self.exec(&models, &params)?;
        }
        Ok(n_deleted)
    }
}
