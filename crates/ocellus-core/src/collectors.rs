//! Collectors: which of the images that a model is asked about shall become inputs of an app.

pub(crate) mod collect;
#[cfg(test)]
mod tests;

use ocellus_store as store;
use serde::{Deserialize, Serialize};

use crate::accounts::check_id;
use crate::ids::hash_secret;
use crate::resources::{self, Document, New, Shelf, Stored};
use crate::{AppCtx, Error, JsonMap, KeyKind, PatchAction, Resource, Result, Scope, models, workflows};
pub use collect::{Asked, notice};

/// A collector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Collector {
    /// What it is for.
    pub description: String,
    /// The workflow that decides, at once, which images are taken; empty for none.
    pub pre_queue_workflow_id: String,
    /// The share of images that the first workflow looks at, 0 to 1.
    pub pre_queue_random_sample: f32,
    /// The workflow that what was taken goes through; empty for none.
    pub post_queue_workflow_id: String,
    /// What it listens to.
    pub source: Source,
    /// What became of what it heard.
    pub counts: Counts,
}

/// What became of the images that a collector heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Those that became inputs.
    pub n_taken: u64,
    /// Those that its sample or its workflows kept out.
    pub n_filtered: u64,
    /// Those that could not be collected.
    pub n_failed: u64,
    /// Why the last of those could not be; empty for none.
    pub last_failure: String,
}

/// Predictions that a collector listens to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The user of the model's app.
    pub model_user_id: String,
    /// The model's app.
    pub model_app_id: String,
    /// The model.
    pub model_id: String,
    /// Its version; any if empty.
    pub model_version_id: String,
    /// The public id of the key with which inputs are added.
    pub post_inputs_key_id: String,
    /// Whose predictions; the owner's if empty.
    pub caller_user_id: String,
}

impl Source {
    /// Whether it listens to a prediction.
    fn hears(&self, asked: &Asked, caller_id: &str) -> bool {
        let fits = |wanted: &String, is: &String| wanted.is_empty() || wanted == is;
        self.caller_user_id == caller_id
            && self.model_id == asked.model_id
            && fits(&self.model_user_id, &asked.model_user_id)
            && fits(&self.model_app_id, &asked.model_app_id)
            && (self.model_version_id.is_empty() || asked.version_ids.contains(&self.model_version_id))
    }
}

impl Document for Collector {
    const KIND: &'static str = "collector";
    const NOUN: &'static str = "collector";
    const FIELD: &'static str = "collectors";

    fn about(&self) -> String {
        self.source.model_id.clone()
    }

    fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.pre_queue_random_sample) {
            return Err(Error::invalid("collectors.pre_queue_random_sample", "must be 0 to 1"));
        }
        if self.source.model_id.is_empty() {
            let field = "collectors.collector_source.api_post_model_outputs_collector_source.model_id";
            return Err(Error::invalid(field, "must name the model to listen to"));
        }
        for (field, id) in [
            ("collectors.pre_queue_workflow_id", &self.pre_queue_workflow_id),
            ("collectors.post_queue_workflow_id", &self.post_queue_workflow_id),
        ] {
            if !id.is_empty() {
                check_id(field, id)?;
            }
        }
        Ok(())
    }
}

/// Adds collectors. `NotFound` for a model or key that is not there.
pub async fn create(app: &AppCtx, mut new: Vec<New<Collector>>) -> Result<Vec<Stored<Collector>>> {
    app.check_owner()?;
    for collector in &mut new {
        resolve(app, &mut collector.doc.source).await?;
        collector.doc.counts = Counts::default();
        for id in [&collector.doc.pre_queue_workflow_id, &collector.doc.post_queue_workflow_id] {
            check_workflow(app, id).await?;
        }
    }
    resources::create(&Shelf::from(app), new).await
}

/// Changes collectors: each patch is an id, the changed fields and, if it changes, the source.
pub async fn patch(
    app: &AppCtx,
    patches: Vec<(String, JsonMap, Option<Source>)>,
    action: PatchAction,
) -> Result<Vec<Stored<Collector>>> {
    let mut documents = Vec::with_capacity(patches.len());
    for (id, mut fields, source) in patches {
        for field in ["pre_queue_workflow_id", "post_queue_workflow_id"] {
            let workflow_id = fields.get(field).and_then(serde_json::Value::as_str).unwrap_or_default();
            check_workflow(app, workflow_id).await?;
        }
        if let Some(mut source) = source {
            resolve(app, &mut source).await?;
            let source = serde_json::to_value(source).map_err(Error::internal)?;
            fields.insert("source".to_owned(), source);
        }
        documents.push((id, fields));
    }
    resources::patch(&Shelf::from(app), documents, action).await
}

/// A workflow that a collector names must be there.
async fn check_workflow(app: &AppCtx, id: &str) -> Result<()> {
    if id.is_empty() {
        return Ok(());
    }
    check_id("collectors.workflow_id", id)?;
    workflows::check_exists(app, id).await
}

/// Checks that what a source names is there, and completes it.
async fn resolve(app: &AppCtx, source: &mut Source) -> Result<()> {
    let caller = app.caller();
    if source.caller_user_id.is_empty() {
        source.caller_user_id.clone_from(&caller.account_id);
    }
    if source.caller_user_id != caller.account_id {
        return Err(Error::not_found(Resource::Account(source.caller_user_id.clone())));
    }
    if !source.model_id.is_empty() {
        source.model_id = model_id(app, source).await?;
    }
    if !source.post_inputs_key_id.is_empty() {
        // Whoever gives the secret means its key; the secret itself is not kept.
        if source.post_inputs_key_id.len() == 64 {
            source.post_inputs_key_id = hash_secret(&source.post_inputs_key_id)[..16].to_owned();
        }
        usable_key(app, &caller.account_id, &source.post_inputs_key_id).await?;
    }
    Ok(())
}

/// The id by which the model is asked for: a public one, or one of an app of the account.
async fn model_id(app: &AppCtx, source: &Source) -> Result<String> {
    let version = Some(source.model_version_id.as_str()).filter(|id| !id.is_empty());
    let elsewhere = !source.model_app_id.is_empty() && source.model_app_id != app.app().id;
    if elsewhere && source.model_app_id != crate::bootstrap::PUBLIC_APP {
        let (caller, user_id) = (app.caller(), source.model_user_id.as_str());
        let other = app.platform().app(caller, user_id, &source.model_app_id, &[]).await?;
        return Ok(found_id(models::find(&other, &source.model_id, version).await?));
    }
    Ok(found_id(models::find(app, &source.model_id, version).await?))
}

fn found_id(found: models::Found) -> String {
    match found {
        models::Found::Own(model, _) => model.id,
        models::Found::Public(model) => model.id.clone(),
    }
}

/// The key must be the account's, live, reach this app and be able to add inputs; none at all means the owner.
async fn usable_key(app: &AppCtx, account_id: &str, id: &str) -> Result<()> {
    if id.is_empty() {
        return Ok(());
    }
    let (account_id, key_id) = (account_id.to_owned(), id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.key(&account_id, &key_id)?);
    let key = app.platform().store().read(read).await?;
    let now_us = app.platform().clock().now_us();
    let usable = |key: &store::Key| {
        let live = key.revoked_at_us.is_none() && key.expires_at_us.is_none_or(|end| end > now_us);
        let reaches = key.app_uid.as_ref().is_none_or(|uid| uid == app.uid());
        let adds = [Scope::ALL, Scope::INPUTS_ADD].iter().any(|scope| key.scopes.contains(&scope.0));
        live && reaches && adds && key.kind != KeyKind::Client.name()
    };
    match key {
        Some(key) if usable(&key) => Ok(()),
        Some(_) | None => Err(Error::not_found(Resource::Key(id.to_owned()))),
    }
}
