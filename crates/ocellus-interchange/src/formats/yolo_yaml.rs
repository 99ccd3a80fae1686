//! The part of YAML that YOLO's `data.yaml` uses: top-level keys whose values are scalars, lists or maps of
//! scalars, in block or flow style. Other keys (`download: |` with a script) are passed over. No dependency is
//! taken for this: a full YAML reader brings aliases and tags, which nobody should send us.

/// What `data.yaml` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DataYaml {
    /// The collection's folder, relative to the file.
    pub path: String,
    /// `train`, `val` and `test`: folders or lists of files.
    pub splits: Vec<(String, Vec<String>)>,
    /// Names by class number.
    pub names: Vec<(usize, String)>,
}

/// A value, as far as it matters here.
#[derive(Debug, PartialEq)]
enum Value {
    Scalar(String),
    List(Vec<String>),
    Map(Vec<(String, String)>),
}

impl DataYaml {
    pub fn parse(text: &str) -> Result<DataYaml, String> {
        let mut yaml = DataYaml::default();
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().map(without_comment).collect();
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            at += 1;
            if line.trim().is_empty() || line.starts_with([' ', '\t', '-', '%']) {
                continue;
            }
            let Some((key, inline)) = split_key(line) else {
                return Err(format!("line {at} is not `key: value`"));
            };
            let start = at;
            while at < lines.len()
                && (lines[at].trim().is_empty() || lines[at].starts_with([' ', '\t', '-', ']', '}']))
            {
                at += 1;
            }
            if matches!(key.as_str(), "path" | "train" | "val" | "test" | "names") {
                let value = value(inline, &lines[start..at]).map_err(|e| format!("{key}: {e}"))?;
                yaml.set(&key, value)?;
            }
        }
        Ok(yaml)
    }

    fn set(&mut self, key: &str, value: Value) -> Result<(), String> {
        match (key, value) {
            ("path", Value::Scalar(path)) => self.path = path,
            ("names", Value::List(names)) => self.names = names.into_iter().enumerate().collect(),
            ("names", Value::Map(names)) => {
                for (number, name) in names {
                    let number =
                        number.parse().map_err(|_| format!("names: {number:?} is not a class number"))?;
                    self.names.push((number, name));
                }
            }
            ("train" | "val" | "test", Value::Scalar(path))
                if path.is_empty() || path == "null" || path == "~" => {}
            ("train" | "val" | "test", Value::Scalar(path)) => self.splits.push((key.to_owned(), vec![path])),
            ("train" | "val" | "test", Value::List(paths)) => self.splits.push((key.to_owned(), paths)),
            _ => return Err(format!("{key} is of the wrong kind")),
        }
        Ok(())
    }
}

/// The line up to a `#` that begins a comment.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (i, c) in line.char_indices() {
        match quote {
            Some(q) if c == q && !(q == '"' && before == '\\') => quote = None,
            Some(_) => {}
            None if (c == '"' || c == '\'') && matches!(before, ' ' | ':' | '[' | '{' | ',' | '-') => {
                quote = Some(c)
            }
            None if c == '#' && before.is_whitespace() => return &line[..i],
            None => {}
        }
        before = c;
    }
    line
}

/// A scalar, without its quotes.
fn scalar(text: &str) -> String {
    let text = text.trim();
    if text.len() >= 2 && text.starts_with('\'') && text.ends_with('\'') {
        return text[1..text.len() - 1].replace("''", "'");
    }
    if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') {
        return serde_json::from_str(text).unwrap_or_else(|_| text[1..text.len() - 1].to_owned());
    }
    text.to_owned()
}

/// `key: value`, at the first colon outside of quotes that ends a word.
fn split_key(text: &str) -> Option<(String, &str)> {
    let text = text.trim();
    let mut from = 0;
    if let Some(quote) = text.chars().next().filter(|c| *c == '"' || *c == '\'') {
        from = text[1..].find(quote)? + 2;
    }
    let colon = text[from..]
        .char_indices()
        .find(|(i, c)| *c == ':' && text[from + i + 1..].chars().next().is_none_or(char::is_whitespace))?
        .0;
    Some((scalar(&text[..from + colon]), text[from + colon + 1..].trim()))
}

fn value(inline: &str, below: &[&str]) -> Result<Value, String> {
    if inline.starts_with(['[', '{']) {
        let whole = std::iter::once(inline).chain(below.iter().copied()).collect::<Vec<_>>().join(" ");
        return flow(whole.trim());
    }
    if !inline.is_empty() {
        return Ok(Value::Scalar(scalar(inline)));
    }
    let mut below = below.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).peekable();
    match below.peek() {
        None => Ok(Value::Scalar(String::new())),
        Some(first) if first.starts_with(['[', '{']) => flow(&below.collect::<Vec<_>>().join(" ")),
        Some(first) if first.starts_with('-') => below
            .map(|line| line.strip_prefix('-').map(scalar).ok_or("a list item without a dash".to_owned()))
            .collect::<Result<_, _>>()
            .map(Value::List),
        Some(_) => below
            .map(|line| split_key(line).map(|(key, value)| (key, scalar(value))))
            .collect::<Option<_>>()
            .map(Value::Map)
            .ok_or("a map item without a colon".to_owned()),
    }
}

/// `[a, b]` or `{0: a, 1: b}`.
fn flow(text: &str) -> Result<Value, String> {
    let (open, close) = if text.starts_with('[') { ('[', ']') } else { ('{', '}') };
    let inner = text
        .strip_prefix(open)
        .and_then(|text| text.trim_end().strip_suffix(close))
        .ok_or_else(|| format!("{open} without {close}"))?;
    let mut parts = vec![String::new()];
    let (mut quote, mut before) = (None, ' ');
    for c in inner.chars() {
        match quote {
            Some(q) if c == q && !(q == '"' && before == '\\') => quote = None,
            None if (c == '"' || c == '\'') && matches!(before, ' ' | ',' | ':') => quote = Some(c),
            None if c == ',' => {
                parts.push(String::new());
                before = c;
                continue;
            }
            Some(_) | None => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        before = c;
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    if open == '[' {
        return Ok(Value::List(parts.map(scalar).collect()));
    }
    let pairs = parts.map(|part| split_key(part).map(|(key, value)| (key, scalar(value))));
    pairs.collect::<Option<_>>().map(Value::Map).ok_or("a map item without a colon".to_owned())
}

/// Writes `data.yaml`; texts in JSON's quotes, which are YAML's double quotes.
pub(crate) fn write(splits: &[String], names: &[String]) -> String {
    let mut yaml = String::new();
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let has = |wanted: &str| splits.iter().any(|split| split == wanted);
    for split in splits {
        yaml.push_str(&format!("{split}: {}\n", quoted(&format!("images/{split}"))));
    }
    // The trainer wants both; a collection without one of them is trained and validated on the other.
    for (missing, instead) in [("train", "val"), ("val", "train")] {
        if !has(missing) {
            let instead = if has(instead) { instead } else { splits.first().map_or("train", String::as_str) };
            yaml.push_str(&format!(
                "{missing}: {}  # none of its own\n",
                quoted(&format!("images/{instead}"))
            ));
        }
    }
    yaml.push_str(&format!("nc: {}\nnames:{}\n", names.len(), if names.is_empty() { " []" } else { "" }));
    for (number, name) in names.iter().enumerate() {
        yaml.push_str(&format!("  {number}: {}\n", quoted(name)));
    }
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_yaml_is_read_in_all_the_styles_that_tools_write() {
        let cases = [
            "path: d\ntrain: a\nnames:\n  0: cat\n  1: 'it''s'\n",
            "# comment\npath: d # here\ntrain: a\nnames: [cat, \"it's\"]\nnc: 2\n",
            "path: d\ntrain: a\nnames:\n- cat\n- it's\n",
            "path: \"d\"\ntrain: a\nnames: {0: cat, 1: \"it's\"}\ndownload: |\n  import x\n  y: [1\n",
            "path: d\ntrain:\n  - a\nval:\nnames: ['cat',\n   'it''s']\n",
        ];
        for text in cases {
            let wanted = DataYaml {
                path: "d".to_owned(),
                splits: vec![("train".to_owned(), vec!["a".to_owned()])],
                names: vec![(0, "cat".to_owned()), (1, "it's".to_owned())],
            };
            assert_eq!(DataYaml::parse(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn names_that_yaml_would_take_for_something_else_come_back() {
        let names = ["yes", "#1", "a: b", "it's", "\"q\"", "[x]", " lead", "ü", "null", "1.0", "a, b"]
            .map(str::to_owned);
        let yaml = DataYaml::parse(&write(&["train".to_owned()], &names)).unwrap();
        assert_eq!(yaml.names.into_iter().map(|(_, name)| name).collect::<Vec<_>>(), names);
    }

    #[test]
    fn nonsense_is_an_error_and_no_panic() {
        for text in ["names: [a", "names: {a}", "names:\n  x: y\n", "just text", "train: {a: b}"] {
            assert!(DataYaml::parse(text).is_err(), "{text}");
        }
    }
}
