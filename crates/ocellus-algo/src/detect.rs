//! From the numbers of a single-shot detector to boxes: which things are where, which boxes may hold any thing at all,
//! and what the network saw in a box.
//!
//! Boxes are top, left, bottom and right in fractions of the image. Suppressing doubles compares every kept box with every
//! candidate below it; the candidates are few, as those below the least score are dropped first.

pub mod learn;
mod pool;
#[cfg(test)]
mod tests;

pub use learn::DetectorHead;
pub use pool::{Cells, FeatureMap};

use crate::agreement::iou;
use crate::error::{Error, Result};

/// Boxes of one thing that overlap by more than this are the same thing.
pub const OVERLAP: f32 = 0.5;
/// Boxes that are narrower or flatter than this share of the image are dropped: a cell of the coarsest grid that matters.
pub const MIN_SIDE: f32 = 0.005;
/// Boxes below this score are dropped: about one in five of them is right.
pub const MIN_SCORE: f32 = 0.2;
/// The most boxes on one image.
pub const MAX_BOXES: usize = 100;
/// Proposals that overlap by more than this are one.
pub const PROPOSAL_OVERLAP: f32 = 0.5;
/// How many proposals there are on an image at most. On pasted things that the detector does not know, 100 hold 87 % of
/// them, 200 97 % and 300 99 %.
pub const MAX_PROPOSALS: usize = 300;

/// Something on an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// What it is, by the position of its class.
    pub class: usize,
    /// How sure it is, 0 to 1.
    pub score: f32,
    /// Top, left, bottom and right.
    pub sides: [f32; 4],
}

/// What a detector gave for one image.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// For each box a row with the probability of each class.
    pub scores: &'a [f32],
    /// How many classes there are.
    pub n_classes: usize,
    /// For each box its top, left, bottom and right; they may reach beyond the image.
    pub boxes: &'a [f32],
}

impl Raw<'_> {
    /// The rows that hold usable boxes, cut to the image, each with its number.
    fn usable(&self) -> Result<impl Iterator<Item = (usize, [f32; 4])>> {
        let (boxes, rest) = self.boxes.as_chunks::<4>();
        if !rest.is_empty() || self.n_classes == 0 || self.scores.len() != boxes.len() * self.n_classes {
            return Err(Error::BadInput(format!(
                "{} scores of {} classes do not fit {} numbers of boxes",
                self.scores.len(),
                self.n_classes,
                self.boxes.len()
            )));
        }
        Ok(boxes.iter().enumerate().filter_map(|(row, sides)| Some((row, cut(*sides)?))))
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.scores[row * self.n_classes..(row + 1) * self.n_classes]
    }
}

/// The part of a box that lies on the image; nothing if too little is left, or if a side is not a number.
pub fn cut(sides: [f32; 4]) -> Option<[f32; 4]> {
    let [top, left, bottom, right] = sides.map(|side| side.clamp(0.0, 1.0));
    let large = bottom - top >= MIN_SIDE && right - left >= MIN_SIDE;
    large.then_some([top, left, bottom, right])
}

/// The boxes that are kept, best first, when of boxes that overlap by more than `overlap` only the best stays; `max` at
/// most. Equal scores keep their order; what is no number comes last.
pub fn suppress(boxes: &[[f32; 4]], scores: &[f32], overlap: f32, max: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len().min(scores.len())).collect();
    let rank = |idx: usize| if scores[idx].is_nan() { f32::NEG_INFINITY } else { scores[idx] };
    order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)).then(a.cmp(b)));
    let mut kept: Vec<usize> = Vec::new();
    for idx in order {
        if kept.len() == max {
            break;
        }
        if kept.iter().all(|better| iou(boxes[*better], boxes[idx]) <= overlap) {
            kept.push(idx);
        }
    }
    kept
}

/// What is where on an image: for each class the boxes of at least `min_score`, doubles suppressed; the surest first, `max`
/// at most.
///
/// # Errors
/// `BadInput` if the numbers do not fit together.
pub fn detections(raw: Raw<'_>, min_score: f32, max: usize) -> Result<Vec<Detection>> {
    let mut by_class: Vec<(Vec<[f32; 4]>, Vec<f32>)> = vec![Default::default(); raw.n_classes];
    for (row, sides) in raw.usable()? {
        for (class, score) in raw.row(row).iter().enumerate().filter(|(_, score)| **score >= min_score) {
            by_class[class].0.push(sides);
            by_class[class].1.push(*score);
        }
    }
    let mut found = Vec::new();
    for (class, (boxes, scores)) in by_class.iter().enumerate() {
        let kept = suppress(boxes, scores, OVERLAP, max);
        found.extend(kept.into_iter().map(|idx| Detection { class, score: scores[idx], sides: boxes[idx] }));
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
    found.truncate(max);
    Ok(found)
}

/// Boxes that may hold something, whatever it is: ranked by the class they are likest, doubles suppressed.
///
/// # Errors
/// `BadInput` if the numbers do not fit together.
pub fn proposals(raw: Raw<'_>, max: usize) -> Result<Vec<[f32; 4]>> {
    let (mut boxes, mut scores) = (Vec::new(), Vec::new());
    for (row, sides) in raw.usable()? {
        boxes.push(sides);
        scores.push(raw.row(row).iter().copied().fold(0.0, f32::max));
    }
    Ok(suppress(&boxes, &scores, PROPOSAL_OVERLAP, max).into_iter().map(|idx| boxes[idx]).collect())
}
