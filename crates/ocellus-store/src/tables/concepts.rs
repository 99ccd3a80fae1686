//! Table `concepts`: what can be said about inputs of an app.

use std::collections::HashMap;

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::{id_chunks, like_pattern};
use crate::{JsonMap, Result};

/// A concept of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Concept {
    /// The app.
    pub app_uid: String,
    /// Unique within the app.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// The language of the name.
    pub language: String,
    /// What it means, in words.
    pub definition: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

/// How many inputs in one state a concept is said to be in, or not to be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConceptCount {
    /// The concept.
    pub concept_id: String,
    /// The state of the inputs.
    pub state: i64,
    /// Whether it is said to be there.
    pub positive: bool,
    /// How many inputs.
    pub n: i64,
}

const COLUMNS: &str = "app_uid, id, name, language, definition, metadata, created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<Concept, BadColumn> {
    Ok(Concept {
        app_uid: row.text()?,
        id: row.text()?,
        name: row.text()?,
        language: row.text()?,
        definition: row.text()?,
        metadata: row.json()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

fn to_row(concept: &Concept) -> Vec<Val<'_>> {
    vec![
        (&concept.app_uid).into(),
        (&concept.id).into(),
        (&concept.name).into(),
        (&concept.language).into(),
        (&concept.definition).into(),
        Val::json(&concept.metadata),
        concept.created_at_us.into(),
        concept.modified_at_us.into(),
        concept.name.to_lowercase().into(),
    ]
}

impl Tx<'_> {
    /// Adds a concept; `Conflict` when the app has one with this id.
    pub fn insert_concept(&self, concept: &Concept) -> Result<()> {
        let mut row = to_row(concept);
        row.push(self.take_numbers(&concept.app_uid, "concepts", 1)?.into());
        self.insert("concepts", &format!("{COLUMNS}, name_key, seq"), row)
    }

    /// Adds a concept unless the app has one with this id; true when it was added.
    pub fn upsert_concept_if_missing(&self, concept: &Concept) -> Result<bool> {
        let columns = format!("{COLUMNS}, name_key, seq");
        let tail = "ON CONFLICT (app_uid, id) DO NOTHING";
        let mut row = to_row(concept);
        row.push(self.take_numbers(&concept.app_uid, "concepts", 1)?.into());
        Ok(self.insert_many("concepts", &columns, tail, vec![row])? > 0)
    }

    /// A concept by id.
    pub fn concept(&self, app_uid: &str, id: &str) -> Result<Option<Concept>> {
        let sql = format!("SELECT {COLUMNS} FROM concepts WHERE app_uid = ?1 AND id = ?2");
        self.select_one("concepts", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// The concepts with these ids, in the order of the ids; missing ones are left out.
    pub fn concepts_by_ids<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<Vec<Concept>> {
        let mut found = HashMap::new();
        for (list, vals) in id_chunks(ids, 2) {
            let sql = format!("SELECT {COLUMNS} FROM concepts WHERE app_uid = ?1 AND id IN ({list})");
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let concepts = self.select("concepts", &sql, &params, from_row)?;
            found.extend(concepts.into_iter().map(|concept| (concept.id.clone(), concept)));
        }
        Ok(ids.iter().filter_map(|id| found.get(id.as_ref()).cloned()).collect())
    }

    /// The app's concepts, oldest first; those made at the same time in the order in which they were given.
    pub fn concepts_page(&self, app_uid: &str, limit: i64, offset: i64) -> Result<Vec<Concept>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM concepts WHERE app_uid = ?1 \
             ORDER BY created_at_us, seq, id LIMIT ?2 OFFSET ?3"
        );
        self.select("concepts", &sql, &[app_uid.into(), limit.into(), offset.into()], from_row)
    }

    /// The app's concepts whose name fits, by name; `name_like` may contain `*` and ignores case.
    pub fn search_concepts(
        &self,
        app_uid: &str,
        name_like: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Concept>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM concepts WHERE app_uid = ?1 AND name_key LIKE ?2 ESCAPE '!' \
             ORDER BY name_key, id LIMIT ?3 OFFSET ?4"
        );
        let params = [app_uid.into(), like_pattern(name_like).into(), limit.into(), offset.into()];
        self.select("concepts", &sql, &params, from_row)
    }

    /// How many concepts the app has.
    pub fn count_concepts(&self, app_uid: &str) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM concepts WHERE app_uid = ?1";
        Ok(self.select_one("concepts", sql, &[app_uid.into()], |row| row.int())?.unwrap_or(0))
    }

    /// Writes the name, language, definition and metadata; false when there is no such concept.
    pub fn update_concept(&self, concept: &Concept) -> Result<bool> {
        let sql = "UPDATE concepts SET name = ?3, name_key = ?4, language = ?5, definition = ?6, \
                   metadata = ?7, modified_at_us = ?8 WHERE app_uid = ?1 AND id = ?2";
        let params = [
            (&concept.app_uid).into(),
            (&concept.id).into(),
            (&concept.name).into(),
            concept.name.to_lowercase().into(),
            (&concept.language).into(),
            (&concept.definition).into(),
            Val::json(&concept.metadata),
            concept.modified_at_us.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes concepts and what was said with them; returns how many concepts went.
    pub fn delete_concepts<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<u64> {
        let mut n_deleted = 0;
        for id in ids {
            self.forget_counts_of_concept(app_uid, id.as_ref())?;
        }
        for (list, vals) in id_chunks(ids, 2) {
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let labels = format!("DELETE FROM labels WHERE app_uid = ?1 AND concept_id IN ({list})");
            self.exec(&labels, &params)?;
            let names = format!("DELETE FROM concept_names WHERE app_uid = ?1 AND concept_id IN ({list})");
            self.exec(&names, &params)?;
            for side in ["subject_id", "object_id"] {
                let sql = format!("DELETE FROM concept_relations WHERE app_uid = ?1 AND {side} IN ({list})");
                self.exec(&sql, &params)?;
            }
            let concepts = format!("DELETE FROM concepts WHERE app_uid = ?1 AND id IN ({list})");
            n_deleted += self.exec(&concepts, &params)?;
        }
        Ok(n_deleted)
    }
}
