//! The store as others use it, each test on every database there is for tests.

mod annotations;
mod apps;
mod inputs;
mod jobs;
mod labels;
mod models;
mod races;
mod runner_items;
mod store;
mod vectors;

use ocellus_store::{App, Concept, Input, JsonMap, Label};

pub fn json(text: &str) -> JsonMap {
    serde_json::from_str(text).expect("a test writes JSON objects")
}

pub fn app(uid: &str, account_id: &str, id: &str) -> App {
    App {
        uid: uid.to_owned(),
        account_id: account_id.to_owned(),
        id: id.to_owned(),
        name: id.to_owned(),
        description: "about".to_owned(),
        default_language: "en".to_owned(),
        metadata: json(r#"{"a":{"b":[1,2.5,null,"ü\u0000"]}}"#),
        doc: json(r#"{"x":1}"#),
        created_at_us: 10,
        modified_at_us: 11,
        version: 1,
        deleted_at_us: None,
    }
}

pub fn input(app_uid: &str, id: &str) -> Input {
    Input {
        app_uid: app_uid.to_owned(),
        id: id.to_owned(),
        seq: 0,
        state: 0,
        failure_code: String::new(),
        failure: String::new(),
        kind: "image".to_owned(),
        source_url: None,
        blob: None,
        thumb: None,
        content_hash: None,
        phash: None,
        width: None,
        height: None,
        mime: None,
        lat: None,
        lon: None,
        metadata: JsonMap::new(),
        doc: JsonMap::new(),
        created_at_us: 20,
        modified_at_us: 21,
    }
}

pub fn concept(app_uid: &str, id: &str, name: &str) -> Concept {
    Concept {
        app_uid: app_uid.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        language: "en".to_owned(),
        definition: "what it is".to_owned(),
        metadata: json(r#"{"k":"v"}"#),
        created_at_us: 30,
        modified_at_us: 31,
    }
}

pub fn label(app_uid: &str, input_id: &str, concept_id: &str, value: f64) -> Label {
    Label {
        app_uid: app_uid.to_owned(),
        input_id: input_id.to_owned(),
        annotation_id: String::new(),
        concept_id: concept_id.to_owned(),
        value,
        account_id: "me".to_owned(),
        created_at_us: 40,
    }
}
