//! Table `model_versions`: what became of each training of a model, the first version being the untrained one.

use std::collections::HashMap;

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::{JsonMap, Result};

/// A version of an app's model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelVersion {
    /// The app.
    pub app_uid: String,
    /// The model, by its uid.
    pub model_uid: String,
    /// Unique within the model.
    pub id: String,
    /// Its place in the order of creation among the app's versions.
    pub seq: i64,
    /// How far it has got, by the name that the core gives to it.
    pub state: String,
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
    /// When it was ready, in microseconds since 1970 UTC.
    pub completed_at_us: Option<i64>,
}

const COLUMNS: &str = "app_uid, model_uid, id, seq, state, doc, account_id, key_id, modified_by, created_at_us, \
                       modified_at_us, completed_at_us";

fn from_row(row: &mut Row) -> Result<ModelVersion, BadColumn> {
    Ok(ModelVersion {
        app_uid: row.text()?,
        model_uid: row.text()?,
        id: row.text()?,
        seq: row.int()?,
        state: row.text()?,
        doc: row.json()?,
        account_id: row.text()?,
        key_id: row.text()?,
        modified_by: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
        completed_at_us: row.opt_int()?,
    })
}

impl Tx<'_> {
    /// Adds a version and returns its place in the order of creation; `version.seq` is not looked at. `Conflict` when
    /// the model has one with this id.
    pub fn insert_model_version(&self, version: &ModelVersion) -> Result<i64> {
        let seq = self.take_numbers(&version.app_uid, "model_versions", 1)?;
        let row = vec![
            (&version.app_uid).into(),
            (&version.model_uid).into(),
            (&version.id).into(),
            seq.into(),
            (&version.state).into(),
            Val::json(&version.doc),
            (&version.account_id).into(),
            (&version.key_id).into(),
            (&version.modified_by).into(),
            version.created_at_us.into(),
            version.modified_at_us.into(),
            version.completed_at_us.into(),
        ];
        self.insert("model_versions", COLUMNS, row)?;
        Ok(seq)
    }

    /// A version by id.
    pub fn model_version(&self, app_uid: &str, model_uid: &str, id: &str) -> Result<Option<ModelVersion>> {
        let sql =
            format!("SELECT {COLUMNS} FROM model_versions WHERE app_uid = ?1 AND model_uid = ?2 AND id = ?3");
        self.select_one("model_versions", &sql, &[app_uid.into(), model_uid.into(), id.into()], from_row)
    }

    /// The versions of an app's models with this id, in the order of creation.
    pub fn model_versions_by_id(&self, app_uid: &str, id: &str) -> Result<Vec<ModelVersion>> {
        let sql = format!("SELECT {COLUMNS} FROM model_versions WHERE app_uid = ?1 AND id = ?2 ORDER BY seq");
        self.select("model_versions", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// A model's versions, the newest first, before a place in the order of creation (`i64::MAX` for the start).
    pub fn model_versions_page(
        &self,
        app_uid: &str,
        model_uid: &str,
        before_seq: i64,
        limit: i64,
    ) -> Result<Vec<ModelVersion>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM model_versions WHERE app_uid = ?1 AND model_uid = ?2 AND seq < ?3 \
             ORDER BY seq DESC LIMIT ?4"
        );
        let params = [app_uid.into(), model_uid.into(), before_seq.into(), limit.into()];
        self.select("model_versions", &sql, &params, from_row)
    }

    /// The newest version of each of these models, by the model's uid.
    pub fn newest_model_versions<S: AsRef<str>>(
        &self,
        app_uid: &str,
        model_uids: &[S],
    ) -> Result<HashMap<String, ModelVersion>> {
        let mut found = HashMap::new();
        for (list, vals) in id_chunks(model_uids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM model_versions WHERE app_uid = ?1 AND seq IN \
                 (SELECT MAX(seq) FROM model_versions WHERE app_uid = ?1 AND model_uid IN ({list}) \
                 GROUP BY model_uid)"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let versions = self.select("model_versions", &sql, &params, from_row)?;
            found.extend(versions.into_iter().map(|version| (version.model_uid.clone(), version)));
        }
        Ok(found)
    }

    /// How many versions each of these models has, by the model's uid.
    pub fn count_model_versions<S: AsRef<str>>(
        &self,
        app_uid: &str,
        model_uids: &[S],
    ) -> Result<HashMap<String, i64>> {
        let mut found = HashMap::new();
        for (list, vals) in id_chunks(model_uids, 2) {
            let sql = format!(
                "SELECT model_uid, COUNT(*) FROM model_versions WHERE app_uid = ?1 AND model_uid IN ({list}) \
                 GROUP BY model_uid"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            found.extend(self.select("model_versions", &sql, &params, |row| Ok((row.text()?, row.int()?)))?);
        }
        Ok(found)
    }

    /// Writes the state, document and time of completion of a version; false when there is no such version.
    pub fn update_model_version(&self, version: &ModelVersion) -> Result<bool> {
        let sql = "UPDATE model_versions SET state = ?4, doc = ?5, modified_by = ?6, modified_at_us = ?7, \
                   completed_at_us = ?8 WHERE app_uid = ?1 AND model_uid = ?2 AND id = ?3";
        let params = [
            (&version.app_uid).into(),
            (&version.model_uid).into(),
            (&version.id).into(),
            (&version.state).into(),
            Val::json(&version.doc),
            (&version.modified_by).into(),
            version.modified_at_us.into(),
            version.completed_at_us.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes a version; false when there is no such version.
    pub fn delete_model_version(&self, app_uid: &str, model_uid: &str, id: &str) -> Result<bool> {
        self.delete_blobs_of_version(app_uid, model_uid, id)?;
        let sql = "DELETE FROM model_versions WHERE app_uid = ?1 AND model_uid = ?2 AND id = ?3";
        Ok(self.exec(sql, &[app_uid.into(), model_uid.into(), id.into()])? > 0)
    }
}
