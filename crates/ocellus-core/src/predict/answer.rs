//! From bytes to a model's answer: decode, prepare, run, and pick what was asked for.

use std::ops::Range;

use bytes::Bytes;
use ocellus_algo::image::RgbImage;
use ocellus_algo::nn::Tensor;
use ocellus_algo::{color, embed, fingerprint, focus, preprocess};

use super::{ConceptSelector, PredictOptions, Prediction, Scored, open_image, regions};
use crate::catalog::{Labels, ModelSpec, ModelTask};
use crate::video::Sampling;
use crate::{CropBox, Error, Platform, Result};

/// The most concepts one answer may hold.
const MAX_CONCEPTS: u32 = 200;
/// How many colours an answer holds.
pub const MAX_COLORS: usize = 10;

/// What was asked for, checked against the model.
pub struct Wanted {
    pub max_concepts: usize,
    pub min_value: f32,
    /// At which times a video is looked at.
    pub sampling: Sampling,
    /// Positions of the selected concepts; `None` means all.
    pub selected: Option<Vec<usize>>,
}

/// Refuses numbers that make no sense for any model.
pub fn check_limits(options: &PredictOptions) -> Result<()> {
    if !(1..=MAX_CONCEPTS).contains(&options.max_concepts) {
        return Err(Error::invalid("max_concepts", "must be 1 to 200"));
    }
    if !(0.0..=1.0).contains(&options.min_value) {
        return Err(Error::invalid("min_value", "must be 0 to 1"));
    }
    Ok(())
}

impl Wanted {
    pub fn new(model: &ModelSpec, options: &PredictOptions) -> Result<Self> {
        check_limits(options)?;
        let selected = match model.task {
            ModelTask::Concepts | ModelTask::Objects | ModelTask::Faces | ModelTask::FaceAppearance => {
                select(&model.labels, &options.select)?
            }
            ModelTask::Embedding
            | ModelTask::Color
            | ModelTask::Focus
            | ModelTask::NearDuplicate
            | ModelTask::FaceEmbedding => None,
        };
        Ok(Self {
            max_concepts: options.max_concepts as usize,
            min_value: options.min_value,
            sampling: options.sampling.check()?,
            selected,
        })
    }

    /// The wanted part of all concepts, most probable first.
    pub fn pick(&self, labels: &Labels, probabilities: &[f32]) -> Vec<Scored> {
        self.pick_of(labels, probabilities, 0..probabilities.len())
    }

    /// The wanted part of some of the concepts, most probable first.
    pub fn pick_of(&self, labels: &Labels, probabilities: &[f32], of: Range<usize>) -> Vec<Scored> {
        let of = of.start..of.end.min(probabilities.len()).min(labels.concepts.len());
        let mut order: Vec<usize> = match &self.selected {
            Some(selected) => selected.iter().copied().filter(|idx| of.contains(idx)).collect(),
            None => of.collect(),
        };
        order.retain(|idx| probabilities[*idx] >= self.min_value);
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
        order.truncate(self.max_concepts);
        order.into_iter().filter_map(|idx| labels.scored(idx, probabilities[idx])).collect()
    }
}

/// The positions of the selected concepts, each once; those that the model does not know are left out.
fn select(labels: &Labels, selectors: &[ConceptSelector]) -> Result<Option<Vec<usize>>> {
    if selectors.is_empty() {
        return Ok(None);
    }
    let mut found: Vec<usize> = selectors.iter().filter_map(|one| labels.find(&one.id, &one.name)).collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(Error::invalid("select_concepts", "names no concept of this model"));
    }
    Ok(Some(found))
}

/// Runs a model over the image in `bytes`.
pub async fn predict(
    platform: &Platform,
    model: &ModelSpec,
    bytes: Bytes,
    crops: &[CropBox],
    wanted: &Wanted,
) -> Result<Prediction> {
    let (limits, crops) = (*platform.decode_limits(), crops.to_vec());
    of_picture(platform, model, move || open_image(&bytes, &limits, &crops), wanted).await
}

/// Runs a model over the image that `open` gives; it is called where it may take its time.
pub async fn of_picture(
    platform: &Platform,
    model: &ModelSpec,
    open: impl FnOnce() -> Result<RgbImage> + Send + 'static,
    wanted: &Wanted,
) -> Result<Prediction> {
    let engine = platform.engine();
    match model.task {
        ModelTask::Color => {
            engine.cpu(move || Ok(Prediction::Colors(color::dominant(&open()?, MAX_COLORS)))).await?
        }
        ModelTask::Focus => engine.cpu(move || Ok(Prediction::Focus(focus::measure(&open()?)))).await?,
        ModelTask::NearDuplicate => {
            engine.cpu(move || Ok(Prediction::Fingerprint(fingerprint::perceptual_hash(&open()?)))).await?
        }
        ModelTask::Objects | ModelTask::Faces | ModelTask::FaceEmbedding | ModelTask::FaceAppearance => {
            regions::of_picture(platform, model, open, wanted).await
        }
        ModelTask::Concepts | ModelTask::Embedding => {
            let spec = spec_of(model)?.clone();
            let input: Result<Tensor> = engine.cpu(move || Ok(preprocess::apply(&spec, &open()?))).await?;
            let outputs = run_weights(platform, model, input?).await?;
            let numbers = output_of(model, &outputs)?;
            if model.task == ModelTask::Embedding {
                return Ok(Prediction::Embedding(unit(numbers)));
            }
            let probabilities = model.probabilities(numbers);
            Ok(Prediction::Concepts(wanted.pick(&model.labels, &probabilities)))
        }
    }
}

/// How an image becomes the input of a model with weights.
pub fn spec_of(model: &ModelSpec) -> Result<&preprocess::Spec> {
    let missing = || Error::internal(anyhow::anyhow!("model {} has no preprocessing", model.id));
    model.preprocess.as_ref().ok_or_else(missing)
}

/// Runs the weights of a model over a prepared image.
pub async fn run_weights(platform: &Platform, model: &ModelSpec, input: Tensor) -> Result<Vec<Tensor>> {
    let missing = || Error::internal(anyhow::anyhow!("model {} has no weights", model.id));
    platform.engine().run(model.file.as_ref().ok_or_else(missing)?, input).await
}

/// The numbers that are this model's answer among all that its weights gave.
pub fn output_of<'a>(model: &ModelSpec, outputs: &'a [Tensor]) -> Result<&'a [f32]> {
    let missing =
        || Error::internal(anyhow::anyhow!("the weights of model {} have too few outputs", model.id));
    let numbers = &outputs.get(model.output_idx).ok_or_else(missing)?.data;
    if model.task == ModelTask::Concepts && numbers.len() != model.labels.n_outputs() {
        return Err(Error::internal(anyhow::anyhow!("model {} gave {} numbers", model.id, numbers.len())));
    }
    Ok(numbers)
}

/// The vector scaled to length 1.
pub fn unit(numbers: &[f32]) -> Vec<f32> {
    let mut vector = numbers.to_vec();
    embed::l2_normalize(&mut vector);
    vector
}
