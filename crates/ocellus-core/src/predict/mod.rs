//! What a public model says about images: the answers of one call, and the description every new input gets.

use ocellus_algo::color::DominantColor;
use ocellus_algo::focus::Focus;
use ocellus_algo::image::RgbImage;

use crate::catalog::ModelSpec;
use crate::{AppCtx, CropBox, Platform, Result, Source};

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
    /// An input of the app.
    Input(String),
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
    /// Language of the names; only `en` is there, anything else falls back to it.
    pub language: Option<String>,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self { max_concepts: 20, min_value: 0.0, select: Vec::new(), language: None }
    }
}

/// A concept with its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Concept id.
    pub concept_id: String,
    /// Concept name.
    pub name: String,
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
}

/// Everything an input is described by when it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Version of the model that gave the concepts.
    pub concepts_version_id: String,
    /// The most probable concepts, most probable first.
    pub concepts: Vec<Scored>,
    /// Version of the model that gave the vector: the vector space that it lives in.
    pub embedding_version_id: String,
    /// The vector, length 1.
    pub embedding: Vec<f32>,
    /// Largest first.
    pub colors: Vec<DominantColor>,
    /// Perceptual hash.
    pub phash: u64,
    /// Sharpness.
    pub focus: Focus,
}

/// Runs a public model over images; one result per image, in order. `Invalid` about field `select_concepts` if none of
/// the selected concepts is the model's.
pub async fn run(
    _app: &AppCtx,
    _model: &ModelSpec,
    _inputs: Vec<PredictInput>,
    _options: &PredictOptions,
) -> Result<Vec<Result<Prediction>>> {
    todo!()
}

/// Runs a public model over one image that belongs to no app.
pub async fn source(
    _platform: &Platform,
    _model: &ModelSpec,
    _source: &Source,
    _crop: Option<CropBox>,
    _options: &PredictOptions,
) -> Result<Prediction> {
    todo!()
}

/// Describes an image: one pass through the network gives concepts and vector.
pub async fn describe(_platform: &Platform, _image: RgbImage) -> Result<Description> {
    todo!()
}
