//! Add jobs: what was added together, by calls that name the job or by extractions, and how far its inputs have come.
//!
//! The progress is that of the inputs themselves, so it survives the background jobs that describe them.

use std::collections::HashMap;

use ocellus_store as store;
use serde::{Deserialize, Serialize};

use crate::extractions::{self, Extraction};
use crate::inputs::create::check_alive;
use crate::inputs::{FailureCode, STATE_FAILED, STATE_PENDING, STATE_PROCESSING, STATE_READY};
use crate::resources::{self, Document, Listing, New, Shelf, Stored};
use crate::uploads::{self, Progress};
use crate::{AppCtx, Error, Page, Result};

/// The most extractions of one job.
const MAX_EXTRACTIONS: usize = 1_000;

/// What an add job consists of. Fields may be added; an absent one means its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddJob {
    /// Its extractions, in the order of their making.
    pub extraction_ids: Vec<String>,
    /// The uploads that they read.
    pub upload_ids: Vec<String>,
    /// Whether somebody wanted it to stop.
    pub cancelled: bool,
}

impl Document for AddJob {
    const KIND: &'static str = "inputs_add_job";
    const NOUN: &'static str = "inputs add job";
    const FIELD: &'static str = "inputs_add_jobs";

    fn check(&self) -> Result<()> {
        if self.extraction_ids.len() > MAX_EXTRACTIONS {
            let message = format!("must not have more than {MAX_EXTRACTIONS} extractions");
            return Err(Error::invalid("inputs_add_job_id", message));
        }
        Ok(())
    }
}

/// How many inputs of a job are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting.
    pub pending: u64,
    /// Being described.
    pub processing: u64,
    /// Described.
    pub ready: u64,
    /// Given up, or entries of archives that made no input.
    pub failed: u64,
}

/// Where a job stands as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has begun.
    Queued,
    /// Something is still to be done.
    Running,
    /// Everything has ended.
    Done,
    /// Every extraction has failed.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// An add job with what became of its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct AddJobReport {
    /// The job.
    pub job: Stored<AddJob>,
    /// Its extractions, in order.
    pub extractions: Vec<Stored<Extraction>>,
    /// The uploads that it reads; those deleted since are left out.
    pub uploads: Vec<Progress>,
    /// Its inputs.
    pub counts: Counts,
}

impl AddJobReport {
    /// Where it stands as a whole.
    pub fn state(&self) -> State {
        use extractions::State as Of;
        let any = |state: Of| self.extractions.iter().any(|extraction| extraction.doc.state == state);
        let all = |state: Of| self.extractions.iter().all(|extraction| extraction.doc.state == state);
        let begun = self.counts.processing + self.counts.ready + self.counts.failed > 0;
        match () {
            () if self.job.doc.cancelled => State::Cancelled,
            () if any(Of::Running) => State::Running,
            () if any(Of::Waiting)
                || any(Of::Pending)
                || self.counts.pending + self.counts.processing > 0 =>
            {
                if begun {
                    State::Running
                } else {
                    State::Queued
                }
            }
            () if !self.extractions.is_empty() && all(Of::Failed) => State::Failed,
            () => State::Done,
        }
    }
}

/// The row of a job that is made if it does not exist.
pub(crate) fn row(app: &AppCtx, id: &str) -> Result<store::Resource> {
    resources::row_of(&Shelf::from(app), New { id: Some(id.to_owned()), doc: AddJob::default() })
}

/// Makes a job unless it is there.
pub(crate) fn ensure(tx: &store::Tx<'_>, row: &store::Resource) -> Result<()> {
    if tx.resource(&row.owner_uid, AddJob::KIND, "", &row.id)?.is_none() {
        tx.insert_resource(row)?;
    }
    Ok(())
}

/// One job. `NotFound` if it does not exist.
pub async fn get(app: &AppCtx, id: &str) -> Result<AddJobReport> {
    let job = resources::get::<AddJob>(&Shelf::from(app), id).await?;
    let found = complete(app, vec![job]).await?;
    found.into_iter().next().ok_or_else(|| resources::missing::<AddJob>(id))
}

/// The jobs with these ids, in their order; missing ones are left out.
pub async fn get_many(app: &AppCtx, ids: &[String]) -> Result<Vec<AddJobReport>> {
    let jobs = resources::get_many::<AddJob>(&Shelf::from(app), ids).await?;
    complete(app, jobs).await
}

/// A page of the app's jobs, in order of creation.
pub async fn list(app: &AppCtx, page: Page) -> Result<Vec<AddJobReport>> {
    let jobs = resources::list::<AddJob>(&Shelf::from(app), &Listing::default(), page).await?;
    complete(app, jobs).await
}

async fn complete(app: &AppCtx, jobs: Vec<Stored<AddJob>>) -> Result<Vec<AddJobReport>> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        jobs.iter().map(|job| report(tx, &uid, job.clone())).collect::<Result<Vec<_>>>()
    };
    app.platform().store().read(read).await
}

fn report(tx: &store::Tx<'_>, uid: &str, job: Stored<AddJob>) -> Result<AddJobReport> {
    let rows = tx.resources_by_ids(uid, Extraction::KIND, "", &job.doc.extraction_ids)?;
    let extractions = rows.into_iter().map(resources::stored).collect::<Result<Vec<Stored<Extraction>>>>()?;
    let uploads = uploads::progress_of(tx, uid, &job.doc.upload_ids)?;
    let by_state: HashMap<i64, i64> = tx.count_inputs_of_add_job(uid, &job.id)?.into_iter().collect();
    let of = |state: i64| by_state.get(&state).and_then(|n| u64::try_from(*n).ok()).unwrap_or(0);
    let n_refused: u64 = extractions.iter().map(|extraction| extraction.doc.n_refused).sum();
    let counts = Counts {
        pending: of(STATE_PENDING),
        processing: of(STATE_PROCESSING),
        ready: of(STATE_READY),
        failed: of(STATE_FAILED) + n_refused,
    };
    Ok(AddJobReport { job, extractions, uploads, counts })
}

/// Stops a job: its extractions end, and inputs that wait for their description are given up. What is done stays.
pub async fn cancel(app: &AppCtx, id: &str) -> Result<AddJobReport> {
    app.check_writable()?;
    let (uid, job_id, now_us) = (app.uid().to_owned(), id.to_owned(), app.platform().clock().now_us());
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &uid)?;
        let found = resources::find::<AddJob>(tx, &uid, "", &job_id)?;
        let job = found.ok_or_else(|| resources::missing::<AddJob>(&job_id))?;
        let before = report(tx, &uid, job)?;
        if matches!(before.state(), State::Done | State::Failed | State::Cancelled) {
            return Ok(());
        }
        for extraction in &before.extractions {
            extractions::cancel_in(tx, &uid, &extraction.id, now_us)?;
        }
        let reason = (FailureCode::Cancelled.name(), "the job that added the input was cancelled");
        tx.give_up_inputs_of_add_job((&uid, &job_id), STATE_PENDING, STATE_FAILED, reason, now_us)?;
        resources::rewrite::<AddJob>(tx, &uid, &job_id, now_us, |job| {
            job.cancelled = true;
            Ok(())
        })
    };
    app.platform().store().write(write).await?;
    get(app, id).await
}
