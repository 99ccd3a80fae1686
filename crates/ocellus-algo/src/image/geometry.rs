//! Cutting, shrinking and encoding of decoded images.

use jpeg_encoder::{ColorType, Encoder};

use super::{CropBox, RgbImage};
use crate::error::{Error, Result};
use crate::preprocess::Filter;
use crate::resize::resize;

/// How far a fraction may lie outside 0..1 to be taken for a rounding error.
const EDGE_TOLERANCE: f32 = 1e-3;

/// Cuts a box out of an image. The edges are rounded to whole pixels; the result has at least one pixel.
///
/// # Errors
/// `BadInput` if the box is not inside the image or has no area.
pub fn crop(img: &RgbImage, b: CropBox) -> Result<RgbImage> {
    let [top, left, bottom, right] = [b.top, b.left, b.bottom, b.right];
    let inside =
        [top, left, bottom, right].iter().all(|v| (-EDGE_TOLERANCE..=1.0 + EDGE_TOLERANCE).contains(v));
    if !inside || top >= bottom || left >= right || img.is_empty() {
        return Err(Error::BadInput(format!(
            "a crop box needs 0 <= top < bottom <= 1 and 0 <= left < right <= 1, got top {top}, left {left}, bottom {bottom}, right {right}"
        )));
    }
    let (x, width) = pixel_span(left, right, img.width());
    let (y, height) = pixel_span(top, bottom, img.height());
    let stride = img.width() as usize * 3;
    let mut pixels = Vec::with_capacity(width * height * 3);
    for row in img.chunks_exact(stride).skip(y).take(height) {
        pixels.extend_from_slice(&row[x * 3..(x + width) * 3]);
    }
    Ok(RgbImage::from_raw(width as u32, height as u32, pixels).expect("the rows were cut to this width"))
}

/// First pixel and number of pixels of a fraction of an edge.
fn pixel_span(from: f32, to: f32, len: u32) -> (usize, usize) {
    let at = |fraction: f32| (f64::from(fraction.clamp(0.0, 1.0)) * f64::from(len)).round() as usize;
    let first = at(from).min(len as usize - 1);
    (first, at(to).max(first + 1) - first)
}

/// The image shrunk to fit into a square of `max_side` pixels, never enlarged.
pub fn thumbnail(img: &RgbImage, max_side: u32) -> RgbImage {
    let (width, height) = fit(img.width(), img.height(), max_side);
    if (width, height) == img.dimensions() {
        return img.clone();
    }
    resize(img, None, (width, height), Filter::Bicubic)
}

/// Size of an image shrunk to `max_side` on its longer side; each side keeps at least one pixel.
pub(crate) fn fit(width: u32, height: u32, max_side: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= max_side {
        return (width, height);
    }
    let scale = f64::from(max_side.max(1)) / f64::from(long);
    let side = |len: u32| ((f64::from(len) * scale).round() as u32).max(1);
    (side(width), side(height))
}

/// Encodes as baseline JPEG; `quality` is 1..=100 and is clamped to it.
///
/// # Errors
/// `BadInput` if the image is empty or a side is longer than the 65535 pixels JPEG can express.
pub fn encode_jpeg(img: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let side = |len: u32| u16::try_from(len).ok().filter(|&len| len > 0);
    let (Some(width), Some(height)) = (side(img.width()), side(img.height())) else {
        let (width, height) = img.dimensions();
        return Err(Error::BadInput(format!("a JPEG file cannot hold {width}×{height} pixels")));
    };
    let mut out = Vec::with_capacity(img.len() / 8);
    Encoder::new(&mut out, quality.clamp(1, 100))
        .encode(img, width, height, ColorType::Rgb)
        .map_err(|e| Error::BadInput(format!("the image cannot be encoded as JPEG: {e}")))?;
    Ok(out)
}
