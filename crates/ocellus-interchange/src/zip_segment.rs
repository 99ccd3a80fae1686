//! Zip archives written in segments: each is finished on its own, and a directory after the last makes them an archive.
//!
//! The bytes depend on nothing but the files, so an archive whose writing was cut off and resumed after any finished
//! segment is the same as one written at once. Always with the fields for more than 4 GiB (APPNOTE 4.5.3) in the local
//! headers, since a file's size stands before it and is known after it; in the directory only where they are needed.

use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::Sink;
use crate::limits::{Limits, safe_path};

/// The version of the format that the wide fields came with, written on a Unix system.
const VERSION: u16 = 45;
const UNIX: u16 = 3 << 8;
/// Names are UTF-8.
const FLAGS: u16 = 0x0800;
/// 1980-01-01, the first day there is. No clock: the same files give the same archive.
const DATE: u16 = 0x0021;
/// A plain file that its owner may change and everybody may read.
const MODE: u32 = 0o100_644;
/// Stands in a narrow field whose number is in a wide one.
const WIDE: u32 = u32::MAX;
/// Length of a local header before the name, and of its wide fields with their head.
const LOCAL_BYTES: u64 = 30;
const LOCAL_WIDE_BYTES: u16 = 20;

/// A file of a segment, as the directory will name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its path in the archive.
    pub path: String,
    /// Whether it is deflated rather than stored.
    pub deflated: bool,
    /// Checksum of its bytes.
    pub crc32: u32,
    /// As it is in the archive.
    pub packed_bytes: u64,
    /// As it was given.
    pub size_bytes: u64,
    /// Where its header begins, counted from the start of the segment.
    pub offset: u64,
}

/// A segment that is being written.
pub struct Segment<W: Write + Seek> {
    to: W,
    base: u64,
    size_bytes: u64,
    members: Vec<Member>,
}

fn io_error(error: io::Error) -> Error {
    Error::io("zip archive", error)
}

impl<W: Write + Seek> Segment<W> {
    /// An empty segment that begins where `to` stands.
    pub fn new(mut to: W) -> Result<Segment<W>> {
        let base = to.stream_position().map_err(io_error)?;
        Ok(Segment { to, base, size_bytes: 0, members: Vec::new() })
    }

    pub(crate) fn at_start(to: W) -> Segment<W> {
        Segment { to, base: 0, size_bytes: 0, members: Vec::new() }
    }

    /// What has been written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Hands back what was written to, standing at the end, and what is in the segment.
    pub fn finish(mut self) -> Result<(W, Vec<Member>)> {
        self.to.flush().map_err(io_error)?;
        Ok((self.to, self.members))
    }

    fn write(&mut self, path: &str, content: &mut dyn Read) -> Result<Member> {
        let deflated = !crate::media::is_packed(path);
        let mut member = Member {
            path: path.to_owned(),
            deflated,
            crc32: 0,
            packed_bytes: 0,
            size_bytes: 0,
            offset: self.size_bytes,
        };
        let start = self.base + self.size_bytes;
        self.to.write_all(&local_header(&member)?).map_err(io_error)?;
        let data_at = start + LOCAL_BYTES + path.len() as u64 + u64::from(LOCAL_WIDE_BYTES);
        let mut content = Counted { inner: content, crc: flate2::Crc::new(), size_bytes: 0 };
        let about = |e| Error::io(path, e);
        if deflated {
            let mut packed = DeflateEncoder::new(&mut self.to, Compression::default());
            io::copy(&mut content, &mut packed).map_err(about)?;
            packed.finish().map_err(about)?;
        } else {
            io::copy(&mut content, &mut self.to).map_err(about)?;
        }
        let end = self.to.stream_position().map_err(io_error)?;
        (member.crc32, member.size_bytes) = (content.crc.sum(), content.size_bytes);
        member.packed_bytes = end - data_at;
        self.to.seek(SeekFrom::Start(start)).map_err(io_error)?;
        self.to.write_all(&local_header(&member)?).map_err(io_error)?;
        self.to.seek(SeekFrom::Start(end)).map_err(io_error)?;
        self.size_bytes = end - self.base;
        Ok(member)
    }
}

impl<W: Write + Seek> Sink for Segment<W> {
    fn put(&mut self, path: &str, content: &mut dyn Read) -> Result<()> {
        let path = safe_path(path, &Limits::default())?;
        let member = self.write(&path, content)?;
        self.members.push(member);
        Ok(())
    }
}

/// Counts and checks what passes.
struct Counted<'a> {
    inner: &'a mut dyn Read,
    crc: flate2::Crc,
    size_bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.crc.update(&buf[..n]);
        self.size_bytes += n as u64;
        Ok(n)
    }
}

/// Numbers as the format writes them.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn u16s(mut self, all: &[u16]) -> Record {
        all.iter().for_each(|n| self.0.extend(n.to_le_bytes()));
        self
    }

    fn u32s(mut self, all: &[u32]) -> Record {
        all.iter().for_each(|n| self.0.extend(n.to_le_bytes()));
        self
    }

    fn u64s(mut self, all: &[u64]) -> Record {
        all.iter().for_each(|n| self.0.extend(n.to_le_bytes()));
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Record {
        self.0.extend(bytes);
        self
    }
}

fn method(member: &Member) -> u16 {
    if member.deflated { 8 } else { 0 }
}

fn name_bytes(member: &Member) -> Result<u16> {
    u16::try_from(member.path.len()).map_err(|_| Error::Limit {
        about: member.path.clone(),
        what: "the length of a path",
        limit: u64::from(u16::MAX),
    })
}

fn local_header(member: &Member) -> Result<Vec<u8>> {
    let record = Record::default()
        .u32s(&[0x0403_4b50])
        .u16s(&[VERSION, FLAGS, method(member), 0, DATE])
        .u32s(&[member.crc32, WIDE, WIDE])
        .u16s(&[name_bytes(member)?, LOCAL_WIDE_BYTES])
        .bytes(member.path.as_bytes())
        .u16s(&[1, LOCAL_WIDE_BYTES - 4])
        .u64s(&[member.size_bytes, member.packed_bytes]);
    Ok(record.0)
}

/// The directory at the end of an archive, written segment by segment.
#[derive(Default)]
pub struct Directory {
    n_members: u64,
    n_bytes: u64,
}

impl Directory {
    /// Names the files of a segment that begins at a place of the archive.
    pub fn add(&mut self, to: &mut dyn Write, segment_at: u64, members: &[Member]) -> Result<()> {
        for member in members {
            let record = directory_record(member, segment_at + member.offset)?;
            to.write_all(&record).map_err(io_error)?;
            self.n_members += 1;
            self.n_bytes += record.len() as u64;
        }
        Ok(())
    }

    /// Ends the archive; the directory began at `at`.
    pub fn finish(self, to: &mut dyn Write, at: u64) -> Result<()> {
        let (n, n_bytes) = (self.n_members, self.n_bytes);
        let narrow = |n: u64| u32::try_from(n).unwrap_or(WIDE);
        let n_narrow = u16::try_from(n).unwrap_or(u16::MAX);
        let mut record = Record::default();
        if n_narrow == u16::MAX || narrow(n_bytes) == WIDE || narrow(at) == WIDE {
            record = record
                .u32s(&[0x0606_4b50])
                .u64s(&[44])
                .u16s(&[UNIX | VERSION, VERSION])
                .u32s(&[0, 0])
                .u64s(&[n, n, n_bytes, at])
                .u32s(&[0x0706_4b50, 0])
                .u64s(&[at + n_bytes])
                .u32s(&[1]);
        }
        let record = record
            .u32s(&[0x0605_4b50])
            .u16s(&[0, 0, n_narrow, n_narrow])
            .u32s(&[narrow(n_bytes), narrow(at)])
            .u16s(&[0]);
        to.write_all(&record.0).and_then(|()| to.flush()).map_err(io_error)
    }
}

fn directory_record(member: &Member, at: u64) -> Result<Vec<u8>> {
    let all = [member.size_bytes, member.packed_bytes, at];
    let [size_bytes, packed_bytes, offset] = all.map(|n| u32::try_from(n).unwrap_or(WIDE));
    let wide: Vec<u64> = all.into_iter().filter(|n| *n >= u64::from(WIDE)).collect();
    let mut extra = Record::default();
    if !wide.is_empty() {
        let n_bytes = u16::try_from(8 * wide.len()).unwrap_or(0);
        extra = extra.u16s(&[1, n_bytes]).u64s(&wide);
    }
    let extra_bytes = u16::try_from(extra.0.len()).unwrap_or(0);
    let record = Record::default()
        .u32s(&[0x0201_4b50])
        .u16s(&[UNIX | VERSION, VERSION, FLAGS, method(member), 0, DATE])
        .u32s(&[member.crc32, packed_bytes, size_bytes])
        .u16s(&[name_bytes(member)?, extra_bytes, 0, 0, 0])
        .u32s(&[MODE << 16, offset])
        .bytes(member.path.as_bytes())
        .bytes(&extra.0);
    Ok(record.0)
}
