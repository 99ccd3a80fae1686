//! Describes the inputs that are older than the image-text pair, so that texts find them too.

#[cfg(test)]
mod tests;

use futures_util::FutureExt;
use ocellus_store as store;

use super::{JobCtx, JobKind, NewJob, Outcome, describe_parts};
use crate::inputs::STATE_READY;
use crate::inputs::doc::InputDoc;
use crate::{Error, Kind, MediaKind, Platform, Result, predict};

pub(crate) const KIND: JobKind = JobKind {
    name: "describe_image_text",
    max_attempts: 8,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: None,
};

/// Inputs described in one go; the next ones get a job of their own.
const AT_ONCE: i64 = 32;
/// Names the space in the payload.
const SPACE: &str = "space";

/// The job for the inputs of an app that were created after `after_seq` and lack a vector in a space; that is also the
/// subject of its only part.
fn job((id, account_id): (&str, &str), app_uid: &str, space: &str, after_seq: i64, now_us: i64) -> NewJob {
    let mut new = NewJob::new(&KIND, id, account_id, now_us);
    new.job.app_uid = Some(app_uid.to_owned());
    new.job.payload = [(SPACE.to_owned(), space.into())].into_iter().collect();
    new.job.dedupe_key = Some(format!("{} {space} {app_uid} {after_seq}", KIND.name));
    new.parts = vec![store::JobPart::new(&after_seq.to_string(), now_us)];
    new
}

fn space_of(job: &store::Job) -> &str {
    job.payload.get(SPACE).and_then(|space| space.as_str()).unwrap_or_default()
}

impl Platform {
    /// Adds a job for each app with inputs that the image-text pair has not seen, unless it is under way already.
    pub(crate) async fn describe_older_inputs(&self) -> Result<()> {
        let Some(pair) = self.image_text() else { return Ok(()) };
        let (space, platform, now_us) = (pair.space().to_owned(), self.clone(), self.clock().now_us());
        let add = move |tx: &mut store::Tx<'_>| {
            for (app_uid, account_id) in tx.apps_lacking_vectors(&space, STATE_READY)? {
                let known = tx.jobs_of_app(&app_uid, KIND.name, i64::MAX, 0)?;
                let is_open = |job: &store::Job| job.finished_at_us.is_none() && space_of(job) == space;
                if !known.iter().any(is_open) {
                    job((&platform.ids().id(), &account_id), &app_uid, &space, 0, now_us).insert(tx)?;
                }
            }
            Ok::<_, Error>(())
        };
        self.store().write(add).await?;
        self.job_added().notify_waiters();
        Ok(())
    }
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let space = space_of(&cx.job).to_owned();
    if cx.platform.image_text().is_none_or(|pair| pair.space() != space) {
        // Another pair is in its place now, and has jobs of its own; unless another process has that pair.
        return match cx.platform.is_alone() {
            true => Ok(Outcome::nothing()),
            false => Err(Error::unavailable("this process has another image-text pair")),
        };
    }
    let after_seq = cx.part.subject.parse().unwrap_or(0);
    let (uid, wanted) = (app_uid.clone(), space.clone());
    let read = move |tx: &mut store::Tx<'_>| {
        let alive = tx.app_by_uid(&uid)?.is_some_and(|app| app.deleted_at_us.is_none());
        let found = tx.inputs_lacking_vector((&uid, &wanted), STATE_READY, after_seq, AT_ONCE)?;
        Ok::<_, Error>(if alive { found } else { Vec::new() })
    };
    let inputs = cx.platform.store().read(read).await?;
    let Some(last_seq) = inputs.last().map(|input| input.seq) else { return Ok(Outcome::nothing()) };
    let mut vectors = Vec::with_capacity(inputs.len());
    for input in &inputs {
        cx.checkpoint()?;
        match describe(&cx, input).await {
            Ok(data) => vectors.push(vector(&app_uid, &space, &input.id, data)),
            Err(error) if error.is_transient() || error.kind == Kind::Cancelled => return Err(error),
            Err(error) => tracing::warn!(%error, "an older input is not found by texts"),
        }
    }
    let (id, now_us) = (cx.platform.ids().id(), cx.platform.clock().now_us());
    let (account_id, platform) = (cx.job.account_id.clone(), cx.platform.clone());
    Ok(Outcome::effect(move |tx| {
        // What was deleted meanwhile stays deleted.
        let ids: Vec<&str> = vectors.iter().map(|vector| vector.input_id.as_str()).collect();
        let there = tx.inputs_by_ids(&app_uid, &ids)?;
        let still = |vector: &&store::Vector| there.iter().any(|input| input.id == vector.input_id);
        tx.put_vectors(&vectors.iter().filter(still).cloned().collect::<Vec<_>>())?;
        // Their parts are as old as they are.
        for input in &there {
            let parts = tx.regions_of_inputs(&app_uid, &[&input.id])?;
            let under_way = !tx.waiting_regions(&app_uid, &input.id, 1)?.is_empty();
            tx.put_annotation_regions(&parts)?;
            if !parts.is_empty() && !under_way {
                let id = platform.ids().id();
                describe_parts::job(&id, &account_id, &app_uid, &input.id, now_us).insert(tx)?;
            }
        }
        job((&id, &account_id), &app_uid, &space, last_seq, now_us).insert(tx)
    }))
}

fn vector(app_uid: &str, space: &str, input_id: &str, data: Vec<f32>) -> store::Vector {
    let (app_uid, space, input_id) = (app_uid.to_owned(), space.to_owned(), input_id.to_owned());
    store::Vector { app_uid, space, input_id, seq: 0, deleted: false, data }
}

/// The vector of an input, from its kept bytes.
async fn describe(cx: &JobCtx, input: &store::Input) -> Result<Vec<f32>> {
    let lost = || Error::invalid("data", "is no longer there");
    let hash = input.blob.as_ref().ok_or_else(lost)?;
    let bytes = cx.platform.store().blobs().get(hash).await?.ok_or_else(lost)?;
    if input.kind == MediaKind::Video.name() {
        return predict::image_text_of_video(&cx.platform, bytes).await;
    }
    let limits = *cx.platform.decode_limits();
    let crops: Vec<_> = InputDoc::read(&input.doc)?.crop.into_iter().collect();
    let open = move || predict::open_image(&bytes, &limits, &crops);
    let picture = cx.platform.engine().cpu(open).await??;
    predict::image_text_of(&cx.platform, picture).await
}
