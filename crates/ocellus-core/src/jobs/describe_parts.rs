//! Describes the parts of an image that annotations mark: each is cut out and gets a vector of its own.

use futures_util::FutureExt;
use ocellus_store as store;

use super::{JobCtx, JobKind, NewJob, Outcome};
use crate::annotations::parts::{box_around, outline, space_of_parts};
use crate::annotations::{Region, Shape, read_rows};
use crate::inputs::STATE_READY;
use crate::inputs::doc::InputDoc;
use crate::{Error, Result, predict};

pub(crate) const KIND: JobKind = JobKind {
    name: "describe_parts",
    max_attempts: 5,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// Parts described in one go; what is left gets a job of its own.
const AT_ONCE: i64 = 64;

/// The job for the waiting parts of an input.
pub(crate) fn job(id: &str, account_id: &str, app_uid: &str, input_id: &str, now_us: i64) -> NewJob {
    let mut new = NewJob::new(&KIND, id, account_id, now_us);
    new.job.app_uid = Some(app_uid.to_owned());
    new.parts = vec![store::JobPart::new(input_id, now_us)];
    new
}

/// Adds the job if parts of the input wait, in the transaction that makes the input ready or ends such a job.
pub(crate) fn follow_up(
    tx: &store::Tx<'_>,
    (id, account_id): (&str, &str),
    app_uid: &str,
    input_id: &str,
    now_us: i64,
) -> Result<()> {
    if tx.waiting_regions(app_uid, input_id, 1)?.is_empty() {
        return Ok(());
    }
    job(id, account_id, app_uid, input_id, now_us).insert(tx)
}

/// What is to be described.
struct Work {
    input: store::Input,
    parts: Vec<(store::AnnotationRegion, Option<Shape>)>,
}

fn read(tx: &store::Tx<'_>, app_uid: &str, input_id: &str) -> Result<Option<Work>> {
    let alive = tx.app_by_uid(app_uid)?.is_some_and(|app| app.deleted_at_us.is_none());
    let input = tx.input(app_uid, input_id)?.filter(|row| alive && row.state == STATE_READY);
    let Some(input) = input else { return Ok(None) };
    let waiting = tx.waiting_regions(app_uid, input_id, AT_ONCE)?;
    let mut ids: Vec<&str> = waiting.iter().map(|row| row.annotation_id.as_str()).collect();
    ids.dedup();
    let annotations = read_rows(tx, app_uid, tx.annotations_by_ids(app_uid, &ids)?)?;
    let shape = |row: &store::AnnotationRegion| {
        let annotation = annotations.iter().find(|annotation| annotation.id == row.annotation_id)?;
        let is_it = |region: &&Region| region.id == row.region_id;
        let shape = annotation.data.regions.iter().find(is_it)?.shape.clone();
        shape.filter(|shape| outline(shape).as_ref() == Some(&row.outline))
    };
    let parts: Vec<_> = waiting.iter().map(|row| (row.clone(), shape(row))).collect();
    Ok((!parts.is_empty()).then_some(Work { input, parts }))
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let (uid, input_id) = (app_uid.clone(), cx.part.subject.clone());
    let work = cx.platform.store().read(move |tx| read(tx, &uid, &input_id)).await?;
    let Some(Work { input, parts }) = work else { return Ok(Outcome::nothing()) };
    let vectors = describe(&cx, &input, &parts).await?;
    let space = space_of_parts(cx.platform.catalog().embedding().version_id());
    let follow = (cx.platform.ids().id(), cx.job.account_id.clone());
    let now_us = cx.platform.clock().now_us();
    let parts: Vec<store::AnnotationRegion> = parts.into_iter().map(|(row, _)| row).collect();
    Ok(Outcome::effect(move |tx| {
        for (part, vector) in parts.iter().zip(&vectors) {
            let still_there = tx.end_region(part, vector.is_some())?;
            let Some(vector) = vector.as_ref().filter(|_| still_there) else { continue };
            tx.put_vectors(&[store::Vector {
                app_uid: app_uid.clone(),
                space: space.clone(),
                input_id: part.key(),
                seq: 0,
                deleted: false,
                data: vector.clone(),
            }])?;
        }
        follow_up(tx, (&follow.0, &follow.1), &app_uid, &input.id, now_us)
    }))
}

/// A vector for each part, or nothing for one that cannot be cut out.
async fn describe(
    cx: &JobCtx,
    input: &store::Input,
    parts: &[(store::AnnotationRegion, Option<Shape>)],
) -> Result<Vec<Option<Vec<f32>>>> {
    let lost = || Error::invalid("data", "is no longer there");
    let hash = input.blob.as_ref().ok_or_else(lost)?;
    let bytes = cx.platform.store().blobs().get(hash).await?.ok_or_else(lost)?;
    let limits = *cx.platform.decode_limits();
    let crops: Vec<_> = InputDoc::read(&input.doc)?.crop.into_iter().collect();
    let shapes: Vec<Option<Shape>> = parts.iter().map(|(_, shape)| shape.clone()).collect();
    let cut = move || {
        let picture = predict::open_image(&bytes, &limits, &crops)?;
        let boxes = shapes.iter().map(|shape| box_around(shape.as_ref()?, &limits).ok());
        let boxes: Vec<_> = boxes.collect();
        Ok::<_, Error>((picture, boxes))
    };
    let (picture, boxes) = cx.platform.engine().cpu(cut).await??;
    let picture = std::sync::Arc::new(picture);
    let mut vectors = Vec::with_capacity(boxes.len());
    for sides in boxes {
        cx.checkpoint()?;
        vectors.push(match sides {
            Some(sides) => Some(predict::vector_of_part(&cx.platform, &picture, sides).await?),
            None => None,
        });
    }
    Ok(vectors)
}

/// The parts that waited are found by their inputs only.
fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    part: &store::JobPart,
    _error: &Error,
    _now_us: i64,
) -> Result<()> {
    let Some(app_uid) = &job.app_uid else { return Ok(()) };
    for row in tx.waiting_regions(app_uid, &part.subject, i64::MAX)? {
        tx.end_region(&row, false)?;
    }
    Ok(())
}
