//! A collection's files to read from, and a place to write files to: folders and memory (archives have files of their own).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::limits::{Bounded, Limits, safe_path};

/// One file of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path with `/`, relative to the collection.
    pub path: String,
    /// Unpacked size.
    pub size_bytes: u64,
}

/// The files of a collection: sorted by path, each openable any number of times.
pub trait Files {
    /// All files, sorted by path.
    fn entries(&self) -> &[Entry];

    /// Opens one of them from its start.
    fn open(&self, path: &str) -> Result<Box<dyn Read + Send + '_>>;

    /// The limits under which they are read.
    fn limits(&self) -> &Limits;

    /// The file of that path.
    fn find(&self, path: &str) -> Option<&Entry> {
        let entries = self.entries();
        entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok().map(|i| &entries[i])
    }

    /// A small file, whole.
    fn read_small(&self, path: &str) -> Result<Vec<u8>> {
        let limit = self.limits().max_record_bytes as u64;
        let mut bytes = Vec::new();
        self.open(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
        if bytes.len() as u64 > limit {
            return Err(Error::Limit { about: path.to_owned(), what: "the size in bytes", limit });
        }
        Ok(bytes)
    }
}

pub(crate) fn not_there(path: &str) -> Error {
    Error::io(path, io::Error::new(io::ErrorKind::NotFound, "no such file in the collection"))
}

/// A place that files are written to.
pub trait Sink {
    /// Writes one file; the path is relative, with `/`, and not used before.
    fn put(&mut self, path: &str, content: &mut dyn Read) -> Result<()>;
}

/// A folder on disk. Symbolic links in it are not followed.
pub struct Folder {
    root: PathBuf,
    entries: Vec<Entry>,
    limits: Limits,
    links: Vec<String>,
}

impl Folder {
    /// Lists the folder.
    pub fn open(root: &Path, limits: Limits) -> Result<Folder> {
        let mut folder = Folder { root: root.to_owned(), entries: Vec::new(), limits, links: Vec::new() };
        let mut total_bytes = 0;
        let mut waiting = vec![(root.to_owned(), String::new(), 0)];
        while let Some((path, prefix, depth)) = waiting.pop() {
            let listing = fs::read_dir(&path).map_err(|e| Error::io(&path.display().to_string(), e))?;
            for entry in listing {
                let entry = entry.map_err(|e| Error::io(&path.display().to_string(), e))?;
                let about = entry.path().display().to_string();
                let Ok(name) = entry.file_name().into_string() else {
                    return Err(Error::Unsafe {
                        entry: about,
                        reason: "has a name that is not UTF-8".to_owned(),
                    });
                };
                let kind = entry.file_type().map_err(|e| Error::io(&about, e))?;
                if kind.is_dir() && depth >= folder.limits.max_depth {
                    let limit = folder.limits.max_depth as u64;
                    return Err(Error::Limit { about, what: "the depth of folders", limit });
                } else if kind.is_dir() {
                    waiting.push((entry.path(), format!("{prefix}{name}/"), depth + 1));
                } else if kind.is_file() {
                    let size_bytes = entry.metadata().map_err(|e| Error::io(&about, e))?.len();
                    total_bytes += size_bytes;
                    folder.entries.push(Entry { path: format!("{prefix}{name}"), size_bytes });
                    folder.limits.check_totals(&about, folder.entries.len() as u64, total_bytes)?;
                } else {
                    folder.links.push(format!("{prefix}{name}"));
                }
            }
        }
        folder.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(folder)
    }

    /// Links and devices, which were passed over.
    pub fn passed_over(&self) -> &[String] {
        &self.links
    }
}

impl Files for Folder {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + Send + '_>> {
        let entry = self.find(path).ok_or_else(|| not_there(path))?;
        self.limits.check_entry(path, entry.size_bytes)?;
        let file = fs::File::open(self.root.join(path)).map_err(|e| Error::io(path, e))?;
        Ok(Box::new(Bounded { inner: file, left: entry.size_bytes }))
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Writes into a folder; every file appears whole or not at all.
pub struct FolderSink {
    root: PathBuf,
}

impl FolderSink {
    /// Makes the folder if it is not there.
    pub fn create(root: &Path) -> Result<FolderSink> {
        fs::create_dir_all(root).map_err(|e| Error::io(&root.display().to_string(), e))?;
        Ok(FolderSink { root: root.to_owned() })
    }
}

impl Sink for FolderSink {
    fn put(&mut self, path: &str, content: &mut dyn Read) -> Result<()> {
        let path = safe_path(path, &Limits::default())?;
        let target = self.root.join(&path);
        let parent = target.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent).map_err(|e| Error::io(&path, e))?;
        let mut part =
            tempfile::Builder::new().prefix(".part-").tempfile_in(parent).map_err(|e| Error::io(&path, e))?;
        io::copy(content, &mut part).map_err(|e| Error::io(&path, e))?;
        let file = part.persist(&target).map_err(|e| Error::io(&path, e.error))?;
        make_readable(&file).map_err(|e| Error::io(&path, e))
    }
}

/// Temporary files are made for their owner alone; an export is for whoever may read the folder.
#[cfg(unix)]
fn make_readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &fs::File) -> io::Result<()> {
    Ok(())
}

/// Files in memory, to read from and to write to: for tests and for single files.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    contents: BTreeMap<String, Vec<u8>>,
    entries: Vec<Entry>,
    limits: Limits,
}

impl MemoryFiles {
    /// Adds or replaces a file.
    pub fn insert(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.contents.insert(path.to_owned(), content.into());
        self.entries = self
            .contents
            .iter()
            .map(|(path, content)| Entry { path: path.clone(), size_bytes: content.len() as u64 })
            .collect();
    }

    /// The bytes of a file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.contents.get(path).map(Vec::as_slice)
    }

    /// The same files under other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> MemoryFiles {
        self.limits = limits;
        self
    }
}

impl Files for MemoryFiles {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.get(path).ok_or_else(|| not_there(path))?))
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl Sink for MemoryFiles {
    fn put(&mut self, path: &str, content: &mut dyn Read) -> Result<()> {
        let path = safe_path(path, &self.limits)?;
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|e| Error::io(&path, e))?;
        self.insert(&path, bytes);
        Ok(())
    }
}
