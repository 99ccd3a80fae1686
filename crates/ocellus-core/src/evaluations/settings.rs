//! How a version is judged: what a client may choose, each with a default.

use ocellus_algo::evaluate::Spec;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, JsonMap, Result};

/// What a client may choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Decides which test sets are drawn for the intervals.
    pub seed: u64,
    /// How many test sets are drawn, at most.
    pub n_draws: usize,
    /// Precisions for which thresholds are wanted.
    pub precisions: Vec<f64>,
    /// False-positive rates for which thresholds are wanted.
    pub false_rates: Vec<f64>,
    /// Whether an input that nobody labelled with a concept does not count for it; else it counts as not having it.
    pub leave_out_unlabelled: bool,
    /// Whether inputs that are nearly the same as one that was learned from are judged as well.
    pub keep_near_duplicates: bool,
    /// The most inputs that are listed with what was said of them.
    pub max_examples: usize,
    /// Another version to compare with.
    pub compare_with: Option<VersionName>,
}

/// A version of a model of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VersionName {
    /// The model.
    pub model_id: String,
    /// The version.
    pub version_id: String,
}

impl Default for Settings {
    fn default() -> Self {
        let spec = Spec::default();
        Self {
            seed: spec.seed,
            n_draws: spec.n_draws,
            precisions: spec.precisions,
            false_rates: spec.false_rates,
            leave_out_unlabelled: false,
            keep_near_duplicates: false,
            max_examples: 10_000,
            compare_with: None,
        }
    }
}

/// The most test sets that may be drawn.
const MAX_DRAWS: u64 = 10_000;
/// The most targets of one kind.
const MAX_TARGETS: usize = 20;
/// The most inputs that may be listed.
const MAX_EXAMPLES: u64 = 100_000;

impl Settings {
    /// Reads what a client gave. `Invalid` about what is unknown or out of range.
    pub fn read(given: &JsonMap) -> Result<Self> {
        let mut settings = Self::default();
        for (name, value) in given {
            match name.as_str() {
                "seed" => settings.seed = whole(name, value, u64::MAX >> 12)?,
                "bootstrap_samples" => settings.n_draws = whole(name, value, MAX_DRAWS)? as usize,
                "target_precisions" => settings.precisions = shares(name, value)?,
                "target_false_positive_rates" => settings.false_rates = shares(name, value)?,
                "unlabelled" => {
                    settings.leave_out_unlabelled = match value.as_str() {
                        Some("negative") => false,
                        Some("ignore") => true,
                        _ => return Err(wrong(name, "must be \"negative\" or \"ignore\"")),
                    }
                }
                "keep_near_duplicates" => {
                    let message = "must be true or false";
                    settings.keep_near_duplicates = value.as_bool().ok_or_else(|| wrong(name, message))?;
                }
                "max_examples" => settings.max_examples = whole(name, value, MAX_EXAMPLES)? as usize,
                "compare_with" => settings.compare_with = Some(version(name, value)?),
                _ => return Err(wrong(name, "is no setting of an evaluation")),
            }
        }
        Ok(settings)
    }

    pub(super) fn spec(&self) -> Spec {
        Spec {
            seed: self.seed,
            n_draws: self.n_draws,
            precisions: self.precisions.clone(),
            false_rates: self.false_rates.clone(),
            ..Spec::default()
        }
    }
}

fn wrong(name: &str, message: impl std::fmt::Display) -> Error {
    Error::invalid(format!("eval_info.params.{name}"), message)
}

fn whole(name: &str, value: &Value, most: u64) -> Result<u64> {
    let whole = value.as_u64().filter(|n| *n <= most);
    whole.ok_or_else(|| wrong(name, format!("must be a whole number from 0 to {most}")))
}

fn shares(name: &str, value: &Value) -> Result<Vec<f64>> {
    let share = |value: &Value| value.as_f64().filter(|share| (0.0..=1.0).contains(share));
    let list = value.as_array().filter(|list| list.len() <= MAX_TARGETS);
    let shares = list.and_then(|list| list.iter().map(share).collect::<Option<Vec<f64>>>());
    shares.ok_or_else(|| wrong(name, format!("must be a list of at most {MAX_TARGETS} numbers from 0 to 1")))
}

fn version(name: &str, value: &Value) -> Result<VersionName> {
    let text = |part: &str| value.get(part).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("model_id"), text("version_id")) {
        (Some(model_id), Some(version_id)) => {
            Ok(VersionName { model_id: model_id.to_owned(), version_id: version_id.to_owned() })
        }
        _ => Err(wrong(name, "must have a model_id and a version_id")),
    }
}
