//! Running a workflow: each node as soon as what it works on is there, several at once, over all inputs of a call.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::findings::{Findings, Part};
use super::operators::Operator;
use super::{Node, WorkflowVersion, graph, operate, operators, wrong_node};
use crate::bootstrap::PUBLIC_USER;
use crate::models::{self, Predictor};
use crate::predict::{self, PredictInput, PredictOptions, Prediction, Subject};
use crate::{AppCtx, CropBox, Error, Kind, Result, Source};

/// The most inputs of one call.
pub const MAX_INPUTS: usize = 32;
/// How many nodes work at the same time.
const NODES_AT_ONCE: usize = 4;
/// How many addresses are fetched at the same time.
const FETCHED_AT_ONCE: usize = 8;
/// The most parts of one picture that a model looks at.
pub(super) const MAX_PARTS: usize = 256;

/// An input to run a workflow over.
#[derive(Clone, Debug)]
pub struct RunInput {
    /// The picture or video, if there is one to look at.
    pub input: Option<PredictInput>,
    /// What is known of it beforehand, for operators that work on the input.
    pub known: Findings,
    /// What chance is drawn from: the same always falls the same way.
    pub lot: String,
}

/// What a node is, ready to work.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "few are held at a time")]
pub enum NodeModel {
    /// A model that looks at pictures.
    Predictor(Predictor),
    /// One that changes what others found.
    Operator(Operator),
}

/// What came of a run.
#[derive(Debug)]
pub struct Running {
    /// The model of each node, in the order of the nodes.
    pub models: Vec<NodeModel>,
    /// For each input, what each node found, in the order of the nodes.
    pub results: Vec<Vec<Result<Findings>>>,
}

/// What flows from node to node.
#[derive(Clone, Debug, Default)]
pub(super) struct Flowing {
    pub pictures: Pictures,
    pub found: Findings,
}

/// What the next node may look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pictures {
    /// Nothing.
    #[default]
    Nothing,
    /// The whole picture.
    Whole,
    /// Each of the parts that were found.
    Parts,
}

/// What every node of a run works with.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub app: &'a AppCtx,
    pub inputs: &'a [Result<RunInput>],
    options: &'a PredictOptions,
}

/// Runs a version of a workflow over inputs. What the nodes do not say is as `options` say. An input that cannot be read
/// fails by itself, and a node that fails for an input takes down only what comes after it.
pub async fn run(
    app: &AppCtx,
    version: &WorkflowVersion,
    inputs: Vec<RunInput>,
    options: &PredictOptions,
) -> Result<Running> {
    let mut waiting = graph::order(&version.nodes)?;
    let mut models = Vec::with_capacity(version.nodes.len());
    for node in &version.nodes {
        models.push(model_of(app, node).await?);
    }
    let fetched = futures_util::stream::iter(inputs).map(|input| fetched(app, input));
    let inputs: Vec<Result<RunInput>> = fetched.buffered(FETCHED_AT_ONCE).collect().await;
    let run = Run { app, inputs: &inputs, options };
    let place = |id: &String| version.nodes.iter().position(|node| node.id == *id);
    let mut flows: Vec<Option<Vec<Result<Flowing>>>> = vec![None; version.nodes.len()];
    let mut working = FuturesUnordered::new();
    loop {
        while working.len() < NODES_AT_ONCE {
            let is_there = |id: &String| place(id).is_some_and(|at| flows[at].is_some());
            let ready = waiting.iter().position(|at| version.nodes[*at].inputs.iter().all(is_there));
            let Some(ready) = ready else { break };
            let at = waiting.remove(ready);
            let sources = version.nodes[at].inputs.iter().filter_map(|id| flows[place(id)?].as_ref());
            let coming = run.coming(&sources.collect::<Vec<_>>());
            let (node, model) = (&version.nodes[at], &models[at]);
            working.push(async move { (at, run.node(node, model, coming).await) });
        }
        let Some((at, flow)) = working.next().await else { break };
        flows[at] = Some(flow);
    }
    drop(working);
    let results = (0..inputs.len()).map(|input| {
        let of_node = |flow: &Option<Vec<Result<Flowing>>>| match flow {
            Some(flow) => flow[input].clone().map(|flowing| flowing.found),
            None => Err(Error::internal(anyhow::anyhow!("a node did not run"))),
        };
        flows.iter().map(of_node).collect()
    });
    let results = results.collect();
    Ok(Running { models, results })
}

/// The input with its bytes in place of its address, so that it is fetched once for all nodes.
async fn fetched(app: &AppCtx, mut input: RunInput) -> Result<RunInput> {
    let Some(given) = &mut input.input else { return Ok(input) };
    match &mut given.subject {
        Subject::Source(source @ Source::Url(_)) | Subject::Video(source @ Source::Url(_)) => {
            *source = Source::Bytes(predict::bytes_of(app.platform(), source).await?);
        }
        Subject::Source(_) | Subject::Video(_) | Subject::Input(_) | Subject::Picture(_) => {}
    }
    Ok(input)
}

async fn model_of(app: &AppCtx, node: &Node) -> Result<NodeModel> {
    if let Some(operator) = operators::read(&node.model_type_id, &node.params)? {
        return Ok(NodeModel::Operator(operator));
    }
    let (id, version) = (&node.model.id, Some(node.model.version_id.as_str()));
    let found = match node.model.user_id == PUBLIC_USER {
        true => models::get(app.platform(), id, version).map(Predictor::Public),
        false => models::to_predict(app, id, version).await,
    };
    found.map(NodeModel::Predictor).map_err(|error| match error.kind == Kind::NotFound {
        true => wrong_node(&node.id, "has a model that is no longer there"),
        false => error,
    })
}

impl Run<'_> {
    /// What comes to a node: the inputs themselves, or what all of its sources found.
    fn coming(&self, sources: &[&Vec<Result<Flowing>>]) -> Vec<Result<Flowing>> {
        let of_input = |(at, input): (usize, &Result<RunInput>)| {
            let input = input.as_ref().map_err(Clone::clone)?;
            let Some((first, rest)) = sources.split_first() else {
                let pictures = if input.input.is_some() { Pictures::Whole } else { Pictures::Nothing };
                return Ok(Flowing { pictures, found: input.known.clone() });
            };
            let mut all = first[at].clone()?;
            for source in rest {
                let more = source[at].clone()?;
                all.found.absorb(more.found);
                all.pictures = match (all.pictures, more.pictures) {
                    (Pictures::Parts, _) | (_, Pictures::Parts) => Pictures::Parts,
                    (Pictures::Whole, _) | (_, Pictures::Whole) => Pictures::Whole,
                    (Pictures::Nothing, Pictures::Nothing) => Pictures::Nothing,
                };
            }
            Ok(all)
        };
        self.inputs.iter().enumerate().map(|(at, input)| of_input((at, input))).collect()
    }

    async fn node(
        &self,
        node: &Node,
        model: &NodeModel,
        coming: Vec<Result<Flowing>>,
    ) -> Vec<Result<Flowing>> {
        match model {
            NodeModel::Operator(operator) => operate::run(self, node, operator, coming).await,
            NodeModel::Predictor(predictor) => self.look(node, predictor, coming).await,
        }
    }

    pub(super) fn new_id(&self) -> String {
        self.app.platform().ids().id()
    }

    /// Has a model look at the pictures that come, all in one go.
    async fn look(
        &self,
        node: &Node,
        predictor: &Predictor,
        coming: Vec<Result<Flowing>>,
    ) -> Vec<Result<Flowing>> {
        let mut asked = Vec::new();
        let coming: Vec<Result<(Flowing, usize)>> = coming
            .into_iter()
            .zip(self.inputs)
            .map(|(flowing, input)| {
                let flowing = flowing?;
                let before = asked.len();
                if let Some(input) = input.as_ref().ok().and_then(|input| input.input.as_ref()) {
                    asked.extend(pictures(&flowing, input)?);
                }
                Ok((flowing, asked.len() - before))
            })
            .collect();
        let answers = match asked.is_empty() {
            true => Ok(Vec::new()),
            false => predict::run(self.app, predictor, asked, &self.options_of(node)).await,
        };
        let mut answers = answers.map(Vec::into_iter);
        coming
            .into_iter()
            .map(|coming| {
                let (flowing, n_asked) = coming?;
                let answers = answers.as_mut().map_err(|error| error.clone())?;
                let answers: Result<Vec<Prediction>> = answers.take(n_asked).collect();
                Ok(self.put_together(&flowing, answers?))
            })
            .collect()
    }

    /// What a model said of a picture, or of each of its parts.
    fn put_together(&self, coming: &Flowing, answers: Vec<Prediction>) -> Flowing {
        let mut found = Findings::default();
        if coming.pictures == Pictures::Parts {
            for (part, answer) in coming.found.parts.iter().zip(answers) {
                let seen = Findings::of(answer);
                // What a detector finds within a part lies within the picture.
                let within =
                    |inner: Part| Part { id: self.new_id(), place: within(part.place, inner.place), ..inner };
                found.parts.extend(seen.parts.into_iter().map(within));
                if !(seen.concepts.is_empty() && seen.other.is_empty()) {
                    let (concepts, other) = (seen.concepts, seen.other);
                    found.parts.push(Part { concepts, other, appearance: None, ..part.clone() });
                }
            }
        } else {
            for answer in answers {
                found.absorb(Findings::of(answer));
            }
        }
        Flowing { pictures: coming.pictures, found }
    }

    fn options_of(&self, node: &Node) -> PredictOptions {
        let (wanted, mut options) = (&node.wanted, self.options.clone());
        if wanted.max_concepts != 0 {
            options.max_concepts = wanted.max_concepts;
        }
        if wanted.min_value != 0.0 {
            options.min_value = wanted.min_value;
        }
        if !wanted.select.is_empty() {
            options.select = wanted.selectors();
        }
        if !wanted.language.is_empty() {
            options.language = Some(wanted.language.clone());
        }
        if wanted.sample_ms != 0 {
            options.sampling.sample_ms = wanted.sample_ms;
        }
        options
    }
}

/// The pictures that a model is to look at for an input.
fn pictures(coming: &Flowing, input: &PredictInput) -> Result<Vec<PredictInput>> {
    match coming.pictures {
        Pictures::Nothing => Ok(Vec::new()),
        Pictures::Whole => Ok(vec![input.clone()]),
        Pictures::Parts => {
            let n_parts = coming.found.parts.len();
            if n_parts > MAX_PARTS {
                let message = format!("{n_parts} parts are more than the {MAX_PARTS} that can be looked at");
                return Err(Error::unsupported(message).about(crate::Resource::Image(String::new())));
            }
            let cut = |part: &Part| {
                let crop = input.crop.map_or(part.place, |crop| within(crop, part.place));
                PredictInput { crop: Some(crop), ..input.clone() }
            };
            Ok(coming.found.parts.iter().map(cut).collect())
        }
    }
}

/// A place within a part, as a place within the whole.
fn within(outer: CropBox, inner: CropBox) -> CropBox {
    let (height, width) = (outer.bottom - outer.top, outer.right - outer.left);
    CropBox {
        top: outer.top + inner.top * height,
        left: outer.left + inner.left * width,
        bottom: (outer.top + inner.bottom * height).min(1.0),
        right: (outer.left + inner.right * width).min(1.0),
    }
}
