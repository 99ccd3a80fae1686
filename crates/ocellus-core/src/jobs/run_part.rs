//! One part of a job from its run to its end: done with its effect, cancelled, to be tried again, or failed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use ocellus_store as store;
use store::PartFate;

use super::runner::kind_of;
use super::{Effect, JobCtx, JobKind, Outcome};
use crate::{Error, Kind, Result};

/// The longest wait before a finished part is written again.
const MAX_WRITE_WAIT: Duration = Duration::from_secs(3);
/// The longest wait between two attempts.
const MAX_BACKOFF_US: i64 = 60_000_000;

/// Runs one part to its end, whatever that is.
pub(super) async fn run_part(cx: JobCtx) -> Result<()> {
    let Some(kind) = kind_of(&cx.job) else {
        return end_failed(
            &cx,
            None,
            Error::unsupported(format!("there is no job '{}'", cx.job.kind)),
            false,
        )
        .await;
    };
    if cx.part.attempts > cx.job.max_attempts {
        let error = Error::new(Kind::Internal, "given up: the server stopped each time this was tried");
        return end_failed(&cx, Some(kind), error, false).await;
    }
    if cx.job.cancel_requested || cx.signal.should_stop() {
        return end_cancelled(&cx).await;
    }
    let started = Instant::now();
    let ended = AssertUnwindSafe((kind.run)(cx.clone())).catch_unwind().await;
    metrics::histogram!("ocellus_job_part_seconds", "kind" => kind.name).record(started.elapsed());
    match ended {
        Ok(Ok(outcome)) => match end_done(&cx, outcome).await {
            Ok(()) => Ok(()),
            Err(error) => end_failed(&cx, Some(kind), error, true).await,
        },
        Ok(Err(error)) if error.kind == Kind::Cancelled => end_cancelled(&cx).await,
        Ok(Err(error)) => end_failed(&cx, Some(kind), error, true).await,
        Err(panic) => {
            let error =
                Error::internal(anyhow::anyhow!("panic in job {}: {}", kind.name, panic_text(&*panic)));
            error.log();
            end_failed(&cx, Some(kind), error, false).await
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Ends a part together with its effect. The work is done, so a store that is busy is asked again before the work is
/// thrown away.
async fn end_done(cx: &JobCtx, outcome: Outcome) -> Result<()> {
    let Outcome { effect, blobs_held } = outcome;
    let effect = effect.map(Arc::new);
    let mut wait = Duration::from_millis(20);
    let written = loop {
        match write_end(cx, effect.clone()).await {
            Err(error) if error.kind == Kind::Unavailable && wait < MAX_WRITE_WAIT => {
                tokio::time::sleep(wait).await;
                wait *= 3;
            }
            written => break written,
        }
    };
    drop(blobs_held);
    count(cx, "done");
    written
}

async fn write_end(cx: &JobCtx, effect: Option<Arc<Effect>>) -> Result<()> {
    let (part, now_us) = (cx.part.clone(), cx.platform.clock().now_us());
    cx.platform
        .store()
        .write(move |tx| {
            if !tx.finish_part(&part, now_us)? {
                // Another worker has the part now; its write will be the one that counts.
                return Ok(());
            }
            match &effect {
                Some(effect) => effect(tx),
                None => Ok::<_, Error>(()),
            }
        })
        .await
}

fn count(cx: &JobCtx, end: &'static str) {
    metrics::counter!("ocellus_job_parts_total", "kind" => cx.job.kind.clone(), "end" => end).increment(1);
}

async fn end_cancelled(cx: &JobCtx) -> Result<()> {
    count(cx, "cancelled");
    let (part, now_us) = (cx.part.clone(), cx.platform.clock().now_us());
    cx.platform.store().write(move |tx| Ok::<_, Error>(tx.cancel_part(&part, now_us).map(|_| ())?)).await
}

async fn end_failed(
    cx: &JobCtx,
    kind: Option<&'static JobKind>,
    error: Error,
    may_retry: bool,
) -> Result<()> {
    count(cx, "failed");
    let now_us = cx.platform.clock().now_us();
    let retry_at_us = (may_retry && error.is_transient()).then(|| now_us + backoff_us(cx, &error));
    tracing::debug!(job = cx.job.kind, part = cx.part.idx, ?error, "part failed");
    let (job, part) = (cx.job.clone(), cx.part.clone());
    cx.platform
        .store()
        .write(move |tx| {
            let record = store::JobError {
                code: format!("{:?}", error.kind).to_lowercase(),
                subject: part.subject.clone(),
                message: error.message.clone(),
                created_at_us: now_us,
                ..store::JobError::default()
            };
            match tx.fail_part_or_retry(&part, &record, retry_at_us, now_us)? {
                PartFate::Retried | PartFate::Stale => Ok(()),
                PartFate::Failed => match kind.and_then(|kind| kind.give_up) {
                    Some(give_up) => give_up(tx, &job, &part, &error, now_us),
                    None => Ok::<_, Error>(()),
                },
            }
        })
        .await
}

/// Doubles with each attempt from a second on, with up to half as much again at random, so that not all come back at once.
fn backoff_us(cx: &JobCtx, error: &Error) -> i64 {
    let doublings = u32::try_from(cx.part.attempts.clamp(1, 10) - 1).unwrap_or(0);
    let asked_us = i64::from(error.retry_after_s.unwrap_or(1)) * 1_000_000;
    let wait_us = asked_us.saturating_mul(1 << doublings).min(MAX_BACKOFF_US);
    let jitter_us = cx.platform.ids().number() % u64::try_from(wait_us / 2).unwrap_or(0).max(1);
    wait_us + i64::try_from(jitter_us).unwrap_or(0)
}
