//! The manifest of models as it is written down: `models/manifest.toml`, built into the program.

use ocellus_algo::preprocess::Spec;
use serde::Deserialize;

use super::ModelTask;

/// The manifest, as far as the server needs it; the rest is for the setup script.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    #[serde(default)]
    pub weights: Vec<Weights>,
    #[serde(default)]
    pub model: Vec<Model>,
    #[serde(default)]
    pub text: Vec<Text>,
}

/// A network for the meaning of texts.
#[derive(Debug, Deserialize)]
pub struct Text {
    pub file: String,
    pub sha256: String,
    pub max_tokens: usize,
    pub tokenizer: Tokenizer,
}

/// What splits texts for it.
#[derive(Debug, Deserialize)]
pub struct Tokenizer {
    pub file: String,
    pub sha256: String,
}

/// A weight file.
#[derive(Debug, Deserialize)]
pub struct Weights {
    pub id: String,
    pub file: String,
    pub sha256: String,
    pub size: u64,
    pub licence: String,
    #[serde(default)]
    pub commercial_use: bool,
    pub outputs: Vec<String>,
    pub preprocess: Spec,
    #[serde(default = "yes")]
    pub batches: bool,
}

/// A model that is offered.
#[derive(Debug, Deserialize)]
pub struct Model {
    pub id: String,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub name: String,
    #[serde(default)]
    pub display_name: Option<String>,
    pub versions: Vec<String>,
    pub task: ModelTask,
    pub model_type_id: String,
    #[serde(default)]
    pub description: String,
    pub weights: Option<String>,
    pub output: Option<String>,
    #[serde(default)]
    pub also: Vec<String>,
    #[serde(default)]
    pub gives_probabilities: bool,
    #[serde(default)]
    pub labels: Option<String>,
    #[serde(default)]
    pub groups: Option<String>,
    #[serde(default)]
    pub dimensions: Option<usize>,
    #[serde(default)]
    pub licence: Option<String>,
}

fn yes() -> bool {
    true
}
