//! Answers of an app's own models: the vectors of their backbone, as kept with the inputs where they are, and what the
//! model learned about such vectors.

use std::collections::HashMap;
use std::sync::Arc;

use ocellus_algo::learn::Rows;

use super::answer::{self, Wanted};
use super::{ConceptSelector, PredictInput, PredictOptions, Prediction, Scored, answers};
use super::{detector, onnx};
use crate::catalog::OWN_LANGUAGE;
use crate::learning::{Artefact, Backbone};
use crate::user_models::UserModelVersion;
use crate::{AppCtx, Error, Result};

/// A concept of an own model.
pub(super) struct Known {
    id: String,
    name: String,
    language: String,
}

/// Runs a trained version over images; one result per image, in order.
pub(super) async fn run(
    app: &AppCtx,
    (version, artefact): (&UserModelVersion, &Arc<Artefact>),
    inputs: Vec<PredictInput>,
    options: &PredictOptions,
) -> Result<Vec<Result<Prediction>>> {
    answer::check_limits(options)?;
    if let Artefact::Onnx(onnx) = &**artefact {
        let known = known(app, version, options.language.as_deref()).await?;
        let selected = selected(app, &known, options).await?;
        let picked = Picked { known: &known, selected: selected.as_deref(), options };
        return Ok(onnx::run(app, (version, onnx), inputs, &picked).await);
    }
    if let Artefact::Detector(_) = &**artefact {
        let known = known(app, version, options.language.as_deref()).await?;
        let selected = selected(app, &known, options).await?;
        let picked = Picked { known: &known, selected: selected.as_deref(), options };
        return detector::run(app, (version, artefact), inputs, &picked).await;
    }
    let backbone = Backbone::of_trained(app.platform(), version).await?;
    let known = known(app, version, options.language.as_deref()).await?;
    let selected = selected(app, &known, options).await?;
    let plain = PredictOptions { sampling: options.sampling, ..PredictOptions::default() };
    let wanted = Wanted::new(&backbone.spec, &plain)?;
    let mut found = answers(app, &backbone.spec, inputs, &wanted).await;
    let mut values = Vec::new();
    found.iter().flatten().for_each(|prediction| gather(prediction, &mut values));
    let values = backbone.project(app.platform(), values).await?;
    let (dim, shared) = (backbone.dim(), Arc::clone(artefact));
    let numbers = app.platform().engine().cpu(move || judge(&shared, &values, dim)).await??;
    let picked = Picked { known: &known, selected: selected.as_deref(), options };
    let mut rows = numbers.chunks(numbers.len().checked_div(n_rows(&found)).unwrap_or(1).max(1));
    for prediction in found.iter_mut().flatten() {
        put(prediction, &mut rows, artefact, &picked);
    }
    Ok(found)
}

/// How many vectors there are in all answers together.
fn n_rows(found: &[Result<Prediction>]) -> usize {
    fn of(prediction: &Prediction) -> usize {
        match prediction {
            Prediction::Embedding(_) => 1,
            Prediction::Frames(frames) => frames.iter().map(|frame| of(&frame.prediction)).sum(),
            Prediction::Concepts(_)
            | Prediction::Colors(_)
            | Prediction::Focus(_)
            | Prediction::Fingerprint(_)
            | Prediction::Regions(_) => 0,
        }
    }
    found.iter().flatten().map(of).sum()
}

fn gather(prediction: &Prediction, values: &mut Vec<f32>) {
    match prediction {
        Prediction::Embedding(vector) => values.extend_from_slice(vector),
        Prediction::Frames(frames) => frames.iter().for_each(|frame| gather(&frame.prediction, values)),
        Prediction::Concepts(_)
        | Prediction::Colors(_)
        | Prediction::Focus(_)
        | Prediction::Fingerprint(_)
        | Prediction::Regions(_) => {}
    }
}

/// A row of numbers for each vector: probabilities of concepts, of groups, or another vector.
fn judge(artefact: &Artefact, values: &[f32], dim: usize) -> Result<Vec<f32>> {
    let rows = Rows { values, dim };
    Ok(match artefact {
        Artefact::Classifier(head) => head.probabilities(rows)?,
        Artefact::Embedder(projection) => projection.apply(rows)?,
        // The group, and how likely it is rather than none.
        Artefact::Clusterer(clusters) => clusters
            .assign(rows)?
            .into_iter()
            .flat_map(|(n, cosine)| [n as f32, (1.0 + cosine) / 2.0])
            .collect(),
        Artefact::Onnx(_) | Artefact::Detector(_) => {
            return Err(Error::internal(anyhow::anyhow!("the model takes pictures, not vectors")));
        }
    })
}

/// What an artefact makes of one vector of its backbone; nothing if it takes something else.
pub(crate) fn of_features(artefact: &Artefact, features: &[f32]) -> Result<Option<Vec<f32>>> {
    match artefact {
        Artefact::Onnx(_) | Artefact::Detector(_) => Ok(None),
        other @ (Artefact::Classifier(_) | Artefact::Embedder(_) | Artefact::Clusterer(_)) => {
            judge(other, features, features.len()).map(Some)
        }
    }
}

/// Puts the model's answers in the place of the vectors.
fn put<'a>(
    prediction: &mut Prediction,
    rows: &mut impl Iterator<Item = &'a [f32]>,
    artefact: &Artefact,
    picked: &Picked<'_>,
) {
    match prediction {
        Prediction::Embedding(_) => {
            let numbers = rows.next().unwrap_or_default();
            *prediction = match artefact {
                Artefact::Classifier(_) => Prediction::Concepts(picked.of(numbers)),
                Artefact::Embedder(_) => Prediction::Embedding(numbers.to_vec()),
                Artefact::Clusterer(_) => Prediction::Concepts(picked.of_place(numbers)),
                // A network or a detector answers by itself.
                Artefact::Onnx(_) | Artefact::Detector(_) => return,
            };
        }
        Prediction::Frames(frames) => {
            frames.iter_mut().for_each(|frame| put(&mut frame.prediction, rows, artefact, picked));
        }
        Prediction::Concepts(_)
        | Prediction::Colors(_)
        | Prediction::Focus(_)
        | Prediction::Fingerprint(_)
        | Prediction::Regions(_) => {}
    }
}

pub(super) struct Picked<'a> {
    known: &'a [Known],
    /// The places of the concepts that were asked for; all if none were.
    selected: Option<&'a [usize]>,
    pub options: &'a PredictOptions,
}

impl Picked<'_> {
    /// One concept by its place, with its probability, if it is wanted.
    fn of_place(&self, numbers: &[f32]) -> Vec<Scored> {
        let [place, probability] = *numbers else { return Vec::new() };
        self.one(place as usize, probability).into_iter().collect()
    }

    /// The wanted part of all concepts, most probable first.
    pub fn of(&self, probabilities: &[f32]) -> Vec<Scored> {
        let n = probabilities.len().min(self.known.len());
        let all: Vec<usize> = self.selected.map_or_else(|| (0..n).collect(), <[usize]>::to_vec);
        let mut order: Vec<usize> = all
            .into_iter()
            .filter(|idx| probabilities.get(*idx).is_some_and(|p| *p >= self.options.min_value))
            .collect();
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
        order.truncate(self.options.max_concepts as usize);
        order.into_iter().filter_map(|idx| self.scored(idx, probabilities[idx])).collect()
    }

    /// One concept, if it is wanted.
    pub fn one(&self, idx: usize, probability: f32) -> Option<Scored> {
        let is_wanted = self.selected.is_none_or(|selected| selected.contains(&idx));
        self.scored(idx, probability).filter(|_| is_wanted && probability >= self.options.min_value)
    }

    fn scored(&self, idx: usize, probability: f32) -> Option<Scored> {
        let known = self.known.get(idx)?;
        let (concept_id, name, language) = (known.id.clone(), known.name.clone(), known.language.clone());
        Some(Scored { concept_id, name, language, probability })
    }
}

/// What the places of the answers mean: concepts with the names that the app gives them now, or groups.
async fn known(app: &AppCtx, version: &UserModelVersion, language: Option<&str>) -> Result<Vec<Known>> {
    let learned = version.doc.trained_on.as_ref().map(|on| on.concepts.clone()).unwrap_or_default();
    let ids: Vec<String> = learned.iter().map(|concept| concept.id.clone()).collect();
    let (uid, language) = (app.uid().to_owned(), language.map(str::to_owned));
    let read = move |tx: &mut ocellus_store::Tx<'_>| {
        let own = tx.concepts_by_ids(&uid, &ids)?;
        let mut names: HashMap<String, (String, String)> =
            own.into_iter().map(|concept| (concept.id, (concept.name, concept.language))).collect();
        if let Some(language) = &language {
            for row in tx.concept_names_in(&uid, language, &ids)? {
                names.insert(row.concept_id, (row.name, row.language));
            }
        }
        Ok::<_, Error>(names)
    };
    let mut names = app.platform().store().read(read).await?;
    let known = learned.into_iter().map(|concept| {
        let now = names.remove(&concept.id);
        let (name, language) = now.unwrap_or_else(|| (concept.name, OWN_LANGUAGE.to_owned()));
        Known { id: concept.id, name, language }
    });
    Ok(known.collect())
}

/// The places of the selected concepts, each once. `Invalid` if the model knows none of them.
async fn selected(app: &AppCtx, known: &[Known], options: &PredictOptions) -> Result<Option<Vec<usize>>> {
    if options.select.is_empty() {
        return Ok(None);
    }
    // A name may be meant in the app's own language although the answer is in another.
    let same = |text: &str, other: &str| text.to_lowercase() == other.to_lowercase();
    let place = |one: &ConceptSelector| {
        known.iter().position(|concept| match one.id.is_empty() {
            true => !one.name.is_empty() && same(&concept.name, &one.name),
            false => concept.id == one.id,
        })
    };
    let mut places: Vec<usize> = options.select.iter().filter_map(place).collect();
    if options.language.is_some() {
        let names: Vec<&str> =
            options.select.iter().filter(|one| one.id.is_empty()).map(|one| one.name.as_str()).collect();
        places.extend(by_own_names(app, known, &names).await?);
    }
    places.sort_unstable();
    places.dedup();
    if places.is_empty() {
        return Err(Error::invalid("select_concepts", "names no concept of this model"));
    }
    Ok(Some(places))
}

async fn by_own_names(app: &AppCtx, known: &[Known], names: &[&str]) -> Result<Vec<usize>> {
    let (uid, ids) = (app.uid().to_owned(), known.iter().map(|one| one.id.clone()).collect::<Vec<_>>());
    let read = move |tx: &mut ocellus_store::Tx<'_>| Ok::<_, Error>(tx.concepts_by_ids(&uid, &ids)?);
    let own = app.platform().store().read(read).await?;
    let wanted: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let meant = own.into_iter().filter(|concept| wanted.contains(&concept.name.to_lowercase()));
    let ids: Vec<String> = meant.map(|concept| concept.id).collect();
    Ok((0..known.len()).filter(|place| ids.contains(&known[*place].id)).collect())
}
