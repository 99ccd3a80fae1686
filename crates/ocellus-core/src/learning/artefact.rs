//! What training leaves behind: the artefact that predicts, and the scores of inputs that the model had not seen. Both are
//! blobs that the version's document names.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ocellus_algo::detect::DetectorHead;
use ocellus_algo::learn::{Clusters, Head, Label, Projection};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::OnnxModel;
use crate::user_models::UserModelVersion;
use crate::{Error, Platform, Resource, Result};

/// What a trained version can do.
#[derive(Debug)]
pub enum Artefact {
    /// Tells concepts from vectors.
    Classifier(Head),
    /// Makes better vectors of vectors.
    Embedder(Projection),
    /// Sorts vectors into groups.
    Clusterer(Clusters),
    /// Tells concepts in proposed boxes.
    Detector(DetectorHead),
    /// A network that somebody brought along.
    Onnx(Box<OnnxModel>),
}

/// Where an artefact is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArtefactRef {
    /// The kind of artefact: such as "classifier".
    pub kind: String,
    /// SHA-256 of its bytes, in hex: the key of its blob.
    pub sha256: String,
    /// How many bytes it has.
    pub size_bytes: u64,
}

/// The part that its blob plays for a version, by name in the store.
pub(crate) const ROLE: &str = "artefact";
/// The part that the scores of unseen inputs play.
pub(crate) const HELD_OUT_ROLE: &str = "held_out";
/// The part that what an own embedder learned plays for a version that stands on it.
pub(crate) const PROJECTION_ROLE: &str = "projection";

impl Artefact {
    /// The name of the kind, as stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Classifier(_) => "classifier",
            Self::Embedder(_) => "embedder",
            Self::Clusterer(_) => "clusterer",
            Self::Detector(_) => "detector",
            Self::Onnx(_) => "onnx",
        }
    }

    /// The bytes to keep; the same artefact has the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Classifier(head) => head.to_bytes(),
            Self::Embedder(projection) => projection.to_bytes(),
            Self::Clusterer(clusters) => clusters.to_bytes(),
            Self::Detector(head) => head.to_bytes(),
            Self::Onnx(model) => model.to_bytes(),
        }
    }

    /// Reads what [`Artefact::to_bytes`] wrote. Fails for damaged bytes and unknown kinds.
    pub fn from_bytes(kind: &str, bytes: &[u8]) -> Result<Self> {
        Ok(match kind {
            "classifier" => Self::Classifier(Head::from_bytes(bytes)?),
            "embedder" => Self::Embedder(Projection::from_bytes(bytes)?),
            "clusterer" => Self::Clusterer(Clusters::from_bytes(bytes)?),
            "detector" => Self::Detector(DetectorHead::from_bytes(bytes)?),
            "onnx" => Self::Onnx(Box::new(OnnxModel::from_bytes(bytes)?)),
            other => return Err(Error::internal(anyhow::anyhow!("there is no artefact of kind '{other}'"))),
        })
    }

    /// The name under which these bytes of it are kept.
    pub(crate) fn reference(&self, bytes: &[u8]) -> ArtefactRef {
        ArtefactRef {
            kind: self.kind().to_owned(),
            sha256: ocellus_store::Blobs::hash_of(bytes),
            size_bytes: bytes.len() as u64,
        }
    }
}

/// Artefacts in memory, the last used first. Large ones push out many small ones.
#[derive(Default)]
pub(crate) struct Artefacts(Mutex<VecDeque<(ArtefactRef, Arc<Artefact>)>>);

/// The most bytes of artefacts, as stored, that are held in memory.
const MAX_HELD_BYTES: u64 = 256 << 20;

impl Artefacts {
    fn get(&self, wanted: &ArtefactRef) -> Option<Arc<Artefact>> {
        let mut held = self.0.lock();
        let place = held.iter().position(|(known, _)| known == wanted)?;
        let found = held.remove(place)?;
        let artefact = Arc::clone(&found.1);
        held.push_front(found);
        Some(artefact)
    }

    fn put(&self, name: ArtefactRef, artefact: Arc<Artefact>) {
        let mut held = self.0.lock();
        held.retain(|(known, _)| *known != name);
        held.push_front((name, artefact));
        let mut n_bytes = 0;
        // The newest one is held whatever its size, as it is about to be used.
        let fits = |(place, (name, _)): (usize, &(ArtefactRef, Arc<Artefact>))| {
            n_bytes += name.size_bytes;
            place == 0 || n_bytes <= MAX_HELD_BYTES
        };
        let n_kept = held.iter().enumerate().map(fits).take_while(|fits| *fits).count();
        held.truncate(n_kept);
    }
}

/// The artefact of a trained version. `Unsupported` if it has none.
pub(crate) async fn artefact(platform: &Platform, version: &UserModelVersion) -> Result<Arc<Artefact>> {
    let untrained = || {
        Error::unsupported(format!("model version '{}' is not trained", version.id))
            .about(Resource::ModelVersion(version.id.clone()))
    };
    load(platform, version.doc.artefact.as_ref().ok_or_else(untrained)?).await
}

/// The artefact that is kept under a name.
pub(crate) async fn load(platform: &Platform, name: &ArtefactRef) -> Result<Arc<Artefact>> {
    if let Some(held) = platform.artefacts().get(name) {
        return Ok(held);
    }
    let bytes = bytes(platform, name).await?;
    let kind = name.kind.clone();
    let artefact = platform.engine().cpu(move || Artefact::from_bytes(&kind, &bytes)).await?;
    let artefact = Arc::new(artefact.map_err(Error::internal)?);
    platform.artefacts().put(name.clone(), Arc::clone(&artefact));
    Ok(artefact)
}

/// The bytes of an artefact as they are kept.
pub(crate) async fn bytes(platform: &Platform, name: &ArtefactRef) -> Result<Bytes> {
    let found = platform.store().blobs().get(&name.sha256).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("the blob {} of an artefact is gone", name.sha256)))
}

/// What a model says of the inputs it learned from, each judged by a model that had not seen it nor its likes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HeldOut {
    pub input_ids: Vec<String>,
    pub concept_ids: Vec<String>,
    /// A row for each input with a label for each concept.
    pub labels: Vec<Label>,
    /// A row for each input with a probability for each concept.
    pub probabilities: Vec<f32>,
    /// The same before calibration.
    pub raw: Vec<f32>,
    /// For each input the fold in which it was judged.
    pub folds: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct HeldOutHead {
    input_ids: Vec<String>,
    concept_ids: Vec<String>,
}

const MAGIC: &[u8; 8] = b"OCHELD01";

impl HeldOut {
    /// The bytes to keep.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let head = HeldOutHead { input_ids: self.input_ids.clone(), concept_ids: self.concept_ids.clone() };
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.extend((head.len() as u64).to_le_bytes());
        bytes.extend(head);
        bytes.extend(self.labels.iter().map(|label| *label as u8));
        for numbers in [&self.probabilities, &self.raw] {
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes.extend(self.folds.iter().flat_map(|fold| fold.to_le_bytes()));
        bytes
    }

    /// Reads what [`HeldOut::to_bytes`] wrote; `None` for anything else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (len, rest) = rest.split_first_chunk::<8>()?;
        let (head, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        let HeldOutHead { input_ids, concept_ids } = serde_json::from_slice(head).ok()?;
        let n = input_ids.len().checked_mul(concept_ids.len())?;
        let (labels, rest) = rest.split_at_checked(n)?;
        let (probabilities, rest) = rest.split_at_checked(n * 4)?;
        let (raw, folds) = rest.split_at_checked(n * 4)?;
        if folds.len() != input_ids.len() * 4 {
            return None;
        }
        let label = |byte: &u8| match byte {
            0 => Some(Label::Unknown),
            1 => Some(Label::Negative),
            2 => Some(Label::Positive),
            _ => None,
        };
        let words = |bytes: &[u8]| -> Vec<[u8; 4]> { bytes.as_chunks::<4>().0.to_vec() };
        Some(Self {
            labels: labels.iter().map(label).collect::<Option<_>>()?,
            probabilities: words(probabilities).into_iter().map(f32::from_le_bytes).collect(),
            raw: words(raw).into_iter().map(f32::from_le_bytes).collect(),
            folds: words(folds).into_iter().map(u32::from_le_bytes).collect(),
            input_ids,
            concept_ids,
        })
    }
}

/// The scores of unseen inputs that training left behind, if the version is one that tells concepts.
pub(crate) async fn held_out(platform: &Platform, version: &UserModelVersion) -> Result<Option<HeldOut>> {
    Ok(kept(platform, version).await?.filter(|scores| !scores.concept_ids.is_empty()))
}

/// The inputs that a version learned from.
pub(super) async fn learned_from(platform: &Platform, version: &UserModelVersion) -> Result<Vec<String>> {
    Ok(kept(platform, version).await?.map(|scores| scores.input_ids).unwrap_or_default())
}

async fn kept(platform: &Platform, version: &UserModelVersion) -> Result<Option<HeldOut>> {
    let Some(hash) = &version.doc.held_out else { return Ok(None) };
    let bytes = platform.store().blobs().get(hash).await?;
    let damaged =
        || Error::internal(anyhow::anyhow!("the blob {hash} of held-out scores is gone or damaged"));
    bytes.as_deref().and_then(HeldOut::from_bytes).map(Some).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_scores_survive_and_damage_is_noticed() {
        let scores = HeldOut {
            input_ids: vec!["a".to_owned(), "ü".to_owned()],
            concept_ids: vec!["x".to_owned()],
            labels: vec![Label::Positive, Label::Unknown],
            probabilities: vec![0.25, 1.0],
            raw: vec![-3.5, 0.0],
            folds: vec![1, 0],
        };
        let bytes = scores.to_bytes();
        assert_eq!(HeldOut::from_bytes(&bytes), Some(scores));
        for n in 0..bytes.len() {
            assert_eq!(HeldOut::from_bytes(&bytes[..n]), None, "{n}");
        }
    }
}
