//! The vendor's JSON, case by case.

use ocellus_clarifai_proto::pool;
use prost_reflect::{DynamicMessage, ReflectMessage};

use super::{Form, Malformed, Plans, read, set, write};

fn plans() -> &'static Plans {
    static PLANS: std::sync::LazyLock<Plans> = std::sync::LazyLock::new(|| Plans::new(pool()));
    &PLANS
}

fn to_bytes(message: &str, json: &str) -> Result<Vec<u8>, Malformed> {
    let plan = plans().get(plans().index(message).unwrap());
    let mut out = Vec::new();
    read(plans(), plan, json.as_bytes(), &mut out)?;
    Ok(out)
}

fn to_json(message: &str, bytes: &[u8]) -> String {
    let plan = plans().get(plans().index(message).unwrap());
    let mut out = Vec::new();
    write(Form { plans: plans(), old: false }, plan, bytes, &mut out);
    String::from_utf8(out).unwrap()
}

/// Reads JSON and writes what was understood. In between, an independent decoder takes our bytes
/// apart and puts them together in canonical form.
fn there_and_back(message: &str, json: &str) -> String {
    let bytes = to_bytes(message, json).unwrap_or_else(|e| panic!("{json}: {e}"));
    let descriptor = pool().get_message_by_name(message).unwrap();
    let decoded = DynamicMessage::decode(descriptor, &bytes[..]).unwrap();
    use prost_reflect::prost::Message;
    to_json(message, &decoded.encode_to_vec())
}

/// Message, what comes in, what goes out.
#[rustfmt::skip] // one case, one line
const CASES: &[(&str, &str, &str)] = &[
    // Names: snake_case and camelCase in, snake_case out; unknown ones are skipped.
    (
        "Input",
        r#"{"id":"a","createdAt":"2016-11-22T17:06:02Z"}"#,
        r#"{"id":"a","created_at":"2016-11-22T17:06:02Z"}"#,
    ),
    ("Input", r#"{"nonsense":{"a":[1,{"b":2}]},"id":"a"}"#, r#"{"id":"a"}"#),
    // Nulls are absent.
    ("Input", r#"{"id":null,"data":null,"dataset_ids":null}"#, "{}"),
    ("Concept", r#"{"id":"a","language":null,"value":null}"#, r#"{"id":"a","value":1}"#),
    // An absent concept value is 1, a given one is what it is, booleans are numbers.
    ("Concept", r#"{"id":"a"}"#, r#"{"id":"a","value":1}"#),
    ("Concept", r#"{"id":"a","value":0}"#, r#"{"id":"a","value":0}"#),
    ("Concept", r#"{"id":"a","value":true}"#, r#"{"id":"a","value":1}"#),
    ("Concept", r#"{"id":"a","value":false}"#, r#"{"id":"a","value":0}"#),
    (
        "Data",
        r#"{"concepts":[{"id":"a"},{"id":"b","value":0.5}]}"#,
        r#"{"concepts":[{"id":"a","value":1},{"id":"b","value":0.5}]}"#,
    ),
    // Floats: the shortest digits of single precision, none after an integral value.
    ("Concept", r#"{"value":0.99960595}"#, r#"{"value":0.99960595}"#),
    ("Concept", r#"{"value":0.1}"#, r#"{"value":0.1}"#),
    ("Concept", r#"{"value":-2.0}"#, r#"{"value":-2}"#),
    ("Concept", r#"{"value":"0.25"}"#, r#"{"value":0.25}"#),
    // Enums: names and numbers in, numbers out.
    ("Visibility", r#"{"gettable":"PUBLIC"}"#, r#"{"gettable":50}"#),
    ("Visibility", r#"{"gettable":50}"#, r#"{"gettable":50}"#),
    ("FeedbackInfo", r#"{"event_type":"annotation"}"#, r#"{"event_type":2}"#),
    ("status.Status", r#"{"code":10000,"description":"Ok"}"#, r#"{"code":10000,"description":"Ok"}"#),
    ("status.Status", r#"{"code":"SUCCESS"}"#, r#"{"code":10000}"#),
    // Numbers: also in strings, and integral floats for integers.
    ("Pagination", r#"{"page":"2","perPage":20.0}"#, r#"{"page":2,"per_page":20}"#),
    // Structs keep their shape: empty objects, nulls, nesting, whole numbers.
    ("Data", r#"{"metadata":{}}"#, r#"{"metadata":{}}"#),
    (
        "Data",
        r#"{"metadata":{"a":null,"b":{},"c":[1,2.5,"x",true,[]]}}"#,
        r#"{"metadata":{"a":null,"b":{},"c":[1,2.5,"x",true,[]]}}"#,
    ),
    // Bytes: line breaks, the URL-safe alphabet, no padding, data URLs.
    ("Image", r#"{"base64":"dHJ1ZQ=="}"#, r#"{"base64":"dHJ1ZQ=="}"#),
    ("Image", r#"{"base64":"dHJ1\nZQ==\n"}"#, r#"{"base64":"dHJ1ZQ=="}"#),
    ("Image", r#"{"base64":"dHJ1ZQ"}"#, r#"{"base64":"dHJ1ZQ=="}"#),
    ("Image", r#"{"base64":"-_-_"}"#, r#"{"base64":"+/+/"}"#),
    ("Image", r#"{"base64":"data:image/png;base64,dHJ1ZQ=="}"#, r#"{"base64":"dHJ1ZQ=="}"#),
    // Shown although empty.
    ("MultiModelResponse", r#"{"status":{"code":11102}}"#, r#"{"status":{"code":11102},"models":[]}"#),
    ("MultiSearchResponse", r#"{"hits":[{}]}"#, r#"{"hits":[{"score":0}]}"#),
    ("GeoPoint", "{}", r#"{"longitude":0,"latitude":0}"#),
    ("OutputConfig", "{}", r#"{"max_concepts":0,"min_value":0}"#),
    // Times: no digits, or six, or nine.
    (
        "Input",
        r#"{"created_at":"2019-01-20T20:25:20.302505245Z"}"#,
        r#"{"created_at":"2019-01-20T20:25:20.302505245Z"}"#,
    ),
    (
        "Input",
        r#"{"created_at":"2019-01-20T20:25:20.3Z"}"#,
        r#"{"created_at":"2019-01-20T20:25:20.300000Z"}"#,
    ),
    (
        "Input",
        r#"{"created_at":"2019-01-20T21:25:20+01:00"}"#,
        r#"{"created_at":"2019-01-20T20:25:20Z"}"#,
    ),
    // Maps, wrappers, text that needs escapes, lists of numbers.
    (
        "Image",
        r#"{"hosted_image_info":{"small":{"width":3}}}"#,
        r#"{"hosted_image_info":{"small":{"width":3}}}"#,
    ),
    ("App", r#"{"is_template":false}"#, r#"{"is_template":false}"#),
    ("Input", r#"{"id":"的な \"q\" \\ \u0001"}"#, r#"{"id":"的な \"q\" \\ \u0001"}"#),
    ("Embedding", r#"{"vector":[0.5,-1,2]}"#, r#"{"vector":[0.5,-1,2]}"#),
    ("Image", r#"{"crop":[0.1,0.2,0.3,1]}"#, r#"{"crop":[0.1,0.2,0.3,1]}"#),
];

#[test]
fn json_is_understood_and_printed_as_the_vendor_does() {
    for (message, json, expected) in CASES {
        assert_eq!(there_and_back(&format!("clarifai.api.{message}"), json), *expected, "{json}");
    }
}

#[test]
fn a_wrong_value_is_refused_with_the_name_of_its_field() {
    let cases = [
        (r#"{"inputs":[{},{"data":{"image":{"base64":"***"}}}]}"#, "inputs[1].data.image.base64"),
        (r#"{"inputs":[{"data":{"image":{"base64":"dHJ1Z"}}}]}"#, "inputs[0].data.image.base64"),
        (r#"{"inputs":{"id":"a"}}"#, "inputs"),
        (r#"{"inputs":[{"id":5}]}"#, "inputs[0].id"),
        (r#"{"inputs":[{"id":["a"]}]}"#, "inputs[0].id"),
        (r#"{"inputs":[{"data":"x"}]}"#, "inputs[0].data"),
        (r#"{"inputs":[{"data":{"concepts":[{"value":"much"}]}}]}"#, "inputs[0].data.concepts[0].value"),
        (r#"{"inputs":[{"created_at":"yesterday"}]}"#, "inputs[0].created_at"),
        (r#"{"inputs":[{"status":{"code":"NO_SUCH_CODE"}}]}"#, "inputs[0].status.code"),
        (r#"{"inputs":[{"data":{"metadata":[1]}}]}"#, "inputs[0].data.metadata"),
        (r#"{"inputs":["#, "inputs[0]"),
        (r#"[]"#, ""),
        (r#"not json"#, ""),
        (r#"{} {}"#, ""),
    ];
    for (json, field) in cases {
        let error = to_bytes("clarifai.api.PostInputsRequest", json).expect_err(json);
        assert_eq!(error.field, field, "{json}: {error}");
    }
}

#[test]
fn the_text_of_an_error_does_not_repeat_an_image() {
    let json = format!(r#"{{"inputs":[{{"data":{{"image":{{"base64":"{}"}}}}}}]}}"#, "!".repeat(100_000));
    let error = to_bytes("clarifai.api.PostInputsRequest", &json).unwrap_err();
    assert!(error.to_string().len() < 400, "{}", error.to_string().len());
}

#[test]
fn path_and_query_add_to_the_body() {
    let message = "clarifai.api.ListInputsRequest";
    let plan = plans().get(plans().index(message).unwrap());
    let mut bytes = to_bytes(message, r#"{"page":1,"user_app_id":{"user_id":"body"}}"#).unwrap();
    for (name, value) in [
        ("ids", "a"),
        ("ids", "b"),
        ("page", "2"),
        ("perPage", "7"),
        ("user_app_id.app_id", "app1"),
        ("userAppId.userId", "me"),
        ("unknown", "x"),
        ("status.code", "INPUT_SUCCESS"),
    ] {
        set(plans(), plan, name, value, &mut bytes).unwrap();
    }
    let descriptor = pool().get_message_by_name(message).unwrap();
    let decoded = DynamicMessage::decode(descriptor, &bytes[..]).unwrap();
    use prost_reflect::prost::Message;
    assert_eq!(
        to_json(message, &decoded.encode_to_vec()),
        r#"{"user_app_id":{"user_id":"me","app_id":"app1"},"page":2,"per_page":7,"ids":["a","b"],"status":{"code":30000}}"#
    );
    let error = set(plans(), plan, "page", "many", &mut bytes).unwrap_err();
    assert_eq!(error.field, "page");
}

#[test]
fn clients_of_2018_see_the_empty_fields_that_their_proto_showed() {
    let plan = plans().get(plans().index("clarifai.api.OutputConfig").unwrap());
    let mut out = Vec::new();
    write(Form { plans: plans(), old: true }, plan, &[], &mut out);
    let expected =
        r#"{"concepts_mutually_exclusive":false,"closed_environment":false,"max_concepts":0,"min_value":0}"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn the_status_comes_first_in_every_answer() {
    let service = pool().get_service_by_name(ocellus_clarifai_proto::SERVICE).unwrap();
    for method in service.methods() {
        let name = method.output().full_name().to_owned();
        let plan = plans().get(plans().index(&name).unwrap());
        assert_eq!(plan.fields.first().map(|f| f.name.as_str()), Some("status"), "{name}");
    }
}

/// Every message of the proto, filled by a simple rule, is printed as an independent implementation
/// prints it, up to the vendor's own rules, which are tested above.
#[test]
#[expect(clippy::wildcard_enum_match_arm, reason = "messages and enums are left empty")]
fn every_message_reads_what_it_writes() {
    for descriptor in pool().all_messages() {
        if !descriptor.full_name().starts_with("clarifai.") {
            continue;
        }
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let value = match field.kind() {
                prost_reflect::Kind::String => prost_reflect::Value::String("x".to_owned()),
                prost_reflect::Kind::Float => prost_reflect::Value::F32(0.5),
                prost_reflect::Kind::Uint32 => prost_reflect::Value::U32(7),
                prost_reflect::Kind::Int32 => prost_reflect::Value::I32(-7),
                prost_reflect::Kind::Int64 => prost_reflect::Value::I64(-1 << 40),
                prost_reflect::Kind::Uint64 => prost_reflect::Value::U64(1 << 40),
                prost_reflect::Kind::Double => prost_reflect::Value::F64(1.25),
                prost_reflect::Kind::Bool => prost_reflect::Value::Bool(true),
                prost_reflect::Kind::Bytes => prost_reflect::Value::Bytes(b"bytes"[..].into()),
                _ => continue,
            };
            if field.is_list() {
                message.set_field(&field, prost_reflect::Value::List(vec![value.clone(), value]));
            } else if !field.is_map() {
                message.set_field(&field, value);
            }
        }
        use prost_reflect::prost::Message;
        let json = to_json(descriptor.full_name(), &message.encode_to_vec());
        let bytes = to_bytes(descriptor.full_name(), &json).unwrap_or_else(|e| panic!("{json}: {e}"));
        let again = DynamicMessage::decode(descriptor.clone(), &bytes[..]).unwrap();
        // Fields shown although empty come back as set, so the JSON is what is compared.
        assert_eq!(to_json(descriptor.full_name(), &again.encode_to_vec()), json);
        assert_eq!(again.descriptor(), descriptor);
    }
}
