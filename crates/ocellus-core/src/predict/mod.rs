//! What a public model says about images: the answers of one call, and the description every new input gets.

mod answer;
mod describe;
mod detector;
mod frames;
mod onnx;
mod own;
pub(crate) mod regions;
pub(crate) mod stored;
#[cfg(test)]
mod tests;
mod video;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use ocellus_algo::color::DominantColor;
use ocellus_algo::focus::Focus;
use ocellus_algo::image::{self, RgbImage};

use crate::catalog::ModelSpec;
use crate::models::Predictor;
use crate::video::Sampling;
use crate::{AppCtx, CropBox, Error, Platform, Resource, Result, Source};
use answer::Wanted;

pub(crate) use answer::{run_weights, spec_of, unit};
pub use describe::{Description, KEPT_CONCEPTS, describe};
pub(crate) use describe::{image_text_of, vectors_of_part};
pub use frames::each_frame;
pub(crate) use own::of_features;
pub use regions::{Appearance, RegionPrediction};
pub use video::FramePrediction;
pub(crate) use video::{VideoDescription, cut, describe_video, image_text_of_video};

/// How many images of one call are worked on at once; more would only hold decoded pixels in memory.
const AT_ONCE: usize = 8;

/// One image to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictInput {
    /// The image.
    pub subject: Subject,
    /// The part to look at.
    pub crop: Option<CropBox>,
}

/// Which image.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// Comes with the request.
    Source(Source),
    /// A video that comes with the request.
    Video(Source),
    /// An input of the app.
    Input(String),
    /// Pixels that are there already.
    Picture(Arc<RgbImage>),
}

/// Names a concept by id or by name; the id wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConceptSelector {
    /// Concept id, or empty.
    pub id: String,
    /// Concept name, in any case, or empty.
    pub name: String,
}

/// Which part of the answer is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictOptions {
    /// 1 to 200.
    pub max_concepts: u32,
    /// Concepts below this probability are left out; 0 to 1.
    pub min_value: f32,
    /// Only these concepts; empty means all.
    pub select: Vec<ConceptSelector>,
    /// Language of the names; a concept without a name in it falls back to English, and says so.
    pub language: Option<String>,
    /// At which times a video is looked at.
    pub sampling: Sampling,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self {
            max_concepts: 20,
            min_value: 0.0,
            select: Vec::new(),
            language: None,
            sampling: Sampling::default(),
        }
    }
}

/// A concept with its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Concept id.
    pub concept_id: String,
    /// Concept name.
    pub name: String,
    /// Language of the name.
    pub language: String,
    /// 0 to 1.
    pub probability: f32,
}

/// What a model said about one image.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// Most probable first.
    Concepts(Vec<Scored>),
    /// Length 1.
    Embedding(Vec<f32>),
    /// Largest first.
    Colors(Vec<DominantColor>),
    /// Sharpness.
    Focus(Focus),
    /// A fingerprint to compare with others.
    Fingerprint(u64),
    /// Parts of the image, the surest first.
    Regions(Vec<RegionPrediction>),
    /// What was said about each frame of a video, from its start.
    Frames(Vec<FramePrediction>),
}

/// Runs a model over images; one result per image, in order. `Invalid` about field `select_concepts` if none of the
/// selected concepts is the model's. What is already known about an input of the app is not computed again.
pub async fn run(
    app: &AppCtx,
    predictor: &Predictor,
    inputs: Vec<PredictInput>,
    options: &PredictOptions,
) -> Result<Vec<Result<Prediction>>> {
    let model = match predictor {
        Predictor::Public(model) => model,
        Predictor::Own { version, artefact, .. } => {
            return own::run(app, (version, artefact), inputs, options).await;
        }
    };
    let wanted = Wanted::new(model, &in_own_names(app.platform(), model, options))?;
    let mut answers = answers(app, model, inputs, &wanted).await;
    if let Some(language) = &options.language {
        answers.iter_mut().flatten().for_each(|answer| name_in(app.platform(), language, answer));
    }
    Ok(answers)
}

async fn answers(
    app: &AppCtx,
    model: &ModelSpec,
    inputs: Vec<PredictInput>,
    wanted: &Wanted,
) -> Vec<Result<Prediction>> {
    let answers = futures_util::stream::iter(inputs).map(|input| async move {
        match &input.subject {
            Subject::Source(source) => one(app.platform(), model, source, input.crop, wanted).await,
            Subject::Video(source) => {
                let bytes = bytes_of(app.platform(), source).await?;
                let crops: Vec<CropBox> = input.crop.into_iter().collect();
                let how = (wanted.sampling, crops.as_slice());
                let frames = video::predict(app.platform(), model, bytes, how, wanted).await;
                frames.map_err(|err| about_image(err, source))
            }
            Subject::Input(id) => stored::predict(app, model, id, input.crop, wanted).await,
            Subject::Picture(picture) => {
                let (picture, crops): (_, Vec<CropBox>) =
                    (Arc::clone(picture), input.crop.into_iter().collect());
                let open = move || cut((*picture).clone(), &crops);
                answer::of_picture(app.platform(), model, open, wanted).await
            }
        }
    });
    answers.buffered(AT_ONCE).collect().await
}

/// The vector of a picture, or the direction of the mean of a video's frames.
pub(crate) async fn vector_of_bytes(
    platform: &Platform,
    model: &ModelSpec,
    (bytes, is_video): (Bytes, bool),
    crop: Option<CropBox>,
) -> Result<Vec<f32>> {
    let wanted = Wanted::new(model, &PredictOptions::default())?;
    let crops: Vec<CropBox> = crop.into_iter().collect();
    let found = match is_video {
        false => answer::predict(platform, model, bytes, &crops, &wanted).await?,
        true => video::predict(platform, model, bytes, (wanted.sampling, &crops), &wanted).await?,
    };
    let no_vector =
        |got: &Prediction| Error::internal(anyhow::anyhow!("model {} gave no vector but {got:?}", model.id));
    match found {
        Prediction::Embedding(vector) => Ok(vector),
        Prediction::Frames(frames) => {
            let vector_of = |frame: &FramePrediction| match &frame.prediction {
                Prediction::Embedding(vector) => Ok(vector.clone()),
                other @ (Prediction::Concepts(_)
                | Prediction::Colors(_)
                | Prediction::Focus(_)
                | Prediction::Fingerprint(_)
                | Prediction::Regions(_)
                | Prediction::Frames(_)) => Err(no_vector(other)),
            };
            let vectors = frames.iter().map(vector_of).collect::<Result<Vec<_>>>()?;
            Ok(video::mean(vectors.iter().map(Vec::as_slice)))
        }
        other @ (Prediction::Concepts(_)
        | Prediction::Colors(_)
        | Prediction::Focus(_)
        | Prediction::Fingerprint(_)
        | Prediction::Regions(_)) => Err(no_vector(&other)),
    }
}

/// The options with concepts that are selected by a name in their language named by their ids.
fn in_own_names(platform: &Platform, model: &ModelSpec, options: &PredictOptions) -> PredictOptions {
    let mut options = options.clone();
    let language = options.language.as_deref();
    let by_own_name =
        |name: &str| model.id != platform.catalog().general().id && model.labels.find("", name).is_some();
    for one in options.select.iter_mut().filter(|one| one.id.is_empty() && !by_own_name(&one.name)) {
        if let Some(concept) = platform.catalog().concept("", &one.name, language) {
            one.id.clone_from(&concept.id);
        }
    }
    options
}

/// Gives concepts their names in a language, where there are such.
fn name_in(platform: &Platform, language: &str, answer: &mut Prediction) {
    if let Prediction::Frames(frames) = answer {
        return frames.iter_mut().for_each(|frame| name_in(platform, language, &mut frame.prediction));
    }
    let put = |scored: &mut Scored| {
        if let Some((language, name)) = platform.catalog().words().name(&scored.concept_id, language) {
            (scored.name, scored.language) = (name.to_owned(), language.to_owned());
        }
    };
    match answer {
        Prediction::Concepts(concepts) => concepts.iter_mut().for_each(put),
        Prediction::Regions(regions) => regions.iter_mut().flat_map(|one| &mut one.concepts).for_each(put),
        Prediction::Embedding(_)
        | Prediction::Colors(_)
        | Prediction::Focus(_)
        | Prediction::Fingerprint(_)
        | Prediction::Frames(_) => {}
    }
}

/// Runs a public model over one image that belongs to no app.
pub async fn source(
    platform: &Platform,
    model: &ModelSpec,
    source: &Source,
    crop: Option<CropBox>,
    options: &PredictOptions,
) -> Result<Prediction> {
    one(platform, model, source, crop, &Wanted::new(model, options)?).await
}

async fn one(
    platform: &Platform,
    model: &ModelSpec,
    source: &Source,
    crop: Option<CropBox>,
    wanted: &Wanted,
) -> Result<Prediction> {
    let crops: Vec<CropBox> = crop.into_iter().collect();
    let bytes = bytes_of(platform, source).await?;
    answer::predict(platform, model, bytes, &crops, wanted).await.map_err(|err| about_image(err, source))
}

/// The bytes behind a source, fetched if need be.
pub(crate) async fn bytes_of(platform: &Platform, source: &Source) -> Result<Bytes> {
    match source {
        Source::Bytes(bytes) => Ok(bytes.clone()),
        Source::Url(url) => Ok(platform.fetcher().get(url, platform.decode_limits().max_bytes).await?.bytes),
        Source::Text(_) => Err(Error::unsupported("text has no pixels to look at")),
    }
}

/// Decodes an image and cuts it, each crop from what the one before it left. Blocks.
pub(crate) fn open_image(bytes: &[u8], limits: &image::DecodeLimits, crops: &[CropBox]) -> Result<RgbImage> {
    let mut picture = image::decode(bytes, limits)?.image;
    for crop in crops {
        picture = image::crop(&picture, (*crop).into())?;
    }
    Ok(picture)
}

/// Says which image an error is about, unless it is about something else already.
fn about_image(err: Error, source: &Source) -> Error {
    if err.about.is_some() || err.kind == crate::Kind::Internal {
        return err;
    }
    let name = match source {
        Source::Url(url) => url.clone(),
        Source::Bytes(_) | Source::Text(_) => String::new(),
    };
    err.about(Resource::Image(name))
}
