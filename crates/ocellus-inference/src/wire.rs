//! Tensors as JSON, with the extension for binary data behind it.

use bytes::Bytes;
use ocellus_core::tensors::{About, Kind, NamedTensor, Place, Question, Values};
use ocellus_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::binary;

#[derive(Debug, Deserialize)]
pub struct InferRequest {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub parameters: Map<String, Value>,
    pub inputs: Vec<InputTensor>,
    #[serde(default)]
    pub outputs: Vec<WantedOutput>,
}

#[derive(Debug, Deserialize)]
pub struct InputTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub datatype: String,
    #[serde(default)]
    pub parameters: Map<String, Value>,
    #[serde(default)]
    pub data: Vec<Value>,
}

#[derive(Debug, Deserialize)]
pub struct WantedOutput {
    pub name: String,
    #[serde(default)]
    pub parameters: Map<String, Value>,
}

#[derive(Debug, Serialize)]
pub struct InferResponse {
    pub model_name: String,
    pub model_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub parameters: Map<String, Value>,
    pub outputs: Vec<Value>,
}

/// The size of all axes together. `Invalid` if there are more values than a request can hold.
pub fn n_values(shape: &[usize]) -> Result<usize> {
    let n = shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size)).filter(|n| *n <= 1 << 30);
    n.ok_or_else(|| Error::invalid("inputs", "must have a shape that a request can hold"))
}

/// A request as a question; `binary` is what came behind the JSON.
pub fn question(request: &InferRequest, mut binary: Bytes) -> Result<Question> {
    let mut inputs = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        let n = n_values(&input.shape)?;
        let values = match input.parameters.get("binary_data_size").map(Value::as_u64) {
            None => values(&input.datatype, &input.data, n)?,
            Some(size) => {
                let size =
                    size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= binary.len());
                let wrong = || Error::invalid("inputs.parameters.binary_data_size", "is more than came");
                binary::read(&input.datatype, binary.split_to(size.ok_or_else(wrong)?), n)?
            }
        };
        inputs.push(NamedTensor { name: input.name.clone(), shape: input.shape.clone(), values });
    }
    let max_concepts = request.parameters.get("max_concepts").map_or(Ok(0), |given| {
        let n = given.as_u64().and_then(|n| u32::try_from(n).ok());
        n.ok_or_else(|| Error::invalid("parameters.max_concepts", "must be 1 to 200"))
    })?;
    let wanted = request.outputs.iter().map(|output| output.name.clone()).collect();
    Ok(Question { inputs, wanted, max_concepts, ..Question::default() })
}

/// The values of JSON lists, which may be nested.
fn values(datatype: &str, data: &[Value], n: usize) -> Result<Values> {
    let mut flat = Vec::new();
    data.iter().for_each(|value| flatten(value, &mut flat));
    let wrong = || Error::invalid("inputs.data", format!("must hold {n} values of {datatype}"));
    if flat.len() != n {
        return Err(wrong());
    }
    match datatype {
        "FP32" | "UINT8" => {
            let numbers = flat.iter().map(|value| value.as_f64().map(|x| x as f32));
            Ok(Values::F32(numbers.collect::<Option<_>>().ok_or_else(wrong)?))
        }
        "BYTES" => {
            let text = |value: &&Value| value.as_str().map(|text| Bytes::from(text.to_owned()));
            Ok(Values::Bytes(flat.iter().map(text).collect::<Option<_>>().ok_or_else(wrong)?))
        }
        other => Err(binary::unknown(other)),
    }
}

fn flatten<'a>(value: &'a Value, into: &mut Vec<&'a Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| flatten(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            into.push(value)
        }
    }
}

/// What was said, as JSON with what comes behind it.
pub fn answer(
    request: &InferRequest,
    about: &About,
    outputs: &[NamedTensor],
) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    let is_on =
        |parameters: &Map<String, Value>, name: &str| parameters.get(name) == Some(&Value::Bool(true));
    let all = is_on(&request.parameters, "binary_data_output");
    let mut behind = None;
    let mut listed = Vec::with_capacity(outputs.len());
    for output in outputs {
        let mut entry = json!({
            "name": output.name, "shape": output.shape, "datatype": binary::datatype(&output.values),
        });
        let asked = request.outputs.iter().find(|wanted| wanted.name == output.name);
        if asked.map_or(all, |asked| is_on(&asked.parameters, "binary_data")) {
            let bytes = binary::write(&output.values);
            entry["parameters"] = json!({"binary_data_size": bytes.len()});
            behind.get_or_insert_with(Vec::new).extend_from_slice(&bytes);
        } else {
            entry["data"] = data(&output.values);
        }
        listed.push(entry);
    }
    let response = InferResponse {
        model_name: about.name.clone(),
        model_version: about.version.clone(),
        id: request.id.clone(),
        parameters: [("licence".to_owned(), json!(about.licence))].into_iter().collect(),
        outputs: listed,
    };
    Ok((serde_json::to_vec(&response).map_err(Error::internal)?, behind))
}

fn data(values: &Values) -> Value {
    match values {
        Values::F32(numbers) => json!(numbers),
        Values::U64(numbers) => json!(numbers),
        Values::Bytes(texts) => texts.iter().map(|text| json!(String::from_utf8_lossy(text))).collect(),
    }
}

/// What a model takes and gives.
pub fn metadata(about: &About) -> Value {
    json!({
        "name": about.name,
        "versions": [about.version],
        "platform": "ocellus",
        "inputs": about.inputs.iter().map(place).collect::<Vec<_>>(),
        "outputs": about.outputs.iter().map(place).collect::<Vec<_>>(),
        "parameters": {"licence": about.licence},
    })
}

fn place(place: &Place) -> Value {
    json!({"name": place.name, "datatype": type_of(place.kind), "shape": sizes(place)})
}

/// The name of a kind.
pub fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::F32 => "FP32",
        Kind::U64 => "UINT64",
        Kind::Bytes => "BYTES",
    }
}

/// Sizes of axes, -1 for any.
pub fn sizes(place: &Place) -> Vec<i64> {
    place.shape.iter().map(|size| size.and_then(|n| i64::try_from(n).ok()).unwrap_or(-1)).collect()
}
