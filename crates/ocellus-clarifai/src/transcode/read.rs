//! JSON to protobuf bytes in one pass, driven by [`Plan`]s: no tree of values in between, so that
//! a large base64 image is read, decoded and written once.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

use super::plan::{Field, Kind, Plan, Plans};
use super::{Malformed, scalar, wire};
use scalar::Number;

/// Appends to `out` the message that `json` describes. Names may be snake_case or camelCase,
/// unknown ones are skipped, `null` is absent.
pub fn read(plans: &Plans, plan: &Plan, json: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut at = At { plans, out, path: Vec::new() };
    let mut de = serde_json::Deserializer::from_slice(json);
    MessageSeed { plan, at: &mut at }
        .deserialize(&mut de)
        .and_then(|()| de.end())
        .map_err(|e| Malformed::new(path_text(&at.path), e.to_string()))
}

enum Step<'p> {
    Name(&'p str),
    Index(usize),
    Key(String),
}

/// Where we are: the bytes so far, and the way to the current value for error messages. A step is
/// taken back only on success, so that after an error the path names the culprit.
struct At<'p, 'o> {
    plans: &'p Plans,
    out: &'o mut Vec<u8>,
    path: Vec<Step<'p>>,
}

fn path_text(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Index(i) => text.push_str(&format!("[{i}]")),
            Step::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
        }
    }
    text
}

/// The fields of a message, without tag and length.
struct MessageSeed<'a, 'p, 'o> {
    plan: &'p Plan,
    at: &'a mut At<'p, 'o>,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_, '_, '_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { plan, at } = self;
        let mut given: Vec<u32> = Vec::new();
        while let Some(field) = map.next_key_seed(FieldName(plan))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            at.path.push(Step::Name(&field.name));
            let before = at.out.len();
            map.next_value_seed(FieldSeed { field, at })?;
            at.path.pop();
            if field.default_float.is_some() && at.out.len() > before {
                given.push(field.number);
            }
        }
        for &i in &plan.defaults {
            let field = &plan.fields[i];
            if !given.contains(&field.number) {
                let default = field.default_float.unwrap_or_default();
                scalar::number(at.out, field.number, &field.kind, Number::Float(default.into()));
            }
        }
        Ok(())
    }
}

struct FieldName<'p>(&'p Plan);

impl<'de, 'p> DeserializeSeed<'de> for FieldName<'p> {
    type Value = Option<&'p Field>;
    fn deserialize<D: serde::Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        de.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for FieldName<'p> {
    type Value = Option<&'p Field>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.field(name))
    }
}

/// The value of a field: a list, a map or a single value.
struct FieldSeed<'a, 'p, 'o> {
    field: &'p Field,
    at: &'a mut At<'p, 'o>,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_, '_, '_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        let Self { field, at } = self;
        if let Some(kinds) = &field.map {
            de.deserialize_any(MapSeed { number: field.number, kinds, at })
        } else if field.list {
            de.deserialize_any(ListSeed { number: field.number, kind: &field.kind, at })
        } else {
            de.deserialize_any(ValueSeed { number: field.number, kind: &field.kind, at })
        }
    }
}

struct ListSeed<'a, 'p, 'o> {
    number: u32,
    kind: &'p Kind,
    at: &'a mut At<'p, 'o>,
}

impl<'de> Visitor<'de> for ListSeed<'_, '_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        let Self { number, kind, at } = self;
        for i in 0.. {
            at.path.push(Step::Index(i));
            let more = seq.next_element_seed(ValueSeed { number, kind, at })?;
            at.path.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }
}

struct MapSeed<'a, 'p, 'o> {
    number: u32,
    kinds: &'p (Kind, Kind),
    at: &'a mut At<'p, 'o>,
}

impl<'de> Visitor<'de> for MapSeed<'_, '_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { number, kinds: (key_kind, value_kind), at } = self;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            at.path.push(Step::Key(key.clone().into_owned()));
            let start = wire::open(at.out, number);
            if !scalar::string(at.out, 1, key_kind, &key) {
                return Err(M::Error::invalid_value(Unexpected::Str(&key), &scalar::expected(key_kind)));
            }
            map.next_value_seed(ValueSeed { number: 2, kind: value_kind, at })?;
            wire::close(at.out, start);
            at.path.pop();
        }
        Ok(())
    }
}

/// One value of a kind, with tag and, where needed, length.
struct ValueSeed<'a, 'p, 'o> {
    number: u32,
    kind: &'p Kind,
    at: &'a mut At<'p, 'o>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        if matches!(self.kind, Kind::Value) {
            let start = wire::open(self.at.out, self.number);
            AnyValue(&mut *self.at.out).deserialize(de)?;
            wire::close(self.at.out, start);
            return Ok(());
        }
        de.deserialize_any(self)
    }
}

impl ValueSeed<'_, '_, '_> {
    fn number<E: serde::de::Error>(self, n: Number, found: Unexpected<'_>) -> Result<(), E> {
        if scalar::number(self.at.out, self.number, self.kind, n) {
            return Ok(());
        }
        Err(E::invalid_value(found, &scalar::expected(self.kind)))
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(scalar::expected(self.kind))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, v: bool) -> Result<(), E> {
        if scalar::boolean(self.at.out, self.number, self.kind, v) {
            return Ok(());
        }
        Err(E::invalid_type(Unexpected::Bool(v), &scalar::expected(self.kind)))
    }

    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<(), E> {
        self.number(Number::Signed(v), Unexpected::Signed(v))
    }

    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<(), E> {
        self.number(Number::Unsigned(v), Unexpected::Unsigned(v))
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<(), E> {
        self.number(Number::Float(v), Unexpected::Float(v))
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<(), E> {
        if scalar::string(self.at.out, self.number, self.kind, v) {
            return Ok(());
        }
        let short: String = v.chars().take(40).collect();
        Err(E::invalid_value(Unexpected::Str(&short), &scalar::expected(self.kind)))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is an object")]
    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<(), M::Error> {
        let start = wire::open(self.at.out, self.number);
        match self.kind {
            Kind::Message(index) => {
                let plan = self.at.plans.get(*index);
                MessageSeed { plan, at: &mut *self.at }.visit_map(map)?;
            }
            Kind::Struct => struct_fields(self.at.out, map)?,
            _ => return Err(M::Error::invalid_type(Unexpected::Map, &scalar::expected(self.kind))),
        }
        wire::close(self.at.out, start);
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, seq: S) -> Result<(), S::Error> {
        if !matches!(self.kind, Kind::ListValue) {
            return Err(S::Error::invalid_type(Unexpected::Seq, &scalar::expected(self.kind)));
        }
        let start = wire::open(self.at.out, self.number);
        list_values(self.at.out, seq)?;
        wire::close(self.at.out, start);
        Ok(())
    }
}

/// The contents of a `google.protobuf.Value`: any JSON.
struct AnyValue<'a>(&'a mut Vec<u8>);

fn struct_fields<'de, M: MapAccess<'de>>(out: &mut Vec<u8>, mut map: M) -> Result<(), M::Error> {
    while let Some(key) = map.next_key::<Cow<'de, str>>()? {
        let entry = wire::open(out, 1);
        wire::put_bytes(out, 1, key.as_bytes());
        let value = wire::open(out, 2);
        map.next_value_seed(AnyValue(out))?;
        wire::close(out, value);
        wire::close(out, entry);
    }
    Ok(())
}

fn list_values<'de, S: SeqAccess<'de>>(out: &mut Vec<u8>, mut seq: S) -> Result<(), S::Error> {
    loop {
        let before = out.len();
        let value = wire::open(out, 1);
        if seq.next_element_seed(AnyValue(out))?.is_none() {
            out.truncate(before);
            return Ok(());
        }
        wire::close(out, value);
    }
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        wire::put_tag(self.0, 1, wire::VARINT);
        self.0.push(0);
        Ok(())
    }

    fn visit_bool<E>(self, v: bool) -> Result<(), E> {
        scalar::boolean(self.0, 4, &Kind::Bool, v);
        Ok(())
    }

    fn visit_i64<E>(self, v: i64) -> Result<(), E> {
        scalar::number(self.0, 2, &Kind::Double, Number::Signed(v));
        Ok(())
    }

    fn visit_u64<E>(self, v: u64) -> Result<(), E> {
        scalar::number(self.0, 2, &Kind::Double, Number::Unsigned(v));
        Ok(())
    }

    fn visit_f64<E>(self, v: f64) -> Result<(), E> {
        scalar::number(self.0, 2, &Kind::Double, Number::Float(v));
        Ok(())
    }

    fn visit_str<E>(self, v: &str) -> Result<(), E> {
        wire::put_bytes(self.0, 3, v.as_bytes());
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<(), M::Error> {
        let start = wire::open(self.0, 5);
        struct_fields(self.0, map)?;
        wire::close(self.0, start);
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, seq: S) -> Result<(), S::Error> {
        let start = wire::open(self.0, 6);
        list_values(self.0, seq)?;
        wire::close(self.0, start);
        Ok(())
    }
}
