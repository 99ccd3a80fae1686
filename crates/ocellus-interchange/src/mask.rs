//! Masks: a bitmap and its run lengths, row by row (ours, CVAT) or column by column (COCO), and PNG.

use image::{GrayImage, ImageFormat, Luma};

use crate::model::Shape;

/// Masks larger than this are refused: 100 million pixels.
const MAX_PIXELS: u64 = 100_000_000;

/// A mask unpacked, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height` pixels.
    pub inside: Vec<bool>,
}

fn n_pixels(width: u32, height: u32) -> Result<usize, String> {
    let n = u64::from(width) * u64::from(height);
    if n > MAX_PIXELS {
        return Err(format!("the mask of {width} x {height} pixels is too large"));
    }
    usize::try_from(n).map_err(|_| "the mask is too large".to_owned())
}

/// Run lengths of pixels in any order, the first run outside.
pub(crate) fn runs_of(pixels: impl Iterator<Item = bool>) -> Vec<u32> {
    let mut runs = vec![0u32];
    let mut now = false;
    for pixel in pixels {
        if pixel != now {
            runs.push(0);
            now = pixel;
        }
        if let Some(last) = runs.last_mut() {
            *last += 1;
        }
    }
    runs
}

fn unroll(runs: &[u32], n: usize) -> Result<Vec<bool>, String> {
    if runs.iter().map(|run| u64::from(*run)).sum::<u64>() != n as u64 {
        return Err(format!("the runs of the mask do not add up to its {n} pixels"));
    }
    let mut pixels = Vec::with_capacity(n);
    for (i, run) in runs.iter().enumerate() {
        pixels.resize(pixels.len() + *run as usize, i % 2 == 1);
    }
    Ok(pixels)
}

impl Bitmap {
    /// From runs row by row; fails if they do not add up.
    pub fn from_rows(width: u32, height: u32, runs: &[u32]) -> Result<Bitmap, String> {
        let inside = unroll(runs, n_pixels(width, height)?)?;
        Ok(Bitmap { width, height, inside })
    }

    /// From runs column by column, as COCO has them.
    pub fn from_columns(width: u32, height: u32, runs: &[u32]) -> Result<Bitmap, String> {
        let columns = unroll(runs, n_pixels(width, height)?)?;
        let (w, h) = (width as usize, height as usize);
        let inside = (0..w * h).map(|i| columns[(i % w) * h + i / w]).collect();
        Ok(Bitmap { width, height, inside })
    }

    /// From a PNG: every pixel that is not black (or, in a picture with alpha, not transparent) is inside.
    pub fn from_png(png: &[u8]) -> Result<Bitmap, String> {
        let mut reader = image::ImageReader::with_format(std::io::Cursor::new(png), ImageFormat::Png);
        let mut limits = image::Limits::default();
        limits.max_alloc = Some(MAX_PIXELS * 8);
        reader.limits(limits);
        let picture = reader.decode().map_err(|e| format!("the mask is no readable PNG: {e}"))?;
        n_pixels(picture.width(), picture.height())?;
        let grey = picture.to_luma_alpha16();
        let inside = grey.pixels().map(|pixel| pixel.0[0] > 0 && pixel.0[1] > 0).collect();
        Ok(Bitmap { width: grey.width(), height: grey.height(), inside })
    }

    /// Of a shape that is a mask; `None` for the other shapes.
    pub fn of(shape: &Shape) -> Option<Result<Bitmap, String>> {
        match shape {
            Shape::MaskRle { width, height, runs } => Some(Bitmap::from_rows(*width, *height, runs)),
            Shape::MaskPng { png } => Some(Bitmap::from_png(png)),
            Shape::Box { .. } | Shape::Polygon { .. } | Shape::Point { .. } => None,
        }
    }

    /// Runs row by row.
    pub fn rows(&self) -> Vec<u32> {
        runs_of(self.inside.iter().copied())
    }

    /// Runs column by column.
    pub fn columns(&self) -> Vec<u32> {
        let (w, h) = (self.width as usize, self.height as usize);
        runs_of((0..w * h).map(|i| self.inside[(i % h) * w + i / h]))
    }

    /// As a shape.
    pub fn into_shape(self) -> Shape {
        Shape::MaskRle { width: self.width, height: self.height, runs: self.rows() }
    }

    /// As a PNG of 0 and 255.
    pub fn to_png(&self) -> Result<Vec<u8>, String> {
        let picture = GrayImage::from_fn(self.width, self.height, |x, y| {
            Luma([if self.inside[y as usize * self.width as usize + x as usize] { 255 } else { 0 }])
        });
        let mut png = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).map_err(|e| e.to_string())?;
        Ok(png.into_inner())
    }

    /// Number of pixels inside.
    pub fn area(&self) -> usize {
        self.inside.iter().filter(|pixel| **pixel).count()
    }

    /// Left, top, right, bottom of the pixels inside, right and bottom past the last one; `None` if empty.
    pub fn bounds(&self) -> Option<[u32; 4]> {
        let mut found: Option<[u32; 4]> = None;
        for (y, row) in (0u32..).zip(self.inside.chunks_exact(self.width.max(1) as usize)) {
            let Some(first) = row.iter().position(|pixel| *pixel) else { continue };
            let last = row.iter().rposition(|pixel| *pixel).unwrap_or(first);
            let [left, top, right, _] = found.unwrap_or([u32::MAX, y, 0, 0]);
            found = Some([left.min(first as u32), top, right.max(last as u32 + 1), y + 1]);
        }
        found
    }
}

/// COCO's text form of run lengths: differences to the run before last, in groups of five bits.
pub(crate) fn coco_text(runs: &[u32]) -> String {
    let mut text = String::new();
    for (i, run) in runs.iter().enumerate() {
        let mut x = i64::from(*run);
        if i > 2 {
            x -= i64::from(runs[i - 2]);
        }
        loop {
            let mut group = (x & 0x1f) as u8;
            x >>= 5;
            let more = if group & 0x10 != 0 { x != -1 } else { x != 0 };
            if more {
                group |= 0x20;
            }
            text.push(char::from(group + 48));
            if !more {
                break;
            }
        }
    }
    text
}

/// Reads [`coco_text`].
pub(crate) fn coco_runs(text: &str) -> Result<Vec<u32>, String> {
    let mut runs: Vec<u32> = Vec::new();
    let mut bytes = text.bytes();
    while let Some(mut byte) = bytes.next() {
        let (mut x, mut shift) = (0i64, 0);
        loop {
            let group = i64::from(byte) - 48;
            if !(0..64).contains(&group) || shift > 40 {
                return Err("the text of the mask's runs is damaged".to_owned());
            }
            x |= (group & 0x1f) << shift;
            shift += 5;
            if group & 0x20 == 0 {
                if group & 0x10 != 0 {
                    x |= -1 << shift;
                }
                break;
            }
            byte = bytes.next().ok_or("the text of the mask's runs is cut off")?;
        }
        if runs.len() > 2 {
            x += i64::from(runs[runs.len() - 2]);
        }
        runs.push(u32::try_from(x).map_err(|_| "a run of the mask is negative or too long")?);
    }
    Ok(runs)
}
