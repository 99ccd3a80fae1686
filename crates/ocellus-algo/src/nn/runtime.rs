//! The shared library that runs models: looked at before it is loaded, loaded once.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use libloading::{Library, Symbol};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::sys::OrtApiBase;
use parking_lot::Mutex;

use crate::error::{Error, Result};

/// The runtime library is loaded once per process and stays; a second one cannot be loaded beside it.
static LOADED: Mutex<Option<(PathBuf, Runtime)>> = Mutex::new(None);

/// The interface `ort` was compiled for appeared in version 1.24.
const MIN_MINOR_VERSION: u32 = ort::MINOR_VERSION;

/// The loaded inference runtime. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    version: String,
}

impl Runtime {
    /// Loads the ONNX runtime from a shared library. Loading the same file again returns the runtime loaded before.
    ///
    /// # Errors
    /// `Backend` naming the path and what to do if the file is missing, is no ONNX runtime or too old, or if another
    /// file was loaded before.
    pub fn load(library: &Path) -> Result<Runtime> {
        load(library).map_err(|why| {
            Error::Backend(format!(
                "the inference runtime {} {why}; run `make setup` to install it, or set `engine.runtime_library` to \
                 the libonnxruntime.so of an onnxruntime package of version 1.{MIN_MINOR_VERSION} or later",
                library.display()
            ))
        })
    }

    /// The version of the library, such as `1.31.1`.
    pub fn version(&self) -> String {
        self.version.clone()
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn load(library: &Path) -> std::result::Result<Runtime, String> {
    look_at(library)?;
    let path = library.canonicalize().map_err(|e| format!("cannot be read: {e}"))?;
    let mut loaded = LOADED.lock();
    if let Some((loaded_path, runtime)) = &*loaded {
        if *loaded_path == path {
            return Ok(runtime.clone());
        }
        let other = loaded_path.display();
        return Err(format!("cannot be loaded because {other} already is"));
    }
    let version = ask_version(&path)?;
    let environment = ort::init_from(&path)
        .map_err(|e| format!("cannot be loaded: {e}"))?
        .with_name("ocellus")
        .with_telemetry(false)
        .build()
        .map_err(|e| format!("cannot be started: {e}"))?;
    environment.set_log_level(LogLevel::Error);
    let runtime = Runtime { environment, version };
    *loaded = Some((path, runtime.clone()));
    Ok(runtime)
}

/// Looks at a library before the dynamic linker does, whose messages nobody understands.
fn look_at(library: &Path) -> std::result::Result<(), String> {
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

/// The version a library gives itself, after which it is known to be an ONNX runtime and new enough.
fn ask_version(path: &Path) -> std::result::Result<String, String> {
    #[expect(unsafe_code, reason = "loading a library runs its initialisers")]
    // SAFETY: the operator named this file as the inference runtime, which is to be run anyway.
    let library = unsafe { Library::new(path) }.map_err(|e| format!("cannot be loaded: {e}"))?;
    #[expect(unsafe_code, reason = "the type of a symbol cannot be checked")]
    // SAFETY: this is the one entry point of every ONNX runtime, with this signature since version 1.0.
    let entry: Symbol<unsafe extern "system" fn() -> *const OrtApiBase> =
        unsafe { library.get(b"OrtGetApiBase") }
            .map_err(|_| "cannot be loaded: it is not an ONNX runtime".to_owned())?;
    #[expect(unsafe_code, reason = "calls into the library")]
    // SAFETY: the entry point takes nothing and returns a static table or null, which is checked; the table's second
    // function takes nothing and returns a static text ending in zero.
    let version = unsafe {
        let Some(base) = entry().as_ref() else {
            return Err("cannot be loaded: it offers no interface".into());
        };
        CStr::from_ptr((base.GetVersionString)()).to_string_lossy().into_owned()
    };
    let minor = version.split('.').nth(1).and_then(|v| v.parse::<u32>().ok());
    if minor.is_none_or(|minor| minor < MIN_MINOR_VERSION) {
        return Err(format!("has version {version}, which is too old"));
    }
    Ok(version)
}
