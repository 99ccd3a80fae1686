//! Tells an address that an extraction has ended, in the words of the dialect that was asked for it. Tried again for a
//! while, and then given up.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::FutureExt;
use ocellus_store as store;
use parking_lot::RwLock;

use super::{JobCtx, JobKind, NewJob, Outcome};
use crate::extractions::Extraction;
use crate::resources::{self, Stored};
use crate::{Error, Kind, Result};

pub(crate) const KIND: JobKind =
    JobKind { name: "call_back", max_attempts: 6, run: |cx| run(cx).boxed(), begin: None, give_up: None };

/// Writes how an extraction has ended as a JSON document.
pub type Write = Arc<dyn Fn(&Stored<Extraction>) -> Vec<u8> + Send + Sync>;

/// How calls back are worded, which a dialect brings along.
#[derive(Default)]
pub struct CallBacks(RwLock<Option<Write>>);

impl CallBacks {
    /// Brings the wording along.
    pub fn register(&self, write: Write) {
        *self.0.write() = Some(write);
    }
}

/// Adds the job if an extraction that has just ended names an address, in the transaction that ends it.
pub(crate) fn follow_up(
    tx: &store::Tx<'_>,
    (account_id, app_uid): (&str, &str),
    extraction_id: &str,
    now_us: i64,
) -> Result<()> {
    let found = resources::find::<Extraction>(tx, app_uid, "", extraction_id)?;
    if found.is_none_or(|extraction| extraction.doc.call_back_url.is_empty()) {
        return Ok(());
    }
    // An extraction ends once.
    let mut new = NewJob::new(&KIND, &format!("{extraction_id}.call-back"), account_id, now_us);
    new.job.app_uid = Some(app_uid.to_owned());
    new.parts = vec![store::JobPart::new(extraction_id, now_us)];
    new.insert(tx)
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let id = cx.part.subject.clone();
    let find = move |tx: &mut store::Tx<'_>| resources::find::<Extraction>(tx, &app_uid, "", &id);
    let write = cx.platform.call_backs().0.read().clone();
    let (Some(extraction), Some(write)) = (cx.platform.store().read(find).await?, write) else {
        return Ok(Outcome::nothing());
    };
    let body = write(&extraction);
    match cx.platform.fetcher().post(&extraction.doc.call_back_url, body.into(), "application/json").await {
        Ok(()) => Ok(Outcome::nothing()),
        Err(error) if error.kind == Kind::Forbidden => Err(error),
        // The other side may be starting up, or out of order for the moment.
        Err(error) => Err(Error::unavailable(error.message.clone()).caused_by(error)),
    }
}
