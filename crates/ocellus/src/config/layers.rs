//! Puts the layers of the configuration on top of each other and remembers where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use toml::{Table, Value};

use super::nearest::nearest;
use super::{Config, DEFAULTS};

/// The prefix of environment variables that are settings.
const PREFIX: &str = "OCELLUS__";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(String),
    Env(String),
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => f.write_str(path),
            Origin::Env(name) => f.write_str(name),
            Origin::Flag => f.write_str("a flag"),
        }
    }
}

/// The merged values, and the origin of those that are not defaults.
pub struct Layers {
    values: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// Only the built-in defaults; they name every key there is.
    pub fn defaults() -> Layers {
        let values = DEFAULTS.parse().expect("a test parses the embedded defaults");
        Layers { values, origins: BTreeMap::new() }
    }

    /// Adds a file's settings.
    pub fn add_file(&mut self, path: &Path, text: &str) -> anyhow::Result<()> {
        let name = path.display().to_string();
        let table: Table = text.parse().with_context(|| format!("{name} is not valid TOML"))?;
        for (section, value) in table {
            let Value::Table(settings) = value else {
                bail!("`{section}` in {name} stands outside of a section such as [server]");
            };
            for (key, value) in settings {
                self.set(&format!("{section}.{key}"), value, Origin::File(name.clone()))?;
            }
        }
        Ok(())
    }

    /// Adds the environment's settings: `OCELLUS__SECTION__KEY`.
    pub fn add_env(&mut self, env: &[(String, String)]) -> anyhow::Result<()> {
        for (name, value) in env {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = rest.to_lowercase().replacen("__", ".", 1);
            self.add_text(&key, value, Origin::Env(name.clone()))?;
        }
        Ok(())
    }

    /// Adds a setting given as text; it is read as the type its default has.
    pub fn add_text(&mut self, key: &str, text: &str, origin: Origin) -> anyhow::Result<()> {
        let default = self.find(key).ok_or_else(|| unknown(&self.values, key, &origin))?;
        let value =
            parse_like(default, text).with_context(|| format!("`{key}` from {origin} cannot be `{text}`"))?;
        self.set(key, value, origin)
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin) -> anyhow::Result<()> {
        let current = self.find(key).ok_or_else(|| unknown(&self.values, key, &origin))?;
        if !current.same_type(&value) {
            let (wanted, found) = (current.type_str(), value.type_str());
            bail!("`{key}` from {origin} must be of type {wanted}, not {found}");
        }
        let (section, name) = key.split_once('.').expect("a key that was found has a section");
        let section = self.values.get_mut(section).and_then(Value::as_table_mut);
        section.expect("a key that was found has a section").insert(name.to_owned(), value);
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    fn find(&self, key: &str) -> Option<&Value> {
        let (section, name) = key.split_once('.')?;
        self.values.get(section)?.get(name)
    }

    /// The values as typed settings.
    pub fn config(&self) -> anyhow::Result<Config> {
        let text = toml::to_string(&self.values).context("the merged configuration cannot be written")?;
        toml::from_str(&text).map_err(|error| self.explain(&error, &text))
    }

    /// Names the setting at fault: the error knows only its place in the merged text.
    fn explain(&self, error: &toml::de::Error, text: &str) -> anyhow::Error {
        let message = error.message().to_owned();
        let before = error.span().map_or("", |span| &text[..span.start]);
        let section = before.lines().rev().find_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
        let line = error.span().and_then(|span| text[..span.end].lines().last());
        let name = line.and_then(|line| line.split(" =").next());
        match (section, name) {
            (Some(section), Some(name)) => {
                let key = format!("{section}.{name}");
                anyhow!("`{key}` from {}: {message}", self.origin(&key))
            }
            _ => anyhow!(message),
        }
    }

    /// Where a setting came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Every setting with its value, in the order of the defaults.
    pub fn entries(&self) -> Vec<(String, &Value)> {
        let order: Vec<String> = super::document::settings().into_iter().map(|setting| setting.key).collect();
        let find = |key: String| self.find(&key).map(|value| (key.clone(), value));
        order.into_iter().filter_map(find).collect()
    }
}

fn unknown(known: &Table, key: &str, origin: &Origin) -> anyhow::Error {
    let keys: Vec<String> = known
        .iter()
        .filter_map(|(section, value)| Some((section, value.as_table()?)))
        .flat_map(|(section, table)| table.keys().map(move |key| format!("{section}.{key}")))
        .collect();
    match nearest(key, keys.iter().map(String::as_str)) {
        Some(near) => anyhow!("unknown setting `{key}` from {origin}; did you mean `{near}`?"),
        None => anyhow!("unknown setting `{key}` from {origin}; `ocellus config` lists all of them"),
    }
}

fn parse_like(default: &Value, text: &str) -> anyhow::Result<Value> {
    Ok(match default {
        Value::String(_) => Value::String(text.to_owned()),
        Value::Integer(_) => Value::Integer(text.replace('_', "").parse().context("not a whole number")?),
        Value::Float(_) => Value::Float(text.parse().context("not a number")?),
        Value::Boolean(_) => Value::Boolean(match text {
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            _ => bail!("neither true nor false"),
        }),
        Value::Array(known) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let is_of_numbers = matches!(known.first(), Some(Value::Float(_)));
            let item = |item: &str| match is_of_numbers {
                true => Ok(Value::Float(item.parse().context("not a list of numbers")?)),
                false => Ok(Value::String(item.to_owned())),
            };
            Value::Array(items.map(item).collect::<anyhow::Result<_>>()?)
        }
        Value::Datetime(_) | Value::Table(_) => bail!("cannot be given as text"),
    })
}
