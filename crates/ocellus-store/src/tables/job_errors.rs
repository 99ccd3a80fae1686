//! Table `job_errors`: what went wrong with single objects of a job, for those who asked for it.

use crate::Result;
use crate::db::{BadColumn, Row, Tx};

/// Something that went wrong in a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobError {
    /// The job.
    pub job_id: String,
    /// The part of the job, from 0.
    pub part_idx: i64,
    /// A short code.
    pub code: String,
    /// The object that it is about, for instance an input's id.
    pub subject: String,
    /// What went wrong, in words for the owner.
    pub message: String,
    /// When, in microseconds since 1970 UTC.
    pub created_at_us: i64,
}

const COLUMNS: &str = "job_id, part_idx, code, subject, message, created_at_us";

fn from_row(row: &mut Row) -> Result<JobError, BadColumn> {
    Ok(JobError {
        job_id: row.text()?,
        part_idx: row.int()?,
        code: row.text()?,
        subject: row.text()?,
        message: row.text()?,
        created_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds an error; it does not fail the part.
    pub fn insert_job_error(&self, error: &JobError) -> Result<()> {
        let row = vec![
            (&error.job_id).into(),
            error.part_idx.into(),
            (&error.code).into(),
            (&error.subject).into(),
            (&error.message).into(),
            error.created_at_us.into(),
        ];
        self.insert("job_errors", COLUMNS, row)
    }

    /// A job's errors in the order of its parts.
    pub fn job_errors(&self, job_id: &str, limit: i64, offset: i64) -> Result<Vec<JobError>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM job_errors WHERE job_id = ?1 \
             ORDER BY part_idx, created_at_us, code, subject LIMIT ?2 OFFSET ?3"
        );
        self.select("job_errors", &sql, &[job_id.into(), limit.into(), offset.into()], from_row)
    }
}
