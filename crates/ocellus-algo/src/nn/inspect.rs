//! What an ONNX file says of itself, read without the inference runtime: inputs, outputs, and what it asks for from outside.

use std::collections::BTreeSet;
use std::path::Path;

use prost::Message;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Sets of operators that the inference runtime itself brings along.
const KNOWN_DOMAINS: [&str; 7] = [
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.preview",
    "com.microsoft",
    "com.microsoft.nchwc",
    "com.ms.internal.nhwc",
];

/// What an ONNX file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnnxAbout {
    /// The program that made it, in its own words.
    pub producer: String,
    /// What has to be given, without the weights that the file holds itself.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// Operators that the runtime does not have.
    pub unknown_domains: Vec<String>,
    /// Whether numbers of it lie in other files.
    pub has_external_data: bool,
}

/// An input or output of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// The kind of number by ONNX's own count: 1 is `f32`.
    pub element_type: i32,
    /// Sizes of its axes; `None` is any size.
    pub shape: Vec<Option<usize>>,
}

impl Port {
    /// Whether it holds numbers of 32 bits with a point.
    pub fn is_f32(&self) -> bool {
        self.element_type == 1
    }
}

/// Reads a file. Nothing of it is run.
///
/// # Errors
/// `Backend` if the file cannot be read, `BadInput` if it is no ONNX model.
pub fn inspect(path: &Path) -> Result<OnnxAbout> {
    let bytes = std::fs::read(path)
        .map_err(|e| Error::Backend(format!("the model {} cannot be read: {e}", path.display())))?;
    inspect_bytes(&bytes)
}

/// Reads the bytes of a file. Nothing of it is run.
///
/// # Errors
/// `BadInput` if they are no ONNX model.
pub fn inspect_bytes(bytes: &[u8]) -> Result<OnnxAbout> {
    let model = Model::decode(bytes).map_err(|e| Error::BadInput(format!("it is no ONNX model: {e}")))?;
    let graph = model.graph.ok_or_else(|| Error::BadInput("it is no ONNX model: it has no graph".into()))?;
    if model.ir_version == 0 {
        return Err(Error::BadInput("it is no ONNX model: it has no version".into()));
    }
    let mut seen = Seen { has_external_data: false, domains: BTreeSet::new() };
    seen.graph(&graph);
    for function in &model.functions {
        function.node.iter().for_each(|node| seen.node(node));
    }
    let own: BTreeSet<&str> = model.functions.iter().map(|function| function.domain.as_str()).collect();
    let is_known = |domain: &str| KNOWN_DOMAINS.contains(&domain) || own.contains(domain);
    let stored: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    Ok(OnnxAbout {
        producer: model.producer_name,
        inputs: graph.input.iter().filter(|input| !stored.contains(input.name.as_str())).map(port).collect(),
        outputs: graph.output.iter().map(port).collect(),
        unknown_domains: seen.domains.into_iter().filter(|domain| !is_known(domain)).collect(),
        has_external_data: seen.has_external_data,
    })
}

fn port(value: &ValueInfo) -> Port {
    let tensor = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(&[][..], |shape| &shape.dim);
    // A size of nought, or a name in its place, is any size.
    let size = |dim: &Dim| dim.value.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    Port {
        name: value.name.clone(),
        element_type: tensor.map_or(0, |tensor| tensor.element_type),
        shape: dims.iter().map(size).collect(),
    }
}

struct Seen {
    has_external_data: bool,
    domains: BTreeSet<String>,
}

impl Seen {
    fn graph(&mut self, graph: &Graph) {
        graph.initializer.iter().for_each(|tensor| self.tensor(tensor));
        graph.sparse_initializer.iter().for_each(|tensor| self.sparse(tensor));
        graph.node.iter().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &Node) {
        self.domains.insert(node.domain.clone());
        for attribute in &node.attribute {
            attribute.t.iter().chain(&attribute.tensors).for_each(|tensor| self.tensor(tensor));
            let sparse = attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors);
            sparse.for_each(|tensor| self.sparse(tensor));
            attribute.g.iter().for_each(|graph| self.graph(graph));
            attribute.graphs.iter().for_each(|graph| self.graph(graph));
        }
    }

    fn tensor(&mut self, tensor: &TensorProto) {
        self.has_external_data |= tensor.data_location != 0 || !tensor.external_data.is_empty();
    }

    fn sparse(&mut self, tensor: &SparseTensor) {
        tensor.values.iter().chain(&tensor.indices).for_each(|tensor| self.tensor(tensor));
    }
}

// Messages of ONNX with only the fields that are looked at; the numbers of a model are skipped, not copied.

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "25")]
    functions: Vec<Function>,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(message, repeated, tag = "7")]
    node: Vec<Node>,
    #[prost(string, tag = "10")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "15")]
    sparse_initializer: Vec<SparseTensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(message, optional, tag = "5")]
    t: Option<TensorProto>,
    #[prost(message, optional, boxed, tag = "6")]
    g: Option<Box<Graph>>,
    #[prost(message, repeated, tag = "10")]
    tensors: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<Graph>,
    #[prost(message, optional, tag = "22")]
    sparse_tensor: Option<SparseTensor>,
    #[prost(message, repeated, tag = "23")]
    sparse_tensors: Vec<SparseTensor>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(string, tag = "8")]
    name: String,
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Entry>,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
struct SparseTensor {
    #[prost(message, optional, tag = "1")]
    values: Option<TensorProto>,
    #[prost(message, optional, tag = "2")]
    indices: Option<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    element_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
    }

    fn encoded(graph: Graph) -> Vec<u8> {
        Model { ir_version: 8, graph: Some(graph), ..Default::default() }.encode_to_vec()
    }

    #[test]
    fn a_file_says_what_goes_in_and_what_comes_out() {
        let about = inspect(&fixture("tiny.onnx")).unwrap();
        let input = &about.inputs[0];
        assert_eq!((about.inputs.len(), input.is_f32()), (1, true));
        assert_eq!(input.shape, [None, Some(3), Some(2), Some(2)]);
        let names: Vec<&str> = about.outputs.iter().map(|port| port.name.as_str()).collect();
        assert_eq!(names, ["feature", "logits"]);
        assert!(about.unknown_domains.is_empty() && !about.has_external_data);
    }

    #[test]
    fn what_lies_outside_is_found_in_inner_graphs_too() {
        let outside = TensorProto { data_location: 1, ..Default::default() };
        let inner = Graph { initializer: vec![outside], ..Default::default() };
        let foreign = Node { domain: "org.example".to_owned(), ..Default::default() };
        let attribute = Attribute { g: Some(Box::new(inner)), ..Default::default() };
        let node = Node { attribute: vec![attribute], ..Default::default() };
        let about =
            inspect_bytes(&encoded(Graph { node: vec![node, foreign], ..Default::default() })).unwrap();
        assert!(about.has_external_data);
        assert_eq!(about.unknown_domains, ["org.example"]);
    }

    #[test]
    fn what_is_no_model_is_refused() {
        let whole = std::fs::read(fixture("tiny.onnx")).unwrap();
        for bytes in [&b"not a model"[..], &[], &whole[..whole.len() / 2]] {
            assert!(matches!(inspect_bytes(bytes), Err(Error::BadInput(_))));
        }
    }
}
