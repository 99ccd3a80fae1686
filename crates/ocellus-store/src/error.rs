//! What can go wrong below the domain; absence is not an error here but `Ok(None)`.

/// A failure of the database or of the blob store. It never carries a secret or a row's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A row with this key exists already, or a compare-and-set met a newer version.
    /// Carries the table, never the value.
    #[error("conflict in {0}")]
    Conflict(String),
    /// Too many transactions wait, or one lost against others too often; worth trying again later.
    #[error("the database is busy, try again")]
    Busy,
    /// A stored row cannot be read back as what it should be.
    #[error("corrupt row in {table}: {id}")]
    Corrupt {
        /// The table that holds the row.
        table: String,
        /// The row's key and the column that does not fit.
        id: String,
    },
    /// A value that no column can hold on both databases: text with a NUL character, or not-a-number.
    #[error("unstorable value: {0}")]
    Unstorable(String),
    /// The database cannot be reached, or went away.
    #[error("database unavailable: {0}")]
    Down(String),
    /// A newer version of the program has written this database.
    #[error(
        "the database has schema version {found}, this program knows up to {known}; start the newer program, or restore a backup"
    )]
    NewerSchema {
        /// The version in the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// A migration recorded in the database differs from the one that this program carries.
    #[error(
        "migration {version} ({name}) in the database differs from this program's; the two were not built from the same source"
    )]
    AlteredMigration {
        /// The migration's number.
        version: i64,
        /// The migration's name as this program knows it.
        name: String,
    },
    /// The blob store failed.
    #[error("blob store: {0}")]
    Blob(String),
    /// A setting cannot be used; the text says which and why.
    #[error("store setting: {0}")]
    Config(String),
    /// The database refused a statement: a fault in this program.
    #[error("sql: {0}")]
    Sql(String),
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
