//! The test kit: an empty store of its own for each test, on SQLite always, and on PostgreSQL when the
//! environment variable `OCELLUS_TEST_PG` holds a URL with the right to create schemas.

pub mod rows;
pub mod statements;

use crate::db::execute_once;
use crate::{Store, StoreConfig};
use tempfile::TempDir;

/// The variable with the URL of a PostgreSQL for tests; `scripts/test_postgres.sh start` prints it.
pub const POSTGRES_VARIABLE: &str = "OCELLUS_TEST_PG";

/// An empty store that vanishes with this value.
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// What it was opened with, to open it again.
    pub config: StoreConfig,
    /// `sqlite` or `postgres`, for messages.
    pub name: &'static str,
    folder: TempDir,
    schema: Option<Schema>,
}

impl TestStore {
    /// An empty store on SQLite and, if there is one for tests, another on PostgreSQL. A test runs over
    /// all of them.
    pub async fn all() -> Vec<TestStore> {
        let mut stores = vec![Self::sqlite().await];
        stores.extend(Self::postgres().await);
        stores
    }

    /// One empty store: on PostgreSQL if there is one for tests, otherwise on SQLite.
    pub async fn one() -> TestStore {
        match Self::postgres().await {
            Some(store) => store,
            None => Self::sqlite().await,
        }
    }

    /// An empty store on SQLite. A commit is not flushed to the disk: tests do not cut the power.
    pub async fn sqlite() -> TestStore {
        let folder = TempDir::new().expect("tests need a folder for temporary files");
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self::open("sqlite", url, folder, None).await
    }

    /// An empty store in a schema of its own, if there is a PostgreSQL for tests. One that is named but
    /// does not answer is a fault, not a reason to skip.
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
    pub async fn postgres() -> Option<TestStore> {
        let base = std::env::var(POSTGRES_VARIABLE).ok().filter(|url| !url.is_empty())?;
        let schema = Schema { base, name: format!("test_{}", uuid::Uuid::new_v4().simple()) };
        let created = execute_once(&schema.base, &format!("CREATE SCHEMA {}", schema.name)).await;
        created.expect("the PostgreSQL of OCELLUS_TEST_PG answers and its role may create schemas");
        let separator = if schema.base.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}options=-csearch_path%3D{}", schema.base, schema.name);
        let folder = TempDir::new().expect("tests need a folder for temporary files");
        Some(Self::open("postgres", url, folder, Some(schema)).await)
    }

    async fn open(name: &'static str, url: String, folder: TempDir, schema: Option<Schema>) -> TestStore {
        let blobs_url = format!("file:{}", folder.path().join("blobs").display());
        let mut config = StoreConfig::new(url, blobs_url);
        config.readers = 2;
        config.durability = crate::Durability::Normal;
        let store = Store::open(&config).await.expect("an empty database can be opened");
        TestStore { store, config, name, folder, schema }
    }

    /// A folder for the test's own files; it vanishes with this value.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        let Some(Schema { base, name }) = self.schema.take() else { return };
        // A runtime cannot wait inside another one, so it gets a thread of its own.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be built");
            let drop_it = format!("DROP SCHEMA {name} CASCADE");
            runtime.block_on(execute_once(&base, &drop_it)).expect("a schema can be dropped");
        });
        if dropping.join().is_err() {
            tracing::warn!("a test's schema was left behind");
        }
    }
}

/// A PostgreSQL schema that belongs to one test.
struct Schema {
    base: String,
    name: String,
}
