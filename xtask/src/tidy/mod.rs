//! `cargo xtask tidy`: the rules of the house that no lint checks. Each rule is a function from files to complaints.

mod boundaries;
mod files;
mod lists;
mod rust_text;
mod texts;

use std::path::{Path, PathBuf};

use crate::process::say;

/// A text file of the source tree.
pub struct SourceFile {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Tests may do things that the product may not.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/testing")
    }
}

/// Folders that hold nothing of ours, or nothing that is source.
const SKIPPED: [&str; 8] =
    ["target", ".git", "node_modules", "ocellus-data", "__pycache__", "installed", "photos", "golden"];
/// What is looked at.
const EXTENSIONS: [&str; 12] =
    ["rs", "toml", "md", "py", "sh", "sql", "proto", "txt", "mjs", "js", "json", "yaml"];

pub fn run(root: &Path) -> Result<(), String> {
    let files = read_tree(root)?;
    let complaints = check(&files);
    for complaint in &complaints {
        say(complaint);
    }
    match complaints.len() {
        0 => Ok(()),
        n => Err(format!("{n} things are untidy")),
    }
}

/// All rules over all files.
fn check(files: &[SourceFile]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        files::check(file, &mut complaints);
        texts::check(file, &mut complaints);
        if file.is_rust() {
            boundaries::check(file, &mut complaints);
        }
    }
    lists::check(files, &mut complaints);
    complaints.sort();
    complaints
}

fn read_tree(root: &Path) -> Result<Vec<SourceFile>, String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                let skipped = SKIPPED.contains(&name.as_str()) || name.starts_with(".venv");
                if !skipped {
                    folders.push(path);
                }
            } else if is_source(&path, &name) {
                files.extend(read(root, &path));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_source(path: &Path, name: &str) -> bool {
    let known = path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
    let lock = name.ends_with("-lock.json") || name.ends_with(".lock");
    (known || name == "Makefile" || path.ends_with(".ci/run")) && !lock
}

/// `None` for what is no text.
fn read(root: &Path, path: &PathBuf) -> Option<SourceFile> {
    let text = std::fs::read_to_string(path).ok()?;
    let path = path.strip_prefix(root).ok()?.to_string_lossy().replace('\\', "/");
    Some(SourceFile { path, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule is shown by a file that breaks it.
    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&[SourceFile { path: path.to_owned(), text: text.to_owned() }])
            .into_iter()
            .filter(|complaint| complaint.starts_with(path))
            .collect()
    }

    #[test]
    fn each_rule_complains_about_what_breaks_it_and_only_that() {
        let head = "//! Head.\n";
        let long = format!("{head}{}", "fn f() {}\n".repeat(400));
        let long_tests = format!("{head}#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(900));
        let cases: [(&str, &str, Option<&str>); 20] = [
            ("crates/x/src/a.rs", head, None),
            ("crates/x/src/a.rs", "fn f() {}\n", Some("first line")),
            ("crates/x/src/a.rs", &long, Some("401 lines")),
            ("crates/x/src/a.rs", &long_tests, None),
            ("crates/x/src/utils.rs", head, Some("says nothing")),
            ("crates/x/src/a.rs", "//! Head.\nfn f() {} \n", Some("space at the end")),
            ("crates/x/src/a.rs", "//! Head.\n#[ignore]\nfn f() {}\n", Some("#[ignore]")),
            ("crates/ocellus-luna/src/a.rs", "//! Head.\nuse ocellus_hacarus::x;\n", Some("another dialect")),
            ("crates/ocellus-luna/src/a.rs", "//! Head.\nuse ocellus_core::x;\n", None),
            ("crates/ocellus-core/src/a.rs", "//! Head.\nuse rusqlite::x;\n", Some("rusqlite")),
            ("crates/ocellus-store/src/db/a.rs", "//! Head.\nuse rusqlite::x;\n", None),
            ("crates/ocellus-core/src/a.rs", "//! Head.\nuse axum::Router;\n", Some("axum")),
            ("crates/ocellus-core/src/a.rs", "//! Head.\nuse ort::x;\n", Some("`ort::`")),
            (
                "crates/ocellus-core/src/a.rs",
                "//! Head.\nfn f() { tracing::info!(x = 1, \"Started.\"); }\n",
                Some("log text"),
            ),
            (
                "crates/ocellus-core/src/a.rs",
                "//! Head.\nfn f() { tracing::info!(x = \"A.\", \"started\"); }\n",
                None,
            ),
            ("docs/a.md", &format!("See {}/main.\n", "/work"), Some("machine")),
            ("docs/a.md", "See https://docs.rs/axum.\n", None),
            ("scripts/a.py", &format!("url = 'https://{}.org/simple'\n", "pypi"), Some("registry")),
            ("docs/a.md", &format!("{}: more\n", "TODO"), Some("unfinished")),
            ("docs/a.md", "no newline", Some("end of file")),
        ];
        for (path, text, expected) in cases {
            let found = complaints(path, text);
            match expected {
                None => assert!(found.is_empty(), "{path}: {found:?}"),
                Some(part) => {
                    assert!(found.len() == 1 && found[0].contains(part), "{path} wants {part}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn jobs_algorithms_and_tables_must_stand_in_their_lists() {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let files = [
            file(
                "crates/ocellus-core/src/jobs.rs",
                "//! J.\nconst REGISTRY: &[JobKind] = &[delete_app::KIND];\n",
            ),
            file("crates/ocellus-core/src/jobs/delete_app.rs", "//! J.\npub const KIND: JobKind = 1;\n"),
            file("crates/ocellus-core/src/jobs/lost.rs", "//! J.\npub const KIND: JobKind = 1;\n"),
            file("crates/ocellus-core/src/jobs/runner.rs", "//! J.\n"),
            file("crates/ocellus-algo/src/algorithms.rs", "//! A.\nid: \"color\",\nid: \"ghost\",\n"),
            file("crates/ocellus-algo/src/color.rs", "//! A.\n"),
            file("crates/ocellus-algo/src/extra.rs", "//! A.\n"),
            file("crates/ocellus-store/migrations/0001_x.sql", "CREATE TABLE apps (\n);\n"),
            file("crates/ocellus-store/src/tables/apps.rs", "//! T.\n// FROM apps\n"),
            file("crates/ocellus-store/src/tables/lost.rs", "//! T.\n// FROM nowhere\n"),
        ];
        let found = check(&files);
        let expected = ["jobs/lost.rs", "extra.rs", "`ghost`", "tables/lost.rs"];
        for part in expected {
            assert!(found.iter().any(|complaint| complaint.contains(part)), "{part}: {found:?}");
        }
        assert_eq!(found.len(), expected.len(), "{found:?}");
    }
}
