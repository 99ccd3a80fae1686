//! The platform: one cheap handle to the store, the engine, the models and everything else a use case needs.

use std::path::PathBuf;
use std::sync::Arc;

use ocellus_algo::image::DecodeLimits;
use ocellus_store::{Store, StoreConfig};
use tokio::sync::{Notify, RwLock};

use crate::access::CallerCache;
use crate::catalog::Catalog;
use crate::datasets::exports::Exporters;
use crate::engine::{Engine, EngineConfig};
use crate::fetch::{FetchConfig, Fetcher};
use crate::image_text::{ImageText, ImageTextConfig};
use crate::indexes::{IndexConfig, Indexes};
use crate::jobs::call_back::CallBacks;
use crate::learning::Artefacts;
use crate::model_packages::{OwnModels, OwnModelsConfig};
use crate::runners::RunnersConfig;
use crate::search::anchors::Anchors;
use crate::texts::Texts;
use crate::usage::{Meter, UsageConfig};
use crate::users::AccountsConfig;
use crate::video::VideoConfig;
use crate::{Clock, Ids, Result};

/// Everything a platform is made of. Clock and ids come from outside, so that tests can hold them still.
#[derive(Clone, Debug)]
pub struct PlatformConfig {
    /// Database and blobs.
    pub store: StoreConfig,
    /// Where the weights lie.
    pub models_dir: PathBuf,
    /// The inference runtime's library file.
    pub runtime_library: PathBuf,
    /// Where snapshots of indexes lie.
    pub data_dir: PathBuf,
    /// Networks that bring images and texts into one space, if there are any.
    pub image_text: Option<ImageTextConfig>,
    /// The inference engine.
    pub engine: EngineConfig,
    /// Fetching by address.
    pub fetch: FetchConfig,
    /// Models that users bring along.
    pub own_models: OwnModelsConfig,
    /// What an image may cost.
    pub decode: DecodeLimits,
    /// The programs that read videos.
    pub video: VideoConfig,
    /// The vector indexes.
    pub indexes: IndexConfig,
    /// Background work.
    pub jobs: JobsConfig,
    /// How people come and go.
    pub accounts: AccountsConfig,
    /// How work gets to runners.
    pub runners: RunnersConfig,
    /// What operations cost, and how many there are.
    pub usage: UsageConfig,
    /// Tells the time.
    pub clock: Clock,
    /// Makes ids and secrets.
    pub ids: Ids,
}

/// How background work is done; a section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobsConfig {
    /// Parts of jobs worked on at once; 0 means two per core, because much of the time is spent waiting for downloads.
    pub workers: usize,
    /// How long a part stays with a worker that has stopped telling that it lives, in seconds.
    pub lease_s: u32,
    /// How often the database is asked for work that another process may have put there, in milliseconds.
    pub poll_ms: u64,
}

impl Default for JobsConfig {
    fn default() -> Self {
        Self { workers: 0, lease_s: 30, poll_ms: 1_000 }
    }
}

/// The platform. Clones share everything.
#[derive(Clone)]
pub struct Platform(Arc<Inner>);

struct Inner {
    store: Store,
    engine: Engine,
    catalog: Catalog,
    fetcher: Fetcher,
    indexes: Indexes,
    texts: Texts,
    image_text: Option<ImageText>,
    search_anchors: Anchors,
    decode: DecodeLimits,
    video: VideoConfig,
    jobs: JobsConfig,
    exporters: Exporters,
    call_backs: CallBacks,
    artefacts: Artefacts,
    own_models: OwnModels,
    clock: Clock,
    ids: Ids,
    callers: CallerCache,
    accounts: AccountsConfig,
    usage: Meter,
    job_added: Notify,
    runners: RunnersConfig,
    runner_items_changed: Notify,
    blob_gate: Arc<RwLock<()>>,
    boot_id: String,
    alone: bool,
}

impl Platform {
    /// Opens the store, brings its schema up to date and makes everything ready. Of the models only
    /// an image-text pair is loaded, to be checked.
    pub async fn open(config: PlatformConfig) -> Result<Self> {
        let store = Store::open(&config.store).await?;
        let alone = config.store.url.starts_with("sqlite:");
        Self::assemble(store, alone, config)
    }

    /// The platform around a store that is open already; `alone` if no other process works on it.
    pub(crate) fn assemble(store: Store, alone: bool, config: PlatformConfig) -> Result<Self> {
        let boot_id = config.ids.id();
        let library = &config.runtime_library;
        let image_text = config.image_text.as_ref().map(|pair| ImageText::open(pair, library)).transpose()?;
        let own_models = OwnModels::new(config.own_models, &config.engine, library, &config.data_dir);
        Ok(Self(Arc::new(Inner {
            usage: Meter::new(config.usage, store.clone()),
            store,
            texts: Texts::new(config.runtime_library.clone()),
            image_text,
            search_anchors: Anchors::default(),
            engine: Engine::new(config.engine, config.runtime_library),
            catalog: Catalog::open(&config.models_dir)?,
            fetcher: Fetcher::new(config.fetch)?,
            indexes: Indexes::new(config.data_dir.join("indexes"), config.indexes),
            decode: config.decode,
            video: config.video,
            jobs: config.jobs,
            exporters: Exporters::default(),
            call_backs: CallBacks::default(),
            artefacts: Artefacts::default(),
            own_models,
            clock: config.clock,
            ids: config.ids,
            callers: CallerCache::default(),
            accounts: config.accounts,
            job_added: Notify::new(),
            runners: config.runners,
            runner_items_changed: Notify::new(),
            blob_gate: Arc::default(),
            boot_id,
            alone,
        })))
    }

    /// Rows and blobs.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Loaded models.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The public models.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// The guarded way to the network.
    pub fn fetcher(&self) -> &Fetcher {
        &self.0.fetcher
    }

    /// The vector indexes.
    pub fn indexes(&self) -> &Indexes {
        &self.0.indexes
    }

    /// The meaning of texts.
    pub(crate) fn texts(&self) -> &Texts {
        &self.0.texts
    }

    /// Images and texts in one space, if the operator supplied networks for that.
    pub(crate) fn image_text(&self) -> Option<&ImageText> {
        self.0.image_text.as_ref()
    }

    /// What the later pages of a search may see.
    pub(crate) fn search_anchors(&self) -> &Anchors {
        &self.0.search_anchors
    }

    /// What an image may cost.
    pub fn decode_limits(&self) -> &DecodeLimits {
        &self.0.decode
    }

    /// The programs that read videos.
    pub fn video_config(&self) -> &VideoConfig {
        &self.0.video
    }

    /// How people come and go.
    pub fn accounts_config(&self) -> &AccountsConfig {
        &self.0.accounts
    }

    /// What is counted, and how much of it is left.
    pub(crate) fn usage(&self) -> &Meter {
        &self.0.usage
    }

    /// How work gets to runners.
    pub fn runners_config(&self) -> &RunnersConfig {
        &self.0.runners
    }

    /// How background work is done.
    pub fn jobs_config(&self) -> &JobsConfig {
        &self.0.jobs
    }

    /// How calls back are worded, which a dialect brings along.
    pub fn call_backs(&self) -> &CallBacks {
        &self.0.call_backs
    }

    /// The ways of writing archives of datasets that dialects bring along.
    pub fn exporters(&self) -> &Exporters {
        &self.0.exporters
    }

    /// Models that users bring along.
    pub(crate) fn own_models(&self) -> &OwnModels {
        &self.0.own_models
    }

    /// What own models have learned, as far as it is in memory.
    pub(crate) fn artefacts(&self) -> &Artefacts {
        &self.0.artefacts
    }

    /// Tells the time.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Makes ids and secrets.
    pub fn ids(&self) -> &Ids {
        &self.0.ids
    }

    /// Who showed which key lately.
    pub(crate) fn callers(&self) -> &CallerCache {
        &self.0.callers
    }

    /// Rings when a job was added, so that workers need not wait for their next look.
    pub(crate) fn job_added(&self) -> &Notify {
        &self.0.job_added
    }

    /// Rings when work for runners was added, answered or given back, so that nobody need wait for their next look.
    pub(crate) fn runner_items_changed(&self) -> &Notify {
        &self.0.runner_items_changed
    }

    /// Names this run of this process as the owner of leases.
    pub(crate) fn boot_id(&self) -> &str {
        &self.0.boot_id
    }

    /// Open to those who put blobs and then write what refers to them; closed while a blob is being collected.
    pub(crate) fn blob_gate(&self) -> &Arc<RwLock<()>> {
        &self.0.blob_gate
    }

    /// Whether no other process works on the same database.
    pub(crate) fn is_alone(&self) -> bool {
        self.0.alone
    }
}
