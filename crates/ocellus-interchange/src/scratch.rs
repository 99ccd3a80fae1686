//! Temporary storage for what a streaming reader or writer must put aside.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::error::{Error, Result};

/// Where temporary bytes go.
#[derive(Clone, Debug, Default)]
pub enum Scratch {
    /// Into memory: for tests and small collections.
    #[default]
    Memory,
    /// Into unnamed files of this folder, gone when they are closed.
    Folder(PathBuf),
}

impl Scratch {
    /// A new, empty temporary file.
    pub fn open(&self) -> Result<ScratchFile> {
        match self {
            Scratch::Memory => Ok(ScratchFile::Memory(Cursor::new(Vec::new()))),
            Scratch::Folder(folder) => tempfile::tempfile_in(folder)
                .map(|file| ScratchFile::Disk(io::BufWriter::new(file)))
                .map_err(|e| Error::io(&folder.display().to_string(), e)),
        }
    }
}

/// One temporary file.
#[derive(Debug)]
pub enum ScratchFile {
    /// In memory.
    Memory(Cursor<Vec<u8>>),
    /// On disk.
    Disk(io::BufWriter<std::fs::File>),
}

impl Read for ScratchFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            ScratchFile::Memory(memory) => memory.read(buf),
            ScratchFile::Disk(disk) => {
                disk.flush()?;
                disk.get_mut().read(buf)
            }
        }
    }
}

impl Write for ScratchFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            ScratchFile::Memory(memory) => memory.write(buf),
            ScratchFile::Disk(disk) => disk.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            ScratchFile::Memory(memory) => memory.flush(),
            ScratchFile::Disk(disk) => disk.flush(),
        }
    }
}

impl Seek for ScratchFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            ScratchFile::Memory(memory) => memory.seek(to),
            ScratchFile::Disk(disk) => disk.seek(to),
        }
    }
}
