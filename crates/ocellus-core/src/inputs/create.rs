//! Adding inputs: each is checked on its own, and those accepted are written together with the job that describes them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures_util::StreamExt;
use ocellus_store as store;
use url::Url;

use super::doc::InputDoc;
use super::labels::{self, Known, Labeller};
use super::rows::{self, STATE_PENDING, STATE_READY};
use super::{Input, InputState, MAX_PER_CALL, NewInput, NewLabel};
use crate::accounts::check_id;
use crate::annotations;
use crate::datasets;
use crate::jobs::{gc_blobs, process_input};
use crate::{AppCtx, Error, Resource, Result, Source};

/// How many blobs of one call are written at the same time.
const PUTS_AT_ONCE: usize = 8;

/// An input that can be accepted as far as it can be seen without the database.
struct Candidate {
    row: store::Input,
    labels: Vec<NewLabel>,
    parts: annotations::Data,
    unique_url: bool,
}

/// The datasets that each input of a call goes into; the last ones may be left out.
type DatasetIds = Vec<Vec<String>>;

/// Adds inputs and gives one result for each, in order. Accepted ones are visible at once as pending.
///
/// An id or an address that the app has already, or that comes twice in the call, is a `Conflict` about `Input` or `Url`.
pub async fn create(app: &AppCtx, new: Vec<NewInput>) -> Result<Vec<Result<Input>>> {
    create_in(app, new, DatasetIds::new()).await
}

/// Like [`create`], putting each input into the datasets with the ids at its place; an input with a dataset that does not
/// exist is refused.
pub async fn create_in(
    app: &AppCtx,
    new: Vec<NewInput>,
    dataset_ids: Vec<Vec<String>>,
) -> Result<Vec<Result<Input>>> {
    app.check_writable()?;
    if new.is_empty() || new.len() > MAX_PER_CALL {
        return Err(Error::invalid(
            "inputs",
            format!("must hold 1 to {MAX_PER_CALL} items, not {}", new.len()),
        ));
    }
    // Held until the rows that refer to the new blobs are written.
    let blobs_held = app.platform().blob_gate().read().await;
    let prepared = futures_util::stream::iter(new.into_iter().enumerate())
        .map(|(idx, input)| prepare(app, input, format!("inputs[{idx}]")));
    let candidates: Vec<_> = prepared.buffered(PUTS_AT_ONCE).collect().await;
    let by = labeller(app);
    let (job_id, gc_id) = (app.platform().ids().id(), app.platform().ids().id());
    let candidates = Arc::new(candidates);
    let results = app
        .platform()
        .store()
        .write(move |tx| {
            check_alive(tx, &by.app_uid)?;
            let results = accept_all(tx, &by, &candidates, &dataset_ids)?;
            let pending = pending_ids(&results);
            if !pending.is_empty() {
                process_input::job(&job_id, &by.account_id, &by.app_uid, &pending, by.now_us).insert(tx)?;
            }
            let orphans = orphans(&candidates, &results);
            if !orphans.is_empty() {
                gc_blobs::job_for(&gc_id, &by.account_id, &orphans, by.now_us).insert(tx)?;
            }
            Ok::<_, Error>(results)
        })
        .await?;
    drop(blobs_held);
    app.platform().job_added().notify_waiters();
    Ok(results)
}

fn pending_ids(results: &[Result<Input>]) -> Vec<String> {
    let accepted = results.iter().filter_map(|result| result.as_ref().ok());
    accepted.filter(|input| input.state == InputState::Pending).map(|input| input.id.clone()).collect()
}

/// The blobs that were put for inputs that were then refused.
fn orphans(candidates: &[Result<Candidate>], results: &[Result<Input>]) -> BTreeSet<String> {
    let refused = candidates.iter().zip(results).filter(|(_, result)| result.is_err());
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
    dataset_ids: &[Vec<String>],
) -> Result<Vec<Result<Input>>> {
    let mut known = Known::default();
    let (mut ids, mut urls) = (HashSet::new(), HashSet::new());
    let mut refused = Vec::with_capacity(candidates.len());
    for (idx, candidate) in candidates.iter().enumerate() {
        let datasets = dataset_ids.get(idx).map_or(&[][..], Vec::as_slice);
        refused.push(match candidate {
            Err(error) => Some(error.clone()),
            Ok(candidate) => match conflict(tx, candidate, &mut ids, &mut urls)? {
                Some(error) => Some(error),
                None if datasets.iter().any(|id| datasets::find(tx, &by.app_uid, id).is_err()) => {
                    Some(Error::invalid(format!("inputs[{idx}].dataset_ids"), "must be of existing datasets"))
                }
                None => {
                    let who = (by.app_uid.as_str(), by.account_id.as_str(), by.key_id.as_str());
                    datasets::add_in(tx, who, &candidate.row.id, datasets, by.now_us)?;
                    tx.insert_input(&candidate.row)?;
                    let values = known.resolve(tx, by, &candidate.labels)?;
                    let said = (candidate.row.id.as_str(), values, &candidate.parts);
                    annotations::add_to_new_input(tx, by, &mut known, said)?;
                    None
                }
            },
        });
    }
    let accepted = candidates.iter().zip(&refused).filter(|(_, refused)| refused.is_none());
    let accepted: Vec<&str> =
        accepted.filter_map(|(c, _)| c.as_ref().ok()).map(|c| c.row.id.as_str()).collect();
    let mut made = rows::load(tx, &by.app_uid, &accepted)?.into_iter();
    let missing = || Error::internal(anyhow::anyhow!("an input was gone right after it was written"));
    Ok(refused
        .into_iter()
        .map(|refused| match refused {
            Some(error) => Err(error),
            None => made.next().ok_or_else(missing),
        })
        .collect())
}

fn conflict<'a>(
    tx: &store::Tx<'_>,
    candidate: &'a Candidate,
    ids: &mut HashSet<&'a str>,
    urls: &mut HashSet<&'a str>,
) -> Result<Option<Error>> {
    let row = &candidate.row;
    if ids.contains(row.id.as_str()) || !tx.inputs_by_ids(&row.app_uid, &[&row.id])?.is_empty() {
        let message = format!("input '{}' exists already", row.id);
        return Ok(Some(Error::conflict(Resource::Input(row.id.clone()), message)));
    }
    if let Some(url) = row.source_url.as_deref() {
        if candidate.unique_url && (urls.contains(url) || tx.input_by_url(&row.app_uid, url)?.is_some()) {
            let message = format!("an input with the url '{url}' exists already");
            return Ok(Some(Error::conflict(Resource::Url(url.to_owned()), message)));
        }
        urls.insert(url);
    }
    ids.insert(&row.id);
    Ok(None)
}

async fn prepare(app: &AppCtx, new: NewInput, field: String) -> Result<Candidate> {
    let platform = app.platform();
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
        app_uid: app.uid().to_owned(),
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
