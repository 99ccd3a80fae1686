//! Random access to an archive's bytes, and telling the kinds of archives apart by their first bytes.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::files::Files;
use crate::limits::Limits;
use crate::scratch::Scratch;
use crate::tar_archive::TarFiles;
use crate::zip_archive::ZipFiles;

/// Bytes that several readers may look at, each at its own position.
pub trait ReadAt: Send + Sync {
    /// Like `pread`: may give fewer bytes than asked; 0 only at the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Length in bytes.
    fn size_bytes(&self) -> io::Result<u64>;
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let n = buf.len().min(self.len() - start);
        buf[..n].copy_from_slice(&self[start..start + n]);
        Ok(n)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for std::fs::File {
    #[cfg(unix)]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buf, offset)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// A reader with a position of its own; copies are independent.
#[derive(Clone)]
pub struct Cursor {
    bytes: Arc<dyn ReadAt>,
    size_bytes: u64,
    position: u64,
}

impl Cursor {
    pub(crate) fn new(bytes: Arc<dyn ReadAt>) -> io::Result<Cursor> {
        let size_bytes = bytes.size_bytes()?;
        Ok(Cursor { bytes, size_bytes, position: 0 })
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(crate) fn slice(&self, start: u64, len: u64) -> io::Take<Cursor> {
        Cursor { position: start, ..self.clone() }.take(len)
    }
}

impl Read for Cursor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes.read_at(buf, self.position)?;
        self.position += n as u64;
        Ok(n)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.size_bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position =
            target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.position)
    }
}

/// The kinds of archives that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveKind {
    /// Zip, stored or deflated.
    Zip,
    /// Tar without compression.
    Tar,
    /// Tar packed by gzip.
    TarGz,
}

/// Tells the kind by the first bytes.
pub fn archive_kind(bytes: &dyn ReadAt) -> io::Result<Option<ArchiveKind>> {
    let mut head = [0u8; 512];
    let mut n = 0;
    while n < head.len() {
        match bytes.read_at(&mut head[n..], n as u64)? {
            0 => break,
            more => n += more,
        }
    }
    Ok(if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Some(ArchiveKind::Zip)
    } else if head.starts_with(&[0x1f, 0x8b]) {
        Some(ArchiveKind::TarGz)
    } else if &head[257..262] == b"ustar" {
        Some(ArchiveKind::Tar)
    } else {
        None
    })
}

/// Opens an archive of any kind. Nothing is unpacked to the disk except the tar inside a gzip, to `scratch`.
pub fn open_archive(
    bytes: Arc<dyn ReadAt>,
    limits: Limits,
    scratch: &Scratch,
) -> Result<Box<dyn Files + Send>> {
    let kind = archive_kind(bytes.as_ref()).map_err(|e| Error::io("archive", e))?;
    match kind {
        Some(ArchiveKind::Zip) => Ok(Box::new(ZipFiles::open(bytes, limits)?)),
        Some(ArchiveKind::Tar) => Ok(Box::new(TarFiles::open(bytes, limits)?)),
        Some(ArchiveKind::TarGz) => Ok(Box::new(TarFiles::open_gzip(bytes, limits, scratch)?)),
        None => Err(Error::Unsupported("neither a zip nor a tar archive (plain or gzip)".to_owned())),
    }
}
