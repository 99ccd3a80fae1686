//! What orders the hits: likeness to pictures, concepts, or the mean of several of them.

use std::collections::HashMap;
use std::sync::Arc;

use ocellus_store::Tx;
use sha2::{Digest, Sha256};

use super::filter::Conditions;
use super::{ConceptTerm, Metric, Rank, RankBy, Ranked, Selection, select, walk, words};
use crate::annotations::parts::space_of_parts;
use crate::indexes::{Found, Space};
use crate::models::Predictor;
use crate::predict::{self, PredictOptions, Prediction};
use crate::workflows::default::predicting_versions;
use crate::{AppCtx, CropBox, Error, Kind, Resource, Result, Source, annotations, inputs};

/// The order of the hits.
pub(super) enum Order {
    /// Nothing ranks.
    Creation,
    /// Only likeness ranks; the index can answer.
    Likeness(Likeness),
    /// Concepts rank too; every candidate is scored.
    Mean(Mean),
}

/// Likeness to one or several vectors. The mean of their scores, `(1 ± cosine) / 2` each, is a likeness to one vector,
/// their signed sum: `(n + |sum| cosine(sum)) / 2n`. So the index can search for that.
#[derive(Clone)]
pub(super) struct Likeness {
    /// The space of the vectors.
    space: String,
    sum: Vec<f32>,
    n: usize,
    min_score: f32,
    metric: Metric,
}

/// Likeness and concepts together.
pub(super) struct Mean {
    /// One for each space.
    likenesses: Vec<Likeness>,
    concepts: Vec<(bool, ByConcept)>,
    min_score: f32,
}

/// A rank by a concept.
pub(super) enum ByConcept {
    /// The best of several, each counting for so much.
    Best(Vec<(f32, ByConcept)>),
    Predicted {
        version_id: String,
        id: String,
    },
    Labelled(ConceptTerm),
}

/// Makes ranks ready: finds or computes their vectors.
pub(super) async fn prepare(
    app: &AppCtx,
    ranks: Vec<Rank>,
    language: Option<&str>,
    metric: Metric,
    min_score: f32,
) -> Result<Order> {
    let mut likenesses: Vec<Likeness> = Vec::new();
    let space = app.platform().catalog().embedding().version_id();
    let mut concepts = Vec::new();
    for Rank { negate, by } in ranks {
        let (space, vector) = match by {
            RankBy::Image { source, crop } => (space, of_image(app, &source, crop).await?),
            RankBy::InputId(id) => (space, of_input(app, &id).await?),
            RankBy::PartOfInput { input_id, part } => (space, of_part(app, &input_id, part).await?),
            RankBy::Annotation(id) => (space, of_annotation(app, &id).await?),
            RankBy::Vector(vector) => (space, checked(app, vector)?),
            RankBy::Predicted { concept } => {
                let catalog = app.platform().catalog();
                let known = catalog.concept(&concept.id, &concept.name, language);
                let id = known.map_or(concept.id, |known| known.id.clone());
                let version_id = catalog.general().version_id().to_owned();
                concepts.push((negate, ByConcept::Predicted { version_id, id }));
                continue;
            }
            RankBy::Text(text) => {
                let text = words::checked(&text)?;
                if let Some(pair) = app.platform().image_text() {
                    let vector = pair.of_text(app.platform(), text).await?;
                    add(&mut likenesses, (pair.space(), &vector), negate, (min_score, metric));
                    continue;
                }
                let found = words::concepts_of(app, text, language).await?;
                concepts.extend(found.into_iter().map(|by| (negate, by)));
                continue;
            }
            RankBy::Labelled { concept } => {
                for concept in words::own_terms(app, vec![concept], language).await? {
                    concepts.push((negate, ByConcept::Labelled(concept)));
                }
                continue;
            }
        };
        add(&mut likenesses, (space, &vector), negate, (min_score, metric));
    }
    Ok(match (likenesses.len(), concepts.is_empty(), likenesses.pop()) {
        (0, true, _) => Order::Creation,
        (1, true, Some(likeness)) => Order::Likeness(likeness),
        (_, _, last) => {
            likenesses.extend(last);
            Order::Mean(Mean { likenesses, concepts, min_score })
        }
    })
}

/// Adds a vector to the likeness of its space.
fn add(
    all: &mut Vec<Likeness>,
    (space, vector): (&str, &[f32]),
    negate: bool,
    (min_score, metric): (f32, Metric),
) {
    if let Some(known) = all.iter_mut().find(|likeness| likeness.space == space) {
        return known.add(vector, negate);
    }
    let sum = vec![0.0; vector.len()];
    let mut likeness = Likeness { space: space.to_owned(), sum, n: 0, min_score, metric };
    likeness.add(vector, negate);
    all.push(likeness);
}

/// The vector of a picture; an input with the same bytes has it already.
async fn of_image(app: &AppCtx, source: &Source, crop: Option<CropBox>) -> Result<Vec<f32>> {
    let bytes = predict::bytes_of(app.platform(), source).await?;
    let model = app.platform().catalog().embedding();
    let (uid, hash) = (app.uid().to_owned(), hex::encode(Sha256::digest(&bytes)));
    let twins = move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.inputs_by_blob(&uid, &hash)?);
    let twins = app.platform().store().read(twins).await?;
    let twins: Vec<String> = twins.into_iter().take(10).map(|row| row.id).collect();
    for twin in inputs::get_many(app, &twins).await? {
        if twin.crop == crop
            && let Some(vector) = predict::stored::vector(app, model.version_id(), &twin.id).await?
        {
            return checked(app, vector);
        }
    }
    let options = PredictOptions::default();
    match predict::source(app.platform(), model, &Source::Bytes(bytes), crop, &options).await? {
        Prediction::Embedding(vector) => checked(app, vector),
        Prediction::Concepts(_)
        | Prediction::Colors(_)
        | Prediction::Focus(_)
        | Prediction::Fingerprint(_)
        | Prediction::Regions(_)
        | Prediction::Frames(_) => {
            Err(Error::internal(anyhow::anyhow!("the embedding model gave no vector")))
        }
    }
}

/// The vector of an input of the app.
async fn of_input(app: &AppCtx, id: &str) -> Result<Vec<f32>> {
    let space = app.platform().catalog().embedding().version_id();
    if let Some(vector) = predict::stored::vector(app, space, id).await? {
        return checked(app, vector);
    }
    // Says so if it does not exist at all.
    inputs::get(app, id).await?;
    let about = Resource::Input(id.to_owned());
    Err(Error::new(Kind::Invalid, format!("input '{id}' has not been processed and cannot be searched by"))
        .about(about))
}

/// The vector of a part of an input of the app.
async fn of_part(app: &AppCtx, id: &str, part: CropBox) -> Result<Vec<f32>> {
    let model = Predictor::Public(app.platform().catalog().embedding().clone());
    let input = predict::PredictInput {
        subject: predict::Subject::Input(id.to_owned()),
        crop: Some(part.check("bounding_box")?),
    };
    let mut found = predict::run(app, &model, vec![input], &PredictOptions::default()).await?;
    match found.pop() {
        Some(Ok(Prediction::Embedding(vector))) => checked(app, vector),
        Some(Err(error)) => Err(error),
        Some(Ok(_)) | None => Err(Error::internal(anyhow::anyhow!("the embedding model gave no vector"))),
    }
}

/// The vector of the first part that an annotation marks and that is described, or else of its input.
async fn of_annotation(app: &AppCtx, id: &str) -> Result<Vec<f32>> {
    let annotation = annotations::get(app, "", id).await?;
    let space = space_of_parts(app.platform().catalog().embedding().version_id());
    for region in annotation.data.all_regions() {
        let key = format!("{id}\n{}", region.id);
        if let Some(vector) = predict::stored::vector(app, &space, &key).await? {
            return checked(app, vector);
        }
    }
    of_input(app, &annotation.input_id).await
}

/// The vector scaled to length 1, if it is one of the space's.
fn checked(app: &AppCtx, mut vector: Vec<f32>) -> Result<Vec<f32>> {
    let dimensions = app.platform().catalog().embedding().dimensions.unwrap_or(vector.len());
    if vector.len() != dimensions || vector.iter().any(|x| !x.is_finite()) {
        return Err(Error::invalid("vector", format!("must be {dimensions} finite numbers")));
    }
    ocellus_algo::embed::l2_normalize(&mut vector);
    Ok(vector)
}

impl Likeness {
    fn add(&mut self, vector: &[f32], negate: bool) {
        let sign = if negate { -1.0 } else { 1.0 };
        self.sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += sign * x);
        self.n += 1;
    }

    /// The mean score of the vectors, from the cosine with their sum.
    fn score(&self, cosine: f32) -> f32 {
        let length = self.sum.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let n = self.n as f64;
        ((n + length * f64::from(cosine)) / (2.0 * n)).clamp(0.0, 1.0) as f32
    }

    /// The score for a cosine with [`Likeness::vector`], in the metric that was asked for.
    pub fn score_of(&self, cosine: f32) -> f32 {
        self.metric.of(self.score(cosine))
    }

    /// Whether parts of images have vectors in its space.
    pub fn knows_parts(&self, app: &AppCtx) -> bool {
        let pair = app.platform().image_text().map(|pair| pair.space());
        self.space == app.platform().catalog().embedding().version_id() || Some(self.space.as_str()) == pair
    }

    /// The space of its vectors.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// What to search for.
    pub fn vector(&self) -> &[f32] {
        &self.sum
    }

    /// The least score of a hit.
    pub fn min_score(&self) -> f32 {
        self.min_score
    }

    /// The best `depth` of what fits the conditions.
    pub async fn search(self, app: &AppCtx, conditions: Conditions, depth: usize) -> Result<Ranked> {
        let selection = Arc::new(select::select(app, conditions).await?);
        let (found, likeness) = self.find(app, depth, selection).await?;
        let mut scored: Vec<(String, f32)> = found
            .hits
            .into_iter()
            .map(|(id, cosine)| (id, likeness.metric.of(likeness.score(cosine))))
            .collect();
        let n_found = scored.len();
        scored.retain(|(_, score)| *score >= likeness.min_score);
        // The hits are all that there are if fewer were found than asked for, or one was found too bad.
        let total = match likeness.min_score <= 0.0 {
            true => Some(found.n_candidates as u64),
            false => (n_found < depth || scored.len() < n_found).then_some(scored.len() as u64),
        };
        Ok(Ranked { scored, n_skipped: 0, total })
    }

    async fn find(self, app: &AppCtx, depth: usize, selection: Arc<Selection>) -> Result<(Found, Self)> {
        let platform = app.platform();
        let index: Arc<Space> = platform.indexes().current(platform.store(), app.uid(), &self.space).await?;
        let scan = move || index.search(&self.sum, depth, &selection).map(|found| (found, self));
        platform.engine().cpu(scan).await?
    }
}

/// What counts in a rank, each with its weight, as a walk follows it.
fn flat(by: &ByConcept, weight: f32, found: &mut Vec<(f32, walk::Concept)>) {
    match by {
        ByConcept::Best(several) => several.iter().for_each(|(more, by)| flat(by, weight * more, found)),
        ByConcept::Predicted { version_id, id } => {
            let concept = walk::Concept::Predicted { version_id: version_id.clone(), id: id.clone() };
            found.push((weight, concept));
        }
        ByConcept::Labelled(term) => found.push((weight, walk::Concept::Labelled(term.clone()))),
    }
}

impl Mean {
    /// The order to walk in, if one rank by concepts decides it alone.
    pub fn by_one(&self) -> Option<walk::By> {
        let [(false, by)] = &self.concepts[..] else { return None };
        if !self.likenesses.is_empty() {
            return None;
        }
        let mut any = Vec::new();
        flat(by, 1.0, &mut any);
        Some(walk::By::Concepts { any, min_score: self.min_score })
    }

    /// Everything that fits the conditions, scored and ordered.
    pub async fn search(self, app: &AppCtx, conditions: Conditions) -> Result<Ranked> {
        let n_ranks = self.concepts.len() + self.likenesses.iter().map(|likeness| likeness.n).sum::<usize>();
        let needs_any = self.likenesses.is_empty() && self.concepts.iter().all(|(negate, _)| !negate);
        let values = values(app, self.concepts).await?;
        let candidates: Vec<(String, f32)> = match self.likenesses.is_empty() {
            true => select::list(app, conditions).await?.into_iter().map(|id| (id, 0.0)).collect(),
            false => alike(app, self.likenesses, conditions).await?,
        };
        let mut scored: Vec<(String, f32)> = Vec::new();
        for (id, likeness) in candidates {
            if needs_any && !values.iter().any(|(_, by_id)| by_id.contains_key(&id)) {
                continue;
            }
            let value = |(negate, by_id): &(bool, HashMap<String, f32>)| {
                let value = by_id.get(&id).copied().unwrap_or(0.0);
                if *negate { 1.0 - value } else { value }
            };
            let sum = likeness + values.iter().map(value).sum::<f32>();
            scored.push((id, sum / n_ranks as f32));
        }
        scored.retain(|(_, score)| *score >= self.min_score);
        // Stable: equals stay in the order of creation, or of likeness.
        scored.sort_by(|a, b| b.1.total_cmp(&a.1));
        let total = Some(scored.len() as u64);
        Ok(Ranked { scored, n_skipped: 0, total })
    }
}

/// Everything that fits the conditions and has a vector in any of the spaces, with the sum of its scores; where it has
/// none that is 0.
async fn alike(
    app: &AppCtx,
    likenesses: Vec<Likeness>,
    conditions: Conditions,
) -> Result<Vec<(String, f32)>> {
    let selection = Arc::new(select::select(app, conditions).await?);
    let mut scored: Vec<(String, f32)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for likeness in likenesses {
        let (found, likeness) = likeness.find(app, usize::MAX, Arc::clone(&selection)).await?;
        for (id, cosine) in found.hits {
            let score = likeness.score(cosine) * likeness.n as f32;
            if let Some(known) = places.get(&id) {
                scored[*known].1 += score;
            } else {
                places.insert(id.clone(), scored.len());
                scored.push((id, score));
            }
        }
    }
    Ok(scored)
}

/// For every concept: whether it is negated, and its value for the inputs that have it.
async fn values(app: &AppCtx, concepts: Vec<(bool, ByConcept)>) -> Result<Vec<(bool, HashMap<String, f32>)>> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut Tx<'_>| {
        concepts.iter().map(|(negate, by)| Ok::<_, Error>((*negate, values_of(tx, &uid, by)?))).collect()
    };
    app.platform().store().read(read).await
}

/// The value of a concept for the inputs that have it.
fn values_of(tx: &Tx<'_>, uid: &str, by: &ByConcept) -> Result<HashMap<String, f32>> {
    Ok(match by {
        ByConcept::Predicted { version_id, id } => {
            let mut versions = predicting_versions(tx, uid)?;
            versions.push(version_id.clone());
            let mut best: HashMap<String, f32> = HashMap::new();
            for version_id in &versions {
                let ids = std::slice::from_ref(id);
                for (input, value) in tx.inputs_with_prediction(uid, version_id, ids, 0.0, i64::MAX)? {
                    let known = best.entry(input).or_default();
                    *known = known.max(value as f32);
                }
            }
            best
        }
        ByConcept::Labelled(term) => {
            let ids = select::concept_ids(tx, uid, term)?;
            tx.inputs_with_label(uid, &ids, true)?.into_iter().map(|input| (input, 1.0)).collect()
        }
        ByConcept::Best(several) => {
            let mut best: HashMap<String, f32> = HashMap::new();
            for (weight, by) in several {
                for (input, value) in values_of(tx, uid, by)? {
                    let known = best.entry(input).or_default();
                    *known = known.max(weight * value);
                }
            }
            best
        }
    })
}
