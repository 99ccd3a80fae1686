//! What models say of images, as arrays with a row for each image. Rows that are shorter than others end in noughts.

use bytes::Bytes;

use super::{Kind, NamedTensor, Place, Values};
use crate::catalog::ModelTask;
use crate::learning::{Artefact, OnnxAnswer};
use crate::models::Predictor;
use crate::predict::{Prediction, RegionPrediction, Scored};
use crate::{Error, Result};

const CONCEPTS: [(&str, Kind, usize); 2] = [("concept_ids", Kind::Bytes, 2), ("probabilities", Kind::F32, 2)];
const BOXES: [(&str, Kind, usize); 3] =
    [("boxes", Kind::F32, 3), ("concept_ids", Kind::Bytes, 2), ("probabilities", Kind::F32, 2)];
const EMBEDDING: [(&str, Kind, usize); 1] = [("embedding", Kind::F32, 2)];
const COLORS: [(&str, Kind, usize); 2] = [("colors", Kind::Bytes, 2), ("fractions", Kind::F32, 2)];

/// What comes out for images.
pub fn places(predictor: &Predictor) -> Vec<Place> {
    let said: &[(&str, Kind, usize)] = match predictor {
        Predictor::Public(spec) => match spec.task {
            ModelTask::Embedding => &EMBEDDING,
            ModelTask::Color => &COLORS,
            ModelTask::Focus => &[("sharpness", Kind::F32, 1)],
            ModelTask::NearDuplicate => &[("fingerprint", Kind::U64, 1)],
            ModelTask::Concepts => &CONCEPTS,
            ModelTask::Objects | ModelTask::Faces | ModelTask::FaceEmbedding | ModelTask::FaceAppearance => {
                &BOXES
            }
        },
        Predictor::Own { artefact, .. } => match &**artefact {
            Artefact::Onnx(onnx) => match &onnx.answer {
                OnnxAnswer::Concepts { .. } => &CONCEPTS,
                OnnxAnswer::Embedding { .. } => &EMBEDDING,
                OnnxAnswer::Detector { .. } => &BOXES,
            },
            Artefact::Embedder(_) => &EMBEDDING,
            Artefact::Detector(_) => &BOXES,
            Artefact::Classifier(_) | Artefact::Clusterer(_) => &CONCEPTS,
        },
    };
    let place = |(name, kind, n_axes): &(&str, Kind, usize)| Place {
        name: (*name).to_owned(),
        kind: *kind,
        // The last axis of boxes are the sides: top, left, bottom, right.
        shape: (0..*n_axes).map(|axis| (axis == 2).then_some(4)).collect(),
    };
    said.iter().map(place).collect()
}

/// The name of what comes out for vectors.
pub fn of_features(predictor: &Predictor) -> &'static str {
    match predictor {
        Predictor::Own { artefact, .. } if artefact.kind() == "embedder" => "embedding",
        Predictor::Public(_) | Predictor::Own { .. } => "probabilities",
    }
}

/// What was said of images, as arrays.
pub fn tensors(said: &[Prediction]) -> Result<Vec<NamedTensor>> {
    let n = said.len();
    let tensor = |name: &str, shape: Vec<usize>, values| NamedTensor { name: name.to_owned(), shape, values };
    let mixed = || Error::internal(anyhow::anyhow!("a model said things of several kinds in one call"));
    let Some(first) = said.first() else { return Ok(Vec::new()) };
    match first {
        Prediction::Concepts(_) => {
            let rows = all(said, |one| if let Prediction::Concepts(rows) = one { Some(rows) } else { None });
            let rows: Vec<&[Scored]> = rows.ok_or_else(mixed)?.into_iter().map(Vec::as_slice).collect();
            Ok(scored(&rows))
        }
        Prediction::Embedding(vector) => {
            let width = vector.len();
            let rows = all(said, |one| if let Prediction::Embedding(row) = one { Some(row) } else { None });
            let rows = rows.filter(|rows| rows.iter().all(|row| row.len() == width)).ok_or_else(mixed)?;
            let values = rows.into_iter().flatten().copied().collect();
            Ok(vec![tensor("embedding", vec![n, width], Values::F32(values))])
        }
        Prediction::Colors(_) => {
            let rows = all(said, |one| if let Prediction::Colors(rows) = one { Some(rows) } else { None });
            let rows = rows.ok_or_else(mixed)?;
            let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
            let cell = |row: &Vec<ocellus_algo::color::DominantColor>, idx: usize| row.get(idx).cloned();
            let cells = || rows.iter().flat_map(|row| (0..width).map(|idx| cell(row, idx)));
            let hex = cells().map(|color| Bytes::from(color.map(|color| color.hex).unwrap_or_default()));
            let fractions = cells().map(|color| color.map_or(0.0, |color| color.fraction));
            Ok(vec![
                tensor("colors", vec![n, width], Values::Bytes(hex.collect())),
                tensor("fractions", vec![n, width], Values::F32(fractions.collect())),
            ])
        }
        Prediction::Focus(_) => {
            let rows = all(said, |one| if let Prediction::Focus(focus) = one { Some(focus) } else { None });
            let values = rows.ok_or_else(mixed)?.into_iter().map(|focus| focus.sharpness).collect();
            Ok(vec![tensor("sharpness", vec![n], Values::F32(values))])
        }
        Prediction::Fingerprint(_) => {
            let rows =
                all(said, |one| if let Prediction::Fingerprint(bits) = one { Some(bits) } else { None });
            let values = rows.ok_or_else(mixed)?.into_iter().copied().collect();
            Ok(vec![tensor("fingerprint", vec![n], Values::U64(values))])
        }
        Prediction::Regions(_) => {
            let rows = all(said, |one| if let Prediction::Regions(rows) = one { Some(rows) } else { None });
            Ok(regions(&rows.ok_or_else(mixed)?))
        }
        Prediction::Frames(_) => Err(mixed()),
    }
}

fn all<'a, T>(said: &'a [Prediction], row: impl Fn(&'a Prediction) -> Option<&'a T>) -> Option<Vec<&'a T>> {
    said.iter().map(row).collect()
}

fn scored(rows: &[&[Scored]]) -> Vec<NamedTensor> {
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let cells = || rows.iter().flat_map(|row| (0..width).map(|idx| row.get(idx)));
    let ids = cells().map(|one| Bytes::from(one.map(|one| one.concept_id.clone()).unwrap_or_default()));
    let probabilities = cells().map(|one| one.map_or(0.0, |one| one.probability));
    let shape = vec![rows.len(), width];
    vec![
        NamedTensor {
            name: "concept_ids".to_owned(),
            shape: shape.clone(),
            values: Values::Bytes(ids.collect()),
        },
        NamedTensor { name: "probabilities".to_owned(), shape, values: Values::F32(probabilities.collect()) },
    ]
}

/// Each region with its surest concept.
fn regions(rows: &[&Vec<RegionPrediction>]) -> Vec<NamedTensor> {
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let best = |region: &RegionPrediction| {
        let nameless = Scored {
            concept_id: String::new(),
            name: String::new(),
            language: String::new(),
            probability: region.probability,
        };
        region.concepts.first().cloned().unwrap_or(nameless)
    };
    let told: Vec<Vec<Scored>> = rows.iter().map(|row| row.iter().map(best).collect()).collect();
    let told: Vec<&[Scored]> = told.iter().map(Vec::as_slice).collect();
    let cells = rows.iter().flat_map(|row| (0..width).map(|idx| row.get(idx).map(|region| region.bbox)));
    let sides = cells.flat_map(|sides| sides.map_or([0.0; 4], |s| [s.top, s.left, s.bottom, s.right]));
    let values = Values::F32(sides.collect());
    let mut all = vec![NamedTensor { name: "boxes".to_owned(), shape: vec![rows.len(), width, 4], values }];
    all.extend(scored(&told));
    all
}
