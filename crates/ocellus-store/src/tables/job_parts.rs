//! Table `job_parts`: the pieces of jobs that workers claim one by one under a lease.
//!
//! A part is run at least once: a worker that dies loses its lease, and the part is claimed again. A
//! worker whose lease has gone to another cannot write anything any more, because every write names the
//! owner and the attempt that it holds (fencing).

use std::collections::HashMap;

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::tables::job_errors::JobError;
use crate::tables::jobs::Job;
use crate::{JsonMap, Result};

/// A piece of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobPart {
    /// The job; set by [`Tx::insert_job`].
    pub job_id: String,
    /// The place in the job, from 0; set by [`Tx::insert_job`].
    pub idx: i64,
    /// 0 pending, 1 running, 2 cancelled, 3 failed, 5 done.
    pub state: i64,
    /// What it is about, for instance an input's id.
    pub subject: String,
    /// What the part needs to know beyond the job's payload.
    pub payload: JsonMap,
    /// How often it was claimed.
    pub attempts: i64,
    /// Not to be claimed before, in microseconds since 1970 UTC.
    pub run_at_us: i64,
    /// Until when the claim holds, in microseconds since 1970 UTC; 0 when nobody holds it.
    pub lease_until_us: i64,
    /// Who holds it; empty when nobody does.
    pub lease_owner: String,
    /// Why the last attempt failed, in words; empty when none did.
    pub error: String,
}

impl JobPart {
    /// A part that may be claimed from `run_at_us` on.
    pub fn new(subject: &str, run_at_us: i64) -> Self {
        JobPart {
            job_id: String::new(),
            idx: 0,
            state: Job::PENDING,
            subject: subject.to_owned(),
            payload: JsonMap::new(),
            attempts: 0,
            run_at_us,
            lease_until_us: 0,
            lease_owner: String::new(),
            error: String::new(),
        }
    }
}

/// What a worker learns when it extends its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The lease holds until the new time.
    Held,
    /// The lease holds, and somebody wants the job to stop.
    CancelRequested,
    /// The lease has gone to another worker, or the part has ended: stop, and write nothing.
    Lost,
}

/// What became of a part whose attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartFate {
    /// It waits for another attempt.
    Retried,
    /// It has failed for good, and a row in `job_errors` says why.
    Failed,
    /// The lease had gone to another worker; nothing was written.
    Stale,
}

const COLUMNS: &str = "job_id, idx, state, subject, payload, attempts, run_at_us, lease_until_us, \
                       lease_owner, error";

fn from_row(row: &mut Row) -> Result<JobPart, BadColumn> {
    Ok(JobPart {
        job_id: row.text()?,
        idx: row.int()?,
        state: row.int()?,
        subject: row.text()?,
        payload: row.json()?,
        attempts: row.int()?,
        run_at_us: row.int()?,
        lease_until_us: row.int()?,
        lease_owner: row.text()?,
        error: row.text()?,
    })
}

/// Holds for the lease that a worker was given, and for no later one.
const FENCE: &str = "job_id = ?1 AND idx = ?2 AND lease_owner = ?3 AND attempts = ?4 AND state = 1";

fn fence(part: &JobPart) -> Vec<Val<'_>> {
    vec![(&part.job_id).into(), part.idx.into(), (&part.lease_owner).into(), part.attempts.into()]
}

impl Tx<'_> {
    pub(crate) fn insert_parts(&self, job: &Job, parts: &[JobPart]) -> Result<()> {
        let rows = parts.iter().zip(0_i64..).map(|(part, idx)| {
            vec![
                (&job.id).into(),
                idx.into(),
                Job::PENDING.into(),
                (&part.subject).into(),
                Val::json(&part.payload),
                0_i64.into(),
                part.run_at_us.into(),
                0_i64.into(),
                "".into(),
                "".into(),
                (&job.kind).into(),
                part.run_at_us.into(),
            ]
        });
        self.insert_many("job_parts", &format!("{COLUMNS}, kind, due_at_us"), "", rows.collect())?;
        Ok(())
    }

    /// Claims up to `limit` parts of these kinds that are due, the longest due first: parts that wait,
    /// and parts whose lease has ended because their worker died. Each comes with its job. Workers that
    /// claim at once get different parts.
    ///
    /// A part may have more `attempts` than its job's `max_attempts` when its workers died rather than
    /// failed; the caller then gives it to [`Tx::fail_part_or_retry`] instead of running it.
    /// [`crate::Store::claim_parts`] runs this in a transaction of its own.
    #[expect(clippy::too_many_arguments, reason = "the five conditions of a claim")]
    pub fn claim_parts<S: AsRef<str>>(
        &self,
        kinds: &[S],
        owner: &str,
        now_us: i64,
        lease_until_us: i64,
        limit: i64,
    ) -> Result<Vec<(Job, JobPart)>> {
        let mut claimed = Vec::new();
        for (list, vals) in id_chunks(kinds, 5) {
            let left = limit - claimed.len() as i64;
            // The list of rows is fixed before the update, so that the limit holds however the
            // database plans the join.
            let sql = format!(
                "WITH due AS MATERIALIZED (SELECT job_id, idx FROM job_parts \
                 WHERE kind IN ({list}) AND due_at_us <= ?1 ORDER BY due_at_us, job_id, idx LIMIT ?2 {skip}) \
                 UPDATE job_parts SET state = 1, attempts = attempts + 1, lease_owner = ?3, \
                 lease_until_us = ?4, due_at_us = ?4 \
                 WHERE (job_id, idx) IN (SELECT job_id, idx FROM due) RETURNING {COLUMNS}",
                skip = self.dialect().skip_locked,
            );
            let mut params = vec![now_us.into(), left.into(), owner.into(), lease_until_us.into()];
            params.extend(vals);
            claimed.extend(self.select("job_parts", &sql, &params, from_row)?);
        }
        self.with_jobs(claimed, now_us)
    }

    /// Puts each part's job beside it, and marks jobs that had not begun as running.
    fn with_jobs(&self, mut parts: Vec<JobPart>, now_us: i64) -> Result<Vec<(Job, JobPart)>> {
        let mut jobs: HashMap<String, Job> = HashMap::new();
        for part in &parts {
            if jobs.contains_key(&part.job_id) {
                continue;
            }
            let Some(mut job) = self.job(&part.job_id)? else { continue };
            if job.state == Job::PENDING {
                let sql = "UPDATE jobs SET state = 1, updated_at_us = ?2 WHERE id = ?1 AND state = 0";
                self.exec(sql, &[(&job.id).into(), now_us.into()])?;
                job.state = Job::RUNNING;
            }
            jobs.insert(part.job_id.clone(), job);
        }
        parts.sort_by(|a, b| (a.run_at_us, &a.job_id, a.idx).cmp(&(b.run_at_us, &b.job_id, b.idx)));
        let pairs = parts.into_iter().filter_map(|part| Some((jobs.get(&part.job_id)?.clone(), part)));
        Ok(pairs.collect())
    }

    /// Keeps a claimed part until a later time.
    pub fn extend_lease(&self, part: &JobPart, lease_until_us: i64) -> Result<Lease> {
        let sql = format!("UPDATE job_parts SET lease_until_us = ?5, due_at_us = ?5 WHERE {FENCE}");
        let mut params = fence(part);
        params.push(lease_until_us.into());
        if self.exec(&sql, &params)? == 0 {
            return Ok(Lease::Lost);
        }
        let sql = "SELECT cancel_requested FROM jobs WHERE id = ?1";
        let cancel = self.select_one("jobs", sql, &[(&part.job_id).into()], |row| row.flag())?;
        Ok(if cancel == Some(true) { Lease::CancelRequested } else { Lease::Held })
    }

    /// Gives a claimed part back unrun, as if it had not been claimed (an orderly stop); false when
    /// the lease was lost.
    pub fn release_part(&self, part: &JobPart) -> Result<bool> {
        let sql = format!(
            "UPDATE job_parts SET state = 0, attempts = attempts - 1, lease_owner = '', \
             lease_until_us = 0, due_at_us = run_at_us WHERE {FENCE}"
        );
        let released = self.exec(&sql, &fence(part))? > 0;
        self.cancel_if_requested(part)?;
        Ok(released)
    }

    /// Gives back every part held by anybody but `owner`, for a database that only one process works
    /// on: the others are dead. Their attempts stay counted. Returns how many parts.
    pub fn release_leases_of_others(&self, owner: &str) -> Result<u64> {
        let sql = "UPDATE job_parts SET state = 0, lease_owner = '', lease_until_us = 0, \
                   due_at_us = run_at_us WHERE state = 1 AND lease_owner <> ?1";
        self.exec(sql, &[owner.into()])
    }

    /// Marks a claimed part as done, and ends the job with its last part. False, with nothing written,
    /// when the lease has gone to another worker: the caller should then roll its transaction back.
    pub fn finish_part(&self, part: &JobPart, now_us: i64) -> Result<bool> {
        if !self.end_part(part, Job::DONE, "")? {
            return Ok(false);
        }
        self.count_ended_part(part, "n_done", now_us)?;
        Ok(true)
    }

    /// Records a failed attempt of a claimed part. The part waits until `retry_at_us` for another one,
    /// or fails for good when that is `None`, when its attempts are used up or the job was cancelled.
    /// `error`'s job and part are set here.
    pub fn fail_part_or_retry(
        &self,
        part: &JobPart,
        error: &JobError,
        retry_at_us: Option<i64>,
        now_us: i64,
    ) -> Result<PartFate> {
        let Some(job) = self.job(&part.job_id)? else { return Ok(PartFate::Stale) };
        if let Some(retry_at_us) = retry_at_us
            && part.attempts < job.max_attempts
            && !job.cancel_requested
        {
            let sql = format!(
                "UPDATE job_parts SET state = 0, lease_owner = '', lease_until_us = 0, run_at_us = ?5, \
                 due_at_us = ?5, error = ?6 WHERE {FENCE}"
            );
            let mut params = fence(part);
            params.extend([retry_at_us.into(), (&error.message).into()]);
            return Ok(match self.exec(&sql, &params)? {
                0 => PartFate::Stale,
                _ => PartFate::Retried,
            });
        }
        if !self.end_part(part, Job::FAILED, &error.message)? {
            return Ok(PartFate::Stale);
        }
        self.insert_job_error(&JobError {
            job_id: part.job_id.clone(),
            part_idx: part.idx,
            ..error.clone()
        })?;
        self.count_ended_part(part, "n_failed", now_us)?;
        Ok(PartFate::Failed)
    }

    /// Marks a claimed part as cancelled because [`Lease::CancelRequested`] said so; false when the
    /// lease was lost.
    pub fn cancel_part(&self, part: &JobPart, now_us: i64) -> Result<bool> {
        let cancelled = self.end_part(part, Job::CANCELLED, "")?;
        if cancelled {
            self.end_job_if_over(&part.job_id, now_us)?;
        }
        Ok(cancelled)
    }

    fn end_part(&self, part: &JobPart, state: i64, error: &str) -> Result<bool> {
        let sql = format!(
            "UPDATE job_parts SET state = ?5, error = ?6, lease_owner = '', lease_until_us = 0, \
             due_at_us = NULL WHERE {FENCE}"
        );
        let mut params = fence(part);
        params.extend([state.into(), error.into()]);
        Ok(self.exec(&sql, &params)? > 0)
    }

    fn count_ended_part(&self, part: &JobPart, counter: &str, now_us: i64) -> Result<()> {
        let sql = format!("UPDATE jobs SET {counter} = {counter} + 1, updated_at_us = ?2 WHERE id = ?1");
        self.exec(&sql, &[(&part.job_id).into(), now_us.into()])?;
        self.end_job_if_over(&part.job_id, now_us)?;
        Ok(())
    }

    fn cancel_if_requested(&self, part: &JobPart) -> Result<()> {
        let cancelled = self.job(&part.job_id)?.filter(|job| job.cancel_requested);
        if let Some(job) = cancelled {
            self.cancel_waiting_parts(&job.id)?;
            self.end_job_if_over(&job.id, job.updated_at_us)?;
        }
        Ok(())
    }

    pub(crate) fn cancel_waiting_parts(&self, job_id: &str) -> Result<u64> {
        let sql = "UPDATE job_parts SET state = 2, due_at_us = NULL WHERE job_id = ?1 AND state = 0";
        self.exec(sql, &[job_id.into()])
    }

    pub(crate) fn has_open_parts(&self, job_id: &str) -> Result<bool> {
        let sql = "SELECT idx FROM job_parts WHERE job_id = ?1 AND due_at_us IS NOT NULL LIMIT 1";
        Ok(self.select_one("job_parts", sql, &[job_id.into()], |row| row.int())?.is_some())
    }

    pub(crate) fn last_part_error(&self, job_id: &str) -> Result<Option<String>> {
        let sql = "SELECT error FROM job_parts WHERE job_id = ?1 AND state = 3 ORDER BY idx DESC LIMIT 1";
        self.select_one("job_parts", sql, &[job_id.into()], |row| row.text())
    }

    /// One part of a job.
    pub fn job_part(&self, job_id: &str, idx: i64) -> Result<Option<JobPart>> {
        let sql = format!("SELECT {COLUMNS} FROM job_parts WHERE job_id = ?1 AND idx = ?2");
        self.select_one("job_parts", &sql, &[job_id.into(), idx.into()], from_row)
    }

    /// The parts of a job in their order.
    pub fn job_parts(&self, job_id: &str, limit: i64, offset: i64) -> Result<Vec<JobPart>> {
        let sql =
            format!("SELECT {COLUMNS} FROM job_parts WHERE job_id = ?1 ORDER BY idx LIMIT ?2 OFFSET ?3");
        self.select("job_parts", &sql, &[job_id.into(), limit.into(), offset.into()], from_row)
    }

    /// When the next part of these kinds may be claimed, in microseconds since 1970 UTC: the time has
    /// passed when one is due now; `None` when no part is open.
    pub fn next_due_us<S: AsRef<str>>(&self, kinds: &[S]) -> Result<Option<i64>> {
        let mut next: Option<i64> = None;
        for kind in kinds {
            let sql = "SELECT due_at_us FROM job_parts WHERE kind = ?1 AND due_at_us IS NOT NULL \
                       ORDER BY due_at_us LIMIT 1";
            let due = self.select_one("job_parts", sql, &[kind.as_ref().into()], |row| row.int())?;
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next)
    }
}
