//! What to label next: the app's unlabelled inputs of which a model is uncertain and which are unlike what is labelled.

use ocellus_algo::active;
use ocellus_algo::learn::{Head, Rows};

use crate::learning::{self, Artefact, Backbone, SampleSource, Samples, Which};
use crate::models::{self, Predictor};
use crate::predict::Scored;
use crate::user_models::{self, UserModel};
use crate::{AppCtx, Error, Resource, Result};

/// The most inputs one answer holds.
pub const MAX_INPUTS: usize = 200;
/// Unlabelled inputs that are looked at, the oldest first.
const MAX_UNLABELLED: usize = 20_000;
/// The most uncertain of them that are compared with each other, for each wanted one.
const N_COMPARED_EACH: usize = 20;
/// Labelled inputs that unlabelled ones are compared with, spread evenly.
const MAX_LABELLED: usize = 1_000;

/// An input that should be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct NextToLabel {
    /// The input.
    pub input_id: String,
    /// How uncertain the model is, 0 to 1.
    pub uncertainty: f32,
    /// What the model says of it, most probable first.
    pub concepts: Vec<Scored>,
}

/// Up to `n` inputs of the app without a label of any of the model's concepts, in the order in which looking at them
/// should teach the model most. `Unsupported` unless the model is a trained classifier; `Invalid` for `n` beyond 1 to
/// [`MAX_INPUTS`].
pub async fn list(
    app: &AppCtx,
    model_id: &str,
    version_id: Option<&str>,
    n: usize,
) -> Result<Vec<NextToLabel>> {
    if !(1..=MAX_INPUTS).contains(&n) {
        return Err(Error::invalid("n", format!("must be 1 to {MAX_INPUTS}")));
    }
    let platform = app.platform();
    let no_classifier = || {
        let message = format!("model '{model_id}' is no classifier that was trained in this app");
        Error::unsupported(message).about(Resource::Model(model_id.to_owned()))
    };
    let predictor = models::to_predict(app, model_id, version_id).await?;
    let Predictor::Own { model, version, artefact } = predictor else { return Err(no_classifier()) };
    if !matches!(*artefact, Artefact::Classifier(_)) {
        return Err(no_classifier());
    }
    let backbone = Backbone::of_trained(platform, &version).await?;
    let on = version.doc.trained_on.as_ref().ok_or_else(no_classifier)?;
    let concept_ids: Vec<String> = on.concepts.iter().map(|concept| concept.id.clone()).collect();
    let read =
        |which| learning::collect(platform, app.uid(), &concept_ids, &SampleSource::App, &backbone, which);
    let open = read(Which::Unlabelled(MAX_UNLABELLED)).await?;
    let known = read(Which::Labelled).await?;
    let exclusive = model.doc.output_config.concepts_mutually_exclusive;
    let chosen = platform
        .engine()
        .cpu(move || match &*artefact {
            Artefact::Classifier(head) => choose(head, &open, &known, exclusive, n),
            Artefact::Embedder(_) | Artefact::Clusterer(_) | Artefact::Detector(_) | Artefact::Onnx(_) => {
                Err(Error::internal(anyhow::anyhow!("a classifier turned into something else")))
            }
        })
        .await??;
    named(app, &model, &concept_ids, chosen).await
}

/// An input with its uncertainty and the probabilities of the concepts.
type Chosen = (String, f32, Vec<f32>);

/// Blocks.
fn choose(head: &Head, open: &Samples, known: &Samples, exclusive: bool, n: usize) -> Result<Vec<Chosen>> {
    let width = head.n_concepts().max(1);
    let probabilities = head.probabilities(open.rows())?;
    let uncertainties: Vec<f32> =
        probabilities.chunks_exact(width).map(|row| active::uncertainty(row, exclusive)).collect();
    let mut order: Vec<usize> = (0..open.n()).collect();
    order.sort_by(|a, b| uncertainties[*b].total_cmp(&uncertainties[*a]).then(a.cmp(b)));
    order.truncate(n * N_COMPARED_EACH);
    let dim = open.dim.max(1);
    let candidates: Vec<f32> =
        order.iter().flat_map(|at| open.features[at * dim..(at + 1) * dim].to_vec()).collect();
    let step = known.n().div_ceil(MAX_LABELLED).max(1);
    let labelled: Vec<f32> =
        known.features.chunks_exact(known.dim.max(1)).step_by(step).flatten().copied().collect();
    let of_candidates: Vec<f32> = order.iter().map(|at| uncertainties[*at]).collect();
    let (items, labelled) = (Rows { values: &candidates, dim }, Rows { values: &labelled, dim });
    let taken = active::next_to_label(items, &of_candidates, labelled, n)?;
    let chosen = taken.into_iter().map(|place| {
        let at = order[place];
        let row = probabilities[at * width..(at + 1) * width].to_vec();
        (open.input_ids[at].clone(), uncertainties[at], row)
    });
    Ok(chosen.collect())
}

async fn named(
    app: &AppCtx,
    model: &UserModel,
    concept_ids: &[String],
    chosen: Vec<Chosen>,
) -> Result<Vec<NextToLabel>> {
    let concepts = user_models::all_concepts(app, model).await?;
    let language = &app.app().default_language;
    let scored = |(id, probability): (&String, &f32)| {
        let name = concepts.iter().find(|concept| concept.id == *id).map(|concept| concept.name.clone());
        Scored {
            concept_id: id.clone(),
            name: name.unwrap_or_else(|| id.clone()),
            language: language.clone(),
            probability: *probability,
        }
    };
    let next = chosen.into_iter().map(|(input_id, uncertainty, probabilities)| {
        let mut concepts: Vec<Scored> = concept_ids.iter().zip(&probabilities).map(scored).collect();
        concepts.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        NextToLabel { input_id, uncertainty, concepts }
    });
    Ok(next.collect())
}
