//! One face over the two databases: values, rows, statements and transactions. No driver is named
//! outside this folder.

mod postgres;
mod row;
mod sqlite;
pub(crate) mod statistics;

use std::cell::{Cell, RefCell};

pub(crate) use postgres::Postgres;
#[cfg(any(test, feature = "testing"))]
pub(crate) use postgres::execute_once;
pub(crate) use row::{BadColumn, Row, Val};
pub(crate) use sqlite::Sqlite;

use crate::error::{Error, Result};
use crate::tables::kept_counts::Changes;

/// What a statement failed with, and whether the whole transaction should be run again.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The database says that the same transaction may succeed when it is run again.
    pub(crate) again: bool,
}

impl Failure {
    fn last(error: Error) -> Self {
        Failure { error, again: false }
    }
}

/// One open connection inside one open transaction.
pub(crate) trait Connection {
    /// Runs a statement and returns its rows.
    fn query(&self, sql: &str, params: &[Val<'_>]) -> Result<Vec<Row>, Failure>;
    /// Runs a statement and returns the number of rows it changed.
    fn exec(&self, sql: &str, params: &[Val<'_>]) -> Result<u64, Failure>;
    /// Runs several statements without parameters.
    fn batch(&self, sql: &str) -> Result<(), Failure>;
    /// How this database spells what cannot be spelled alike.
    fn dialect(&self) -> Dialect;
}

/// The words that differ between the databases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// The type of a column of bytes.
    pub(crate) blob: &'static str,
    /// What lets several claimers take different rows of a queue at once.
    pub(crate) skip_locked: &'static str,
    /// How many rows a count is spread over, so that transactions at once seldom change the same one.
    pub(crate) n_shards: u64,
}

/// An open transaction. It commits when the closure that received it returns `Ok`, and leaves nothing
/// behind when it returns `Err`. The tables' methods are in [`crate::tables`].
pub struct Tx<'c> {
    conn: &'c dyn Connection,
    again: Cell<bool>,
    /// What the end of the transaction writes into the counts.
    pub(crate) changes: RefCell<Changes>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(conn: &'c dyn Connection) -> Self {
        Tx { conn, again: Cell::new(false), changes: RefCell::default() }
    }

    /// Runs what is to happen in the transaction, and then what follows from it for the counts.
    fn run<T, E: From<Error>>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let done = f(self)?;
        self.settle()?;
        Ok(done)
    }

    /// Whether a statement failed in a way that running the transaction again may mend. The closure's
    /// own error type hides this, so the transaction remembers it.
    pub(crate) fn again(&self) -> bool {
        self.again.get()
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.conn.dialect()
    }

    fn note<T>(&self, result: Result<T, Failure>) -> Result<T> {
        result.map_err(|failure| {
            self.again.set(self.again.get() || failure.again);
            failure.error
        })
    }

    /// Runs a statement with `?1`-style placeholders; returns the number of rows changed.
    pub(crate) fn exec(&self, sql: &str, params: &[Val<'_>]) -> Result<u64> {
        #[cfg(any(test, feature = "testing"))]
        crate::testing::statements::note(sql);
        check_storable(params)?;
        self.note(self.conn.exec(sql, params))
    }

    /// Runs several statements without parameters (migrations).
    pub(crate) fn batch(&self, sql: &str) -> Result<()> {
        self.note(self.conn.batch(sql))
    }

    /// Runs a statement and maps each row; a row that does not fit is [`Error::Corrupt`].
    pub(crate) fn select<T>(
        &self,
        table: &str,
        sql: &str,
        params: &[Val<'_>],
        map: impl Fn(&mut Row) -> Result<T, BadColumn>,
    ) -> Result<Vec<T>> {
        #[cfg(any(test, feature = "testing"))]
        crate::testing::statements::note(sql);
        check_storable(params)?;
        let rows = self.note(self.conn.query(sql, params))?;
        let mut out = Vec::with_capacity(rows.len());
        for mut row in rows {
            out.push(map(&mut row).map_err(|bad| row.corrupt(table, bad))?);
        }
        Ok(out)
    }

    /// The rows of a statement as they are, for the test kit; the statement is not noted.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn raw(&self, sql: &str, params: &[Val<'_>]) -> Result<Vec<Row>> {
        self.note(self.conn.query(sql, params))
    }

    /// Like [`Tx::select`], for at most one row.
    pub(crate) fn select_one<T>(
        &self,
        table: &str,
        sql: &str,
        params: &[Val<'_>],
        map: impl Fn(&mut Row) -> Result<T, BadColumn>,
    ) -> Result<Option<T>> {
        Ok(self.select(table, sql, params, map)?.into_iter().next())
    }

    /// Inserts one row; a row with the same key is [`Error::Conflict`] and leaves the transaction
    /// usable, which a violated constraint would not on PostgreSQL.
    pub(crate) fn insert(&self, table: &str, columns: &str, row: Vec<Val<'_>>) -> Result<()> {
        match self.insert_many(table, columns, "ON CONFLICT DO NOTHING", vec![row])? {
            0 => Err(Error::Conflict(table.to_owned())),
            _ => Ok(()),
        }
    }

    /// Inserts rows in few statements; `tail` is the `ON CONFLICT` clause or empty. Returns the number
    /// of rows inserted or changed. With `DO UPDATE` no two rows may have the same key.
    pub(crate) fn insert_many(
        &self,
        table: &str,
        columns: &str,
        tail: &str,
        rows: Vec<Vec<Val<'_>>>,
    ) -> Result<u64> {
        let mut n_changed = 0;
        let mut rest = rows.into_iter();
        while rest.len() > 0 {
            // Four sizes only, so that the statement caches hold them all.
            let n = [64, 16, 4, 1].into_iter().find(|&n| n <= rest.len()).unwrap_or(1);
            let mut params = Vec::new();
            let mut sql = format!("INSERT INTO {table} ({columns}) VALUES ");
            for (i, row) in rest.by_ref().take(n).enumerate() {
                sql.push_str(if i == 0 { "(" } else { ",(" });
                for j in 0..row.len() {
                    let comma = if j == 0 { "" } else { "," };
                    sql.push_str(&format!("{comma}?{}", params.len() + j + 1));
                }
                sql.push(')');
                params.extend(row);
            }
            sql.push(' ');
            sql.push_str(tail);
            n_changed += self.exec(&sql, &params)?;
        }
        Ok(n_changed)
    }
}

/// Refuses on both databases what only one of them would refuse or silently change: PostgreSQL has no
/// NUL in text, SQLite stores not-a-number as NULL.
fn check_storable(params: &[Val<'_>]) -> Result<()> {
    for param in params {
        match param {
            Val::Text(text) if text.contains('\0') => {
                return Err(Error::Unstorable("text contains a NUL character".to_owned()));
            }
            Val::Real(number) if number.is_nan() => {
                return Err(Error::Unstorable("a number is not a number (NaN)".to_owned()));
            }
            Val::Null | Val::Int(_) | Val::Real(_) | Val::Text(_) | Val::Bytes(_) => {}
        }
    }
    Ok(())
}
