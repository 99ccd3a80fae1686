//! What an annotation says: concepts of the whole input, and concepts of regions, frames and stretches of time.

use serde::{Deserialize, Serialize};

use super::check::{check_regions, check_said};
use crate::{CropBox, Error, JsonMap, PatchAction, Result};

/// What an annotation says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Data {
    /// Concepts of the whole input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<Said>,
    /// Parts of the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// Frames of a video.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
    /// Stretches of time of a video or of sound.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// Words: a transcription, a caption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The user's own data.
    #[serde(skip_serializing_if = "JsonMap::is_empty")]
    pub metadata: JsonMap,
}

/// A concept that is said to be there, or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The concept; empty in a request that names it by `name` alone.
    pub concept_id: String,
    /// Its readable name, as it is now; not kept with the annotation.
    #[serde(skip)]
    pub name: String,
    /// 1 for "is one", 0 for "is none".
    pub value: f32,
}

/// A part of an image, a frame or a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Region {
    /// Unique within the annotation.
    pub id: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// What it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<Said>,
    /// How sure its maker is, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f32>,
    /// The track it belongs to, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub track_id: String,
    /// The words in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Where a region is. Lengths are fractions of the image's sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shape {
    /// A rectangle.
    Box(CropBox),
    /// An area within corners, in order.
    Polygon {
        /// At least three.
        points: Vec<Point>,
    },
    /// A place.
    Point(Point),
    /// Several places that belong together.
    Keypoints {
        /// At least one.
        points: Vec<Point>,
    },
    /// An area given by a picture of it.
    Mask {
        /// The picture's bytes in base64; empty if it has an address.
        base64: String,
        /// The picture's address; empty if its bytes are here.
        url: String,
        /// The colour of the area in the picture, as `#rrggbb`; empty if every pixel that is not black counts.
        color: String,
    },
    /// Some characters of a text.
    Span(Span),
    /// One word of a text.
    Token(Span),
}

/// A place in an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Point {
    /// From the top, 0 to 1.
    pub row: f32,
    /// From the left, 0 to 1.
    pub col: f32,
    /// Depth, in any unit.
    #[serde(skip_serializing_if = "is_zero")]
    pub z: f32,
    /// 0 not said, 1 visible, 2 hidden, 3 not in the image.
    #[serde(skip_serializing_if = "is_visible_unsaid")]
    pub visibility: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(z: &f32) -> bool {
    *z == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_visible_unsaid(visibility: &u8) -> bool {
    *visibility == 0
}

/// Some characters of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first character, counted from 0.
    pub start: u32,
    /// The character after the last.
    pub end: u32,
    /// The characters themselves.
    pub raw: String,
}

/// A frame of a video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Frame {
    /// Unique within the annotation, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its number in the video.
    pub number: u32,
    /// Its place among the frames that were looked at.
    pub index: u32,
    /// Its time in milliseconds.
    pub time_ms: u64,
    /// Concepts of the whole frame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<Said>,
    /// Parts of the frame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
}

/// A stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Segment {
    /// Unique within the annotation.
    pub id: String,
    /// Where it begins, in seconds.
    pub begin_s: f32,
    /// Where it ends, in seconds.
    pub end_s: f32,
    /// What it shows or sounds like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<Said>,
}

/// The most regions, frames and segments of one annotation.
const MAX_PARTS: usize = 1_000;

impl Data {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what makes no sense; `field` names the data in errors.
    pub fn check(&self, field: &str) -> Result<()> {
        let in_frames: usize = self.frames.iter().map(|frame| frame.regions.len()).sum();
        if self.regions.len() + self.frames.len() + self.segments.len() + in_frames > MAX_PARTS {
            return Err(Error::invalid(field, format!("must have at most {MAX_PARTS} regions and frames")));
        }
        check_said(&self.concepts, &format!("{field}.concepts"))?;
        check_regions(&self.regions, &format!("{field}.regions"))?;
        for (idx, frame) in self.frames.iter().enumerate() {
            check_said(&frame.concepts, &format!("{field}.frames[{idx}].data.concepts"))?;
            check_regions(&frame.regions, &format!("{field}.frames[{idx}].data.regions"))?;
        }
        for (idx, segment) in self.segments.iter().enumerate() {
            let field = format!("{field}.time_segments[{idx}]");
            check_said(&segment.concepts, &format!("{field}.data.concepts"))?;
            if !(segment.begin_s >= 0.0 && segment.end_s >= segment.begin_s) {
                return Err(Error::invalid(format!("{field}.time_info"), "must end after it begins"));
            }
        }
        Ok(())
    }

    /// Every concept that is spoken of, to be changed.
    pub(crate) fn each_said(&mut self, mut visit: impl FnMut(&mut Said) -> Result<()>) -> Result<()> {
        let in_regions = |regions: &mut Vec<Region>, visit: &mut dyn FnMut(&mut Said) -> Result<()>| {
            regions.iter_mut().flat_map(|region| &mut region.concepts).try_for_each(visit)
        };
        self.concepts.iter_mut().try_for_each(&mut visit)?;
        in_regions(&mut self.regions, &mut visit)?;
        for frame in &mut self.frames {
            frame.concepts.iter_mut().try_for_each(&mut visit)?;
            in_regions(&mut frame.regions, &mut visit)?;
        }
        self.segments.iter_mut().flat_map(|segment| &mut segment.concepts).try_for_each(&mut visit)
    }

    /// Every region, also those of frames.
    pub fn all_regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().chain(self.frames.iter().flat_map(|frame| &frame.regions))
    }

    /// The concepts of parts of the input.
    pub fn said_of_parts(&self) -> impl Iterator<Item = &Said> {
        let of_frames = self.frames.iter().flat_map(|frame| &frame.concepts);
        let of_segments = self.segments.iter().flat_map(|segment| &segment.concepts);
        self.all_regions().flat_map(|region| &region.concepts).chain(of_frames).chain(of_segments)
    }

    /// Gives ids to regions and segments that have none.
    pub(crate) fn name_parts(&mut self, fresh: impl Fn() -> String) {
        let of_frames = self.frames.iter_mut().flat_map(|frame| &mut frame.regions);
        for region in self.regions.iter_mut().chain(of_frames) {
            if region.id.is_empty() {
                region.id = fresh();
            }
        }
        for segment in self.segments.iter_mut().filter(|segment| segment.id.is_empty()) {
            segment.id = fresh();
        }
    }

    /// Changes it as a patch says. Things are the same by id, concepts by concept, frames by number.
    pub(crate) fn patch(&mut self, patch: Data, action: PatchAction) {
        change(&mut self.concepts, patch.concepts, action);
        change(&mut self.regions, patch.regions, action);
        change(&mut self.frames, patch.frames, action);
        change(&mut self.segments, patch.segments, action);
        match (action, patch.text) {
            (PatchAction::Merge | PatchAction::Overwrite, Some(text)) => self.text = Some(text),
            (PatchAction::Remove, Some(_)) => self.text = None,
            (_, None) => {}
        }
        if !patch.metadata.is_empty() {
            action.apply(&mut self.metadata, &patch.metadata);
        }
    }
}

/// Something that a patch finds again. What a patch names without an id is the same as what says the same.
pub(super) trait Part: Clone + PartialEq {
    fn same(&self, other: &Self) -> bool;
    fn merge(&mut self, other: Self);
    /// Whether it is told by an id, or a place of its own.
    fn is_named(&self) -> bool {
        true
    }
    /// Says what the other says, as the thing it is.
    fn replace(&mut self, other: Self);
}

/// An empty list in a patch changes nothing.
fn change<P: Part>(list: &mut Vec<P>, given: Vec<P>, action: PatchAction) {
    match action {
        PatchAction::Overwrite if !given.is_empty() => *list = given,
        PatchAction::Overwrite => {}
        PatchAction::Remove => list.retain(|part| !given.iter().any(|gone| gone.same(part))),
        PatchAction::Merge => {
            for new in given {
                match list.iter_mut().find(|part| part.same(&new)) {
                    Some(old) => old.merge(new),
                    None => list.push(new),
                }
            }
        }
    }
}

impl Part for Said {
    fn same(&self, other: &Self) -> bool {
        self.concept_id == other.concept_id
    }

    fn merge(&mut self, other: Self) {
        self.value = other.value;
    }

    fn replace(&mut self, other: Self) {
        self.value = other.value;
    }
}

impl Part for Region {
    fn same(&self, other: &Self) -> bool {
        match self.id.is_empty() || other.id.is_empty() {
            false => self.id == other.id,
            true => *self == Self { id: self.id.clone(), ..other.clone() },
        }
    }

    fn is_named(&self) -> bool {
        !self.id.is_empty()
    }

    fn replace(&mut self, other: Self) {
        *self = Self { id: std::mem::take(&mut self.id), ..other };
    }

    fn merge(&mut self, other: Self) {
        change(&mut self.concepts, other.concepts, PatchAction::Merge);
        self.shape = other.shape.or(self.shape.take());
        self.value = other.value.or(self.value);
        self.text = other.text.or(self.text.take());
        if !other.track_id.is_empty() {
            self.track_id = other.track_id;
        }
    }
}

impl Part for Frame {
    fn same(&self, other: &Self) -> bool {
        match (self.id.is_empty(), other.id.is_empty()) {
            (false, false) => self.id == other.id,
            (_, _) => (self.number, self.time_ms) == (other.number, other.time_ms),
        }
    }

    fn merge(&mut self, other: Self) {
        change(&mut self.concepts, other.concepts, PatchAction::Merge);
        change(&mut self.regions, other.regions, PatchAction::Merge);
    }

    fn replace(&mut self, other: Self) {
        (self.concepts, self.regions) = (other.concepts, other.regions);
    }
}

impl Part for Segment {
    fn same(&self, other: &Self) -> bool {
        match self.id.is_empty() || other.id.is_empty() {
            false => self.id == other.id,
            true => *self == Self { id: self.id.clone(), ..other.clone() },
        }
    }

    fn is_named(&self) -> bool {
        !self.id.is_empty()
    }

    fn replace(&mut self, other: Self) {
        *self = Self { id: std::mem::take(&mut self.id), ..other };
    }

    fn merge(&mut self, other: Self) {
        change(&mut self.concepts, other.concepts, PatchAction::Merge);
        (self.begin_s, self.end_s) = (other.begin_s, other.end_s);
    }
}

impl Shape {
    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Box(_) => "box",
            Self::Polygon { .. } => "polygon",
            Self::Point(_) => "point",
            Self::Keypoints { .. } => "keypoints",
            Self::Mask { .. } => "mask",
            Self::Span(_) => "span",
            Self::Token(_) => "token",
        }
    }
}
