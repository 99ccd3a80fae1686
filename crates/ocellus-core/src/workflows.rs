//! Workflows: models joined to a graph, each node working on the input or on what other nodes found.
//!
//! A workflow has versions, and a version's nodes never change: they name the versions of their models. A change of nodes
//! makes a new version, which is then the workflow's current one.

mod change;
pub(crate) mod copy;
mod create;
pub mod default;
pub mod findings;
mod graph;
mod list;
mod operate;
pub mod operators;
mod public;
mod publish;
mod run;
pub mod similar;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::predict::ConceptSelector;
use crate::resources::{self, Document, Listing, Shelf, Stored};
use crate::{AppCtx, Error, JsonMap, Resource, Result};

pub use change::{
    VersionPatch, WorkflowPatch, delete, delete_all, delete_versions, patch, patch_versions, rename,
};
pub(crate) use create::check_exists;
pub use create::{NewWorkflow, create};
pub use list::{SortBy, WorkflowListing, list, list_of_account, list_public, versions};
pub(crate) use operate::drawn;
pub use publish::{publish, unpublish};
pub use run::{MAX_INPUTS, NodeModel, RunInput, Running, run};

/// A workflow, but for what its versions say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workflow {
    /// What its versions are kept under; it never changes and clients do not see it.
    pub uid: String,
    /// The owner's words.
    pub description: String,
    /// More of the owner's words.
    pub notes: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// Tags: what it is good for.
    pub use_cases: Vec<String>,
    /// Tags: what a user must agree to.
    pub check_consents: Vec<String>,
    /// The current version.
    pub version_id: String,
}

/// A version of a workflow. Its nodes never change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkflowVersion {
    /// In the order in which results are given.
    pub nodes: Vec<Node>,
    /// The owner's words.
    pub description: String,
    /// The licence, by name.
    pub license: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// Whether it should no longer be used.
    pub is_deprecated: bool,
    /// Whether everybody may use it.
    pub is_public: bool,
}

/// A node: a model at work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Unique within the workflow.
    pub id: String,
    /// The model, in one version once the node is kept.
    pub model: ModelRef,
    /// The model's type; given by the user only where there is no such model, for an operator of its own.
    pub model_type_id: String,
    /// What an operator is told: the model's own parameters with the node's laid over them.
    pub params: JsonMap,
    /// The nodes it works on; empty for the input itself.
    pub inputs: Vec<String>,
    /// Whether its answer is left out of the results.
    pub suppress_output: bool,
    /// What of its answer is wanted.
    pub wanted: NodeWanted,
}

/// Which model a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelRef {
    /// The user of its app; empty for the workflow's own.
    pub user_id: String,
    /// Its app; empty for the workflow's own or the public one.
    pub app_id: String,
    /// Its id.
    pub id: String,
    /// Its version.
    pub version_id: String,
}

/// What of a node's answer is wanted; what is not said here is as the call says, or as usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeWanted {
    /// The most concepts, 1 to 200; 0 if not said.
    pub max_concepts: u32,
    /// Concepts below this probability are left out; 0 if not said.
    pub min_value: f32,
    /// Only these concepts, each by id or name; all if empty.
    pub select: Vec<(String, String)>,
    /// The language of the names; empty if not said.
    pub language: String,
    /// Milliseconds between the frames of a video that are looked at; 0 if not said.
    pub sample_ms: u32,
}

impl NodeWanted {
    fn check(&self, field: &str) -> Result<()> {
        if self.max_concepts > 200 {
            return Err(Error::invalid(format!("{field}.max_concepts"), "must be 1 to 200"));
        }
        if !(0.0..=1.0).contains(&self.min_value) {
            return Err(Error::invalid(format!("{field}.min_value"), "must be 0 to 1"));
        }
        Ok(())
    }

    fn selectors(&self) -> Vec<ConceptSelector> {
        self.select.iter().map(|(id, name)| ConceptSelector { id: id.clone(), name: name.clone() }).collect()
    }
}

impl Document for Workflow {
    const KIND: &'static str = "workflow";
    const NOUN: &'static str = "workflow";
    const FIELD: &'static str = "workflows";

    fn about(&self) -> String {
        self.uid.clone()
    }

    fn check(&self) -> Result<()> {
        check_texts("workflows", &[("description", &self.description), ("notes", &self.notes)])?;
        let tags = self.use_cases.iter().chain(&self.check_consents);
        tags.into_iter().try_for_each(|tag| crate::accounts::check_id("workflows.tags", tag))
    }
}

impl Document for WorkflowVersion {
    const KIND: &'static str = "workflow_version";
    const NOUN: &'static str = "workflow version";
    const FIELD: &'static str = "workflow_versions";

    fn check(&self) -> Result<()> {
        let texts = [("description", &self.description), ("license", &self.license)];
        check_texts("workflow_versions", &texts)
    }
}

/// The longest text on a workflow or version, bytes.
const MAX_TEXT: usize = 100_000;
/// The longest id of a workflow or node, bytes.
const MAX_ID: usize = 128;

fn check_texts(thing: &str, texts: &[(&str, &String)]) -> Result<()> {
    match texts.iter().find(|(_, text)| text.len() > MAX_TEXT) {
        Some((field, _)) => {
            Err(Error::invalid(format!("{thing}.{field}"), format!("must have at most {MAX_TEXT} bytes")))
        }
        None => Ok(()),
    }
}

/// A workflow in one of its versions, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundWorkflow {
    /// The user of the app.
    pub user_id: String,
    /// The app.
    pub app_id: String,
    /// The workflow.
    pub workflow: Stored<Workflow>,
    /// The version that was asked for, or the current one.
    pub version: Stored<WorkflowVersion>,
}

/// Where a workflow is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Favour {
    /// In the app first, then among the public ones.
    #[default]
    Own,
    /// Among the public ones first.
    Public,
    /// In the app alone.
    OwnOnly,
}

pub(crate) fn missing(id: &str) -> Error {
    resources::missing::<Workflow>(id)
}

fn versions_of(app: &AppCtx, uid: &str) -> Shelf {
    Shelf::from(app).within(uid)
}

/// The workflow that an id means in an app, in a version of it or the current one.
pub async fn find(app: &AppCtx, id: &str, version_id: Option<&str>, favour: Favour) -> Result<FoundWorkflow> {
    let own = || own(app, id, version_id);
    let public = || public::find(app.platform(), id, version_id);
    if app.is_public() {
        return public().await?.ok_or_else(|| missing(id));
    }
    let first = match favour {
        Favour::Own => match own().await? {
            Some(found) => Some(found),
            None => public().await?,
        },
        Favour::Public => match public().await? {
            Some(found) => Some(found),
            None => own().await?,
        },
        Favour::OwnOnly => own().await?,
    };
    first.ok_or_else(|| missing(id))
}

/// The app's own workflow, if there is one. `NotFound` for a version that it does not have.
async fn own(app: &AppCtx, id: &str, version_id: Option<&str>) -> Result<Option<FoundWorkflow>> {
    let found = resources::get_many::<Workflow>(&Shelf::from(app), &[id]).await?.into_iter().next();
    let Some(workflow) = found else { return Ok(None) };
    let wanted = version_id.unwrap_or(&workflow.doc.version_id);
    let version = resources::get(&versions_of(app, &workflow.doc.uid), wanted).await?;
    Ok(Some(placed(app, workflow, version)))
}

fn placed(app: &AppCtx, workflow: Stored<Workflow>, version: Stored<WorkflowVersion>) -> FoundWorkflow {
    let (user_id, app_id) = (app.app().user_id.clone(), app.app().id.clone());
    FoundWorkflow { user_id, app_id, workflow, version }
}

/// How many workflows an app has.
pub async fn count(app: &AppCtx) -> Result<u64> {
    resources::count::<Workflow>(&Shelf::from(app), &Listing::default()).await
}

/// The error for a graph that cannot run, with the node that is to blame.
fn wrong_node(node: &str, message: impl std::fmt::Display) -> Error {
    let about = Resource::Other("workflow node", node.to_owned());
    Error::new(crate::Kind::Invalid, format!("node '{node}' {message}")).about(about)
}
