//! What a version says of its training: how far it has got, what came of it, and all it was made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::JsonMap;
use crate::learning::ArtefactRef;

/// Everything that a version was trained on. The same again gives the same version, to the byte.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainedOn {
    /// The dataset; empty for the inputs of the whole app.
    pub dataset_id: String,
    /// The version of the dataset; empty for what was in it then.
    pub dataset_version_id: String,
    /// SHA-256, in hex, over inputs, labels and numbers.
    pub content_hash: String,
    /// How many inputs it learned from.
    pub n_inputs: u64,
    /// How many other inputs stood for everything else.
    pub n_background: u64,
    /// How many inputs were left out, because they had no numbers yet.
    pub n_without_vector: u64,
    /// The concepts with their examples, in the order of the answers.
    pub concepts: Vec<TrainedConcept>,
    /// All settings, with those that nobody gave.
    pub parameters: JsonMap,
    /// What chance was made from.
    pub seed: u64,
    /// Where the numbers came from.
    pub backbone: BackboneRef,
    /// The version of this program.
    pub code_version: String,
    /// The way of learning.
    pub method: String,
    /// Why this way, in words.
    pub why: String,
    /// What was found while learning, by name: the strength of the regularisation, folds, ...
    pub found: BTreeMap<String, Value>,
}

/// A concept with its examples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainedConcept {
    /// The id.
    pub id: String,
    /// The name it had then.
    pub name: String,
    /// Inputs that show it.
    pub n_positive: u64,
    /// Inputs that are said not to show it.
    pub n_negative: u64,
}

/// The frozen features that a version stands on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackboneRef {
    /// The public model.
    pub model_id: String,
    /// Its version.
    pub version_id: String,
    /// SHA-256 of its weights, in hex.
    pub weights_sha256: String,
    /// How a picture becomes its input.
    pub preprocessing: String,
    /// The length of its vectors.
    pub dimensions: u64,
    /// The app's own embedder on top of it, if there is one.
    pub own_model_id: String,
    /// The version of the app's own embedder.
    pub own_version_id: String,
    /// What that embedder has learned. It stays even if the embedder goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection: Option<ArtefactRef>,
}

/// A training that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Training {
    /// The job that does it.
    pub job_id: String,
    /// How much is done, 0 to 1.
    pub progress: f32,
    /// What it is at, in words.
    pub step: String,
    /// When it began, microseconds since the epoch.
    pub begun_at_us: Option<i64>,
    /// How long it will take from now, as far as that can be told, in seconds.
    pub left_s: Option<u64>,
    /// What the client gave to it, as given.
    pub given: JsonMap,
}

/// Why a training failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingFailure {
    /// What a program branches on.
    pub reason: FailureReason,
    /// A sentence for the owner.
    pub message: String,
}

/// What a program branches on when a training failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// There was nothing to learn from.
    NoData,
    /// A concept had no example.
    NoPositives,
    /// Concepts exclude each other, but there is only one.
    SingleClass,
    /// It took longer than allowed.
    TimedOut,
    /// Too few labelled inputs for this kind of model.
    TooFew,
    /// Settings that contradict each other or the data.
    BadParameters,
    /// Something else.
    Other,
}
