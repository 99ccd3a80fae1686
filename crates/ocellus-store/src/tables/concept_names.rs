//! Table `concept_names`: what a concept is called in languages other than its own.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::{id_chunks, like_pattern};

/// A concept's name in one language.
#[derive(Clone, Debug, PartialEq)]
pub struct ConceptName {
    /// The app.
    pub app_uid: String,
    /// The concept.
    pub concept_id: String,
    /// The language, as a code such as "ja".
    pub language: String,
    /// The name.
    pub name: String,
    /// What it means, in words of that language.
    pub definition: String,
    /// Who changed it last.
    pub account_id: String,
    /// The key with which it was changed.
    pub key_id: String,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str =
    "app_uid, concept_id, language, name, definition, account_id, key_id, created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<ConceptName, BadColumn> {
    Ok(ConceptName {
        app_uid: row.text()?,
        concept_id: row.text()?,
        language: row.text()?,
        name: row.text()?,
        definition: row.text()?,
        account_id: row.text()?,
        key_id: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

fn to_row(name: &ConceptName) -> Vec<Val<'_>> {
    vec![
        (&name.app_uid).into(),
        (&name.concept_id).into(),
        (&name.language).into(),
        (&name.name).into(),
        (&name.definition).into(),
        (&name.account_id).into(),
        (&name.key_id).into(),
        name.created_at_us.into(),
        name.modified_at_us.into(),
        name.name.to_lowercase().into(),
    ]
}

impl Tx<'_> {
    /// Adds a name; false if the concept has one in this language.
    pub fn insert_concept_name_if_missing(&self, name: &ConceptName) -> Result<bool> {
        let tail = "ON CONFLICT (app_uid, concept_id, language) DO NOTHING";
        let columns = format!("{COLUMNS}, name_key");
        Ok(self.insert_many("concept_names", &columns, tail, vec![to_row(name)])? > 0)
    }

    /// Adds a name or writes a new one over it; the time of creation stays.
    pub fn put_concept_name(&self, name: &ConceptName) -> Result<()> {
        let tail = "ON CONFLICT (app_uid, concept_id, language) DO UPDATE SET name = excluded.name, \
                    name_key = excluded.name_key, definition = excluded.definition, \
                    account_id = excluded.account_id, key_id = excluded.key_id, \
                    modified_at_us = excluded.modified_at_us";
        self.insert_many("concept_names", &format!("{COLUMNS}, name_key"), tail, vec![to_row(name)])?;
        Ok(())
    }

    /// Takes a name away, if it is there.
    pub fn delete_concept_name(&self, app_uid: &str, concept_id: &str, language: &str) -> Result<()> {
        let sql = "DELETE FROM concept_names WHERE app_uid = ?1 AND concept_id = ?2 AND language = ?3";
        self.exec(sql, &[app_uid.into(), concept_id.into(), language.into()])?;
        Ok(())
    }

    /// A concept's name in a language.
    pub fn concept_name(
        &self,
        app_uid: &str,
        concept_id: &str,
        language: &str,
    ) -> Result<Option<ConceptName>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM concept_names WHERE app_uid = ?1 AND concept_id = ?2 AND language = ?3"
        );
        let params = [app_uid.into(), concept_id.into(), language.into()];
        self.select_one("concept_names", &sql, &params, from_row)
    }

    /// All names of a concept, by language.
    pub fn concept_names(&self, app_uid: &str, concept_id: &str) -> Result<Vec<ConceptName>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM concept_names WHERE app_uid = ?1 AND concept_id = ?2 ORDER BY language"
        );
        self.select("concept_names", &sql, &[app_uid.into(), concept_id.into()], from_row)
    }

    /// The names of these concepts in a language, in any order.
    pub fn concept_names_in<S: AsRef<str>>(
        &self,
        app_uid: &str,
        language: &str,
        concept_ids: &[S],
    ) -> Result<Vec<ConceptName>> {
        let mut found = Vec::new();
        for (list, vals) in id_chunks(concept_ids, 3) {
            let sql = format!(
                "SELECT {COLUMNS} FROM concept_names WHERE app_uid = ?1 AND language = ?2 AND concept_id IN ({list})"
            );
            let mut params = vec![app_uid.into(), language.into()];
            params.extend(vals);
            found.extend(self.select("concept_names", &sql, &params, from_row)?);
        }
        Ok(found)
    }

    /// Names in a language that fit, by name; `name_like` may contain `*` and ignores case.
    #[expect(clippy::too_many_arguments, reason = "the four conditions of the search and the page")]
    pub fn search_concept_names(
        &self,
        app_uid: &str,
        language: &str,
        name_like: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<ConceptName>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM concept_names WHERE app_uid = ?1 AND language = ?2 \
             AND name_key LIKE ?3 ESCAPE '!' ORDER BY name_key, concept_id LIMIT ?4 OFFSET ?5"
        );
        let like = like_pattern(name_like);
        let params = [app_uid.into(), language.into(), like.into(), limit.into(), offset.into()];
        self.select("concept_names", &sql, &params, from_row)
    }
}
