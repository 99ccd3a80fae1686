//! Answers about inputs of the app: from what is kept with them where that is the same, else from their kept pixels.

use bytes::Bytes;
use ocellus_algo::color::DominantColor;

use super::answer::{self, Wanted};
use super::{FramePrediction, KEPT_CONCEPTS, Prediction, Scored, bytes_of};
use crate::catalog::{ModelSpec, ModelTask, OWN_LANGUAGE};
use crate::inputs::{self, Input, InputState};
use crate::video::Sampling;
use crate::{AppCtx, CropBox, Error, MediaKind, Resource, Result, Source};

/// What a model says about an input; `crop` is taken from the part of the image that the input is about.
pub async fn predict(
    app: &AppCtx,
    model: &ModelSpec,
    id: &str,
    crop: Option<CropBox>,
    wanted: &Wanted,
) -> Result<Prediction> {
    let input = inputs::get(app, id).await?;
    if crop.is_none()
        && input.state == InputState::Ready
        && let Some(known) = known(app, model, &input, wanted).await?
    {
        return Ok(known);
    }
    let about = || Resource::Input(id.to_owned());
    let Pixels { bytes, crops, is_video } = pixels_of(app, &input, crop).await?;
    if is_video {
        let how = (wanted.sampling, crops.as_slice());
        let frames = super::video::predict(app.platform(), model, bytes, how, wanted).await;
        return frames.map_err(|err| err.about(about()));
    }
    answer::predict(app.platform(), model, bytes, &crops, wanted).await.map_err(|err| err.about(about()))
}

/// What of an input can be looked at.
pub struct Pixels {
    /// An image or a video.
    pub bytes: Bytes,
    /// The part of it, each crop from what the one before it left.
    pub crops: Vec<CropBox>,
    /// Whether it is a video.
    pub is_video: bool,
}

/// What of an input can be looked at; `crop` is taken from the part of the image that the input is about.
pub async fn pixels(app: &AppCtx, id: &str, crop: Option<CropBox>) -> Result<Pixels> {
    pixels_of(app, &inputs::get(app, id).await?, crop).await
}

async fn pixels_of(app: &AppCtx, input: &Input, crop: Option<CropBox>) -> Result<Pixels> {
    let about = || Resource::Input(input.id.clone());
    if matches!(input.kind, MediaKind::Text | MediaKind::Audio) {
        return Err(Error::unsupported("the input has no pixels to look at").about(about()));
    }
    let bytes = match (&input.hosted, &input.url) {
        (Some(hosted), _) => {
            let found = app.platform().store().blobs().get(&hosted.hash).await?;
            found.ok_or_else(|| Error::not_found(about()))?
        }
        (None, Some(url)) => bytes_of(app.platform(), &Source::Url(url.clone())).await?,
        (None, None) => return Err(Error::unsupported("the input has no pixels to look at").about(about())),
    };
    let crops: Vec<CropBox> = input.crop.into_iter().chain(crop).collect();
    Ok(Pixels { bytes, crops, is_video: input.kind == MediaKind::Video })
}

/// The answer as far as it was kept when the input came in.
async fn known(
    app: &AppCtx,
    model: &ModelSpec,
    input: &Input,
    wanted: &Wanted,
) -> Result<Option<Prediction>> {
    if input.kind == MediaKind::Video {
        let few = wanted.selected.is_none() && wanted.max_concepts <= KEPT_CONCEPTS;
        let usual = few && wanted.sampling == Sampling::default() && model.task == ModelTask::Concepts;
        return if usual { known_frames(app, model, input, wanted).await } else { Ok(None) };
    }
    match model.task {
        ModelTask::Concepts if wanted.selected.is_none() && wanted.max_concepts <= KEPT_CONCEPTS => {
            Ok(known_concepts(app, model, &input.id, wanted).await?.map(Prediction::Concepts))
        }
        ModelTask::Embedding => {
            Ok(vector(app, model.version_id(), &input.id).await?.map(Prediction::Embedding))
        }
        ModelTask::Color if !input.colors.is_empty() => {
            Ok(Some(Prediction::Colors(input.colors.iter().map(DominantColor::clone).collect())))
        }
        ModelTask::Concepts
        | ModelTask::Color
        | ModelTask::Focus
        | ModelTask::NearDuplicate
        | ModelTask::Objects
        | ModelTask::Faces
        | ModelTask::FaceEmbedding
        | ModelTask::FaceAppearance => Ok(None),
    }
}

async fn known_concepts(
    app: &AppCtx,
    model: &ModelSpec,
    id: &str,
    wanted: &Wanted,
) -> Result<Option<Vec<Scored>>> {
    let (uid, id, version) = (app.uid().to_owned(), id.to_owned(), model.version_id().to_owned());
    let read = move |tx: &mut ocellus_store::Tx<'_>| Ok::<_, Error>(tx.predictions_of(&uid, &id, &version)?);
    let rows = app.platform().store().read(read).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let scored = rows.into_iter().filter_map(|row| {
        let name = model.labels.by_id(&row.concept_id)?.name.clone();
        let language = OWN_LANGUAGE.to_owned();
        Some(Scored { concept_id: row.concept_id, name, language, probability: row.value as f32 })
    });
    let likely = scored.filter(|concept| concept.probability >= wanted.min_value);
    Ok(Some(likely.take(wanted.max_concepts).collect()))
}

/// What was kept of each frame of a video.
async fn known_frames(
    app: &AppCtx,
    model: &ModelSpec,
    input: &Input,
    wanted: &Wanted,
) -> Result<Option<Prediction>> {
    let (uid, id, version) = (app.uid().to_owned(), input.id.clone(), model.version_id().to_owned());
    let read = move |tx: &mut ocellus_store::Tx<'_>| Ok::<_, Error>(tx.video_frames(&uid, &id, &version)?);
    let rows = app.platform().store().read(read).await?;
    let frame = |row: &ocellus_store::VideoFrame| {
        let pairs = row.doc.get("concepts").and_then(|list| list.as_array());
        let scored = pairs.into_iter().flatten().filter_map(|pair| {
            let known = model.labels.by_id(pair.get("id")?.as_str()?)?;
            let (concept_id, name) = (known.id.clone(), known.name.clone());
            let probability = pair.get("value")?.as_f64()? as f32;
            Some(Scored { concept_id, name, language: OWN_LANGUAGE.to_owned(), probability })
        });
        let likely = scored.filter(|scored| scored.probability >= wanted.min_value);
        let time_ms = u64::try_from(row.time_ms).unwrap_or(0);
        FramePrediction {
            idx: u32::try_from(row.idx).unwrap_or(0),
            time_ms,
            number: input.video.as_ref().map_or(0, |about| about.number_at(time_ms)),
            prediction: Prediction::Concepts(likely.take(wanted.max_concepts).collect()),
        }
    };
    Ok((!rows.is_empty()).then(|| Prediction::Frames(rows.iter().map(frame).collect())))
}

/// The vector of an input in a space, if it has one.
pub(crate) async fn vector(app: &AppCtx, space: &str, id: &str) -> Result<Option<Vec<f32>>> {
    let (uid, id, space) = (app.uid().to_owned(), id.to_owned(), space.to_owned());
    let read = move |tx: &mut ocellus_store::Tx<'_>| Ok::<_, Error>(tx.vector(&uid, &space, &id)?);
    Ok(app.platform().store().read(read).await?.map(|row| row.data))
}
