//! Conditions on the columns of table `annotations`, as searches ask them.

use crate::Result;
use crate::db::{Tx, Val};
use crate::tables::annotations::{Annotation, COLUMNS, from_row, one_of};

/// What the columns of an annotation are tested for; what is empty or absent asks for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnnotationTest {
    /// Its id.
    pub id: String,
    /// Its maker.
    pub account_id: String,
    /// The model version that made it.
    pub model_version_id: String,
    /// The workflow version that made it.
    pub workflow_version_id: String,
    /// The task it was made in.
    pub task_id: String,
    /// Its status is one of these.
    pub statuses: Vec<String>,
    /// Last changed in this span, both ends included, in microseconds since 1970 UTC.
    pub changed_us: Option<(i64, i64)>,
    /// Made by a person.
    pub by_person: bool,
    /// Said of the whole input.
    pub whole: bool,
}

impl AnnotationTest {
    fn sql<'a>(&'a self, params: &mut Vec<Val<'a>>) -> String {
        let mut sql = String::new();
        let texts = [
            ("id", &self.id),
            ("account_id", &self.account_id),
            ("model_version_id", &self.model_version_id),
            ("workflow_version_id", &self.workflow_version_id),
            ("task_id", &self.task_id),
        ];
        for (column, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
            params.push(value.into());
            sql.push_str(&format!(" AND {column} = ?{}", params.len()));
        }
        if !self.statuses.is_empty() {
            sql.push_str(&format!(" AND {}", one_of("status", &self.statuses, params)));
        }
        if let Some((from_us, to_us)) = self.changed_us {
            params.extend([from_us.into(), to_us.into()]);
            let n = params.len();
            sql.push_str(&format!(" AND modified_at_us >= ?{} AND modified_at_us <= ?{n}", n - 1));
        }
        if self.by_person {
            sql.push_str(" AND model_version_id = '' AND workflow_version_id = ''");
        }
        if self.whole {
            sql.push_str(" AND whole = 1");
        }
        sql
    }
}

impl Tx<'_> {
    /// The inputs of the annotations that pass; one may come several times.
    pub fn inputs_with_annotation(&self, app_uid: &str, test: &AnnotationTest) -> Result<Vec<String>> {
        let mut params: Vec<Val<'_>> = vec![app_uid.into()];
        let tests = test.sql(&mut params);
        let sql = format!("SELECT input_id FROM annotations WHERE app_uid = ?1{tests}");
        self.select("annotations", &sql, &params, |row| row.text())
    }

    /// Like [`Tx::inputs_with_annotation`] for up to `limit` annotations, in no order.
    pub fn some_inputs_with_annotation(
        &self,
        app_uid: &str,
        test: &AnnotationTest,
        limit: i64,
    ) -> Result<Vec<String>> {
        let mut params: Vec<Val<'_>> = vec![app_uid.into(), limit.into()];
        let tests = test.sql(&mut params);
        let sql = format!("SELECT input_id FROM annotations WHERE app_uid = ?1{tests} LIMIT ?2");
        self.select("annotations", &sql, &params, |row| row.text())
    }

    /// Up to `limit` annotations that pass and have a greater id than `after_id`, by id.
    pub fn annotations_passing(
        &self,
        app_uid: &str,
        test: &AnnotationTest,
        after_id: &str,
        limit: i64,
    ) -> Result<Vec<Annotation>> {
        let mut params: Vec<Val<'_>> = vec![app_uid.into(), after_id.into(), limit.into()];
        let tests = test.sql(&mut params);
        let sql = format!(
            "SELECT {COLUMNS} FROM annotations WHERE app_uid = ?1 AND id > ?2{tests} ORDER BY id LIMIT ?3"
        );
        self.select("annotations", &sql, &params, from_row)
    }

    /// The annotations with these ids; missing ones are left out.
    pub fn annotations_by_ids<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<Vec<Annotation>> {
        let mut found = Vec::new();
        for (list, vals) in crate::page::id_chunks(ids, 2) {
            let sql = format!("SELECT {COLUMNS} FROM annotations WHERE app_uid = ?1 AND id IN ({list})");
            let mut params: Vec<Val<'_>> = vec![app_uid.into()];
            params.extend(vals);
            found.extend(self.select("annotations", &sql, &params, from_row)?);
        }
        Ok(found)
    }
}
