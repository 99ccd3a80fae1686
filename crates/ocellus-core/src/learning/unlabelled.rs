//! Trainings whose result tells no concepts of the app: better vectors, and groups of inputs.

use ocellus_algo::learn::{ClusterSpec, Labels, ProjectionSpec, Rows, cluster, train_projection};
use serde_json::Value;

use super::artefact::{Artefact, HeldOut};
use super::make::{Made, Outset, on_a_thread};
use super::run::Unmade;
use super::samples::Samples;
use crate::user_models::{FailureReason, TrainedConcept, TrainedOn};

/// As many numbers as an embedder gives unless a recipe says otherwise.
const USUAL_DIMENSIONS: usize = 128;

/// Learns a projection in which inputs of one concept lie close together.
pub(super) async fn embedder(
    outset: Outset<'_>,
    samples: Samples,
    mut trained_on: TrainedOn,
) -> Result<Made, Unmade> {
    if samples.n() == 0 {
        let message = "no input is labelled with any of the concepts".to_owned();
        return Err(Unmade::Failed(FailureReason::NoData, message));
    }
    let settings = &outset.target.recipe.settings;
    let dimensions = settings.whole("dimensions").unwrap_or(USUAL_DIMENSIONS).min(samples.dim);
    let spec = ProjectionSpec { dimensions, seed: settings.whole("seed").unwrap_or(0) as u64 };
    let input_ids = samples.input_ids.clone();
    let learn = move || {
        let labels = Labels { values: &samples.labels, n_concepts: samples.concept_ids.len() };
        train_projection(samples.rows(), labels, &spec)
    };
    let projection = on_a_thread(learn).await?;
    trained_on.method = "linear discriminants".to_owned();
    trained_on.why = "the only way in which vectors are made better here".to_owned();
    trained_on.found.insert("dimensions".to_owned(), Value::from(projection.dimensions()));
    Ok(made(Artefact::Embedder(projection), input_ids, trained_on))
}

/// Sorts all inputs into groups.
pub(super) async fn clusterer(
    outset: Outset<'_>,
    samples: Samples,
    mut trained_on: TrainedOn,
) -> Result<Made, Unmade> {
    if samples.n() == 0 {
        let message = "there is no described input to sort".to_owned();
        return Err(Unmade::Failed(FailureReason::NoData, message));
    }
    let settings = &outset.target.recipe.settings;
    let spec = ClusterSpec {
        n_clusters: settings.whole("coarse_clusters"),
        seed: settings.whole("seed").unwrap_or(0) as u64,
    };
    let (told, input_ids) = (outset.told.clone(), samples.input_ids.clone());
    let learn = move || {
        let rows = Rows { values: &samples.features, dim: samples.dim.max(1) };
        cluster(rows, &spec, &mut |part| told.done(0.1 + 0.85 * part))
    };
    let clusters = on_a_thread(learn).await?;
    let mut sizes = vec![0_u64; clusters.n_clusters()];
    for cluster in &clusters.assignments {
        if let Some(size) = sizes.get_mut(*cluster as usize) {
            *size += 1;
        }
    }
    let group = |(n, size): (usize, u64)| TrainedConcept {
        id: format!("cluster-{n}"),
        name: format!("cluster {n}"),
        n_positive: size,
        n_negative: 0,
    };
    trained_on.concepts = sizes.into_iter().enumerate().map(group).collect();
    trained_on.method = "spherical k-means".to_owned();
    trained_on.why = match settings.whole("coarse_clusters") {
        Some(n) => format!("{n} groups were asked for"),
        None => "the number of groups is the one in which they are best apart".to_owned(),
    };
    trained_on.found.insert("silhouette".to_owned(), Value::from(clusters.silhouette));
    Ok(made(Artefact::Clusterer(clusters), input_ids, trained_on))
}

fn made(artefact: Artefact, input_ids: Vec<String>, trained_on: TrainedOn) -> Made {
    let folds = vec![0; input_ids.len()];
    let held_out = Some(HeldOut { input_ids, folds, ..HeldOut::default() });
    Made { bytes: artefact.to_bytes(), artefact, held_out, trained_on }
}
