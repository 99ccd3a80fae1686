//! Trains a version of a model: waits until the inputs that were there are described, learns, and writes what came of it.
//! What is learned is in `learning`.

#[cfg(test)]
mod tests;

use futures_util::FutureExt;
use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JobCtx, JobKind, NewJob, Outcome};
use crate::learning::{self, Recipe};
use crate::user_models::FailureReason;
use crate::{Error, Result};

pub(crate) const KIND: JobKind = JobKind {
    name: "train_version",
    max_attempts: 5,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// Which version to train, and from what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub app_uid: String,
    pub model_uid: String,
    pub version_id: String,
    pub recipe: Recipe,
}

impl Target {
    fn of(job: &store::Job) -> Result<Self> {
        serde_json::from_value(Value::Object(job.payload.clone())).map_err(Error::internal)
    }
}

/// The job for a version that waits.
pub(crate) fn job((id, account_id): (&str, &str), target: &Target, now_us: i64) -> Result<NewJob> {
    let mut new = NewJob::new(&KIND, id, account_id, now_us);
    new.job.app_uid = Some(target.app_uid.clone());
    new.job.payload = match serde_json::to_value(target).map_err(Error::internal)? {
        Value::Object(map) => map,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Error::internal(anyhow::anyhow!("a recipe is no JSON object but {other}")));
        }
    };
    Ok(new)
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let target = Target::of(&cx.job)?;
    learning::run_training(cx, target).await
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    _part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    learning::training_failed(tx, &Target::of(job)?, (FailureReason::Other, &error.message), now_us)
}
