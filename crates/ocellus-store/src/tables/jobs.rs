//! Table `jobs`: work that outlives the request which asked for it. A job is enqueued in the transaction
//! of the change that it follows from; its parts are in [`crate::tables::job_parts`].

use crate::db::{BadColumn, Row, Tx, Val};
use crate::tables::job_parts::JobPart;
use crate::{JsonMap, Result};

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Unique.
    pub id: String,
    /// The name of the code that runs it.
    pub kind: String,
    /// Who asked for it.
    pub account_id: String,
    /// The app that it works on, if it is one.
    pub app_uid: Option<String>,
    /// 0 pending, 1 running, 2 cancelled, 3 failed, 4 collecting, 5 done.
    pub state: i64,
    /// What the job needs to know.
    pub payload: JsonMap,
    /// What came of it.
    pub result: JsonMap,
    /// Into how many parts it was split.
    pub n_parts: i64,
    /// How many parts are done.
    pub n_done: i64,
    /// How many parts have failed for good.
    pub n_failed: i64,
    /// How often the job as a whole was begun; kept by the code that runs it.
    pub attempts: i64,
    /// How often one part may be begun before it fails for good.
    pub max_attempts: i64,
    /// Whether somebody wants it to stop.
    pub cancel_requested: bool,
    /// Why it failed, in words; empty otherwise.
    pub error: String,
    /// At most one open job has this key.
    pub dedupe_key: Option<String>,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub updated_at_us: i64,
    /// When it ended, in microseconds since 1970 UTC.
    pub finished_at_us: Option<i64>,
}

impl Job {
    /// The state of a job of which no part has begun.
    pub const PENDING: i64 = 0;
    /// The state of a job of which some part has begun.
    pub const RUNNING: i64 = 1;
    /// The state of a job that was told to stop, and has.
    pub const CANCELLED: i64 = 2;
    /// The state of a job of which every part has failed.
    pub const FAILED: i64 = 3;
    /// The state of a job whose parts have ended and whose results are being put together.
    pub const COLLECTING: i64 = 4;
    /// The state of a job that has ended with at least one part done.
    pub const DONE: i64 = 5;

    /// A pending job with three attempts a part and nothing else set.
    pub fn new(id: &str, kind: &str, account_id: &str, now_us: i64) -> Self {
        Job {
            id: id.to_owned(),
            kind: kind.to_owned(),
            account_id: account_id.to_owned(),
            app_uid: None,
            state: Self::PENDING,
            payload: JsonMap::new(),
            result: JsonMap::new(),
            n_parts: 0,
            n_done: 0,
            n_failed: 0,
            attempts: 0,
            max_attempts: 3,
            cancel_requested: false,
            error: String::new(),
            dedupe_key: None,
            created_at_us: now_us,
            updated_at_us: now_us,
            finished_at_us: None,
        }
    }
}

/// Which jobs [`Tx::jobs_of`] returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobQuery {
    /// Only jobs of this app.
    pub app_uid: Option<String>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
    /// At most this many.
    pub limit: i64,
    /// Leave out this many first.
    pub offset: i64,
}

pub(crate) const COLUMNS: &str = "id, kind, account_id, app_uid, state, payload, result, n_parts, n_done, \
                                  n_failed, attempts, max_attempts, cancel_requested, error, dedupe_key, \
                                  created_at_us, updated_at_us, finished_at_us";

fn from_row(row: &mut Row) -> Result<Job, BadColumn> {
    Ok(Job {
        id: row.text()?,
        kind: row.text()?,
        account_id: row.text()?,
        app_uid: row.opt_text()?,
        state: row.int()?,
        payload: row.json()?,
        result: row.json()?,
        n_parts: row.int()?,
        n_done: row.int()?,
        n_failed: row.int()?,
        attempts: row.int()?,
        max_attempts: row.int()?,
        cancel_requested: row.flag()?,
        error: row.text()?,
        dedupe_key: row.opt_text()?,
        created_at_us: row.int()?,
        updated_at_us: row.int()?,
        finished_at_us: row.opt_int()?,
    })
}

impl Tx<'_> {
    /// Adds a job with its parts. The parts' job id and index are set here, as is `n_parts`; a job
    /// without parts gets one with an empty subject. `Conflict` when the id is taken or an open job
    /// has the same `dedupe_key`, and then the transaction goes on.
    pub fn insert_job(&self, job: &Job, parts: &[JobPart]) -> Result<()> {
        let n_parts = parts.len().max(1) as i64;
        let row = vec![
            (&job.id).into(),
            (&job.kind).into(),
            (&job.account_id).into(),
            (&job.app_uid).into(),
            job.state.into(),
            Val::json(&job.payload),
            Val::json(&job.result),
            n_parts.into(),
            job.n_done.into(),
            job.n_failed.into(),
            job.attempts.into(),
            job.max_attempts.into(),
            Val::flag(job.cancel_requested),
            (&job.error).into(),
            (&job.dedupe_key).into(),
            job.created_at_us.into(),
            job.updated_at_us.into(),
            job.finished_at_us.into(),
        ];
        self.insert("jobs", COLUMNS, row)?;
        if parts.is_empty() {
            return self.insert_parts(job, &[JobPart::new("", job.created_at_us)]);
        }
        self.insert_parts(job, parts)
    }

    /// A job by id.
    pub fn job(&self, id: &str) -> Result<Option<Job>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
        self.select_one("jobs", &sql, &[id.into()], from_row)
    }

    /// The open job with this key.
    pub fn open_job_by_dedupe_key(&self, key: &str) -> Result<Option<Job>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE dedupe_key = ?1 AND finished_at_us IS NULL");
        self.select_one("jobs", &sql, &[key.into()], from_row)
    }

    /// An account's jobs, newest first.
    pub fn jobs_of(&self, account_id: &str, query: &JobQuery) -> Result<Vec<Job>> {
        let mut params: Vec<Val<'_>> = vec![account_id.into(), query.limit.into(), query.offset.into()];
        let mut tests = String::new();
        for (column, value) in [("app_uid", &query.app_uid), ("kind", &query.kind)] {
            if let Some(value) = value {
                params.push(value.into());
                tests.push_str(&format!(" AND {column} = ?{}", params.len()));
            }
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE account_id = ?1{tests} \
             ORDER BY created_at_us DESC, id DESC LIMIT ?2 OFFSET ?3"
        );
        self.select("jobs", &sql, &params, from_row)
    }

    /// An app's jobs of one kind, newest first.
    pub fn jobs_of_app(&self, app_uid: &str, kind: &str, limit: i64, offset: i64) -> Result<Vec<Job>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE app_uid = ?1 AND kind = ?2 \
             ORDER BY created_at_us DESC, id DESC LIMIT ?3 OFFSET ?4"
        );
        self.select("jobs", &sql, &[app_uid.into(), kind.into(), limit.into(), offset.into()], from_row)
    }

    /// Removes a job that has ended, with its parts and errors; false when there is none or it goes on.
    pub fn delete_ended_job(&self, id: &str) -> Result<bool> {
        if self.job(id)?.is_none_or(|job| job.finished_at_us.is_none()) {
            return Ok(false);
        }
        for (table, key) in [("job_errors", "job_id"), ("job_parts", "job_id"), ("jobs", "id")] {
            self.exec(&format!("DELETE FROM {table} WHERE {key} = ?1"), &[id.into()])?;
        }
        Ok(true)
    }

    /// How many jobs have not ended.
    pub fn count_open_jobs(&self) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM jobs WHERE finished_at_us IS NULL";
        Ok(self.select_one("jobs", sql, &[], |row| row.int())?.unwrap_or(0))
    }

    /// Writes what came of a job; false when there is none.
    pub fn set_job_result(&self, id: &str, result: &JsonMap, now_us: i64) -> Result<bool> {
        let sql = "UPDATE jobs SET result = ?2, updated_at_us = ?3 WHERE id = ?1";
        Ok(self.exec(sql, &[id.into(), Val::json(result), now_us.into()])? > 0)
    }

    /// Empties what a job was given to work on.
    pub fn forget_job_payload(&self, id: &str) -> Result<()> {
        self.exec("UPDATE jobs SET payload = '{}' WHERE id = ?1", &[id.into()])?;
        Ok(())
    }

    /// Asks a job to stop: parts that wait are cancelled at once, parts that run are told at their next
    /// [`Tx::extend_lease`], what is done stays done. False when there is no such open job.
    pub fn cancel_job(&self, id: &str, now_us: i64) -> Result<bool> {
        let sql = "UPDATE jobs SET cancel_requested = 1, updated_at_us = ?2 \
                   WHERE id = ?1 AND finished_at_us IS NULL";
        if self.exec(sql, &[id.into(), now_us.into()])? == 0 {
            return Ok(false);
        }
        self.cancel_waiting_parts(id)?;
        self.end_job_if_over(id, now_us)?;
        Ok(true)
    }

    /// Ends a job when all its parts have ended; true when this call ended it.
    pub(crate) fn end_job_if_over(&self, id: &str, now_us: i64) -> Result<bool> {
        let Some(job) = self.job(id)? else { return Ok(false) };
        if job.finished_at_us.is_some() {
            return Ok(false);
        }
        // A part may also have cancelled itself, because what it was for is gone.
        let is_counted = job.n_done + job.n_failed >= job.n_parts;
        let over = is_counted && !job.cancel_requested || !self.has_open_parts(id)?;
        if !over {
            return Ok(false);
        }
        let (state, error) = match job {
            _ if !is_counted => (Job::CANCELLED, String::new()),
            _ if job.n_done == 0 && job.n_failed > 0 => {
                (Job::FAILED, self.last_part_error(id)?.unwrap_or_default())
            }
            _ => (Job::DONE, String::new()),
        };
        let sql = "UPDATE jobs SET state = ?2, error = ?3, finished_at_us = ?4, updated_at_us = ?4 \
                   WHERE id = ?1 AND finished_at_us IS NULL";
        Ok(self.exec(sql, &[id.into(), state.into(), error.into(), now_us.into()])? > 0)
    }

    /// Removes up to `limit` jobs that ended before a time, with their parts and errors; returns how
    /// many jobs went.
    pub fn purge_jobs(&self, finished_before_us: i64, limit: i64) -> Result<i64> {
        let sql = "SELECT id FROM jobs WHERE finished_at_us < ?1 ORDER BY finished_at_us LIMIT ?2";
        let ids = self.select("jobs", sql, &[finished_before_us.into(), limit.into()], |row| row.text())?;
        for (list, vals) in crate::page::id_chunks(&ids, 1) {
            for (table, key) in [("job_errors", "job_id"), ("job_parts", "job_id"), ("jobs", "id")] {
                self.exec(&format!("DELETE FROM {table} WHERE {key} IN ({list})"), &vals)?;
            }
        }
        Ok(ids.len() as i64)
    }
}
