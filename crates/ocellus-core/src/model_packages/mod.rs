//! Models that somebody brings along: an ONNX file with a manifest becomes a version of an app's model. It is tried out, and
//! later runs, in a process of its own with limits; what breaks one is refused.

mod archive;
mod manifest;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ocellus_algo::nn::OnnxAbout;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use manifest::{Activation, BoxFormat, BoxUnits, Manifest, ModelConcept, Task};

use crate::engine::{Engine, EngineConfig, IsolationConfig};
use crate::jobs::gc_blobs;
use crate::learning::{Artefact, OnnxModel, WEIGHTS_ROLE};
use crate::model_bundles;
use crate::user_models::{
    self, ConceptRef, NewModel, NewTrained, TrainedConcept, TrainedOn, UserModel, UserModelVersion,
    VersionDoc,
};
use crate::{AppCtx, Error, JsonMap, Platform, Result};
use archive::Package;

/// Models that are tried out at the same time; each takes a processor and its limit of memory.
const TRIALS_AT_ONCE: usize = 2;
/// Room in an upload for manifest, labels and the archive itself, in bytes.
const BESIDE: u64 = 64 << 20;

/// What models that somebody brings along may take; a section of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnModelsConfig {
    /// The program with its arguments that runs such a model; see [`crate::engine::serve_stdin`]. Without it none are taken.
    pub worker: Option<(PathBuf, Vec<String>)>,
    /// The largest ONNX file, in bytes.
    pub max_bytes: u64,
    /// How long loading one may take.
    pub load_timeout: Duration,
    /// How long one run may take.
    pub run_timeout: Duration,
    /// How much memory a process of one may take, in bytes.
    pub memory_bytes: u64,
    /// Public keys, in hex, of those whose bundles are taken without asking.
    pub trusted_signers: Vec<String>,
}

impl Default for OwnModelsConfig {
    fn default() -> Self {
        Self {
            worker: None,
            max_bytes: 512 << 20,
            load_timeout: Duration::from_secs(60),
            run_timeout: Duration::from_secs(30),
            memory_bytes: 2 << 30,
            trusted_signers: Vec::new(),
        }
    }
}

/// What the platform has for models that somebody brings along.
pub(crate) struct OwnModels {
    config: OwnModelsConfig,
    running: Option<(Engine, IsolationConfig)>,
    data_dir: PathBuf,
    trials: Semaphore,
    known: Mutex<HashMap<PathBuf, Arc<OnnxAbout>>>,
}

impl OwnModels {
    pub(crate) fn new(
        config: OwnModelsConfig,
        engine: &EngineConfig,
        library: &Path,
        data_dir: &Path,
    ) -> Self {
        let running = config.worker.clone().map(|(program, args)| {
            let isolation = IsolationConfig {
                program,
                args,
                library: library.to_owned(),
                threads: engine.threads_per_session.max(1),
                memory_bytes: config.memory_bytes,
                load_timeout: config.load_timeout,
                run_timeout: config.run_timeout,
            };
            (Engine::isolated(engine.clone(), isolation.clone()), isolation)
        });
        let trials = Semaphore::new(TRIALS_AT_ONCE);
        Self { config, running, data_dir: data_dir.to_owned(), trials, known: Mutex::default() }
    }

    pub(crate) fn config(&self) -> &OwnModelsConfig {
        &self.config
    }

    /// What weight files say of themselves, as far as somebody asked.
    pub(crate) fn known(&self) -> &Mutex<HashMap<PathBuf, Arc<OnnxAbout>>> {
        &self.known
    }

    /// Where the key lies that signs bundles.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.data_dir.join("bundle-key")
    }

    /// What runs such models.
    pub(crate) fn engine(&self) -> Result<&Engine> {
        Ok(&self.running()?.0)
    }

    fn running(&self) -> Result<&(Engine, IsolationConfig)> {
        let off = || Error::unsupported("this server runs no models that are not its own");
        self.running.as_ref().ok_or_else(off)
    }

    /// Where weights lie that are kept elsewhere.
    pub(crate) fn cached(&self, hash: &str) -> PathBuf {
        self.data_dir.join("own-models").join(hash)
    }

    /// Puts weights there. Several may do so at once.
    pub(crate) async fn cache(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let (path, bytes) = (path.to_owned(), bytes.to_vec());
        let work = move || {
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut file, &bytes)?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok::<_, std::io::Error>(())
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
        done.map_err(|error| Error::unavailable("the weights of a model cannot be written").caused_by(error))
    }
}

/// The largest file that may be uploaded: the largest model, with room for what is beside it.
pub fn max_upload_bytes(platform: &Platform) -> u64 {
    platform.own_models().config.max_bytes.saturating_add(BESIDE)
}

/// What is said of a model that somebody brings along.
#[derive(Clone, Debug, Default)]
pub struct NewPackage {
    /// The model; the id in the manifest if empty.
    pub model_id: String,
    /// Whether the model is made if the app has none with this id.
    pub make: bool,
    /// The id of the version; made up if empty.
    pub version_id: String,
    /// The owner's words.
    pub description: String,
    /// The licence; that of the manifest if empty.
    pub license: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// A public key, in hex, whose bundle is taken this time.
    pub trust: Option<String>,
}

/// Makes a version of a model from a file: an ONNX file beside its manifest, an archive of both, or a bundle.
///
/// `Invalid` if the file is not what it must be, `TooLarge` beyond the limit, `Unsupported` if the model cannot be loaded or
/// run within its limits, `Timeout` if it takes too long, `NotFound` for a model that does not exist and shall not be made.
pub async fn add(app: &AppCtx, file: &Path, new: NewPackage) -> Result<(UserModel, UserModelVersion)> {
    // On the heap: what it goes through on its way is large.
    Box::pin(take_in(app, file, new)).await
}

async fn take_in(app: &AppCtx, file: &Path, new: NewPackage) -> Result<(UserModel, UserModelVersion)> {
    app.check_writable()?;
    if model_bundles::is_bundle(file) {
        return Box::pin(model_bundles::import(app, file, new)).await;
    }
    let max_bytes = app.platform().own_models().config.max_bytes;
    let path = file.to_owned();
    let open = move || archive::open(&path, max_bytes);
    let package = tokio::task::spawn_blocking(open).await.map_err(Error::internal)??;
    let id = if new.model_id.is_empty() { package.manifest.id.clone() } else { new.model_id.clone() };
    if id.is_empty() {
        return Err(Error::invalid("model_id", "is missing: the manifest has no id either"));
    }
    let wanted = NewPackage { model_id: id, ..new };
    check_model(app, &package.manifest, &wanted).await?;
    let model = try_out(app, &package).await?;
    Box::pin(keep(app, model, &package, wanted)).await
}

/// Refuses what can be refused before the model is tried out.
async fn check_model(app: &AppCtx, manifest: &Manifest, new: &NewPackage) -> Result<()> {
    match user_models::find(app, &new.model_id).await? {
        Some(model) => check_type(&model, manifest.task),
        None if new.make => Ok(()),
        None => Err(user_models::missing(&new.model_id)),
    }
}

/// A model says by its type what comes out; a type that speaks of something else may mean anything.
pub(crate) fn check_type(model: &UserModel, task: Task) -> Result<()> {
    let word = |task: Task| type_of(task).trim_start_matches("visual-");
    let others = [Task::Concepts, Task::Embedding, Task::Detector].into_iter().filter(|other| *other != task);
    let is_other = others.into_iter().any(|other| model.model_type_id.contains(word(other)));
    if is_other && !model.model_type_id.contains(word(task)) {
        let text =
            format!("is of a {}, but model '{}' is a {}", type_of(task), model.id, model.model_type_id);
        return Err(manifest::wrong(&text));
    }
    Ok(())
}

/// The type of a model made for a task.
pub(crate) fn type_of(task: Task) -> &'static str {
    match task {
        Task::Concepts => "visual-classifier",
        Task::Embedding => "visual-embedder",
        Task::Detector => "visual-detector",
    }
}

async fn try_out(app: &AppCtx, package: &Package) -> Result<OnnxModel> {
    let own = app.platform().own_models();
    let (isolation, permit) =
        (own.running()?.1.clone(), own.trials.acquire().await.map_err(Error::internal)?);
    let (manifest, concepts, onnx) =
        (package.manifest.clone(), package.concepts.clone(), package.onnx.clone());
    let work = move || trial::run(&isolation, &manifest, concepts, &onnx);
    let model = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    drop(permit);
    model
}

async fn keep(
    app: &AppCtx,
    mut model: OnnxModel,
    package: &Package,
    new: NewPackage,
) -> Result<(UserModel, UserModelVersion)> {
    let manifest = &package.manifest;
    // Held until the rows that refer to the new blobs are written.
    let blobs_held = app.platform().blob_gate().read().await;
    model.weights = app.platform().store().blobs().put_file(package.onnx.clone()).await?;
    let doc = VersionDoc {
        description: if new.description.is_empty() {
            manifest.description.clone()
        } else {
            new.description.clone()
        },
        license: if new.license.is_empty() { manifest.licence.clone() } else { new.license.clone() },
        metadata: new.metadata.clone(),
        ..VersionDoc::default()
    };
    let model_type_id = type_of(manifest.task).to_owned();
    let of = Making { name: manifest.name.clone(), model_type_id, new, doc };
    let weights = model.weights.clone();
    let made = Box::pin(keep_onnx(app, model, of)).await;
    drop(blobs_held);
    if made.is_err() {
        discard(app, vec![weights]).await?;
    }
    made
}

/// Has blobs collected that no version came to need.
pub(crate) async fn discard(app: &AppCtx, hashes: Vec<String>) -> Result<()> {
    if hashes.is_empty() {
        return Ok(());
    }
    let (id, now_us) = (app.platform().ids().id(), app.platform().clock().now_us());
    let (account_id, hashes) = (app.caller().account_id.clone(), hashes.into_iter().collect());
    let write = move |tx: &mut ocellus_store::Tx<'_>| {
        gc_blobs::job_for(&id, &account_id, &hashes, now_us).insert(tx)?;
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}

/// Refuses an ONNX file that needs more than itself. Blocks.
pub(crate) fn check_outside(onnx: &Path) -> Result<()> {
    trial::check_outside(&ocellus_algo::nn::inspect(onnx)?)
}

/// What a version is made with.
pub(crate) struct Making {
    pub name: String,
    pub model_type_id: String,
    pub new: NewPackage,
    pub doc: VersionDoc,
}

/// Writes a version that is a network whose weights are kept already. The caller holds the gate of the blobs.
async fn keep_onnx(app: &AppCtx, model: OnnxModel, making: Making) -> Result<(UserModel, UserModelVersion)> {
    let mut doc = making.doc;
    let concepts = model.concepts.clone();
    let named = |concept: &ModelConcept| TrainedConcept {
        id: concept.id.clone(),
        name: concept.name.clone(),
        ..TrainedConcept::default()
    };
    let on = doc.trained_on.get_or_insert_with(|| TrainedOn {
        method: "none: the model was brought along".to_owned(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..TrainedOn::default()
    });
    on.concepts = concepts.iter().map(named).collect();
    let weights = model.weights.clone();
    let artefact = Artefact::Onnx(Box::new(model));
    let making = Making { doc, ..making };
    Box::pin(keep_artefact(app, &artefact, vec![(WEIGHTS_ROLE.to_owned(), weights)], making)).await
}

/// Writes a version with what it can do, making the model if that is asked for and needed. The caller holds the gate of the
/// blobs.
pub(crate) async fn keep_artefact(
    app: &AppCtx,
    artefact: &Artefact,
    mut blobs: Vec<(String, String)>,
    making: Making,
) -> Result<(UserModel, UserModelVersion)> {
    let Making { name, model_type_id, new, mut doc } = making;
    let bytes = artefact.to_bytes();
    let reference = artefact.reference(&bytes);
    app.platform().store().blobs().put(bytes.into()).await?;
    blobs.push((crate::learning::ROLE.to_owned(), reference.sha256.clone()));
    doc.artefact = Some(reference);
    let said = |concept: &TrainedConcept| ConceptRef {
        id: Some(concept.id.clone()),
        name: Some(concept.name.clone()),
    };
    let concepts: Vec<ConceptRef> = doc.trained_on.iter().flat_map(|on| &on.concepts).map(said).collect();
    if new.make && user_models::find(app, &new.model_id).await?.is_none() {
        let model = NewModel { id: new.model_id.clone(), name, model_type_id, ..NewModel::default() };
        user_models::create(app, model).await?;
    }
    let trained = NewTrained { version_id: new.version_id, doc, concepts, blobs };
    user_models::add_trained(app, &new.model_id, trained).await
}
