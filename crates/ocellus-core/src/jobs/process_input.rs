//! Describes an input: fetch, decode (a video frame by frame), crop, thumbnail, EXIF, concepts, vector, colours, fingerprint; then one write.

use bytes::Bytes;
use futures_util::FutureExt;
use ocellus_algo::image::{self, DecodeLimits, Exif, RgbImage};
use ocellus_store as store;
use serde_json::{Value, json};

use super::{JobCtx, JobKind, NewJob, Outcome, describe_parts};
use crate::inputs::TEXT;
use crate::inputs::doc::{ColorDoc, InputDoc};
use crate::inputs::{FailureCode, STATE_FAILED, STATE_PENDING, STATE_PROCESSING, STATE_READY};
use crate::media_type::media_type;
use crate::predict::{self, Description, Scored, VideoDescription};
use crate::workflows::default::{self, Verdict};
use crate::{CropBox, Error, JsonMap, Kind, MediaKind, Resource, Result};

pub(crate) const KIND: JobKind = JobKind {
    name: "process_input",
    max_attempts: 8,
    run: |cx| run(cx).boxed(),
    begin: Some(begin),
    give_up: Some(give_up),
};

/// A download that times out is tried this often in all; others have to wait meanwhile.
const DOWNLOAD_ATTEMPTS: i64 = 2;
/// Longer side of a thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 320;
/// JPEG quality of a thumbnail, 1 to 100.
const THUMBNAIL_QUALITY: u8 = 82;

/// The job for inputs that are being added: one part for each.
pub(crate) fn job(id: &str, account_id: &str, app_uid: &str, input_ids: &[String], now_us: i64) -> NewJob {
    let mut new = NewJob::new(&KIND, id, account_id, now_us);
    new.job.app_uid = Some(app_uid.to_owned());
    new.parts = input_ids.iter().map(|input_id| store::JobPart::new(input_id, now_us)).collect();
    new
}

fn begin(tx: &store::Tx<'_>, claimed: &[(store::Job, store::JobPart)], now_us: i64) -> Result<()> {
    for (job, part) in claimed {
        let Some(app_uid) = &job.app_uid else { continue };
        if tx.input(app_uid, &part.subject)?.is_some_and(|row| row.state == STATE_PENDING) {
            tx.set_input_state(app_uid, &part.subject, STATE_PROCESSING, ("", ""), now_us)?;
        }
    }
    Ok(())
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    let Some(app_uid) = &job.app_uid else { return Ok(()) };
    if open_row(tx, app_uid, &part.subject)?.is_some() {
        let reason = (failure_code(error).name(), error.message.as_str());
        tx.set_input_state(app_uid, &part.subject, STATE_FAILED, reason, now_us)?;
    }
    Ok(())
}

/// The input if it still waits for its description and its app still exists.
fn open_row(tx: &store::Tx<'_>, app_uid: &str, input_id: &str) -> Result<Option<store::Input>> {
    let alive = tx.app_by_uid(app_uid)?.is_some_and(|app| app.deleted_at_us.is_none());
    if !alive {
        return Ok(None);
    }
    let row = tx.input(app_uid, input_id)?;
    Ok(row.filter(|row| matches!(row.state, STATE_PENDING | STATE_PROCESSING)))
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let input_id = cx.part.subject.clone();
    let row = cx.platform.store().read(move |tx| open_row(tx, &app_uid, &input_id)).await?;
    let Some(row) = row else { return Ok(Outcome::nothing()) };
    match describe(&cx, &row).await {
        Ok(described) => keep(&cx, described).await,
        Err(error) if may_pass(&cx, &error) => Err(error),
        Err(error) => Ok(fail(&cx, &error)),
    }
}

/// Whether the same attempt may succeed later. What an address or an image is will not change by waiting.
fn may_pass(cx: &JobCtx, error: &Error) -> bool {
    match (&error.about, error.kind) {
        (_, Kind::Cancelled) => true,
        (Some(Resource::Url(_)), Kind::Timeout | Kind::Unavailable) => cx.part.attempts < DOWNLOAD_ATTEMPTS,
        (Some(Resource::Url(_)), _) => false,
        _ => error.is_transient(),
    }
}

/// The input is given up; the part itself is done, with the reason on record.
fn fail(cx: &JobCtx, error: &Error) -> Outcome {
    let now_us = cx.platform.clock().now_us();
    let (job, part, error) = (cx.job.clone(), cx.part.clone(), error.clone());
    Outcome::effect(move |tx| {
        give_up(tx, &job, &part, &error, now_us)?;
        tx.insert_job_error(&store::JobError {
            job_id: part.job_id.clone(),
            part_idx: part.idx,
            code: failure_code(&error).name().to_owned(),
            subject: part.subject.clone(),
            message: error.message.clone(),
            created_at_us: now_us,
        })?;
        Ok(())
    })
}

/// Why an input failed, as the owner sees it.
pub(crate) fn failure_code(error: &Error) -> FailureCode {
    let about_url = matches!(error.about, Some(Resource::Url(_)));
    match error.kind {
        Kind::TooLarge => FailureCode::TooLarge,
        Kind::Timeout if about_url => FailureCode::DownloadTimeout,
        Kind::Forbidden if about_url => FailureCode::AddressForbidden,
        Kind::Invalid
        | Kind::NotFound
        | Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::Conflict
        | Kind::Unsupported
        | Kind::Exhausted
        | Kind::Unavailable
        | Kind::Cancelled
        | Kind::Internal
            if about_url =>
        {
            FailureCode::DownloadFailed
        }
        Kind::Invalid => FailureCode::InvalidImage,
        Kind::Unsupported => FailureCode::Unsupported,
        Kind::NotFound
        | Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::Conflict
        | Kind::Exhausted
        | Kind::Unavailable
        | Kind::Timeout
        | Kind::Cancelled
        | Kind::Internal => FailureCode::Internal,
    }
}

/// Everything that was found out about an input.
struct Described {
    /// The content, if it was fetched and has to be kept.
    fetched: Option<Bytes>,
    content: Content,
    /// What the app's default workflow says, if it has one.
    verdict: Option<Verdict>,
}

enum Content {
    Text(String),
    Image { seen: Box<Seen>, description: Box<Description> },
    Audio(&'static str),
    Video { mime: &'static str, thumbnail: Vec<u8>, description: Box<VideoDescription> },
}

/// What the file itself tells.
struct Seen {
    width: u32,
    height: u32,
    mime: &'static str,
    exif: Exif,
    thumbnail: Vec<u8>,
}

async fn describe(cx: &JobCtx, row: &store::Input) -> Result<Described> {
    let (bytes, was_fetched) = content_of(cx, row).await?;
    let fetched = was_fetched.then(|| bytes.clone());
    if row.kind == MediaKind::Text.name() {
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| Error::invalid("data.text", "is not UTF-8 text"))?;
        return Ok(Described { fetched, content: Content::Text(text), verdict: None });
    }
    if let Some(kind @ (MediaKind::Audio | MediaKind::Video)) = MediaKind::from_name(&row.kind) {
        let unknown = || Error::unsupported(format!("the bytes are of no known kind of {}", kind.name()));
        let mime = media_type(kind, &bytes).ok_or_else(unknown)?;
        if kind != MediaKind::Video {
            return Ok(Described { fetched, content: Content::Audio(mime), verdict: None });
        }
        let content = watch(cx, bytes.clone(), mime).await?;
        let verdict = default::look(&cx.platform, &row.app_uid, (bytes, true), None, &row.id).await?;
        return Ok(Described { fetched, content, verdict });
    }
    let crop = InputDoc::read(&row.doc)?.crop;
    let picture_bytes = bytes.clone();
    let limits = *cx.platform.decode_limits();
    let (seen, picture) = cx.platform.engine().cpu(move || look(&bytes, &limits, crop)).await??;
    cx.checkpoint()?;
    let description = predict::describe(&cx.platform, picture).await?;
    let verdict = default::look(&cx.platform, &row.app_uid, (picture_bytes, false), crop, &row.id).await?;
    let content = Content::Image { seen: Box::new(seen), description: Box::new(description) };
    Ok(Described { fetched, content, verdict })
}

/// Looks at a video frame by frame.
async fn watch(cx: &JobCtx, bytes: Bytes, mime: &'static str) -> Result<Content> {
    let description = predict::describe_video(&cx.platform, bytes).await?;
    let first = description.first.clone();
    let shrink = move || image::encode_jpeg(&image::thumbnail(&first, THUMBNAIL_SIDE), THUMBNAIL_QUALITY);
    let thumbnail = cx.platform.engine().cpu(shrink).await??;
    Ok(Content::Video { mime, thumbnail, description: Box::new(description) })
}

async fn content_of(cx: &JobCtx, row: &store::Input) -> Result<(Bytes, bool)> {
    if let Some(hash) = &row.blob {
        let lost = || Error::invalid("data", "is no longer there");
        return Ok((cx.platform.store().blobs().get(hash).await?.ok_or_else(lost)?, false));
    }
    let url =
        row.source_url.as_deref().ok_or_else(|| Error::invalid("data", "has neither bytes nor a url"))?;
    let fetched = cx.platform.fetcher().get(url, cx.platform.decode_limits().max_bytes).await?;
    Ok((fetched.bytes, true))
}

fn look(bytes: &[u8], limits: &DecodeLimits, crop: Option<CropBox>) -> Result<(Seen, RgbImage)> {
    let decoded = image::decode(bytes, limits)?;
    let (width, height) = decoded.image.dimensions();
    let thumbnail = image::encode_jpeg(&image::thumbnail(&decoded.image, THUMBNAIL_SIDE), THUMBNAIL_QUALITY)?;
    let seen = Seen { width, height, mime: decoded.format.mime(), exif: decoded.exif, thumbnail };
    let picture = match crop {
        Some(crop) => image::crop(&decoded.image, crop.into())?,
        None => decoded.image,
    };
    Ok((seen, picture))
}

/// Puts the bytes where they stay, and hands back the one write that makes the input ready.
async fn keep(cx: &JobCtx, described: Described) -> Result<Outcome> {
    let platform = &cx.platform;
    let held = platform.blob_gate().clone().read_owned().await;
    let blob = match described.fetched {
        Some(bytes) => Some(platform.store().blobs().put(bytes).await?),
        None => None,
    };
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let (input_id, now_us) = (cx.part.subject.clone(), platform.clock().now_us());
    let follow = (platform.ids().id(), cx.job.account_id.clone());
    let verdict = described.verdict.unwrap_or_default();
    let mut outcome = match described.content {
        Content::Text(text) => Outcome::effect(move |tx| {
            let Some(mut row) = open_row(tx, &app_uid, &input_id)? else { return Ok(()) };
            let mut doc = InputDoc::read(&row.doc)?;
            doc.text = Some(text.clone());
            row.doc = doc.write();
            row.mime = Some(TEXT.to_owned());
            ready(tx, row, blob.as_ref(), now_us)
        }),
        Content::Audio(mime) => Outcome::effect(move |tx| {
            let Some(mut row) = open_row(tx, &app_uid, &input_id)? else { return Ok(()) };
            row.mime = Some(mime.to_owned());
            ready(tx, row, blob.as_ref(), now_us)
        }),
        Content::Video { mime, thumbnail, description } => {
            let thumb = platform.store().blobs().put(Bytes::from(thumbnail)).await?;
            Outcome::effect(move |tx| {
                let Some(mut row) = open_row(tx, &app_uid, &input_id)? else { return Ok(()) };
                fill_video(&mut row, &description)?;
                (row.mime, row.thumb) = (Some(mime.to_owned()), Some(thumb.clone()));
                let version_id = &description.concepts_version_id;
                write_found(tx, &row, (version_id, &description.concepts), description.vectors())?;
                tx.put_video_frames(&app_uid, &input_id, version_id, &frame_rows(&description))?;
                judge(tx, &mut row, &verdict, now_us)?;
                ready(tx, row, blob.as_ref(), now_us)?;
                describe_parts::follow_up(tx, (&follow.0, &follow.1), &app_uid, &input_id, now_us)
            })
        }
        Content::Image { mut seen, description } => {
            let thumb =
                platform.store().blobs().put(Bytes::from(std::mem::take(&mut seen.thumbnail))).await?;
            Outcome::effect(move |tx| {
                let Some(mut row) = open_row(tx, &app_uid, &input_id)? else { return Ok(()) };
                fill(&mut row, &seen, &description)?;
                row.thumb = Some(thumb.clone());
                let concepts = (description.concepts_version_id.as_str(), &description.concepts);
                write_found(tx, &row, concepts, description.vectors())?;
                judge(tx, &mut row, &verdict, now_us)?;
                ready(tx, row, blob.as_ref(), now_us)?;
                describe_parts::follow_up(tx, (&follow.0, &follow.1), &app_uid, &input_id, now_us)
            })
        }
    };
    outcome.blobs_held = Some(held);
    Ok(outcome)
}

fn ready(tx: &store::Tx<'_>, mut row: store::Input, fetched: Option<&String>, now_us: i64) -> Result<()> {
    if let Some(hash) = fetched {
        row.content_hash = Some(hash.clone());
        row.blob = Some(hash.clone());
    }
    row.state = STATE_READY;
    row.modified_at_us = now_us;
    tx.update_input(&row)?;
    Ok(())
}

/// Writes what the default workflow says; where it failed, the input says so.
fn judge(tx: &store::Tx<'_>, row: &mut store::Input, verdict: &Verdict, now_us: i64) -> Result<()> {
    let mut doc = InputDoc::read(&row.doc)?;
    doc.workflow_failure.clone_from(&verdict.failure);
    row.doc = doc.write();
    verdict.write(tx, &row.app_uid, &row.id, now_us)
}

fn fill(row: &mut store::Input, seen: &Seen, description: &Description) -> Result<()> {
    row.width = Some(i64::from(seen.width));
    row.height = Some(i64::from(seen.height));
    row.mime = Some(seen.mime.to_owned());
    // The column holds the same 64 bits, read as a signed number.
    row.phash = Some(description.phash.cast_signed());
    let mut doc = InputDoc::read(&row.doc)?;
    if !doc.geo_given {
        (row.lat, row.lon) = match seen.exif.latitude.zip(seen.exif.longitude) {
            Some((lat, lon)) => (Some(lat), Some(lon)),
            None => (None, None),
        };
    }
    doc.exif = exif_map(&seen.exif);
    doc.colors = description.colors.iter().map(ColorDoc::from).collect();
    doc.sharpness = Some(description.focus.sharpness);
    row.doc = doc.write();
    Ok(())
}

fn exif_map(exif: &Exif) -> JsonMap {
    let mut map = match serde_json::to_value(exif) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => JsonMap::new(),
    };
    map.retain(|_, value| !value.is_null());
    if exif.orientation <= 1 {
        map.shift_remove("orientation");
    }
    map
}

fn fill_video(row: &mut store::Input, description: &VideoDescription) -> Result<()> {
    row.width = Some(i64::from(description.about.width));
    row.height = Some(i64::from(description.about.height));
    let mut doc = InputDoc::read(&row.doc)?;
    doc.video = Some(description.about.clone());
    row.doc = doc.write();
    Ok(())
}

/// What was seen in each frame, as it is stored.
fn frame_rows(description: &VideoDescription) -> Vec<store::VideoFrame> {
    let row = |(idx, (time_ms, concepts)): (usize, &(u64, Vec<Scored>))| {
        let pair = |scored: &Scored| json!({"id": scored.concept_id, "value": scored.probability});
        let list: Vec<Value> = concepts.iter().map(pair).collect();
        store::VideoFrame {
            idx: i64::try_from(idx).unwrap_or(i64::MAX),
            time_ms: i64::try_from(*time_ms).unwrap_or(i64::MAX),
            doc: [("concepts".to_owned(), Value::from(list))].into_iter().collect(),
        }
    };
    description.frames.iter().enumerate().map(row).collect()
}

/// Writes the concepts and the vectors that were found, each with the version of the model that found them.
fn write_found<'a>(
    tx: &store::Tx<'_>,
    row: &store::Input,
    (concepts_version_id, concepts): (&str, &Vec<Scored>),
    vectors: impl Iterator<Item = (&'a str, &'a [f32])>,
) -> Result<()> {
    let pair = |scored: &Scored| (scored.concept_id.clone(), f64::from(scored.probability));
    let concepts: Vec<(String, f64)> = concepts.iter().map(pair).collect();
    tx.put_predictions(&row.app_uid, &row.id, concepts_version_id, &concepts)?;
    let vector = |(space, vector): (&str, &[f32])| store::Vector {
        app_uid: row.app_uid.clone(),
        space: space.to_owned(),
        input_id: row.id.clone(),
        seq: 0,
        deleted: false,
        data: vector.to_vec(),
    };
    tx.put_vectors(&vectors.map(vector).collect::<Vec<_>>())?;
    Ok(())
}
