//! Changing inputs: merging, overwriting or removing labels, parts, metadata and place.

use std::sync::Arc;

use ocellus_store as store;

use super::create::{check_alive, labeller};
use super::doc::InputDoc;
use super::labels::{self, Known, Labeller};
use super::rows;
use super::{Input, InputPatch, MAX_PER_CALL, NewLabel};
use crate::annotations;
use crate::{AppCtx, Error, GeoPoint, PatchAction, Resource, Result};

/// Changes inputs and returns them as they are then, in order. `NotFound` if any does not exist; then none is changed.
pub async fn patch(app: &AppCtx, patches: Vec<InputPatch>, action: PatchAction) -> Result<Vec<Input>> {
    app.check_writable()?;
    check(&patches)?;
    let by = labeller(app);
    let patches = Arc::new(patches);
    let changed = app
        .platform()
        .store()
        .write(move |tx| {
            check_alive(tx, &by.app_uid)?;
            let mut known = Known::default();
            for patch in patches.iter() {
                apply(tx, &by, patch, action, &mut known)?;
            }
            let ids: Vec<&str> = patches.iter().map(|patch| patch.id.as_str()).collect();
            rows::load(tx, &by.app_uid, &ids)
        })
        .await;
    // Regions with a new outline are described by a job.
    app.platform().job_added().notify_waiters();
    changed
}

fn check(patches: &[InputPatch]) -> Result<()> {
    if patches.is_empty() || patches.len() > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {}", patches.len());
        return Err(Error::invalid("inputs", message));
    }
    for (idx, patch) in patches.iter().enumerate() {
        if let Some(geo) = patch.geo {
            geo.check(&format!("inputs[{idx}].data.geo.geo_point"))?;
        }
        for (place, label) in patch.labels.iter().flatten().enumerate() {
            labels::check(label, &format!("inputs[{idx}].data.concepts[{place}]"))?;
        }
        patch.parts.check(&format!("inputs[{idx}].data"))?;
    }
    Ok(())
}

/// Changes one input in a transaction.
pub(crate) fn apply(
    tx: &store::Tx<'_>,
    by: &Labeller,
    patch: &InputPatch,
    action: PatchAction,
    known: &mut Known,
) -> Result<()> {
    let row = tx.input(&by.app_uid, &patch.id)?;
    let mut row = row.ok_or_else(|| Error::not_found(Resource::Input(patch.id.clone())))?;
    if let Some(metadata) = &patch.metadata {
        action.apply(&mut row.metadata, metadata);
    }
    if let Some(geo) = patch.geo {
        place(&mut row, geo, action)?;
    }
    row.modified_at_us = by.now_us;
    tx.update_input(&row)?;
    if let Some(labels) = &patch.labels {
        relabel(tx, by, (&patch.id, labels), action, known)?;
    }
    match patch.parts.is_empty() {
        false => annotations::change_parts(tx, by, known, (&row, &patch.parts), action),
        true => Ok(()),
    }
}

fn place(row: &mut store::Input, geo: GeoPoint, action: PatchAction) -> Result<()> {
    let given = match action {
        PatchAction::Merge | PatchAction::Overwrite => Some(geo),
        PatchAction::Remove => None,
    };
    row.lat = given.map(|geo| geo.latitude);
    row.lon = given.map(|geo| geo.longitude);
    let mut doc = InputDoc::read(&row.doc)?;
    // A place that was taken away was the user's decision too: the photograph's own must not come back.
    doc.geo_given = true;
    row.doc = doc.write();
    Ok(())
}

fn relabel(
    tx: &store::Tx<'_>,
    by: &Labeller,
    (input_id, given): (&str, &[NewLabel]),
    action: PatchAction,
    known: &mut Known,
) -> Result<()> {
    if action == PatchAction::Remove {
        let mut gone = Vec::new();
        for label in given {
            gone.extend(labels::find(tx, by, label)?);
        }
        return annotations::remove_concepts(tx, by, (input_id, &gone), &[]);
    }
    let values = known.resolve(tx, by, given)?;
    annotations::change_concepts(tx, by, (input_id, values), action)
}
