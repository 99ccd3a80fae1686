//! The settings of a training: which there are for each kind of model, and how they are read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, JsonMap, Result};

/// A way of making a model of an app's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trainer {
    /// Concepts from vectors.
    Classifier,
    /// Concepts from the nearest examples.
    Neighbours,
    /// Better vectors from vectors.
    Embedder,
    /// Groups of inputs.
    Clusterer,
    /// Concepts in boxes.
    Detector,
}

/// The types of model that can be trained, by Clarifai's id.
const TYPES: [(&str, Trainer); 6] = [
    ("embedding-classifier", Trainer::Classifier),
    ("visual-classifier", Trainer::Classifier),
    ("knn-classifier", Trainer::Neighbours),
    ("visual-embedder", Trainer::Embedder),
    ("clusterer", Trainer::Clusterer),
    ("visual-detector", Trainer::Detector),
];

impl Trainer {
    /// The trainer for a type of model, if it can be trained.
    pub fn of(model_type_id: &str) -> Option<Self> {
        TYPES.iter().find(|(id, _)| *id == model_type_id).map(|(_, trainer)| *trainer)
    }

    /// The types of model that can be trained.
    pub fn types() -> impl Iterator<Item = (&'static str, Self)> {
        TYPES.into_iter()
    }

    /// Whether it learns concepts, and so needs some.
    pub fn needs_concepts(self) -> bool {
        match self {
            Self::Classifier | Self::Neighbours | Self::Embedder | Self::Detector => true,
            Self::Clusterer => false,
        }
    }

    /// What may be set.
    pub fn settings(self) -> impl Iterator<Item = &'static Setting> {
        SETTINGS.iter().filter(move |setting| setting.trainers.contains(&self))
    }
}

/// What may be set of a training.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub about: &'static str,
    /// What values it takes.
    pub kind: SettingKind,
    trainers: &'static [Trainer],
}

/// What values a setting takes, with the usual one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SettingKind {
    /// Yes or no.
    Switch(bool),
    /// A whole number; 0 leaves the choice to the trainer where 0 is not in the range.
    Whole {
        /// The usual number.
        usual: u32,
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// A positive number; 0 leaves the choice to the trainer.
    Number,
    /// One of these words, the first being the usual one.
    Word(&'static [&'static str]),
    /// The id of something.
    Id,
}

use SettingKind::{Id, Number, Switch, Whole, Word};

const CONCEPTS: &[Trainer] = &[Trainer::Classifier, Trainer::Neighbours];
const FITTED: &[Trainer] = &[Trainer::Classifier];
/// Those that fit weights by steps.
const STEPPED: &[Trainer] = &[Trainer::Classifier, Trainer::Detector];
/// Those that divide what they learn from into parts.
const FOLDED: &[Trainer] = &[Trainer::Classifier, Trainer::Neighbours, Trainer::Detector];
const ALL: &[Trainer] =
    &[Trainer::Classifier, Trainer::Neighbours, Trainer::Embedder, Trainer::Clusterer, Trainer::Detector];
/// Those that learn on vectors of whole inputs.
const ON_VECTORS: &[Trainer] =
    &[Trainer::Classifier, Trainer::Neighbours, Trainer::Embedder, Trainer::Clusterer];

/// The recipe's name, for clients that ask for one.
pub const TEMPLATE: &str = "frozen-features";

#[rustfmt::skip] // one setting, one line
const SETTINGS: &[Setting] = &[
    Setting { name: "template", about: "The recipe; there is one, which learns on vectors of a network that is not changed.", kind: Word(&[TEMPLATE]), trainers: ALL },
    Setting { name: "dataset_id", about: "The dataset to learn from; the whole app if empty.", kind: Id, trainers: ALL },
    Setting { name: "dataset_version_id", about: "The version of the dataset to learn from; what is in the dataset now if empty.", kind: Id, trainers: ALL },
    Setting { name: "embed_model_version_id", about: "The model version whose vectors to learn on; the usual one if empty.", kind: Id, trainers: ON_VECTORS },
    Setting { name: "concepts_mutually_exclusive", about: "Whether an input shows one of the concepts at most.", kind: Switch(false), trainers: CONCEPTS },
    Setting { name: "closed_environment", about: "Whether every input to come shows one of the concepts: inputs without any of them are not learned from.", kind: Switch(false), trainers: CONCEPTS },
    Setting { name: "enrich_dataset", about: "Whether other inputs of the app stand for everything else.", kind: Word(&["Automatic", "Disabled"]), trainers: CONCEPTS },
    Setting { name: "fail_on_missing_positive_examples", about: "Whether a concept without an example is an error.", kind: Switch(false), trainers: FOLDED },
    Setting { name: "method", about: "How concepts are told apart; chosen by the number of examples if automatic.", kind: Word(&["automatic", "linear", "nearest-mean", "nearest-neighbours"]), trainers: FITTED },
    Setting { name: "balance_classes", about: "Whether a rare concept counts as much as a frequent one.", kind: Switch(false), trainers: FITTED },
    Setting { name: "regularisation", about: "How closely the examples are followed (C of logistic regression); chosen by cross-validation if 0.", kind: Number, trainers: STEPPED },
    Setting { name: "n_folds", about: "In how many parts the inputs are divided to choose and to calibrate.", kind: Whole { usual: 5, min: 2, max: 20 }, trainers: FOLDED },
    Setting { name: "max_iterations", about: "The most steps of the optimiser.", kind: Whole { usual: 200, min: 1, max: 10_000 }, trainers: STEPPED },
    Setting { name: "dimensions", about: "The length of the new vectors; as many as help if 0.", kind: Whole { usual: 0, min: 1, max: 1024 }, trainers: &[Trainer::Embedder] },
    Setting { name: "coarse_clusters", about: "How many groups to make; chosen by the number of inputs if 0.", kind: Whole { usual: 0, min: 1, max: 4096 }, trainers: &[Trainer::Clusterer] },
    Setting { name: "seed", about: "What chance is made from; the same again gives the same model.", kind: Whole { usual: 0, min: 0, max: u32::MAX }, trainers: ALL },
];

/// Names that other clients give to settings.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("regularization", "regularisation"),
    ("C", "regularisation"),
    ("k_folds", "n_folds"),
    ("num_folds", "n_folds"),
    ("num_clusters", "coarse_clusters"),
    ("n_clusters", "coarse_clusters"),
];

/// What a client may send along although it is about answering and not about training.
const OF_ANSWERS: [&str; 4] = ["max_concepts", "min_value", "select_concepts", "sample_ms"];

/// Settings by name, all checked; what nobody gave has its usual value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings(JsonMap);

impl Settings {
    /// The usual settings of a trainer.
    pub fn usual(trainer: Trainer) -> Self {
        let usual = |setting: &Setting| {
            let value: Value = match setting.kind {
                Switch(on) => on.into(),
                Whole { usual, .. } => usual.into(),
                Number => 0.0.into(),
                Word(words) => words.first().copied().unwrap_or_default().into(),
                Id => "".into(),
            };
            (setting.name.to_owned(), value)
        };
        Self(trainer.settings().map(usual).collect())
    }

    /// Takes over what is given at `field`. `Invalid` about a setting that the trainer does not have, or a value that it
    /// does not take.
    pub fn take(&mut self, trainer: Trainer, given: &JsonMap, field: &str) -> Result<()> {
        for (name, value) in given {
            let known = OTHER_NAMES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            let known = known.map_or(name.as_str(), |(_, known)| known);
            let setting = trainer.settings().find(|setting| setting.name.eq_ignore_ascii_case(known));
            let Some(setting) = setting else {
                if OF_ANSWERS.contains(&name.as_str()) {
                    continue;
                }
                let known: Vec<&str> = trainer.settings().map(|setting| setting.name).collect();
                let message = format!("is no setting of this type of model, which has {}", known.join(", "));
                return Err(Error::invalid(format!("{field}.{name}"), message));
            };
            if value.is_null() {
                continue;
            }
            let value =
                checked(setting, value).map_err(|why| Error::invalid(format!("{field}.{name}"), why))?;
            self.0.insert(setting.name.to_owned(), value);
        }
        Ok(())
    }

    /// Takes over what is given, leaving out what is no setting.
    pub fn take_known(&mut self, trainer: Trainer, given: &JsonMap, field: &str) -> Result<()> {
        let known = |name: &String| trainer.settings().any(|setting| setting.name == name);
        let known = given.iter().filter(|(name, _)| known(name)).map(|(n, v)| (n.clone(), v.clone()));
        self.take(trainer, &known.collect(), field)
    }

    /// Sets one that the trainer has; others are left out.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(known) = self.0.get_mut(name) {
            *known = value.into();
        }
    }

    /// All of them.
    pub fn all(&self) -> &JsonMap {
        &self.0
    }

    /// A switch; off if the trainer has none of this name.
    pub fn is_on(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A whole number, if one was given.
    pub fn whole(&self, name: &str) -> Option<usize> {
        let number = self.0.get(name).and_then(Value::as_u64).filter(|n| *n > 0)?;
        usize::try_from(number).ok()
    }

    /// A number above 0, if one was given.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64).filter(|n| *n > 0.0)
    }

    /// A word or id; empty if the trainer has none of this name.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

fn checked(setting: &Setting, value: &Value) -> Result<Value, String> {
    match setting.kind {
        Switch(_) => match (value, number(value)) {
            (Value::Bool(on), _) => Ok((*on).into()),
            (_, Some(0.0)) => Ok(false.into()),
            (_, Some(1.0)) => Ok(true.into()),
            _ => Err("must be true or false".to_owned()),
        },
        Whole { usual, min, max } => match number(value) {
            Some(n) if n.fract() == 0.0 && (f64::from(min)..=f64::from(max)).contains(&n) => {
                Ok((n as u64).into())
            }
            Some(0.0) => Ok(usual.into()),
            _ => Err(format!("must be a whole number from {min} to {max}")),
        },
        Number => match number(value) {
            Some(n) if n.is_finite() && n >= 0.0 => Ok(n.into()),
            _ => Err("must be a number of at least 0".to_owned()),
        },
        Word(words) => {
            let wanted = || format!("must be one of {}", words.join(", "));
            let text = value.as_str().ok_or_else(wanted)?;
            // None means the usual one, which is the first.
            let found = words.iter().find(|word| word.eq_ignore_ascii_case(text) || text.is_empty());
            found.map(|word| (*word).into()).ok_or_else(wanted)
        }
        Id => value.as_str().map(Value::from).ok_or_else(|| "must be an id".to_owned()),
    }
}

/// Numbers of protobuf's documents are all floating, and some clients write them as texts.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(given: Value) -> Result<Settings> {
        let mut settings = Settings::usual(Trainer::Classifier);
        settings.take(Trainer::Classifier, given.as_object().unwrap(), "p")?;
        Ok(settings)
    }

    #[test]
    fn settings_are_read_however_a_client_writes_them() {
        let given = json!({"N_FOLDS": 3.0, "C": "0.5", "method": "Linear", "closed_environment": 1, "seed": 0, "min_value": 0.2});
        let settings = taken(given).unwrap();
        assert_eq!((settings.whole("n_folds"), settings.number("regularisation")), (Some(3), Some(0.5)));
        assert!(settings.is_on("closed_environment") && settings.text("method") == "linear");
        assert_eq!((settings.whole("max_iterations"), settings.whole("seed")), (Some(200), None));
    }

    #[test]
    fn what_is_unknown_or_makes_no_sense_is_refused_by_name() {
        for (given, field) in [
            (json!({"learning_rate": 0.1}), "p.learning_rate"),
            (json!({"coarse_clusters": 3}), "p.coarse_clusters"),
            (json!({"n_folds": 1}), "p.n_folds"),
            (json!({"n_folds": 2.5}), "p.n_folds"),
            (json!({"regularisation": -1}), "p.regularisation"),
            (json!({"method": "magic"}), "p.method"),
            (json!({"dataset_id": 7}), "p.dataset_id"),
            (json!({"balance_classes": "maybe"}), "p.balance_classes"),
        ] {
            let error = taken(given.clone()).unwrap_err();
            assert!(error.message.starts_with(field), "{given}: {}", error.message);
        }
    }
}
