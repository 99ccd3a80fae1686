//! How alike what a workflow makes of inputs is: each probe against a pool, by the vectors that one of the nodes gives.

use ocellus_algo::embed::cosine;

use super::findings::Findings;
use super::run::{RunInput, run};
use super::{FoundWorkflow, Node};
use crate::predict::{PredictOptions, Prediction};
use crate::{AppCtx, Error, Resource, Result};

/// The input of a pool at a place, and how alike it is: 1 for the same, 0 for the opposite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alike {
    /// The place in the pool.
    pub at: usize,
    /// 0 to 1.
    pub score: f32,
}

/// For each probe the inputs of the pool, the most alike first; an input without a vector, such as one without a face, is
/// left out. `model_version_id` says whose vectors count; the only ones if it is empty.
pub async fn similarity(
    app: &AppCtx,
    found: &FoundWorkflow,
    model_version_id: &str,
    probes: Vec<RunInput>,
    pool: Vec<RunInput>,
) -> Result<Vec<Result<Vec<Alike>>>> {
    let nodes = &found.version.doc.nodes;
    let at = embedder(nodes, model_version_id)?;
    let n_probes = probes.len();
    let all = probes.into_iter().chain(pool).collect();
    let running = run(app, &found.version.doc, all, &PredictOptions::default()).await?;
    let mut results = running.results.into_iter().map(|mut of_nodes| of_nodes.swap_remove(at));
    let probes: Vec<Result<Findings>> = results.by_ref().take(n_probes).collect();
    let pool = results.collect::<Result<Vec<Findings>>>()?;
    let pool: Vec<Vec<&[f32]>> = pool.iter().map(vectors).collect();
    Ok(probes.into_iter().map(|probe| probe.map(|probe| ranked(&vectors(&probe), &pool))).collect())
}

fn embedder(nodes: &[Node], model_version_id: &str) -> Result<usize> {
    let gives = |node: &Node| node.model_type_id.ends_with("-embedder");
    let fits = |node: &Node| model_version_id.is_empty() || node.model.version_id == model_version_id;
    let mut places = nodes.iter().enumerate().filter(|(_, node)| gives(node) && fits(node)).map(|(at, _)| at);
    match (places.next(), places.next()) {
        (Some(at), None) => Ok(at),
        (Some(_), Some(_)) => {
            Err(Error::invalid("model_version_id", "must say which of the workflow's embedders is meant"))
        }
        (None, _) if model_version_id.is_empty() => {
            Err(Error::invalid("workflow_id", "must be of a workflow with an embedder"))
        }
        (None, _) => Err(Error::not_found(Resource::ModelVersion(model_version_id.to_owned()))),
    }
}

/// The vectors of the whole and of its parts.
fn vectors(found: &Findings) -> Vec<&[f32]> {
    let of_parts = found.parts.iter().flat_map(|part| &part.other);
    let all = found.other.iter().chain(of_parts);
    all.filter_map(|one| if let Prediction::Embedding(vector) = one { Some(vector.as_slice()) } else { None })
        .collect()
}

/// The best of all pairs counts.
fn ranked(probe: &[&[f32]], pool: &[Vec<&[f32]>]) -> Vec<Alike> {
    let score = |others: &Vec<&[f32]>| {
        let pairs = probe.iter().flat_map(|a| others.iter().map(move |b| cosine(a, b)));
        pairs.max_by(f32::total_cmp).map(|cosine| ((1.0 + cosine) / 2.0).clamp(0.0, 1.0))
    };
    let scored = pool.iter().enumerate().filter_map(|(at, others)| Some(Alike { at, score: score(others)? }));
    let mut alike: Vec<Alike> = scored.collect();
    alike.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.at.cmp(&b.at)));
    alike
}
