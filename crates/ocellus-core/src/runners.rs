//! Runners: the account's own processes that serve its models. What they are is here; the work they are given is in
//! [`items`].

pub mod items;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ocellus_store as store;
use serde::{Deserialize, Serialize};

use crate::accounts::check_id;
use crate::models::{self, Found};
use crate::resources::{self, Document, Listing, New, Shelf, Stored, account_uid};
use crate::user_models::{self, UserModel};
use crate::{AccountCtx, AppCtx, Error, JsonMap, Page, Result};

/// The most labels of a runner.
const MAX_LABELS: usize = 100;

/// How work gets to runners; a section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnersConfig {
    /// How long a prediction waits for its answer.
    pub predict_timeout: Duration,
    /// How long somebody who asks for work is kept waiting while there is none.
    pub poll: Duration,
    /// How long a runner may work on an item before it is handed out once more.
    pub lease: Duration,
    /// Predictions that may wait for one model; more are refused.
    pub queue_len: usize,
}

impl Default for RunnersConfig {
    fn default() -> Self {
        Self {
            predict_timeout: Duration::from_secs(60),
            poll: Duration::from_secs(20),
            lease: Duration::from_secs(20),
            queue_len: 256,
        }
    }
}

/// A runner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runner {
    /// The owner's words.
    pub description: String,
    /// Without a model: the ids of the models that it serves.
    pub labels: Vec<String>,
    /// The model that it serves.
    pub model: Option<ServedModel>,
    /// What it says of its machine.
    pub compute: JsonMap,
    /// The group of machines that it says it is in; nothing but a name here.
    pub nodepool_id: String,
    /// The cluster that it says it is in; nothing but a name here.
    pub compute_cluster_id: String,
    /// How many processes it says it has.
    pub n_replicas: u32,
    /// How many processes it says it has at least.
    pub min_replicas: u32,
    /// How it is to be preferred, in its owner's words.
    pub priority: u32,
    /// What is still to be cleared before it may be used, in its owner's words; nothing here waits for it.
    pub special_handling: Vec<Handling>,
    /// The owner's own document.
    pub metadata: JsonMap,
}

/// Something that is to be cleared, in the dialect's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Handling {
    pub id: String,
    pub reason: i32,
    pub done: bool,
}

/// The model that a runner serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServedModel {
    /// The app, by its internal id.
    pub app_uid: String,
    /// The app's id when the runner was made.
    pub app_id: String,
    /// The model, by its internal id.
    pub model_uid: String,
    /// The model's id when the runner was made.
    pub model_id: String,
    /// The only version that it serves; empty for any.
    pub version_id: String,
}

impl Document for Runner {
    const KIND: &'static str = "runner";
    const NOUN: &'static str = "runner";
    const FIELD: &'static str = "runners";

    fn about(&self) -> String {
        self.model.as_ref().map(|model| model.model_uid.clone()).unwrap_or_default()
    }

    fn check(&self) -> Result<()> {
        if self.model.is_none() && self.labels.is_empty() {
            return Err(Error::invalid("runners.worker.model", "must name the model that the runner serves"));
        }
        if self.labels.len() > MAX_LABELS {
            return Err(Error::invalid("runners.labels", format!("must hold at most {MAX_LABELS} items")));
        }
        self.labels.iter().try_for_each(|label| check_id("runners.labels", label))
    }
}

/// A runner to make.
#[derive(Clone, Debug, Default)]
pub struct NewRunner {
    /// Chosen by the user; made up if empty.
    pub id: String,
    /// What is said of it, but for the model.
    pub doc: Runner,
    /// The model that it shall serve.
    pub model: Option<ModelRef>,
}

/// A model of the account, and one of its versions or, if empty, any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelRef {
    /// The app.
    pub app_id: String,
    /// The model.
    pub model_id: String,
    /// The version.
    pub version_id: String,
}

/// Adds runners. `NotFound` if a model that one shall serve is not there, `Conflict` if an id is taken; then none is
/// added.
pub async fn create(account: &AccountCtx, new: Vec<NewRunner>) -> Result<Vec<Stored<Runner>>> {
    let mut made = Vec::with_capacity(new.len());
    for NewRunner { id, mut doc, model } in new {
        if let Some(model) = model {
            doc.model = Some(served(account, model).await?);
        }
        made.push(New { id: Some(id), doc });
    }
    resources::create(&Shelf::from(account), made).await
}

async fn served(account: &AccountCtx, wanted: ModelRef) -> Result<ServedModel> {
    if wanted.app_id.is_empty() || wanted.model_id.is_empty() {
        return Err(Error::invalid("runners.worker.model", "must name a model by its id and app_id"));
    }
    let owner = &account.account().id;
    let app = account.platform().app(account.caller(), owner, &wanted.app_id, &[]).await?;
    let model = user_models::get(&app, &wanted.model_id).await?;
    if !wanted.version_id.is_empty() {
        user_models::version(&app, &model, &wanted.version_id).await?;
    }
    Ok(ServedModel {
        app_uid: app.uid().to_owned(),
        app_id: app.app().id.clone(),
        model_uid: model.uid,
        model_id: model.id,
        version_id: wanted.version_id,
    })
}

/// The account's runners in the group of machines, or all if it is empty, in order of creation.
pub async fn list(account: &AccountCtx, nodepool_id: &str, page: Page) -> Result<Vec<Stored<Runner>>> {
    let nodepool_id = nodepool_id.to_owned();
    let fits = move |runner: &Stored<Runner>| nodepool_id.is_empty() || runner.doc.nodepool_id == nodepool_id;
    resources::search(&Shelf::from(account), &Listing::default(), page, fits).await
}

/// One runner of the account.
pub async fn get(account: &AccountCtx, id: &str) -> Result<Stored<Runner>> {
    resources::get(&Shelf::from(account), id).await
}

/// Deletes runners: whoever asks for work in their names is refused from now on, and what they were working on goes to
/// others.
pub async fn delete(account: &AccountCtx, ids: &[String]) -> Result<()> {
    resources::delete::<Runner>(&Shelf::from(account), ids).await?;
    account.platform().runner_items_changed().notify_waiters();
    Ok(())
}

/// The model of an app that an id means, if runners serve it. `NotFound` if there is no such model or version.
pub async fn to_predict(app: &AppCtx, model_id: &str, version_id: Option<&str>) -> Result<Option<UserModel>> {
    match models::find(app, model_id, version_id).await? {
        Found::Own(model, _) if serve(app, &model, version_id.unwrap_or_default()).await? => Ok(Some(model)),
        Found::Own(..) | Found::Public(_) => Ok(None),
    }
}

/// Whether the owner of the app has a runner that serves this model in this version, or in any if it is empty.
pub async fn serve(app: &AppCtx, model: &UserModel, version_id: &str) -> Result<bool> {
    const BATCH: i64 = 500;
    let owner_uid = account_uid(&app.app().user_id);
    let (uid, id, version_id) = (model.uid.clone(), model.id.clone(), version_id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        // Those with the model by its key first; then those that name it by a label.
        for about in [uid.as_str(), ""] {
            let mut query =
                store::ResourceQuery { about: Some(about.to_owned()), limit: BATCH, ..Default::default() };
            loop {
                let rows = tx.resources_page(&owner_uid, Runner::KIND, &query)?;
                let (n_rows, last) = (rows.len(), rows.last().map(|row| row.seq));
                for row in rows {
                    if fits(&resources::stored::<Runner>(row)?.doc, &id, &version_id) {
                        return Ok(true);
                    }
                }
                if n_rows < BATCH as usize {
                    break;
                }
                query.after_seq = last;
            }
        }
        Ok::<_, Error>(false)
    };
    app.platform().store().read(read).await
}

fn fits(runner: &Runner, model_id: &str, version_id: &str) -> bool {
    match &runner.model {
        Some(model) => {
            [&model.version_id, version_id].iter().any(|id| id.is_empty()) || model.version_id == version_id
        }
        None => runner.labels.iter().any(|label| label == model_id),
    }
}
