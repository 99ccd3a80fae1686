//! Tells what a file is from its first bytes, and says so in words when it is not a supported image.

use super::Format;
use crate::error::{Error, Result};

/// Formats people do send, with the way to recognise them: bytes expected at an offset.
const KNOWN_BUT_UNSUPPORTED: &[(usize, &[u8], &str)] = &[
    (0, b"%PDF", "a PDF document"),
    (0, b"8BPS", "a Photoshop document"),
    (0, &[0xff, 0x0a], "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    (0, &[0xff, 0x4f, 0xff, 0x51], "a JPEG 2000 image"),
    (0, &[0, 0, 1, 0], "a Windows icon"),
    (0, b"II\x2b\0", "a BigTIFF image"),
    (0, b"MM\0\x2b", "a BigTIFF image"),
    (0, b"DDS ", "a DirectDraw surface"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"qoif", "a QOI image"),
    (0, b"FUJIFILMCCD-RAW", "a Fujifilm raw photo"),
    (0, &[0x1a, 0x45, 0xdf, 0xa3], "a Matroska or WebM video"),
    (8, b"AVI ", "an AVI video"),
    (8, b"WAVE", "a WAVE sound"),
    (0, b"FLV\x01", "a Flash video"),
    (0, &[0, 0, 1, 0xba], "an MPEG video"),
    (0, b"OggS", "an Ogg file"),
    (0, b"ID3", "an MP3 sound"),
    (0, b"fLaC", "a FLAC sound"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, &[0x1f, 0x8b], "a gzip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"\x7fELF", "a program"),
];

/// Brands of the ISO base media container ("ftyp" at offset 4), by their first letters.
const BRANDS: &[(&[u8], &str)] = &[
    (b"avif", "an AVIF image"),
    (b"avis", "an AVIF image sequence"),
    (b"heic", "a HEIC image"),
    (b"heix", "a HEIC image"),
    (b"heim", "a HEIC image"),
    (b"heis", "a HEIC image"),
    (b"hevc", "a HEIC image sequence"),
    (b"hevx", "a HEIC image sequence"),
    (b"mif1", "a HEIF image"),
    (b"msf1", "a HEIF image sequence"),
    (b"crx ", "a Canon raw photo"),
    (b"qt  ", "a QuickTime video"),
];

/// The format of these bytes.
///
/// # Errors
/// `Unsupported` naming the format if it is one we know but cannot read, `BadInput` otherwise.
pub(super) fn format(bytes: &[u8]) -> Result<Format> {
    if bytes.is_empty() {
        return Err(Error::BadInput("the file is empty".into()));
    }
    if let Some(format) = supported(bytes) {
        return Ok(format);
    }
    if let Some(name) = unsupported(bytes) {
        let supported = Format::ALL.map(Format::name).join(", ");
        return Err(Error::Unsupported(format!(
            "the file is {name}, which is not supported; supported are {supported}"
        )));
    }
    Err(Error::BadInput(format!("the file is not an image{}", describe_text(bytes))))
}

fn supported(bytes: &[u8]) -> Option<Format> {
    let magic: &[(&[u8], Format)] = &[
        (&[0xff, 0xd8, 0xff], Format::Jpeg),
        (b"\x89PNG\r\n\x1a\n", Format::Png),
        (b"GIF87a", Format::Gif),
        (b"GIF89a", Format::Gif),
        (b"II\x2a\0", Format::Tiff),
        (b"MM\0\x2a", Format::Tiff),
    ];
    if let Some((_, format)) = magic.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(*format);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some(Format::WebP);
    }
    // "BM" alone begins many a text; the reserved fields of a bitmap's header are zero.
    if bytes.starts_with(b"BM") && bytes.get(6..10).is_none_or(|r| r == [0; 4]) {
        return Some(Format::Bmp);
    }
    None
}

fn unsupported(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(brand(bytes));
    }
    if let Some((_, _, name)) = KNOWN_BUT_UNSUPPORTED
        .iter()
        .find(|(at, magic, _)| bytes.get(*at..).is_some_and(|b| b.starts_with(magic)))
    {
        return Some(name);
    }
    let head = text_head(bytes)?;
    let is_svg = head.starts_with("<svg") || (head.starts_with("<?xml") && head.contains("<svg"));
    is_svg.then_some("an SVG drawing")
}

/// The major brand decides; HEIF files often carry the generic `mif1` there and the codec among the compatible ones.
fn brand(bytes: &[u8]) -> &'static str {
    let box_len = bytes.first_chunk::<4>().map_or(0, |len| u32::from_be_bytes(*len) as usize);
    let brands = bytes.get(8..box_len.min(bytes.len())).unwrap_or_default();
    let named = |wanted: &dyn Fn(&[u8]) -> bool| {
        brands
            .chunks_exact(4)
            .filter(|b| wanted(b))
            .find_map(|b| BRANDS.iter().find(|(brand, _)| b == *brand))
    };
    named(&|b| b != b"mif1" && b != b"msf1")
        .or_else(|| named(&|_| true))
        .map_or("an MPEG-4 video", |(_, name)| name)
}

fn describe_text(bytes: &[u8]) -> &'static str {
    match text_head(bytes) {
        Some(head) if head.starts_with("<!doctype html") || head.starts_with("<html") => " but an HTML page",
        Some(head) if head.starts_with('{') || head.starts_with('[') => " but JSON text",
        Some(head) if head.starts_with("<?xml") => " but XML text",
        Some(_) => " but text",
        None => " of a known format",
    }
}

/// The beginning of the file in lower case if it reads as text.
fn text_head(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(1024)];
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The cut at 1024 may split a character; anything earlier is not UTF-8.
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    let is_text = !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_whitespace());
    is_text.then(|| text.trim_start().to_ascii_lowercase())
}
