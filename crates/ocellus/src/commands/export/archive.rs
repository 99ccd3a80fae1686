//! An archive as the target of an export: written beside its name, with a log of what is finished of it.
//!
//! The log has a line for every 128 inputs: a digest of what they were, and the files that were written for them. Running
//! the command again passes over what is unchanged and goes on where that ends.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use ocellus_core::datasets::frozen::Frozen;
use ocellus_interchange::{Concept, Directory, Format, Member, Report, Scratch, Segment, Sink};
use ocellus_interchange::{WriteOptions, Writer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Source, content, put};

/// Inputs that are finished together.
const CHUNK: usize = 128;

/// The first line of the log: what the archive is of.
#[derive(PartialEq, Serialize, Deserialize)]
struct Head {
    format: String,
    selection: String,
    concepts: String,
}

/// A line of the log for a finished chunk.
#[derive(Serialize, Deserialize)]
struct Line {
    digest: String,
    n_bytes: u64,
    /// Which of the inputs had bytes that were gone.
    missing: Vec<usize>,
    members: Vec<Member>,
}

/// What is remembered of a finished chunk.
struct Finished {
    digest: String,
    missing: Vec<usize>,
    /// Where it ends in the archive, and its line in the log.
    end: u64,
    log_end: u64,
}

pub(super) fn write(source: &Source, format: Format, to: &Path) -> anyhow::Result<Report> {
    let concepts = source.concepts()?;
    let head = Head {
        format: format.name().to_owned(),
        selection: format!("{:?}", source.selection),
        concepts: digest(&concepts)?,
    };
    let part = Part::open(to, &head)?;
    let report = part.write(source, format, concepts)?;
    part.finish(to)?;
    Ok(report)
}

fn digest(value: &impl Serialize) -> anyhow::Result<String> {
    let json = serde_json::to_vec(value)?;
    Ok(Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An archive that is not finished. Used as a sink it takes the files of the chunk that was begun last.
struct Part {
    paths: [PathBuf; 2],
    state: RefCell<State>,
}

struct State {
    data: File,
    log: File,
    head_end: u64,
    finished: Vec<Finished>,
    /// The chunk that is next, or being written.
    at: usize,
    /// Where what is open is written to; nothing is while a finished chunk is passed over.
    segment: Option<Segment<BufWriter<File>>>,
}

impl Part {
    fn open(to: &Path, head: &Head) -> anyhow::Result<Part> {
        let paths = ["part", "part.log"].map(|end| PathBuf::from(format!("{}.{end}", to.display())));
        let open = |path: &PathBuf| {
            let mut options = File::options();
            let file = options.read(true).write(true).create(true).truncate(false).open(path);
            file.with_context(|| format!("{} cannot be written", path.display()))
        };
        let (data, mut log) = (open(&paths[0])?, open(&paths[1])?);
        let (mut head_end, finished) = read_log(&log, head, data.metadata()?.len())?;
        if head_end == 0 {
            log.set_len(0)?;
            let line = format!("{}\n", serde_json::to_string(head)?);
            log.write_all(line.as_bytes())?;
            head_end = line.len() as u64;
        }
        let state = State { data, log, head_end, finished, at: 0, segment: None };
        Ok(Part { paths, state: RefCell::new(state) })
    }

    fn write(&self, source: &Source, format: Format, concepts: Vec<Concept>) -> anyhow::Result<Report> {
        let options = WriteOptions { concepts, scratch: Scratch::Folder(std::env::temp_dir()) };
        let mut sink = self;
        let mut writer = Writer::new(format, &mut sink, options)?;
        let mut batch = Vec::with_capacity(CHUNK);
        source.each(|frozen| {
            batch.push(frozen);
            if batch.len() == CHUNK {
                self.chunk(source, &mut writer, std::mem::take(&mut batch))
            } else {
                Ok(())
            }
        })?;
        if !batch.is_empty() {
            self.chunk(source, &mut writer, batch)?;
        }
        self.state.borrow_mut().begin_new()?;
        Ok(writer.finish()?)
    }

    /// Writes some inputs, or passes over them if they are written already and have not changed since.
    fn chunk(&self, source: &Source, writer: &mut Writer<'_>, batch: Vec<Frozen>) -> anyhow::Result<()> {
        let digest = digest(&batch)?;
        let were_missing = self.state.borrow_mut().begin(&digest)?;
        let mut missing = Vec::new();
        for (n, frozen) in batch.into_iter().enumerate() {
            let is_expected = source.has_content(&frozen);
            let mut content: Option<Box<dyn Read>> = match &were_missing {
                Some(missing) if is_expected && !missing.contains(&n) => Some(Box::new(std::io::empty())),
                Some(_) => None,
                None => content(source, &frozen)?,
            };
            if is_expected && content.is_none() {
                missing.push(n);
            }
            put(source, writer, frozen, content.as_mut().map(|content| &mut **content as &mut dyn Read))?;
        }
        self.state.borrow_mut().end(digest, missing)
    }

    /// Writes the directory and gives the archive its name.
    fn finish(self, to: &Path) -> anyhow::Result<()> {
        let mut state = self.state.into_inner();
        let Some(segment) = state.segment.take() else { anyhow::bail!("the archive has no end") };
        let (at, end_bytes) = (state.kept_bytes(), segment.size_bytes());
        let (mut data, last) = segment.finish()?;
        let mut directory = Directory::default();
        let mut from = 0;
        state.log.seek(SeekFrom::Start(state.head_end))?;
        for line in BufReader::new(&state.log).lines() {
            let line: Line = serde_json::from_str(&line?)?;
            directory.add(&mut data, from, &line.members)?;
            from += line.n_bytes;
        }
        directory.add(&mut data, at, &last)?;
        directory.finish(&mut data, at + end_bytes)?;
        data.into_inner().context("the archive cannot be finished")?.sync_all()?;
        std::fs::rename(&self.paths[0], to).with_context(|| format!("{} cannot be written", to.display()))?;
        std::fs::remove_file(&self.paths[1]).context("the log of the archive cannot be removed")
    }
}

/// Reads what is finished of the same archive, and where the first line ends: 0 if there is none, or of another archive.
/// A line that was cut off, or whose bytes never reached the disk, is no longer read.
fn read_log(log: &File, head: &Head, data_bytes: u64) -> anyhow::Result<(u64, Vec<Finished>)> {
    let mut lines = BufReader::new(log);
    let mut text = String::new();
    let head_end = lines.read_line(&mut text)? as u64;
    if !text.ends_with('\n') || serde_json::from_str::<Head>(&text).ok().as_ref() != Some(head) {
        return Ok((0, Vec::new()));
    }
    let (mut finished, mut end, mut log_end) = (Vec::new(), 0, head_end);
    loop {
        text.clear();
        log_end += lines.read_line(&mut text)? as u64;
        let line = serde_json::from_str::<Line>(&text).ok().filter(|_| text.ends_with('\n'));
        let Some(line) = line.filter(|line| end + line.n_bytes <= data_bytes) else {
            return Ok((head_end, finished));
        };
        end += line.n_bytes;
        finished.push(Finished { digest: line.digest, missing: line.missing, end, log_end });
    }
}

impl State {
    /// Where what is kept of the archive ends.
    fn kept_bytes(&self) -> u64 {
        self.finished.last().map_or(0, |last| last.end)
    }

    /// Begins a chunk. If it is finished already, tells which of its inputs had no bytes.
    fn begin(&mut self, digest: &str) -> anyhow::Result<Option<Vec<usize>>> {
        if let Some(same) = self.finished.get(self.at).filter(|finished| finished.digest == digest) {
            return Ok(Some(same.missing.clone()));
        }
        self.begin_new()?;
        Ok(None)
    }

    /// Opens a segment after the chunks that hold; what follows them is of other inputs.
    fn begin_new(&mut self) -> anyhow::Result<()> {
        self.finished.truncate(self.at);
        let log_end = self.finished.last().map_or(self.head_end, |last| last.log_end);
        self.log.set_len(log_end)?;
        self.log.seek(SeekFrom::Start(log_end))?;
        self.data.set_len(self.kept_bytes())?;
        self.data.seek(SeekFrom::Start(self.kept_bytes()))?;
        self.segment = Some(Segment::new(BufWriter::new(self.data.try_clone()?))?);
        Ok(())
    }

    /// Ends a chunk: its bytes reach the disk before the line that says so.
    fn end(&mut self, digest: String, missing: Vec<usize>) -> anyhow::Result<()> {
        self.at += 1;
        let Some(segment) = self.segment.take() else { return Ok(()) };
        let n_bytes = segment.size_bytes();
        let (_, members) = segment.finish()?;
        self.data.sync_data()?;
        let line = Line { digest, n_bytes, missing, members };
        let text = format!("{}\n", serde_json::to_string(&line)?);
        self.log.write_all(text.as_bytes())?;
        self.log.sync_data()?;
        let (end, log_end) = (self.kept_bytes() + n_bytes, self.log.stream_position()?);
        self.finished.push(Finished { digest: line.digest, missing: line.missing, end, log_end });
        Ok(())
    }
}

impl Sink for &Part {
    fn put(&mut self, path: &str, content: &mut dyn Read) -> ocellus_interchange::Result<()> {
        match &mut self.state.borrow_mut().segment {
            Some(segment) => segment.put(path, content),
            None => Ok(()),
        }
    }
}
