//! The file an approximate index is kept in: the library's own bytes and a trailer that proves they are whole.
//!
//! The library crashes on a file with a flipped bit, so nothing is loaded before the checksum was compared. Trailer,
//! little-endian: magic (8 bytes), numbers per vector (u64), length of the bytes before it (u64), their SHA-256 (32).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"OCELANN1";
const TRAILER_LEN: usize = 56;

/// Writes a file through `write_graph`, adds the trailer and moves it into place.
pub(super) fn write(path: &Path, dim: usize, write_graph: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let result = write_graph(as_text(&temporary)?)
        .and_then(|()| seal(&temporary, path, dim).map_err(|e| failed("written", path, &e)));
    if result.is_err() {
        // Best effort: the error to report is the first one.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn seal(temporary: &Path, path: &Path, dim: usize) -> std::io::Result<()> {
    let mut file = File::options().read(true).write(true).open(temporary)?;
    let (hash, len) = checksum(&mut file, u64::MAX)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(&trailer(dim, len, &hash))?;
    file.sync_all()?;
    std::fs::rename(temporary, path)?;
    // The new name is on the disk only when its directory is.
    match path.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// Fails unless the file is exactly what `write` wrote for vectors of this length.
pub(super) fn verify(path: &Path, dim: usize) -> Result<()> {
    match is_whole(path, dim) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Backend(format!(
            "the index file {} is damaged or of another kind; it has to be rebuilt",
            path.display()
        ))),
        Err(e) => Err(failed("read", path, &e)),
    }
}

fn is_whole(path: &Path, dim: usize) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let Some(len) = file.metadata()?.len().checked_sub(TRAILER_LEN as u64) else {
        return Ok(false);
    };
    let mut found = [0; TRAILER_LEN];
    file.seek(SeekFrom::Start(len))?;
    file.read_exact(&mut found)?;
    // The head tells most wrong files apart without reading all of them.
    if found[..24] != trailer(dim, len, &[0; 32])[..24] {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(0))?;
    let (hash, _) = checksum(&mut file, len)?;
    Ok(found[24..] == hash)
}

fn trailer(dim: usize, len: u64, hash: &[u8; 32]) -> [u8; TRAILER_LEN] {
    let mut out = [0; TRAILER_LEN];
    out[..8].copy_from_slice(MAGIC);
    out[8..16].copy_from_slice(&(dim as u64).to_le_bytes());
    out[16..24].copy_from_slice(&len.to_le_bytes());
    out[24..].copy_from_slice(hash);
    out
}

/// SHA-256 and length of the next bytes of a file, at most `limit`.
fn checksum(file: &mut File, limit: u64) -> std::io::Result<([u8; 32], u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut len = 0;
    let mut input = file.take(limit);
    loop {
        let n = input.read(&mut buffer)?;
        if n == 0 {
            return Ok((hasher.finalize().into(), len));
        }
        hasher.update(&buffer[..n]);
        len += n as u64;
    }
}

/// The library takes paths as text.
pub(super) fn as_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::Backend(format!("the path {} is not valid UTF-8", path.display())))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::Backend(format!("the index file {} cannot be {what}: {error}", path.display()))
}
