//! Labelled inputs as numbers: which inputs of an app or of a frozen dataset version say something about some concepts,
//! their vectors, and which of them belong together. Nothing is learned here.

mod groups;
mod labelled;
mod vectors;

use ocellus_algo::learn::Label;
use sha2::{Digest, Sha256};

use super::backbone::Backbone;
use crate::{Error, Platform, Result};

/// The most inputs that one training may learn from.
pub(crate) const MAX_SAMPLES: usize = 200_000;

/// Labelled inputs as numbers, in the order of the source: that of creation, or that of the dataset version.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples {
    /// The inputs.
    pub input_ids: Vec<String>,
    /// A row of `dim` numbers for each input.
    pub features: Vec<f32>,
    /// The length of a row.
    pub dim: usize,
    /// The concepts, in the order that was asked for.
    pub concept_ids: Vec<String>,
    /// A row for each input with a label for each concept.
    pub labels: Vec<Label>,
    /// Inputs with the same number are (nearly) the same picture and must stay together.
    pub groups: Vec<u32>,
    /// SHA-256, in hex, over the inputs with their labels and numbers.
    pub content_hash: String,
    /// How many inputs were left out, because they are not described (yet) in the space.
    pub n_without_vector: usize,
}

impl Samples {
    /// How many inputs there are.
    pub(crate) fn n(&self) -> usize {
        self.input_ids.len()
    }

    /// The numbers of all inputs.
    pub(crate) fn rows(&self) -> ocellus_algo::learn::Rows<'_> {
        ocellus_algo::learn::Rows { values: &self.features, dim: self.dim.max(1) }
    }

    /// How many samples a source has, whether they are described yet or not.
    pub(crate) async fn count(
        platform: &Platform,
        app_uid: &str,
        concept_ids: &[String],
        source: &SampleSource,
        which: Which,
    ) -> Result<usize> {
        let (uid, concepts, wanted) = (app_uid.to_owned(), concept_ids.to_vec(), source.clone());
        let read = move |tx: &mut ocellus_store::Tx<'_>| {
            Ok(labelled::candidates(tx, &uid, &concepts, &wanted, which)?.len())
        };
        platform.store().read(read).await
    }

    /// How many inputs show each concept, and how many are said not to.
    pub(crate) fn counts(&self) -> Vec<(usize, usize)> {
        let mut counts = vec![(0, 0); self.concept_ids.len()];
        for row in self.labels.chunks(self.concept_ids.len().max(1)) {
            for (count, label) in counts.iter_mut().zip(row) {
                match label {
                    Label::Positive => count.0 += 1,
                    Label::Negative => count.1 += 1,
                    Label::Unknown => {}
                }
            }
        }
        counts
    }
}

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SampleSource {
    /// All inputs of the app, as they are labelled now.
    App,
    /// A dataset: a frozen version of it, or what is in it now.
    Dataset {
        /// The dataset.
        dataset_id: String,
        /// The version, which must be ready.
        version_id: Option<String>,
    },
    /// These inputs, as they are labelled now.
    Inputs(Vec<String>),
}

/// Which inputs of the source are samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those with a label of any of the concepts.
    Labelled,
    /// All of them.
    All,
    /// Those without a label of any of the concepts, the oldest first, up to a number.
    Unlabelled(usize),
}

/// An input that is to become a sample.
#[derive(Clone, Debug)]
struct Candidate {
    input_id: String,
    labels: Vec<Label>,
    /// Where its pixels are, and how alike others it looks.
    picture: Picture,
}

/// What is known of an input's pixels.
#[derive(Clone, Debug, Default)]
struct Picture {
    kind: String,
    blob: Option<String>,
    phash: Option<u64>,
    content_hash: Option<String>,
    crop: Option<crate::CropBox>,
}

/// The samples of a source for these concepts, described in a space. `NotFound` about a dataset or version that does not
/// exist, `Invalid` while the version is made, `TooLarge` above [`MAX_SAMPLES`].
#[expect(clippy::too_many_arguments, reason = "whose inputs, and five conditions on them")]
pub(crate) async fn collect(
    platform: &Platform,
    app_uid: &str,
    concept_ids: &[String],
    source: &SampleSource,
    space: &Backbone,
    which: Which,
) -> Result<Samples> {
    let (uid, concepts, wanted) = (app_uid.to_owned(), concept_ids.to_vec(), source.clone());
    let read =
        move |tx: &mut ocellus_store::Tx<'_>| labelled::candidates(tx, &uid, &concepts, &wanted, which);
    let candidates = platform.store().read(read).await?;
    if candidates.len() > MAX_SAMPLES {
        return Err(Error::too_large(format!("there are more than {MAX_SAMPLES} inputs to learn from")));
    }
    let n_candidates = candidates.len();
    let (kept, features) = vectors::of_candidates(platform, app_uid, candidates, space).await?;
    let n_without_vector = n_candidates - kept.len();
    let (dim, concept_ids) = (space.dim(), concept_ids.to_vec());
    platform
        .engine()
        .cpu(move || {
            let groups = groups::of(&kept, &features, dim)?;
            let content_hash = content_hash(&kept, &features, dim);
            let labels = kept.iter().flat_map(|one| one.labels.iter().copied()).collect();
            let input_ids = kept.into_iter().map(|one| one.input_id).collect();
            Ok(Samples {
                input_ids,
                features,
                dim,
                concept_ids,
                labels,
                groups,
                content_hash,
                n_without_vector,
            })
        })
        .await?
}

fn content_hash(kept: &[Candidate], features: &[f32], dim: usize) -> String {
    let mut hasher = Sha256::new();
    for (one, row) in kept.iter().zip(features.chunks(dim.max(1))) {
        hasher.update((one.input_id.len() as u64).to_le_bytes());
        hasher.update(one.input_id.as_bytes());
        for label in &one.labels {
            hasher.update([*label as u8]);
        }
        for number in row {
            hasher.update(number.to_le_bytes());
        }
    }
    hex::encode(hasher.finalize())
}
