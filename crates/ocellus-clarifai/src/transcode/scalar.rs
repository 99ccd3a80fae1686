//! Writing one JSON scalar as one protobuf field, with the liberties that official clients take:
//! booleans for floats, numbers in strings, enum names, loose base64.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::plan::Kind;
use super::wire;

/// A JSON number in the three forms a parser hands out.
#[derive(Clone, Copy)]
pub enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    fn as_f64(self) -> f64 {
        match self {
            Self::Signed(n) => n as f64,
            Self::Unsigned(n) => n as f64,
            Self::Float(n) => n,
        }
    }

    /// The number as an integer within bounds; a float only if it has no fraction.
    fn as_integer(self, min: i128, max: i128) -> Option<i128> {
        let n = match self {
            Self::Signed(n) => i128::from(n),
            Self::Unsigned(n) => i128::from(n),
            Self::Float(n) if n.fract() == 0.0 && n.abs() < 1e19 => n as i128,
            Self::Float(_) => return None,
        };
        (min..=max).contains(&n).then_some(n)
    }
}

/// What a field of this kind should have held, for messages to the caller.
pub fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double | Kind::Float => "a number",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a 32-bit integer",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a 64-bit integer",
        Kind::Uint32 | Kind::Fixed32 => "an integer from 0 to 4294967295",
        Kind::Uint64 | Kind::Fixed64 => "a 64-bit integer not below 0",
        Kind::Bool => "true or false",
        Kind::String => "a string",
        Kind::Bytes => "a base64 string",
        Kind::Enum(_) => "a name or number of the enum",
        Kind::Message(_) | Kind::Struct => "an object",
        Kind::Value => "any JSON value",
        Kind::ListValue => "a list",
        Kind::Timestamp => "a time such as 2019-01-20T20:25:20.302505Z",
        Kind::Duration => "a duration such as 1.5s",
        Kind::Wrapper(inner) => expected(inner),
    }
}

/// Writes a number; `false` if the kind cannot hold it.
pub fn number(out: &mut Vec<u8>, field: u32, kind: &Kind, n: Number) -> bool {
    match kind {
        Kind::Double => {
            wire::put_tag(out, field, wire::FIXED64);
            out.extend_from_slice(&n.as_f64().to_le_bytes());
        }
        Kind::Float => {
            wire::put_tag(out, field, wire::FIXED32);
            out.extend_from_slice(&(n.as_f64() as f32).to_le_bytes());
        }
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Enum(_) => {
            let Some(n) = n.as_integer(i32::MIN.into(), i32::MAX.into()) else { return false };
            integer(out, field, kind, n as i64);
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            let Some(n) = n.as_integer(i64::MIN.into(), i64::MAX.into()) else { return false };
            integer(out, field, kind, n as i64);
        }
        Kind::Uint32 | Kind::Fixed32 => {
            let Some(n) = n.as_integer(0, u32::MAX.into()) else { return false };
            integer(out, field, kind, n as i64);
        }
        Kind::Uint64 | Kind::Fixed64 => {
            let Some(n) = n.as_integer(0, u64::MAX.into()) else { return false };
            integer(out, field, kind, n as u64 as i64);
        }
        Kind::Wrapper(inner) => {
            let start = wire::open(out, field);
            if !number(out, 1, inner, n) {
                return false;
            }
            wire::close(out, start);
        }
        Kind::Bool
        | Kind::String
        | Kind::Bytes
        | Kind::Message(_)
        | Kind::Struct
        | Kind::Value
        | Kind::ListValue
        | Kind::Timestamp
        | Kind::Duration => return false,
    }
    true
}

/// Writes an integer that was checked against the kind's range; bits are kept as they are.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other kind of integer is a plain varint")]
fn integer(out: &mut Vec<u8>, field: u32, kind: &Kind, n: i64) {
    match kind {
        Kind::Sfixed32 | Kind::Fixed32 => {
            wire::put_tag(out, field, wire::FIXED32);
            out.extend_from_slice(&(n as u32).to_le_bytes());
        }
        Kind::Sfixed64 | Kind::Fixed64 => {
            wire::put_tag(out, field, wire::FIXED64);
            out.extend_from_slice(&n.to_le_bytes());
        }
        Kind::Sint32 | Kind::Sint64 => {
            wire::put_tag(out, field, wire::VARINT);
            wire::put_varint(out, ((n << 1) ^ (n >> 63)) as u64);
        }
        _ => {
            wire::put_tag(out, field, wire::VARINT);
            wire::put_varint(out, n as u64);
        }
    }
}

/// Writes a boolean. The JavaScript client of 2018 sends `true` for a concept's value.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else holds a boolean")]
pub fn boolean(out: &mut Vec<u8>, field: u32, kind: &Kind, value: bool) -> bool {
    match kind {
        Kind::Bool => {
            wire::put_tag(out, field, wire::VARINT);
            out.push(u8::from(value));
            true
        }
        Kind::Wrapper(inner) if matches!(**inner, Kind::Bool) => {
            let start = wire::open(out, field);
            boolean(out, 1, inner, value);
            wire::close(out, start);
            true
        }
        Kind::Float | Kind::Double => number(out, field, kind, Number::Unsigned(value.into())),
        _ => false,
    }
}

/// Writes a string, or what a string may stand for: bytes, a time, an enum name, a number.
#[expect(clippy::wildcard_enum_match_arm, reason = "what remains are numbers")]
pub fn string(out: &mut Vec<u8>, field: u32, kind: &Kind, s: &str) -> bool {
    match kind {
        Kind::String => wire::put_bytes(out, field, s.as_bytes()),
        Kind::Bytes => return bytes(out, field, s),
        Kind::Timestamp => {
            let Ok(at) = s.parse::<jiff::Timestamp>() else { return false };
            seconds_and_nanos(out, field, at.as_second(), at.subsec_nanosecond());
        }
        Kind::Duration => {
            let Some(n) = s.strip_suffix('s').and_then(|n| n.parse::<f64>().ok()) else { return false };
            seconds_and_nanos(out, field, n.trunc() as i64, (n.fract() * 1e9).round() as i32);
        }
        Kind::Enum(values) => {
            let Some(n) = values.get(s).copied().or_else(|| s.parse().ok()) else { return false };
            integer(out, field, kind, n.into());
        }
        Kind::Bool => match s {
            "true" | "True" | "1" => return boolean(out, field, kind, true),
            "false" | "False" | "0" => return boolean(out, field, kind, false),
            _ => return false,
        },
        Kind::Wrapper(inner) => {
            let start = wire::open(out, field);
            if !string(out, 1, inner, s) {
                return false;
            }
            wire::close(out, start);
        }
        Kind::Message(_) | Kind::Struct | Kind::Value | Kind::ListValue => return false,
        _ => {
            let n = s
                .parse()
                .map(Number::Signed)
                .or_else(|_| s.parse().map(Number::Unsigned))
                .or_else(|_| s.parse().map(Number::Float));
            return n.is_ok_and(|n| number(out, field, kind, n));
        }
    }
    true
}

fn seconds_and_nanos(out: &mut Vec<u8>, field: u32, seconds: i64, nanos: i32) {
    let start = wire::open(out, field);
    integer(out, 1, &Kind::Int64, seconds);
    integer(out, 2, &Kind::Int32, nanos.into());
    wire::close(out, start);
}

/// Decodes base64 straight into the message. Old clients break lines, browsers send data URLs and
/// the URL-safe alphabet, some leave the padding out; all of it is accepted, anything else is not.
fn bytes(out: &mut Vec<u8>, field: u32, s: &str) -> bool {
    let s = match s.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((_, payload)) => payload,
        None => s,
    };
    let start = wire::open(out, field);
    out.resize(start + base64::decoded_len_estimate(s.len()), 0);
    let n = match STANDARD.decode_slice(s, &mut out[start..]) {
        Ok(n) => n,
        Err(_) => {
            let plain: Vec<u8> = s
                .bytes()
                .filter(|b| !b.is_ascii_whitespace())
                .map(|b| match b {
                    b'-' => b'+',
                    b'_' => b'/',
                    b => b,
                })
                .collect();
            let end = plain.iter().rposition(|&b| b != b'=').map_or(0, |i| i + 1);
            if plain.len() - end > 2 {
                return false;
            }
            match STANDARD_NO_PAD.decode_slice(&plain[..end], &mut out[start..]) {
                Ok(n) => n,
                Err(_) => return false,
            }
        }
    };
    out.truncate(start + n);
    wire::close(out, start);
    true
}
