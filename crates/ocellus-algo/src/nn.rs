//! Inference: the only module that names the ONNX runtime.

mod tensor;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::value::{TensorRef, ValueType};
use parking_lot::Mutex;

use crate::error::{Error, Result};

pub use tensor::Tensor;

/// The runtime library is loaded once per process and stays; a second one cannot be loaded beside it.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

const CURE: &str = "run `make setup` to install it, or set `engine.runtime_library` to the libonnxruntime.so of an onnxruntime package of version 1.24 or later";

/// The loaded inference runtime. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
}

impl Runtime {
    /// Loads the ONNX runtime from a shared library. Loading the same file again returns the runtime loaded before.
    ///
    /// # Errors
    /// `Backend` naming the path and what to do if the file is missing, is no ONNX runtime or too old, or if another
    /// file was loaded before.
    pub fn load(library: &Path) -> Result<Runtime> {
        let fail =
            |why: &str| Error::Backend(format!("the inference runtime {} {why}; {CURE}", library.display()));
        probe(library).map_err(|why| fail(&why))?;
        let path = library.canonicalize().map_err(|e| fail(&format!("cannot be read: {e}")))?;
        let mut loaded = LOADED.lock();
        if let Some((loaded_path, environment)) = &*loaded {
            if *loaded_path != path {
                let other = loaded_path.display();
                return Err(fail(&format!("cannot be loaded because {other} already is")));
            }
            return Ok(Runtime { environment: environment.clone() });
        }
        let environment = ort::init_from(&path)
            .map_err(|e| fail(&format!("cannot be loaded: {e}")))?
            .with_name("ocellus")
            .with_telemetry(false)
            .build()
            .map_err(|e| fail(&format!("cannot be started: {e}")))?;
        environment.set_log_level(LogLevel::Error);
        *loaded = Some((path, environment.clone()));
        Ok(Runtime { environment })
    }

    /// The runtime's version and build, as it describes itself.
    pub fn version(&self) -> String {
        // "ORT Build Info: git-branch=rel-1.31.1, git-commit-id=…, build type=Release, …"
        let info = ort::info();
        info.split_once("git-branch=rel-")
            .and_then(|(_, rest)| rest.split(',').next())
            .unwrap_or(info)
            .to_owned()
    }
}

/// Looks at a library before the dynamic linker does, whose messages nobody understands.
fn probe(library: &Path) -> std::result::Result<(), String> {
    let mut file = match File::open(library) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err("does not exist".into()),
        Err(e) => return Err(format!("cannot be read: {e}")),
    };
    let mut magic = [0; 4];
    let is_library = file.read_exact(&mut magic).is_ok() && is_shared_library(magic);
    if !is_library {
        return Err("is not a shared library".into());
    }
    Ok(())
}

/// ELF, Mach-O (thin and fat) or PE.
fn is_shared_library(magic: [u8; 4]) -> bool {
    magic == *b"\x7fELF"
        || magic == [0xcf, 0xfa, 0xed, 0xfe]
        || magic == [0xca, 0xfe, 0xba, 0xbe]
        || magic.starts_with(b"MZ")
}

/// How a session runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads that share the work of one run, 1 and up.
    pub intra_threads: usize,
}

/// A loaded model with one input of `f32`.
pub struct Session {
    session: ort::session::Session,
    model: PathBuf,
    /// Sizes of the input's axes; -1 is any size.
    input_shape: Vec<i64>,
    output_names: Vec<String>,
}

impl Session {
    /// Loads an ONNX model. Worker threads sleep between runs instead of spinning, which costs a processor that other
    /// requests need.
    ///
    /// # Errors
    /// `Backend` naming the file if it is missing, is no ONNX model, or has not exactly one input of `f32`.
    pub fn open(rt: &Runtime, model: &Path, opt: &SessionOptions) -> Result<Session> {
        let fail =
            |why: String| Error::Backend(format!("the model {} cannot be loaded: {why}", model.display()));
        if !model.is_file() {
            return Err(fail("there is no such file".into()));
        }
        let session = build(rt, model, opt).map_err(|e| fail(e.to_string()))?;
        let [input] = session.inputs() else {
            let n = session.inputs().len();
            return Err(fail(format!("it has {n} inputs, not one")));
        };
        let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
            return Err(fail("its input is not a tensor".into()));
        };
        if *ty != ort::value::TensorElementType::Float32 {
            return Err(fail(format!("its input is {ty:?}, not Float32")));
        }
        Ok(Session {
            input_shape: shape.to_vec(),
            output_names: session.outputs().iter().map(|o| o.name().to_owned()).collect(),
            model: model.to_owned(),
            session,
        })
    }

    /// Names of the outputs in the order of the graph.
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }

    /// Sizes of the input's axes as the model declares them; `None` is any size.
    pub fn input_shape(&self) -> Vec<Option<usize>> {
        let size = |&dim: &i64| usize::try_from(dim).ok();
        self.input_shape.iter().map(size).collect()
    }

    /// Runs the model; the outputs come in the order of the graph.
    ///
    /// # Errors
    /// `BadInput` if the tensor does not fit the model's input, `Backend` if the run fails or an output is not `f32`.
    pub fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>> {
        self.check(input)?;
        let model = self.model.display().to_string();
        let fail = |e: ort::Error| Error::Backend(format!("the model {model} failed: {e}"));
        let tensor =
            TensorRef::from_array_view((input.shape.clone(), input.data.as_slice())).map_err(fail)?;
        let outputs = self.session.run(ort::inputs![tensor]).map_err(fail)?;
        let mut out = Vec::with_capacity(outputs.len());
        for value in outputs.values() {
            let (shape, data) = value.try_extract_tensor::<f32>().map_err(fail)?;
            out.push(Tensor {
                // A size an output really has is never negative.
                shape: shape.iter().map(|&n| n.unsigned_abs() as usize).collect(),
                data: data.to_vec(),
            });
        }
        Ok(out)
    }

    fn check(&self, input: &Tensor) -> Result<()> {
        let fits = input.shape.len() == self.input_shape.len()
            && input
                .shape
                .iter()
                .zip(&self.input_shape)
                .all(|(&size, &wanted)| wanted < 0 || size as i64 == wanted);
        if !fits || input.shape.iter().product::<usize>() != input.data.len() {
            return Err(Error::BadInput(format!(
                "the model takes a tensor of shape {:?} (-1 is any size), not {:?} with {} numbers",
                self.input_shape,
                input.shape,
                input.data.len()
            )));
        }
        Ok(())
    }
}

fn build(rt: &Runtime, model: &Path, opt: &SessionOptions) -> ort::Result<ort::session::Session> {
    ort::session::Session::builder(&rt.environment)?
        .with_intra_threads(opt.intra_threads.max(1))?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .commit_from_file(model)
}
