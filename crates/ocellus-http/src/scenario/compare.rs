//! Compares an answer's JSON with a partial expectation and collects what does not fit.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Variables kept by `[id:x]` and `[keep:x]`.
    pub kept: BTreeMap<String, Value>,
    /// One line a difference, with its place.
    pub problems: Vec<String>,
}

impl Outcome {
    fn wrong(&mut self, path: &str, expected: impl std::fmt::Display, found: &Value) {
        let place = if path.is_empty() { "the top" } else { path };
        let found = shorten(&found.to_string());
        self.problems.push(format!("at {place}: expected {expected}, got {found}"));
    }
}

/// Long values (embeddings, base64) would hide the rest of a report.
pub(super) fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 2_000;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// `expected` has its variables put in already.
pub(super) fn compare(expected: &Value, found: &Value, path: &str, out: &mut Outcome) {
    match expected {
        Value::Object(map) => {
            if !found.is_object() {
                return out.wrong(path, "an object", found);
            }
            for (key, expected) in map {
                let path = join(path, key);
                match found.get(key) {
                    Some(found) => compare(expected, found, &path, out),
                    None if expected == "[absent]" => {}
                    None => {
                        out.problems.push(format!("at {path}: expected {expected}, but there is nothing"))
                    }
                }
            }
        }
        Value::Array(items) => compare_list(items, found, path, out),
        Value::String(text) => compare_string(text, found, path, out),
        Value::Number(number) => {
            if found.as_f64().is_none() || found.as_f64() != number.as_f64() {
                out.wrong(path, expected, found);
            }
        }
        Value::Null | Value::Bool(_) => {
            if expected != found {
                out.wrong(path, expected, found);
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn compare_list(expected: &[Value], found: &Value, path: &str, out: &mut Outcome) {
    let Some(items) = found.as_array() else {
        return out.wrong(path, "a list", found);
    };
    let any_order = expected.first().is_some_and(|item| item == "[any-order]");
    let expected = if any_order { &expected[1..] } else { expected };
    let open_end = expected.last().is_some_and(|item| item == "[...]");
    let expected = &expected[..expected.len() - usize::from(open_end)];
    let fits = if open_end { items.len() >= expected.len() } else { items.len() == expected.len() };
    if !fits {
        let least = if open_end { "at least " } else { "" };
        let wanted = format!("a list of {least}{} items", expected.len());
        return out.wrong(path, format!("{wanted} instead of {}", items.len()), found);
    }
    if any_order {
        let mut used = vec![false; items.len()];
        match assign(expected, items, &mut used, out) {
            Some(outcome) => *out = outcome,
            None => out.wrong(path, format!("in any order {}", Value::from(expected)), found),
        }
        return;
    }
    for (idx, (expected, found)) in expected.iter().zip(items).enumerate() {
        compare(expected, found, &join(path, &idx.to_string()), out);
    }
}

/// Finds a different item for each expectation, trying again where an early choice took the item a later one needs.
fn assign(expected: &[Value], items: &[Value], used: &mut [bool], so_far: &Outcome) -> Option<Outcome> {
    let Some((first, rest)) = expected.split_first() else {
        return Some(so_far.clone());
    };
    for (idx, item) in items.iter().enumerate() {
        if used[idx] {
            continue;
        }
        let mut attempt = so_far.clone();
        compare(first, item, "", &mut attempt);
        if attempt.problems.len() > so_far.problems.len() {
            continue;
        }
        used[idx] = true;
        if let Some(outcome) = assign(rest, items, used, &attempt) {
            return Some(outcome);
        }
        used[idx] = false;
    }
    None
}

fn compare_string(expected: &str, found: &Value, path: &str, out: &mut Outcome) {
    let inner = expected.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let Some(inner) = inner else {
        if found.as_str() != Some(expected) {
            out.wrong(path, Value::from(expected), found);
        }
        return;
    };
    let (word, argument) = inner.split_once(':').unwrap_or((inner, ""));
    match (word, argument) {
        ("id", name) if !name.is_empty() && is_id(found) => keep(name, found, out),
        ("keep", name) if !name.is_empty() => keep(name, found, out),
        _ => match matches(word, argument, inner, found) {
            Some(true) => {}
            Some(false) => out.wrong(path, expected, found),
            None => out.problems.push(format!("at {path}: there is no matcher `{expected}`")),
        },
    }
}

fn keep(name: &str, found: &Value, out: &mut Outcome) {
    out.kept.insert(name.to_owned(), found.clone());
}

fn is_id(found: &Value) -> bool {
    found.as_str().is_some_and(|text| !text.is_empty())
}

/// `None` for a matcher that does not exist.
fn matches(word: &str, argument: &str, inner: &str, found: &Value) -> Option<bool> {
    let text = found.as_str();
    Some(match word {
        "any" => true,
        "absent" => false,
        "empty" => length(found) == Some(0),
        "int" => found.is_i64() || found.is_u64(),
        "number" => found.is_number(),
        "string" => found.is_string(),
        "bool" => found.is_boolean(),
        "object" => found.is_object(),
        "list" => found.is_array(),
        "time" => text.is_some_and(is_time),
        "id" => is_id(found),
        "contains" => text.is_some_and(|text| {
            let (text, part) = (text.to_lowercase(), argument.to_lowercase());
            text.contains(&part)
        }),
        "starts" => text.is_some_and(|text| text.starts_with(argument)),
        "is" => text == Some(argument),
        "not" => *found != plain_value(argument),
        "len" => return length_fits(argument, found),
        _ => return number_fits(inner, found),
    })
}

fn plain_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn length_fits(argument: &str, found: &Value) -> Option<bool> {
    let length = length(found);
    Some(match argument.strip_prefix(">=") {
        Some(least) => {
            let least: usize = least.trim().parse().ok()?;
            length.is_some_and(|length| length >= least)
        }
        None => {
            let exact: usize = argument.trim().parse().ok()?;
            length == Some(exact)
        }
    })
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(map) => Some(map.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn number_fits(inner: &str, found: &Value) -> Option<bool> {
    let value = found.as_f64();
    let fits = |test: &dyn Fn(f64) -> bool| value.is_some_and(test);
    if let Some(rest) = inner.strip_prefix('~') {
        let (middle, distance) = rest.trim().split_once(' ').unwrap_or((rest.trim(), "0.001"));
        let (middle, distance): (f64, f64) = (middle.parse().ok()?, distance.trim().parse().ok()?);
        return Some(fits(&|value| (value - middle).abs() <= distance));
    }
    for (sign, test) in COMPARISONS {
        if let Some(rest) = inner.strip_prefix(sign) {
            let bound: f64 = rest.trim().parse().ok()?;
            return Some(fits(&|value| test(value, bound)));
        }
    }
    None
}

type Comparison = fn(f64, f64) -> bool;

/// The longer signs come first, or `>` would take `>=` away.
const COMPARISONS: [(&str, Comparison); 4] = [
    (">=", |value, bound| value >= bound),
    ("<=", |value, bound| value <= bound),
    (">", |value, bound| value > bound),
    ("<", |value, bound| value < bound),
];

/// `2016-11-22T17:06:02Z`, with or without a fraction of up to nine digits.
fn is_time(text: &str) -> bool {
    let pattern = "dddd-dd-ddTdd:dd:dd";
    let Some(rest) = text.strip_suffix('Z') else {
        return false;
    };
    let (seconds, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    seconds.len() == pattern.len()
        && (1..=9).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && seconds
            .bytes()
            .zip(pattern.bytes())
            .all(|(byte, want)| if want == b'd' { byte.is_ascii_digit() } else { byte == want })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_fits_and_what_does_not() {
        let cases = [
            (json!({"a": 1}), json!({"a": 1.0, "b": 2}), true),
            (json!({"a": 1}), json!({"a": 2}), false),
            (json!({"a": "[absent]"}), json!({}), true),
            (json!({"a": "[absent]"}), json!({"a": null}), false),
            (json!({"a": "[any]"}), json!({}), false),
            (json!([1]), json!([1, 2]), false),
            (json!([1, "[...]"]), json!([1, 2]), true),
            (json!([1, 2, 3, "[...]"]), json!([1, 2]), false),
            (json!(["[any-order]", 2, 1]), json!([1, 2]), true),
            (json!(["[any-order]", "[int]", 1]), json!([1, 2]), true),
            (json!(["[any-order]", 2, 2]), json!([1, 2]), false),
            (json!("[time]"), json!("2016-11-22T17:06:02Z"), true),
            (json!("[time]"), json!("2019-01-20T20:25:20.302505245Z"), true),
            (json!("[time]"), json!("2016-11-22 17:06:02"), false),
            (json!("[int]"), json!("1"), false),
            (json!("[int]"), json!(10000), true),
            (json!("[contains:Dup]"), json!("a DUPLICATE id"), true),
            (json!("[len:2]"), json!([0, 0]), true),
            (json!("[len:>=3]"), json!([0, 0]), false),
            (json!("[~0.5]"), json!(0.5004), true),
            (json!("[~0.5 0.2]"), json!(0.8), false),
            (json!("[>=0.9]"), json!(0.9), true),
            (json!("[>0.9]"), json!(0.9), false),
            (json!("[not:\"x\"]"), json!("y"), true),
            (json!("[not:5]"), json!(5), false),
            (json!("[is:[x]]"), json!("[x]"), true),
            (json!("[empty]"), json!([]), true),
            (json!("[nonsense]"), json!(1), false),
            (json!(null), json!(0), false),
        ];
        for (expected, found, fits) in cases {
            let mut out = Outcome::default();
            compare(&expected, &found, "", &mut out);
            assert_eq!(out.problems.is_empty(), fits, "{expected} {found} {out:?}");
        }
    }

    #[test]
    fn a_difference_names_its_place_and_captures_are_kept() {
        let mut out = Outcome::default();
        let expected = json!({"list": [{"id": "[id:x]"}, {"id": "b"}]});
        let found = json!({"list": [{"id": "a"}, {"id": "c"}]});
        compare(&expected, &found, "", &mut out);
        assert_eq!(out.kept["x"], "a");
        assert_eq!(out.problems, ["at list.1.id: expected \"b\", got \"c\""]);
    }
}
