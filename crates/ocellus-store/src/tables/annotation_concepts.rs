//! Table `annotation_concepts`: which annotations speak of which concepts, so that a search for them need not read all
//! annotations. A row says that the concept is named somewhere in the annotation; whether that is what was asked for is
//! for the reader of the annotation to see.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::db::{Row, Tx, Val};
use crate::page::id_chunks;
use crate::tables::annotations::Annotation;
use crate::{JsonMap, Result};

const COLUMNS: &str = "app_uid, annotation_id, concept_id, input_seq, input_id";
/// Annotations that are entered at once.
const ROWS_AT_ONCE: i64 = 1_000;

/// Every concept that a document names, at any depth.
fn named(doc: &JsonMap, found: &mut BTreeSet<String>) {
    for (key, value) in doc {
        match value {
            Value::String(id) if key == "concept_id" => {
                found.insert(id.clone());
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => named_in(value, found),
        }
    }
}

fn named_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => named(map, found),
        Value::Array(items) => items.iter().for_each(|item| named_in(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl Tx<'_> {
    /// Makes the rows of an annotation what it says. `is_new` spares looking for old ones.
    pub(crate) fn index_annotation(&self, annotation: &Annotation, is_new: bool) -> Result<()> {
        let mut wanted = BTreeSet::new();
        named(&annotation.doc, &mut wanted);
        let (app_uid, id) = (annotation.app_uid.as_str(), annotation.id.as_str());
        if !is_new {
            let sql = "SELECT concept_id FROM annotation_concepts WHERE app_uid = ?1 AND annotation_id = ?2";
            let found = self.select("annotation_concepts", sql, &[app_uid.into(), id.into()], Row::text)?;
            let gone: Vec<&String> = found.iter().filter(|concept| !wanted.contains(*concept)).collect();
            for (list, vals) in id_chunks(&gone, 3) {
                let sql = format!(
                    "DELETE FROM annotation_concepts \
                     WHERE app_uid = ?1 AND annotation_id = ?2 AND concept_id IN ({list})"
                );
                let mut params: Vec<Val<'_>> = vec![app_uid.into(), id.into()];
                params.extend(vals);
                self.exec(&sql, &params)?;
            }
            wanted.retain(|concept| !found.contains(concept));
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let seq = self.input_seq(app_uid, &annotation.input_id)?;
        let input_id = annotation.input_id.as_str();
        let rows = wanted
            .iter()
            .map(|concept| vec![app_uid.into(), id.into(), concept.into(), seq.into(), input_id.into()]);
        self.insert_many("annotation_concepts", COLUMNS, "ON CONFLICT DO NOTHING", rows.collect())?;
        Ok(())
    }

    /// To be called before annotations of these inputs go, while they are still there.
    pub(crate) fn unindex_annotations_of_inputs(&self, list: &str, params: &[Val<'_>]) -> Result<()> {
        let sql = format!(
            "DELETE FROM annotation_concepts WHERE app_uid = ?1 AND annotation_id IN \
             (SELECT id FROM annotations WHERE app_uid = ?1 AND input_id IN ({list}))"
        );
        self.exec(&sql, params)?;
        Ok(())
    }

    /// Up to `limit` inputs with annotations that name a concept, in the order of creation, after one with the number
    /// `after_seq`; one may come several times.
    pub fn inputs_of_annotations_with(
        &self,
        app_uid: &str,
        concept_id: &str,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT input_id, input_seq FROM annotation_concepts \
                   WHERE app_uid = ?1 AND concept_id = ?2 AND input_seq > ?3 ORDER BY input_seq LIMIT ?4";
        let params = [app_uid.into(), concept_id.into(), after_seq.into(), limit.into()];
        self.select("annotation_concepts", sql, &params, |row| Ok((row.text()?, row.int()?)))
    }

    /// Enters the annotations of a database that is older than the table.
    pub(crate) fn index_all_annotations(&self) -> Result<()> {
        let (mut after_app, mut after_id) = (String::new(), String::new());
        loop {
            // Only columns that the table has had since it was made: later ones are not there yet.
            let sql = "SELECT app_uid, id, input_id, doc FROM annotations \
                       WHERE (app_uid, id) > (?1, ?2) ORDER BY app_uid, id LIMIT ?3";
            let params = [after_app.as_str().into(), after_id.as_str().into(), ROWS_AT_ONCE.into()];
            let rows = self.select("annotations", sql, &params, |row| {
                Ok(Annotation {
                    app_uid: row.text()?,
                    id: row.text()?,
                    input_id: row.text()?,
                    doc: row.json()?,
                    ..Annotation::default()
                })
            })?;
            for row in &rows {
                self.index_annotation(row, true)?;
            }
            match rows.last() {
                Some(last) => (after_app, after_id) = (last.app_uid.clone(), last.id.clone()),
                None => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concepts_are_named_at_any_depth() {
        let doc = serde_json::json!({"data": {"concepts": [{"concept_id": "a", "value": 1}],
            "frames": [{"regions": [{"concepts": [{"concept_id": "b"}]}]}], "concept_id": 3}});
        let Value::Object(doc) = doc else { unreachable!("an object") };
        let mut found = BTreeSet::new();
        named(&doc, &mut found);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
