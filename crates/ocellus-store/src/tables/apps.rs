//! Table `apps`: what inputs, concepts and searches belong to. A deleted app is invisible at once and
//! its rows are removed in portions afterwards.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::like_pattern;
use crate::{Error, JsonMap, Result};

/// An app.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// The key of everything in the app; never used again and never shown to a client.
    pub uid: String,
    /// The owner.
    pub account_id: String,
    /// The id that clients use; unique among the owner's apps that are not deleted.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// The owner's words.
    pub description: String,
    /// The language of concept names where none is said.
    pub default_language: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// Whatever else an interface keeps for the app.
    pub doc: JsonMap,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
    /// Rises by one with each change.
    pub version: i64,
    /// When it was deleted, in microseconds since 1970 UTC.
    pub deleted_at_us: Option<i64>,
}

const COLUMNS: &str = "uid, account_id, id, name, description, default_language, metadata, doc, \
                       created_at_us, modified_at_us, version, deleted_at_us";

/// The tables with rows of an app, each with its key within the app.
const ROWS_OF_AN_APP: &[(&str, &str)] = &[
    ("vectors", "space, input_id"),
    ("predictions", "input_id, model_version_id, concept_id"),
    ("labels", "input_id, annotation_id, concept_id"),
    ("annotation_concepts", "annotation_id, concept_id"),
    ("annotations", "id"),
    ("annotation_regions", "annotation_id, region_id"),
    ("annotation_tracks", "id"),
    ("task_assignments", "id"),
    ("concept_names", "concept_id, language"),
    ("concept_relations", "id"),
    ("concepts", "id"),
    ("inputs", "id"),
    ("resources", "kind, parent, id"),
    ("dataset_inputs", "dataset_uid, input_id"),
    ("dataset_items", "version_uid, input_id"),
    ("dataset_exports", "version_uid, format"),
    ("dataset_export_chunks", "version_uid, format, run, idx"),
    ("collaborators", "id"),
    ("renditions", "input_id, size"),
    ("model_blobs", "model_uid, version_id, role"),
    ("model_versions", "model_uid, id"),
    ("models", "uid"),
    ("video_frames", "input_id, model_version_id, idx"),
    ("upload_parts", "upload_id, range_start"),
    ("runner_items", "id"),
    ("stat_values", "at_us, id"),
    ("view_counts", "view_type, object_id, day"),
    ("kept_counts", "kind, id, state, place, shard"),
    ("counters", "name"),
    ("access_keys", "id"),
];

fn from_row(row: &mut Row) -> Result<App, BadColumn> {
    Ok(App {
        uid: row.text()?,
        account_id: row.text()?,
        id: row.text()?,
        name: row.text()?,
        description: row.text()?,
        default_language: row.text()?,
        metadata: row.json()?,
        doc: row.json()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
        version: row.int()?,
        deleted_at_us: row.opt_int()?,
    })
}

impl Tx<'_> {
    /// Adds an app; `Conflict` when the owner has one with this id.
    pub fn insert_app(&self, app: &App) -> Result<()> {
        let row = vec![
            (&app.uid).into(),
            (&app.account_id).into(),
            (&app.id).into(),
            (&app.name).into(),
            (&app.description).into(),
            (&app.default_language).into(),
            Val::json(&app.metadata),
            Val::json(&app.doc),
            app.created_at_us.into(),
            app.modified_at_us.into(),
            app.version.into(),
            app.deleted_at_us.into(),
            app.name.to_lowercase().into(),
        ];
        self.insert("apps", &format!("{COLUMNS}, name_key"), row)
    }

    /// An account's app by id; a deleted one is not found.
    pub fn app(&self, account_id: &str, id: &str) -> Result<Option<App>> {
        let sql =
            format!("SELECT {COLUMNS} FROM apps WHERE account_id = ?1 AND id = ?2 AND deleted_at_us IS NULL");
        self.select_one("apps", &sql, &[account_id.into(), id.into()], from_row)
    }

    /// An app by its internal key, deleted or not.
    pub fn app_by_uid(&self, uid: &str) -> Result<Option<App>> {
        let sql = format!("SELECT {COLUMNS} FROM apps WHERE uid = ?1");
        self.select_one("apps", &sql, &[uid.into()], from_row)
    }

    /// An account's apps, oldest first; `name_like` may contain `*` and ignores case.
    pub fn apps_of(
        &self,
        account_id: &str,
        limit: i64,
        offset: i64,
        name_like: Option<&str>,
    ) -> Result<Vec<App>> {
        let mut params = vec![account_id.into(), limit.into(), offset.into()];
        let mut name_test = "";
        if let Some(wildcard) = name_like {
            params.push(like_pattern(wildcard).into());
            name_test = "AND name_key LIKE ?4 ESCAPE '!'";
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM apps WHERE account_id = ?1 AND deleted_at_us IS NULL {name_test} \
             ORDER BY created_at_us, uid LIMIT ?2 OFFSET ?3"
        );
        self.select("apps", &sql, &params, from_row)
    }

    /// Writes an app if nobody changed it since it was read: `app.version` is the version read, the
    /// new one is returned. `Conflict` when it is another by now or the new id is taken.
    pub fn update_app(&self, app: &App) -> Result<i64> {
        // Tested beforehand: a violated index would end the whole transaction on PostgreSQL.
        if self.app(&app.account_id, &app.id)?.is_some_and(|other| other.uid != app.uid) {
            return Err(Error::Conflict("apps".to_owned()));
        }
        let sql = "UPDATE apps SET id = ?3, name = ?4, name_key = ?5, description = ?6, \
                   default_language = ?7, metadata = ?8, doc = ?9, modified_at_us = ?10, \
                   version = version + 1 \
                   WHERE uid = ?1 AND version = ?2 AND deleted_at_us IS NULL";
        let params = [
            (&app.uid).into(),
            app.version.into(),
            (&app.id).into(),
            (&app.name).into(),
            app.name.to_lowercase().into(),
            (&app.description).into(),
            (&app.default_language).into(),
            Val::json(&app.metadata),
            Val::json(&app.doc),
            app.modified_at_us.into(),
        ];
        match self.exec(sql, &params)? {
            0 => Err(Error::Conflict("apps".to_owned())),
            _ => Ok(app.version + 1),
        }
    }

    /// Hides an app for good; false when there is none or it was deleted before.
    pub fn mark_app_deleted(&self, uid: &str, now_us: i64) -> Result<bool> {
        let sql = "UPDATE apps SET deleted_at_us = ?2, version = version + 1 \
                   WHERE uid = ?1 AND deleted_at_us IS NULL";
        Ok(self.exec(sql, &[uid.into(), now_us.into()])? > 0)
    }

    /// Removes up to `limit` rows that belong to an app, whatever their table, and the app itself with
    /// the last of them; returns how many. Nothing is left when it returns 0.
    pub fn purge_app_rows(&self, uid: &str, limit: i64) -> Result<i64> {
        let mut n_removed = 0;
        for (table, key) in ROWS_OF_AN_APP {
            if n_removed >= limit {
                return Ok(n_removed);
            }
            // Resources may belong to an account as well, and their column is named so.
            let owner = if *table == "resources" { "owner_uid" } else { "app_uid" };
            let sql = format!(
                "DELETE FROM {table} WHERE {owner} = ?1 AND ({key}) IN \
                 (SELECT {key} FROM {table} WHERE {owner} = ?1 LIMIT ?2)"
            );
            let left = limit - n_removed;
            n_removed += self.exec(&sql, &[uid.into(), left.into()])? as i64;
        }
        if n_removed < limit {
            n_removed += self.exec("DELETE FROM apps WHERE uid = ?1", &[uid.into()])? as i64;
        }
        Ok(n_removed)
    }
}
