//! Table `predictions`: the concepts that models have found in inputs.

use std::collections::HashSet;

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;

/// A concept that a model has found in an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The app.
    pub app_uid: String,
    /// The input.
    pub input_id: String,
    /// The model version.
    pub model_version_id: String,
    /// The concept, in the model's own ids.
    pub concept_id: String,
    /// The probability, 0 to 1.
    pub value: f64,
}

const COLUMNS: &str = "app_uid, input_id, model_version_id, concept_id, value";

fn from_row(row: &mut Row) -> Result<Prediction, BadColumn> {
    Ok(Prediction {
        app_uid: row.text()?,
        input_id: row.text()?,
        model_version_id: row.text()?,
        concept_id: row.text()?,
        value: row.real()?,
    })
}

impl Tx<'_> {
    /// Replaces all that a model version has said about an input by these pairs of concept id and
    /// probability.
    pub fn put_predictions(
        &self,
        app_uid: &str,
        input_id: &str,
        model_version_id: &str,
        values: &[(String, f64)],
    ) -> Result<()> {
        let sql = "DELETE FROM predictions WHERE app_uid = ?1 AND input_id = ?2 AND model_version_id = ?3";
        self.exec(sql, &[app_uid.into(), input_id.into(), model_version_id.into()])?;
        let seq = self.input_seq(app_uid, input_id)?;
        let rows = values.iter().map(|(concept_id, value)| {
            vec![
                app_uid.into(),
                input_id.into(),
                model_version_id.into(),
                concept_id.into(),
                Val::Real(*value),
                seq.into(),
            ]
        });
        let columns = format!("{COLUMNS}, input_seq");
        self.insert_many("predictions", &columns, "ON CONFLICT DO NOTHING", rows.collect())?;
        Ok(())
    }

    /// What a model version has said about an input, the most probable first.
    pub fn predictions_of(
        &self,
        app_uid: &str,
        input_id: &str,
        model_version_id: &str,
    ) -> Result<Vec<Prediction>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM predictions \
             WHERE app_uid = ?1 AND input_id = ?2 AND model_version_id = ?3 \
             ORDER BY value DESC, concept_id"
        );
        let params = [app_uid.into(), input_id.into(), model_version_id.into()];
        self.select("predictions", &sql, &params, from_row)
    }

    /// Up to `limit` inputs in which a model version found any of these concepts with at least
    /// `min_value`, each once with its highest probability, the most probable first.
    #[expect(clippy::too_many_arguments, reason = "the five conditions of the search")]
    pub fn inputs_with_prediction<S: AsRef<str>>(
        &self,
        app_uid: &str,
        model_version_id: &str,
        concept_ids: &[S],
        min_value: f64,
        limit: i64,
    ) -> Result<Vec<(String, f64)>> {
        let mut hits = Vec::new();
        for (list, vals) in id_chunks(concept_ids, 5) {
            let sql = format!(
                "SELECT input_id, MAX(value) AS best FROM predictions \
                 WHERE app_uid = ?1 AND model_version_id = ?2 AND concept_id IN ({list}) AND value >= ?3 \
                 GROUP BY input_id ORDER BY best DESC, input_id LIMIT ?4"
            );
            let mut params =
                vec![app_uid.into(), model_version_id.into(), Val::Real(min_value), limit.into()];
            params.extend(vals);
            let map = |row: &mut Row| Ok((row.text()?, row.real()?));
            hits.extend(self.select("predictions", &sql, &params, map)?);
        }
        if concept_ids.len() > 1 {
            hits.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            let mut seen = HashSet::new();
            hits.retain(|(id, _)| seen.insert(id.clone()));
        }
        hits.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(hits)
    }
}
