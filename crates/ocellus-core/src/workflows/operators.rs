//! Models without weights, which change what other nodes found: thresholds, crops, tiles, maps, samples, counts and merges.
//!
//! An operator is a model type with parameters. It learns nothing, so that it can be used as soon as it is made.

mod apply;
mod types;

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, JsonMap, Result};
pub(super) use apply::{lifted, mapped, tile_parts, tiles, with_margin};
use types::COMPARATORS;
pub use types::{OperatorParam, OperatorType, ParamKind, TYPES};

/// What an operator does, once its parameters are read.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// Lets concepts pass.
    ConceptThreshold(Threshold),
    /// Lets regions pass.
    RegionThreshold(Threshold),
    /// Cuts regions out.
    Crop {
        /// What the sides of a region are multiplied by.
        margin: f32,
    },
    /// Cuts the image into tiles.
    Tile {
        /// The sides of a tile, pixels.
        size: u32,
        /// By how much tiles overlap, pixels.
        overlap: u32,
    },
    /// Puts other concepts in the place of concepts.
    ConceptMap(Mapping),
    /// Lets a share of the inputs pass.
    Sample {
        /// The share, 0 to 1.
        keep: f64,
    },
    /// Counts regions.
    CountRegions,
    /// Puts together what several nodes found.
    Merge(Option<Lift>),
}

/// Which concepts pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Thresholds by the id or, in small letters, the name of the concept; empty if `of_all` counts.
    concepts: Vec<(String, f32)>,
    of_all: f32,
    comparator: Comparator,
}

/// Which concept stands for which.
#[derive(Clone, Debug, PartialEq)]
pub enum Mapping {
    /// As the app's relations say, those of one knowledge graph if it is named.
    Synonyms(Option<String>),
    /// As it is written here.
    Written(BTreeMap<String, String>),
}

/// How regions' values become the image's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lift {
    /// The greatest counts.
    Max,
    /// The mean over the regions with the concept counts.
    Mean,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparator {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
}

impl Operator {
    /// What it works on, in words.
    pub(super) fn takes(&self) -> &'static str {
        match self {
            Self::ConceptThreshold(_) | Self::ConceptMap(_) => "concepts",
            Self::RegionThreshold(_) | Self::Crop { .. } | Self::CountRegions => "regions",
            Self::Tile { .. } => "whole images",
            Self::Sample { .. } => "anything",
            Self::Merge(_) => "concepts or regions",
        }
    }
}

/// Whether models of this type are operators.
pub fn is_operator(model_type_id: &str) -> bool {
    TYPES.iter().any(|known| known.id == model_type_id)
}

/// The version of an operator that no model stands for: the same parameters always have the same.
pub(super) fn version_of(model_type_id: &str, params: &JsonMap) -> String {
    let written = format!("{model_type_id} {}", Value::Object(params.clone()));
    hex::encode(&Sha256::digest(written.as_bytes())[..16])
}

/// The operator of a model type with these parameters; nothing for another type. `Invalid` for parameters that make no
/// sense.
pub fn read(model_type_id: &str, params: &JsonMap) -> Result<Option<Operator>> {
    let Some(known) = TYPES.iter().find(|known| known.id == model_type_id) else { return Ok(None) };
    for param in known.params {
        check(param, params.get(param.name))?;
    }
    let number = |name: &str| params.get(name).and_then(Value::as_f64);
    Ok(Some(match model_type_id {
        "concept-thresholder" => Operator::ConceptThreshold(threshold(params)?),
        "region-thresholder" => Operator::RegionThreshold(threshold(params)?),
        "image-crop" => Operator::Crop { margin: number("margin").unwrap_or(1.0) as f32 },
        "image-tiling-operator" => {
            let size = number("tile_size").unwrap_or(512.0) as u32;
            let overlap = number("max_object_size").unwrap_or(0.0) as u32;
            if overlap >= size {
                return Err(Error::invalid("params.max_object_size", "must be less than tile_size"));
            }
            Operator::Tile { size, overlap }
        }
        "concept-synonym-mapper" => Operator::ConceptMap(mapping(params)),
        "random-sample" => Operator::Sample { keep: number("keep_fraction").unwrap_or(1.0) },
        "object-counter" => Operator::CountRegions,
        _ => Operator::Merge(match params.get("lift").and_then(Value::as_str) {
            Some("max") => Some(Lift::Max),
            Some("mean") => Some(Lift::Mean),
            _ => None,
        }),
    }))
}

fn check(param: &OperatorParam, given: Option<&Value>) -> Result<()> {
    let field = || format!("params.{}", param.name);
    let Some(value) = given.filter(|value| !value.is_null()) else {
        return match param.required {
            true => Err(Error::invalid(field(), "must be given")),
            false => Ok(()),
        };
    };
    let (fits, wanted) = match param.kind {
        ParamKind::Number(from, to) => (
            value.as_f64().is_some_and(|n| (from..=to).contains(&n)),
            format!("must be a number from {from} to {to}"),
        ),
        ParamKind::Text => (value.is_string(), "must be a text".to_owned()),
        ParamKind::Map => (
            value.as_object().is_some_and(|map| map.values().all(Value::is_string)),
            "must be an object of texts".to_owned(),
        ),
        ParamKind::Choice(words) => {
            (choice(words, value).is_some(), format!("must be one of {}", words.join(", ")))
        }
        ParamKind::Thresholds => (
            thresholds(value).is_some(),
            "must be a list of objects with an id or a name, and a value from 0 to 1".to_owned(),
        ),
    };
    if fits { Ok(()) } else { Err(Error::invalid(field(), wanted)) }
}

/// The place of a word, given as itself or by its number in the vendor's enumeration, from 1.
fn choice(words: &[&str], value: &Value) -> Option<usize> {
    if let Some(number) = value.as_u64() {
        return usize::try_from(number).ok()?.checked_sub(1).filter(|at| *at < words.len());
    }
    let given = value.as_str()?;
    let given = given.strip_suffix("_TO").unwrap_or(given);
    words.iter().position(|word| word.eq_ignore_ascii_case(given))
}

fn thresholds(value: &Value) -> Option<Vec<(String, f32)>> {
    let one = |item: &Value| {
        let text = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let key = text("id").map(str::to_owned).or_else(|| text("name").map(str::to_lowercase))?;
        let value = item.get("value").map_or(Some(0.0), Value::as_f64)?;
        (0.0..=1.0).contains(&value).then_some((key, value as f32))
    };
    value.as_array()?.iter().map(one).collect()
}

fn threshold(params: &JsonMap) -> Result<Threshold> {
    let concepts = params.get("concepts").and_then(thresholds).unwrap_or_default();
    let of_all = params.get("threshold").and_then(Value::as_f64);
    if concepts.is_empty() && of_all.is_none() {
        return Err(Error::invalid(
            "params.concepts",
            "must name concepts, or params.threshold must be given",
        ));
    }
    let which = params.get("concept_threshold_type").and_then(|value| choice(&COMPARATORS, value));
    let comparator = match which {
        Some(0) => Comparator::Greater,
        Some(2) => Comparator::Less,
        Some(3) => Comparator::LessOrEqual,
        Some(4) => Comparator::Equal,
        Some(_) | None => Comparator::GreaterOrEqual,
    };
    Ok(Threshold { concepts, of_all: of_all.unwrap_or(0.0) as f32, comparator })
}

fn mapping(params: &JsonMap) -> Mapping {
    if let Some(written) = params.get("mapping").and_then(Value::as_object) {
        let pair = |(from, to): (&String, &Value)| Some((from.clone(), to.as_str()?.to_owned()));
        return Mapping::Written(written.iter().filter_map(pair).collect());
    }
    let graph = params.get("knowledge_graph_id").and_then(Value::as_str).filter(|id| !id.is_empty());
    Mapping::Synonyms(graph.map(str::to_owned))
}
