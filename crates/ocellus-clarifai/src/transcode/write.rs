//! Protobuf bytes to the vendor's JSON in one pass: snake_case, integer enums, zero values left
//! out unless the proto says to show them, the shortest digits for floats.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::plan::{Field, Kind, Plan, Plans};
use super::wire::{self, Raw};

/// What JSON to write: the messages, and whether for a client of 2018, to whom more is shown.
#[derive(Clone, Copy)]
pub struct Form<'p> {
    pub plans: &'p Plans,
    pub old: bool,
}

/// Appends the JSON object for an encoded message. Damaged bytes end the message where they begin;
/// the bytes come from our own encoder, so this does not happen to answers.
pub fn write(form: Form<'_>, plan: &Plan, mut message: &[u8], out: &mut Vec<u8>) {
    let mut values: Vec<(u32, Raw<'_>)> = Vec::new();
    while let Some(value) = wire::next(&mut message) {
        values.push(value);
    }
    // Stable, so that elements of a list and repeated oneof members keep their order.
    values.sort_by_key(|(number, _)| *number);
    let mut rest = &values[..];
    let mut first = true;
    out.push(b'{');
    for field in &plan.fields {
        let skip = rest.iter().take_while(|(n, _)| *n < field.number).count();
        rest = &rest[skip..];
        let n = rest.iter().take_while(|(n, _)| *n == field.number).count();
        let (own, later) = rest.split_at(n);
        rest = later;
        let shown = !own.is_empty()
            || ((if form.old { field.show_if_empty_2018 } else { field.show_if_empty })
                && (field.list || field.map.is_some() || is_scalar(&field.kind)));
        if !shown {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        string(out, &field.name);
        out.push(b':');
        self::field(form, field, own, out);
    }
    out.push(b'}');
}

fn is_scalar(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::Message(_)
            | Kind::Struct
            | Kind::Value
            | Kind::ListValue
            | Kind::Timestamp
            | Kind::Duration
            | Kind::Wrapper(_)
    )
}

fn field(form: Form<'_>, field: &Field, values: &[(u32, Raw<'_>)], out: &mut Vec<u8>) {
    if let Some((key, value)) = &field.map {
        return map(form, key, value, values, out);
    }
    if !field.list {
        let zero =
            if matches!(field.kind, Kind::String | Kind::Bytes) { Raw::Bytes(&[]) } else { Raw::Varint(0) };
        let last = values.last().map_or(zero, |(_, raw)| *raw);
        return element(form, field, last, out);
    }
    out.push(b'[');
    let mut first = true;
    for (_, raw) in values {
        let packed = match (packed_wire_type(&field.kind), raw) {
            (Some(wire_type), Raw::Bytes(bytes)) => Some((wire_type, *bytes)),
            _ => None,
        };
        match packed {
            Some((wire_type, bytes)) => {
                for raw in wire::unpack(bytes, wire_type) {
                    comma(out, &mut first);
                    element(form, field, raw, out);
                }
            }
            None => {
                comma(out, &mut first);
                element(form, field, *raw, out);
            }
        }
    }
    out.push(b']');
}

fn element(form: Form<'_>, field: &Field, raw: Raw<'_>, out: &mut Vec<u8>) {
    if field.quoted {
        out.push(b'"');
    }
    value(form, &field.kind, raw, out);
    if field.quoted {
        out.push(b'"');
    }
}

fn comma(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

/// The wire type of elements in a packed list; `None` for kinds that are never packed.
fn packed_wire_type(kind: &Kind) -> Option<u8> {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Some(wire::FIXED64),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Some(wire::FIXED32),
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => Some(wire::VARINT),
        Kind::String
        | Kind::Bytes
        | Kind::Message(_)
        | Kind::Struct
        | Kind::Value
        | Kind::ListValue
        | Kind::Timestamp
        | Kind::Duration
        | Kind::Wrapper(_) => None,
    }
}

fn map(form: Form<'_>, key: &Kind, val: &Kind, entries: &[(u32, Raw<'_>)], out: &mut Vec<u8>) {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (_, raw) in entries {
        let Raw::Bytes(mut entry) = *raw else { continue };
        let empty =
            |kind: &Kind| if packed_wire_type(kind).is_some() { Raw::Varint(0) } else { Raw::Bytes(&[]) };
        let (mut k, mut v) = (empty(key), empty(val));
        while let Some((number, raw)) = wire::next(&mut entry) {
            match number {
                1 => k = raw,
                2 => v = raw,
                _ => {}
            }
        }
        let (mut key_text, mut value_text) = (Vec::new(), Vec::new());
        value(form, key, k, &mut key_text);
        if !matches!(key, Kind::String) {
            key_text.insert(0, b'"');
            key_text.push(b'"');
        }
        value(form, val, v, &mut value_text);
        pairs.push((key_text, value_text));
    }
    // Maps of the generated code have no order of their own; sorted keys make answers repeatable.
    pairs.sort();
    out.push(b'{');
    let mut first = true;
    for (k, v) in pairs {
        comma(out, &mut first);
        out.extend_from_slice(&k);
        out.push(b':');
        out.extend_from_slice(&v);
    }
    out.push(b'}');
}

fn value(form: Form<'_>, kind: &Kind, raw: Raw<'_>, out: &mut Vec<u8>) {
    match (kind, raw) {
        (Kind::Message(index), Raw::Bytes(b)) => write(form, form.plans.get(*index), b, out),
        (Kind::Struct, Raw::Bytes(b)) => map(form, &Kind::String, &Kind::Value, &entries(b), out),
        (Kind::Value, Raw::Bytes(b)) => any(form, b, out),
        (Kind::ListValue, Raw::Bytes(b)) => list(form, b, out),
        (Kind::Timestamp, Raw::Bytes(b)) => timestamp(b, out),
        (Kind::Duration, Raw::Bytes(b)) => duration(b, out),
        (Kind::Wrapper(inner), Raw::Bytes(mut b)) => {
            let empty =
                if matches!(**inner, Kind::String | Kind::Bytes) { Raw::Bytes(&[]) } else { Raw::Varint(0) };
            let inside = wire::next(&mut b).map_or(empty, |(_, raw)| raw);
            value(form, inner, inside, out);
        }
        (Kind::String, Raw::Bytes(b)) => string(out, &String::from_utf8_lossy(b)),
        (Kind::Bytes, Raw::Bytes(b)) => {
            out.push(b'"');
            let start = out.len();
            out.resize(start + b.len().div_ceil(3) * 4, 0);
            let n = STANDARD.encode_slice(b, &mut out[start..]).unwrap_or(0);
            out.truncate(start + n);
            out.push(b'"');
        }
        (Kind::Bool, Raw::Varint(n)) => out.extend_from_slice(if n == 0 { b"false" } else { b"true" }),
        (Kind::Float, Raw::Fixed32(bits)) => float32(out, f32::from_bits(bits)),
        (Kind::Double, Raw::Fixed64(bits)) => float64(out, f64::from_bits(bits)),
        (Kind::Sint32 | Kind::Sint64, Raw::Varint(n)) => {
            text(out, format_args!("{}", ((n >> 1) as i64) ^ -((n & 1) as i64)));
        }
        (Kind::Int32 | Kind::Enum(_), Raw::Varint(n)) => text(out, format_args!("{}", n as i32)),
        (Kind::Int64, Raw::Varint(n)) => text(out, format_args!("{}", n as i64)),
        (Kind::Sfixed32, Raw::Fixed32(n)) => text(out, format_args!("{}", n as i32)),
        (Kind::Sfixed64, Raw::Fixed64(n)) => text(out, format_args!("{}", n as i64)),
        (_, Raw::Fixed32(n)) => text(out, format_args!("{n}")),
        (_, Raw::Fixed64(n) | Raw::Varint(n)) => text(out, format_args!("{n}")),
        (_, Raw::Bytes(_)) => out.extend_from_slice(b"null"),
    }
}

/// The fields of one message in the form [`map`] takes.
fn entries(mut message: &[u8]) -> Vec<(u32, Raw<'_>)> {
    let mut values = Vec::new();
    while let Some(value) = wire::next(&mut message) {
        values.push(value);
    }
    values
}

fn any(form: Form<'_>, mut message: &[u8], out: &mut Vec<u8>) {
    match wire::next(&mut message) {
        Some((2, raw)) => value(form, &Kind::Double, raw, out),
        Some((3, raw)) => value(form, &Kind::String, raw, out),
        Some((4, raw)) => value(form, &Kind::Bool, raw, out),
        Some((5, raw)) => value(form, &Kind::Struct, raw, out),
        Some((6, raw)) => value(form, &Kind::ListValue, raw, out),
        _ => out.extend_from_slice(b"null"),
    }
}

fn list(form: Form<'_>, message: &[u8], out: &mut Vec<u8>) {
    out.push(b'[');
    let mut first = true;
    for (_, raw) in entries(message) {
        comma(out, &mut first);
        value(form, &Kind::Value, raw, out);
    }
    out.push(b']');
}

fn seconds_and_nanos(message: &[u8]) -> (i64, i32) {
    let mut parts = (0, 0);
    for (number, raw) in entries(message) {
        match (number, raw) {
            (1, Raw::Varint(n)) => parts.0 = n as i64,
            (2, Raw::Varint(n)) => parts.1 = n as i32,
            _ => {}
        }
    }
    parts
}

fn timestamp(message: &[u8], out: &mut Vec<u8>) {
    let (seconds, nanos) = seconds_and_nanos(message);
    match jiff::Timestamp::new(seconds, nanos) {
        Ok(at) if nanos == 0 => text(out, format_args!("\"{at}\"")),
        Ok(at) if nanos % 1000 == 0 => text(out, format_args!("\"{at:.6}\"")),
        Ok(at) => text(out, format_args!("\"{at:.9}\"")),
        Err(_) => out.extend_from_slice(b"null"),
    }
}

fn duration(message: &[u8], out: &mut Vec<u8>) {
    let (seconds, nanos) = seconds_and_nanos(message);
    out.push(b'"');
    float64(out, seconds as f64 + f64::from(nanos) / 1e9);
    out.extend_from_slice(b"s\"");
}

fn float32(out: &mut Vec<u8>, n: f32) {
    match n {
        n if !n.is_finite() => not_finite(out, n.into()),
        n if n.fract() == 0.0 && n.abs() < 1e15 => text(out, format_args!("{}", n as i64)),
        n => text(out, format_args!("{n}")),
    }
}

fn float64(out: &mut Vec<u8>, n: f64) {
    match n {
        n if !n.is_finite() => not_finite(out, n),
        n if n.fract() == 0.0 && n.abs() < 1e15 => text(out, format_args!("{}", n as i64)),
        n => text(out, format_args!("{n}")),
    }
}

/// Proto3 JSON writes what JSON has no number for as a string.
fn not_finite(out: &mut Vec<u8>, n: f64) {
    let word: &[u8] = match n {
        n if n.is_nan() => b"\"NaN\"",
        n if n > 0.0 => b"\"Infinity\"",
        _ => b"\"-Infinity\"",
    };
    out.extend_from_slice(word);
}

fn string(out: &mut Vec<u8>, s: &str) {
    serde_json::to_writer(out, s).expect("writing to memory cannot fail");
}

fn text(out: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    out.write_fmt(args).expect("writing to memory cannot fail");
}
