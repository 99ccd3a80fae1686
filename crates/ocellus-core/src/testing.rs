//! A platform for tests: a store of its own, the really installed models, a clock that stands still and counted ids.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ocellus_algo::image::DecodeLimits;
use ocellus_store::StoreConfig;
use ocellus_store::testing::TestStore;
use tempfile::TempDir;

use crate::bootstrap::FirstKey;
use crate::engine::EngineConfig;
use crate::fetch::FetchConfig;
use crate::image_text::ImageTextConfig;
use crate::indexes::IndexConfig;
use crate::mail::Mailer;
use crate::model_packages::{self, NewPackage, OwnModelsConfig};
use crate::runners::RunnersConfig;
use crate::user_models::{UserModel, UserModelVersion};
use crate::users::AccountsConfig;
use crate::{AccountCtx, AppCtx, Caller, Clock, Ids, JobsConfig, Platform, PlatformConfig};

/// 2030-01-01T00:00:00Z: after every file of the test was written, so that blobs can grow old by the clock alone.
pub const START_US: i64 = 1_893_456_000_000_000;

/// A platform after its first start. Everything is removed when it is dropped.
pub struct TestPlatform {
    /// The platform.
    pub platform: Platform,
    /// The first account, app and keys.
    pub first: FirstKey,
    /// The clock, to be moved by hand.
    pub clock: Clock,
    store: TestStore,
    dir: TempDir,
}

impl TestPlatform {
    /// On PostgreSQL if `OCELLUS_TEST_PG` is set, else on SQLite.
    pub async fn new() -> Self {
        Self::on(TestStore::one().await, |_| {}).await
    }

    /// On every database there is.
    pub async fn all() -> Vec<Self> {
        let mut platforms = Vec::new();
        for store in TestStore::all().await {
            platforms.push(Self::on(store, |_| {}).await);
        }
        platforms
    }

    /// Like [`TestPlatform::new`], with a configuration changed by `adjust`.
    pub async fn with(adjust: impl FnOnce(&mut PlatformConfig)) -> Self {
        Self::on(TestStore::one().await, adjust).await
    }

    /// On a given store, with a configuration changed by `adjust`.
    pub async fn on(store: TestStore, adjust: impl FnOnce(&mut PlatformConfig)) -> Self {
        let dir = TempDir::new().expect("tests may write to the temporary folder");
        let clock = Clock::manual(START_US);
        let mut config = config(dir.path().to_owned(), clock.clone());
        adjust(&mut config);
        let platform =
            Platform::assemble(store.store.clone(), false, config).expect("the configuration is sound");
        let first = platform.first_start().await.expect("the store works").expect("the store is empty");
        Self { platform, first, clock, store, dir }
    }

    /// A second process on the same database and blobs.
    pub fn another(&self) -> Platform {
        self.another_with(|_| {})
    }

    /// Like [`TestPlatform::another`], with a configuration changed by `adjust`.
    pub fn another_with(&self, adjust: impl FnOnce(&mut PlatformConfig)) -> Platform {
        let mut config = config(self.dir.path().join("another"), self.clock.clone());
        // Its counted ids must not be the first one's.
        config.ids = self.platform.ids().clone();
        config.usage = self.platform.usage().config().clone();
        adjust(&mut config);
        Platform::assemble(self.store.store.clone(), false, config).expect("the configuration is sound")
    }

    /// The caller with the first app's key.
    pub async fn caller(&self) -> Caller {
        self.platform.authenticate(&self.first.api_key).await.expect("the first key is valid")
    }

    /// The first app.
    pub async fn app(&self) -> AppCtx {
        self.platform.app(&self.caller().await, "", "", &[]).await.expect("the key's app exists")
    }

    /// The first account, by its personal access token.
    pub async fn account(&self) -> AccountCtx {
        let caller = self.platform.authenticate(&self.first.pat).await.expect("the first token is valid");
        self.platform.account(&caller, "me", &[]).await.expect("the first account exists")
    }

    /// Works until no job is due.
    pub async fn settle(&self) {
        self.platform.run_until_idle().await.expect("the store works");
    }
}

fn config(data_dir: PathBuf, clock: Clock) -> PlatformConfig {
    let cache = cache_dir();
    let models_dir = env_path("OCELLUS_MODELS_DIR").unwrap_or_else(|| cache.join("models"));
    PlatformConfig {
        // The store is handed over open; these are not looked at.
        store: StoreConfig::new("", ""),
        models_dir,
        runtime_library: runtime_library(),
        data_dir,
        image_text: None,
        engine: EngineConfig::default(),
        own_models: own_models(),
        fetch: FetchConfig { allow: vec!["127.0.0.1".to_owned()], ..FetchConfig::default() },
        decode: DecodeLimits::default(),
        video: Default::default(),
        indexes: IndexConfig::default(),
        jobs: JobsConfig { workers: 4, ..JobsConfig::default() },
        // Short, so that a test may wait until the time is over.
        runners: RunnersConfig {
            predict_timeout: Duration::from_millis(500),
            poll: Duration::from_millis(100),
            ..RunnersConfig::default()
        },
        accounts: AccountsConfig { signup_open: true, mailer: Mailer::kept(), ..AccountsConfig::default() },
        usage: Default::default(),
        clock,
        ids: Ids::counted(),
    }
}

/// Models that users bring along run in a process of the same test program: in its only test with this name, see
/// [`model_worker`].
fn own_models() -> OwnModelsConfig {
    let program = std::env::current_exe().expect("a test is a program");
    let args = ["the_worker_of_models", "--nocapture", "--test-threads=1"].map(str::to_owned);
    OwnModelsConfig {
        worker: Some((program, args.to_vec())),
        load_timeout: Duration::from_secs(20),
        run_timeout: Duration::from_secs(2),
        memory_bytes: 1 << 30,
        ..OwnModelsConfig::default()
    }
}

/// The body of a test named `the_worker_of_models`, which every test program has that runs models of users.
pub fn model_worker() {
    if env_path(crate::engine::NAME_OF_WORKERS).is_some() {
        crate::engine::serve_stdin().expect("the server speaks sense");
    }
}

/// The inference runtime that tests use.
pub fn runtime_library() -> PathBuf {
    env_path("OCELLUS_RUNTIME_LIBRARY")
        .unwrap_or_else(|| cache_dir().join("runtime/libonnxruntime.so.1.31.1"))
}

/// A tiny image-text pair that knows red, green and blue; `turned` is another of the same meaning.
pub fn image_text(turned: bool) -> ImageTextConfig {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/image-text");
    let prefix = if turned { "turned-" } else { "" };
    ImageTextConfig {
        image_model: folder.join(format!("{prefix}image.onnx")),
        text_model: folder.join(format!("{prefix}text.onnx")),
        vocabulary: folder.join("vocab.json"),
        merges: folder.join("merges.txt"),
        image_size: 8,
        mean: [0.0; 3],
        std: [1.0; 3],
        context_length: 16,
    }
}

/// The per-user cache into which the models are installed.
pub fn cache_dir() -> PathBuf {
    env_path("OCELLUS_CACHE")
        .or_else(|| env_path("XDG_CACHE_HOME").map(|dir| dir.join("ocellus")))
        .or_else(|| env_path("HOME").map(|dir| dir.join(".cache/ocellus")))
        .expect("a user has a home")
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
fn env_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

impl TestPlatform {
    /// A network that tells red, green and blue, as version "first" of the model "colours" of the first app.
    pub async fn own_colours(&self) -> (UserModel, UserModelVersion) {
        let dir = TempDir::new().expect("tests may write to the temporary folder");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/own-models");
        for name in ["colours.onnx", "colours.toml", "colours.txt"] {
            std::fs::copy(folder.join(name), dir.path().join(name)).expect("the fixtures are there");
        }
        let new = NewPackage { make: true, version_id: "first".to_owned(), ..NewPackage::default() };
        let file = dir.path().join("colours.onnx");
        model_packages::add(&self.app().await, &file, new).await.expect("the fixture is a good model")
    }
}
