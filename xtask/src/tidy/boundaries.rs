//! Who may name what: the invariants of ARCHITECTURE.md that a missing dependency does not enforce.

use super::SourceFile;
use super::rust_text::code_lines;

/// A name, where it may stand, and why not elsewhere.
struct Boundary {
    names: &'static [&'static str],
    /// Applies to paths that begin so.
    within: &'static str,
    /// Except those that begin so.
    except: &'static [&'static str],
    why: &'static str,
}

const BOUNDARIES: &[Boundary] = &[
    Boundary {
        names: &["rusqlite", "tokio_postgres", "deadpool_postgres"],
        within: "crates/",
        except: &["crates/ocellus-store/src/db/", "crates/ocellus-store/src/testing"],
        why: "only `store::db` names a SQL driver",
    },
    Boundary {
        names: &["ort::", "usearch::"],
        within: "crates/",
        except: &["crates/ocellus-algo/src/nn", "crates/ocellus-algo/src/index", "crates/ocellus-bench/"],
        why: "only `algo::nn` names the inference runtime, and only `algo::index` the index library",
    },
    Boundary {
        names: &["axum", "tonic", "prost", "tower", "hyper"],
        within: "crates/ocellus-core/src/",
        except: &[],
        why: "the core knows no wire",
    },
    Boundary {
        names: &["tokio", "reqwest", "axum", "ocellus_store"],
        within: "crates/ocellus-algo/src/",
        except: &[],
        why: "algo is pure",
    },
    Boundary {
        names: &["axum", "prost", "ocellus_algo"],
        within: "crates/ocellus-store/src/",
        except: &[],
        why: "the store knows rows and blobs only",
    },
    Boundary {
        names: &["ocellus_core", "ocellus_store", "ocellus_algo"],
        within: "crates/ocellus-http/src/",
        except: &[],
        why: "the HTTP kit has no domain logic",
    },
    Boundary {
        names: &["ocellus_hacarus", "ocellus_luna", "ocellus_store"],
        within: "crates/ocellus-clarifai/src/",
        except: &[],
        why: "a dialect knows the core, and neither another dialect nor the store",
    },
    Boundary {
        names: &["ocellus_clarifai", "ocellus_luna", "ocellus_store"],
        within: "crates/ocellus-hacarus/src/",
        except: &[],
        why: "a dialect knows the core, and neither another dialect nor the store",
    },
    Boundary {
        names: &["ocellus_clarifai", "ocellus_hacarus", "ocellus_store"],
        within: "crates/ocellus-luna/src/",
        except: &[],
        why: "a dialect knows the core, and neither another dialect nor the store",
    },
    Boundary {
        names: &["ocellus_clarifai", "ocellus_hacarus", "ocellus_luna", "ocellus_store"],
        within: "crates/ocellus-console/src/",
        except: &[],
        why: "the console's API knows the core, and neither a dialect nor the store",
    },
    Boundary {
        names: &["ocellus_clarifai", "ocellus_hacarus", "ocellus_luna", "ocellus_store"],
        within: "crates/ocellus-inference/src/",
        except: &[],
        why: "a dialect knows the core, and neither another dialect nor the store",
    },
    Boundary {
        names: &["SystemTime::now", "rand::random"],
        within: "crates/",
        // The age of a file is told by the clock of the machine that wrote it.
        except: &[
            "crates/ocellus-store/src/blobs/",
            "crates/ocellus-core/src/clock.rs",
            "crates/ocellus-core/src/ids.rs",
            "crates/ocellus-bench/",
        ],
        why: "time and randomness are injected",
    },
];

pub fn check(file: &SourceFile, complaints: &mut Vec<String>) {
    if file.is_test() {
        return;
    }
    let applies = |boundary: &&Boundary| {
        file.path.starts_with(boundary.within)
            && !boundary.except.iter().any(|prefix| file.path.starts_with(prefix))
    };
    for boundary in BOUNDARIES.iter().filter(applies) {
        for (line_no, line) in code_lines(&file.text) {
            for name in boundary.names.iter().filter(|name| names_it(line, name)) {
                complaints
                    .push(format!("{}:{line_no}: `{name}` stands here, but {}", file.path, boundary.why));
            }
        }
    }
}

/// Whether a line of code names a crate or path, and not only a word that contains it.
fn names_it(line: &str, name: &str) -> bool {
    let path = if name.contains("::") { name.to_owned() } else { format!("{name}::") };
    line.match_indices(&path).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || matches!(letter, '_' | ':'))
    })
}
