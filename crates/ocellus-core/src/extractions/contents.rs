//! An opened source, entry by entry: the files of an archive, one file, or a list of addresses.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use ocellus_interchange::{self as interchange, Entry, Files, Limits, Scratch, archive_kind, open_archive};

use super::media;
use crate::{Error, Kind, MediaKind, Result, Source};

/// What an archive may hold at most, each reason enough to refuse it: files, bytes unpacked in all and of one file, and
/// unpacked bytes for each packed one.
pub(crate) const LIMITS: Limits = Limits {
    max_entries: 200_000,
    max_total_bytes: 64 << 30,
    max_entry_bytes: 4 << 30,
    max_ratio: 200,
    max_depth: 32,
    max_record_bytes: 64 << 20,
};
/// The largest archive, packed, in bytes.
pub(crate) const MAX_ARCHIVE_BYTES: u64 = 16 << 30;
/// The largest list of addresses, in bytes.
const MAX_LIST_BYTES: u64 = 16 << 20;
/// Entries that become inputs in one transaction.
const BATCH: usize = 32;
/// A batch ends early once it has so many bytes.
const BATCH_BYTES: usize = 32 << 20;

/// An opened source.
pub(crate) enum Contents {
    Archive(Box<dyn Files + Send>),
    File { name: String, bytes: Bytes },
    Addresses(Vec<String>),
}

/// An entry that was read.
pub(crate) struct Item {
    /// Its path, name or address.
    pub name: String,
    /// Its content, or why it makes no input; `None` for what means nothing, such as a folder's settings.
    pub content: Option<std::result::Result<(Source, MediaKind), String>>,
}

impl Contents {
    /// Opens a file by what it is. `Invalid` for an archive that no honest archive is, naming the entry.
    pub(crate) fn open(file: File, name: &str, limits: Limits, max_file_bytes: usize) -> Result<Self> {
        let size_bytes = file.metadata().map_err(Error::internal)?.len();
        let file = Arc::new(file);
        if archive_kind(file.as_ref()).map_err(Error::internal)?.is_some() {
            let scratch = Scratch::Folder(tempfile::env::temp_dir());
            return Ok(Self::Archive(open_archive(file, limits, &scratch).map_err(refused)?));
        }
        let most = MAX_LIST_BYTES.max(max_file_bytes as u64);
        let mut bytes = Vec::new();
        if size_bytes <= most {
            // Whoever wrote the file stands at its end.
            file.as_ref().seek(SeekFrom::Start(0)).map_err(Error::internal)?;
            file.as_ref().take(most).read_to_end(&mut bytes).map_err(Error::internal)?;
        }
        if let Some(addresses) = addresses(&bytes) {
            return Ok(Self::Addresses(addresses));
        }
        if size_bytes > max_file_bytes as u64 {
            let message = format!("'{name}' has {size_bytes} bytes, more than the {max_file_bytes} allowed");
            return Err(Error::too_large(message));
        }
        Ok(Self::File { name: name.to_owned(), bytes: bytes.into() })
    }

    pub(crate) fn is_archive(&self) -> bool {
        matches!(self, Self::Archive(_))
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Archive(files) => files.entries().len(),
            Self::File { .. } => 1,
            Self::Addresses(addresses) => addresses.len(),
        }
    }

    /// Reads the entries from this one on that become inputs together.
    pub(crate) fn read(&self, from: usize, max_file_bytes: usize) -> Vec<Item> {
        match self {
            Self::File { name, bytes } => {
                vec![Item { name: name.clone(), content: Some(media::content(name, bytes.clone())) }]
            }
            Self::Addresses(addresses) => {
                let batch = addresses.iter().skip(from).take(BATCH);
                let item =
                    |url: &String| Item { name: url.clone(), content: Some(Ok(media::at_address(url))) };
                batch.map(item).collect()
            }
            Self::Archive(files) => {
                let (mut items, mut n_bytes) = (Vec::new(), 0);
                for entry in files.entries().iter().skip(from).take(BATCH) {
                    if n_bytes >= BATCH_BYTES {
                        break;
                    }
                    let name = entry.path.clone();
                    if interchange::is_noise(&name) {
                        items.push(Item { name, content: None });
                        continue;
                    }
                    let bytes = read_entry(files.as_ref(), entry, max_file_bytes);
                    n_bytes += bytes.as_ref().map_or(0, Bytes::len);
                    let content = bytes.and_then(|bytes| media::content(&name, bytes));
                    items.push(Item { name, content: Some(content) });
                }
                items
            }
        }
    }
}

fn read_entry(files: &dyn Files, entry: &Entry, max_bytes: usize) -> std::result::Result<Bytes, String> {
    if entry.size_bytes > max_bytes as u64 {
        return Err(format!("has {} bytes, more than the {max_bytes} allowed", entry.size_bytes));
    }
    let damaged = |error: &dyn std::fmt::Display| format!("is damaged: {error}");
    let mut reader = files.open(&entry.path).map_err(|error| damaged(&error))?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    if bytes.len() as u64 != entry.size_bytes {
        return Err("is damaged: it is shorter than it says".to_owned());
    }
    Ok(bytes.into())
}

/// The addresses of a list: text, each line of which is an address, empty or a remark after `#`.
fn addresses(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut found = Vec::new();
    for line in lines {
        if !(line.starts_with("http://") || line.starts_with("https://")) || line.contains(' ') {
            return None;
        }
        found.push(line.to_owned());
        if found.len() as u64 > LIMITS.max_entries {
            return None;
        }
    }
    (!found.is_empty()).then_some(found)
}

/// An archive that cannot be read is the owner's affair, a disk that is full is ours.
fn refused(error: interchange::Error) -> Error {
    use std::io::ErrorKind as Io;
    let is_ours = match &error {
        interchange::Error::Io { source, .. } => !matches!(
            source.kind(),
            Io::InvalidData
                | Io::InvalidInput
                | Io::UnexpectedEof
                | Io::Other
                | Io::Unsupported
                | Io::NotFound
        ),
        interchange::Error::Unsafe { .. }
        | interchange::Error::Limit { .. }
        | interchange::Error::Format { .. }
        | interchange::Error::Unsupported(_)
        | interchange::Error::Stopped(_) => false,
    };
    match is_ours {
        true => Error::internal(anyhow::Error::new(error)),
        false => Error::new(Kind::Invalid, format!("the archive cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_addresses_holds_nothing_else() {
        let list = addresses(b"# mine\r\nhttps://a.example/1.jpg\r\n\r\n  http://b.example/2.png\n").unwrap();
        assert_eq!(list, ["https://a.example/1.jpg", "http://b.example/2.png"]);
        for text in ["", "words", "https://a.example/1.jpg and more", "# nothing", "ftp://a.example/1.jpg"] {
            assert_eq!(addresses(text.as_bytes()), None, "{text}");
        }
    }
}
