//! PostgreSQL: a pool, serializable transactions, and another try when one loses against others.
//!
//! A closure runs on a thread that may block, and each of its statements waits there for the answer.
//! With PostgreSQL's default isolation 675 of 800 concurrent read-then-write updates were lost without
//! an error; with SERIALIZABLE none is, but a loser must run again.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio::runtime::Handle;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::db::{Connection, Dialect, Failure, Row, Tx, Val};
use crate::error::{Error, Result};

/// How long to wait for a connection, new or from the pool.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections beyond those for reading.
const N_WRITERS: usize = 4;
/// Lost tries after which a transaction queues up with the other losers instead of racing them.
const TRIES_BEFORE_QUEUE: u32 = 4;
/// Lost tries after which the caller is told that the database is busy.
const MAX_TRIES: u32 = 60;
/// The advisory lock in which losers queue up, and in which processes take turns to migrate.
const QUEUE_LOCK: i64 = 0x6f63_656c_6c75_7301;

/// A pool of connections to a PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
}

/// How a transaction begins.
#[derive(Clone, Copy)]
enum Mode {
    Read,
    Write,
    /// For the claim of job parts: its one statement locks what it takes and skips what is locked,
    /// and under SERIALIZABLE claimers would make one another fail.
    Claim,
    /// For counts that are only added to: sums come out right under any interleaving, and nobody waits for the disk.
    Count,
}

impl Mode {
    fn begin(self) -> &'static str {
        match self {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Mode::Write => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            Mode::Claim => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Mode::Count => "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off",
        }
    }
}

impl Postgres {
    /// Connects once, to fail early, and keeps the rest of the pool for later.
    pub(crate) async fn open(url: &str, n_readers: usize) -> Result<Self> {
        let mut config: tokio_postgres::Config = url.parse().map_err(|_| {
            // The driver's text would repeat the password.
            Error::Config("the PostgreSQL URL cannot be read".to_owned())
        })?;
        config.connect_timeout(CONNECT_TIMEOUT);
        if config.get_application_name().is_none() {
            config.application_name("ocellus");
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, NoTls, recycling))
            .max_size(n_readers + N_WRITERS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .build()
            .map_err(|e| Error::Config(e.to_string()))?;
        let postgres = Postgres { pool };
        drop(postgres.connection().await?);
        Ok(postgres)
    }

    async fn connection(&self) -> Result<Object> {
        self.pool.get().await.map_err(|e| match e {
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Error::Busy,
            PoolError::Backend(error) => Error::Down(describe(&error)),
            PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => Error::Down(e.to_string()),
        })
    }

    /// Runs `f` on one snapshot.
    pub(crate) async fn read<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        self.run(Mode::Read, TRIES_BEFORE_QUEUE, f).await
    }

    /// Runs `f` as if it were alone and commits.
    pub(crate) async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        self.run(Mode::Write, TRIES_BEFORE_QUEUE, f).await
    }

    /// Runs `f` so that claimers do not wait for one another, and commits.
    pub(crate) async fn claim<T, F>(&self, f: F) -> Result<T>
    where
        F: Fn(&mut Tx<'_>) -> Result<T> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.run(Mode::Claim, TRIES_BEFORE_QUEUE, f).await
    }

    /// Runs `f`, which only adds to counts, and commits without waiting for the disk.
    pub(crate) async fn count<F>(&self, f: F) -> Result<()>
    where
        F: Fn(&mut Tx<'_>) -> Result<()> + Send + Sync + 'static,
    {
        self.run(Mode::Count, TRIES_BEFORE_QUEUE, f).await
    }

    /// Like [`Postgres::write`], while no other process does the same.
    pub(crate) async fn alone<T, F>(&self, f: F) -> Result<T>
    where
        F: Fn(&mut Tx<'_>) -> Result<T> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.run(Mode::Write, 0, f).await
    }

    async fn run<T, E, F>(&self, mode: Mode, tries_before_queue: u32, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        let f = Arc::new(f);
        for n_lost in 0..MAX_TRIES {
            let session = Session::new(self.connection().await?);
            let f = Arc::clone(&f);
            let queue = n_lost >= tries_before_queue;
            let tried = tokio::task::spawn_blocking(move || session.transaction(mode, queue, &*f));
            match tried.await {
                Ok(Some(result)) => return result,
                Ok(None) if queue => {}
                Ok(None) => tokio::time::sleep(pause(n_lost)).await,
                Err(e) => match e.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return Err(Error::Down("the program is stopping".to_owned()).into()),
                },
            }
        }
        Err(Error::Busy.into())
    }
}

/// Between nothing and 2, 4, 8, … milliseconds; losers that come back together would lose again.
fn pause(n_lost: u32) -> Duration {
    let most_us = 2_000_u64 << n_lost.min(6);
    Duration::from_micros(getrandom::u64().unwrap_or(0) % most_us)
}

/// A connection that goes back to the pool only when no transaction is left open on it.
struct Session {
    client: Option<Object>,
    runtime: Handle,
    clean: bool,
}

impl Session {
    fn new(client: Object) -> Self {
        Session { client: Some(client), runtime: Handle::current(), clean: false }
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("the client is only taken when the session is dropped")
    }

    /// Tries once; `None` when the transaction lost and should be tried again.
    fn transaction<T, E, F>(mut self, mode: Mode, queue: bool, f: &F) -> Option<Result<T, E>>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        let lock = if queue { self.batch(&format!("SELECT pg_advisory_lock({QUEUE_LOCK})")) } else { Ok(()) };
        if let Err(failure) = lock.and_then(|()| self.batch(mode.begin())) {
            // Nothing has run yet; a connection that died in the pool is replaced by the next try.
            let lost = failure.again || matches!(failure.error, Error::Down(_));
            return if lost { None } else { Some(Err(failure.error.into())) };
        }
        let mut tx = Tx::new(&self);
        let result = tx.run(f);
        let mut again = tx.again();
        let end = if result.is_ok() && !again { "COMMIT" } else { "ROLLBACK" };
        let mut ended = self.batch(end);
        if queue && ended.is_ok() {
            ended = self.batch(&format!("SELECT pg_advisory_unlock({QUEUE_LOCK})"));
        }
        self.clean = ended.is_ok();
        let mut failed = None;
        if let Err(failure) = ended {
            again |= failure.again;
            failed = Some(failure.error);
        }
        match (result, failed) {
            _ if again => None,
            (Ok(_), Some(error)) => Some(Err(error.into())),
            (result, _) => Some(result),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A connection in an unknown state (panic, failed commit) is closed, which rolls back.
        if !self.clean
            && let Some(client) = self.client.take()
        {
            drop(Object::take(client));
        }
    }
}

impl Connection for Session {
    fn query(&self, sql: &str, params: &[Val<'_>]) -> Result<Vec<Row>, Failure> {
        let run = async {
            let statement = self.client().prepare_cached(&numbered(sql)).await?;
            self.client().query_raw(&statement, params).await
        };
        let rows = self.runtime.block_on(async {
            use futures_util::TryStreamExt;
            run.await?.try_collect::<Vec<_>>().await
        });
        let rows = rows.map_err(to_failure)?;
        rows.iter().map(to_row).collect()
    }

    fn exec(&self, sql: &str, params: &[Val<'_>]) -> Result<u64, Failure> {
        let run = async {
            let statement = self.client().prepare_cached(&numbered(sql)).await?;
            self.client().execute_raw(&statement, params).await
        };
        self.runtime.block_on(run).map_err(to_failure)
    }

    fn batch(&self, sql: &str) -> Result<(), Failure> {
        self.runtime.block_on(self.client().batch_execute(sql)).map_err(to_failure)
    }

    fn dialect(&self) -> Dialect {
        Dialect { blob: "BYTEA", skip_locked: "FOR UPDATE SKIP LOCKED", n_shards: 8 }
    }
}

/// Writes the placeholders `?1`, `?2`, … as PostgreSQL wants them.
fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        let place = c == '?' && chars.peek().is_some_and(char::is_ascii_digit);
        out.push(if place { '$' } else { c });
    }
    out
}

impl ToSql for Val<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Val::Null => Ok(IsNull::Yes),
            Val::Int(number) if *ty == Type::INT8 => number.to_sql(ty, out),
            Val::Int(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
            Val::Real(number) if *ty == Type::FLOAT8 => number.to_sql(ty, out),
            Val::Text(text) if *ty == Type::TEXT => text.as_ref().to_sql(ty, out),
            Val::Bytes(bytes) if *ty == Type::BYTEA => bytes.as_ref().to_sql(ty, out),
            Val::Int(_) | Val::Real(_) | Val::Text(_) | Val::Bytes(_) => {
                Err(format!("a value of another type than {ty}").into())
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn to_row(row: &tokio_postgres::Row) -> Result<Row, Failure> {
    let val = |(i, column): (usize, &tokio_postgres::Column)| {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(i)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(i)?.map(i64::from).into(),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(i)?.into(),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(i)?.into(),
            _ => row.try_get::<_, Option<String>>(i)?.into(),
        };
        Ok::<Val<'static>, tokio_postgres::Error>(value)
    };
    let vals = row.columns().iter().enumerate().map(val).collect::<Result<_, _>>();
    vals.map(Row::new).map_err(to_failure)
}

fn to_failure(error: tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else {
        let text = describe(&error);
        return Failure::last(if error.is_closed() { Error::Down(text) } else { Error::Sql(text) });
    };
    let code = db.code();
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Failure { error: Error::Busy, again: true };
    }
    Failure::last(match code.code() {
        "23505" => Error::Conflict(db.table().unwrap_or("").to_owned()),
        // Connections, resources, the operator, the system, the files.
        code if ["08", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class)) => {
            Error::Down(describe(&error))
        }
        _ => Error::Sql(describe(&error)),
    })
}

/// The error with its causes; the driver's own text leaves them out.
fn describe(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Runs statements on a connection of their own (the test kit's schemas).
#[cfg(any(test, feature = "testing"))]
pub(crate) async fn execute_once(url: &str, sql: &str) -> Result<()> {
    let down = |e: tokio_postgres::Error| Error::Down(describe(&e));
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(down)?;
    let running = tokio::spawn(connection);
    let done = client.batch_execute(sql).await.map_err(down);
    drop(client);
    drop(running.await);
    done
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_store_outlives_the_loss_of_its_connections() {
        let Some(db) = crate::testing::TestStore::postgres().await else { return };
        let mut config = db.config.clone();
        config.url.push_str("&application_name=");
        let name = uuid::Uuid::new_v4().simple().to_string();
        config.url.push_str(&name);
        let store = crate::Store::open(&config).await.unwrap();
        let kill = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'"
        );
        for value in ["a", "b", "c"] {
            super::execute_once(&db.config.url, &kill).await.unwrap();
            store.write(move |tx| tx.set_meta("k", value)).await.unwrap();
            super::execute_once(&db.config.url, &kill).await.unwrap();
            let found = store.read(|tx| tx.meta("k")).await.unwrap();
            assert_eq!(found.as_deref(), Some(value));
        }
    }

    #[test]
    fn placeholders_are_numbered_and_other_question_marks_stay() {
        for (given, expected) in
            [("a = ?1 AND b = ?12", "a = $1 AND b = $12"), ("what?", "what?"), ("", ""), ("?", "?")]
        {
            assert_eq!(super::numbered(given), expected);
        }
    }
}
