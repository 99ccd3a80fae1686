//! Results of workflows: RPCs that run them, and the wire form of what their nodes found.

use bytes::Bytes;
use ocellus_core::models::Predictor;
use ocellus_core::predict::{ConceptSelector, PredictOptions, RegionPrediction, Scored};
use ocellus_core::video::Sampling;
use ocellus_core::workflows::findings::{Findings, Known, Part};
use ocellus_core::workflows::{self, FoundWorkflow, MAX_INPUTS, Node, NodeModel, RunInput, similar};
use ocellus_core::{AppCtx, CropBox, Error, Result};
use prost::Message;

use crate::models::{PUBLIC_APP, PUBLIC_USER};
use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::{documents, inputs, items, output_regions, outputs, paging, status, workflow_nodes};

pub async fn post_workflow_results(
    cx: Cx,
    req: PostWorkflowResultsRequest,
) -> Result<PostWorkflowResultsResponse> {
    let app = cx.app(req.user_app_id).await?;
    paging::refuse_fields(
        "workflows",
        &[
            ("workflow_state", req.workflow_state.is_some()),
            ("node_runner_selectors", !req.node_runner_selectors.is_empty()),
        ],
    )?;
    let favour = crate::workflows::favour(req.favor_clarifai_workflows, false)?;
    let version = crate::workflows::version(&req.version_id);
    let found = workflows::find(&app, &req.workflow_id, version, favour).await?;
    let options = options(&cx, req.output_config.unwrap_or_default())?;
    let results = results(&cx, &app, &found, req.inputs, &options).await?;
    let status = Some(overall(&cx, &results));
    let workflow = Some(crate::workflows::to_wire(&cx, &found));
    Ok(PostWorkflowResultsResponse { status, workflow, results, workflow_state: None })
}

pub async fn post_workflow_results_similarity(
    cx: Cx,
    req: PostWorkflowResultsSimilarityRequest,
) -> Result<PostWorkflowResultsSimilarityResponse> {
    let app = cx.app(req.user_app_id).await?;
    let favour = crate::workflows::favour(req.favor_clarifai_workflows, false)?;
    let version = crate::workflows::version(&req.version_id);
    let found = workflows::find(&app, &req.workflow_id, version, favour).await?;
    let (probes, pool) = (echoes(&cx, &req.probe_inputs), echoes(&cx, &req.pool_inputs));
    let probe_inputs = all(&cx, req.probe_inputs, "probe_inputs")?;
    let pool_inputs = all(&cx, req.pool_inputs, "pool_inputs")?;
    let alike = similar::similarity(&app, &found, &req.model_version_id, probe_inputs, pool_inputs).await?;
    let result = |(probe, alike): (Input, Result<Vec<similar::Alike>>)| {
        let hit = |one: similar::Alike| Hit {
            score: one.score,
            input: pool.get(one.at).cloned(),
            ..Default::default()
        };
        let pool_results = alike?.into_iter().map(hit).collect();
        Ok(WorkflowResultsSimilarity { probe_input: Some(probe), pool_results })
    };
    let results = probes.into_iter().zip(alike).map(result).collect::<Result<_>>()?;
    Ok(PostWorkflowResultsSimilarityResponse { status: status::success(), results })
}

/// What every input of a request repeats, with an id of its own.
fn echoes(cx: &Cx, given: &[Input]) -> Vec<Input> {
    let mut echoes: Vec<Input> = given.iter().map(outputs::echo).collect();
    for echo in echoes.iter_mut().filter(|echo| echo.id.is_empty()) {
        echo.id = cx.platform.ids().id();
    }
    echoes
}

/// Inputs that must all be readable.
fn all(cx: &Cx, given: Vec<Input>, field: &str) -> Result<Vec<RunInput>> {
    check_number(field, given.len())?;
    let numbered = given.into_iter().enumerate();
    numbered.map(|(at, input)| run_input(cx, input, &format!("{field}[{at}]"))).collect()
}

fn check_number(field: &str, n_inputs: usize) -> Result<()> {
    match (1..=MAX_INPUTS).contains(&n_inputs) {
        true => Ok(()),
        false => Err(Error::invalid(field, format!("must hold 1 to {MAX_INPUTS} items, not {n_inputs}"))),
    }
}

fn options(cx: &Cx, config: OutputConfig) -> Result<PredictOptions> {
    let usual = PredictOptions::default();
    let max_concepts = if config.max_concepts == 0 { usual.max_concepts } else { config.max_concepts };
    if max_concepts > 200 {
        return Err(Error::invalid("max_concepts", "must be 1 to 200"));
    }
    if !(0.0..=1.0).contains(&config.min_value) {
        return Err(Error::invalid("min_value", "must be 0 to 1"));
    }
    let select =
        config.select_concepts.into_iter().map(|c| ConceptSelector { id: c.id, name: c.name }).collect();
    let sample_ms = if config.sample_ms == 0 { usual.sampling.sample_ms } else { config.sample_ms };
    Ok(PredictOptions {
        max_concepts,
        min_value: config.min_value,
        select,
        language: (!config.language.is_empty()).then_some(config.language),
        sampling: Sampling { sample_ms, midpoint: cx.era == Era::Current },
    })
}

/// Runs a workflow; a result for each input, in order.
async fn results(
    cx: &Cx,
    app: &AppCtx,
    found: &FoundWorkflow,
    given: Vec<Input>,
    options: &PredictOptions,
) -> Result<Vec<WorkflowResult>> {
    check_number("inputs", given.len())?;
    let echoes = echoes(cx, &given);
    let (inputs, places) = items::read(given, "inputs", |input, field| run_input(cx, input, field))?;
    let running = workflows::run(app, &found.version.doc, inputs, options).await?;
    let of_inputs = places.fill(running.results.into_iter().map(Ok).collect());
    let says_language = options.language.is_some();
    let nodes: Vec<(&Node, &NodeModel)> = found.version.doc.nodes.iter().zip(&running.models).collect();
    let result = |(of_nodes, input): (Result<Vec<Result<Findings>>>, Input)| {
        let outputs: Vec<Output> = match of_nodes {
            Ok(of_nodes) => {
                let shown = nodes.iter().zip(of_nodes).filter(|((node, _), _)| !node.suppress_output);
                shown.map(|((node, model), found)| output(cx, node, model, found, says_language)).collect()
            }
            Err(error) => return failed(cx, input, &error),
        };
        let bad = outputs.iter().filter_map(|output| output.status.as_ref());
        let bad = bad.into_iter().find(|status| status.code != Code::Success as i32).cloned();
        WorkflowResult {
            id: cx.platform.ids().id(),
            status: Some(bad.unwrap_or_else(|| cx.status(Code::Success))),
            created_at: documents::time(cx.platform.clock().now_us()),
            input: Some(input),
            outputs,
            ..Default::default()
        }
    };
    Ok(of_inputs.into_iter().zip(echoes).map(result).collect())
}

/// An input that could not even be read.
fn failed(cx: &Cx, input: Input, error: &Error) -> WorkflowResult {
    error.log();
    WorkflowResult {
        id: cx.platform.ids().id(),
        status: Some(inputs::item_status(cx, error)),
        created_at: documents::time(cx.platform.clock().now_us()),
        input: Some(input),
        ..Default::default()
    }
}

/// An image or video, or what is known of one: concepts and regions for operators to work on.
fn run_input(cx: &Cx, input: Input, field: &str) -> Result<RunInput> {
    let data = input.data.clone().unwrap_or_default();
    let known = known(&data, &format!("{field}.data"))?;
    let has_media =
        data.image.is_some() || data.video.is_some() || data.audio.is_some() || data.text.is_some();
    let input = match has_media || !input.id.is_empty() || known == Known::default() {
        true => Some(outputs::subject(input, field)?),
        false => None,
    };
    let ids = cx.platform.ids();
    Ok(RunInput { input, known: known.findings(|| ids.id()), lot: ids.id() })
}

fn known(data: &Data, field: &str) -> Result<Known> {
    let triples = |concepts: &[Concept]| {
        concepts.iter().map(|c| (c.id.clone(), c.name.clone(), c.value)).collect::<Vec<_>>()
    };
    let mut parts = Vec::with_capacity(data.regions.len());
    for (at, region) in data.regions.iter().enumerate() {
        let info = region.region_info.as_ref().and_then(|info| info.bounding_box.as_ref());
        let Some(sides) = info else { continue };
        let (top, left) = (sides.top_row, sides.left_col);
        let place = CropBox { top, left, bottom: sides.bottom_row, right: sides.right_col };
        let place = place.check(&format!("{field}.regions[{at}].region_info.bounding_box"))?;
        let concepts = region.data.as_ref().map(|data| triples(&data.concepts)).unwrap_or_default();
        parts.push((place, region.value, concepts));
    }
    Ok(Known { concepts: triples(&data.concepts), parts })
}

/// Since 2020 a single failed result shows its own status at the top.
fn overall(cx: &Cx, results: &[WorkflowResult]) -> Status {
    let over_all = status::of_items(cx.era, results.iter().map(|r| r.status.as_ref()), &[Code::Success]);
    match (cx.era, results) {
        (Era::Current, [WorkflowResult { status: Some(only), .. }])
            if over_all.code == Code::Failure as i32 =>
        {
            only.clone()
        }
        (Era::Current | Era::Y2019, _) => over_all,
    }
}

fn output(cx: &Cx, node: &Node, model: &NodeModel, found: Result<Findings>, says_language: bool) -> Output {
    let (status, data) = match found {
        Ok(found) => (cx.status(Code::Success), Some(data(cx, model, found, says_language))),
        Err(error) => {
            error.log();
            (inputs::item_status(cx, &error), None)
        }
    };
    let model = match model {
        NodeModel::Predictor(predictor) => outputs::model(cx, predictor),
        NodeModel::Operator(_) => workflow_nodes::model(cx, node),
    };
    Output {
        id: cx.platform.ids().id(),
        status: Some(status),
        created_at: documents::time(cx.platform.clock().now_us()),
        model: Some(model),
        data,
        ..Default::default()
    }
}

fn data(cx: &Cx, model: &NodeModel, found: Findings, says_language: bool) -> Data {
    // What operators pass on keeps the form that public models give it.
    let predictor = match model {
        NodeModel::Predictor(predictor) => predictor.clone(),
        NodeModel::Operator(_) => Predictor::Public(cx.platform.catalog().general().clone()),
    };
    let whole = |concepts: Vec<Scored>, other: Vec<_>| {
        let concept = |scored| concept(cx, &predictor, scored, says_language);
        let mut data = Data { concepts: concepts.into_iter().map(concept).collect(), ..Default::default() };
        for one in other {
            let more = outputs::to_wire(cx, &predictor, one, says_language);
            // Lists are joined; what is single is given by one node only.
            if data.merge(encoded(&more)).is_err() {
                tracing::error!("an output could not be put together");
            }
        }
        data
    };
    let region = |part: Part| {
        let concept = |scored| concept(cx, &predictor, scored, says_language);
        let told = RegionPrediction {
            id: part.id,
            bbox: part.place,
            probability: part.value,
            concepts: part.concepts,
            appearance: part.appearance,
            embedding: None,
        };
        let mut region = output_regions::to_wire(cx.era, vec![told], concept).regions.remove(0);
        let more = whole(Vec::new(), part.other);
        if more != Data::default() && region.data.get_or_insert_default().merge(encoded(&more)).is_err() {
            tracing::error!("a region could not be put together");
        }
        region
    };
    let regions: Vec<Region> = found.parts.into_iter().map(region).collect();
    let mut data = whole(found.concepts, found.other);
    data.regions.extend(regions);
    if let Some(count) = found.count {
        let counted = serde_json::json!({"object_count": count});
        data.metadata = counted.as_object().and_then(documents::to_struct);
    }
    data
}

fn encoded(data: &Data) -> Bytes {
    data.encode_to_vec().into()
}

fn concept(cx: &Cx, predictor: &Predictor, scored: Scored, says_language: bool) -> Concept {
    let (user_id, app_id) = match predictor {
        Predictor::Own { model, .. } => (model.user_id.as_str(), model.app_id.as_str()),
        // An operator may put an app's own concepts in the place of public ones.
        Predictor::Public(spec) if spec.labels.by_id(&scored.concept_id).is_none() => ("", ""),
        Predictor::Public(_) => (PUBLIC_USER, PUBLIC_APP),
    };
    Concept {
        id: scored.concept_id,
        name: scored.name,
        language: if says_language { scored.language } else { String::new() },
        value: scored.probability,
        app_id: app_id.to_owned(),
        // A field that the first generation's clients do not know.
        user_id: if cx.era == Era::Current { user_id.to_owned() } else { String::new() },
        ..Default::default()
    }
}
