//! Blobs as files in a directory: `ab/abcdef…`, written aside and renamed into place.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{BlobEntry, Piece, is_hash};
use crate::{Error, Result};

/// The folder for files that are being written.
const ASIDE: &str = "tmp";
/// A file aside that is older was left by a crash. Another process may be writing a younger one.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(3600);

/// A directory of blobs.
#[derive(Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Creates the directory where it is missing, and removes what crashes have left.
    pub(super) fn open(root: PathBuf) -> Result<Self> {
        let folder = Folder { root };
        let aside = folder.root.join(ASIDE);
        fs::create_dir_all(&aside).map_err(|e| failed("create", &aside, &e))?;
        folder.remove_left_overs().map_err(|e| failed("clean", &aside, &e))?;
        Ok(folder)
    }

    fn remove_left_overs(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join(ASIDE))? {
            let entry = entry?;
            // Another process may be removing the same file.
            let Ok(modified) = entry.metadata().and_then(|meta| meta.modified()) else { continue };
            if modified.elapsed().is_ok_and(|age| age > LEFT_OVER_AFTER) {
                absent_is_fine(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }

    pub(super) fn path(&self, hash: &str) -> PathBuf {
        self.root.join(&hash[..2]).join(hash)
    }

    pub(super) fn put(&self, hash: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(hash);
        if self.renew(&path, bytes.len() as u64) {
            return Ok(());
        }
        let aside = self.root.join(ASIDE).join(uuid::Uuid::new_v4().simple().to_string());
        self.write(&aside, &path, bytes).map_err(|e| {
            drop(fs::remove_file(&aside));
            failed("write", &path, &e)
        })
    }

    /// Copies the pieces aside, one after the other, while hashing them, then renames the copy into place.
    pub(super) fn put_joined(&self, pieces: &[Piece]) -> Result<(String, u64)> {
        let aside = self.root.join(ASIDE).join(uuid::Uuid::new_v4().simple().to_string());
        self.join(pieces, &aside).inspect_err(|_| drop(fs::remove_file(&aside)))
    }

    fn join(&self, pieces: &[Piece], aside: &Path) -> Result<(String, u64)> {
        let to_write = |e| failed("write", aside, &e);
        let mut file = File::create_new(aside).map_err(to_write)?;
        let (mut hasher, mut size_bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 20];
        for piece in pieces {
            let (path, wanted) = match piece {
                Piece::Blob(hash) => (self.path(hash), Some(hash)),
                Piece::File(path) => (path.clone(), None),
            };
            let to_read = |e| failed("read", &path, &e);
            let mut source = File::open(&path).map_err(to_read)?;
            let mut of_piece = Sha256::new();
            loop {
                let n = source.read(&mut buffer).map_err(to_read)?;
                if n == 0 {
                    break;
                }
                hasher.update(&buffer[..n]);
                if wanted.is_some() {
                    of_piece.update(&buffer[..n]);
                }
                file.write_all(&buffer[..n]).map_err(to_write)?;
                size_bytes += n as u64;
            }
            if let Some(hash) = wanted.filter(|hash| **hash != hex::encode(of_piece.finalize())) {
                return Err(Error::Blob(format!("blob {hash} is damaged")));
            }
        }
        file.sync_all().map_err(to_write)?;
        let hash = hex::encode(hasher.finalize());
        let path = self.path(&hash);
        self.rename(aside, &path).map_err(|e| failed("keep", &path, &e))?;
        Ok((hash, size_bytes))
    }

    /// Gives a whole and flushed file its name, which is on the disk when this returns.
    fn rename(&self, aside: &Path, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.root);
        match fs::create_dir(folder) {
            Ok(()) => File::open(&self.root)?.sync_all()?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        fs::rename(aside, path)?;
        File::open(folder)?.sync_all()
    }

    /// A part of a blob; nothing beyond its end.
    pub(super) fn read_at(&self, hash: &str, offset: u64, n_bytes: u64) -> Result<Option<Bytes>> {
        super::read_file_at(&self.path(hash), offset, n_bytes)
    }

    /// Marks a blob that is there as put just now; false when it has to be written.
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with the times of other files, not with the program's"
    )]
    fn renew(&self, path: &Path, len: u64) -> bool {
        let Ok(file) = File::options().write(true).open(path) else { return false };
        // Written aside and flushed before it was renamed, so the right length means the right bytes
        // unless the disk has failed, in which case writing again is the best cure.
        file.metadata().is_ok_and(|meta| meta.len() == len) && file.set_modified(SystemTime::now()).is_ok()
    }

    /// The bytes reach the disk before the name does, and the name before this returns: after a power
    /// cut there is the whole blob or none.
    fn write(&self, aside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        self.rename(aside, path)
    }

    pub(super) fn get(&self, hash: &str) -> Result<Option<Bytes>> {
        let path = self.path(hash);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed("read", &path, &e)),
        }
    }

    pub(super) fn exists(&self, hash: &str) -> Result<bool> {
        let path = self.path(hash);
        path.try_exists().map_err(|e| failed("look for", &path, &e))
    }

    pub(super) fn delete(&self, hash: &str) -> Result<()> {
        let path = self.path(hash);
        absent_is_fine(fs::remove_file(&path)).map_err(|e| failed("remove", &path, &e))
    }

    pub(super) fn list(&self, after: &str, limit: usize) -> Result<Vec<BlobEntry>> {
        let list = || -> io::Result<Vec<BlobEntry>> {
            let mut entries = Vec::new();
            for folder in sorted_names(&self.root)? {
                // A folder's name is the beginning of its blobs' keys.
                if folder.len() != 2 || folder.as_str() < after.get(..2).unwrap_or(after) {
                    continue;
                }
                for name in sorted_names(&self.root.join(&folder))? {
                    if !is_hash(&name) || name.as_str() <= after {
                        continue;
                    }
                    let Ok(meta) = fs::metadata(self.path(&name)) else { continue };
                    let age = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                    entries.push(BlobEntry {
                        hash: name,
                        size_bytes: meta.len(),
                        modified_at_us: i64::try_from(age.as_micros()).unwrap_or(i64::MAX),
                    });
                    if entries.len() == limit {
                        return Ok(entries);
                    }
                }
            }
            Ok(entries)
        };
        list().map_err(|e| failed("list", &self.root, &e))
    }
}

fn sorted_names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::Blob(format!("cannot {what} {}: {error}", path.display()))
}
