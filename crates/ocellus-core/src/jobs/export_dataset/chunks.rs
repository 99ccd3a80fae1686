//! The chunks of an archive: what an earlier attempt has finished is passed over, the rest is written and kept one by one.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{BufWriter, Read};

use ocellus_interchange::{Directory, Member, Segment, Sink};
use ocellus_store::{self as store, Piece};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::Work;
use crate::{Error, JsonMap, Result};

/// Inputs after which a chunk is finished.
pub(super) const MAX_INPUTS: u64 = 128;
/// Bytes after which a chunk is finished; the file that reaches them is still in it.
const MAX_BYTES: u64 = 64 << 20;
/// Rows of chunks read at once.
const ROWS: i64 = 50;

/// What is kept of a chunk with its row.
#[derive(Serialize, Deserialize)]
struct Doc {
    members: Vec<Member>,
    /// Inputs whose bytes were gone.
    missing: Vec<i64>,
}

/// A temporary file that a segment is written to.
struct Open {
    file: NamedTempFile,
    segment: Segment<BufWriter<std::fs::File>>,
    n_inputs: u64,
    missing: Vec<i64>,
}

impl Open {
    fn new() -> Result<Self> {
        let file = NamedTempFile::new().map_err(Error::internal)?;
        let to = BufWriter::new(file.reopen().map_err(Error::internal)?);
        Ok(Self { file, segment: Segment::new(to).map_err(super::failed)?, n_inputs: 0, missing: Vec::new() })
    }
}

struct State {
    /// The keys of the bytes of finished chunks.
    finished: Vec<String>,
    /// The last input that is in a finished chunk.
    last_seq: i64,
    /// Inputs in finished chunks whose bytes were gone.
    missing: HashSet<i64>,
    /// Whether files that are put are in a finished chunk already.
    is_past: bool,
    open: Option<Open>,
}

/// An archive that is being written. Used as a sink it takes the files of the input that was begun last.
pub(super) struct Chunks<'a> {
    work: &'a Work,
    state: RefCell<State>,
}

/// Everything that an archive is put together from.
pub(super) struct Parts {
    pub pieces: Vec<Piece>,
    /// Inputs whose bytes were gone.
    pub n_missing: u64,
    /// Holds the last piece.
    pub _end: NamedTempFile,
}

impl<'a> Chunks<'a> {
    /// Begins after what an earlier attempt has finished.
    pub fn new(work: &'a Work) -> Result<Self> {
        let (mut finished, mut missing, mut last_seq) = (Vec::new(), HashSet::new(), 0);
        work.each_chunk(|row, doc: Doc| {
            last_seq = row.last_seq;
            missing.extend(doc.missing);
            finished.push(row.blob);
            Ok(())
        })?;
        work.note(last_seq)?;
        let state = State { finished, last_seq, missing, is_past: false, open: None };
        Ok(Self { work, state: RefCell::new(state) })
    }

    /// How many chunks are finished, and the last input in them.
    pub fn done(&self) -> (usize, i64) {
        let state = self.state.borrow();
        (state.finished.len(), state.last_seq)
    }

    /// Begins an input. If it is in a finished chunk, tells whether its bytes were there; else `None`.
    pub fn begin(&self, seq: i64) -> Option<bool> {
        let mut state = self.state.borrow_mut();
        state.is_past = seq <= state.last_seq;
        state.is_past.then(|| !state.missing.contains(&seq))
    }

    /// Ends an input, and the chunk if it is large enough.
    pub fn end(&self, seq: i64, is_missing: bool) -> Result<()> {
        let mut state = self.state.borrow_mut();
        if state.is_past {
            return Ok(());
        }
        let open = state.opened()?;
        open.n_inputs += 1;
        if is_missing {
            open.missing.push(seq);
        }
        if open.n_inputs < MAX_INPUTS && open.segment.size_bytes() < MAX_BYTES {
            return Ok(());
        }
        drop(state);
        self.close(seq)
    }

    /// Makes a chunk of what was put, which holds these inputs.
    pub fn close_page(&self, numbers: &[i64]) -> Result<()> {
        let Some(last) = numbers.last() else { return Ok(()) };
        self.state.borrow_mut().opened()?.n_inputs += numbers.len() as u64;
        self.close(*last)
    }

    /// Finishes the chunk that is open, if there is an input in it.
    pub fn close(&self, last_seq: i64) -> Result<()> {
        let mut state = self.state.borrow_mut();
        state.is_past = false;
        let Some(open) = state.open.take_if(|open| open.n_inputs > 0) else { return Ok(()) };
        let (_, members) = open.segment.finish().map_err(super::failed)?;
        let idx = i64::try_from(state.finished.len()).unwrap_or(i64::MAX);
        state.missing.extend(&open.missing);
        let doc = match serde_json::to_value(Doc { members, missing: open.missing }) {
            Ok(Value::Object(doc)) => doc,
            Ok(_) => JsonMap::new(),
            Err(error) => return Err(Error::internal(error)),
        };
        let blob = self.work.keep_chunk(idx, last_seq, open.file.path(), doc)?;
        state.finished.push(blob);
        state.last_seq = last_seq;
        Ok(())
    }

    /// Adds the archive's directory to what is open, which is then the end of the archive.
    pub fn finish(self) -> Result<Parts> {
        let mut state = self.state.into_inner();
        state.opened()?;
        let Some(open) = state.open.take() else { return Err(Error::internal(anyhow::anyhow!("no end"))) };
        let in_end = open.segment.size_bytes();
        let (mut to, last) = open.segment.finish().map_err(super::failed)?;
        let mut directory = Directory::default();
        let mut at = 0;
        self.work.each_chunk(|row, doc: Doc| {
            directory.add(&mut to, at, &doc.members).map_err(super::failed)?;
            at += u64::try_from(row.size_bytes).unwrap_or(0);
            Ok(())
        })?;
        directory.add(&mut to, at, &last).map_err(super::failed)?;
        directory.finish(&mut to, at + in_end).map_err(super::failed)?;
        let mut pieces: Vec<Piece> = state.finished.into_iter().map(Piece::Blob).collect();
        pieces.push(Piece::File(open.file.path().to_owned()));
        Ok(Parts { pieces, n_missing: state.missing.len() as u64, _end: open.file })
    }
}

impl State {
    fn opened(&mut self) -> Result<&mut Open> {
        if self.open.is_none() {
            self.open = Some(Open::new()?);
        }
        self.open.as_mut().ok_or_else(|| Error::internal(anyhow::anyhow!("no chunk")))
    }
}

impl Sink for &Chunks<'_> {
    fn put(&mut self, path: &str, content: &mut dyn Read) -> ocellus_interchange::Result<()> {
        let mut state = self.state.borrow_mut();
        if state.is_past {
            return Ok(());
        }
        let to_io = |error: Error| ocellus_interchange::Error::Io {
            about: "temporary file".to_owned(),
            source: std::io::Error::other(error),
        };
        state.opened().map_err(to_io)?.segment.put(path, content)
    }
}

impl Work {
    /// Hands the finished chunks over, in order.
    fn each_chunk(&self, mut visit: impl FnMut(store::DatasetExportChunk, Doc) -> Result<()>) -> Result<()> {
        let mut from = 0;
        loop {
            let target = self.target.clone();
            let read = move |tx: &mut store::Tx<'_>| {
                Ok::<_, Error>(tx.dataset_export_chunks(target.key(), from, ROWS)?)
            };
            let rows = self.handle.block_on(self.cx.platform.store().read(read))?;
            let Some(last) = rows.last() else { return Ok(()) };
            from = last.idx + 1;
            for mut row in rows {
                let doc = Value::Object(std::mem::take(&mut row.doc));
                visit(row, serde_json::from_value(doc).map_err(Error::internal)?)?;
            }
        }
    }

    /// Keeps the bytes of a chunk and writes its row, unless the export is no longer wanted.
    fn keep_chunk(&self, idx: i64, last_seq: i64, path: &std::path::Path, doc: JsonMap) -> Result<String> {
        self.cx.checkpoint()?;
        let pieces = vec![Piece::File(path.to_owned())];
        let kept = self.handle.block_on(super::keep(&self.cx.platform, pieces))?;
        let (target, now_us) = (self.target.clone(), self.cx.platform.clock().now_us());
        let chunk = store::DatasetExportChunk {
            idx,
            last_seq,
            blob: kept.hash.clone(),
            size_bytes: i64::try_from(kept.size_bytes).unwrap_or(i64::MAX),
            doc,
        };
        let write = move |tx: &mut store::Tx<'_>| {
            let is_wanted = tx.set_dataset_export_progress(target.key(), last_seq, now_us)?;
            if is_wanted {
                tx.put_dataset_export_chunk(target.key(), &chunk)?;
            }
            Ok::<_, Error>(is_wanted)
        };
        match self.handle.block_on(self.cx.platform.store().write(write))? {
            true => Ok(kept.hash),
            false => Err(super::no_longer_wanted()),
        }
    }
}
