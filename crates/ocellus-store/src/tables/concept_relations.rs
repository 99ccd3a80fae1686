//! Table `concept_relations`: which concept is a kind of which, and which mean the same.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;

/// A relation between two concepts.
#[derive(Clone, Debug, PartialEq)]
pub struct ConceptRelation {
    /// The app.
    pub app_uid: String,
    /// Unique within the app.
    pub id: String,
    /// Place in the order of creation; given by the store.
    pub seq: i64,
    /// The concept of which something is said.
    pub subject_id: String,
    /// What is said: "hypernym" or "synonym".
    pub predicate: String,
    /// The concept that stands in that relation to the subject.
    pub object_id: String,
    /// The graph that it belongs to; empty for none.
    pub graph_id: String,
    /// Who said so.
    pub account_id: String,
    /// The key with which it was said.
    pub key_id: String,
    /// When it was said, in microseconds since 1970 UTC.
    pub created_at_us: i64,
}

const COLUMNS: &str =
    "app_uid, id, seq, subject_id, predicate, object_id, graph_id, account_id, key_id, created_at_us";

fn from_row(row: &mut Row) -> Result<ConceptRelation, BadColumn> {
    Ok(ConceptRelation {
        app_uid: row.text()?,
        id: row.text()?,
        seq: row.int()?,
        subject_id: row.text()?,
        predicate: row.text()?,
        object_id: row.text()?,
        graph_id: row.text()?,
        account_id: row.text()?,
        key_id: row.text()?,
        created_at_us: row.int()?,
    })
}

fn to_row(relation: &ConceptRelation, seq: i64) -> Vec<Val<'_>> {
    vec![
        (&relation.app_uid).into(),
        (&relation.id).into(),
        seq.into(),
        (&relation.subject_id).into(),
        (&relation.predicate).into(),
        (&relation.object_id).into(),
        (&relation.graph_id).into(),
        (&relation.account_id).into(),
        (&relation.key_id).into(),
        relation.created_at_us.into(),
    ]
}

impl Tx<'_> {
    /// Adds a relation; false if the same is said already in the same graph, or the id is taken.
    pub fn insert_concept_relation_if_missing(&self, relation: &ConceptRelation) -> Result<bool> {
        let seq = self.take_numbers(&relation.app_uid, "concept_relations", 1)?;
        let row = vec![to_row(relation, seq)];
        Ok(self.insert_many("concept_relations", COLUMNS, "ON CONFLICT DO NOTHING", row)? > 0)
    }

    /// The relations in which any of these concepts stands, on either side, each once, oldest first.
    pub fn concept_relations_of<S: AsRef<str>>(
        &self,
        app_uid: &str,
        concept_ids: &[S],
    ) -> Result<Vec<ConceptRelation>> {
        let mut found = std::collections::BTreeMap::new();
        for side in ["subject_id", "object_id"] {
            for (list, vals) in id_chunks(concept_ids, 2) {
                let sql = format!(
                    "SELECT {COLUMNS} FROM concept_relations WHERE app_uid = ?1 AND {side} IN ({list})"
                );
                let mut params = vec![app_uid.into()];
                params.extend(vals);
                let rows = self.select("concept_relations", &sql, &params, from_row)?;
                found.extend(rows.into_iter().map(|row| (row.seq, row)));
            }
        }
        Ok(found.into_values().collect())
    }

    /// The app's relations, oldest first.
    pub fn concept_relations_page(
        &self,
        app_uid: &str,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<ConceptRelation>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM concept_relations WHERE app_uid = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
        );
        let params = [app_uid.into(), after_seq.into(), limit.into()];
        self.select("concept_relations", &sql, &params, from_row)
    }

    /// A relation by id.
    pub fn concept_relation(&self, app_uid: &str, id: &str) -> Result<Option<ConceptRelation>> {
        let sql = format!("SELECT {COLUMNS} FROM concept_relations WHERE app_uid = ?1 AND id = ?2");
        self.select_one("concept_relations", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// Removes a relation; false if there is none.
    pub fn delete_concept_relation(&self, app_uid: &str, id: &str) -> Result<bool> {
        let sql = "DELETE FROM concept_relations WHERE app_uid = ?1 AND id = ?2";
        Ok(self.exec(sql, &[app_uid.into(), id.into()])? > 0)
    }
}
