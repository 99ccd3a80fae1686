//! The public models: which there are, under which ids, and whether their weights are installed.

use std::path::Path;
use std::sync::Arc;

use ocellus_algo::preprocess::Spec;

use crate::Result;
use crate::engine::ModelFile;

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelTask {
    /// Says which concepts an image shows.
    Concepts,
    /// Describes an image as a vector; similar images get similar vectors.
    Embedding,
    /// Names the dominant colours.
    Color,
    /// Measures the sharpness.
    Focus,
    /// Tells whether two images show the same picture.
    NearDuplicate,
}

/// A concept that a public model knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicConcept {
    /// Stable id.
    pub id: String,
    /// Readable name, English.
    pub name: String,
}

/// The concepts of a model and how they follow from its outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// One per output of the model, in order, then the groups.
    pub concepts: Vec<PublicConcept>,
}

/// A public model.
#[derive(Clone, Debug)]
pub struct ModelSpec {
    /// The id clients use.
    pub id: String,
    /// Other ids that mean the same model.
    pub aliases: Vec<String>,
    /// The name clients may use in place of an id.
    pub name: String,
    /// The name for people.
    pub display_name: String,
    /// What it does and what it is based on, for people.
    pub description: String,
    /// The current version first, then older ids that mean the same version.
    pub version_ids: Vec<String>,
    /// What it does.
    pub task: ModelTask,
    /// Clarifai's word for the type, such as `visual-classifier`.
    pub model_type_id: String,
    /// Weights, if it needs any.
    pub file: Option<ModelFile>,
    /// How an image becomes its input.
    pub preprocess: Option<Spec>,
    /// Its concepts, if it has any.
    pub labels: Arc<Labels>,
    /// SPDX expression or the distributor's words.
    pub licence: String,
    /// Whether the licence permits commercial use.
    pub commercial: bool,
    /// When this version was published, microseconds since the epoch.
    pub created_at_us: i64,
}

impl ModelSpec {
    /// The id of the current version.
    pub fn version_id(&self) -> &str {
        &self.version_ids[0]
    }

    /// Whether the weights are on the disk, or none are needed. Looks at the disk.
    pub fn installed(&self) -> bool {
        todo!()
    }
}

/// All public models.
pub struct Catalog {}

impl Catalog {
    /// Reads the built-in manifest; weights are expected below `models_dir`.
    pub fn open(_models_dir: &Path) -> Result<Self> {
        todo!()
    }

    /// The model with this id, alias or name.
    pub fn find(&self, _key: &str) -> Option<&Arc<ModelSpec>> {
        todo!()
    }

    /// All models, in the order of the manifest.
    pub fn list(&self) -> &[Arc<ModelSpec>] {
        todo!()
    }

    /// The model that says which concepts an image shows.
    pub fn general(&self) -> &Arc<ModelSpec> {
        todo!()
    }

    /// The model that describes an image as a vector.
    pub fn embedding(&self) -> &Arc<ModelSpec> {
        todo!()
    }

    /// Reads every installed weight file and compares its hash; the faults found, in words that say how to mend them.
    pub fn verify(&self) -> Vec<String> {
        todo!()
    }
}
