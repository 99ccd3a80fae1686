//! Collecting: what a model was asked about becomes inputs of the apps whose collectors listen, in the background.
//!
//! A call is noticed once, when it is answered: one transaction writes a job for each collector that listens, with a part for
//! each picture. The picture's bytes are kept by a document of their own until the part has ended.

use futures_util::FutureExt;
use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Collector, usable_key};
use crate::inputs::labels::Labeller;
use crate::inputs::{self, Adding, NewInput, create};
use crate::jobs::{JobCtx, JobKind, NewJob, Outcome};
use crate::predict::{PredictInput, PredictOptions, Subject};
use crate::resources::{self, Document};
use crate::workflows::findings::{Findings, Known};
use crate::workflows::{self, Favour, RunInput};
use crate::{AppCtx, Caller, CropBox, Error, JsonMap, MediaKind, Result, Source};

pub(crate) const KIND: JobKind = JobKind {
    name: "collect_input",
    max_attempts: 5,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// A prediction that was made, for collectors to take notice of.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The user of the model's app.
    pub model_user_id: String,
    /// The model's app.
    pub model_app_id: String,
    /// The model.
    pub model_id: String,
    /// The ids of the version that answered.
    pub version_ids: Vec<String>,
    /// What it was asked about, and what it said.
    pub pictures: Vec<(PredictInput, Findings)>,
}

/// What a part of the job is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Item {
    collector_id: String,
    model_id: String,
    model_version_id: String,
    /// The input in whose place it is collected, if the model was asked about one.
    url: Option<String>,
    blob: Option<String>,
    is_video: bool,
    crop: Option<CropBox>,
    /// What the model said.
    known: Known,
}

/// Keeps the bytes of an item until it was collected.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Held {
    blob: String,
}

impl Document for Held {
    const KIND: &'static str = "collected_item";
    const NOUN: &'static str = "collected item";
    const FIELD: &'static str = "collected_items";

    fn blob(&self) -> Option<String> {
        Some(self.blob.clone())
    }
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    Filtered,
    Failed,
}

/// Notes what a model was asked about for the collectors that listen to it. Call it once for each call that was answered.
pub async fn notice(app: &AppCtx, asked: Asked) -> Result<()> {
    if asked.pictures.is_empty() {
        return Ok(());
    }
    let (platform, caller) = (app.platform(), app.caller().clone());
    let (account_id, model_id) = (caller.account_id.clone(), asked.model_id.clone());
    let read = move |tx: &mut store::Tx<'_>| {
        Ok::<_, Error>(tx.resources_of_account_about(&account_id, Collector::KIND, &model_id)?)
    };
    let mut listening = Vec::new();
    for row in platform.store().read(read).await? {
        let app_uid = row.owner_uid.clone();
        let collector = resources::stored::<Collector>(row)?;
        if collector.doc.source.hears(&asked, &caller.account_id) {
            listening.push((app_uid, collector.id));
        }
    }
    if listening.is_empty() {
        return Ok(());
    }
    let held = platform.blob_gate().read().await;
    let mut items = Vec::with_capacity(asked.pictures.len());
    for (input, found) in &asked.pictures {
        items.extend(item(app, &asked, input, found).await?);
    }
    let now_us = platform.clock().now_us();
    let jobs: Vec<(NewJob, Vec<store::Resource>)> = listening
        .iter()
        .map(|(app_uid, id)| job(app, (app_uid, id), &items, now_us))
        .collect::<Result<_>>()?;
    let write = move |tx: &mut store::Tx<'_>| {
        for (job, kept) in &jobs {
            for row in kept {
                tx.insert_resource(row)?;
            }
            job.insert(tx)?;
        }
        Ok::<_, Error>(())
    };
    platform.store().write(write).await?;
    drop(held);
    platform.job_added().notify_waiters();
    Ok(())
}

/// An item with its bytes put where they stay; nothing for an input that has none.
async fn item(app: &AppCtx, asked: &Asked, input: &PredictInput, found: &Findings) -> Result<Option<Item>> {
    let mut item = Item {
        model_id: asked.model_id.clone(),
        model_version_id: asked.version_ids.first().cloned().unwrap_or_default(),
        crop: input.crop,
        known: Known::from(found),
        ..Item::default()
    };
    match &input.subject {
        Subject::Source(source) | Subject::Video(source) => {
            item.is_video = matches!(input.subject, Subject::Video(_));
            match source {
                Source::Url(url) => item.url = Some(url.clone()),
                Source::Bytes(bytes) => {
                    item.blob = Some(app.platform().store().blobs().put(bytes.clone()).await?)
                }
                Source::Text(_) => return Ok(None),
            }
        }
        // A frame of a stream has no file.
        Subject::Picture(_) => return Ok(None),
        Subject::Input(id) => {
            let stored = inputs::get(app, id).await?;
            item.is_video = stored.kind == MediaKind::Video;
            item.crop = input.crop.or(stored.crop);
            match (stored.hosted, stored.url) {
                (Some(hosted), _) => item.blob = Some(hosted.hash),
                (None, Some(url)) => item.url = Some(url),
                (None, None) => return Ok(None),
            }
        }
    }
    Ok(Some(item))
}

fn job(
    app: &AppCtx,
    (app_uid, collector_id): (&str, &str),
    items: &[Item],
    now_us: i64,
) -> Result<(NewJob, Vec<store::Resource>)> {
    let (ids, caller) = (app.platform().ids(), app.caller());
    let mut new = NewJob::new(&KIND, &ids.id(), &caller.account_id, now_us);
    new.job.app_uid = Some(app_uid.to_owned());
    new.job.payload = [("called_with".to_owned(), Value::from(caller.key_id.clone()))].into_iter().collect();
    let mut kept = Vec::new();
    for item in items {
        let id = ids.id();
        let item = Item { collector_id: collector_id.to_owned(), ..item.clone() };
        let mut part = store::JobPart::new(&id, now_us);
        part.payload = to_map(&item)?;
        if let Some(blob) = &item.blob {
            kept.push(held_row(app_uid, &id, blob, &caller.account_id, now_us)?);
        }
        new.parts.push(part);
    }
    Ok((new, kept))
}

fn held_row(app_uid: &str, id: &str, blob: &str, account_id: &str, now_us: i64) -> Result<store::Resource> {
    let held = Held { blob: blob.to_owned() };
    Ok(store::Resource {
        owner_uid: app_uid.to_owned(),
        kind: Held::KIND.to_owned(),
        parent: String::new(),
        id: id.to_owned(),
        seq: 0,
        about: String::new(),
        state: 0,
        doc: to_map(&held)?,
        blob: held.blob(),
        account_id: account_id.to_owned(),
        key_id: String::new(),
        modified_by: String::new(),
        created_at_us: now_us,
        modified_at_us: now_us,
    })
}

fn to_map(value: &impl Serialize) -> Result<JsonMap> {
    let Value::Object(map) = serde_json::to_value(value).map_err(Error::internal)? else {
        return Err(Error::internal(anyhow::anyhow!("an item is no JSON object")));
    };
    Ok(map)
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let item: Item =
        serde_json::from_value(Value::Object(cx.part.payload.clone())).map_err(Error::internal)?;
    let (uid, id) = (app_uid.clone(), item.collector_id.clone());
    let read = move |tx: &mut store::Tx<'_>| {
        let app = tx.app_by_uid(&uid)?.filter(|app| app.deleted_at_us.is_none());
        Ok::<_, Error>(app.zip(resources::find::<Collector>(tx, &uid, "", &id)?))
    };
    // Whoever takes a collector away wants nothing more of it.
    let Some((app, collector)) = cx.platform.store().read(read).await? else {
        let (uid, id) = (app_uid, cx.part.subject.clone());
        return Ok(Outcome::effect(move |tx| release(tx, &uid, &id)));
    };
    let owner = Caller::operator(&app.account_id);
    let app = cx.platform.app(&owner, &app.account_id, &app.id, &[]).await?;
    usable_key(&app, &app.app().user_id, &collector.doc.source.post_inputs_key_id).await?;
    match passes(&cx, &app, &collector.doc, &item).await? {
        true => take(&cx, &app, &collector.doc, &item).await,
        false => {
            let (cx, collector_id) = (cx.clone(), item.collector_id);
            Ok(Outcome::effect(move |tx| ended(tx, &cx, &collector_id, Fate::Filtered)))
        }
    }
}

/// Whether an item gets through the collector's sample and both of its workflows.
async fn passes(cx: &JobCtx, app: &AppCtx, collector: &Collector, item: &Item) -> Result<bool> {
    let ids = cx.platform.ids();
    let lot = cx.part.subject.clone();
    let share = collector.pre_queue_random_sample;
    if share > 0.0 && workflows::drawn(&lot) >= f64::from(share) {
        return Ok(false);
    }
    if !collector.pre_queue_workflow_id.is_empty() {
        // It sees what the model said, not the picture.
        let known = item.known.clone().findings(|| ids.id());
        let input = RunInput { input: None, known, lot: lot.clone() };
        if !finds_something(app, &collector.pre_queue_workflow_id, input).await? {
            return Ok(false);
        }
    }
    cx.checkpoint()?;
    if collector.post_queue_workflow_id.is_empty() {
        return Ok(true);
    }
    let source = source(cx, item).await?;
    let subject = if item.is_video { Subject::Video(source) } else { Subject::Source(source) };
    let input = Some(PredictInput { subject, crop: item.crop });
    let input = RunInput { input, known: Findings::default(), lot };
    finds_something(app, &collector.post_queue_workflow_id, input).await
}

/// Whether a workflow has anything to say of an input in the end.
async fn finds_something(app: &AppCtx, workflow_id: &str, input: RunInput) -> Result<bool> {
    let found = workflows::find(app, workflow_id, None, Favour::Own).await?;
    let nodes = &found.version.doc.nodes;
    let running = workflows::run(app, &found.version.doc, vec![input], &PredictOptions::default()).await?;
    for (node, found) in nodes.iter().zip(running.results.into_iter().flatten()) {
        let is_last = nodes.iter().all(|other| !other.inputs.contains(&node.id));
        if is_last && !found?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn source(cx: &JobCtx, item: &Item) -> Result<Source> {
    if let Some(url) = &item.url {
        return Ok(Source::Url(url.clone()));
    }
    let lost = || Error::invalid("data", "is no longer there");
    let hash = item.blob.as_ref().ok_or_else(lost)?;
    Ok(Source::Bytes(cx.platform.store().blobs().get(hash).await?.ok_or_else(lost)?))
}

/// Makes the item an input of the app, in the transaction that ends the part.
async fn take(cx: &JobCtx, app: &AppCtx, collector: &Collector, item: &Item) -> Result<Outcome> {
    let from = serde_json::json!({
        "collector_id": item.collector_id,
        "model_id": item.model_id,
        "model_version_id": item.model_version_id,
        "job_id": cx.job.id,
    });
    let new = NewInput {
        id: None,
        source: source(cx, item).await?,
        kind: if item.is_video { MediaKind::Video } else { MediaKind::Image },
        allow_duplicate_url: true,
        crop: item.crop,
        labels: Vec::new(),
        metadata: [("collected".to_owned(), from)].into_iter().collect(),
        geo: None,
        parts: crate::annotations::Data::default(),
    };
    let held = cx.platform.blob_gate().clone().read_owned().await;
    let candidates = create::prepare_all(&cx.platform, app.uid(), vec![new]).await;
    let by = Labeller {
        platform: cx.platform.clone(),
        app_uid: app.uid().to_owned(),
        account_id: cx.job.account_id.clone(),
        key_id: collector.source.post_inputs_key_id.clone(),
        language: app.app().default_language.clone(),
        now_us: cx.platform.clock().now_us(),
    };
    let ids = (cx.platform.ids().id(), cx.platform.ids().id());
    let (cx, collector_id) = (cx.clone(), item.collector_id.clone());
    let mut outcome = Outcome::effect(move |tx| {
        create::check_alive(tx, &by.app_uid)?;
        let added = create::accept(tx, &by, &candidates, &Adding::default(), (&ids.0, &ids.1))?;
        added.into_iter().next().transpose()?;
        ended(tx, &cx, &collector_id, Fate::Taken)
    });
    outcome.blobs_held = Some(held);
    Ok(outcome)
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    let Some(app_uid) = &job.app_uid else { return Ok(()) };
    let collector_id = part.payload.get("collector_id").and_then(Value::as_str).unwrap_or_default();
    count(tx, app_uid, collector_id, now_us, (Fate::Failed, &error.message))?;
    release(tx, app_uid, &part.subject)
}

fn ended(tx: &store::Tx<'_>, cx: &JobCtx, collector_id: &str, fate: Fate) -> Result<()> {
    let Some(app_uid) = &cx.job.app_uid else { return Ok(()) };
    count(tx, app_uid, collector_id, cx.platform.clock().now_us(), (fate, ""))?;
    release(tx, app_uid, &cx.part.subject)
}

fn count(
    tx: &store::Tx<'_>,
    app_uid: &str,
    collector_id: &str,
    now_us: i64,
    (fate, failure): (Fate, &str),
) -> Result<()> {
    resources::rewrite::<Collector>(tx, app_uid, collector_id, now_us, |doc| {
        let counts = &mut doc.counts;
        match fate {
            Fate::Taken => counts.n_taken += 1,
            Fate::Filtered => counts.n_filtered += 1,
            Fate::Failed => counts.n_failed += 1,
        }
        if fate == Fate::Failed {
            failure.clone_into(&mut counts.last_failure);
        }
        Ok(())
    })
}

/// The bytes of an item are no longer kept for its sake.
fn release(tx: &store::Tx<'_>, app_uid: &str, id: &str) -> Result<()> {
    tx.delete_resources(app_uid, Held::KIND, "", &[id])?;
    Ok(())
}
