//! A training from its begin to its end: waiting for inputs, progress, time limits, and the one write that makes the
//! version usable or says why it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use ocellus_store as store;
use parking_lot::Mutex;

use super::artefact::{HELD_OUT_ROLE, PROJECTION_ROLE, ROLE};
use super::estimate;
use super::make::{Made, Outset, make};
use crate::inputs::{STATE_PENDING, STATE_PROCESSING};
use crate::jobs::train_version::{self, Target};
use crate::jobs::{JobCtx, Outcome, gc_blobs};
use crate::user_models::{FailureReason, TrainingFailure, VersionDoc, VersionState, rewrite_version};
use crate::{Error, Kind, Result};

/// How often progress is written down and the caller's wish to stop is looked at.
const BEAT: Duration = Duration::from_millis(250);
/// How long a training that waits for inputs steps back at a time.
const STEP_BACK: Duration = Duration::from_millis(100);

/// How far a training has got; shared with the thread that learns.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<ToldInner>);

#[derive(Default)]
struct ToldInner {
    /// Thousandths.
    done: AtomicU32,
    is_over: AtomicBool,
    step: Mutex<&'static str>,
}

impl Told {
    /// Says what is being done now.
    pub(super) fn step(&self, step: &'static str) {
        *self.0.step.lock() = step;
    }

    /// Says how much is done, 0 to 1; false if it is to stop.
    pub(super) fn done(&self, part: f32) -> bool {
        self.0.done.fetch_max((part.clamp(0.0, 1.0) * 1000.0) as u32, Ordering::Relaxed);
        !self.0.is_over.load(Ordering::Relaxed)
    }

    fn thousandths(&self) -> u32 {
        self.0.done.load(Ordering::Relaxed)
    }
}

/// Stops the thread that learns when nobody waits for it any more.
struct StopOnDrop(Told);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Why nothing was learned: for the owner, or as a fault that may pass.
pub(super) enum Unmade {
    Failed(FailureReason, String),
    Error(Error),
}

impl From<Error> for Unmade {
    fn from(error: Error) -> Self {
        match error.kind {
            Kind::Invalid | Kind::TooLarge | Kind::Unsupported | Kind::NotFound => {
                Self::Failed(FailureReason::BadParameters, error.message)
            }
            Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::Conflict
            | Kind::Exhausted
            | Kind::Unavailable
            | Kind::Timeout
            | Kind::Cancelled
            | Kind::Internal => Self::Error(error),
        }
    }
}

impl From<ocellus_algo::Error> for Unmade {
    fn from(error: ocellus_algo::Error) -> Self {
        Error::from(error).into()
    }
}

/// Trains one version. A version that is gone or done already is left alone.
pub(crate) async fn run_training(cx: JobCtx, target: Target) -> Result<Outcome> {
    let Some(asked_at_us) = asked_at_us(&cx, &target).await? else { return Ok(Outcome::nothing()) };
    if inputs_are_coming(&cx, &target, asked_at_us).await? {
        return later(&cx, target).await;
    }
    let begun_us = cx.platform.clock().now_us();
    let told = Told::default();
    let _stop = StopOnDrop(told.clone());
    let outset = Outset { platform: &cx.platform, target: &target, told: &told };
    let (making, watching) = (make(outset).boxed(), watch(&cx, &target, &told, begun_us).boxed());
    let made = tokio::select! {
        biased;
        made = making => made,
        stopped = watching => Err(stopped),
    };
    match made {
        Ok(made) => finish(&cx, target, made).await,
        Err(Unmade::Error(error)) => Err(error),
        Err(Unmade::Failed(reason, message)) => {
            let now_us = cx.platform.clock().now_us();
            Ok(Outcome::effect(move |tx| training_failed(tx, &target, (reason, &message), now_us)))
        }
    }
}

/// When the version was asked for, if it still waits or was being trained by a run that was cut off.
async fn asked_at_us(cx: &JobCtx, target: &Target) -> Result<Option<i64>> {
    let target = target.clone();
    let read = move |tx: &mut store::Tx<'_>| {
        let row = tx.model_version(&target.app_uid, &target.model_uid, &target.version_id)?;
        let open = [VersionState::Queued.name(), VersionState::Training.name()];
        let row = row.filter(|row| open.contains(&row.state.as_str()));
        Ok::<_, Error>(row.map(|row| row.created_at_us))
    };
    cx.platform.store().read(read).await
}

/// Whether inputs that were there when the training was asked for are not described yet.
async fn inputs_are_coming(cx: &JobCtx, target: &Target, asked_at_us: i64) -> Result<bool> {
    let uid = target.app_uid.clone();
    let read = move |tx: &mut store::Tx<'_>| {
        let query = store::InputQuery {
            states: vec![STATE_PENDING, STATE_PROCESSING],
            limit: 1,
            ..store::InputQuery::default()
        };
        let oldest = tx.inputs_page(&uid, &query)?;
        Ok::<_, Error>(oldest.first().is_some_and(|row| row.created_at_us <= asked_at_us))
    };
    cx.platform.store().read(read).await
}

/// Makes room for those who describe the inputs: another job, behind theirs, takes the place of this one.
async fn later(cx: &JobCtx, target: Target) -> Result<Outcome> {
    tokio::time::sleep(STEP_BACK).await;
    let (id, account_id) = (cx.platform.ids().id(), cx.job.account_id.clone());
    let now_us = cx.platform.clock().now_us();
    Ok(Outcome::effect(move |tx| {
        let change = |_: &mut VersionState, doc: &mut VersionDoc| {
            doc.training.get_or_insert_default().job_id.clone_from(&id);
        };
        let name = (target.app_uid.as_str(), target.model_uid.as_str(), target.version_id.as_str());
        match rewrite_version(tx, name, now_us, change)? {
            Some(_) => train_version::job((&id, &account_id), &target, now_us)?.insert(tx),
            None => Ok(()),
        }
    }))
}

/// Writes down how far it has got until it is to stop, and says why.
async fn watch(cx: &JobCtx, target: &Target, told: &Told, begun_us: i64) -> Unmade {
    let limit_us = i64::from(target.recipe.timeout_s) * 1_000_000;
    let mut written = None;
    loop {
        if let Err(error) = cx.checkpoint() {
            return Unmade::Error(error);
        }
        let took_us = cx.platform.clock().now_us() - begun_us;
        if took_us > limit_us {
            let message = format!("the training took longer than {} seconds", target.recipe.timeout_s);
            return Unmade::Failed(FailureReason::TimedOut, message);
        }
        let now = (told.thousandths() / 10, *told.0.step.lock());
        if written != Some(now) {
            match tell(cx, target, now, begun_us, took_us).await {
                Ok(true) => written = Some(now),
                Ok(false) => return Unmade::Error(Error::cancelled("the version was deleted")),
                // The next one may get through; learning goes on meanwhile.
                Err(error) => error.log(),
            }
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// False if the version is gone.
async fn tell(
    cx: &JobCtx,
    target: &Target,
    (percent, step): (u32, &'static str),
    begun_us: i64,
    took_us: i64,
) -> Result<bool> {
    let left_s = estimate::left_s(percent, took_us);
    let (target, now_us) = (target.clone(), cx.platform.clock().now_us());
    let write = move |tx: &mut store::Tx<'_>| {
        let change = |state: &mut VersionState, doc: &mut VersionDoc| {
            *state = VersionState::Training;
            let training = doc.training.get_or_insert_default();
            training.begun_at_us = Some(begun_us);
            training.progress = percent as f32 / 100.0;
            training.step = step.to_owned();
            training.left_s = left_s;
        };
        let name = (target.app_uid.as_str(), target.model_uid.as_str(), target.version_id.as_str());
        Ok::<_, Error>(rewrite_version(tx, name, now_us, change)?.is_some())
    };
    cx.platform.store().write(write).await
}

/// Keeps what was learned; from then on the version can be used.
async fn finish(cx: &JobCtx, target: Target, made: Made) -> Result<Outcome> {
    let platform = &cx.platform;
    let held = platform.blob_gate().clone().read_owned().await;
    let name = made.artefact.reference(&made.bytes);
    platform.store().blobs().put(Bytes::from(made.bytes)).await?;
    let mut blobs = vec![(ROLE, name.sha256.clone())];
    let mut held_out = None;
    if let Some(scores) = &made.held_out {
        let hash = platform.store().blobs().put(Bytes::from(scores.to_bytes())).await?;
        blobs.push((HELD_OUT_ROLE, hash.clone()));
        held_out = Some(hash);
    }
    if let Some(projection) = &made.trained_on.backbone.projection {
        blobs.push((PROJECTION_ROLE, projection.sha256.clone()));
    }
    let (gc_id, account_id) = (platform.ids().id(), cx.job.account_id.clone());
    let (now_us, trained_on) = (platform.clock().now_us(), made.trained_on);
    let effect = move |tx: &store::Tx<'_>| {
        let change = |state: &mut VersionState, doc: &mut VersionDoc| {
            *state = VersionState::Trained;
            (doc.artefact, doc.held_out) = (Some(name.clone()), held_out.clone());
            (doc.trained_on, doc.failure) = (Some(trained_on.clone()), None);
            let training = doc.training.get_or_insert_default();
            (training.progress, training.left_s) = (1.0, None);
            training.step.clear();
        };
        let ids = (target.app_uid.as_str(), target.model_uid.as_str(), target.version_id.as_str());
        if rewrite_version(tx, ids, now_us, change)?.is_none() {
            let hashes = blobs.iter().map(|(_, hash)| hash.clone()).collect();
            return gc_blobs::job_for(&gc_id, &account_id, &hashes, now_us).insert(tx);
        }
        let blob = |(role, blob): &(&str, String)| store::ModelBlob {
            app_uid: target.app_uid.clone(),
            model_uid: target.model_uid.clone(),
            version_id: target.version_id.clone(),
            role: (*role).to_owned(),
            blob: blob.clone(),
        };
        Ok(tx.put_model_blobs(&blobs.iter().map(blob).collect::<Vec<_>>())?)
    };
    Ok(Outcome { effect: Some(Box::new(effect)), blobs_held: Some(held) })
}

/// Writes that a training failed, and why.
pub(crate) fn training_failed(
    tx: &store::Tx<'_>,
    target: &Target,
    (reason, message): (FailureReason, &str),
    now_us: i64,
) -> Result<()> {
    let change = |state: &mut VersionState, doc: &mut VersionDoc| {
        *state = VersionState::Failed;
        doc.failure = Some(TrainingFailure { reason, message: message.to_owned() });
        let training = doc.training.get_or_insert_default();
        training.left_s = None;
        training.step.clear();
    };
    let name = (target.app_uid.as_str(), target.model_uid.as_str(), target.version_id.as_str());
    rewrite_version(tx, name, now_us, change)?;
    Ok(())
}
