//! `cargo xtask docs`: the generated documents. Most are printed by the program itself, so that they cannot differ from it.

use std::path::{Path, PathBuf};

use crate::process::{command, output, say, succeed};
use crate::schema;

/// Document, and the name it is asked for by.
const PRINTED: [(&str, &str); 6] = [
    ("docs/routes.md", "routes"),
    ("docs/config.md", "config"),
    ("docs/algorithms.md", "algorithms"),
    ("docs/compat-clarifai.md", "compat-clarifai"),
    ("docs/compat-hacarus.md", "compat-hacarus"),
    ("docs/compat-luna.md", "compat-luna"),
];

/// Writes all documents.
pub fn write(root: &Path) -> Result<(), String> {
    for (path, text) in generate(root)? {
        let old = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        if old != text {
            std::fs::write(root.join(path), text).map_err(|error| format!("{path}: {error}"))?;
            say(&format!("wrote {path}"));
        }
    }
    Ok(())
}

/// Fails if a document differs from what would be written.
pub fn check(root: &Path) -> Result<(), String> {
    let mut stale = Vec::new();
    for (path, text) in generate(root)? {
        if std::fs::read_to_string(root.join(path)).unwrap_or_default() != text {
            stale.push(path);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("out of date: {}; run `cargo xtask docs` and commit the result", stale.join(", ")))
}

fn generate(root: &Path) -> Result<Vec<(&'static str, String)>, String> {
    succeed(command(root, "cargo", &["build", "--quiet", "--locked", "--package", "ocellus"]))?;
    let program = program(root).display().to_string();
    let mut documents = vec![("docs/schema.md", schema::document(root)?)];
    for (path, name) in PRINTED {
        documents.push((path, output(command(root, &program, &["docs", name]))?));
    }
    Ok(documents)
}

/// Where cargo has put the program.
#[expect(clippy::disallowed_methods, reason = "this is cargo's own setting, not one of ours")]
fn program(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    root.join(target).join("debug").join("ocellus")
}
