//! The description that every new input gets: one decoded image, one pass through the network.

use std::sync::Arc;

use ocellus_algo::color::{self, DominantColor};
use ocellus_algo::focus::{self, Focus};
use ocellus_algo::image::{self, RgbImage};
use ocellus_algo::{fingerprint, preprocess};

use super::Scored;
use super::answer::{MAX_COLORS, Wanted, output_of, run_weights, spec_of, unit};
use crate::video::Sampling;
use crate::{CropBox, Error, Platform, Result};

/// How many concepts are kept with an input: as many as an answer holds by default.
pub const KEPT_CONCEPTS: usize = 20;

/// Everything an input is described by when it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Version of the model that gave the concepts.
    pub concepts_version_id: String,
    /// The [`KEPT_CONCEPTS`] most probable concepts, most probable first.
    pub concepts: Vec<Scored>,
    /// Version of the model that gave the vector: the vector space that it lives in.
    pub embedding_version_id: String,
    /// The vector, length 1.
    pub embedding: Vec<f32>,
    /// The space of the image-text pair and the vector in it, if there is a pair.
    pub image_text: Option<(String, Vec<f32>)>,
    /// Largest first.
    pub colors: Vec<DominantColor>,
    /// Perceptual hash.
    pub phash: u64,
    /// Sharpness.
    pub focus: Focus,
}

/// Describes an image: one pass through the network gives concepts and vector.
pub async fn describe(platform: &Platform, image: RgbImage) -> Result<Description> {
    let (general, embedding) = (platform.catalog().general(), platform.catalog().embedding());
    let shared = general.file == embedding.file && general.preprocess == embedding.preprocess;
    let specs = (spec_of(general)?.clone(), spec_of(embedding)?.clone());
    let pair = platform.image_text();
    let pair_spec = pair.map(|pair| pair.preprocess().clone());
    let measured = platform.engine().cpu(move || {
        let third = pair_spec.map(|spec| preprocess::apply(&spec, &image));
        let second = (!shared).then(|| preprocess::apply(&specs.1, &image));
        let measures = (
            color::dominant(&image, MAX_COLORS),
            fingerprint::perceptual_hash(&image),
            focus::measure(&image),
        );
        (preprocess::apply(&specs.0, &image), (second, third), measures)
    });
    let (input, (second, third), (colors, phash, focus)) = measured.await?;
    let outputs = run_weights(platform, general, input).await?;
    let vector = match second {
        None => unit(output_of(embedding, &outputs)?),
        Some(input) => unit(output_of(embedding, &run_weights(platform, embedding, input).await?)?),
    };
    let image_text = match pair.zip(third) {
        None => None,
        Some((pair, input)) => Some((pair.space().to_owned(), pair.of_image(platform, input).await?)),
    };
    let probabilities = general.labels.probabilities(output_of(general, &outputs)?);
    let wanted =
        Wanted { max_concepts: KEPT_CONCEPTS, min_value: 0.0, sampling: Sampling::default(), selected: None };
    Ok(Description {
        concepts_version_id: general.version_id().to_owned(),
        concepts: wanted.pick(&general.labels, &probabilities),
        embedding_version_id: embedding.version_id().to_owned(),
        embedding: vector,
        image_text,
        colors,
        phash,
        focus,
    })
}

impl Description {
    /// All vectors, each with its space.
    pub(crate) fn vectors(&self) -> impl Iterator<Item = (&str, &[f32])> {
        let pair = self.image_text.iter().map(|(space, vector)| (space.as_str(), vector.as_slice()));
        std::iter::once((self.embedding_version_id.as_str(), self.embedding.as_slice())).chain(pair)
    }
}

/// The vector of an image in the space of the image-text pair.
pub(crate) async fn image_text_of(platform: &Platform, image: RgbImage) -> Result<Vec<f32>> {
    let none = || Error::internal(anyhow::anyhow!("there is no image-text pair"));
    let pair = platform.image_text().ok_or_else(none)?;
    let spec = pair.preprocess().clone();
    let input = platform.engine().cpu(move || preprocess::apply(&spec, &image)).await?;
    pair.of_image(platform, input).await
}

/// The vectors of a part of an image, each with its space.
pub(crate) async fn vectors_of_part(
    platform: &Platform,
    picture: &Arc<RgbImage>,
    sides: CropBox,
) -> Result<Vec<(String, Vec<f32>)>> {
    let model = platform.catalog().embedding();
    let (spec, picture) = (spec_of(model)?.clone(), Arc::clone(picture));
    let pair = platform.image_text();
    let pair_spec = pair.map(|pair| pair.preprocess().clone());
    let prepare = move || {
        let part = image::crop(&picture, sides.into())?;
        let second = pair_spec.map(|spec| preprocess::apply(&spec, &part));
        Ok::<_, Error>((preprocess::apply(&spec, &part), second))
    };
    let (input, second) = platform.engine().cpu(prepare).await??;
    let vector = unit(output_of(model, &run_weights(platform, model, input).await?)?);
    let mut vectors = vec![(model.version_id().to_owned(), vector)];
    if let Some((pair, input)) = pair.zip(second) {
        vectors.push((pair.space().to_owned(), pair.of_image(platform, input).await?));
    }
    Ok(vectors)
}
