//! Nodes of workflows in the wire form.

use ocellus_core::workflows::{ModelRef, Node, NodeWanted, operators};
use ocellus_core::{Error, JsonMap, Result};
use serde_json::{Value, json};

use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging};

/// The nodes that a request describes.
pub fn read(nodes: Vec<WorkflowNode>) -> Result<Vec<Node>> {
    nodes.into_iter().map(node).collect()
}

fn node(node: WorkflowNode) -> Result<Node> {
    let model = node.model.unwrap_or_default();
    let field = format!("workflows.nodes.{}", node.id);
    let version = model.model_version.map(|version| *version).unwrap_or_default();
    let mut params = JsonMap::new();
    if operators::is_operator(&model.model_type_id) {
        // Clients send a model as they got it; newer ones have the parameters in the version.
        for info in [model.output_info, version.output_info].into_iter().flatten() {
            params.extend(operator_params(info));
        }
    }
    let mut wanted = NodeWanted::default();
    if let Some(mut info) = node.output_info_override {
        let config = info.output_config.take().unwrap_or_default();
        wanted = self::wanted(config, &format!("{field}.output_info_override.output_config"))?;
        params.extend(operator_params(info));
    }
    Ok(Node {
        id: node.id,
        model: ModelRef {
            user_id: model.user_id,
            app_id: model.app_id,
            id: model.id,
            version_id: version.id,
        },
        model_type_id: model.model_type_id,
        params,
        inputs: node.node_inputs.into_iter().map(|input| input.node_id).collect(),
        suppress_output: node.suppress_output,
        wanted,
    })
}

/// What an operator is told: its parameters, and concepts with their thresholds.
pub fn operator_params(info: OutputInfo) -> JsonMap {
    let mut params = info.params.map(documents::from_struct).unwrap_or_default();
    let concepts = info.data.map(|data| data.concepts).unwrap_or_default();
    if !concepts.is_empty() {
        let threshold = |c: Concept| json!({"id": c.id, "name": c.name, "value": c.value});
        params.insert("concepts".to_owned(), concepts.into_iter().map(threshold).collect());
    }
    params
}

fn wanted(config: OutputConfig, field: &str) -> Result<NodeWanted> {
    paging::refuse_fields(
        field,
        &[
            ("hyper_params", config.hyper_params.is_some()),
            ("training_timeout", config.training_timeout != 0),
            ("model_metadata", config.model_metadata.is_some()),
        ],
    )?;
    if config.select_concepts.iter().any(|concept| concept.id.is_empty() && concept.name.is_empty()) {
        return Err(Error::invalid(format!("{field}.select_concepts"), "must have ids or names"));
    }
    Ok(NodeWanted {
        max_concepts: config.max_concepts,
        min_value: config.min_value,
        select: config.select_concepts.into_iter().map(|concept| (concept.id, concept.name)).collect(),
        language: config.language,
        sample_ms: config.sample_ms,
    })
}

/// A node as clients see it.
pub fn to_wire(cx: &Cx, node: &Node) -> WorkflowNode {
    WorkflowNode {
        id: node.id.clone(),
        model: Some(model(cx, node)),
        node_inputs: node.inputs.iter().map(|id| NodeInput { node_id: id.clone() }).collect(),
        suppress_output: node.suppress_output,
        output_info_override: output_info_override(node),
    }
}

/// The model of a node, as far as the workflow knows it.
pub fn model(cx: &Cx, node: &Node) -> Model {
    let reference = &node.model;
    let params = documents::to_struct(&node.params).filter(|_| operators::is_operator(&node.model_type_id));
    let output_info = params.map(|params| OutputInfo { params: Some(params), ..Default::default() });
    Model {
        id: reference.id.clone(),
        name: reference.id.clone(),
        app_id: reference.app_id.clone(),
        user_id: reference.user_id.clone(),
        model_type_id: node.model_type_id.clone(),
        model_version: Some(Box::new(ModelVersion {
            id: reference.version_id.clone(),
            app_id: reference.app_id.clone(),
            user_id: reference.user_id.clone(),
            status: Some(cx.status(Code::ModelTrained)),
            output_info,
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn output_info_override(node: &Node) -> Option<OutputInfo> {
    let wanted = &node.wanted;
    if *wanted == NodeWanted::default() {
        return None;
    }
    let select = wanted.select.iter().map(|(id, name)| Concept {
        id: id.clone(),
        name: name.clone(),
        value: 1.0,
        ..Default::default()
    });
    let config = OutputConfig {
        max_concepts: wanted.max_concepts,
        min_value: wanted.min_value,
        select_concepts: select.collect(),
        language: wanted.language.clone(),
        sample_ms: wanted.sample_ms,
        ..Default::default()
    };
    Some(OutputInfo { output_config: Some(config), ..Default::default() })
}

/// The parameters of an operator that is made as a model of its own.
pub fn params_of_model(info: &mut OutputInfo) -> JsonMap {
    let data = info.data.take();
    let given = OutputInfo { data, params: info.params.clone(), ..Default::default() };
    operator_params(given).into_iter().filter(|(_, value)| *value != Value::Null).collect()
}
