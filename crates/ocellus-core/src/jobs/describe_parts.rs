//! Describes the parts of an image or of a video's frames that annotations mark: each is cut out and gets a vector of its
//! own, in the space of the embedding model and in that of the image-text pair, if there is one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use ocellus_algo::image::RgbImage;
use ocellus_store as store;

use super::{JobCtx, JobKind, NewJob, Outcome};
use crate::annotations::parts::{box_around, space_of_parts};
use crate::annotations::{Shape, read_rows};
use crate::inputs::STATE_READY;
use crate::inputs::doc::InputDoc;
use crate::video::Frames;
use crate::{CropBox, Error, MediaKind, Result, predict};

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
    parts: Vec<(store::AnnotationRegion, Option<Cut>)>,
}

/// Where a part is.
#[derive(Clone)]
struct Cut {
    shape: Shape,
    /// Number and time in milliseconds of the frame of a video.
    frame: Option<(u32, u64)>,
}

type Vectors = Vec<(String, Vec<f32>)>;

fn read(tx: &store::Tx<'_>, app_uid: &str, input_id: &str) -> Result<Option<Work>> {
    let alive = tx.app_by_uid(app_uid)?.is_some_and(|app| app.deleted_at_us.is_none());
    let input = tx.input(app_uid, input_id)?.filter(|row| alive && row.state == STATE_READY);
    let Some(input) = input else { return Ok(None) };
    let waiting = tx.waiting_regions(app_uid, input_id, AT_ONCE)?;
    let mut ids: Vec<&str> = waiting.iter().map(|row| row.annotation_id.as_str()).collect();
    ids.dedup();
    let annotations = read_rows(tx, app_uid, tx.annotations_by_ids(app_uid, &ids)?)?;
    let kind = MediaKind::from_name(&input.kind).unwrap_or(MediaKind::Text);
    let cut = |row: &store::AnnotationRegion| {
        let annotation = annotations.iter().find(|annotation| annotation.id == row.annotation_id)?;
        let marked = annotation.data.marked(kind).into_iter().find(|one| one.region.id == row.region_id)?;
        let is_it = marked.outline().as_ref() == Some(&row.outline);
        let frame = marked.frame.map(|frame| (frame.number, frame.time_ms));
        Some(Cut { shape: marked.region.shape.clone()?, frame }).filter(|_| is_it)
    };
    let parts: Vec<_> = waiting.iter().map(|row| (row.clone(), cut(row))).collect();
    Ok((!parts.is_empty()).then_some(Work { input, parts }))
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let (uid, input_id) = (app_uid.clone(), cx.part.subject.clone());
    let work = cx.platform.store().read(move |tx| read(tx, &uid, &input_id)).await?;
    let Some(Work { input, parts }) = work else { return Ok(Outcome::nothing()) };
    let vectors = describe(&cx, &input, &parts).await?;
    let follow = (cx.platform.ids().id(), cx.job.account_id.clone());
    let now_us = cx.platform.clock().now_us();
    let parts: Vec<store::AnnotationRegion> = parts.into_iter().map(|(row, _)| row).collect();
    Ok(Outcome::effect(move |tx| {
        for (part, vector) in parts.iter().zip(&vectors) {
            let still_there = tx.end_region(part, vector.is_some())?;
            let Some(vectors) = vector.as_ref().filter(|_| still_there) else { continue };
            let row = |(space, data): &(String, Vec<f32>)| store::Vector {
                app_uid: app_uid.clone(),
                space: space_of_parts(space),
                input_id: part.key(),
                seq: 0,
                deleted: false,
                data: data.clone(),
            };
            tx.put_vectors(&vectors.iter().map(row).collect::<Vec<_>>())?;
        }
        follow_up(tx, (&follow.0, &follow.1), &app_uid, &input.id, now_us)
    }))
}

/// The vectors of each part, or nothing for one that cannot be cut out.
async fn describe(
    cx: &JobCtx,
    input: &store::Input,
    parts: &[(store::AnnotationRegion, Option<Cut>)],
) -> Result<Vec<Option<Vectors>>> {
    let lost = || Error::invalid("data", "is no longer there");
    let hash = input.blob.as_ref().ok_or_else(lost)?;
    let bytes = cx.platform.store().blobs().get(hash).await?.ok_or_else(lost)?;
    let limits = *cx.platform.decode_limits();
    let doc = InputDoc::read(&input.doc)?;
    let shapes: Vec<_> = parts.iter().map(|(_, cut)| cut.as_ref().map(|cut| cut.shape.clone())).collect();
    let around = move || {
        let boxes = shapes.iter().map(|shape| box_around(shape.as_ref()?, &limits).ok());
        boxes.collect::<Vec<Option<CropBox>>>()
    };
    let boxes = cx.platform.engine().cpu(around).await?;
    let fps = doc.video.as_ref().map_or(0.0, |about| f64::from(about.fps));
    let times = parts.iter().map(|(_, cut)| {
        let (number, time_ms) = cut.as_ref()?.frame?;
        // A frame that is told by its number alone.
        let by_number = time_ms == 0 && fps > 0.0;
        Some(if by_number { (f64::from(number) * 1000.0 / fps).round() as u64 } else { time_ms })
    });
    let mut vectors = Vec::with_capacity(boxes.len());
    let mut pictures: HashMap<Option<u64>, Option<Arc<RgbImage>>> = HashMap::new();
    for (sides, time_ms) in boxes.into_iter().zip(times) {
        cx.checkpoint()?;
        let Some(sides) = sides else {
            vectors.push(None);
            continue;
        };
        let picture = match pictures.entry(time_ms) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                unknown.insert(picture(cx, &doc, bytes.clone(), time_ms).await?).clone()
            }
        };
        vectors.push(match picture {
            Some(picture) => Some(predict::vectors_of_part(&cx.platform, &picture, sides).await?),
            None => None,
        });
    }
    Ok(vectors)
}

/// The image, or what a video shows at a time; nothing where the video shows nothing.
async fn picture(
    cx: &JobCtx,
    doc: &InputDoc,
    bytes: Bytes,
    time_ms: Option<u64>,
) -> Result<Option<Arc<RgbImage>>> {
    if let Some(time_ms) = time_ms {
        return match Frames::still(cx.platform.video_config(), bytes, time_ms).await {
            Ok(picture) => Ok(Some(Arc::new(picture))),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                tracing::warn!(%error, "a region of a frame gets no vector");
                Ok(None)
            }
        };
    }
    let limits = *cx.platform.decode_limits();
    let crops: Vec<_> = doc.crop.into_iter().collect();
    let open = move || predict::open_image(&bytes, &limits, &crops);
    Ok(Some(Arc::new(cx.platform.engine().cpu(open).await??)))
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
