//! Decoding of every format but JPEG, through the `image` crate.

use std::error::Error as _;
use std::io::{Cursor, ErrorKind};

use ::image::error::{ImageError, LimitErrorKind};
use ::image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbaImage};

use super::{DecodeLimits, Exif, Format, RgbImage, exif};
use crate::error::{Error, Result};

pub(super) fn dimensions(bytes: &[u8], format: Format) -> Result<(u32, u32)> {
    open(bytes, format).into_dimensions().map_err(|e| explain(&e, format, bytes))
}

pub(super) fn decode(bytes: &[u8], format: Format, limits: &DecodeLimits) -> Result<(RgbImage, Exif)> {
    let mut decoder = open(bytes, format).into_decoder().map_err(|e| explain(&e, format, bytes))?;
    let (width, height) = decoder.dimensions();
    let n_pixels = u64::from(width) * u64::from(height);
    let is_rgb = decoder.color_type() == ColorType::Rgb8;
    let converted = if is_rgb { 0 } else { n_pixels.saturating_mul(3) };
    limits.check_size(width, height, decoder.total_bytes().saturating_add(converted))?;
    let mut inner = Limits::default();
    inner.max_alloc = Some(limits.max_alloc_bytes);
    decoder.set_limits(inner).map_err(|e| explain(&e, format, bytes))?;

    let exif = match format {
        // A TIFF file is an EXIF block itself.
        Format::Tiff => exif::parse(bytes),
        Format::Jpeg | Format::Png | Format::WebP | Format::Gif | Format::Bmp => {
            decoder.exif_metadata().ok().flatten().map(|raw| exif::parse(&raw)).unwrap_or_default()
        }
    };
    let image = DynamicImage::from_decoder(decoder).map_err(|e| explain(&e, format, bytes))?;
    Ok((to_rgb(image), exif))
}

fn open(bytes: &[u8], format: Format) -> ImageReader<Cursor<&[u8]>> {
    let format = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        Format::Bmp => ImageFormat::Bmp,
        Format::Tiff => ImageFormat::Tiff,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // Our own check runs between the header and the pixels and says more than the reader's.
    reader.no_limits();
    reader
}

fn to_rgb(image: DynamicImage) -> RgbImage {
    if image.color().has_alpha() { on_white(&image.into_rgba8()) } else { image.into_rgb8() }
}

/// Lays a transparent image on white, the colour of the page it was drawn for.
fn on_white(image: &RgbaImage) -> RgbImage {
    let mut out = RgbImage::new(image.width(), image.height());
    for (dst, src) in out.chunks_exact_mut(3).zip(image.chunks_exact(4)) {
        let alpha = u16::from(src[3]);
        for (dst, &src) in dst.iter_mut().zip(src) {
            let sum = u16::from(src) * alpha + 255 * (255 - alpha);
            *dst = ((sum + 127) / 255) as u8;
        }
    }
    out
}

fn explain(error: &ImageError, format: Format, bytes: &[u8]) -> Error {
    let name = format.name();
    if let ImageError::Limits(e) = error {
        let what = if e.kind() == LimitErrorKind::DimensionError {
            "has too many pixels"
        } else {
            "needs too much memory"
        };
        return Error::TooLarge(format!("the {name} image {what}"));
    }
    if let ImageError::Unsupported(e) = error {
        return Error::Unsupported(format!("this kind of {name} is not supported: {e}"));
    }
    if is_cut_off(error) || is_shorter_than_it_says(bytes) {
        return Error::BadInput(format!("the {name} file is cut off"));
    }
    Error::BadInput(format!("the {name} file is damaged: {error}"))
}

/// Whether the file ended too early; decoders say so with an I/O error somewhere down the chain, or only in words.
fn is_cut_off(error: &ImageError) -> bool {
    if let ImageError::IoError(io) = error
        && io.kind() == ErrorKind::UnexpectedEof
    {
        return true;
    }
    let mut source = error.source();
    while let Some(e) = source {
        if e.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::UnexpectedEof) {
            return true;
        }
        source = e.source();
    }
    let text = error.to_string().to_ascii_lowercase();
    ["unexpected eof", "unexpected end", "truncated", "failed to fill whole buffer", "no frame"]
        .iter()
        .any(|part| text.contains(part))
}

/// A WebP file says how long it is in front, and its decoder calls missing bytes corrupt ones.
fn is_shorter_than_it_says(bytes: &[u8]) -> bool {
    match bytes.get(4..8).and_then(|len| len.first_chunk::<4>()) {
        Some(len) if bytes.starts_with(b"RIFF") => {
            (bytes.len() as u64) < u64::from(u32::from_le_bytes(*len)) + 8
        }
        _ => false,
    }
}
