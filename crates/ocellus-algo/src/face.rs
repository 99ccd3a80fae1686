//! Faces: from the numbers of the YuNet detector to boxes with five landmarks, and from landmarks to a picture in which
//! every face stands alike.
//!
//! Source: Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 20, 2023, for
//! the grid of places and how a place tells its box; Umeyama, "Least-squares estimation of transformation parameters
//! between two point patterns", IEEE TPAMI 13(4), 1991, for the alignment, which has a closed form in the plane.

mod align;
#[cfg(test)]
mod tests;

pub use align::{ARCFACE, CHIP, Similarity, aligned};

use crate::detect::suppress;
use crate::error::{Error, Result};
use crate::nn::Tensor;

/// Faces that overlap by more than this are one. From OpenCV's sample for the network.
pub const OVERLAP: f32 = 0.3;
/// Places below this score hold no face. On group photographs the lowest true face has 0.7.
pub const MIN_SCORE: f32 = 0.6;
/// The most faces on one image.
pub const MAX_FACES: usize = 200;
/// Pixels between neighbouring places of the network's three grids.
const STRIDES: [usize; 3] = [8, 16, 32];

/// A face, in fractions of the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// How sure it is, 0 to 1.
    pub score: f32,
    /// Top, left, bottom and right; may reach beyond the image.
    pub sides: [f32; 4],
    /// Right and left eye, tip of the nose, right and left corner of the mouth, as seen by the person: across, down.
    pub landmarks: [[f32; 2]; 5],
}

/// Where the image lies on the square that the network saw, in fractions of the square: top, left, height, width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Upper edge.
    pub top: f32,
    /// Left edge.
    pub left: f32,
    /// Height.
    pub height: f32,
    /// Width.
    pub width: f32,
}

impl Frame {
    fn point(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [(x - self.left) / self.width, (y - self.top) / self.height]
    }
}

/// Reads the twelve outputs of the network (class, object, box and landmarks at three grids) for a square of `side` pixels:
/// the faces of at least `min_score`, surest first, doubles suppressed.
///
/// # Errors
/// `BadInput` if the outputs are not those of the network at that size.
pub fn decode(outputs: &[Tensor], side: usize, frame: Frame, min_score: f32) -> Result<Vec<Face>> {
    let wrong = || Error::BadInput("these are not the outputs of the face detector".to_owned());
    let mut faces = Vec::new();
    for (grid, stride) in STRIDES.into_iter().enumerate() {
        let n_across = side / stride;
        let part = |kind: usize, width: usize| {
            let values = outputs.get(kind * STRIDES.len() + grid).map(|tensor| tensor.data.as_slice());
            values.filter(|values| values.len() == n_across * n_across * width).ok_or_else(wrong)
        };
        let (classes, objects) = (part(0, 1)?, part(1, 1)?);
        let (boxes, points) = (part(2, 4)?.as_chunks::<4>().0, part(3, 10)?.as_chunks::<10>().0);
        for (place, (class, object)) in classes.iter().zip(objects).enumerate() {
            let score = (class.clamp(0.0, 1.0) * object.clamp(0.0, 1.0)).sqrt();
            if score >= min_score {
                let corner = [(place % n_across) as f32, (place / n_across) as f32];
                let scale = stride as f32 / side as f32;
                faces.push(face(score, (corner, scale), &boxes[place], &points[place], &frame));
            }
        }
    }
    let boxes: Vec<[f32; 4]> = faces.iter().map(|face| face.sides).collect();
    let scores: Vec<f32> = faces.iter().map(|face| face.score).collect();
    Ok(suppress(&boxes, &scores, OVERLAP, MAX_FACES).into_iter().map(|idx| faces[idx]).collect())
}

/// The face of one place; `scale` is the distance of two places in fractions of the square.
fn face(
    score: f32,
    (corner, scale): ([f32; 2], f32),
    sides: &[f32; 4],
    points: &[f32; 10],
    frame: &Frame,
) -> Face {
    let at = |x: f32, y: f32| frame.point([(corner[0] + x) * scale, (corner[1] + y) * scale]);
    let [x, y, width, height] = *sides;
    let (width, height) = (width.exp() / 2.0, height.exp() / 2.0);
    let [left, top] = at(x - width, y - height);
    let [right, bottom] = at(x + width, y + height);
    let landmarks = std::array::from_fn(|n| at(points[2 * n], points[2 * n + 1]));
    Face { score, sides: [top, left, bottom, right], landmarks }
}
