//! What must stand in a list: jobs in `REGISTRY`, algorithms in `ALGORITHMS`, tables in a migration.

use super::SourceFile;

const JOBS: &str = "crates/ocellus-core/src/jobs/";
const REGISTRIES: [&str; 2] = ["crates/ocellus-core/src/jobs.rs", "crates/ocellus-core/src/jobs/mod.rs"];
const ALGO: &str = "crates/ocellus-algo/src/";
const ALGORITHMS: &str = "crates/ocellus-algo/src/algorithms.rs";
const TABLES: &str = "crates/ocellus-store/src/tables/";
const MIGRATIONS: &str = "crates/ocellus-store/migrations/";

/// Files of the algorithms' crate that are no algorithm themselves: types, formats, arithmetic, pieces, the runtime.
const NO_ALGORITHMS: [&str; 12] =
    ["lib", "error", "algorithms", "image", "nn", "embed", "index", "mod", "luma", "resize", "text", "learn"];

/// Files beside the tables that have none of their own: what they do spans several, or is a side of one.
const NO_TABLES: [&str; 7] = [
    "mod",
    "copies",
    "added_inputs",
    "annotation_conditions",
    "input_conditions",
    "label_conditions",
    "prediction_conditions",
];

pub fn check(files: &[SourceFile], complaints: &mut Vec<String>) {
    jobs(files, complaints);
    algorithms(files, complaints);
    tables(files, complaints);
}

fn jobs(files: &[SourceFile], complaints: &mut Vec<String>) {
    let registry = files.iter().find(|file| REGISTRIES.contains(&file.path.as_str()));
    let Some(list) = registry.and_then(|file| Some(&file.text[file.text.find("REGISTRY: ")?..])) else {
        return;
    };
    let list = &list[..list.find("];").unwrap_or(list.len())];
    for (file, name) in children(files, JOBS) {
        // What declares no kind of job is a part of the machinery.
        if file.text.contains("KIND: JobKind") && !list.contains(&format!("{name}::KIND")) {
            complaints.push(format!("{}: this job is not in `REGISTRY`", file.path));
        }
    }
}

fn algorithms(files: &[SourceFile], complaints: &mut Vec<String>) {
    let Some(list) = files.iter().find(|file| file.path == ALGORITHMS) else { return };
    let ids: Vec<&str> = list
        .text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("id: \"")?.strip_suffix("\","))
        .collect();
    for (file, name) in children(files, ALGO) {
        if !NO_ALGORITHMS.contains(&name) && !ids.contains(&name) {
            complaints.push(format!("{}: this algorithm is not in `ALGORITHMS`", file.path));
        }
    }
    for id in ids {
        let ends = [format!("/{id}.rs"), format!("/{id}/mod.rs")];
        let exists = files
            .iter()
            .any(|file| file.path.starts_with(ALGO) && ends.iter().any(|end| file.path.ends_with(end)));
        if !exists {
            complaints.push(format!("{ALGORITHMS}: `{id}` has no file of that name"));
        }
    }
}

fn tables(files: &[SourceFile], complaints: &mut Vec<String>) {
    let migrations: Vec<&SourceFile> =
        files.iter().filter(|file| file.path.starts_with(MIGRATIONS)).collect();
    if migrations.is_empty() {
        return;
    }
    let created: Vec<&str> = migrations
        .iter()
        .flat_map(|file| file.text.lines())
        .filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split([' ', '(']).next())
        .collect();
    for (file, name) in children(files, TABLES).filter(|(_, name)| !NO_TABLES.contains(name)) {
        let named = created.iter().any(|table| *table == name || table.ends_with(&format!("_{name}")));
        if !named {
            complaints.push(format!("{}: no migration makes a table of this name", file.path));
        }
    }
}

/// The Rust files directly in a folder, with their names.
fn children<'a>(files: &'a [SourceFile], folder: &'a str) -> impl Iterator<Item = (&'a SourceFile, &'a str)> {
    files.iter().filter_map(move |file| {
        let name = file.path.strip_prefix(folder)?.strip_suffix(".rs")?;
        (!name.contains('/')).then_some((file, name))
    })
}
