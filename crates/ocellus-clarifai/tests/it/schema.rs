//! Answers against the schemas of the vendor's document of 2018, as corrected by the overlay.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use jsonschema::Validator;
use ocellus_http::scenario::Seen;
use serde_json::{Map, Value, json};

use crate::bindings;

const DOCUMENT: &str = include_str!("../../../../fixtures/spec/responses-2018.json");
const OVERLAY: &str = include_str!("../../../../fixtures/spec/overlay-2018.json");
/// Problems shown of one answer.
const N_SHOWN: usize = 5;

/// The schema of an RPC's answers, made ready when the first of them comes.
struct Answer {
    schema: Value,
    validator: OnceLock<Validator>,
}

/// By the RPC that answers a route of the document; its newer routes answer alike.
static ANSWERS: LazyLock<HashMap<&'static str, Answer>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let mut answers = HashMap::new();
    for (operation, schema) in document["operations"].as_object().unwrap() {
        let (method, path) = operation.split_once(' ').unwrap();
        let route = bindings::route(method, path).unwrap_or_else(|| panic!("{operation} leads nowhere"));
        let answer = Answer { schema: schema.clone(), validator: OnceLock::new() };
        answers.insert(route.rpc.as_str(), answer);
    }
    answers
});

fn corrected() -> Map<String, Value> {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let mut schemas = std::mem::take(document["$defs"].as_object_mut().unwrap());
    let overlay: Map<String, Value> = serde_json::from_str(OVERLAY).unwrap();
    for (name, correction) in overlay {
        schemas.insert(name, correction["schema"].clone());
    }
    schemas
}

impl Answer {
    fn validator(&self) -> &Validator {
        self.validator.get_or_init(|| {
            let mut schema = self.schema.clone();
            schema["$defs"] = Value::Object(corrected());
            jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
        })
    }
}

/// What is wrong with an answer; nothing is known of those that the document does not describe.
pub fn check(seen: &Seen<'_>) -> Result<(), String> {
    if !seen.content_type.starts_with("application/json") {
        return Ok(());
    }
    let Some(route) = bindings::route(seen.method, seen.path) else { return Ok(()) };
    let body: Value = serde_json::from_str(seen.body).map_err(|e| format!("the answer is not JSON: {e}"))?;
    if !body["status"]["code"].is_i64() {
        return Err(format!("the answer of {} has no status code", route.rpc));
    }
    let Some(answer) = ANSWERS.get(route.rpc.as_str()) else { return Ok(()) };
    let problems: Vec<String> = answer
        .validator()
        .iter_errors(&body)
        .take(N_SHOWN)
        .map(|problem| format!("at {}: {problem}", problem.instance_path()))
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "the answer of {} is not what the document of 2018 describes:\n  {}",
            route.rpc,
            problems.join("\n  ")
        )),
    }
}

#[test]
fn an_answer_of_the_wrong_shape_is_noticed() {
    let look = |body: Value| {
        check(&Seen {
            method: "GET",
            path: "/v2/inputs/x",
            status: 200,
            content_type: "application/json",
            body: &body.to_string(),
        })
    };
    let input = |input: Value| look(json!({"status": {"code": 10000}, "input": input}));
    input(json!({"id": "x", "created_at": "2016-11-22T17:06:02Z", "data": {"metadata": {"any": [1]}}}))
        .unwrap();
    for wrong in [
        json!({"id": 7}),
        json!({"created_at": "yesterday"}),
        json!({"data": {"concepts": {}}}),
        json!({"data": {"regions": [{"data": {"concepts": [{"value": "1"}]}}]}}),
        json!(null),
    ] {
        assert!(input(wrong.clone()).is_err(), "{wrong}");
    }
    assert!(look(json!({"status": {"code": "SUCCESS"}})).is_err());
    assert!(look(json!({})).is_err());
}

#[test]
fn every_correction_replaces_a_schema_of_the_document_and_says_why() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let overlay: Map<String, Value> = serde_json::from_str(OVERLAY).unwrap();
    assert_eq!(document["operations"].as_object().unwrap().len(), 92);
    for (name, correction) in &overlay {
        let original = &document["$defs"][name];
        assert!(original.is_object(), "{name} is not in the document");
        assert_ne!(original, &correction["schema"], "{name} is as in the document");
        assert!(correction["why"].as_str().is_some_and(|why| why.len() > 20), "{name} says no reason");
    }
}
