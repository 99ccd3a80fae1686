//! Runs text scenarios against a router in process. The format is described in `docs/scenarios.md`.

mod compare;
mod expand;
mod parse;
mod run;
mod told;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use serde_json::Value;

pub use run::{run_file, run_text, variables_after};
pub use told::{Told, told};

type JobsFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type JobsHook = Arc<dyn Fn() -> JobsFuture + Send + Sync>;
type Watch = Arc<dyn Fn(&Seen<'_>) -> Result<(), String> + Send + Sync>;

/// A request of a scenario with the answer that came.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The verb in capitals.
    pub method: &'a str,
    /// The path as it was sent, without its query.
    pub path: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// The answer's `Content-Type`; empty where it has none.
    pub content_type: &'a str,
    /// The answer's body; what is not UTF-8 in it is replaced.
    pub body: &'a str,
}

/// What a scenario runs in: the router, the variables it starts with, where its files are, and how to run the queue dry.
#[derive(Clone)]
pub struct World {
    router: Router,
    vars: BTreeMap<String, Value>,
    file_roots: Vec<PathBuf>,
    jobs: Option<JobsHook>,
    watch: Option<Watch>,
}

impl World {
    /// A world without variables, files or jobs.
    pub fn new(router: Router) -> World {
        World { router, vars: BTreeMap::new(), file_roots: Vec::new(), jobs: None, watch: None }
    }

    /// Looks at every answer, whatever the scenario expects of it; an `Err` ends the run and says why.
    #[must_use]
    pub fn watch(mut self, look: impl Fn(&Seen<'_>) -> Result<(), String> + Send + Sync + 'static) -> World {
        self.watch = Some(Arc::new(look));
        self
    }

    /// Gives the scenario a variable. `api_key` is the key it sends unless it says otherwise.
    #[must_use]
    pub fn var(mut self, name: &str, value: impl Into<Value>) -> World {
        self.vars.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a folder in which `[base64:…]` and `[file:…]` look, after those added before.
    #[must_use]
    pub fn files(mut self, root: impl Into<PathBuf>) -> World {
        self.file_roots.push(root.into());
        self
    }

    /// What the line `jobs` does.
    #[must_use]
    pub fn jobs<F, Fut>(mut self, hook: F) -> World
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.jobs = Some(Arc::new(move || Box::pin(hook())));
        self
    }
}

/// The scenario files directly in `dir`, in order of their names.
pub fn files_in(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    Ok(files)
}
