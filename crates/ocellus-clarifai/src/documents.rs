//! Free-form JSON and times between the core's forms and protobuf's.

use ocellus_core::JsonMap;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Timestamp, Value};
use serde_json::{Number, Value as Json};

/// Whole numbers up to here are exact in a double.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

pub fn from_struct(document: Struct) -> JsonMap {
    document.fields.into_iter().map(|(key, value)| (key, from_value(value))).collect()
}

/// Absent if empty: an empty object and none at all are the same to the platform.
pub fn to_struct(document: &JsonMap) -> Option<Struct> {
    (!document.is_empty()).then(|| full_struct(document))
}

fn full_struct(document: &JsonMap) -> Struct {
    Struct { fields: document.iter().map(|(key, value)| (key.clone(), to_value(value))).collect() }
}

fn from_value(value: Value) -> Json {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(b)) => Json::Bool(b),
        Some(Kind::StringValue(s)) => Json::String(s),
        Some(Kind::NumberValue(n)) if n.fract() == 0.0 && n.abs() <= MAX_EXACT => Json::from(n as i64),
        Some(Kind::NumberValue(n)) => Number::from_f64(n).map_or(Json::Null, Json::Number),
        Some(Kind::StructValue(s)) => Json::Object(from_struct(s)),
        Some(Kind::ListValue(list)) => Json::Array(list.values.into_iter().map(from_value).collect()),
    }
}

fn to_value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(b) => Kind::BoolValue(*b),
        Json::Number(n) => Kind::NumberValue(n.as_f64().unwrap_or_default()),
        Json::String(s) => Kind::StringValue(s.clone()),
        Json::Array(items) => Kind::ListValue(ListValue { values: items.iter().map(to_value).collect() }),
        Json::Object(map) => Kind::StructValue(full_struct(map)),
    };
    Value { kind: Some(kind) }
}

/// A time in microseconds since the epoch.
#[expect(clippy::unnecessary_wraps, reason = "message fields are options")]
pub fn time(us: i64) -> Option<Timestamp> {
    let (seconds, micros) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000));
    Some(Timestamp { seconds, nanos: micros as i32 * 1000 })
}

/// A time as text, RFC 3339 in UTC; empty beyond the year 9999.
pub fn text(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us).map_or_else(|_| String::new(), |at| at.to_string())
}

/// Microseconds since the epoch; what lies beyond the range becomes its end.
pub fn micros(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_survive_the_way_there_and_back() {
        let text = r#"{"a":1,"b":1.5,"c":null,"d":[true,"x",{"e":{}}],"f":-3}"#;
        let map: JsonMap = serde_json::from_str(text).unwrap();
        assert_eq!(from_struct(to_struct(&map).unwrap()), map);
        assert_eq!(to_struct(&JsonMap::new()), None);
    }

    #[test]
    fn times_keep_their_microseconds_on_both_sides_of_the_epoch() {
        for us in [0, 1, 1_479_834_422_000_001, -1, -1_500_000] {
            assert_eq!(micros(&time(us).unwrap()), us);
        }
    }
}
