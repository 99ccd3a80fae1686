//! Whether nodes make a graph that can run: every node they name is there, none waits for itself, and each gives what the
//! next takes.

use std::collections::HashMap;

use super::operators::{self, Operator};
use super::{MAX_ID, Node, wrong_node};
use crate::{Error, Result};

/// The most nodes of a workflow.
pub(crate) const MAX_NODES: usize = 100;

/// What flows from a node to those that work on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flow {
    /// The picture, or parts cut out of it.
    pictures: bool,
    /// Whether these pictures are parts.
    cut: bool,
    concepts: bool,
    regions: bool,
    embeddings: bool,
    other: bool,
}

impl Flow {
    fn and(self, other: Self) -> Self {
        Self {
            pictures: self.pictures || other.pictures,
            cut: self.cut || other.cut,
            concepts: self.concepts || other.concepts,
            regions: self.regions || other.regions,
            embeddings: self.embeddings || other.embeddings,
            other: self.other || other.other,
        }
    }

    fn words(self) -> String {
        let all = [
            (self.pictures, "images"),
            (self.concepts, "concepts"),
            (self.regions, "regions"),
            (self.embeddings, "embeddings"),
            (self.other, "other answers"),
        ];
        let given: Vec<&str> = all.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        if given.is_empty() { "nothing".to_owned() } else { given.join(" and ") }
    }
}

/// The places of the nodes in an order in which each comes after those it works on. `Invalid` about the node that
/// cannot be where it is.
pub(super) fn check(nodes: &[Node]) -> Result<Vec<usize>> {
    if nodes.len() > MAX_NODES {
        return Err(Error::invalid("workflows.nodes", format!("must hold at most {MAX_NODES} items")));
    }
    let order = order(nodes)?;
    let places: HashMap<&str, usize> =
        nodes.iter().zip(0..).map(|(node, at)| (node.id.as_str(), at)).collect();
    let mut flows = vec![Flow::default(); nodes.len()];
    for at in &order {
        let node = &nodes[*at];
        let sources: Vec<(&str, Flow)> =
            node.inputs.iter().map(|id| (id.as_str(), flows[places[id.as_str()]])).collect();
        flows[*at] = through(node, &sources)?;
    }
    Ok(order)
}

/// The order alone.
pub(super) fn order(nodes: &[Node]) -> Result<Vec<usize>> {
    let mut places = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if node.id.is_empty() || node.id.len() > MAX_ID || node.id.contains(|c: char| c.is_control()) {
            let message = format!("must be 1 to {MAX_ID} bytes of plain text");
            return Err(Error::invalid(format!("workflows.nodes[{at}].id"), message));
        }
        if places.insert(node.id.as_str(), at).is_some() {
            return Err(wrong_node(&node.id, "is there twice"));
        }
    }
    for node in nodes {
        if let Some(id) = node.inputs.iter().find(|id| !places.contains_key(id.as_str())) {
            return Err(wrong_node(&node.id, format!("works on node '{id}', which is not there")));
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(id) = node.inputs.iter().find(|id| !seen.insert(id.as_str())) {
            return Err(wrong_node(&node.id, format!("works on node '{id}' twice")));
        }
    }
    let mut done = vec![false; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    loop {
        let ready = (0..nodes.len())
            .find(|at| !done[*at] && nodes[*at].inputs.iter().all(|id| done[places[id.as_str()]]));
        match ready {
            Some(at) => {
                done[at] = true;
                order.push(at);
            }
            None => break,
        }
    }
    match done.iter().position(|done| !done) {
        Some(at) => {
            let waits = in_circle(nodes, &places, &done, at);
            Err(wrong_node(&nodes[waits].id, "is in a circle: it works on what comes after it"))
        }
        None => Ok(order),
    }
}

/// A node that is really in the circle, and not only behind it.
fn in_circle(nodes: &[Node], places: &HashMap<&str, usize>, done: &[bool], from: usize) -> usize {
    let mut at = from;
    // After as many steps as there are nodes one must be in the circle.
    for _ in 0..nodes.len() {
        let next = nodes[at].inputs.iter().map(|id| places[id.as_str()]).find(|place| !done[*place]);
        at = next.unwrap_or(at);
    }
    at
}

/// What a node makes of what comes in; `sources` are the nodes it works on, none for the input itself.
fn through(node: &Node, sources: &[(&str, Flow)]) -> Result<Flow> {
    let operator = operators::read(&node.model_type_id, &node.params);
    let operator =
        operator.map_err(|error| wrong_node(&node.id, format!("cannot work: {}", error.message)))?;
    let takes = |flow: Flow| match &operator {
        Some(operator) => operator_takes(operator, flow),
        None => flow.pictures || (learns_on_vectors(&node.model_type_id) && flow.embeddings),
    };
    if let Some((id, flow)) = sources.iter().find(|(_, flow)| !takes(*flow)) {
        let wanted = match &operator {
            Some(operator) => operator.takes(),
            None if flow.regions => "images; an image-crop between them cuts the regions out",
            None => "images",
        };
        let message = format!("takes {wanted}, but node '{id}' gives {}", flow.words());
        return Err(wrong_node(&node.id, message));
    }
    let given = sources.iter().fold(Flow::default(), |all, (_, flow)| all.and(*flow));
    // What a caller says of the input may be anything.
    let root = Flow { pictures: true, concepts: true, regions: true, ..Flow::default() };
    let given = if sources.is_empty() { root } else { given };
    Ok(match &operator {
        Some(operator) => operator_gives(operator, given),
        None => model_gives(&node.model_type_id, given),
    })
}

fn learns_on_vectors(model_type_id: &str) -> bool {
    matches!(model_type_id, "embedding-classifier" | "clusterer")
}

fn operator_takes(operator: &Operator, flow: Flow) -> bool {
    match operator {
        Operator::ConceptThreshold(_) | Operator::ConceptMap(_) | Operator::Merge(_) => {
            flow.concepts || flow.regions
        }
        Operator::RegionThreshold(_) | Operator::Crop { .. } | Operator::CountRegions => flow.regions,
        Operator::Tile { .. } => flow.pictures && !flow.cut,
        Operator::Sample { .. } => true,
    }
}

fn operator_gives(operator: &Operator, given: Flow) -> Flow {
    match operator {
        Operator::ConceptThreshold(_) | Operator::RegionThreshold(_) | Operator::ConceptMap(_) => {
            Flow { pictures: false, cut: false, ..given }
        }
        Operator::Merge(lift) => {
            Flow { concepts: given.concepts || lift.is_some(), pictures: false, cut: false, ..given }
        }
        Operator::Crop { .. } | Operator::Tile { .. } => {
            Flow { pictures: true, cut: true, regions: true, ..Flow::default() }
        }
        Operator::CountRegions => Flow { other: true, ..Flow::default() },
        Operator::Sample { .. } => given,
    }
}

fn model_gives(model_type_id: &str, given: Flow) -> Flow {
    let mut gives = Flow { regions: given.cut, ..Flow::default() };
    match model_type_id {
        id if id.contains("detector") => gives.regions = true,
        id if id.ends_with("-embedder") => {
            gives.embeddings = true;
            // A classifier behind it works on the same pictures.
            gives.cut = given.cut;
        }
        id if id.ends_with("-classifier") || id == "clusterer" => gives.concepts = !given.cut,
        _ => gives.other = true,
    }
    gives
}
