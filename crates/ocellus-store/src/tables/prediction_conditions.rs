//! Conditions on table `predictions`, as searches ask them: inputs in the order of probability, and what was found in
//! some inputs.

use crate::Result;
use crate::db::{Row, Tx, Val};
use crate::page::id_chunks;

impl Tx<'_> {
    /// Up to `limit` inputs in which a model version found a concept with at least `least`: input, its number and the
    /// probability, the most probable first and those as probable in the order of creation, after the one with this
    /// probability and number.
    #[expect(clippy::too_many_arguments, reason = "what is looked for, and where the last page ended")]
    pub fn predicted_in_order(
        &self,
        app_uid: &str,
        (model_version_id, concept_id): (&str, &str),
        least: f64,
        (after_value, after_seq): (f64, i64),
        limit: i64,
    ) -> Result<Vec<(String, i64, f64)>> {
        let sql = "SELECT input_id, input_seq, value FROM predictions \
                   WHERE concept_id = ?1 AND app_uid = ?2 AND model_version_id = ?3 AND value >= ?4 \
                   AND value <= ?5 AND (value < ?5 OR input_seq > ?6) \
                   ORDER BY value DESC, input_seq LIMIT ?7";
        let params = [
            concept_id.into(),
            app_uid.into(),
            model_version_id.into(),
            Val::Real(least),
            Val::Real(after_value),
            after_seq.into(),
            limit.into(),
        ];
        self.select("predictions", sql, &params, |row| Ok((row.text()?, row.int()?, row.real()?)))
    }

    /// What a model version found in these inputs of these concepts: input, concept, probability.
    pub fn predicted_of_inputs<S: AsRef<str>>(
        &self,
        app_uid: &str,
        model_version_id: &str,
        concept_ids: &[String],
        input_ids: &[S],
    ) -> Result<Vec<(String, String, f64)>> {
        let mut found = Vec::new();
        for concepts in concept_ids.chunks(64) {
            // Padded to a power of two, so that few different statements exist.
            let n = concepts.len().next_power_of_two();
            let marks = (3..3 + n).map(|i| format!("?{i}")).collect::<Vec<_>>().join(",");
            for (list, vals) in id_chunks(input_ids, 3 + n) {
                // As an expression the concept cannot lead to the index by concept, where SQLite would look through
                // every input in which it was found.
                let sql = format!(
                    "SELECT input_id, concept_id, value FROM predictions WHERE app_uid = ?1 \
                     AND model_version_id = ?2 AND concept_id || '' IN ({marks}) AND input_id IN ({list})"
                );
                let mut params: Vec<Val<'_>> = vec![app_uid.into(), model_version_id.into()];
                params.extend((0..n).map(|i| Val::from(concepts[i.min(concepts.len() - 1)].as_str())));
                params.extend(vals);
                let map = |row: &mut Row| Ok((row.text()?, row.text()?, row.real()?));
                found.extend(self.select("predictions", &sql, &params, map)?);
            }
        }
        Ok(found)
    }
}
