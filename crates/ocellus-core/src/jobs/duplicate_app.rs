//! Copies an app's content into another app in small transactions, each of which also writes down how far it got.

use futures_util::FutureExt;
use ocellus_store as store;

use super::{JobCtx, JobKind, NewJob, Outcome, describe_parts, process_input};
use crate::duplications::{Duplication, State};
use crate::inputs::{STATE_PENDING, STATE_PROCESSING, STATE_READY};
use crate::{Error, Platform, Resource, Result, resources, workflows};

pub(crate) const KIND: JobKind = JobKind {
    name: "duplicate_app",
    max_attempts: 20,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// Rows looked at in one transaction: few enough that others hardly wait.
const BATCH: i64 = 50;

/// The job for a duplication that is being made.
pub(crate) fn job(platform: &Platform, account_id: &str, app_uid: &str, id: &str) -> NewJob {
    let now_us = platform.clock().now_us();
    let mut new = NewJob::new(&KIND, &platform.ids().id(), account_id, now_us);
    new.job.app_uid = Some(app_uid.to_owned());
    new.parts = vec![store::JobPart::new(id, now_us)];
    new
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    loop {
        cx.checkpoint()?;
        let (job, part) = (cx.job.clone(), cx.part.clone());
        let (now_us, inputs_job) = (cx.platform.clock().now_us(), cx.platform.ids().id());
        let step = move |tx: &mut store::Tx<'_>| step(tx, &job, &part, &inputs_job, now_us);
        let left = cx.platform.store().write(step).await?;
        cx.platform.job_added().notify_waiters();
        if !left {
            return Ok(Outcome::nothing());
        }
    }
}

/// Copies the next portion; whether anything is left.
fn step(
    tx: &store::Tx<'_>,
    job: &store::Job,
    part: &store::JobPart,
    inputs_job: &str,
    now_us: i64,
) -> Result<bool> {
    let mut left = false;
    change(tx, job, part, now_us, |doc| {
        if doc.state == State::Done {
            return Ok(());
        }
        for (uid, id) in
            [(&doc.source_uid, &doc.source_app_id), (&doc.destination_uid, &doc.destination_app_id)]
        {
            if tx.app_by_uid(uid)?.is_none_or(|app| app.deleted_at_us.is_some()) {
                return Err(Error::not_found(Resource::App(id.clone())));
            }
        }
        left = copy(tx, doc, &job.account_id, inputs_job, now_us)?;
        doc.state = if left { State::Running } else { State::Done };
        Ok(())
    })?;
    Ok(left)
}

fn copy(
    tx: &store::Tx<'_>,
    doc: &mut Duplication,
    account_id: &str,
    inputs_job: &str,
    now_us: i64,
) -> Result<bool> {
    let apps = (doc.source_uid.as_str(), doc.destination_uid.as_str());
    if doc.parts.concepts {
        let (n_seen, n_copied) = tx.copy_concepts(apps, doc.n_concepts_seen, BATCH)?;
        doc.done.concepts += n_copied;
        if n_seen > 0 {
            doc.n_concepts_seen += n_seen;
            return Ok(true);
        }
    }
    if doc.parts.models {
        let (last_seq, n_copied, n_skipped) = tx.copy_models(apps, doc.last_model_seq, BATCH)?;
        doc.done.models += n_copied;
        doc.done.models_skipped += n_skipped;
        if let Some(seq) = last_seq {
            doc.last_model_seq = seq;
            return Ok(true);
        }
    }
    if doc.parts.workflows && !doc.workflows_seen {
        let ids = (doc.source_app_id.as_str(), doc.destination_app_id.as_str());
        (doc.done.workflows, doc.done.workflows_skipped) = workflows::copy::copy(tx, apps, ids)?;
        doc.workflows_seen = true;
        return Ok(true);
    }
    if !doc.parts.inputs {
        return Ok(false);
    }
    if doc.last_input_seq == 0 {
        workflows::default::copy_sources(tx, apps.0, apps.1)?;
    }
    let copied = tx.copy_inputs(apps, doc.last_input_seq, BATCH, doc.parts.annotations)?;
    // What waited for its description in the one app waits for it in the other.
    let waiting = copied.copied.iter().filter(|(_, state)| [STATE_PENDING, STATE_PROCESSING].contains(state));
    let waiting: Vec<String> = waiting.map(|(id, _)| id.clone()).collect();
    if !waiting.is_empty() {
        process_input::job(inputs_job, account_id, &doc.destination_uid, &waiting, now_us).insert(tx)?;
    }
    let ids = copied.copied.iter().filter(|(_, state)| *state == STATE_READY).map(|(id, _)| id);
    for (n, id) in ids.enumerate() {
        let job_id = format!("{inputs_job}-{n}");
        describe_parts::follow_up(tx, (&job_id, account_id), &doc.destination_uid, id, now_us)?;
    }
    doc.done.inputs += copied.copied.len() as u64;
    doc.done.inputs_skipped += copied.n_skipped;
    doc.done.annotations += copied.n_annotations;
    doc.last_input_seq = copied.last_seq.unwrap_or(doc.last_input_seq);
    Ok(copied.last_seq.is_some())
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    change(tx, job, part, now_us, |doc| {
        doc.state = State::Failed;
        doc.failure.clone_from(&error.message);
        Ok(())
    })
}

fn change(
    tx: &store::Tx<'_>,
    job: &store::Job,
    part: &store::JobPart,
    now_us: i64,
    change: impl FnOnce(&mut Duplication) -> Result<()>,
) -> Result<()> {
    let owner = resources::account_uid(&job.account_id);
    resources::rewrite(tx, &owner, &part.subject, now_us, change)
}
