//! Zip archives: read at random without unpacking, written in one pass.

use std::collections::HashMap;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use zip::{CompressionMethod, ZipArchive};

use crate::archive::{Cursor, ReadAt};
use crate::error::{Error, Result};
use crate::files::{Entry, Files, Sink, not_there};
use crate::limits::{Bounded, Limits, safe_path};
use crate::zip_segment::{Directory, Segment};

/// The files of a zip archive, checked before the first one is opened.
pub struct ZipFiles {
    cursor: Cursor,
    archive: ZipArchive<Cursor>,
    entries: Vec<Entry>,
    index_of: HashMap<String, usize>,
    limits: Limits,
}

fn zip_error(about: &str, error: zip::result::ZipError) -> Error {
    Error::io(about, io::Error::from(error))
}

/// Unix mode bits of the kind of file, and their value for a symbolic link.
const MODE_KIND: u32 = 0o170_000;
const MODE_LINK: u32 = 0o120_000;

impl ZipFiles {
    /// Reads the directory and refuses the archive if any entry is not a plain, safe file.
    pub fn open(bytes: Arc<dyn ReadAt>, limits: Limits) -> Result<ZipFiles> {
        let cursor = Cursor::new(bytes).map_err(|e| Error::io("zip archive", e))?;
        let archive = ZipArchive::new(cursor.clone()).map_err(|e| zip_error("zip archive", e))?;
        let mut files = ZipFiles { cursor, archive, entries: Vec::new(), index_of: HashMap::new(), limits };
        files.limits.check_totals("zip archive", files.archive.len() as u64, 0)?;
        let (mut packed, mut unpacked) = (0u64, 0u64);
        for index in 0..files.archive.len() {
            let (entry_packed, entry_unpacked) = files.add(index)?;
            packed = packed.saturating_add(entry_packed);
            unpacked = unpacked.saturating_add(entry_unpacked);
            files.limits.check_totals("zip archive", 0, unpacked)?;
        }
        // Entries that share bytes are how a small archive claims to be huge.
        if packed > files.cursor.size_bytes() {
            let reason = "overlaps other entries".to_owned();
            return Err(Error::Unsafe { entry: "(several)".to_owned(), reason });
        }
        files.limits.check_ratio("zip archive", packed, unpacked)?;
        files.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Checks one entry and adds it; gives its packed and unpacked size.
    fn add(&mut self, index: usize) -> Result<(u64, u64)> {
        let file = self.archive.by_index_raw(index).map_err(|e| zip_error("zip archive", e))?;
        let name = file.name().map_err(|e| zip_error("zip archive", e))?.into_owned();
        let refuse = |reason: &str| Err(Error::Unsafe { entry: name.clone(), reason: reason.to_owned() });
        if file.is_dir() {
            safe_path(&name, &self.limits)?;
            return Ok((0, 0));
        }
        let path = safe_path(&name, &self.limits)?;
        if file.unix_mode().is_some_and(|mode| mode & MODE_KIND == MODE_LINK) {
            return refuse("is a symbolic link");
        }
        if file.encrypted() {
            return refuse("is encrypted");
        }
        if !matches!(file.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return refuse("is packed by a method other than deflate");
        }
        let sizes = (file.compressed_size(), file.size());
        self.limits.check_entry(&name, sizes.1)?;
        self.limits.check_ratio(&name, sizes.0, sizes.1)?;
        if self.index_of.insert(path.clone(), index).is_some() {
            return refuse("is there twice");
        }
        self.entries.push(Entry { path, size_bytes: sizes.1 });
        Ok(sizes)
    }
}

impl Files for ZipFiles {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + Send + '_>> {
        let index = *self.index_of.get(path).ok_or_else(|| not_there(path))?;
        let mut archive = self.archive.clone();
        let file = archive.by_index_raw(index).map_err(|e| zip_error(path, e))?;
        let start = file
            .data_start()
            .ok_or_else(|| Error::io(path, io::Error::new(io::ErrorKind::InvalidData, "has no data")))?;
        let packed = self.cursor.slice(start, file.compressed_size());
        let unpacked: Box<dyn Read + Send> = if file.compression() == CompressionMethod::Stored {
            Box::new(packed)
        } else {
            // `open` let nothing else in.
            Box::new(flate2::read::DeflateDecoder::new(packed))
        };
        let bounded = Bounded { inner: unpacked, left: file.size() };
        Ok(Box::new(Checked { inner: bounded, crc: flate2::Crc::new(), wanted: file.crc32() }))
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Compares the checksum when the end is reached.
struct Checked<R> {
    inner: R,
    crc: flate2::Crc,
    wanted: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        if n == 0 && !buf.is_empty() && self.crc.sum() != self.wanted {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "is damaged: the checksum does not fit"));
        }
        self.crc.update(&buf[..n]);
        Ok(n)
    }
}

/// Writes a zip archive at once.
pub struct ZipSink<W: Write + Seek> {
    segment: Segment<W>,
}

impl<W: Write + Seek> ZipSink<W> {
    /// An empty archive; `to` is empty too.
    pub fn new(to: W) -> ZipSink<W> {
        ZipSink { segment: Segment::at_start(to) }
    }

    /// Writes the directory; without it the archive cannot be read.
    pub fn finish(self) -> Result<W> {
        let directory_at = self.segment.size_bytes();
        let (mut to, members) = self.segment.finish()?;
        let mut directory = Directory::default();
        directory.add(&mut to, 0, &members)?;
        directory.finish(&mut to, directory_at)?;
        Ok(to)
    }
}

impl<W: Write + Seek> Sink for ZipSink<W> {
    fn put(&mut self, path: &str, content: &mut dyn Read) -> Result<()> {
        self.segment.put(path, content)
    }
}
