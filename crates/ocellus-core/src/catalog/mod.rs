//! The public models: which there are, under which ids, and whether their weights are installed.

mod labels;
mod manifest;
mod words;

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ocellus_algo::preprocess::Spec;
use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use labels::{Labels, PublicConcept};
pub use words::{OWN_LANGUAGE, Predicate, Words};

use crate::engine::ModelFile;
use crate::{Error, Result};
use manifest::{Manifest, Model, Text, Weights};

const MANIFEST: &str = include_str!("../../../../models/manifest.toml");
/// The tables that the manifest names, by path within `models/`.
const TABLES: [(&str, &str); 7] = [
    ("labels/general.tsv", include_str!("../../../../models/labels/general.tsv")),
    ("labels/groups.tsv", include_str!("../../../../models/labels/groups.tsv")),
    ("labels/coco.tsv", include_str!("../../../../models/labels/coco.tsv")),
    ("labels/nsfw.tsv", include_str!("../../../../models/labels/nsfw.tsv")),
    ("labels/moderation.tsv", include_str!("../../../../models/labels/moderation.tsv")),
    ("labels/face.tsv", include_str!("../../../../models/labels/face.tsv")),
    ("labels/appearance.tsv", include_str!("../../../../models/labels/appearance.tsv")),
];
/// Names in other languages, synonyms and relations of the general model's concepts.
const WORDS: [&str; 3] = [
    include_str!("../../../../models/labels/names.tsv"),
    include_str!("../../../../models/labels/synonyms.tsv"),
    include_str!("../../../../models/labels/relations.tsv"),
];
/// When the models were first published with this product: 2026-11-24. Clients want to see a date that does not move.
const PUBLISHED_AT_US: i64 = 1_795_478_400_000_000;

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Finds things and says what they are.
    Objects,
    /// Finds faces.
    Faces,
    /// Finds faces and describes each as a vector; faces of one person get similar vectors.
    FaceEmbedding,
    /// Finds faces and says how old and of which gender each looks.
    FaceAppearance,
}

/// A network that a model needs besides its first.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Its weights.
    pub file: ModelFile,
    /// SHA-256 of the weights, in hex.
    pub sha256: String,
    /// How an image becomes its input.
    pub preprocess: Spec,
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
    /// SHA-256 of the weights, in hex.
    pub file_sha256: Option<String>,
    /// How an image becomes its input.
    pub preprocess: Option<Spec>,
    /// What looks at the parts that the first network found.
    pub also: Vec<Network>,
    /// The weights give probabilities, not class scores.
    pub gives_probabilities: bool,
    /// Which output of the weights is this model's answer.
    pub output_idx: usize,
    /// Length of its vectors, if it gives vectors.
    pub dimensions: Option<usize>,
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
        self.version_ids.first().map_or("", String::as_str)
    }

    /// Size of the weights; 0 if it needs none.
    pub fn size_bytes(&self) -> u64 {
        self.files().map(|(file, _)| file.size_bytes).sum()
    }

    /// Whether the weights are on the disk with the right size, or none are needed. Looks at the disk, reads nothing.
    pub fn installed(&self) -> bool {
        self.files()
            .all(|(file, _)| std::fs::metadata(&file.path).is_ok_and(|found| found.len() == file.size_bytes))
    }

    /// All weight files with their hashes.
    pub fn files(&self) -> impl Iterator<Item = (&ModelFile, &str)> {
        let first = self.file.iter().zip(self.file_sha256.as_deref());
        first.chain(self.also.iter().map(|network| (&network.file, network.sha256.as_str())))
    }

    /// The probability of every concept, from the output of the weights.
    pub fn probabilities(&self, numbers: &[f32]) -> Vec<f32> {
        match self.gives_probabilities {
            true => self.labels.with_groups(numbers.to_vec()),
            false => self.labels.probabilities(numbers),
        }
    }

    /// Whether the model answers to this id, alias or name.
    fn is_called(&self, key: &str) -> bool {
        self.id == key || self.name == key || self.aliases.iter().any(|alias| alias == key)
    }
}

/// All public models.
pub struct Catalog {
    models: Vec<Arc<ModelSpec>>,
    general: usize,
    embedding: usize,
    words: Words,
    text: TextModel,
}

/// The model for the meaning of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextModel {
    /// The network.
    pub path: PathBuf,
    /// The vocabulary with the rules for splitting.
    pub tokenizer: PathBuf,
    /// Longer texts are cut, in pieces of words.
    pub max_tokens: usize,
}

impl Catalog {
    /// Reads the built-in manifest; weights are expected below `models_dir`, each in a folder named by its hash.
    pub fn open(models_dir: &Path) -> Result<Self> {
        Self::read(MANIFEST, &TABLES, models_dir).map_err(|text| {
            Error::internal(anyhow::anyhow!("the built-in manifest of models cannot be used: {text}"))
        })
    }

    fn read(manifest: &str, tables: &[(&str, &str)], models_dir: &Path) -> Result<Self, String> {
        let manifest: Manifest = toml::from_str(manifest).map_err(|err| err.to_string())?;
        let weights: HashMap<&str, &Weights> = manifest.weights.iter().map(|w| (w.id.as_str(), w)).collect();
        let tables: HashMap<&str, &str> = tables.iter().copied().collect();
        let mut models = Vec::new();
        let text_model = |text: &Text| TextModel {
            path: models_dir.join(&text.sha256).join(&text.file),
            tokenizer: models_dir.join(&text.tokenizer.sha256).join(&text.tokenizer.file),
            max_tokens: text.max_tokens,
        };
        for model in manifest.model {
            let of = |id: &String| {
                weights.get(id.as_str()).copied().ok_or_else(|| format!("weights {id} are not listed"))
            };
            let first = model.weights.as_ref().map(of).transpose()?;
            let also = model.also.iter().map(|id| Ok(network(of(id)?, models_dir)));
            let also = also.collect::<Result<Vec<Network>, String>>()?;
            models.push(Arc::new(ModelSpec { also, ..spec(model, first, &tables, models_dir)? }));
        }
        let position = |task| {
            let found = models.iter().position(|model| model.task == task);
            found.ok_or_else(|| format!("there is no model for {task:?}"))
        };
        Ok(Self {
            general: position(ModelTask::Concepts)?,
            embedding: position(ModelTask::Embedding)?,
            models,
            words: Words::parse(WORDS[0], WORDS[1], WORDS[2])?,
            text: manifest.text.first().map(text_model).unwrap_or_default(),
        })
    }

    /// The general model's concept with this id, or else with this name: its own, or one in `language`, or a synonym.
    pub fn concept(&self, id: &str, name: &str, language: Option<&str>) -> Option<&PublicConcept> {
        let labels = &self.general().labels;
        if let Some(idx) = labels.find(id, name) {
            return Some(&labels.concepts[idx]);
        }
        if !id.is_empty() {
            return None;
        }
        let language = language.filter(|code| !code.is_empty()).unwrap_or(OWN_LANGUAGE);
        let found = self.words.ids_of(name, language).find_map(|id| labels.by_id(id));
        found.or_else(|| self.words.ids_of(name, OWN_LANGUAGE).find_map(|id| labels.by_id(id)))
    }

    /// The model for the meaning of texts.
    pub fn text(&self) -> &TextModel {
        &self.text
    }

    /// The words of the general model's concepts.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// The model with this id, alias or name.
    pub fn find(&self, key: &str) -> Option<&Arc<ModelSpec>> {
        // An id of one model wins over a name of another.
        self.models
            .iter()
            .find(|model| model.id == key)
            .or_else(|| self.models.iter().find(|model| model.is_called(key)))
    }

    /// All models, in the order of the manifest.
    pub fn list(&self) -> &[Arc<ModelSpec>] {
        &self.models
    }

    /// The model that says which concepts an image shows.
    pub fn general(&self) -> &Arc<ModelSpec> {
        &self.models[self.general]
    }

    /// The model that finds things, if there is one.
    pub fn detector(&self) -> Option<&Arc<ModelSpec>> {
        self.models.iter().find(|model| model.task == ModelTask::Objects)
    }

    /// The model that describes an image as a vector.
    pub fn embedding(&self) -> &Arc<ModelSpec> {
        &self.models[self.embedding]
    }

    /// Reads every weight file and compares its hash; the faults found, in words that say how to mend them. Blocks.
    pub fn verify(&self) -> Vec<String> {
        let mut seen = Vec::new();
        let mut faults = Vec::new();
        for (file, expected) in self.models.iter().flat_map(|model| model.files()) {
            if seen.contains(&&file.path) {
                continue;
            }
            seen.push(&file.path);
            let path = file.path.display();
            match sha256_of(&file.path) {
                Ok(found) if found == expected => {}
                Ok(_) => {
                    faults.push(format!("the weight file {path} was altered; delete it and run `make setup`"))
                }
                Err(err) => {
                    faults.push(format!("the weight file {path} cannot be read ({err}); run `make setup`"))
                }
            }
        }
        faults
    }
}

fn spec(
    model: Model,
    weights: Option<&Weights>,
    tables: &HashMap<&str, &str>,
    models_dir: &Path,
) -> Result<ModelSpec, String> {
    if model.versions.is_empty() {
        return Err(format!("model {} has no version", model.id));
    }
    let file = weights.map(|w| network(w, models_dir).file);
    let output_idx = match (weights, &model.output) {
        (Some(w), Some(output)) => {
            let found = w.outputs.iter().position(|name| name == output);
            found.ok_or_else(|| format!("weights {} have no output {output}", w.id))?
        }
        _ => 0,
    };
    let display_name = model.display_name.unwrap_or_else(|| model.name.clone());
    Ok(ModelSpec {
        labels: Arc::new(read_labels(model.labels.as_deref(), model.groups.as_deref(), tables)?),
        preprocess: weights.map(|w| w.preprocess.clone()),
        also: Vec::new(),
        gives_probabilities: model.gives_probabilities,
        file_sha256: weights.map(|w| w.sha256.clone()),
        file,
        output_idx,
        dimensions: model.dimensions,
        licence: model.licence.or_else(|| weights.map(|w| w.licence.clone())).unwrap_or_default(),
        commercial: weights.is_none_or(|w| w.commercial_use),
        created_at_us: PUBLISHED_AT_US,
        id: model.id,
        aliases: model.aliases,
        name: model.name,
        display_name,
        description: model.description,
        version_ids: model.versions,
        task: model.task,
        model_type_id: model.model_type_id,
    })
}

fn network(weights: &Weights, models_dir: &Path) -> Network {
    let file = ModelFile {
        id: weights.id.clone(),
        path: models_dir.join(&weights.sha256).join(&weights.file),
        size_bytes: weights.size,
        batches: weights.batches,
    };
    Network { file, sha256: weights.sha256.clone(), preprocess: weights.preprocess.clone() }
}

fn read_labels(
    classes: Option<&str>,
    groups: Option<&str>,
    tables: &HashMap<&str, &str>,
) -> Result<Labels, String> {
    let Some(classes) = classes else { return Ok(Labels::default()) };
    let table = |path: &str| tables.get(path).copied().ok_or_else(|| format!("table {path} is not built in"));
    let groups = groups.map_or(Ok(""), table)?;
    Labels::parse(table(classes)?, groups).map_err(|text| format!("{path}: {text}", path = classes))
}

/// SHA-256 of a file, in hex. Blocks.
pub(crate) fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(hash.finalize())),
            n => hash.update(&chunk[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifest_offers_the_models_that_clients_know() {
        let catalog = Catalog::open(Path::new("/nowhere")).unwrap();
        let table = [
            ("aaa03c23b3724a16a56b629203edc62c", ModelTask::Concepts),
            ("general-image-recognition", ModelTask::Concepts),
            ("general-v1.3", ModelTask::Concepts),
            ("bbb5f41425b8468d9b7a554ff10f8581", ModelTask::Embedding),
            ("eeed0b6733a644cea07cf4c60f87ebb7", ModelTask::Color),
            ("c2cf7cecd8a6427da375b9f35fcd2381", ModelTask::Focus),
            ("near-duplicate", ModelTask::NearDuplicate),
            ("general-image-detection", ModelTask::Objects),
            ("e9576d86d2004ed1a38ba0cf39ecb4b1", ModelTask::Concepts),
            ("d16f390eb32cad478c7ae150069bd2c6", ModelTask::Concepts),
            ("a403429f2ddf4b49b307e318f00e528b", ModelTask::Faces),
            ("face-detection", ModelTask::Faces),
            ("d02b4508df58432fbb84e800597b8959", ModelTask::FaceEmbedding),
            ("c0c0ac362b03416da06ab3fa36fb58e3", ModelTask::FaceAppearance),
        ];
        for (key, task) in table {
            assert_eq!(catalog.find(key).unwrap().task, task, "{key}");
        }
        assert!(
            catalog.find("bd367be194cf45149e75f01d59f77ba7").is_none(),
            "no food model is offered without one"
        );
        let general = catalog.general();
        assert_eq!(general.version_id(), "aa9ca48295b37401f8af92ad1af0d91d");
        assert_eq!(general.labels.n_outputs(), 1000);
        assert_eq!(general.labels.by_id("ai_8S2Vq3cR").unwrap().name, "dog");
        assert_ne!(general.output_idx, catalog.embedding().output_idx);
        assert!(catalog.list().iter().all(|model| model.file.is_none() || !model.installed()));
    }

    #[test]
    fn a_missing_or_altered_weight_file_is_named_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let path = catalog.general().file.as_ref().unwrap().path.clone();
        let shown = path.display().to_string();
        let missing = catalog.verify();
        assert_eq!(missing.len(), 7, "one file serves several models");
        assert!(missing[0].contains(&shown) && missing[0].contains("make setup"), "{missing:?}");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "not weights").unwrap();
        let altered = catalog.verify();
        assert!(altered[0].contains(&shown) && altered[0].contains("altered"), "{altered:?}");
        assert!(!catalog.general().installed());
    }
}
