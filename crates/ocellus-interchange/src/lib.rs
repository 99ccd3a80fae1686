//! Reads and writes collections of labelled images in the formats of the field, as streams of records.
//!
//! A collection is a set of [`Files`] (a [`Folder`], an archive, memory) and a [`Format`]. [`read`] calls a
//! function with one [`Item`] after the other; [`Writer`] takes them and writes to a [`Sink`]. Neither holds the
//! whole collection in memory, nor knows a database, the network or the time. What was left out, and why, is in a
//! [`Report`]; what a format has no place for at all is in [`CAPABILITIES`].

mod archive;
mod brush_rle;
mod capabilities;
mod detect;
mod error;
mod files;
mod formats;
mod json_elements;
mod limits;
mod lines;
mod mask;
mod media;
mod model;
mod reading;
mod report;
mod scratch;
mod tar_archive;
mod writing;
mod xml;
mod zip_archive;
mod zip_segment;

pub use archive::{ArchiveKind, ReadAt, archive_kind, open_archive};
pub use capabilities::{CAPABILITIES, Capability, capabilities_markdown, capability};
pub use detect::detect;
pub use error::{Error, Place, Result};
pub use files::{Entry, Files, Folder, FolderSink, MemoryFiles, Sink};
pub use formats::csv::{CsvColumns, CsvOptions};
pub use limits::{Limits, safe_path};
pub use mask::Bitmap;
pub use media::{is_media, is_noise};
pub use model::{
    Concept, ConceptValue, Content, Geo, Item, JsonMap, Point, Region, Shape, Span, Track, bounds, split_name,
};
pub use reading::{ReadOptions, Summary, read};
pub use report::{MAX_SKIPPED_KEPT, Report, Skipped};
pub use scratch::{Scratch, ScratchFile};
pub use tar_archive::{TarFiles, TarSink};
pub use writing::{WriteOptions, Writer};
pub use zip_archive::{ZipFiles, ZipSink};
pub use zip_segment::{Directory, Member, Segment};

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One folder per concept, optionally below one folder per split.
    Folder,
    /// COCO detection and instances.
    Coco,
    /// Pascal VOC.
    Voc,
    /// YOLO v5/v8 with `data.yaml`.
    Yolo,
    /// CSV of the vendor's SDK, or with a mapping of columns.
    Csv,
    /// Our own JSON lines.
    JsonLines,
    /// MVTec AD.
    Mvtec,
    /// Label Studio's JSON export.
    LabelStudio,
    /// CVAT for images 1.1.
    Cvat,
    /// Amazon SageMaker Ground Truth's augmented manifest.
    GroundTruth,
    /// Google Vertex AI's import lines.
    Vertex,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 11] = [
        Format::Folder,
        Format::Coco,
        Format::Voc,
        Format::Yolo,
        Format::Csv,
        Format::JsonLines,
        Format::Mvtec,
        Format::LabelStudio,
        Format::Cvat,
        Format::GroundTruth,
        Format::Vertex,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Folder => "folder",
            Format::Coco => "coco",
            Format::Voc => "voc",
            Format::Yolo => "yolo",
            Format::Csv => "csv",
            Format::JsonLines => "jsonl",
            Format::Mvtec => "mvtec",
            Format::LabelStudio => "label-studio",
            Format::Cvat => "cvat",
            Format::GroundTruth => "ground-truth",
            Format::Vertex => "vertex",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}
