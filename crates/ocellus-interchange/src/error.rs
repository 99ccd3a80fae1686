//! What can go wrong with a whole collection; what is wrong with one entry goes to the [`crate::Report`] instead.

use std::fmt;

/// Where in a collection something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Path inside the collection.
    pub file: String,
    /// Line, counted from 1.
    pub line: Option<u64>,
    /// Id or number of the entry, as the format counts them.
    pub entry: Option<String>,
}

impl Place {
    /// A whole file.
    pub fn file(file: &str) -> Place {
        Place { file: file.to_owned(), line: None, entry: None }
    }

    /// A line of a file, counted from 1.
    pub fn line(file: &str, line: u64) -> Place {
        Place { file: file.to_owned(), line: Some(line), entry: None }
    }

    /// An entry of a file, by its id or number.
    pub fn entry(file: &str, entry: impl fmt::Display) -> Place {
        Place { file: file.to_owned(), line: None, entry: Some(entry.to_string()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.file.is_empty() { "(collection)" } else { &self.file })?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(entry) = &self.entry {
            write!(f, ", entry {entry}")?;
        }
        Ok(())
    }
}

/// Why a collection could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system or the stream failed.
    #[error("{about}: {source}")]
    Io {
        /// Path or stream.
        about: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// An archive holds an entry that no honest archive holds.
    #[error("archive refused: entry {entry:?} {reason}")]
    Unsafe {
        /// Name of the entry as it stands in the archive.
        entry: String,
        /// The rest of the sentence.
        reason: String,
    },
    /// Something is larger than [`crate::Limits`] allows.
    #[error("{about}: {what} is over the limit of {limit}")]
    Limit {
        /// File or archive.
        about: String,
        /// What was counted.
        what: &'static str,
        /// The limit, in the unit of `what`.
        limit: u64,
    },
    /// The collection is not in the format it was read as.
    #[error("{place}: {reason}")]
    Format {
        /// Where.
        place: Place,
        /// Why.
        reason: String,
    },
    /// The format has no reader or no writer for this.
    #[error("{0}")]
    Unsupported(String),
    /// The caller's own function stopped the reading.
    #[error("stopped: {0}")]
    Stopped(String),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(about: &str, source: std::io::Error) -> Error {
        Error::Io { about: about.to_owned(), source }
    }

    pub(crate) fn format(place: Place, reason: impl fmt::Display) -> Error {
        Error::Format { place, reason: reason.to_string() }
    }
}
