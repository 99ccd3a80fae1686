//! The documentation of the settings, read from the comments of the built-in defaults, and `ocellus config`.

use std::fmt::Write as _;

use super::{DEFAULTS, Layers, secrets};

/// One setting as the defaults document it.
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// The default, as TOML.
    pub default: String,
    /// What it does.
    pub about: String,
}

/// All settings in order.
pub fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut section = "";
    let mut about = Vec::new();
    for line in DEFAULTS.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            about.push(comment);
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            about.clear();
        } else if let Some((key, default)) = line.split_once(" = ") {
            settings.push(Setting {
                key: format!("{section}.{key}"),
                default: default.to_owned(),
                about: std::mem::take(&mut about).join(" "),
            });
        }
    }
    settings
}

/// `docs/config.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Settings\n\n\
         Generated from `crates/ocellus/src/config/default.toml` by `cargo xtask docs`; do not edit.\n\n\
         A setting is taken from, in rising order: the defaults below, `./ocellus.toml` or the file named by `--config`, \
         the environment variable `OCELLUS__SECTION__KEY`, a flag (`--set section.key=value`, and short forms for the most \
         used). Unknown keys are refused. `ocellus config` prints the effective values and where each came from, \
         with secrets masked.\n",
    );
    let mut section = String::new();
    for setting in settings() {
        let (of, key) = setting.key.split_once('.').unwrap_or(("", &setting.key));
        if of != section {
            section = of.to_owned();
            let _ = write!(out, "\n## {section}\n\n| key | default | meaning |\n| --- | --- | --- |\n");
        }
        let _ = writeln!(out, "| `{key}` | `{}` | {} |", setting.default, setting.about);
    }
    out
}

/// The effective values as TOML, with secrets masked and the origin of what is not a default.
pub fn effective(layers: &Layers) -> String {
    let mut out = String::new();
    let mut section = String::new();
    for (key, value) in layers.entries() {
        let (of, name) = key.split_once('.').unwrap_or(("", &key));
        if of != section {
            let blank = if section.is_empty() { "" } else { "\n" };
            section = of.to_owned();
            let _ = writeln!(out, "{blank}[{section}]");
        }
        let value = secrets::masked(&key, value);
        let origin = layers.origin(&key);
        let origin =
            if origin == super::Origin::Default { String::new() } else { format!("  # from {origin}") };
        let _ = writeln!(out, "{name} = {value}{origin}");
    }
    out
}
