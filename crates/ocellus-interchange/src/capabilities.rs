//! What each format can hold. The documentation's table is made from this, and a test compares it with the writers.

use crate::Format;

/// One row of the table: `true` = a round trip keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Capability {
    /// The format.
    pub format: Format,
    /// Ids of items.
    pub ids: bool,
    /// Concepts of the whole item.
    pub concepts: bool,
    /// Several concepts on one thing.
    pub several: bool,
    /// Negative concepts and probabilities.
    pub values: bool,
    /// Upright boxes.
    pub boxes: bool,
    /// Polygons.
    pub polygons: bool,
    /// Points.
    pub points: bool,
    /// Masks.
    pub masks: bool,
    /// Frames and tracks of a video.
    pub tracks: bool,
    /// Spans of text.
    pub spans: bool,
    /// Metadata of an item.
    pub metadata: bool,
    /// Metadata of a region.
    pub region_metadata: bool,
    /// A place on the earth.
    pub geo: bool,
    /// Splits.
    pub split: bool,
    /// What a writer cannot hold beyond the columns, and how it is written instead.
    pub notes: &'static str,
}

const NOTHING: Capability = Capability {
    format: Format::Folder,
    ids: false,
    concepts: false,
    several: false,
    values: false,
    boxes: false,
    polygons: false,
    points: false,
    masks: false,
    tracks: false,
    spans: false,
    metadata: false,
    region_metadata: false,
    geo: false,
    split: false,
    notes: "",
};

/// The table.
pub const CAPABILITIES: [Capability; 11] = [
    Capability {
        format: Format::Folder,
        concepts: true,
        split: true,
        notes: "One concept per item, the folder's name; `/` in it becomes `_`. An item without its bytes is left out. \
                Items without a concept stand in the folder itself (of their split).",
        ..NOTHING
    },
    Capability {
        format: Format::Coco,
        ids: true,
        boxes: true,
        polygons: true,
        masks: true,
        region_metadata: true,
        split: true,
        notes: "Ids of items are kept if they are whole numbers. A region has one concept; regions without one and \
                items without known width and height are left out. Metadata of a region is written as `attributes`, \
                which pycocotools ignores. One annotation file per split.",
        ..NOTHING
    },
    Capability {
        format: Format::Voc,
        boxes: true,
        region_metadata: true,
        split: true,
        notes: "Corners are rounded to whole pixels, counted from 1, right and bottom inclusive, as in the \
                development kit. Of a region's metadata: pose, truncated, difficult, occluded. A region has one \
                concept; items without known width and height are left out.",
        ..NOTHING
    },
    Capability {
        format: Format::Yolo,
        boxes: true,
        polygons: true,
        split: true,
        notes: "A region has one concept. A polygon of several outlines becomes several regions. Items without a \
                split, or with another than train, val and test, go to `train`.",
        ..NOTHING
    },
    Capability {
        format: Format::Csv,
        ids: true,
        concepts: true,
        several: true,
        metadata: true,
        geo: true,
        notes: "The layout of the vendor's Python SDK: concepts are names, so ids, negatives and names with a comma \
                are dropped.",
        ..NOTHING
    },
    Capability {
        format: Format::JsonLines,
        ids: true,
        concepts: true,
        several: true,
        values: true,
        boxes: true,
        polygons: true,
        points: true,
        masks: true,
        tracks: true,
        spans: true,
        metadata: true,
        region_metadata: true,
        geo: true,
        split: true,
        notes: "Our own format; everything, bit for bit.",
    },
    Capability {
        format: Format::Mvtec,
        concepts: true,
        masks: true,
        split: true,
        notes: "One concept per item (`good` or a defect) and one mask of the same concept; several masks are \
                united. Splits are `train` and `test`; anything else becomes `test`. An item without its bytes is \
                left out.",
        ..NOTHING
    },
    Capability {
        format: Format::LabelStudio,
        ids: true,
        concepts: true,
        several: true,
        boxes: true,
        polygons: true,
        points: true,
        masks: true,
        tracks: true,
        spans: true,
        metadata: true,
        notes: "Concepts are names. Ids of items are kept if they are whole numbers. Polygons have one outline; \
                further ones become regions of their own. Masks and shapes of items without known width and height \
                are left out.",
        ..NOTHING
    },
    Capability {
        format: Format::Cvat,
        ids: true,
        concepts: true,
        several: true,
        boxes: true,
        polygons: true,
        points: true,
        masks: true,
        region_metadata: true,
        split: true,
        notes: "CVAT for images 1.1: pictures only. Concepts of a whole item are tags. A region has one concept. Ids \
                are kept if they are whole numbers. Coordinates have two decimals of a pixel. Values of metadata \
                become texts.",
        ..NOTHING
    },
    Capability {
        format: Format::GroundTruth,
        concepts: true,
        several: true,
        boxes: true,
        notes: "Amazon's augmented manifest. Boxes are rounded to whole pixels; a region has one concept. Items \
                with boxes but without known width and height lose the boxes.",
        ..NOTHING
    },
    Capability {
        format: Format::Vertex,
        concepts: true,
        several: true,
        boxes: true,
        spans: true,
        split: true,
        notes: "Google's import lines. A region or span has one concept.",
        ..NOTHING
    },
];

/// The row of a format.
pub fn capability(format: Format) -> &'static Capability {
    CAPABILITIES.iter().find(|row| row.format == format).unwrap_or(&CAPABILITIES[0])
}

/// The table as Markdown.
pub fn capabilities_markdown() -> String {
    let heads = [
        "ids",
        "concepts",
        "several",
        "values",
        "boxes",
        "polygons",
        "points",
        "masks",
        "tracks",
        "spans",
        "metadata",
        "region metadata",
        "geo",
        "split",
    ];
    let mut text =
        format!("| format | {} | notes |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len() + 2));
    for row in &CAPABILITIES {
        let cells = [
            row.ids,
            row.concepts,
            row.several,
            row.values,
            row.boxes,
            row.polygons,
            row.points,
            row.masks,
            row.tracks,
            row.spans,
            row.metadata,
            row.region_metadata,
            row.geo,
            row.split,
        ];
        let cells: Vec<&str> = cells.iter().map(|held| if *held { "yes" } else { "–" }).collect();
        text.push_str(&format!("| {} | {} | {} |\n", row.format.name(), cells.join(" | "), row.notes));
    }
    text
}
