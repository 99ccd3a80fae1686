//! The common model of every format: items with concepts, regions, spans, metadata and a place.

use serde::{Deserialize, Serialize};

/// A free-form JSON object.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;

/// A class of the collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concept {
    /// Id inside the collection. Formats that only know names use the name.
    pub id: String,
    /// Name for people.
    pub name: String,
}

impl Concept {
    /// A concept of a format that knows only names.
    pub fn named(name: &str) -> Concept {
        Concept { id: name.to_owned(), name: name.to_owned() }
    }
}

/// A concept on an item, a region or a span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConceptValue {
    /// Id of the concept.
    pub id: String,
    /// Its name.
    pub name: String,
    /// 1 = it is, 0 = it is not, between = a probability.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub value: f32,
}

impl ConceptValue {
    /// A sure, positive concept of a format that knows only names.
    pub fn positive(name: &str) -> ConceptValue {
        ConceptValue { id: name.to_owned(), name: name.to_owned(), value: 1.0 }
    }

    /// Whether it is more likely than not.
    pub fn is_positive(&self) -> bool {
        self.value >= 0.5
    }
}

fn one() -> f32 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(value: &f32) -> bool {
    *value == 1.0
}

/// A point as fractions of the image's width and height, 0..=1 from the top left. In JSON: `[x, y]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Point {
    /// Fraction of the width.
    pub x: f64,
    /// Fraction of the height.
    pub y: f64,
}

impl From<[f64; 2]> for Point {
    fn from([x, y]: [f64; 2]) -> Point {
        Point { x, y }
    }
}

impl From<Point> for [f64; 2] {
    fn from(point: Point) -> [f64; 2] {
        [point.x, point.y]
    }
}

/// Where a region is. All coordinates are fractions of the image's sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case")]
pub enum Shape {
    /// An upright rectangle.
    Box {
        /// Left edge.
        left: f64,
        /// Top edge.
        top: f64,
        /// Right edge.
        right: f64,
        /// Bottom edge.
        bottom: f64,
    },
    /// One object of one or more separate outlines.
    Polygon {
        /// Outlines, each of at least three points, not closed by a repeated one.
        rings: Vec<Vec<Point>>,
    },
    /// One point.
    Point {
        /// Fraction of the width.
        x: f64,
        /// Fraction of the height.
        y: f64,
    },
    /// Pixels of the object in a grid over the whole image.
    MaskRle {
        /// Columns of the grid.
        width: u32,
        /// Rows of the grid.
        height: u32,
        /// Lengths of runs, row by row, in turn outside and inside, the first one outside (0 if the first
        /// pixel is inside). They add up to `width * height`.
        runs: Vec<u32>,
    },
    /// The same as a greyscale PNG over the whole image: not 0 = inside. In JSON: base64.
    MaskPng {
        /// The file's bytes.
        #[serde(with = "png_base64")]
        png: Vec<u8>,
    },
}

mod png_base64 {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Which object of a video a region shows, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Id of the object in the item; empty for a region of a frame that belongs to no track.
    pub id: String,
    /// Number of the frame, from 0.
    pub frame: u64,
}

/// A part of an image or of a video's frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Id of the region, where the format has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it is.
    #[serde(flatten)]
    pub shape: Shape,
    /// What it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<ConceptValue>,
    /// Frame and object, in a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<Track>,
    /// Attributes.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub metadata: JsonMap,
}

impl Region {
    /// A region of one shape and one concept, without anything else.
    pub fn new(shape: Shape, concepts: Vec<ConceptValue>) -> Region {
        Region { id: None, shape, concepts, track: None, metadata: JsonMap::new() }
    }
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Id of the span, where the format has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// First character, from 0.
    pub start: u64,
    /// The character after the last one.
    pub end: u64,
    /// What it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<ConceptValue>,
}

/// Where an item's bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The collection names the item, but does not hold it.
    #[default]
    Absent,
    /// A path of the collection's [`crate::Files`].
    File(String),
    /// To be fetched.
    Url(String),
    /// The text itself.
    Text(String),
}

/// A place on the earth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geo {
    /// Degrees east, -180..=180.
    pub longitude: f64,
    /// Degrees north, -90..=90.
    pub latitude: f64,
}

/// One picture, video or text of a collection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Id, unique in the collection. Formats without ids: the path without its extension, `/` as `-`.
    pub id: String,
    /// File name for people and for exports; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file_name: String,
    /// The bytes.
    #[serde(default, skip_serializing_if = "is_absent")]
    pub content: Content,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Concepts of the whole item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<ConceptValue>,
    /// Parts of a picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// Parts of a text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub metadata: JsonMap,
    /// Where it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<Geo>,
    /// `train`, `val`, `test` or another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
}

fn is_absent(content: &Content) -> bool {
    *content == Content::Absent
}

impl Item {
    /// Width and height in pixels, if both are known and not 0.
    pub fn size(&self) -> Option<(f64, f64)> {
        match (self.width, self.height) {
            (Some(width), Some(height)) if width > 0 && height > 0 => {
                Some((f64::from(width), f64::from(height)))
            }
            _ => None,
        }
    }
}

/// The box around a shape, as left, top, right, bottom; `None` for masks and shapes without a point.
pub fn bounds(shape: &Shape) -> Option<[f64; 4]> {
    match shape {
        Shape::Box { left, top, right, bottom } => Some([*left, *top, *right, *bottom]),
        Shape::Point { x, y } => Some([*x, *y, *x, *y]),
        Shape::Polygon { rings } => {
            let mut points = rings.iter().flatten();
            let first = points.next()?;
            Some(points.fold([first.x, first.y, first.x, first.y], |b, p| {
                [b[0].min(p.x), b[1].min(p.y), b[2].max(p.x), b[3].max(p.y)]
            }))
        }
        Shape::MaskRle { .. } | Shape::MaskPng { .. } => None,
    }
}

/// The same name for the same split, whatever a format calls it: `train`, `val`, `test`, or as it stands.
pub fn split_name(word: &str) -> String {
    match word.to_ascii_lowercase().as_str() {
        "train" | "training" => "train".to_owned(),
        "val" | "valid" | "validation" => "val".to_owned(),
        "test" | "testing" => "test".to_owned(),
        _ => word.to_owned(),
    }
}

/// Whether a directory's name is one of the usual names of splits.
pub(crate) fn is_split_word(word: &str) -> bool {
    matches!(split_name(word).as_str(), "train" | "val" | "test")
}
