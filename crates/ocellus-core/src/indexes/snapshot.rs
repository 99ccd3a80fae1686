//! Snapshots of an index on the disk: its vectors with the change they are complete to, and the approximate index.
//!
//! A file is `OCELLUSX`, the length of a JSON head, the head, one record per vector and the SHA-256 of all that. It appears
//! under its name only when it is complete; the approximate index lies in a file of its own that the head names, so that
//! the two always belong together. Whatever does not fit is not used: the rows have everything.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ocellus_algo::index::Ann;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SpaceKey;
use super::space::search_threads;
use super::table::Table;

const MAGIC: &[u8; 8] = b"OCELLUSX";
const FORMAT: u32 = 1;
/// Longest input id that is believed.
const MAX_ID_BYTES: usize = 4_096;
const MAX_HEAD_BYTES: usize = 1 << 20;

/// The files of one index.
pub(crate) struct Files {
    dir: PathBuf,
    pub key: SpaceKey,
    stem: String,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    app_uid: String,
    space: String,
    dim: usize,
    n_vectors: usize,
    seq: i64,
    last_input: String,
    /// File name of the approximate index.
    ann: Option<String>,
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stem)
    }
}

impl Files {
    pub fn new(dir: &Path, key: SpaceKey) -> Self {
        let stem = format!("{}-{}", file_name(&key.app_uid), file_name(&key.space));
        Self { dir: dir.to_owned(), key, stem }
    }

    /// Deletes whatever lies here for an app.
    pub fn delete_app(dir: &Path, app_uid: &str) {
        delete_where(dir, |name| name.starts_with(&format!("{}-", file_name(app_uid))));
    }

    /// Deletes the files of this index.
    pub fn delete(&self) {
        delete_where(&self.dir, |name| name.starts_with(&format!("{}.", self.stem)));
    }

    fn path(&self) -> PathBuf {
        self.dir.join(format!("{}.vectors", self.stem))
    }

    /// Writes the table; an older snapshot is replaced.
    pub fn save(&self, table: &Table) -> io::Result<()> {
        let Some(flat) = &table.flat else { return Ok(()) };
        fs::create_dir_all(&self.dir)?;
        let ann = self.save_ann(table)?;
        let head = Head {
            format: FORMAT,
            app_uid: self.key.app_uid.clone(),
            space: self.key.space.clone(),
            dim: flat.dim(),
            n_vectors: table.len(),
            seq: table.seq,
            last_input: table.last_input.clone(),
            ann: ann.clone(),
        };
        let unfinished = self.dir.join(format!("{}.vectors.{}.tmp", self.stem, std::process::id()));
        let mut out = Hashing {
            inner: BufWriter::with_capacity(1 << 20, File::create(&unfinished)?),
            hash: Sha256::new(),
        };
        write_table(&mut out, &head, table)?;
        let Hashing { mut inner, hash } = out;
        inner.write_all(&hash.finalize())?;
        inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&unfinished, self.path())?;
        File::open(&self.dir)?.sync_all()?;
        let kept = [Some(format!("{}.vectors", self.stem)), ann];
        let prefix = format!("{}.", self.stem);
        delete_where(&self.dir, |name| {
            name.starts_with(&prefix) && !kept.iter().flatten().any(|kept| kept == name)
        });
        Ok(())
    }

    /// Writes the approximate index under a name of its own.
    fn save_ann(&self, table: &Table) -> io::Result<Option<String>> {
        let Some(ann) = &table.ann else { return Ok(None) };
        let name = format!("{}.{}.ann", self.stem, table.seq);
        ann.save(&self.dir.join(&name)).map_err(io::Error::other)?;
        Ok(Some(name))
    }

    /// Reads the snapshot; `None` if there is none or it cannot be trusted.
    pub fn load(&self) -> Option<Table> {
        let file = File::open(self.path()).ok()?;
        let mut input = Hashing { inner: BufReader::with_capacity(1 << 20, file), hash: Sha256::new() };
        let loaded = self.read(&mut input);
        if let Err(err) = &loaded {
            tracing::warn!(index = %self, %err, "an index snapshot is damaged and will be rebuilt from the rows");
        }
        loaded.ok()
    }

    fn read(&self, input: &mut Hashing<BufReader<File>>) -> io::Result<Table> {
        let (head, mut table, covered) = read_table(input)?;
        let hash = std::mem::take(&mut input.hash).finalize();
        let mut written = [0; 32];
        input.inner.read_exact(&mut written)?;
        if written != *hash || input.inner.read(&mut [0])? != 0 {
            return Err(bad("the checksum does not fit"));
        }
        if head.app_uid != self.key.app_uid || head.space != self.key.space {
            return Err(bad("it belongs to another index"));
        }
        table.seq = head.seq;
        table.last_input = head.last_input;
        if let Some(name) = head.ann.filter(|name| name.starts_with(&self.stem) && !name.contains('/')) {
            match Ann::load(&self.dir.join(name), head.dim, search_threads()) {
                Ok(ann) => table.set_ann(Arc::new(ann), |slot| covered.contains(&slot)),
                Err(err) => {
                    tracing::warn!(index = %self, %err, "an approximate index is damaged and will be rebuilt")
                }
            }
        }
        Ok(table)
    }
}

fn write_table(out: &mut impl Write, head: &Head, table: &Table) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    out.write_all(MAGIC)?;
    out.write_all(&(head.len() as u32).to_le_bytes())?;
    out.write_all(&head)?;
    let mut record = Vec::new();
    for (slot, id) in table.ids.iter().enumerate() {
        let slot = slot as u32;
        let (Some(id), Some(vector)) = (id, table.flat.as_ref().and_then(|flat| flat.get(slot))) else {
            continue;
        };
        record.clear();
        record.extend_from_slice(&slot.to_le_bytes());
        record.push(u8::from(table.ann.is_some() && !table.fresh.contains(&slot)));
        record.extend_from_slice(&(id.len() as u32).to_le_bytes());
        record.extend_from_slice(id.as_bytes());
        vector.iter().for_each(|x| record.extend_from_slice(&x.to_le_bytes()));
        out.write_all(&record)?;
    }
    Ok(())
}

/// The head, the vectors, and the slots that the approximate index holds.
fn read_table(input: &mut impl Read) -> io::Result<(Head, Table, HashSet<u32>)> {
    if read_array::<8>(input)? != *MAGIC {
        return Err(bad("it is no index snapshot"));
    }
    let head = read_counted(input, MAX_HEAD_BYTES)?;
    let head: Head = serde_json::from_slice(&head)?;
    if head.format != FORMAT {
        return Err(bad("it has another format"));
    }
    let mut table = Table::default();
    let mut covered = HashSet::new();
    let mut vector = vec![0.0_f32; head.dim.min(1 << 16)];
    let mut raw = vec![0_u8; vector.len() * 4];
    for _ in 0..head.n_vectors {
        let slot = u32::from_le_bytes(read_array(input)?);
        let [is_covered] = read_array(input)?;
        let id = read_counted(input, MAX_ID_BYTES)?;
        let id = String::from_utf8(id).map_err(|_| bad("an id is not text"))?;
        input.read_exact(&mut raw)?;
        for (x, bytes) in vector.iter_mut().zip(raw.as_chunks::<4>().0) {
            *x = f32::from_le_bytes(*bytes);
        }
        // A flipped bit must not make us reserve memory for a slot that no index of this size has.
        if slot as usize > head.n_vectors * 4 + (1 << 20) {
            return Err(bad("a slot is out of range"));
        }
        table.restore(slot, &id, &vector).map_err(io::Error::other)?;
        if is_covered == 1 {
            covered.insert(slot);
        }
    }
    Ok((head, table, covered))
}

fn read_array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    input.read_exact(&mut array)?;
    Ok(array)
}

/// Reads a length and as many bytes.
fn read_counted(input: &mut impl Read, max: usize) -> io::Result<Vec<u8>> {
    let len = u32::from_le_bytes(read_array(input)?) as usize;
    if len > max {
        return Err(bad("a length is out of range"));
    }
    let mut bytes = vec![0; len];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn bad(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// A name that is safe as part of a file name; anything but plain letters and digits is written in hex.
fn file_name(text: &str) -> String {
    let plain = !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { text.to_owned() } else { format!("x{}", hex::encode(Sha256::digest(text))) }
}

fn delete_where(dir: &Path, is_unwanted: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(&is_unwanted)
            && let Err(err) = fs::remove_file(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %err, "an index snapshot cannot be deleted");
        }
    }
}

/// Passes bytes through and hashes them.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }
}
