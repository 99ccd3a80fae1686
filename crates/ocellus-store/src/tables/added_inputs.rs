//! Table `inputs` by the job that added them, and by id: what the jobs' progress and the streams by id read.

use std::collections::BTreeMap;

use super::inputs::Input;
use crate::Result;
use crate::db::{Tx, Val};
use crate::page::id_chunks;

impl Tx<'_> {
    /// Notes which job added these inputs.
    pub fn set_add_job<S: AsRef<str>>(&self, app_uid: &str, ids: &[S], add_job_id: &str) -> Result<()> {
        for (list, vals) in id_chunks(ids, 3) {
            let sql = format!("UPDATE inputs SET add_job_id = ?2 WHERE app_uid = ?1 AND id IN ({list})");
            let mut params: Vec<Val<'_>> = vec![app_uid.into(), add_job_id.into()];
            params.extend(vals);
            self.exec(&sql, &params)?;
        }
        Ok(())
    }

    /// How many inputs a job has added, by state; those that were deleted since do not count.
    pub fn count_inputs_of_add_job(&self, app_uid: &str, add_job_id: &str) -> Result<BTreeMap<i64, i64>> {
        let sql = "SELECT state, COUNT(*) FROM inputs WHERE app_uid = ?1 AND add_job_id = ?2 GROUP BY state";
        let params = [app_uid.into(), add_job_id.into()];
        let counts = self.select("inputs", sql, &params, |row| Ok((row.int()?, row.int()?)))?;
        Ok(counts.into_iter().collect())
    }

    /// Gives up the inputs of a job that are in a state, with the reason; returns how many.
    #[expect(clippy::too_many_arguments, reason = "which inputs, and what they become")]
    pub fn give_up_inputs_of_add_job(
        &self,
        (app_uid, add_job_id): (&str, &str),
        state: i64,
        failed: i64,
        (failure_code, failure): (&str, &str),
        now_us: i64,
    ) -> Result<u64> {
        let sql = "SELECT id FROM inputs WHERE app_uid = ?1 AND add_job_id = ?2 AND state = ?3";
        let params = [app_uid.into(), add_job_id.into(), state.into()];
        let ids = self.select("inputs", sql, &params, |row| row.text())?;
        self.touch_inputs(app_uid, &ids)?;
        let sql = "UPDATE inputs SET state = ?4, failure_code = ?5, failure = ?6, modified_at_us = ?7 \
                   WHERE app_uid = ?1 AND add_job_id = ?2 AND state = ?3";
        let params = [
            app_uid.into(),
            add_job_id.into(),
            state.into(),
            failed.into(),
            failure_code.into(),
            failure.into(),
            now_us.into(),
        ];
        self.exec(sql, &params)
    }

    /// Up to `limit` of the app's inputs in the order of their ids, behind `after` if that is given.
    pub fn inputs_by_id_order(
        &self,
        app_uid: &str,
        after: Option<&str>,
        descending: bool,
        limit: i64,
    ) -> Result<Vec<Input>> {
        let mut params: Vec<Val<'_>> = vec![app_uid.into(), limit.into()];
        let (order, than) = if descending { ("DESC", "<") } else { ("ASC", ">") };
        let mut tests = String::new();
        if let Some(after) = after {
            params.push(after.into());
            tests = format!(" AND id {than} ?3");
        }
        let sql = format!("SELECT id FROM inputs WHERE app_uid = ?1{tests} ORDER BY id {order} LIMIT ?2");
        let ids = self.select("inputs", &sql, &params, |row| row.text())?;
        self.inputs_by_ids(app_uid, &ids)
    }
}
