//! Images as bytes and as pixels: decoding, metadata, cropping, thumbnails and JPEG encoding.
//!
//! Every image leaves `decode` as upright 8-bit RGB: EXIF orientation is applied, transparency is laid on white,
//! 16-bit, grey, palette and CMYK pixels are converted. Colour profiles are not applied.

mod exif;
mod geometry;
mod jpeg;
mod orientation;
mod raster;
mod sniff;
#[cfg(test)]
pub(crate) mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use ::image::RgbImage;
pub(crate) use geometry::fit;
pub use geometry::{crop, encode_jpeg, thumbnail};

/// What `decode` accepts; everything is checked before a pixel is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Largest file in bytes.
    pub max_bytes: usize,
    /// Largest width × height in pixels.
    pub max_pixels: u64,
    /// Most memory in bytes one decode may need, estimated from the file's header.
    pub max_alloc_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_pixels: 100_000_000, max_alloc_bytes: 512 << 20 }
    }
}

impl DecodeLimits {
    fn check_bytes(&self, len: usize) -> Result<()> {
        if len > self.max_bytes {
            return Err(Error::TooLarge(format!(
                "the file has {len} bytes, more than the limit of {}",
                self.max_bytes
            )));
        }
        Ok(())
    }

    fn check_size(&self, width: u32, height: u32, alloc_bytes: u64) -> Result<()> {
        if width == 0 || height == 0 {
            return Err(Error::BadInput(format!("the image is empty: {width}×{height} pixels")));
        }
        let n_pixels = u64::from(width) * u64::from(height);
        if n_pixels > self.max_pixels {
            return Err(Error::TooLarge(format!(
                "the image has {width}×{height} pixels, more than the limit of {} pixels",
                self.max_pixels
            )));
        }
        if alloc_bytes > self.max_alloc_bytes {
            return Err(Error::TooLarge(format!(
                "decoding this {width}×{height} image would need {alloc_bytes} bytes of memory, more than the limit of {}",
                self.max_alloc_bytes
            )));
        }
        Ok(())
    }
}

/// The image formats that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG: baseline, progressive, grey, YCbCr, CMYK and YCCK.
    Jpeg,
    /// PNG, every colour type and depth.
    Png,
    /// WebP, lossy and lossless; the first frame of an animation.
    WebP,
    /// GIF; the first frame of an animation.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF; the first page.
    Tiff,
}

impl Format {
    /// All formats, in the order of this enum.
    pub const ALL: [Format; 6] =
        [Format::Jpeg, Format::Png, Format::WebP, Format::Gif, Format::Bmp, Format::Tiff];

    /// The media type, such as `image/jpeg`.
    pub fn mime(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::WebP => "image/webp",
            Format::Gif => "image/gif",
            Format::Bmp => "image/bmp",
            Format::Tiff => "image/tiff",
        }
    }

    /// The usual file name extension without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Jpeg => "jpg",
            Format::Png => "png",
            Format::WebP => "webp",
            Format::Gif => "gif",
            Format::Bmp => "bmp",
            Format::Tiff => "tiff",
        }
    }

    /// The name people use, such as `JPEG`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
        }
    }
}

/// A decoded image, upright.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The pixels with the orientation already applied.
    pub image: RgbImage,
    /// The format the bytes were in.
    pub format: Format,
    /// What the camera wrote about the picture.
    pub exif: Exif,
}

/// The part of a picture's EXIF metadata that is kept. All fields but the orientation are absent when the file does
/// not say, or says something impossible.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exif {
    /// When the picture was taken, ISO 8601 in the camera's local time; with the UTC offset if the file has it.
    pub taken_at: Option<String>,
    /// Maker of the camera.
    pub make: Option<String>,
    /// Model of the camera.
    pub model: Option<String>,
    /// Model of the lens.
    pub lens: Option<String>,
    /// Program that wrote the file.
    pub software: Option<String>,
    /// EXIF orientation 1..=8 of the stored pixels; 0 if the file has none. `decode` has already applied it.
    pub orientation: u16,
    /// Degrees north, -90..=90.
    pub latitude: Option<f64>,
    /// Degrees east, -180..=180.
    pub longitude: Option<f64>,
    /// Metres above sea level.
    pub altitude_m: Option<f64>,
    /// Exposure time in seconds.
    pub exposure_s: Option<f64>,
    /// The f-number.
    pub f_number: Option<f64>,
    /// Sensitivity.
    pub iso: Option<u32>,
    /// Focal length in millimetres.
    pub focal_length_mm: Option<f64>,
}

/// A box inside an image in fractions of its height and width, 0..1, with `top < bottom` and `left < right`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CropBox {
    /// Upper edge as a fraction of the height.
    pub top: f32,
    /// Left edge as a fraction of the width.
    pub left: f32,
    /// Lower edge as a fraction of the height.
    pub bottom: f32,
    /// Right edge as a fraction of the width.
    pub right: f32,
}

/// Decodes an image of any supported format, whatever its file name or declared media type says.
///
/// # Errors
/// `TooLarge` when a limit is exceeded, `Unsupported` when the bytes are of a known format that is not supported (the
/// message names it), `BadInput` when the file is empty, is no image, is cut off or is damaged.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded> {
    limits.check_bytes(bytes.len())?;
    let format = sniff::format(bytes)?;
    let (mut image, exif) = guard(format, || match format {
        Format::Jpeg => jpeg::decode(bytes, limits),
        Format::Png | Format::WebP | Format::Gif | Format::Bmp | Format::Tiff => {
            raster::decode(bytes, format, limits)
        }
    })?;
    image = orientation::apply(image, exif.orientation);
    Ok(Decoded { image, format, exif })
}

/// Reads format, width and height of the stored pixels (before any EXIF rotation) from the header alone.
///
/// # Errors
/// As `decode`, without the limits.
pub fn probe(bytes: &[u8]) -> Result<(Format, u32, u32)> {
    let format = sniff::format(bytes)?;
    let (width, height) = guard(format, || match format {
        Format::Jpeg => jpeg::dimensions(bytes),
        Format::Png | Format::WebP | Format::Gif | Format::Bmp | Format::Tiff => {
            raster::dimensions(bytes, format)
        }
    })?;
    Ok((format, width, height))
}

/// Runs a decoder that was written by others on bytes that were written by anybody: a panic in there is a damaged
/// file, not the end of a worker thread.
fn guard<T>(format: Format, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(Error::BadInput(format!("the {} file is damaged", format.name()))))
}
