//! Blobs by content: what was put is found under the SHA-256 of its bytes, in a directory or in S3.
//!
//! A blob is put before the row that names it is written, so a collector must spare blobs that were put
//! lately: [`Blobs::list`] gives the time, and putting a blob again renews it.

mod folder;
mod s3;
mod s3_upload;

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{Error, Result, StoreConfig};
use folder::Folder;
use s3::S3;

/// The open blob store; a clone is another handle to the same one.
#[derive(Clone)]
pub struct Blobs {
    place: Arc<Place>,
}

enum Place {
    Folder(Folder),
    S3(Box<S3>),
}

/// What a blob can be put together from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The bytes of another blob.
    Blob(String),
    /// The content of a file of this machine.
    File(PathBuf),
}

/// One blob in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobEntry {
    /// The blob's key: SHA-256 of its bytes, in hex.
    pub hash: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was last put, in microseconds since 1970 UTC, by the clock of the place it is in.
    pub modified_at_us: i64,
}

impl Blobs {
    pub(crate) async fn open(cfg: &StoreConfig) -> Result<Blobs> {
        let place = if let Some(path) = cfg.blobs_url.strip_prefix("file:") {
            let path = PathBuf::from(path);
            Place::Folder(blocking(move || Folder::open(path)).await?)
        } else if cfg.blobs_url.starts_with("s3://") {
            let credentials = cfg.blobs_access_key.clone().zip(cfg.blobs_secret_key.clone());
            Place::S3(Box::new(S3::open(&cfg.blobs_url, credentials).await?))
        } else {
            return Err(Error::Config("blobs must be file:DIRECTORY or s3://BUCKET/PREFIX".to_owned()));
        };
        Ok(Blobs { place: Arc::new(place) })
    }

    /// Keeps bytes and returns their key. When it returns, they survive a crash; while it runs, nobody
    /// sees a part of them.
    pub async fn put(&self, bytes: Bytes) -> Result<String> {
        match &*self.place {
            Place::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || {
                    let hash = Self::hash_of(&bytes);
                    folder.put(&hash, &bytes)?;
                    Ok(hash)
                })
                .await
            }
            Place::S3(s3) => {
                let to_hash = bytes.clone();
                let hash = blocking(move || Ok(Self::hash_of(&to_hash))).await?;
                s3.put(&hash, bytes).await?;
                Ok(hash)
            }
        }
    }

    /// Keeps the content of a file, however large, and returns its key. The file stays where it is.
    pub async fn put_file(&self, path: PathBuf) -> Result<String> {
        Ok(self.put_joined(vec![Piece::File(path)]).await?.0)
    }

    /// Keeps pieces, one after the other, as one blob, however large; returns its key and its size in bytes. The
    /// pieces stay where they are, and no more than a few MiB of them are in memory.
    pub async fn put_joined(&self, pieces: Vec<Piece>) -> Result<(String, u64)> {
        if let Some(Piece::Blob(hash)) =
            pieces.iter().find(|piece| matches!(piece, Piece::Blob(hash) if !is_hash(hash)))
        {
            return Err(Error::Blob(format!("there is no blob {hash}")));
        }
        match &*self.place {
            Place::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || folder.put_joined(&pieces)).await
            }
            Place::S3(s3) => s3.put_joined(&pieces).await,
        }
    }

    /// Up to `n_bytes` bytes of a blob from a place on, none beyond its end; `None` if there is no such blob. Unlike
    /// [`Blobs::get`] this cannot tell whether they are still those that were put.
    pub async fn read_at(&self, hash: &str, offset: u64, n_bytes: u64) -> Result<Option<Bytes>> {
        if !is_hash(hash) {
            return Ok(None);
        }
        match &*self.place {
            Place::Folder(folder) => {
                let (folder, hash) = (folder.clone(), hash.to_owned());
                blocking(move || folder.read_at(&hash, offset, n_bytes)).await
            }
            Place::S3(s3) => s3.read_at(hash, offset, n_bytes).await,
        }
    }

    /// The bytes under a key, or `None`. Fails when they are no longer those that were put.
    pub async fn get(&self, hash: &str) -> Result<Option<Bytes>> {
        if !is_hash(hash) {
            return Ok(None);
        }
        let wanted = hash.to_owned();
        let found = match &*self.place {
            Place::Folder(folder) => {
                let folder = folder.clone();
                return blocking(move || verified(folder.get(&wanted)?, &wanted)).await;
            }
            Place::S3(s3) => s3.get(hash).await?,
        };
        blocking(move || verified(found, &wanted)).await
    }

    /// Whether there is a blob under a key.
    pub async fn exists(&self, hash: &str) -> Result<bool> {
        if !is_hash(hash) {
            return Ok(false);
        }
        match &*self.place {
            Place::Folder(folder) => {
                let (folder, hash) = (folder.clone(), hash.to_owned());
                blocking(move || folder.exists(&hash)).await
            }
            Place::S3(s3) => s3.exists(hash).await,
        }
    }

    /// Removes a blob; it is no fault if there is none.
    pub async fn delete(&self, hash: &str) -> Result<()> {
        if !is_hash(hash) {
            return Ok(());
        }
        match &*self.place {
            Place::Folder(folder) => {
                let (folder, hash) = (folder.clone(), hash.to_owned());
                blocking(move || folder.delete(&hash)).await
            }
            Place::S3(s3) => s3.delete(hash).await,
        }
    }

    /// Up to `limit` (1 to 1000) blobs with keys after `after` (empty for the first), by key.
    pub async fn list(&self, after: &str, limit: usize) -> Result<Vec<BlobEntry>> {
        let limit = limit.clamp(1, 1000);
        match &*self.place {
            Place::Folder(folder) => {
                let (folder, after) = (folder.clone(), after.to_owned());
                blocking(move || folder.list(&after, limit)).await
            }
            Place::S3(s3) => s3.list(after, limit).await,
        }
    }

    /// Where a blob lies, if it is a file: for reading only, and it may be gone.
    pub fn path(&self, hash: &str) -> Option<PathBuf> {
        match &*self.place {
            Place::Folder(folder) if is_hash(hash) => Some(folder.path(hash)),
            Place::Folder(_) | Place::S3(_) => None,
        }
    }

    /// The key that bytes have or would have.
    pub fn hash_of(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }
}

/// Whether a text can be a key; anything else must not become part of a path.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn verified(found: Option<Bytes>, hash: &str) -> Result<Option<Bytes>> {
    match found {
        Some(bytes) if Blobs::hash_of(&bytes) != hash => Err(Error::Blob(format!("blob {hash} is damaged"))),
        found => Ok(found),
    }
}

/// A part of a file, nothing beyond its end; `None` if there is no such file.
fn read_file_at(path: &Path, offset: u64, n_bytes: u64) -> Result<Option<Bytes>> {
    let read = || -> std::io::Result<Bytes> {
        let mut file = std::fs::File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(n_bytes).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::Blob(format!("cannot read {}: {e}", path.display()))),
    }
}

async fn blocking<T: Send + 'static>(run: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let ran = tokio::task::spawn_blocking(run).await;
    ran.map_err(|e| Error::Blob(format!("the program is stopping: {e}")))?
}

#[cfg(test)]
mod tests;
