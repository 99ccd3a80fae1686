//! The compiled service against the tables that it was written from, and against the document of 2018.

#![expect(clippy::unwrap_used, reason = "the functions that read the fixture belong to the tests")]

use std::collections::BTreeMap;

use ocellus_clarifai_proto::{Generation, Operation, SERVICE, operations, pool};
use prost_reflect::{MethodDescriptor, Value};

/// One row of fixtures/methods.tsv: a method as one generation of clients has it.
struct Row {
    era: &'static str,
    rpc: &'static str,
    request: &'static str,
    response: &'static str,
    streams: &'static str,
    auth: &'static str,
    scopes: Vec<i32>,
    /// Verb, path and body.
    bindings: Vec<(String, String, String)>,
}

fn rows() -> Vec<Row> {
    let text = include_str!("../fixtures/methods.tsv");
    text.lines().skip(1).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let cells: Vec<&'static str> = line.split('\t').collect();
    let [era, rpc, request, response, streams, auth, scopes, bindings] = cells[..] else {
        panic!("not eight columns: {line}")
    };
    let scopes = scopes.split(',').filter(|s| !s.is_empty()).map(|s| s.parse().unwrap()).collect();
    Row {
        era,
        rpc,
        request,
        response,
        streams,
        auth,
        scopes,
        bindings: bindings.split(", ").map(binding).collect(),
    }
}

fn binding(text: &str) -> (String, String, String) {
    let mut words = text.split(' ');
    let verb = words.next().unwrap().to_owned();
    let path = words.next().unwrap();
    let path = path.replace("<user>", "/v2/users/{user_app_id.user_id}");
    let path = path.replace("<app>", "/v2/users/{user_app_id.user_id}/apps/{user_app_id.app_id}");
    (verb, path, words.next().unwrap_or_default().to_owned())
}

fn methods() -> BTreeMap<String, MethodDescriptor> {
    let service = pool().get_service_by_name(SERVICE).unwrap();
    service.methods().map(|m| (m.name().to_owned(), m)).collect()
}

fn by_rpc() -> BTreeMap<String, Vec<Operation>> {
    let mut map: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for operation in operations() {
        map.entry(operation.rpc.clone()).or_default().push(operation);
    }
    map
}

fn number(value: &Value) -> i32 {
    value.as_enum_number().unwrap()
}

fn scopes_and_auth(method: &MethodDescriptor) -> (Vec<i32>, String) {
    let options = method.options();
    let scopes = pool().get_extension_by_name("clarifai.auth.util.cl_depending_scopes").unwrap();
    let auth = pool().get_extension_by_name("clarifai.auth.util.cl_auth_type").unwrap();
    let scopes = options.get_extension(&scopes).as_list().unwrap().iter().map(number).collect();
    let auth = if options.has_extension(&auth) {
        number(&options.get_extension(&auth)).to_string()
    } else {
        String::new()
    };
    (scopes, auth)
}

#[test]
fn every_method_of_the_current_client_has_its_types_streams_scopes_and_bindings() {
    let (methods, operations) = (methods(), by_rpc());
    let current: Vec<Row> = rows().into_iter().filter(|r| r.era == "current").collect();
    assert_eq!(current.len(), 273);
    for row in &current {
        let method = &methods[row.rpc];
        assert_eq!(
            (method.input().name(), method.output().name()),
            (row.request, row.response),
            "{}",
            row.rpc
        );
        let streams = (method.is_client_streaming(), method.is_server_streaming());
        assert_eq!(streams, (row.streams.contains('c'), row.streams.contains('s')), "{}", row.rpc);
        assert_eq!(scopes_and_auth(method), (row.scopes.clone(), row.auth.to_owned()), "{}", row.rpc);
        let ours: Vec<_> = operations[row.rpc]
            .iter()
            .filter(|o| o.generation == Generation::Current)
            .map(|o| (o.method.clone(), o.path.clone(), o.body.clone()))
            .collect();
        assert_eq!(ours, row.bindings, "{}", row.rpc);
    }
}

#[test]
fn methods_of_older_clients_are_still_served_at_their_routes() {
    // The newest client changed what these return.
    const CHANGED: [&str; 2] = ["ListConceptRelations", "PutTaskAssignments"];
    let (methods, operations) = (methods(), by_rpc());
    let old: Vec<Row> = rows().into_iter().filter(|r| r.era != "current").collect();
    assert!(old.len() > 45, "{} rows", old.len());
    for row in &old {
        let method = &methods[row.rpc];
        assert_eq!(method.input().name(), row.request, "{}", row.rpc);
        if !CHANGED.contains(&row.rpc) {
            assert_eq!(method.output().name(), row.response, "{}", row.rpc);
        }
        for (verb, path, body) in &row.bindings {
            let served =
                operations[row.rpc].iter().any(|o| (&o.method, &o.path, &o.body) == (verb, path, body));
            assert!(served, "{} lost {verb} {path}", row.rpc);
        }
    }
}

#[test]
fn every_property_that_the_2018_document_shows_has_a_field() {
    let text = include_str!("../fixtures/documented_2018.tsv");
    let mut missing = Vec::new();
    for line in text.lines().skip(1) {
        let (schema, properties) = line.split_once('\t').unwrap();
        let message = pool().get_message_by_name(schema);
        let lacks = |p: &&str| message.as_ref().is_none_or(|m| m.get_field_by_name(p).is_none());
        missing.extend(properties.split(' ').filter(lacks).map(|p| format!("{schema}.{p}")));
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn all_92_operations_of_the_2018_document_are_routed() {
    let documented = operations().into_iter().filter(|o| o.documented_in_2018);
    let mut keys: Vec<_> = documented.map(|o| (o.method, o.path)).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 92);
}

#[test]
fn no_route_is_answered_by_two_methods() {
    let mut owners: BTreeMap<(String, String), String> = BTreeMap::new();
    for operation in operations().into_iter().filter(|o| o.answered_by.is_none()) {
        let segments = operation.path.split('/').map(|s| if s.starts_with('{') { "{}" } else { s });
        let key = (operation.method, segments.collect::<Vec<_>>().join("/"));
        if let Some(other) = owners.insert(key.clone(), operation.rpc.clone()) {
            panic!("{key:?} is claimed by {other} and {}", operation.rpc);
        }
    }
    assert_eq!(operations().iter().filter(|o| o.answered_by.is_some()).count(), 4);
}

#[test]
fn fields_dropped_since_2018_stand_at_the_numbers_they_had() {
    let cases = [
        ("Image", "crop", 3),
        ("OutputInfo", "type", 4),
        ("OutputInfo", "type_ext", 5),
        ("Data", "face", 4),
        ("Data", "focus", 10),
        ("Input", "feedback_info", 3),
        ("OutputConfig", "concepts_mutually_exclusive", 1),
        ("OutputConfig", "closed_environment", 2),
        ("OutputConfig", "test_split_percent", 11),
        ("OutputConfig", "template_name", 12),
        ("RegionInfo", "feedback", 3),
        ("DeleteInputsRequest", "delete_all", 3),
    ];
    for (message, field, number) in cases {
        let message = pool().get_message_by_name(&format!("clarifai.api.{message}")).unwrap();
        let found = message.get_field_by_name(field).unwrap_or_else(|| panic!("{message:?} lacks {field}"));
        assert_eq!(found.number(), number, "{field}");
    }
}

#[test]
fn json_options_of_fields_survive_the_build() {
    let value =
        pool().get_message_by_name("clarifai.api.Concept").unwrap().get_field_by_name("value").unwrap();
    let shown = pool().get_extension_by_name("clarifai.api.utils.cl_show_if_empty").unwrap();
    let default = pool().get_extension_by_name("clarifai.api.utils.cl_default_float").unwrap();
    assert_eq!(value.options().get_extension(&shown).as_bool(), Some(true));
    assert_eq!(value.options().get_extension(&default).as_f32(), Some(1.0));
}
