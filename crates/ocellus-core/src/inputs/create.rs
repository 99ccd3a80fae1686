//! Adding inputs: each is checked on its own, and those accepted are written together with the job that describes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt;
use ocellus_store as store;
use url::Url;

use super::doc::InputDoc;
use super::ids::{Admitted, Seen, admit};
use super::labels::{self, Known, Labeller};
use super::rows::{self, STATE_PENDING, STATE_READY};
use super::{Adding, Input, InputState, MAX_PER_CALL, NewInput, NewLabel};
use crate::accounts::check_id;
use crate::add_jobs;
use crate::annotations;
use crate::datasets;
use crate::jobs::{gc_blobs, process_input};
use crate::{AppCtx, Error, Platform, Resource, Result, Source};

/// How many blobs of one call are written at the same time.
const PUTS_AT_ONCE: usize = 8;

/// An input that can be accepted as far as it can be seen without the database.
pub(crate) struct Candidate {
    pub(super) row: store::Input,
    labels: Vec<NewLabel>,
    parts: annotations::Data,
    pub(super) unique_url: bool,
}

/// An input that was accepted, or one that was there and is left as it is.
pub(crate) struct Added {
    pub input: Input,
    pub is_new: bool,
}

/// Adds inputs and gives one result for each, in order. Accepted ones are visible at once as pending.
///
/// An id or an address that the app has already, or that comes twice in the call, is a `Conflict` about `Input` or `Url`.
pub async fn create(app: &AppCtx, new: Vec<NewInput>) -> Result<Vec<Result<Input>>> {
    create_with(app, new, Adding::default()).await
}

/// Like [`create`], putting each input into the datasets with the ids at its place; an input with a dataset that does not
/// exist is refused.
pub async fn create_in(
    app: &AppCtx,
    new: Vec<NewInput>,
    dataset_ids: Vec<Vec<String>>,
) -> Result<Vec<Result<Input>>> {
    create_with(app, new, Adding { dataset_ids, ..Adding::default() }).await
}

/// Like [`create`], with everything that may be said of how inputs are added.
pub async fn create_with(app: &AppCtx, new: Vec<NewInput>, adding: Adding) -> Result<Vec<Result<Input>>> {
    app.check_writable()?;
    if new.is_empty() || new.len() > MAX_PER_CALL {
        return Err(Error::invalid(
            "inputs",
            format!("must hold 1 to {MAX_PER_CALL} items, not {}", new.len()),
        ));
    }
    let job = adding.add_job_id.as_ref().map(|id| add_jobs::row(app, id)).transpose()?;
    // Held until the rows that refer to the new blobs are written.
    let blobs_held = app.platform().blob_gate().read().await;
    let candidates = prepare_all(app.platform(), app.uid(), new).await;
    let by = labeller(app);
    let (job_id, gc_id) = (app.platform().ids().id(), app.platform().ids().id());
    let candidates = Arc::new(candidates);
    let results = app
        .platform()
        .store()
        .write(move |tx| {
            check_alive(tx, &by.app_uid)?;
            if let Some(job) = &job {
                add_jobs::ensure(tx, job)?;
            }
            accept(tx, &by, &candidates, &adding, (&job_id, &gc_id))
        })
        .await?;
    drop(blobs_held);
    app.platform().job_added().notify_waiters();
    Ok(results.into_iter().map(|result| result.map(|added| added.input)).collect())
}

/// Looks at inputs without the database, and keeps their bytes. The caller holds the gate of the blobs until the
/// candidates were accepted.
pub(crate) async fn prepare_all(
    platform: &Platform,
    app_uid: &str,
    new: Vec<NewInput>,
) -> Vec<Result<Candidate>> {
    let prepared = futures_util::stream::iter(new.into_iter().enumerate())
        .map(|(idx, input)| prepare(platform, app_uid, input, format!("inputs[{idx}]")));
    prepared.buffered(PUTS_AT_ONCE).collect().await
}

/// Writes what can be accepted, with the job that describes it and the one that collects the bytes of the rest.
pub(crate) fn accept(
    tx: &store::Tx<'_>,
    by: &Labeller,
    candidates: &[Result<Candidate>],
    adding: &Adding,
    (job_id, gc_id): (&str, &str),
) -> Result<Vec<Result<Added>>> {
    let results = accept_all(tx, by, candidates, adding)?;
    let new = || results.iter().flatten().filter(|added| added.is_new).map(|added| &added.input);
    if let Some(add_job_id) = &adding.add_job_id {
        let ids: Vec<&str> = new().map(|input| input.id.as_str()).collect();
        tx.set_add_job(&by.app_uid, &ids, add_job_id)?;
    }
    let pending = new().filter(|input| input.state == InputState::Pending);
    let pending: Vec<String> = pending.map(|input| input.id.clone()).collect();
    if !pending.is_empty() {
        process_input::job(job_id, &by.account_id, &by.app_uid, &pending, by.now_us).insert(tx)?;
    }
    let orphans = orphans(candidates, &results);
    if !orphans.is_empty() {
        gc_blobs::job_for(gc_id, &by.account_id, &orphans, by.now_us).insert(tx)?;
    }
    Ok(results)
}

/// The blobs that were put for inputs that were then refused.
fn orphans(candidates: &[Result<Candidate>], results: &[Result<Added>]) -> BTreeSet<String> {
    let is_new = |result: &Result<Added>| result.as_ref().is_ok_and(|added| added.is_new);
    let refused = candidates.iter().zip(results).filter(|(_, result)| !is_new(result));
    refused.filter_map(|(candidate, _)| candidate.as_ref().ok()?.row.blob.clone()).collect()
}

pub(crate) fn labeller(app: &AppCtx) -> Labeller {
    Labeller {
        platform: app.platform().clone(),
        app_uid: app.uid().to_owned(),
        account_id: app.caller().account_id.clone(),
        key_id: app.caller().key_id.clone(),
        language: app.app().default_language.clone(),
        now_us: app.platform().clock().now_us(),
    }
}

/// An app that was deleted since the door opened takes nothing more.
pub(crate) fn check_alive(tx: &store::Tx<'_>, app_uid: &str) -> Result<()> {
    match tx.app_by_uid(app_uid)? {
        Some(app) if app.deleted_at_us.is_none() => Ok(()),
        Some(app) => Err(Error::not_found(Resource::App(app.id))),
        None => Err(Error::not_found(Resource::App(String::new()))),
    }
}

fn accept_all(
    tx: &store::Tx<'_>,
    by: &Labeller,
    candidates: &[Result<Candidate>],
    adding: &Adding,
) -> Result<Vec<Result<Added>>> {
    let mut known = Known::default();
    let mut seen = Seen::default();
    let mut verdicts = Vec::with_capacity(candidates.len());
    for (idx, candidate) in candidates.iter().enumerate() {
        let datasets = adding.dataset_ids.get(idx).map_or(&[][..], Vec::as_slice);
        verdicts.push(match candidate {
            Err(error) => Err(error.clone()),
            Ok(_) if datasets.iter().any(|id| datasets::find(tx, &by.app_uid, id).is_err()) => {
                Err(Error::invalid(format!("inputs[{idx}].dataset_ids"), "must be of existing datasets"))
            }
            Ok(candidate) => {
                let admitted = admit(tx, candidate, adding.on_conflict, &mut seen)?;
                if let Ok(Admitted::New(id)) = &admitted {
                    insert(tx, by, &mut known, (id, candidate, datasets))?;
                }
                admitted
            }
        });
    }
    let ids = |admitted: &Admitted| match admitted {
        Admitted::New(id) | Admitted::Old(id) => id.clone(),
    };
    let accepted: Vec<String> = verdicts.iter().flatten().map(ids).collect();
    let mut made = rows::load(tx, &by.app_uid, &accepted)?.into_iter();
    let missing = || Error::internal(anyhow::anyhow!("an input was gone right after it was written"));
    Ok(verdicts
        .into_iter()
        .map(|verdict| {
            let is_new = matches!(verdict?, Admitted::New(_));
            Ok(Added { input: made.next().ok_or_else(missing)?, is_new })
        })
        .collect())
}

fn insert(
    tx: &store::Tx<'_>,
    by: &Labeller,
    known: &mut Known,
    (id, candidate, datasets): (&str, &Candidate, &[String]),
) -> Result<()> {
    let who = (by.app_uid.as_str(), by.account_id.as_str(), by.key_id.as_str());
    datasets::add_in(tx, who, id, datasets, by.now_us)?;
    tx.insert_input(&store::Input { id: id.to_owned(), ..candidate.row.clone() })?;
    let values = known.resolve(tx, by, &candidate.labels)?;
    annotations::add_to_new_input(tx, by, known, (id, values, &candidate.parts))
}

async fn prepare(platform: &Platform, app_uid: &str, new: NewInput, field: String) -> Result<Candidate> {
    check(&new, &field)?;
    let id = new.id.filter(|id| !id.is_empty()).unwrap_or_else(|| platform.ids().id());
    check_id(&format!("{field}.id"), &id)?;
    let mut doc = InputDoc { crop: new.crop, geo_given: new.geo.is_some(), ..InputDoc::default() };
    let (mut source_url, mut blob, mut state) = (None, None, STATE_PENDING);
    let (mut content_hash, mut mime) = (None, None);
    match new.source {
        Source::Url(url) => source_url = Some(url),
        Source::Bytes(bytes) => {
            let limit = platform.decode_limits().max_bytes;
            if bytes.is_empty() {
                return Err(Error::invalid(format!("{field}.data"), "has no bytes"));
            }
            if bytes.len() > limit {
                let message = format!("{field} has {} bytes, more than the {limit} allowed", bytes.len());
                return Err(Error::too_large(message).about(Resource::Image(id)));
            }
            blob = Some(platform.store().blobs().put(bytes).await?);
            content_hash.clone_from(&blob);
        }
        Source::Text(text) => {
            content_hash = Some(store::Blobs::hash_of(text.as_bytes()));
            mime = Some(super::hosted::TEXT.to_owned());
            doc.text = Some(text);
            state = STATE_READY;
        }
    }
    let now_us = platform.clock().now_us();
    let row = store::Input {
        app_uid: app_uid.to_owned(),
        id,
        seq: 0,
        state,
        failure_code: String::new(),
        failure: String::new(),
        kind: new.kind.name().to_owned(),
        source_url,
        content_hash,
        blob,
        thumb: None,
        phash: None,
        width: None,
        height: None,
        mime,
        lat: new.geo.map(|geo| geo.latitude),
        lon: new.geo.map(|geo| geo.longitude),
        metadata: new.metadata,
        doc: doc.write(),
        created_at_us: now_us,
        modified_at_us: now_us,
    };
    let parts = new.parts;
    Ok(Candidate { row, labels: new.labels, parts, unique_url: !new.allow_duplicate_url })
}

fn check(new: &NewInput, field: &str) -> Result<()> {
    let url_field = || format!("{field}.data.{}.url", new.kind.name());
    if let Source::Url(url) = &new.source {
        let parsed = Url::parse(url).map_err(|_| Error::invalid(url_field(), "is not a URL"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(Error::invalid(url_field(), "must begin with http:// or https://"));
        }
    }
    if let Some(crop) = new.crop {
        crop.check(&format!("{field}.data.image.crop"))?;
    }
    if let Some(geo) = new.geo {
        geo.check(&format!("{field}.data.geo.geo_point"))?;
    }
    for (idx, label) in new.labels.iter().enumerate() {
        labels::check(label, &format!("{field}.data.concepts[{idx}]"))?;
    }
    new.parts.check(&format!("{field}.data"))
}
