//! One server, or one indexing run, on a data folder at a time. The lock goes with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use anyhow::Context;

/// Held for as long as it lives.
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock for `what`, or tells in words who has it.
    pub fn try_take(data_dir: &Path, what: &str) -> anyhow::Result<Result<DataLock, String>> {
        let path = data_dir.join("ocellus.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if known { holder.trim().to_owned() } else { "another ocellus".to_owned() };
                return Ok(Err(holder));
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        let note = format!("`ocellus {what}` (process {})\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(note.as_bytes()))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Ok(DataLock { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_learns_who_was_first_and_a_dropped_lock_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataLock::try_take(dir.path(), "serve").unwrap().unwrap();
        let holder = DataLock::try_take(dir.path(), "index").unwrap().err().unwrap();
        assert!(holder.starts_with("`ocellus serve` (process "), "{holder}");
        drop(first);
        assert!(DataLock::try_take(dir.path(), "index").unwrap().is_ok());
    }
}
