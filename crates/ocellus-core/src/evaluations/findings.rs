//! Everything that an evaluation found, kept as one blob.

use ocellus_algo::evaluate::{Bin, Comparison, Report};
use ocellus_algo::learn::Label;
use serde::{Deserialize, Serialize};

use super::{Evaluation, VersionName};
use crate::resources::Stored;
use crate::{AppCtx, Error, Result};

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// Ids and names of the concepts, in the order of the report.
    pub concepts: Vec<(String, String)>,
    /// Whether the model says one concept at most.
    pub exclusive: bool,
    /// The numbers and curves.
    pub report: Report,
    /// The same inputs judged before calibration.
    pub raw: Option<Raw>,
    /// The inputs with what was said of them, as many as were asked for.
    pub entries: Vec<Entry>,
    /// The inputs by row, for the doubted labels.
    pub doubted_ids: Vec<String>,
    /// How many of the inputs were learned from and judged by a model that had not seen them.
    pub n_held_out: u64,
    /// How many labelled inputs were left out, because they are not described.
    pub n_without_vector: u64,
    /// Inputs that are nearly the same as one that was learned from.
    pub twins: Vec<Twin>,
    /// How many inputs were left out for this.
    pub n_left_out: u64,
    /// Beside another version.
    pub compared: Option<Compared>,
}

/// How well probabilities could be taken at their word before calibration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Raw {
    /// Expected calibration error over all inputs and concepts.
    pub calibration_error: Option<f64>,
    /// What was said with which probability, and how often it was right.
    pub reliability: Vec<Bin>,
}

/// An input with what was said of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The input.
    pub input_id: String,
    /// For each concept whether it is there, if anybody said.
    pub labels: Vec<Option<bool>>,
    /// For each concept its probability.
    pub probabilities: Vec<f32>,
}

/// Two inputs that are nearly the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Twin {
    /// The input to be judged.
    pub input_id: String,
    /// The input that was learned from.
    pub trained_id: String,
    /// How probable it is, 0 to 1.
    pub probability: f32,
}

/// Beside another version, on the inputs that both could be judged on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The other version.
    pub with: VersionName,
    /// The concepts that both tell.
    pub concept_ids: Vec<String>,
    /// The numbers; the first are those of the other version, the second those of the one that is evaluated.
    pub comparison: Comparison,
}

/// A label as it is kept.
pub(super) fn kept(label: Label) -> Option<bool> {
    match label {
        Label::Positive => Some(true),
        Label::Negative => Some(false),
        Label::Unknown => None,
    }
}

/// What an evaluation found; `None` while there is nothing.
pub async fn findings(app: &AppCtx, evaluation: &Stored<Evaluation>) -> Result<Option<Findings>> {
    let Some(hash) = &evaluation.doc.findings else { return Ok(None) };
    let bytes = app.platform().store().blobs().get(hash).await?;
    let lost = || Error::internal(anyhow::anyhow!("the blob {hash} of an evaluation is gone"));
    let bytes = bytes.ok_or_else(lost)?;
    let read = move || serde_json::from_slice(&bytes).map_err(Error::internal);
    app.platform().engine().cpu(read).await?.map(Some)
}
