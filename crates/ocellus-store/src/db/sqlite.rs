//! SQLite: one thread that writes, several that read, each with its own connection.
//!
//! With one writer no transaction ever meets a busy database, and writers that arrive together share
//! one commit. A deferred transaction that turns into a writer fails at once where another has written
//! meanwhile, whatever the timeout; hence `BEGIN IMMEDIATE` and connections that cannot write.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, ToSql};
use tokio::sync::oneshot;

use crate::db::{Connection, Dialect, Failure, Row, Tx, Val};
use crate::error::{Error, Result};
use crate::store::Durability;

/// Most transactions that wait for a thread; one more is told that the database is busy.
const MAX_WAITING: usize = 4096;
/// Most write transactions that share a commit; bounds how long the first of them waits.
const MAX_SHARING: usize = 64;
/// How long to wait for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements kept compiled per connection; more than this crate has.
const N_STATEMENTS: usize = 512;

/// An open SQLite file.
pub(crate) struct Sqlite {
    writer: Option<SyncSender<Box<dyn Task>>>,
    readers: Option<SyncSender<Box<dyn Task>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens a file, creating it and its folder where they are missing.
    pub(crate) async fn open(path: &Path, n_readers: usize, durability: Durability) -> Result<Self> {
        if path.as_os_str().is_empty() || path.to_string_lossy().contains(":memory:") {
            return Err(Error::Config("sqlite: needs the path of a file".to_owned()));
        }
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Self::start(&path, n_readers, durability));
        opened.await.map_err(|e| Error::Down(e.to_string()))?
    }

    fn start(path: &Path, n_readers: usize, durability: Durability) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::Down(format!("cannot create {}: {e}", folder.display())))?;
        }
        let describe = |failure: Failure| Error::Down(format!("{}: {}", path.display(), failure.error));
        let conn = open_writer(path, durability).map_err(|e| describe(to_failure(e)))?;
        let mut threads = Vec::new();
        let (writer, tasks) = sync_channel(MAX_WAITING);
        threads.push(spawn("store-writer", move || {
            write_all(&conn, &tasks, durability);
        })?);
        let (readers, tasks) = sync_channel(MAX_WAITING);
        let tasks = Arc::new(Mutex::new(tasks));
        for _ in 0..n_readers {
            let conn = open_reader(path).map_err(|e| describe(to_failure(e)))?;
            let tasks = Arc::clone(&tasks);
            threads.push(spawn("store-reader", move || read_all(&conn, &tasks))?);
        }
        Ok(Sqlite { writer: Some(writer), readers: Some(readers), threads })
    }

    /// Runs `f` on one snapshot.
    pub(crate) async fn read<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        submit(self.readers.as_ref(), f, true).await
    }

    /// Runs `f` alone and commits.
    pub(crate) async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        submit(self.writer.as_ref(), f, true).await
    }

    /// Runs `f` and commits without waiting for the disk, unless it shares the commit of others who do.
    pub(crate) async fn count<F>(&self, f: F) -> Result<()>
    where
        F: Fn(&mut Tx<'_>) -> Result<()> + Send + Sync + 'static,
    {
        submit(self.writer.as_ref(), f, false).await
    }
}

impl Drop for Sqlite {
    /// Waits for the threads, so that the last connection has put its log away when this returns.
    fn drop(&mut self) {
        self.writer = None;
        self.readers = None;
        let this = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // The last handle can be dropped by a closure that one of the threads runs.
            if thread.thread().id() != this && thread.join().is_err() {
                tracing::error!("a store thread has panicked");
            }
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|e| Error::Down(format!("cannot start a thread: {e}")))
}

/// `FULL` flushes the log on each commit, `NORMAL` only when the log is moved into the database.
/// Both survive `kill -9`; only `FULL` survives a power cut. A commit of one row was measured
/// (`examples/measure.rs`, a disk with 0.12 ms a flush) at 159 us with `FULL` and 29 us with `NORMAL`;
/// with 16 writers, which share the flush, at 15 us and 7 us each. `FULL` is the default because what
/// was acknowledged must not vanish, and an input costs far more than a flush anyway.
fn open_writer(path: &Path, durability: Durability) -> rusqlite::Result<rusqlite::Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = rusqlite::Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    set_durability(&conn, durability)?;
    conn.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;")?;
    // Without a limit the log keeps the size of the largest transaction ever.
    conn.query_row("PRAGMA journal_size_limit = 67108864", [], |_| Ok(()))?;
    conn.set_prepared_statement_cache_capacity(N_STATEMENTS);
    Ok(conn)
}

fn set_durability(conn: &rusqlite::Connection, durability: Durability) -> rusqlite::Result<()> {
    conn.execute_batch(match durability {
        Durability::Full => "PRAGMA synchronous = FULL",
        Durability::Normal => "PRAGMA synchronous = NORMAL",
    })
}

fn open_reader(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = rusqlite::Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;")?;
    conn.set_prepared_statement_cache_capacity(N_STATEMENTS);
    Ok(conn)
}

/// A transaction on its way to a thread and back.
trait Task: Send {
    /// Whether anybody still waits for the answer.
    fn wanted(&self) -> bool;
    /// Whether its commit must survive all that commits here survive.
    fn lasting(&self) -> bool;
    /// Runs the closure inside the open transaction; false when its changes are to be undone.
    fn run(&mut self, conn: &rusqlite::Connection) -> bool;
    /// Answers, after the transaction has ended.
    fn answer(self: Box<Self>, ended: Result<()>);
}

/// What a closure returned, or the panic that it ended with.
type Outcome<T, E> = std::thread::Result<Result<T, E>>;

struct Closure<T, E, F> {
    f: F,
    outcome: Option<Outcome<T, E>>,
    lasting: bool,
    reply: oneshot::Sender<Outcome<T, E>>,
}

impl<T, E, F> Task for Closure<T, E, F>
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send,
    E: From<Error> + Send,
    T: Send,
{
    fn wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn lasting(&self) -> bool {
        self.lasting
    }

    fn run(&mut self, conn: &rusqlite::Connection) -> bool {
        let run = || Tx::new(conn).run(&self.f);
        // The transaction is rolled back after a panic, so nothing half-done can be seen.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        let keep = matches!(outcome, Ok(Ok(_)));
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, ended: Result<()>) {
        let outcome = match (self.outcome, ended) {
            (Some(Ok(Ok(_))) | None, Err(error)) => Ok(Err(error.into())),
            (Some(outcome), _) => outcome,
            (None, Ok(())) => Ok(Err(Error::Busy.into())),
        };
        // Nobody waits any more when this fails.
        drop(self.reply.send(outcome));
    }
}

async fn submit<T, E, F>(lane: Option<&SyncSender<Box<dyn Task>>>, f: F, lasting: bool) -> Result<T, E>
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
    E: From<Error> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let task = Box::new(Closure { f, outcome: None, lasting, reply });
    let sent = match lane {
        Some(lane) => lane.try_send(task),
        None => return Err(Error::Down("the store is closed".to_owned()).into()),
    };
    match sent {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(Error::Busy.into()),
        Err(TrySendError::Disconnected(_)) => {
            return Err(Error::Down("the store's thread has ended".to_owned()).into());
        }
    }
    match answer.await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => Err(Error::Down("the store's thread has ended".to_owned()).into()),
    }
}

fn read_all(conn: &rusqlite::Connection, tasks: &Mutex<Receiver<Box<dyn Task>>>) {
    loop {
        // The lock is held while waiting: whoever has it gets the next task.
        let Ok(mut task) = tasks.lock().recv() else { return };
        if !task.wanted() {
            continue;
        }
        let ended = control(conn, "BEGIN").and_then(|()| {
            task.run(conn);
            control(conn, "COMMIT")
        });
        if ended.is_err() && !conn.is_autocommit() {
            drop(control(conn, "ROLLBACK"));
        }
        task.answer(ended);
    }
}

fn write_all(conn: &rusqlite::Connection, tasks: &Receiver<Box<dyn Task>>, durability: Durability) {
    // What came too late for a commit that does not last.
    let mut held = None;
    let mut current = durability;
    while let Some(first) = held.take().or_else(|| tasks.recv().ok()) {
        let lasting = first.lasting();
        let wanted = if lasting { durability } else { Durability::Normal };
        // Cannot be changed inside a transaction.
        let ready = if wanted == current { Ok(()) } else { set_durability(conn, wanted) };
        let mut tried = Vec::new();
        let begun = ready.map_err(|e| to_failure(e).error).and_then(|()| {
            current = wanted;
            control(conn, "BEGIN IMMEDIATE")
        });
        let ended = begun.and_then(|()| {
            let mut next = Some(first);
            while let Some(mut task) = next {
                let ran = if task.wanted() { write_one(conn, task.as_mut()) } else { Ok(()) };
                tried.push(task);
                ran?;
                next = if tried.len() < MAX_SHARING { tasks.try_recv().ok() } else { None };
                held = next.take_if(|task| task.lasting() && !lasting);
            }
            control(conn, "COMMIT")
        });
        if ended.is_err() && !conn.is_autocommit() {
            drop(control(conn, "ROLLBACK"));
        }
        for task in tried {
            task.answer(ended.clone());
        }
    }
}

/// Runs one of the tasks that share a transaction, so that undoing it leaves the others.
fn write_one(conn: &rusqlite::Connection, task: &mut dyn Task) -> Result<()> {
    control(conn, "SAVEPOINT task")?;
    let keep = task.run(conn);
    if conn.is_autocommit() {
        // A full disk or a failed read makes SQLite undo the whole transaction by itself.
        return Err(Error::Down("the database has undone a transaction".to_owned()));
    }
    if !keep {
        control(conn, "ROLLBACK TO task")?;
    }
    control(conn, "RELEASE task")
}

fn control(conn: &rusqlite::Connection, sql: &str) -> Result<()> {
    let done = conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    done.map(|_| ()).map_err(|e| to_failure(e).error)
}

impl ToSql for Val<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Val::Null => ValueRef::Null,
            Val::Int(number) => ValueRef::Integer(*number),
            Val::Real(number) => ValueRef::Real(*number),
            Val::Text(text) => ValueRef::Text(text.as_bytes()),
            Val::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn to_val(value: ValueRef<'_>) -> Val<'static> {
    match value {
        ValueRef::Null => Val::Null,
        ValueRef::Integer(number) => Val::Int(number),
        ValueRef::Real(number) => Val::Real(number),
        ValueRef::Text(text) => match String::from_utf8(text.to_vec()) {
            Ok(text) => Val::from(text),
            // Then the row is corrupt, and says so when a text is asked for.
            Err(bytes) => Val::from(bytes.into_bytes()),
        },
        ValueRef::Blob(bytes) => Val::from(bytes.to_vec()),
    }
}

impl Connection for rusqlite::Connection {
    fn query(&self, sql: &str, params: &[Val<'_>]) -> Result<Vec<Row>, Failure> {
        let run = || {
            let mut statement = self.prepare_cached(sql)?;
            let n_columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                let vals = (0..n_columns).map(|i| row.get_ref(i).map(to_val));
                out.push(Row::new(vals.collect::<rusqlite::Result<_>>()?));
            }
            Ok(out)
        };
        run().map_err(to_failure)
    }

    fn exec(&self, sql: &str, params: &[Val<'_>]) -> Result<u64, Failure> {
        let run = || self.prepare_cached(sql)?.execute(rusqlite::params_from_iter(params));
        run().map(|n| n as u64).map_err(to_failure)
    }

    fn batch(&self, sql: &str) -> Result<(), Failure> {
        self.execute_batch(sql).map_err(to_failure)
    }

    fn dialect(&self) -> Dialect {
        Dialect { blob: "BLOB", skip_locked: "", n_shards: 1 }
    }
}

fn to_failure(error: rusqlite::Error) -> Failure {
    let rusqlite::Error::SqliteFailure(code, ref message) = error else {
        return Failure::last(Error::Sql(error.to_string()));
    };
    let message = message.clone().unwrap_or_else(|| code.to_string());
    #[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list is long and open")]
    Failure::last(match code.code {
        // "UNIQUE constraint failed: apps.account_id, apps.id"
        ErrorCode::ConstraintViolation => Error::Conflict(
            message.rsplit(": ").next().and_then(|c| c.split('.').next()).unwrap_or("").to_owned(),
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Busy,
        ErrorCode::CannotOpen
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::DiskFull
        | ErrorCode::NotADatabase
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly
        | ErrorCode::SystemIoFailure => Error::Down(message),
        _ => Error::Sql(message),
    })
}
