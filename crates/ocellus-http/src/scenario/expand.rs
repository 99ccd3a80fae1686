//! Puts variables, files and repetitions into the texts and JSON of a scenario.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What stands unescaped in a path segment besides letters and digits.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) struct Scope<'a> {
    pub vars: &'a BTreeMap<String, Value>,
    pub file_roots: &'a [PathBuf],
}

impl Scope<'_> {
    /// Replaces `{{name}}` by the variable's text.
    pub fn text(&self, text: &str) -> Result<String, String> {
        self.replace(text, &|value| value)
    }

    /// The same for a path, where the variable's text is percent-encoded.
    pub fn path(&self, path: &str) -> Result<String, String> {
        self.replace(path, &|value| utf8_percent_encode(&value, SEGMENT).to_string())
    }

    fn replace(&self, text: &str, encode: &dyn Fn(String) -> String) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            let Some(len) = rest[start..].find("}}") else {
                break;
            };
            out.push_str(&rest[..start]);
            let value = self.lookup(rest[start + 2..start + len].trim())?;
            out.push_str(&encode(match value {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            }));
            rest = &rest[start + len + 2..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn lookup(&self, dotted: &str) -> Result<&Value, String> {
        let mut parts = dotted.split('.');
        let name = parts.next().unwrap_or_default();
        let mut value = self.vars.get(name).ok_or_else(|| format!("there is no variable `{name}`"))?;
        for part in parts {
            let inner = match part.parse::<usize>() {
                Ok(idx) if value.is_array() => value.get(idx),
                _ => value.get(part),
            };
            value = inner.ok_or_else(|| format!("`{dotted}` has no `{part}`"))?;
        }
        Ok(value)
    }

    /// Expands a request's or an answer's JSON.
    pub fn json(&self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) => self.json_string(text),
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    self.expand_item(item, &mut out)?;
                }
                Ok(Value::Array(out))
            }
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| Ok((self.text(key)?, self.json(value)?)))
                .collect::<Result<_, String>>()
                .map(Value::Object),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        }
    }

    fn json_string(&self, text: &str) -> Result<Value, String> {
        let alone = text
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"))
            .filter(|name| !name.contains("{{"));
        if let Some(name) = alone {
            return self.lookup(name.trim()).cloned();
        }
        let text = self.text(text)?;
        let file = text.strip_prefix("[base64:").and_then(|rest| rest.strip_suffix(']'));
        match file {
            Some(path) => {
                let bytes = self.file(path)?;
                let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
                Ok(Value::String(encoded))
            }
            None => Ok(Value::String(text)),
        }
    }

    fn expand_item(&self, item: &Value, out: &mut Vec<Value>) -> Result<(), String> {
        let Some(count) = item.get("[repeat]") else {
            out.push(self.json(item)?);
            return Ok(());
        };
        let count = count
            .as_u64()
            .filter(|count| *count <= 100_000)
            .ok_or("`[repeat]` wants a number up to 100000")?;
        let mut pattern = item.clone();
        if let Some(map) = pattern.as_object_mut() {
            map.remove("[repeat]");
        }
        let pattern = pattern.to_string();
        for n in 0..count {
            let numbered = pattern.replace("[n]", &n.to_string());
            let item = serde_json::from_str(&numbered).map_err(|error| error.to_string())?;
            out.push(self.json(&item)?);
        }
        Ok(())
    }

    /// The bytes of a file in one of the roots.
    pub fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        for root in self.file_roots {
            if let Ok(bytes) = std::fs::read(root.join(path)) {
                return Ok(bytes);
            }
        }
        Err(format!("no file `{path}` in {:?}", self.file_roots))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(input: &Value, expected: Result<Value, &str>) {
        let vars = BTreeMap::from([
            ("id".to_owned(), json!("a/b")),
            ("hit".to_owned(), json!({"list": [{"n": 7}]})),
        ]);
        let scope = Scope { vars: &vars, file_roots: &[] };
        match (scope.json(input), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn variables_and_repetitions_are_put_in() {
        check(
            &json!(["{{id}}", "x-{{id}}", "{{hit.list.0.n}}", "{{hit.list}}"]),
            Ok(json!(["a/b", "x-a/b", 7, [{"n": 7}]])),
        );
        check(&json!([{"[repeat]": 2, "id": "x[n]"}, 3]), Ok(json!([{"id": "x0"}, {"id": "x1"}, 3])));
        check(&json!("{{nobody}}"), Err("no variable `nobody`"));
        check(&json!("{{hit.lost}}"), Err("no `lost`"));
        check(&json!("[base64:a.jpg]"), Err("no file `a.jpg`"));
    }

    #[test]
    fn a_variable_in_a_path_is_percent_encoded() {
        let vars = BTreeMap::from([("id".to_owned(), json!("的/x"))]);
        let scope = Scope { vars: &vars, file_roots: &[] };
        assert_eq!(scope.path("/v2/{{id}}/y").unwrap(), "/v2/%E7%9A%84%2Fx/y");
    }
}
