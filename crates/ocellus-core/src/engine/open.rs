//! How the weights of a model become something that runs; the tests put their own in its place.

use std::path::PathBuf;

use ocellus_algo::nn::{Runtime, Session, SessionOptions, Tensor};
use parking_lot::Mutex;

use super::ModelFile;
use crate::{Error, Resource, Result};

/// Something that runs a tensor through a model.
pub trait Run {
    fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>>;
}

/// Opens models; called on the thread that will run the result, so that need not move between threads.
pub trait Opener: Send + Sync {
    fn open(&self, model: &ModelFile) -> Result<Box<dyn Run>>;
}

/// Opens weight files with the inference runtime.
pub struct RuntimeOpener {
    library: PathBuf,
    threads: usize,
    runtime: Mutex<Option<Runtime>>,
}

impl RuntimeOpener {
    pub fn new(library: PathBuf, threads: usize) -> Self {
        Self { library, threads, runtime: Mutex::new(None) }
    }

    /// The runtime, loaded on first use; a failure is not kept, so that a library installed meanwhile is found.
    fn runtime(&self) -> Result<Runtime> {
        let mut runtime = self.runtime.lock();
        if let Some(runtime) = &*runtime {
            return Ok(runtime.clone());
        }
        let loaded = Runtime::load(&self.library).map_err(|err| {
            let text = format!(
                "the inference runtime {} cannot be loaded; run `make setup`",
                self.library.display()
            );
            Error::unavailable(text).caused_by(anyhow::anyhow!("{err}"))
        })?;
        *runtime = Some(loaded.clone());
        Ok(loaded)
    }
}

impl Opener for RuntimeOpener {
    fn open(&self, model: &ModelFile) -> Result<Box<dyn Run>> {
        let runtime = self.runtime()?;
        let about = || Resource::Model(model.id.clone());
        if !model.path.is_file() {
            let text = format!("the weight file {} is missing; run `make setup`", model.path.display());
            return Err(Error::unavailable(text).about(about()));
        }
        let options = SessionOptions { intra_threads: self.threads };
        let session = Session::open(&runtime, &model.path, &options).map_err(|err| {
            let text = format!("the weight file {} cannot be loaded; run `make setup`", model.path.display());
            Error::unavailable(text).about(about()).caused_by(anyhow::anyhow!("{err}"))
        })?;
        Ok(Box::new(session))
    }
}

impl Run for Session {
    fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>> {
        Ok(Session::run(self, input)?)
    }
}
