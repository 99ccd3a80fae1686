//! What a version says of a test set, each input judged by a model that has not seen it nor its likes, or left out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ocellus_algo::groups::{self, Item, Pair};
use ocellus_algo::learn::{Label, Rows};
use ocellus_store as store;

use super::Twin;
use crate::learning::{self, Artefact, Backbone, HeldOut, SampleSource, Samples, Which};
use crate::user_models::UserModelVersion;
use crate::{Error, Platform, Result};

/// A version that is judged.
pub(super) struct Subject {
    pub version: UserModelVersion,
    pub artefact: Arc<Artefact>,
    pub concept_ids: Vec<String>,
    /// What it said of its own inputs while it was trained.
    pub held_out: Option<HeldOut>,
}

impl Subject {
    pub(super) async fn load(platform: &Platform, version: UserModelVersion) -> Result<Self> {
        let on = version.doc.trained_on.as_ref();
        let concept_ids =
            on.map(|on| on.concepts.iter().map(|concept| concept.id.clone()).collect()).unwrap_or_default();
        let artefact = learning::artefact(platform, &version).await?;
        let held_out = learning::held_out(platform, &version).await?;
        Ok(Self { version, artefact, concept_ids, held_out })
    }

    /// Whether an input has one concept at most.
    pub(super) fn is_exclusive(&self) -> bool {
        let on = self.version.doc.trained_on.as_ref();
        let value = on.and_then(|on| on.parameters.get("concepts_mutually_exclusive"));
        value.and_then(serde_json::Value::as_bool).unwrap_or(false)
    }
}

/// What was said of a test set, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scores {
    pub input_ids: Vec<String>,
    pub labels: Vec<Label>,
    pub probabilities: Vec<f32>,
    /// Before calibration; only of inputs that were held out.
    pub raw: Option<Vec<f32>>,
    pub groups: Vec<u32>,
    pub folds: Vec<u32>,
    pub n_held_out: usize,
    pub n_without_vector: usize,
    pub twins: Vec<Twin>,
    pub n_left_out: usize,
}

/// A store of an app to read from.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub platform: &'a Platform,
    pub app_uid: &'a str,
}

impl Place<'_> {
    async fn samples(self, subject: &Subject, source: &SampleSource, which: Which) -> Result<Samples> {
        let space = Backbone::of_trained(self.platform, &subject.version).await?;
        learning::collect(self.platform, self.app_uid, &subject.concept_ids, source, &space, which).await
    }
}

/// Of the inputs that the version was trained on. Those that are gone count still; nothing is known of their likes.
pub(super) async fn of_own(place: Place<'_>, subject: &Subject) -> Result<Scores> {
    let Some(held) = &subject.held_out else { return Ok(Scores::default()) };
    let source = SampleSource::Inputs(held.input_ids.clone());
    let samples = place.samples(subject, &source, Which::All).await?;
    let known: HashMap<&str, u32> =
        samples.input_ids.iter().map(String::as_str).zip(samples.groups.iter().copied()).collect();
    let mut next = samples.groups.iter().max().map_or(0, |last| last + 1);
    let group = |id: &String| {
        known.get(id.as_str()).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        })
    };
    Ok(Scores {
        groups: held.input_ids.iter().map(group).collect(),
        input_ids: held.input_ids.clone(),
        labels: held.labels.clone(),
        probabilities: held.probabilities.clone(),
        raw: Some(held.raw.clone()).filter(|raw| raw.iter().all(|p| (0.0..=1.0).contains(p))),
        folds: held.folds.clone(),
        n_held_out: held.input_ids.len(),
        ..Scores::default()
    })
}

/// Of a source. An input that was learned from is judged by what was said of it while it was held out; one that is nearly
/// the same as one that was learned from is left out, unless it is to be kept.
pub(super) async fn of_source(
    place: Place<'_>,
    subject: &Subject,
    source: &SampleSource,
    keep_twins: bool,
) -> Result<Scores> {
    let test = place.samples(subject, source, Which::Labelled).await?;
    let trained: Vec<String> =
        subject.held_out.as_ref().map(|held| held.input_ids.clone()).unwrap_or_default();
    let own = place.samples(subject, &SampleSource::Inputs(trained.clone()), Which::All).await?;
    let trained: HashSet<String> = trained.into_iter().collect();
    let hashes = hashes(place, test.input_ids.iter().chain(&own.input_ids)).await?;
    let artefact = Arc::clone(&subject.artefact);
    let (mut scores, held) = (Scores::default(), Rated::new(subject));
    let judge = move || {
        let head = match &*artefact {
            Artefact::Classifier(head) => head.probabilities(test.rows())?,
            Artefact::Embedder(_) | Artefact::Clusterer(_) | Artefact::Detector(_) | Artefact::Onnx(_) => {
                return Err(Error::unsupported("only a model that tells concepts is evaluated"));
            }
        };
        let new: Vec<bool> = test.input_ids.iter().map(|id| !trained.contains(id)).collect();
        scores.twins = twins(&test, &new, &own, &hashes)?;
        let doubles: HashSet<&str> = scores.twins.iter().map(|twin| twin.input_id.as_str()).collect();
        let n = test.concept_ids.len();
        for (row, id) in test.input_ids.iter().enumerate() {
            if !keep_twins && doubles.contains(id.as_str()) {
                scores.n_left_out += 1;
                continue;
            }
            let said = match held.of(id) {
                Some(said) => {
                    scores.n_held_out += 1;
                    said
                }
                None => &head[row * n..][..n],
            };
            scores.input_ids.push(id.clone());
            scores.labels.extend_from_slice(&test.labels[row * n..][..n]);
            scores.probabilities.extend_from_slice(said);
            scores.groups.push(test.groups[row]);
        }
        scores.n_without_vector = test.n_without_vector;
        Ok::<_, Error>(scores)
    };
    place.platform.engine().cpu(judge).await?
}

/// What a version said of its own inputs, by input.
struct Rated {
    row_of: HashMap<String, usize>,
    probabilities: Vec<f32>,
    n_concepts: usize,
}

impl Rated {
    fn new(subject: &Subject) -> Self {
        let held = subject.held_out.clone().unwrap_or_default();
        Self {
            n_concepts: held.concept_ids.len(),
            row_of: held.input_ids.into_iter().zip(0..).collect(),
            probabilities: held.probabilities,
        }
    }

    fn of(&self, id: &str) -> Option<&[f32]> {
        let row = *self.row_of.get(id)?;
        self.probabilities.get(row * self.n_concepts..)?.get(..self.n_concepts)
    }
}

/// The perceptual hashes of inputs.
async fn hashes(place: Place<'_>, ids: impl Iterator<Item = &String>) -> Result<HashMap<String, u64>> {
    const BATCH: usize = 1_000;
    let ids: Vec<String> = ids.cloned().collect();
    let mut found = HashMap::new();
    for chunk in ids.chunks(BATCH) {
        let (uid, chunk) = (place.app_uid.to_owned(), chunk.to_vec());
        let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.inputs_by_ids(&uid, &chunk)?);
        let rows = place.platform.store().read(read).await?;
        found.extend(rows.into_iter().filter_map(|row| Some((row.id, row.phash?.cast_unsigned()))));
    }
    Ok(found)
}

/// The new inputs that are nearly the same as one that was learned from, each once with the likest.
fn twins(test: &Samples, new: &[bool], own: &Samples, hashes: &HashMap<String, u64>) -> Result<Vec<Twin>> {
    let rows = |samples: &Samples| Rows { values: &samples.features, dim: samples.dim.max(1) }.n();
    if rows(test) == 0 || rows(own) == 0 {
        return Ok(Vec::new());
    }
    let item = |(id, vector): (&String, _)| Item { hash: hashes.get(id).copied(), vector, source: None };
    let of_test = test.input_ids.iter().zip(test.features.chunks(test.dim.max(1)));
    let of_own = own.input_ids.iter().zip(own.features.chunks(own.dim.max(1)));
    // What was learned from stands first, so that it is the first of each pair that counts.
    let items: Vec<Item<'_>> = of_own.map(item).chain(of_test.map(item)).collect();
    let n_own = own.input_ids.len();
    let mut likest: HashMap<usize, Pair> = HashMap::new();
    for pair in groups::near_duplicates(&items)? {
        let (a, b) = (pair.a as usize, pair.b as usize);
        if a < n_own && b >= n_own && new[b - n_own] {
            let known = likest.entry(b - n_own).or_insert(pair);
            if pair.probability > known.probability {
                *known = pair;
            }
        }
    }
    let mut found: Vec<(usize, Pair)> = likest.into_iter().collect();
    found.sort_by_key(|(row, _)| *row);
    let twin = |(row, pair): (usize, Pair)| Twin {
        input_id: test.input_ids[row].clone(),
        trained_id: own.input_ids[pair.a as usize].clone(),
        probability: pair.probability,
    };
    Ok(found.into_iter().map(twin).collect())
}
