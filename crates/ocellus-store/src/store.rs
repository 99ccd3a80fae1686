//! The open store: which database and which blobs, and the only ways into a transaction.

use std::sync::Arc;

use crate::blobs::Blobs;
use crate::db::{Postgres, Sqlite, Tx, statistics};
use crate::tables::job_parts::JobPart;
use crate::tables::jobs::Job;
use crate::{Error, Result, migrate};

/// How much a commit survives on SQLite; PostgreSQL has its own setting, `synchronous_commit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A commit survives the loss of power: the log is flushed to the disk before the commit returns.
    #[default]
    Full,
    /// A commit survives a killed process; the last ones may be lost with the power.
    Normal,
}

/// Where rows and blobs are.
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
    /// `file:DIRECTORY`, or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`.
    pub blobs_url: String,
    /// Connections that read at once, 1 to 64.
    pub readers: usize,
    /// The S3 access key.
    pub blobs_access_key: Option<String>,
    /// The S3 secret key.
    pub blobs_secret_key: Option<String>,
    /// What a commit survives on SQLite.
    pub durability: Durability,
}

impl StoreConfig {
    /// Four readers, full durability, no S3 credentials.
    pub fn new(url: impl Into<String>, blobs_url: impl Into<String>) -> Self {
        StoreConfig {
            url: url.into(),
            blobs_url: blobs_url.into(),
            readers: 4,
            blobs_access_key: None,
            blobs_secret_key: None,
            durability: Durability::default(),
        }
    }
}

impl std::fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Both URLs may hold a password.
        f.debug_struct("StoreConfig").field("readers", &self.readers).finish_non_exhaustive()
    }
}

enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// The open store; a clone is another handle to the same one.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
    blobs: Blobs,
}

impl Store {
    /// Opens the database and the blobs, creates what is missing, and brings an older schema up to
    /// date. Fails with [`Error::NewerSchema`] on a database that a newer program has written.
    pub async fn open(cfg: &StoreConfig) -> Result<Store> {
        let blobs = Blobs::open(cfg).await?;
        let readers = cfg.readers.clamp(1, 64);
        let database = if let Some(path) = cfg.url.strip_prefix("sqlite:") {
            Database::Sqlite(Sqlite::open(path.as_ref(), readers, cfg.durability).await?)
        } else if cfg.url.starts_with("postgres://") || cfg.url.starts_with("postgresql://") {
            Database::Postgres(Postgres::open(&cfg.url, readers).await?)
        } else {
            return Err(Error::Config(
                "the database must be sqlite:PATH or postgres://USER@HOST/DATABASE".to_owned(),
            ));
        };
        let store = Store { database: Arc::new(database), blobs };
        store.alone(migrate::run).await?;
        if matches!(&*store.database, Database::Sqlite(_)) {
            store.alone(|tx| statistics::describe(tx)).await?;
        }
        Ok(store)
    }

    /// Runs `f` in a transaction that sees one moment and writes nothing.
    pub async fn read<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        match &*self.database {
            Database::Sqlite(sqlite) => sqlite.read(f).await,
            Database::Postgres(postgres) => postgres.read(f).await,
        }
    }

    /// Runs `f` in a transaction that acts as if it were alone, and commits it when `f` returns `Ok`.
    /// `f` may run several times (it lost against another transaction), each time on a fresh state;
    /// it must not have effects outside the database.
    pub async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        match &*self.database {
            Database::Sqlite(sqlite) => sqlite.write(f).await,
            Database::Postgres(postgres) => postgres.write(f).await,
        }
    }

    /// Runs `f`, which only adds to counts, and commits. The commit survives a killed process, but the last ones may be lost
    /// with the power: what is counted with every call must not make every call wait for the disk. With several processes
    /// rows must be added to in the order of their keys.
    pub async fn count<F>(&self, f: F) -> Result<()>
    where
        F: Fn(&mut Tx<'_>) -> Result<()> + Send + Sync + 'static,
    {
        match &*self.database {
            Database::Sqlite(sqlite) => sqlite.count(f).await,
            Database::Postgres(postgres) => postgres.count(f).await,
        }
    }

    /// [`Tx::claim_parts`] in a transaction of its own, in which claimers never wait for one another.
    #[expect(clippy::too_many_arguments, reason = "those of the table's method")]
    pub async fn claim_parts(
        &self,
        kinds: Vec<String>,
        owner: String,
        now_us: i64,
        lease_until_us: i64,
        limit: i64,
    ) -> Result<Vec<(Job, JobPart)>> {
        let claim = move |tx: &mut Tx<'_>| tx.claim_parts(&kinds, &owner, now_us, lease_until_us, limit);
        match &*self.database {
            Database::Sqlite(sqlite) => sqlite.write(claim).await,
            Database::Postgres(postgres) => postgres.claim(claim).await,
        }
    }

    /// Like [`Store::write`], while no other process does the same.
    async fn alone<T, F>(&self, f: F) -> Result<T>
    where
        F: Fn(&mut Tx<'_>) -> Result<T> + Send + Sync + 'static,
        T: Send + 'static,
    {
        match &*self.database {
            Database::Sqlite(sqlite) => sqlite.write(f).await,
            Database::Postgres(postgres) => postgres.alone(f).await,
        }
    }

    /// The blobs.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }
}
