//! Tar archives, plain or in gzip: indexed once, then read at random; written in one pass.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use tar::EntryType;

use crate::archive::{Cursor, ReadAt};
use crate::error::{Error, Result};
use crate::files::{Entry, Files, Sink, not_there};
use crate::limits::{Limits, safe_path};
use crate::scratch::{Scratch, ScratchFile};

/// The files of a tar archive.
pub struct TarFiles {
    cursor: Cursor,
    entries: Vec<Entry>,
    start_of: HashMap<String, u64>,
    limits: Limits,
}

impl TarFiles {
    /// Reads all headers and refuses the archive if any entry is not a plain, safe file.
    pub fn open(bytes: Arc<dyn ReadAt>, limits: Limits) -> Result<TarFiles> {
        let cursor = Cursor::new(bytes).map_err(|e| Error::io("tar archive", e))?;
        let mut files =
            TarFiles { cursor: cursor.clone(), entries: Vec::new(), start_of: HashMap::new(), limits };
        let mut archive = tar::Archive::new(cursor);
        let (mut n_headers, mut total_bytes) = (0, 0u64);
        for entry in archive.entries_with_seek().map_err(|e| Error::io("tar archive", e))? {
            let entry = entry.map_err(|e| Error::io("tar archive", e))?;
            n_headers += 1;
            total_bytes = total_bytes.saturating_add(entry.size());
            files.limits.check_totals("tar archive", n_headers, total_bytes)?;
            files.add(&entry)?;
        }
        files.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    fn add(&mut self, entry: &tar::Entry<'_, Cursor>) -> Result<()> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        let refuse = |reason: &str| Err(Error::Unsafe { entry: name.clone(), reason: reason.to_owned() });
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        if matches!(kind, EntryType::Directory) {
            // `./` is how `tar -C folder .` begins.
            return if name == "./" || name == "." {
                Ok(())
            } else {
                safe_path(&name, &self.limits).map(drop)
            };
        }
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            return refuse("is a link");
        }
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            return refuse("is neither a file nor a directory");
        }
        let path = safe_path(&name, &self.limits)?;
        self.limits.check_entry(&name, entry.size())?;
        let start = entry.raw_file_position();
        if start.saturating_add(entry.size()) > self.cursor.size_bytes() {
            return refuse("is cut off");
        }
        if self.start_of.insert(path.clone(), start).is_some() {
            return refuse("is there twice");
        }
        self.entries.push(Entry { path, size_bytes: entry.size() });
        Ok(())
    }

    /// Unpacks the gzip to temporary storage and opens the tar in it.
    pub fn open_gzip(bytes: Arc<dyn ReadAt>, limits: Limits, scratch: &Scratch) -> Result<TarFiles> {
        let packed = Cursor::new(bytes).map_err(|e| Error::io("gzip", e))?;
        let packed_bytes = packed.size_bytes();
        let mut unpacked = flate2::read::MultiGzDecoder::new(packed);
        let mut file = scratch.open()?;
        let mut total_bytes = 0;
        let mut block = vec![0; 1 << 16];
        loop {
            let n = unpacked.read(&mut block).map_err(|e| Error::io("gzip", e))?;
            if n == 0 {
                break;
            }
            total_bytes += n as u64;
            limits.check_totals("gzip", 0, total_bytes)?;
            limits.check_ratio("gzip", packed_bytes, total_bytes)?;
            file.write_all(&block[..n]).map_err(|e| Error::io("temporary file", e))?;
        }
        file.flush().map_err(|e| Error::io("temporary file", e))?;
        TarFiles::open(Arc::new(Shared { file: Mutex::new(file), size_bytes: total_bytes }), limits)
    }
}

/// A temporary file that several readers share.
struct Shared {
    file: Mutex<ScratchFile>,
    size_bytes: u64,
}

impl ReadAt for Shared {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        // A panic in another reader leaves only the position behind, and that is set here.
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read(buf)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.size_bytes)
    }
}

impl Files for TarFiles {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + Send + '_>> {
        let entry = self.find(path).ok_or_else(|| not_there(path))?;
        let start = self.start_of.get(path).ok_or_else(|| not_there(path))?;
        Ok(Box::new(self.cursor.slice(*start, entry.size_bytes)))
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Writes a tar archive. Each file passes through temporary storage, because its size stands before it.
pub struct TarSink<W: Write> {
    builder: tar::Builder<W>,
    scratch: Scratch,
}

impl<W: Write> TarSink<W> {
    /// An empty archive.
    pub fn new(to: W, scratch: Scratch) -> TarSink<W> {
        TarSink { builder: tar::Builder::new(to), scratch }
    }

    /// Writes the end mark.
    pub fn finish(self) -> Result<W> {
        self.builder.into_inner().map_err(|e| Error::io("tar archive", e))
    }
}

impl<W: Write> Sink for TarSink<W> {
    fn put(&mut self, path: &str, content: &mut dyn Read) -> Result<()> {
        let path = safe_path(path, &Limits::default())?;
        let mut file = self.scratch.open()?;
        let write = |file: &mut ScratchFile, builder: &mut tar::Builder<W>, content: &mut dyn Read| {
            let size_bytes = io::copy(content, file)?;
            file.seek(SeekFrom::Start(0))?;
            let mut header = tar::Header::new_gnu();
            header.set_size(size_bytes);
            header.set_mode(0o644);
            // No clock: the same collection gives the same archive.
            header.set_mtime(0);
            header.set_entry_type(EntryType::Regular);
            builder.append_data(&mut header, &path, file)
        };
        write(&mut file, &mut self.builder, content).map_err(|e| Error::io(&path, e))
    }
}
