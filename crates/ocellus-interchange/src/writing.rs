//! Writing a collection: item by item into a sink, with an account of what the format could not hold.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::capabilities::Capability;
use crate::error::{Error, Result};
use crate::files::Sink;
use crate::formats;
use crate::model::{Concept, Item, Shape};
use crate::report::Report;
use crate::scratch::{Scratch, ScratchFile};
use crate::{Format, capability};

/// How a collection is written.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Concepts in the order in which the format is to number them; others are added as they appear.
    pub concepts: Vec<Concept>,
    /// Where temporary bytes go.
    pub scratch: Scratch,
}

/// A format's writer.
pub(crate) trait FormatWriter: Send {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()>;
    fn finish(&mut self, out: &mut Output<'_>) -> Result<()>;
}

/// What a format's writer writes to.
pub(crate) struct Output<'a> {
    pub sink: &'a mut dyn Sink,
    pub report: &'a mut Report,
}

impl Output<'_> {
    /// Stores an item's bytes, if they were given.
    pub fn content(&mut self, path: &str, content: Option<&mut dyn Read>) -> Result<()> {
        match content {
            Some(content) => self.sink.put(path, content),
            None => Ok(()),
        }
    }

    /// Stores a text.
    pub fn text(&mut self, path: &str, text: &str) -> Result<()> {
        self.sink.put(path, &mut text.as_bytes())
    }
}

/// Writes one collection. Items are given in order; nothing of an unfinished collection need be readable.
pub struct Writer<'a> {
    inner: Box<dyn FormatWriter>,
    capability: &'static Capability,
    sink: &'a mut dyn Sink,
    report: Report,
}

impl<'a> Writer<'a> {
    /// An empty collection. Fails for formats that are only read.
    pub fn new(format: Format, sink: &'a mut dyn Sink, options: WriteOptions) -> Result<Writer<'a>> {
        let inner: Box<dyn FormatWriter> = match format {
            Format::Folder => Box::new(formats::folder::FolderWriter::new()),
            Format::Coco => Box::new(formats::coco_writer::CocoWriter::new(&options)),
            Format::Voc => Box::new(formats::voc::VocWriter::new()),
            Format::Yolo => Box::new(formats::yolo::YoloWriter::new(&options)),
            Format::Csv => Box::new(formats::csv_writer::CsvWriter::new(&options)?),
            Format::JsonLines => Box::new(formats::json_lines::JsonLinesWriter::new(&options)?),
            Format::Mvtec => Box::new(formats::mvtec::MvtecWriter::new()),
            Format::LabelStudio => Box::new(formats::label_studio_writer::LabelStudioWriter::new(&options)?),
            Format::Cvat => Box::new(formats::cvat_writer::CvatWriter::new(&options)?),
            Format::GroundTruth => Box::new(formats::ground_truth::GroundTruthWriter::new(&options)?),
            Format::Vertex => Box::new(formats::vertex::VertexWriter::new(&options)?),
        };
        Ok(Writer { inner, capability: capability(format), sink, report: Report::default() })
    }

    /// Adds an item. `content` is its bytes; without them the item is only named, by its own content or file name.
    pub fn item(&mut self, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        count_losses(self.capability, item, &mut self.report);
        self.report.n_items += 1;
        self.report.n_regions += item.regions.len() as u64;
        self.inner.item(&mut Output { sink: self.sink, report: &mut self.report }, item, content)
    }

    /// Writes what stands at the end and gives the account.
    pub fn finish(mut self) -> Result<Report> {
        self.inner.finish(&mut Output { sink: self.sink, report: &mut self.report })?;
        Ok(self.report)
    }
}

/// Counts what the format has no place for at all; its writer counts the rest.
fn count_losses(holds: &Capability, item: &Item, report: &mut Report) {
    let regions = || item.regions.iter();
    let shapes = |wanted: fn(&Shape) -> bool| regions().filter(|region| wanted(&region.shape)).count();
    let losses = [
        (holds.concepts, "concepts of a whole item", item.concepts.len()),
        (holds.boxes, "boxes", shapes(|shape| matches!(shape, Shape::Box { .. }))),
        (holds.polygons, "polygons", shapes(|shape| matches!(shape, Shape::Polygon { .. }))),
        (holds.points, "points", shapes(|shape| matches!(shape, Shape::Point { .. }))),
        (
            holds.masks,
            "masks",
            shapes(|shape| matches!(shape, Shape::MaskRle { .. } | Shape::MaskPng { .. })),
        ),
        (holds.tracks, "tracks and frames", regions().filter(|region| region.track.is_some()).count()),
        (holds.spans, "spans of text", item.spans.len()),
        (holds.metadata, "metadata of items", usize::from(!item.metadata.is_empty())),
        (holds.region_metadata, "metadata of regions", regions().filter(|r| !r.metadata.is_empty()).count()),
        (holds.geo, "places", usize::from(item.geo.is_some())),
        (holds.split, "splits", usize::from(item.split.is_some())),
    ];
    for (is_held, what, n) in losses {
        if !is_held {
            report.lose_n(what, n);
        }
    }
}

/// A text file that is written while other files are: kept aside, stored at the end.
pub(crate) struct Spool {
    file: ScratchFile,
}

impl Spool {
    pub fn new(scratch: &Scratch) -> Result<Spool> {
        Ok(Spool { file: scratch.open()? })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| Error::io("temporary file", e))
    }

    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.file, value)
            .map_err(|e| Error::io("temporary file", io::Error::from(e)))
    }

    /// From its start.
    pub fn reader(&mut self) -> Result<&mut ScratchFile> {
        self.file.flush().map_err(|e| Error::io("temporary file", e))?;
        self.file.seek(SeekFrom::Start(0)).map_err(|e| Error::io("temporary file", e))?;
        Ok(&mut self.file)
    }
}
