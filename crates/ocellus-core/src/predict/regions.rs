//! Answers about parts of an image: things and faces with their boxes, and what can be told of each face.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use ocellus_algo::detect::{self, Raw};
use ocellus_algo::face::{self, Face, Frame};
use ocellus_algo::image::RgbImage;
use ocellus_algo::nn::Tensor;
use ocellus_algo::preprocess;
use sha2::{Digest, Sha256};

use super::answer::{Wanted, run_weights, spec_of, unit};
use super::{Prediction, Scored};
use crate::catalog::{ModelSpec, ModelTask, Network};
use crate::{CropBox, Error, Platform, Result};

/// How many faces of one image are looked at at once.
const AT_ONCE: usize = 4;

/// What a model said about a part of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionPrediction {
    /// Tells the regions of an answer apart; the same part of the same image has the same id again.
    pub id: String,
    /// Where it is.
    pub bbox: CropBox,
    /// How sure it is that something is there, 0 to 1.
    pub probability: f32,
    /// What it shows, most probable first.
    pub concepts: Vec<Scored>,
    /// How a face looks; what is in it is in `concepts` too.
    pub appearance: Option<Appearance>,
    /// The vector of what it shows, length 1.
    pub embedding: Option<Vec<f32>>,
}

/// How a face looks, most probable first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Appearance {
    /// Of which age, in years.
    pub age: Vec<Scored>,
    /// Feminine or masculine.
    pub gender: Vec<Scored>,
}

impl RegionPrediction {
    /// A region that nothing is said about yet; `idx` is its place in the answer.
    pub(crate) fn new(idx: usize, sides: [f32; 4], probability: f32) -> Self {
        let mut hash = Sha256::new();
        hash.update((idx as u64).to_le_bytes());
        sides.iter().for_each(|side| hash.update(side.to_le_bytes()));
        let [top, left, bottom, right] = sides;
        Self {
            id: hex::encode(&hash.finalize()[..16]),
            bbox: CropBox { top, left, bottom, right },
            probability,
            concepts: Vec::new(),
            appearance: None,
            embedding: None,
        }
    }
}

/// Runs a model that answers in regions over an image.
pub(super) async fn of_picture(
    platform: &Platform,
    model: &ModelSpec,
    open: impl FnOnce() -> Result<RgbImage> + Send + 'static,
    wanted: &Wanted,
) -> Result<Prediction> {
    let spec = spec_of(model)?.clone();
    let prepare = move || open().map(|image| (preprocess::apply(&spec, &image), Arc::new(image)));
    let (input, image) = platform.engine().cpu(prepare).await??;
    let outputs = run_weights(platform, model, input).await?;
    if model.task == ModelTask::Objects {
        return Ok(Prediction::Regions(objects(model, &outputs, wanted)?));
    }
    let faces = faces(model, &outputs, &image)?;
    let sure = faces.into_iter().filter_map(|face| Some((detect::cut(face.sides)?, face)));
    let sure =
        sure.filter(|(_, face)| model.task == ModelTask::FaceAppearance || face.score >= wanted.min_value);
    let regions = stream::iter(sure.enumerate()).map(|(idx, (sides, face))| {
        let (image, region) = (Arc::clone(&image), RegionPrediction::new(idx, sides, face.score));
        async move { of_face(platform, model, (image, face), region, wanted).await }
    });
    let mut regions: Vec<RegionPrediction> = regions.buffered(AT_ONCE).try_collect().await?;
    if model.task == ModelTask::Faces {
        regions.retain(|region| !region.concepts.is_empty());
    }
    Ok(Prediction::Regions(regions))
}

/// Adds to a face's region what the model tells of faces.
async fn of_face(
    platform: &Platform,
    model: &ModelSpec,
    (image, face): (Arc<RgbImage>, Face),
    mut region: RegionPrediction,
    wanted: &Wanted,
) -> Result<RegionPrediction> {
    match model.task {
        ModelTask::FaceEmbedding => {
            let network = network(model, 0)?;
            let found = look(platform, network, (&image, &face), &face::ARCFACE).await?;
            region.embedding = Some(unit(&found));
        }
        ModelTask::FaceAppearance => {
            let ages = look(platform, network(model, 0)?, (&image, &face), &face::CHIP).await?;
            let genders = look(platform, network(model, 1)?, (&image, &face), &face::CHIP).await?;
            let n_ages = ages.len();
            let numbers: Vec<f32> = ages.into_iter().chain(genders).collect();
            if numbers.len() != model.labels.n_outputs() {
                return Err(wrong(model));
            }
            let appearance = Appearance {
                age: wanted.pick_of(&model.labels, &numbers, 0..n_ages),
                gender: wanted.pick_of(&model.labels, &numbers, n_ages..numbers.len()),
            };
            region.concepts = wanted.pick(&model.labels, &numbers);
            region.appearance = Some(appearance);
        }
        ModelTask::Faces => region.concepts = wanted.pick(&model.labels, &[face.score]),
        ModelTask::Concepts
        | ModelTask::Embedding
        | ModelTask::Color
        | ModelTask::Focus
        | ModelTask::NearDuplicate
        | ModelTask::Objects => return Err(wrong(model)),
    }
    Ok(region)
}

/// What a network says of a face that was turned to stand as it expects.
async fn look(
    platform: &Platform,
    network: &Network,
    (image, face): (&Arc<RgbImage>, &Face),
    target: &'static [[f32; 2]; 5],
) -> Result<Vec<f32>> {
    let (spec, image, landmarks) = (network.preprocess.clone(), Arc::clone(image), face.landmarks);
    let prepare = move || {
        // A face whose landmarks are in one place is none; a black square says so little that nothing is said of it.
        let chip = face::aligned(&image, &landmarks, target, spec.width);
        preprocess::apply(&spec, &chip.unwrap_or_else(|| RgbImage::new(spec.width, spec.height)))
    };
    let input = platform.engine().cpu(prepare).await?;
    let outputs = platform.engine().run(&network.file, input).await?;
    let first = outputs.into_iter().next();
    Ok(first.ok_or_else(|| Error::internal(anyhow::anyhow!("{} gave nothing", network.file.id)))?.data)
}

fn network(model: &ModelSpec, idx: usize) -> Result<&Network> {
    model.also.get(idx).ok_or_else(|| Error::internal(anyhow::anyhow!("model {} lacks a network", model.id)))
}

fn wrong(model: &ModelSpec) -> Error {
    Error::internal(anyhow::anyhow!("the weights of model {} gave other outputs than expected", model.id))
}

/// The numbers of a detector: scores and boxes.
pub(crate) fn raw(n_classes: usize, outputs: &[Tensor]) -> Result<Raw<'_>> {
    let [scores, boxes, ..] = outputs else {
        return Err(Error::internal(anyhow::anyhow!("a detector gave {} outputs", outputs.len())));
    };
    Ok(Raw { scores: &scores.data, n_classes, boxes: &boxes.data })
}

fn objects(model: &ModelSpec, outputs: &[Tensor], wanted: &Wanted) -> Result<Vec<RegionPrediction>> {
    let least = wanted.min_value.max(detect::MIN_SCORE);
    let found = detect::detections(raw(model.labels.n_outputs(), outputs)?, least, detect::MAX_BOXES)?;
    let asked = |class: usize| wanted.selected.as_ref().is_none_or(|selected| selected.contains(&class));
    let found = found.into_iter().filter(|one| asked(one.class)).enumerate().map(|(idx, one)| {
        let mut region = RegionPrediction::new(idx, one.sides, one.score);
        region.concepts.extend(model.labels.scored(one.class, one.score));
        region
    });
    Ok(found.collect())
}

fn faces(model: &ModelSpec, outputs: &[Tensor], image: &RgbImage) -> Result<Vec<Face>> {
    let spec = spec_of(model)?;
    let side = spec.width;
    let at = |place: f32| preprocess::to_image(spec, image.dimensions(), (place, place));
    let ((left, top), (right, bottom)) = (at(0.0), at(side as f32));
    let (width, height) = (1.0 / (right - left), 1.0 / (bottom - top));
    let frame = Frame { top: -top * height, left: -left * width, height, width };
    Ok(face::decode(outputs, side as usize, frame, face::MIN_SCORE)?)
}
