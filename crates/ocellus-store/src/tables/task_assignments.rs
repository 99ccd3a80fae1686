//! Table `task_assignments`: the queue of a labelling task, one row for each input and worker.

use crate::Result;
use crate::db::{BadColumn, Row, Tx};
use crate::page::id_chunks;

/// Work on one input by one worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskAssignment {
    /// The app.
    pub app_uid: String,
    /// Unique within the app.
    pub id: String,
    /// The task.
    pub task_id: String,
    /// Its place in the app's order of assignments; set when it is added.
    pub seq: i64,
    /// The input.
    pub input_id: String,
    /// Who works on it; empty while nobody does.
    pub worker_id: String,
    /// How far the work is.
    pub status: String,
    /// Who reviews it; empty while nobody does.
    pub reviewer_id: String,
    /// The reviewers who have approved it, each between commas.
    pub approved_by: String,
    /// Account and key of the last change.
    pub modified_by: String,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const COLUMNS: &str = "app_uid, id, task_id, seq, input_id, worker_id, status, reviewer_id, approved_by, \
                       modified_by, created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<TaskAssignment, BadColumn> {
    Ok(TaskAssignment {
        app_uid: row.text()?,
        id: row.text()?,
        task_id: row.text()?,
        seq: row.int()?,
        input_id: row.text()?,
        worker_id: row.text()?,
        status: row.text()?,
        reviewer_id: row.text()?,
        approved_by: row.text()?,
        modified_by: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds assignments of one app in their order; those that are there already are left alone.
    pub fn insert_task_assignments(&self, assignments: &[TaskAssignment]) -> Result<u64> {
        let Some(app_uid) = assignments.first().map(|first| first.app_uid.as_str()) else {
            return Ok(0);
        };
        let first = self.take_numbers(app_uid, "task_assignments", assignments.len() as i64)?;
        let rows = assignments.iter().zip(first..).map(|(assignment, seq)| {
            vec![
                app_uid.into(),
                (&assignment.id).into(),
                (&assignment.task_id).into(),
                seq.into(),
                (&assignment.input_id).into(),
                (&assignment.worker_id).into(),
                (&assignment.status).into(),
                (&assignment.reviewer_id).into(),
                (&assignment.approved_by).into(),
                (&assignment.modified_by).into(),
                assignment.created_at_us.into(),
                assignment.modified_at_us.into(),
            ]
        });
        self.insert_many("task_assignments", COLUMNS, "ON CONFLICT DO NOTHING", rows.collect())
    }

    /// The assignments of a task with these ids, in the order of the task.
    pub fn task_assignments_by_ids<S: AsRef<str>>(
        &self,
        app_uid: &str,
        task_id: &str,
        ids: &[S],
    ) -> Result<Vec<TaskAssignment>> {
        let mut found = Vec::new();
        for (list, vals) in id_chunks(ids, 3) {
            let sql = format!(
                "SELECT {COLUMNS} FROM task_assignments WHERE app_uid = ?1 AND id IN ({list}) \
                 AND task_id || '' = ?2"
            );
            let mut params = vec![app_uid.into(), task_id.into()];
            params.extend(vals);
            found.extend(self.select("task_assignments", &sql, &params, from_row)?);
        }
        found.sort_by_key(|row: &TaskAssignment| row.seq);
        Ok(found)
    }

    /// A worker's assignments in one state, in the order of the task; the worker "" has those that nobody
    /// works on.
    #[expect(clippy::too_many_arguments, reason = "whose assignments, their states and the page")]
    pub fn task_assignments_of_worker(
        &self,
        app_uid: &str,
        task_id: &str,
        worker_id: &str,
        status: &str,
        limit: i64,
    ) -> Result<Vec<TaskAssignment>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM task_assignments \
             WHERE app_uid = ?1 AND task_id = ?2 AND worker_id = ?3 AND status = ?4 ORDER BY seq LIMIT ?5"
        );
        let params = [app_uid.into(), task_id.into(), worker_id.into(), status.into(), limit.into()];
        self.select("task_assignments", &sql, &params, from_row)
    }

    /// The assignments of a task in one state that come after a place, in the order of the task.
    #[expect(clippy::too_many_arguments, reason = "which assignments and the page")]
    pub fn task_assignments_with_status(
        &self,
        app_uid: &str,
        task_id: &str,
        status: &str,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<TaskAssignment>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM task_assignments \
             WHERE app_uid = ?1 AND task_id = ?2 AND status = ?3 AND seq > ?4 ORDER BY seq LIMIT ?5"
        );
        let params = [app_uid.into(), task_id.into(), status.into(), after_seq.into(), limit.into()];
        self.select("task_assignments", &sql, &params, from_row)
    }

    /// Everybody's assignments of one input in a task.
    pub fn task_assignments_of_input(
        &self,
        app_uid: &str,
        task_id: &str,
        input_id: &str,
    ) -> Result<Vec<TaskAssignment>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM task_assignments \
             WHERE app_uid = ?1 AND task_id = ?2 AND input_id = ?3 ORDER BY worker_id"
        );
        self.select("task_assignments", &sql, &[app_uid.into(), task_id.into(), input_id.into()], from_row)
    }

    /// Writes worker, status, reviewers and who changed it; false when there is no such assignment.
    pub fn update_task_assignment(&self, assignment: &TaskAssignment) -> Result<bool> {
        let sql = "UPDATE task_assignments SET worker_id = ?3, status = ?4, reviewer_id = ?5, \
                   approved_by = ?6, modified_by = ?7, modified_at_us = ?8 WHERE app_uid = ?1 AND id = ?2";
        let params = [
            (&assignment.app_uid).into(),
            (&assignment.id).into(),
            (&assignment.worker_id).into(),
            (&assignment.status).into(),
            (&assignment.reviewer_id).into(),
            (&assignment.approved_by).into(),
            (&assignment.modified_by).into(),
            assignment.modified_at_us.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// How many assignments each worker has, by status, in a fixed order.
    pub fn count_task_assignments(&self, app_uid: &str, task_id: &str) -> Result<Vec<(String, String, i64)>> {
        let sql = "SELECT worker_id, status, COUNT(*) FROM task_assignments \
                   WHERE app_uid = ?1 AND task_id = ?2 GROUP BY worker_id, status ORDER BY worker_id, status";
        let map = |row: &mut Row| Ok((row.text()?, row.text()?, row.int()?));
        self.select("task_assignments", sql, &[app_uid.into(), task_id.into()], map)
    }

    /// How many different inputs a task has: in all, with work submitted by everybody who has them, and with
    /// every assignment decided.
    pub fn count_task_inputs(
        &self,
        app_uid: &str,
        task_id: &str,
        decided: [&str; 2],
        pending: &str,
    ) -> Result<(i64, i64, i64)> {
        let sql = "SELECT COUNT(*), SUM(CASE WHEN n_pending = 0 THEN 1 ELSE 0 END), \
                   SUM(CASE WHEN n_decided = n_all THEN 1 ELSE 0 END) FROM (\
                   SELECT COUNT(*) AS n_all, SUM(CASE WHEN status = ?5 THEN 1 ELSE 0 END) AS n_pending, \
                   SUM(CASE WHEN status = ?3 OR status = ?4 THEN 1 ELSE 0 END) AS n_decided \
                   FROM task_assignments WHERE app_uid = ?1 AND task_id = ?2 GROUP BY input_id) AS per_input";
        let params = [app_uid.into(), task_id.into(), decided[0].into(), decided[1].into(), pending.into()];
        let map = |row: &mut Row| Ok((row.int()?, row.opt_int()?.unwrap_or(0), row.opt_int()?.unwrap_or(0)));
        Ok(self.select_one("task_assignments", sql, &params, map)?.unwrap_or((0, 0, 0)))
    }

    /// How many inputs of a task each reviewer has decided on.
    pub fn count_task_reviews(
        &self,
        app_uid: &str,
        task_id: &str,
        decided: [&str; 2],
    ) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT reviewer_id, COUNT(DISTINCT input_id) FROM task_assignments \
                   WHERE app_uid = ?1 AND task_id = ?2 AND status IN (?3, ?4) AND reviewer_id <> '' \
                   GROUP BY reviewer_id ORDER BY reviewer_id";
        let params = [app_uid.into(), task_id.into(), decided[0].into(), decided[1].into()];
        self.select("task_assignments", sql, &params, |row| Ok((row.text()?, row.int()?)))
    }

    /// Removes all assignments of a task; returns how many went.
    pub fn delete_task_assignments(&self, app_uid: &str, task_id: &str) -> Result<u64> {
        let sql = "DELETE FROM task_assignments WHERE app_uid = ?1 AND task_id = ?2";
        self.exec(sql, &[app_uid.into(), task_id.into()])
    }
}
