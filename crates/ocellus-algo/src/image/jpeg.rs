//! JPEG decoding, straight into the final buffer.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::{DecodeLimits, Exif, RgbImage, exif};
use crate::error::{Error, Result};

/// Start of frame for progressive Huffman coding.
const SOF2: u8 = 0xc2;
const SOS: u8 = 0xda;
const EOI: [u8; 2] = [0xff, 0xd9];

pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32)> {
    let decoder = open(bytes, !Header::read(bytes).has_end)?;
    size(&decoder)
}

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<(RgbImage, Exif)> {
    let header = Header::read(bytes);
    // A decoder that forgives errors paints the missing part of a file that was cut off grey. The end marker tells
    // whether anything is missing; files without one are decoded without forgiveness.
    let mut decoder = open(bytes, !header.has_end)?;
    let (width, height) = size(&decoder)?;
    let n_pixels = u64::from(width) * u64::from(height);
    // Progressive files keep all coefficients (three components of 16 bits) until the last scan is read.
    let bytes_per_pixel = if header.progressive { 3 + 6 } else { 3 };
    limits.check_size(width, height, n_pixels * bytes_per_pixel)?;

    let exif = decoder.exif().map(|raw| exif::parse(raw)).unwrap_or_default();
    let n_bytes = decoder.output_buffer_size().unwrap_or_default();
    let mut pixels = vec![0; n_bytes];
    decoder.decode_into(&mut pixels).map_err(|e| explain(e, header.has_end))?;
    let image = RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| Error::BadInput("the JPEG file has an unknown pixel layout".into()))?;
    Ok((image, exif))
}

fn open(bytes: &[u8], strict: bool) -> Result<JpegDecoder<ZCursor<&[u8]>>> {
    let options = DecoderOptions::default()
        .set_strict_mode(strict)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| explain(e, !strict))?;
    Ok(decoder)
}

fn size(decoder: &JpegDecoder<ZCursor<&[u8]>>) -> Result<(u32, u32)> {
    let info = decoder.info().ok_or_else(|| Error::BadInput("the JPEG file has no frame header".into()))?;
    Ok((u32::from(info.width), u32::from(info.height)))
}

/// Whatever else the decoder complains of, a file without an end lacks a part.
fn explain(error: DecodeErrors, has_end: bool) -> Error {
    if let DecodeErrors::Unsupported(kind) = error {
        return Error::Unsupported(format!("this kind of JPEG is not supported: {kind:?}"));
    }
    if !has_end {
        return Error::BadInput("the JPEG file is cut off".into());
    }
    Error::BadInput(format!("the JPEG file is damaged: {error}"))
}

/// What is read from the markers before the decoder runs.
struct Header {
    progressive: bool,
    has_end: bool,
}

impl Header {
    /// Walks the segments up to the first scan. Behind it `FF D9` can only be the end marker: in compressed data every
    /// `FF` is followed by zero or a restart marker. Before it, an embedded preview has an end marker of its own.
    fn read(bytes: &[u8]) -> Header {
        let mut header = Header { progressive: false, has_end: false };
        let mut at = 2;
        while let Some(&[first, marker, hi, lo]) = bytes.get(at..at + 4) {
            // Bytes between segments are wrong but common, and every decoder skips them.
            if first != 0xff || marker == 0xff || marker == 0 {
                at += 1;
                continue;
            }
            header.progressive |= marker == SOF2;
            if marker == SOS {
                header.has_end = bytes[at..].windows(2).rev().any(|pair| pair == EOI);
                break;
            }
            at += 2 + usize::from(u16::from_be_bytes([hi, lo]));
        }
        header
    }
}
