//! Making workflows: what users ask for is checked and every node's model is pinned to a version.

use ocellus_store as store;

use super::versions_of;
use super::{
    FoundWorkflow, MAX_ID, Node, Workflow, WorkflowVersion, graph, missing, operators, placed, wrong_node,
};
use crate::accounts::check_id;
use crate::bootstrap::{PUBLIC_APP, PUBLIC_USER};
use crate::models::{self, Found};
use crate::resources::{self, New, Shelf, row_of, stored};
use crate::user_models::VersionState;
use crate::{AppCtx, Error, Kind, Resource, Result};

/// A workflow to make.
#[derive(Clone, Debug, Default)]
pub struct NewWorkflow {
    /// Chosen by the user; made up if empty.
    pub id: String,
    /// What is said of it; the platform fills in the rest.
    pub doc: Workflow,
    /// Its first version.
    pub version: WorkflowVersion,
}

/// Adds workflows, each with a first version. `Conflict` if any id exists, `Invalid` for a graph that cannot run; then
/// none is added.
pub async fn create(app: &AppCtx, new: Vec<NewWorkflow>) -> Result<Vec<FoundWorkflow>> {
    app.check_writable()?;
    let (shelf, platform) = (Shelf::from(app), app.platform());
    let (mut documents, mut versions) = (Vec::with_capacity(new.len()), Vec::with_capacity(new.len()));
    for NewWorkflow { id, mut doc, mut version } in new {
        check_length("workflows.id", &id)?;
        version.nodes = pinned(app, version.nodes).await?;
        (doc.uid, doc.version_id) = (platform.ids().id(), platform.ids().id());
        let new =
            New { id: Some(doc.version_id.clone()), doc: WorkflowVersion { is_public: false, ..version } };
        versions.push(row_of(&versions_of(app, &doc.uid), new)?);
        documents.push(New { id: Some(id), doc });
    }
    let rows = versions.clone();
    let along = move |tx: &store::Tx<'_>, _: &str| {
        for row in &rows {
            tx.insert_resource(row)?;
        }
        Ok(())
    };
    let made = resources::create_if(&shelf, documents, along).await?;
    let pairs = made.into_iter().zip(versions);
    pairs.map(|(workflow, version)| Ok(placed(app, workflow, stored(version)?))).collect()
}

pub(super) fn check_length(field: &str, id: &str) -> Result<()> {
    match id.len() > MAX_ID {
        true => Err(Error::invalid(field, format!("must have at most {MAX_ID} bytes"))),
        false => Ok(()),
    }
}

/// The nodes with the versions of their models, checked to be a graph that can run.
pub(super) async fn pinned(app: &AppCtx, nodes: Vec<Node>) -> Result<Vec<Node>> {
    // Before anything is looked up, so that a million nodes do no harm.
    graph::order(&nodes)?;
    let mut pinned = Vec::with_capacity(nodes.len());
    for node in nodes {
        node.wanted.check(&format!("workflows.nodes.{}.output_info_override.output_config", node.id))?;
        pinned.push(pin(app, node).await?);
    }
    graph::check(&pinned)?;
    Ok(pinned)
}

async fn pin(app: &AppCtx, mut node: Node) -> Result<Node> {
    if node.model.id.is_empty() && !operators::is_operator(&node.model_type_id) {
        return Err(wrong_node(&node.id, "names no model"));
    }
    let found = match look_up(app, &node).await {
        Ok(found) => found,
        // An operator needs no model of its own: its type and parameters say all.
        Err(error) if error.kind == Kind::NotFound && operators::is_operator(&node.model_type_id) => {
            if node.model.id.is_empty() {
                node.model.id.clone_from(&node.model_type_id);
            }
            check_id("workflows.nodes.model.id", &node.model.id)?;
            node.model.version_id = operators::version_of(&node.model_type_id, &node.params);
            return Ok(node);
        }
        Err(error) => return Err(of_node(&node.id, error)),
    };
    match found {
        Found::Public(model) => {
            if node.model.version_id.is_empty() {
                model.version_id().clone_into(&mut node.model.version_id);
            }
            node.model_type_id.clone_from(&model.model_type_id);
            (node.model.user_id, node.model.app_id) = (PUBLIC_USER.to_owned(), PUBLIC_APP.to_owned());
            node.model.id.clone_from(&model.id);
        }
        Found::Own(model, version) => {
            if operators::is_operator(&model.model_type_id) {
                let mut params = model.doc.params.clone();
                params.extend(std::mem::take(&mut node.params));
                node.params = params;
            } else if version.state != VersionState::Trained {
                return Err(untrained(&node.id, &model.id));
            }
            node.model_type_id.clone_from(&model.model_type_id);
            (node.model.user_id, node.model.app_id) = (model.user_id.clone(), model.app_id.clone());
            node.model.version_id = version.id;
        }
    }
    Ok(node)
}

async fn look_up(app: &AppCtx, node: &Node) -> Result<Found> {
    let model = &node.model;
    let version = (!model.version_id.is_empty()).then_some(model.version_id.as_str());
    if model.id.is_empty() {
        return Err(crate::user_models::missing(&model.id));
    }
    let (user_id, app_id) = (model.user_id.as_str(), model.app_id.as_str());
    let mine = (user_id.is_empty() || user_id == "me" || user_id == app.app().user_id)
        && (app_id.is_empty() || app_id == app.app().id);
    match (user_id, app_id) {
        (PUBLIC_USER | "", PUBLIC_APP) => Ok(Found::Public(models::get(app.platform(), &model.id, version)?)),
        _ if mine => models::find(app, &model.id, version).await,
        _ => Err(Error::not_found(Resource::Model(model.id.clone()))),
    }
}

/// The error of a node's model, with the node's name.
fn of_node(node: &str, error: Error) -> Error {
    match error.kind == Kind::NotFound {
        true => wrong_node(node, format!("has a model that is not there: {}", error.message)),
        false => error,
    }
}

fn untrained(node: &str, model: &str) -> Error {
    let about = Resource::Other("untrained node", node.to_owned());
    let message = format!("node '{node}' has the model '{model}', which must be trained first");
    Error::new(Kind::Unsupported, message).about(about)
}

/// Refuses a default workflow that an app has not and nobody has published.
pub(crate) async fn check_exists(app: &AppCtx, id: &str) -> Result<()> {
    super::find(app, id, None, super::Favour::Own).await.map(|_| ()).map_err(|_| missing(id))
}
