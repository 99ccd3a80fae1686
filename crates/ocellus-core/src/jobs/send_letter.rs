//! Brings a letter to the mail server that did not take it at first. Tried again for about an hour; what it never takes goes to the
//! log, where the operator finds it.

use futures_util::FutureExt;
use ocellus_store as store;
use serde_json::Value;

use super::{JobCtx, JobKind, NewJob, Outcome};
use crate::mail::{self, Letter};
use crate::{Error, JsonMap, Platform, Result};

pub(crate) const KIND: JobKind = JobKind {
    name: "send_letter",
    max_attempts: 60,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// The job for a letter that concerns an account.
pub(crate) fn job(platform: &Platform, account_id: &str, letter: &Letter) -> NewJob {
    let mut new = NewJob::new(&KIND, &platform.ids().id(), account_id, platform.clock().now_us());
    let fields = [("to", &letter.to), ("subject", &letter.subject), ("text", &letter.text)];
    new.job.payload =
        fields.into_iter().map(|(name, text)| (name.to_owned(), text.as_str().into())).collect();
    new
}

fn letter(payload: &JsonMap) -> Letter {
    let text = |name| payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Letter { to: text("to"), subject: text("subject"), text: text("text") }
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let sent = mail::hand_over(&cx.platform, &letter(&cx.job.payload)).await;
    sent.map_err(|error| Error::unavailable("the mail server does not take a letter").caused_by(error))?;
    let id = cx.job.id;
    // The letter may hold a code, and that is nobody's business any more.
    Ok(Outcome::effect(move |tx| Ok(tx.forget_job_payload(&id)?)))
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    _part: &store::JobPart,
    _error: &Error,
    _now_us: i64,
) -> Result<()> {
    mail::log(&letter(&job.payload));
    Ok(tx.forget_job_payload(&job.id)?)
}
