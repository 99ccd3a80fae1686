//! Knowledge graphs: named groups of relations between an app's concepts.

use serde::{Deserialize, Serialize};

use crate::resources::Document;

/// A knowledge graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeGraph {
    /// A readable name.
    pub name: String,
    /// What it is about.
    #[serde(default)]
    pub description: String,
    /// The app with example images of its concepts, if there is one.
    #[serde(default)]
    pub examples_app_id: String,
    /// The app with a sample of those, if there is one.
    #[serde(default)]
    pub sampled_examples_app_id: String,
}

impl Document for KnowledgeGraph {
    const KIND: &'static str = "knowledge_graph";
    const NOUN: &'static str = "knowledge graph";
    const FIELD: &'static str = "knowledge_graphs";
}
