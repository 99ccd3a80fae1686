//! Bundles: a version of a model as one signed file that another server can take in and check.
//!
//! A bundle holds what the version can do, what it was made from, and a few pictures with what it says of them. Whoever takes
//! it in runs the pictures, and refuses the bundle if the numbers differ.

mod export;
mod file;
mod import;
mod samples;
mod signer;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::JsonMap;
use crate::user_models::{OutputConfig, TrainedOn};

pub use export::{Exported, export, exported, read, write};
pub use import::import;
pub use signer::public_key;

pub(crate) use file::is_bundle;

/// The part that a bundle plays for the version it was made of, by name in the store.
pub(crate) const ROLE: &str = "bundle";
/// What the first file of a bundle says that it is.
const FORMAT: &str = "ocellus-model-bundle";
/// The version of the format.
const VERSION: u32 = 1;
/// How much a number may differ from that of the server that made the bundle: processors round differently.
const TOLERANCE: f32 = 0.001;
/// A bundle that allows more proves nothing.
const MAX_TOLERANCE: f32 = 0.01;

/// What a bundle says of itself: `bundle.json`, which is signed and names every other file with its hash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// `FORMAT`.
    pub format: String,
    /// `VERSION`.
    pub version: u32,
    /// The public key of who made it, in hex.
    pub signer: String,
    /// When it was made, microseconds since the epoch.
    pub made_at_us: i64,
    /// The program that made it.
    pub made_by: String,
    /// The model.
    pub model: AboutModel,
    /// The version.
    pub model_version: AboutVersion,
    /// The kind of what it can do: "classifier", "onnx", ...
    pub kind: String,
    /// The licence.
    pub licence: String,
    /// How probabilities become answers: how many, from which on.
    pub output_config: OutputConfig,
    /// What it was made from: concepts with their examples, data, settings, seed, backbone, program.
    pub provenance: TrainedOn,
    /// How much a number may differ.
    pub tolerance: f32,
    /// Every other file.
    pub files: Vec<AboutFile>,
}

/// The model that a bundle is of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AboutModel {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The type.
    pub model_type_id: String,
    /// The owner's words.
    pub description: String,
    /// More of the owner's words.
    pub notes: String,
}

/// The version that a bundle is of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AboutVersion {
    /// The id.
    pub id: String,
    /// The owner's words.
    pub description: String,
    /// The owner's document.
    pub metadata: JsonMap,
    /// When it was made, microseconds since the epoch.
    pub created_at_us: i64,
}

/// A file in a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutFile {
    /// The name.
    pub name: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Their number.
    pub size_bytes: u64,
}

/// What a version says of a picture: `samples.json` is a list of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which of the pictures that every server can draw.
    pub picture: u32,
    /// The numbers that the version stands on, if it stands on a public model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<f32>>,
    /// What it makes of these numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<f32>>,
    /// What it says of the picture.
    pub said: Value,
}
