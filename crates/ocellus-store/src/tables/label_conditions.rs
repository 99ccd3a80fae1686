//! Conditions on table `labels`, as searches ask them: inputs with a concept in the order of creation, and which of
//! some inputs have it.

use std::collections::HashMap;

use crate::Result;
use crate::db::{Row, Tx, Val};
use crate::page::id_chunks;

impl Tx<'_> {
    /// Up to `limit` inputs with a concept said to be there (or, with `positive` false, said not to be there), in the
    /// order of creation, after the one with the number `after_seq`; one may come several times.
    pub fn labelled_in_order(
        &self,
        (app_uid, concept_id): (&str, &str),
        positive: bool,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT input_id, input_seq FROM labels \
                   WHERE app_uid = ?1 AND concept_id = ?2 AND positive = ?3 AND input_seq > ?4 \
                   ORDER BY input_seq LIMIT ?5";
        let params = [app_uid.into(), concept_id.into(), Val::flag(positive), after_seq.into(), limit.into()];
        self.select("labels", sql, &params, |row| Ok((row.text()?, row.int()?)))
    }

    /// What was said of these inputs: input, concept, and whether it is there.
    pub fn said_of_inputs<S: AsRef<str>>(
        &self,
        app_uid: &str,
        input_ids: &[S],
    ) -> Result<Vec<(String, String, bool)>> {
        let mut found = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!(
                "SELECT input_id, concept_id, positive FROM labels WHERE app_uid = ?1 AND input_id IN ({list})"
            );
            let mut params: Vec<Val<'_>> = vec![app_uid.into()];
            params.extend(vals);
            let map = |row: &mut Row| Ok((row.text()?, row.text()?, row.flag()?));
            found.extend(self.select("labels", &sql, &params, map)?);
        }
        Ok(found)
    }

    /// The numbers of these inputs; missing ones are left out.
    pub(crate) fn input_seqs<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<HashMap<String, i64>> {
        let mut found = HashMap::new();
        for (list, vals) in id_chunks(ids, 2) {
            let sql = format!("SELECT id, seq FROM inputs WHERE app_uid = ?1 AND id IN ({list})");
            let mut params: Vec<Val<'_>> = vec![app_uid.into()];
            params.extend(vals);
            found.extend(self.select("inputs", &sql, &params, |row| Ok((row.text()?, row.int()?)))?);
        }
        Ok(found)
    }
}
