//! The parts of images and of the frames of videos that annotations mark: which of them are described by a vector of their own, and how the rows that
//! say so follow the annotations.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_algo::image::{self, DecodeLimits, RgbImage};
use ocellus_store as store;
use sha2::{Digest, Sha256};

use super::{Data, Frame, Region, Shape};
use crate::inputs::STATE_READY;
use crate::inputs::labels::Labeller;
use crate::jobs::describe_parts;
use crate::{CropBox, Error, MediaKind, Result};

/// A pixel of a mask counts from this brightness of its brightest channel on; pictures are not compressed exactly.
const LIT_FROM: u8 = 32;
/// How far a pixel may be from the colour of a mask, in each channel.
const SAME_COLOR: u8 = 16;

/// The vector space of the parts of the images that a space describes.
pub(crate) fn space_of_parts(space: &str) -> String {
    format!("{space}:regions")
}

/// What tells the outline of a shape from others; none for shapes without an area.
pub(crate) fn outline(shape: &Shape) -> Option<String> {
    if let Some(sides) = sides(shape) {
        let CropBox { top, left, bottom, right } = sides;
        return Some(format!("box {top} {left} {bottom} {right}"));
    }
    match shape {
        Shape::Mask { base64, color, .. } if !base64.is_empty() => {
            Some(format!("mask {}", hex::encode(Sha256::digest(format!("{color}\n{base64}")))))
        }
        Shape::Mask { .. }
        | Shape::Box(_)
        | Shape::Polygon { .. }
        | Shape::Point(_)
        | Shape::Keypoints { .. }
        | Shape::Span(_)
        | Shape::Token(_) => None,
    }
}

/// The box around a shape that is given by numbers.
fn sides(shape: &Shape) -> Option<CropBox> {
    let sides = match shape {
        Shape::Box(sides) => *sides,
        Shape::Polygon { points } => {
            let least = |of: fn(&super::Point) -> f32| points.iter().map(of).fold(1.0, f32::min);
            let most = |of: fn(&super::Point) -> f32| points.iter().map(of).fold(0.0, f32::max);
            CropBox {
                top: least(|p| p.row),
                left: least(|p| p.col),
                bottom: most(|p| p.row),
                right: most(|p| p.col),
            }
        }
        Shape::Mask { .. } | Shape::Point(_) | Shape::Keypoints { .. } | Shape::Span(_) | Shape::Token(_) => {
            return None;
        }
    };
    (sides.top < sides.bottom && sides.left < sides.right).then_some(sides)
}

/// The box around a shape; `Invalid` if it has no area. Decodes masks, so it blocks.
pub(crate) fn box_around(shape: &Shape, limits: &DecodeLimits) -> Result<CropBox> {
    if let Some(sides) = sides(shape) {
        return Ok(sides);
    }
    let empty = || Error::invalid("region_info", "covers nothing");
    let Shape::Mask { base64, color, .. } = shape else { return Err(empty()) };
    let bytes = STANDARD.decode(base64).map_err(|_| empty())?;
    let mask = image::decode(&bytes, limits)?.image;
    lit(&mask, read_color(color)).ok_or_else(empty)
}

/// `#rrggbb` as three numbers.
fn read_color(color: &str) -> Option<[u8; 3]> {
    let bytes = hex::decode(color.trim_start_matches('#')).ok()?;
    bytes.try_into().ok()
}

/// The box around the pixels that count.
fn lit(mask: &RgbImage, color: Option<[u8; 3]>) -> Option<CropBox> {
    let counts = |pixel: &[u8]| match color {
        Some(color) => pixel.iter().zip(color).all(|(a, b)| a.abs_diff(b) <= SAME_COLOR),
        None => pixel.iter().any(|channel| *channel >= LIT_FROM),
    };
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let mut found: Option<[usize; 4]> = None;
    for (at, _) in mask.chunks_exact(3).enumerate().filter(|(_, pixel)| counts(pixel)) {
        let (row, col) = (at / width, at % width);
        let [top, left, bottom, right] = found.unwrap_or([row, col, row, col]);
        found = Some([top.min(row), left.min(col), bottom.max(row), right.max(col)]);
    }
    let [top, left, bottom, right] = found?;
    let part = |n: usize, of: usize| n as f32 / of as f32;
    Some(CropBox {
        top: part(top, height),
        left: part(left, width),
        bottom: part(bottom + 1, height),
        right: part(right + 1, width),
    })
}

/// A part of an input that has an outline: a region, and for one of a video the frame that shows it.
pub(crate) struct Marked<'a> {
    pub region: &'a Region,
    pub frame: Option<&'a Frame>,
}

impl Marked<'_> {
    /// What tells it from others; none if it has no area.
    pub fn outline(&self) -> Option<String> {
        let of_shape = outline(self.region.shape.as_ref()?)?;
        Some(match self.frame {
            None => of_shape,
            Some(Frame { time_ms, number, .. }) => format!("at {time_ms} ms, {number}: {of_shape}"),
        })
    }
}

impl Data {
    /// The parts of an image, or those of the frames of a video. An id that comes again in another frame counts once.
    pub(crate) fn marked(&self, kind: MediaKind) -> Vec<Marked<'_>> {
        let of_frame = |frame| move |region| Marked { region, frame: Some(frame) };
        let all: Vec<Marked<'_>> = match kind {
            MediaKind::Image => self.regions.iter().map(|region| Marked { region, frame: None }).collect(),
            MediaKind::Video => {
                self.frames.iter().flat_map(|frame| frame.regions.iter().map(of_frame(frame))).collect()
            }
            MediaKind::Audio | MediaKind::Text => Vec::new(),
        };
        let mut ids = HashSet::new();
        all.into_iter().filter(|marked| ids.insert(marked.region.id.as_str())).collect()
    }
}

/// Makes the rows of an annotation's parts what it says, in the transaction that writes it. What is new or has another
/// outline waits for its vector, and a job for the input is added unless one is under way or the input is not ready yet;
/// then the parts are described after it.
pub(super) fn follow(tx: &store::Tx<'_>, by: &Labeller, row: &store::Annotation, data: &Data) -> Result<()> {
    let known = tx.regions_of_annotation(&row.app_uid, &row.id)?;
    if known.is_empty() && data.all_regions().next().is_none() {
        return Ok(());
    }
    let input = tx.input(&row.app_uid, &row.input_id)?;
    let kind = input.as_ref().and_then(|input| MediaKind::from_name(&input.kind));
    let marked = kind.map(|kind| data.marked(kind)).unwrap_or_default();
    let part = |marked: &Marked<'_>| {
        Some(store::AnnotationRegion {
            app_uid: row.app_uid.clone(),
            annotation_id: row.id.clone(),
            region_id: marked.region.id.clone(),
            input_id: row.input_id.clone(),
            outline: marked.outline()?,
        })
    };
    let wanted: Vec<store::AnnotationRegion> = marked.iter().filter_map(part).collect();
    let gone: Vec<store::AnnotationRegion> = known
        .iter()
        .filter(|old| !wanted.iter().any(|new| new.region_id == old.region_id))
        .cloned()
        .collect();
    tx.delete_annotation_regions(&gone)?;
    let fresh: Vec<store::AnnotationRegion> = wanted.into_iter().filter(|new| !known.contains(new)).collect();
    let Some(input) = input.filter(|_| !fresh.is_empty()) else { return Ok(()) };
    // Parts that wait already have a job, which looks for more before it ends.
    let under_way = !tx.waiting_regions(&row.app_uid, &row.input_id, 1)?.is_empty();
    tx.put_annotation_regions(&fresh)?;
    if under_way || input.state != STATE_READY {
        return Ok(());
    }
    let id = by.platform.ids().id();
    describe_parts::job(&id, &by.account_id, &row.app_uid, &row.input_id, by.now_us).insert(tx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotations::Point;

    fn at(row: f32, col: f32) -> Point {
        Point { row, col, ..Point::default() }
    }

    #[test]
    fn the_outline_of_a_polygon_is_the_box_around_it_and_lines_have_none() {
        let corners = vec![at(0.5, 0.1), at(0.2, 0.4), at(0.7, 0.3)];
        let around = CropBox { top: 0.2, left: 0.1, bottom: 0.7, right: 0.4 };
        let polygon = Shape::Polygon { points: corners };
        assert_eq!(outline(&polygon), outline(&Shape::Box(around)));
        assert_eq!(box_around(&polygon, &DecodeLimits::default()).unwrap(), around);
        let line = Shape::Polygon { points: vec![at(0.5, 0.1), at(0.5, 0.4), at(0.5, 0.3)] };
        assert_eq!(outline(&line), None);
        assert_eq!(outline(&Shape::Point(at(0.5, 0.5))), None);
    }

    #[test]
    fn the_box_around_a_mask_is_that_of_the_pixels_that_count() {
        // 4 x 2: one red pixel at row 1, column 2, one grey at row 0, column 0.
        let mut pixels = vec![0_u8; 4 * 2 * 3];
        pixels[(4 + 2) * 3] = 250;
        pixels[..3].fill(128);
        let mask = RgbImage::from_raw(4, 2, pixels).unwrap();
        let all = CropBox { top: 0.0, left: 0.0, bottom: 1.0, right: 0.75 };
        let red = CropBox { top: 0.5, left: 0.5, bottom: 1.0, right: 0.75 };
        assert_eq!(lit(&mask, None), Some(all));
        assert_eq!(lit(&mask, read_color("#ff0000")), Some(red));
        assert_eq!(lit(&mask, read_color("#00ff00")), None);
    }
}
