//! How large a collection may be, and which paths an archive may use.

use std::io::{self, Read};

use crate::error::{Error, Result};

/// Limits on what is read. They hold for archives and for folders.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Files in the collection.
    pub max_entries: u64,
    /// Bytes of all files, unpacked.
    pub max_total_bytes: u64,
    /// Bytes of one file, unpacked.
    pub max_entry_bytes: u64,
    /// Unpacked bytes per packed byte, of an entry or of the whole archive; looked at above 1 MiB only.
    pub max_ratio: u64,
    /// Directories above a file.
    pub max_depth: usize,
    /// Bytes of one line, one JSON element or one small file that is read whole.
    pub max_record_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_entries: 5_000_000,
            max_total_bytes: 1 << 40,
            max_entry_bytes: 16 << 30,
            max_ratio: 200,
            max_depth: 32,
            max_record_bytes: 64 << 20,
        }
    }
}

/// Below this size a high ratio is harmless (a mask of one colour packs 1000 to 1).
const RATIO_FLOOR_BYTES: u64 = 1 << 20;

impl Limits {
    pub(crate) fn check_ratio(&self, about: &str, packed: u64, unpacked: u64) -> Result<()> {
        let allowed = packed.saturating_mul(self.max_ratio);
        if unpacked > RATIO_FLOOR_BYTES && unpacked > allowed {
            let what = "the ratio of unpacked to packed bytes";
            return Err(Error::Limit { about: about.to_owned(), what, limit: self.max_ratio });
        }
        Ok(())
    }

    pub(crate) fn check_entry(&self, about: &str, size_bytes: u64) -> Result<()> {
        if size_bytes > self.max_entry_bytes {
            let what = "the size of one file in bytes";
            return Err(Error::Limit { about: about.to_owned(), what, limit: self.max_entry_bytes });
        }
        Ok(())
    }

    pub(crate) fn check_totals(&self, about: &str, n_entries: u64, total_bytes: u64) -> Result<()> {
        if n_entries > self.max_entries {
            let what = "the number of files";
            return Err(Error::Limit { about: about.to_owned(), what, limit: self.max_entries });
        }
        if total_bytes > self.max_total_bytes {
            let what = "the size of all files in bytes";
            return Err(Error::Limit { about: about.to_owned(), what, limit: self.max_total_bytes });
        }
        Ok(())
    }
}

/// The path of an archive's entry with `/` as separator, or an error if it could point outside of the collection.
pub fn safe_path(name: &str, limits: &Limits) -> Result<String> {
    let refuse = |reason: &str| Err(Error::Unsafe { entry: name.to_owned(), reason: reason.to_owned() });
    let slashed = name.replace('\\', "/");
    if slashed.chars().any(char::is_control) {
        return refuse("has a control character in its name");
    }
    if slashed.starts_with('/') {
        return refuse("has an absolute path");
    }
    if slashed.as_bytes().get(1) == Some(&b':') {
        return refuse("names a drive");
    }
    if slashed.len() > 4096 || slashed.split('/').any(|part| part.len() > 255) {
        return refuse("has a name longer than a file system takes");
    }
    let parts: Vec<&str> = slashed.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return refuse("points outside of the archive");
    }
    if parts.is_empty() {
        return refuse("has no name");
    }
    if parts.len() > limits.max_depth + 1 {
        return refuse("is nested too deeply");
    }
    Ok(parts.join("/"))
}

/// Gives at most `left` bytes, and an error instead of the next one: no file is longer than it said it is.
pub(crate) struct Bounded<R> {
    pub inner: R,
    pub left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut probe = [0u8; 1];
            return match self.inner.read(&mut probe)? {
                0 => Ok(0),
                _ => Err(io::Error::new(io::ErrorKind::InvalidData, "is longer than its declared size")),
            };
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let n = self.inner.read(&mut buf[..room])?;
        self.left -= n as u64;
        Ok(n)
    }
}
