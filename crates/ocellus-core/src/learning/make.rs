//! What a training makes: samples are collected, a learner of `ocellus_algo::learn` is called on a thread of its own, and
//! everything that the result depends on is written down.

use std::collections::BTreeMap;

use ocellus_algo::learn::{ClassifierSpec, Label, Labels, Method, Rows, TrainedClassifier, train_classifier};
use serde_json::Value;

use super::artefact::{Artefact, HeldOut};
use super::backbone::Backbone;
use super::detector;
use super::run::{Told, Unmade};
use super::samples::{Samples, Which, collect};
use super::settings::Trainer;
use super::train::Recipe;
use super::unlabelled;
use crate::jobs::train_version::Target;
use crate::user_models::{FailureReason, TrainedConcept, TrainedOn};
use crate::{Error, Platform};

/// Other inputs stand for everything else, but they need not be more than this.
const MAX_BACKGROUND: usize = 2_000;

/// What was learned, and from what.
pub(super) struct Made {
    pub artefact: Artefact,
    pub bytes: Vec<u8>,
    pub held_out: Option<HeldOut>,
    pub trained_on: TrainedOn,
}

/// Where a training begins.
#[derive(Clone, Copy)]
pub(super) struct Outset<'a> {
    pub platform: &'a Platform,
    pub target: &'a Target,
    pub told: &'a Told,
}

/// Reads the samples and learns.
pub(super) async fn make(outset: Outset<'_>) -> Result<Made, Unmade> {
    let recipe = &outset.target.recipe;
    outset.told.step("reading the inputs");
    if recipe.trainer == Trainer::Detector {
        return detector::make(outset).await;
    }
    let app_uid = &outset.target.app_uid;
    let space = Backbone::find(outset.platform, app_uid, &recipe.embed.0, &recipe.embed.1).await?;
    let which = match recipe.trainer {
        Trainer::Classifier | Trainer::Neighbours | Trainer::Embedder => Which::Labelled,
        Trainer::Clusterer | Trainer::Detector => Which::All,
    };
    let samples = read(outset, &space, which).await?;
    let background = match background_wanted(recipe, &samples) {
        0 => None,
        n => Some(read(outset, &space, Which::Unlabelled(n)).await?),
    };
    outset.told.done(0.1);
    let names = names(outset, &recipe.concept_ids).await?;
    let trained_on = provenance(recipe, &samples, background.as_ref(), &space, names);
    outset.told.step("learning");
    match recipe.trainer {
        Trainer::Classifier | Trainer::Neighbours => {
            classifier(outset, samples, background, trained_on).await
        }
        Trainer::Embedder => unlabelled::embedder(outset, samples, trained_on).await,
        Trainer::Clusterer => unlabelled::clusterer(outset, samples, trained_on).await,
        Trainer::Detector => detector::make(outset).await,
    }
}

async fn read(outset: Outset<'_>, space: &Backbone, which: Which) -> Result<Samples, Unmade> {
    let Target { app_uid, recipe, .. } = outset.target;
    Ok(collect(outset.platform, app_uid, &recipe.concept_ids, &recipe.source(), space, which).await?)
}

fn background_wanted(recipe: &Recipe, samples: &Samples) -> usize {
    let learns_concepts = matches!(recipe.trainer, Trainer::Classifier | Trainer::Neighbours);
    match learns_concepts && !recipe.settings.is_on("closed_environment") {
        true => samples.n().clamp(200, MAX_BACKGROUND),
        false => 0,
    }
}

pub(super) async fn names(outset: Outset<'_>, ids: &[String]) -> Result<BTreeMap<String, String>, Unmade> {
    let (uid, ids) = (outset.target.app_uid.clone(), ids.to_vec());
    let read = move |tx: &mut ocellus_store::Tx<'_>| Ok::<_, Error>(tx.concepts_by_ids(&uid, &ids)?);
    let found = outset.platform.store().read(read).await?;
    Ok(found.into_iter().map(|concept| (concept.id, concept.name)).collect())
}

fn provenance(
    recipe: &Recipe,
    samples: &Samples,
    background: Option<&Samples>,
    space: &Backbone,
    mut names: BTreeMap<String, String>,
) -> TrainedOn {
    let concept = |(id, (n_positive, n_negative)): (&String, (usize, usize))| TrainedConcept {
        id: id.clone(),
        name: names.remove(id).unwrap_or_else(|| id.clone()),
        n_positive: n_positive as u64,
        n_negative: n_negative as u64,
    };
    let concepts = samples.concept_ids.iter().zip(samples.counts()).map(concept).collect();
    let hash = match background {
        Some(background) => format!("{}+{}", samples.content_hash, background.content_hash),
        None => samples.content_hash.clone(),
    };
    TrainedOn {
        dataset_id: recipe.settings.text("dataset_id").to_owned(),
        dataset_version_id: recipe.settings.text("dataset_version_id").to_owned(),
        content_hash: hash,
        n_inputs: samples.n() as u64,
        n_background: background.map_or(0, Samples::n) as u64,
        n_without_vector: samples.n_without_vector as u64,
        concepts,
        parameters: recipe.settings.all().clone(),
        seed: recipe.settings.whole("seed").unwrap_or(0) as u64,
        backbone: space.reference(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..TrainedOn::default()
    }
}

/// Why these samples cannot teach these concepts, if so.
fn objection(recipe: &Recipe, samples: &Samples) -> Option<Unmade> {
    let settings = &recipe.settings;
    if settings.is_on("concepts_mutually_exclusive") && samples.concept_ids.len() < 2 {
        let message = "concepts exclude each other, but there is only one of them".to_owned();
        return Some(Unmade::Failed(FailureReason::SingleClass, message));
    }
    if samples.n() == 0 && !recipe.ends_well_without_data {
        let message = match samples.n_without_vector {
            0 => "no input is labelled with any of the concepts".to_owned(),
            n => format!("none of the {n} labelled inputs could be described"),
        };
        return Some(Unmade::Failed(FailureReason::NoData, message));
    }
    if settings.is_on("fail_on_missing_positive_examples") {
        let counts = samples.concept_ids.iter().zip(samples.counts());
        let missing: Vec<&str> =
            counts.filter(|(_, (n_positive, _))| *n_positive == 0).map(|(id, _)| id.as_str()).collect();
        if !missing.is_empty() {
            let message = format!("there are no examples of {}", missing.join(", "));
            return Some(Unmade::Failed(FailureReason::NoPositives, message));
        }
    }
    None
}

async fn classifier(
    outset: Outset<'_>,
    mut samples: Samples,
    background: Option<Samples>,
    mut trained_on: TrainedOn,
) -> Result<Made, Unmade> {
    let recipe = &outset.target.recipe;
    if let Some(objection) = objection(recipe, &samples) {
        return Err(objection);
    }
    let is_empty = samples.n() == 0;
    if is_empty {
        samples = nothing_seen(samples, &trained_on);
    }
    let (spec, told) = (spec(recipe), outset.told.clone());
    let background = background.map(|background| background.features).unwrap_or_default();
    let learn = move || {
        let mut progress = |part: f32| told.done(0.1 + 0.85 * part);
        let dim = samples.dim.max(1);
        let rows = Rows { values: &samples.features, dim };
        let labels = Labels { values: &samples.labels, n_concepts: samples.concept_ids.len() };
        let background = Rows { values: &background, dim };
        let trained = train_classifier(rows, labels, &samples.groups, background, &spec, &mut progress);
        trained.map(|trained| (trained, samples))
    };
    let (trained, samples) = on_a_thread(learn).await?;
    let TrainedClassifier { head, choice, held_out, held_out_raw, folds } = trained;
    trained_on.method = choice.method.name().to_owned();
    trained_on.why = choice.why;
    trained_on.found.insert("n_folds".to_owned(), choice.n_folds.into());
    if let Some(strength) = choice.regularisation {
        trained_on.found.insert("regularisation".to_owned(), Value::from(strength));
    }
    let held_out = (!is_empty).then_some(HeldOut {
        input_ids: samples.input_ids,
        concept_ids: samples.concept_ids,
        labels: samples.labels,
        probabilities: held_out,
        raw: held_out_raw,
        folds,
    });
    let artefact = Artefact::Classifier(head);
    Ok(Made { bytes: artefact.to_bytes(), artefact, held_out, trained_on })
}

fn spec(recipe: &Recipe) -> ClassifierSpec {
    let settings = &recipe.settings;
    let usual = ClassifierSpec::default();
    let method = match recipe.trainer {
        Trainer::Neighbours => Some(Method::NearestNeighbours),
        Trainer::Classifier | Trainer::Embedder | Trainer::Clusterer | Trainer::Detector => {
            Method::from_name(settings.text("method"))
        }
    };
    ClassifierSpec {
        method,
        exclusive: settings.is_on("concepts_mutually_exclusive"),
        closed: settings.is_on("closed_environment"),
        balance_classes: settings.is_on("balance_classes"),
        regularisation: settings.number("regularisation"),
        n_folds: settings.whole("n_folds").unwrap_or(usual.n_folds),
        max_iterations: settings.whole("max_iterations").unwrap_or(usual.max_iterations),
        seed: settings.whole("seed").unwrap_or(0) as u64,
    }
}

/// A model of an app where nothing was seen finds nothing: it learns from one picture of nothing.
fn nothing_seen(samples: Samples, trained_on: &TrainedOn) -> Samples {
    let dim = usize::try_from(trained_on.backbone.dimensions).unwrap_or(1).max(1);
    Samples {
        input_ids: vec![String::new()],
        features: vec![0.0; dim],
        dim,
        labels: vec![Label::Negative; samples.concept_ids.len()],
        groups: vec![0],
        ..samples
    }
}

/// Runs long work that asks now and then whether to go on.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> ocellus_algo::Result<T> + Send + 'static,
) -> Result<T, Unmade> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Error::internal(anyhow::anyhow!("learning failed: {error}")))?;
    done.map_err(Unmade::from)
}
