//! Tests of decoding, metadata, cutting and encoding.

use std::io::Cursor;

use ::exif::experimental::Writer;
use ::exif::{Field, In, Rational, Tag, Value};
use ::image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use jpeg_encoder::{ColorType, Encoder};
use proptest::prelude::*;

use super::*;

/// A picture in which every corner and every pixel differ.
pub(crate) fn picture(width: u32, height: u32) -> RgbImage {
    let ramp = |at: u32, len: u32| (at * 255 / (len - 1).max(1)) as u8;
    RgbImage::from_fn(width, height, |x, y| {
        ::image::Rgb([ramp(x, width), ramp(y, height), ((x * 7 + y * 13 + x * y) % 256) as u8])
    })
}

fn encode_as(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn rgb_as(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    encode_as(&DynamicImage::ImageRgb8(image.clone()), format)
}

fn decoded(bytes: &[u8]) -> Decoded {
    decode(bytes, &DecodeLimits::default()).unwrap()
}

fn failure(bytes: &[u8]) -> Error {
    decode(bytes, &DecodeLimits::default()).unwrap_err()
}

/// Mean absolute difference per channel, 0..255.
fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.iter().zip(b.iter()).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    sum as f64 / a.len() as f64
}

const FORMATS: [(Format, ImageFormat); 6] = [
    (Format::Jpeg, ImageFormat::Jpeg),
    (Format::Png, ImageFormat::Png),
    (Format::WebP, ImageFormat::WebP),
    (Format::Gif, ImageFormat::Gif),
    (Format::Bmp, ImageFormat::Bmp),
    (Format::Tiff, ImageFormat::Tiff),
];

#[test]
fn every_format_is_recognised_and_decoded_whatever_the_file_is_called() {
    let image = picture(40, 30);
    for (format, encoder) in FORMATS {
        let bytes = rgb_as(&image, encoder);
        assert_eq!(probe(&bytes).unwrap(), (format, 40, 30));
        let decoded = decoded(&bytes);
        assert_eq!(decoded.format, format);
        let lossless = [Format::Png, Format::WebP, Format::Bmp, Format::Tiff].contains(&format);
        let tolerance = if lossless { 0.0 } else { 20.0 };
        let difference = mean_difference(&decoded.image, &image);
        assert!(difference <= tolerance, "{format:?}: {difference}");
        assert!(format.mime().starts_with("image/"));
    }
}

#[test]
fn sixteen_bits_grey_and_palette_become_eight_bit_rgb() {
    let grey = DynamicImage::ImageRgb8(picture(9, 7)).into_luma8();
    let expected = DynamicImage::ImageLuma8(grey.clone()).into_rgb8();
    let wide = DynamicImage::ImageLuma8(grey.clone()).into_luma16();
    let cases = [
        encode_as(&DynamicImage::ImageLuma8(grey.clone()), ImageFormat::Png),
        encode_as(&DynamicImage::ImageLuma16(wide.clone()), ImageFormat::Png),
        encode_as(&DynamicImage::ImageLuma16(wide), ImageFormat::Tiff),
        encode_as(&DynamicImage::ImageRgb16(DynamicImage::ImageLuma8(grey).into_rgb16()), ImageFormat::Png),
    ];
    for bytes in cases {
        assert_eq!(decoded(&bytes).image, expected);
    }
}

#[test]
fn a_grey_jpeg_becomes_rgb() {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 100).encode(&[200; 81], 9, 9, ColorType::Luma).unwrap();
    let image = decoded(&bytes).image;
    assert!(image.pixels().all(|p| p.0.iter().all(|c| c.abs_diff(200) <= 1)));
}

#[test]
fn transparency_is_laid_on_white() {
    // value, alpha, expected: (value * alpha + 255 * (255 - alpha)) / 255
    let cases = [(0, 255, 0), (0, 0, 255), (100, 0, 255), (0, 51, 204), (255, 128, 255), (60, 128, 157)];
    for (value, alpha, expected) in cases {
        let image = RgbaImage::from_pixel(3, 2, Rgba([value, value, value, alpha]));
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
            let bytes = encode_as(&DynamicImage::ImageRgba8(image.clone()), format);
            let decoded = decoded(&bytes).image;
            assert!(decoded.iter().all(|&v| v == expected), "{value} at alpha {alpha}: {decoded:?}");
        }
    }
}

#[test]
fn the_first_frame_of_an_animated_gif_is_decoded() {
    let mut bytes = Vec::new();
    {
        let mut encoder = ::image::codecs::gif::GifEncoder::new(&mut bytes);
        for value in [10, 240] {
            let frame = RgbaImage::from_pixel(6, 5, Rgba([value, value, value, 255]));
            encoder.encode_frame(::image::Frame::new(frame)).unwrap();
        }
    }
    let image = decoded(&bytes).image;
    assert_eq!(image.dimensions(), (6, 5));
    assert!(image.iter().all(|v| v.abs_diff(10) < 8));
}

#[test]
fn a_progressive_jpeg_decodes_to_the_same_picture_as_a_baseline_one() {
    let image = picture(67, 45);
    let [baseline, progressive] = [false, true].map(|progressive| {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 90);
        encoder.set_progressive(progressive);
        encoder.encode(&image, 67, 45, ColorType::Rgb).unwrap();
        decoded(&bytes).image
    });
    assert!(mean_difference(&baseline, &progressive) < 0.01);
}

#[test]
fn cmyk_jpegs_look_as_in_pillow() {
    let image = decoded(include_bytes!("../../fixtures/golden/cmyk.jpg")).image;
    let expected = decoded(include_bytes!("../../fixtures/golden/cmyk.png")).image;
    assert!(mean_difference(&image, &expected) < 1.5);
}

#[test]
fn a_ycck_jpeg_looks_like_the_same_picture_in_cmyk() {
    let cmyk: Vec<u8> =
        picture(24, 16).as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 20]).collect();
    let [plain, ycck] = [ColorType::Cmyk, ColorType::CmykAsYcck].map(|color| {
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 100).encode(&cmyk, 24, 16, color).unwrap();
        decoded(&bytes).image
    });
    let difference = mean_difference(&plain, &ycck);
    assert!(difference < 3.0, "{difference}");
}

fn field(tag: Tag, value: Value) -> Field {
    Field { tag, ifd_num: In::PRIMARY, value }
}

fn ascii(text: &str) -> Value {
    Value::Ascii(vec![text.as_bytes().to_vec()])
}

fn rationals(parts: &[(u32, u32)]) -> Value {
    Value::Rational(parts.iter().map(|&(num, denom)| Rational { num, denom }).collect())
}

fn exif_block(fields: &[Field]) -> Vec<u8> {
    let mut writer = Writer::new();
    for field in fields {
        writer.push_field(field);
    }
    let mut out = Cursor::new(Vec::new());
    writer.write(&mut out, false).unwrap();
    out.into_inner()
}

fn jpeg_with_exif(image: &RgbImage, fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 100);
    encoder.add_exif_metadata(&exif_block(fields)).unwrap();
    let (width, height) = (image.width() as u16, image.height() as u16);
    encoder.encode(image, width, height, ColorType::Rgb).unwrap();
    bytes
}

/// Where a camera held in each of the eight ways puts the pixel that belongs at (x, y) of an upright w × h picture.
fn stored(orientation: u16, upright: &RgbImage) -> RgbImage {
    let (w, h) = upright.dimensions();
    let pick = |x: u32, y: u32| match orientation {
        1 => (x, y),
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (w - 1 - y, x),
        7 => (w - 1 - y, h - 1 - x),
        8 => (y, h - 1 - x),
        _ => unreachable!("orientations are 1 to 8"),
    };
    let (stored_w, stored_h) = if orientation < 5 { (w, h) } else { (h, w) };
    RgbImage::from_fn(stored_w, stored_h, |x, y| {
        let (x, y) = pick(x, y);
        *upright.get_pixel(x, y)
    })
}

#[test]
fn all_eight_exif_orientations_are_turned_upright() {
    // Larger than a block of the transposition, and not a multiple of it.
    let upright = picture(75, 41);
    for orientation in 1..=8 {
        let stored = stored(orientation, &upright);
        let fields = [field(Tag::Orientation, Value::Short(vec![orientation]))];
        let decoded = decoded(&jpeg_with_exif(&stored, &fields));
        assert_eq!(decoded.exif.orientation, orientation);
        let difference = mean_difference(&decoded.image, &upright);
        assert!(difference < 6.0, "orientation {orientation}: {difference}");
        // Exactly, without the losses of JPEG.
        assert_eq!(orientation::apply(stored, orientation), upright);
    }
}

#[test]
fn an_impossible_orientation_is_no_orientation() {
    for value in [0, 9, 65535] {
        let fields = [field(Tag::Orientation, Value::Short(vec![value]))];
        let decoded = decoded(&jpeg_with_exif(&picture(20, 10), &fields));
        assert_eq!((decoded.exif.orientation, decoded.image.width()), (0, 20));
    }
}

#[test]
fn camera_time_and_place_are_kept() {
    let fields = [
        field(Tag::Make, ascii("Canon\0")),
        field(Tag::Model, ascii("  EOS 5D ")),
        field(Tag::LensModel, ascii("EF 50mm")),
        field(Tag::Software, ascii("Lightroom")),
        field(Tag::DateTimeOriginal, ascii("2024:05:01 12:34:56")),
        field(Tag::OffsetTimeOriginal, ascii("-03:30")),
        field(Tag::ExposureTime, rationals(&[(1, 250)])),
        field(Tag::FNumber, rationals(&[(28, 10)])),
        field(Tag::PhotographicSensitivity, Value::Short(vec![400])),
        field(Tag::FocalLength, rationals(&[(50, 1)])),
        field(Tag::GPSLatitude, rationals(&[(23, 1), (31, 1), (1200, 100)])),
        field(Tag::GPSLatitudeRef, ascii("S")),
        field(Tag::GPSLongitude, rationals(&[(121, 1), (30, 1), (0, 1)])),
        field(Tag::GPSLongitudeRef, ascii("E")),
        field(Tag::GPSAltitude, rationals(&[(5, 2)])),
        field(Tag::GPSAltitudeRef, Value::Byte(vec![1])),
    ];
    let exif = decoded(&jpeg_with_exif(&picture(16, 16), &fields)).exif;
    let expected = Exif {
        taken_at: Some("2024-05-01T12:34:56-03:30".into()),
        make: Some("Canon".into()),
        model: Some("EOS 5D".into()),
        lens: Some("EF 50mm".into()),
        software: Some("Lightroom".into()),
        orientation: 0,
        latitude: Some(-(23.0 + 31.0 / 60.0 + 12.0 / 3600.0)),
        longitude: Some(121.5),
        altitude_m: Some(-2.5),
        exposure_s: Some(0.004),
        f_number: Some(2.8),
        iso: Some(400),
        focal_length_mm: Some(50.0),
    };
    assert_eq!(exif, expected);
}

#[test]
fn impossible_metadata_is_left_out() {
    let fields = [
        field(Tag::Make, ascii("   ")),
        field(Tag::DateTimeOriginal, ascii("0000:00:00 00:00:00")),
        field(Tag::ExposureTime, rationals(&[(1, 0)])),
        field(Tag::GPSLatitude, rationals(&[(95, 1), (0, 1), (0, 1)])),
        field(Tag::GPSLatitudeRef, ascii("N")),
        field(Tag::GPSLongitude, rationals(&[(0, 0), (0, 0), (0, 0)])),
        field(Tag::GPSLongitudeRef, ascii("E")),
    ];
    let exif = decoded(&jpeg_with_exif(&picture(16, 16), &fields)).exif;
    assert_eq!(exif, Exif::default());
}

#[test]
fn a_damaged_exif_block_does_not_spoil_the_picture() {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.add_exif_metadata(b"MM\0\x2a\xff\xff\xff\xff").unwrap();
    encoder.encode(&picture(16, 16), 16, 16, ColorType::Rgb).unwrap();
    assert_eq!(decoded(&bytes).exif, Exif::default());
}

#[test]
fn what_is_not_an_image_is_named() {
    let heif = |brands: &[u8]| {
        let len = 8 + brands.len() as u32;
        [&len.to_be_bytes(), b"ftyp".as_slice(), brands, &[0; 40]].concat()
    };
    let unsupported: &[(Vec<u8>, &str)] = &[
        (heif(b"heic\0\0\0\0mif1heic"), "a HEIC image"),
        (heif(b"mif1\0\0\0\0mif1avif"), "an AVIF image"),
        (heif(b"mif1\0\0\0\0mif1"), "a HEIF image"),
        (heif(b"avif\0\0\0\0mif1miaf"), "an AVIF image"),
        (heif(b"isom\0\0\x02\0isomiso2avc1mp41"), "an MPEG-4 video"),
        (heif(b"qt  \0\0\0\0qt  "), "a QuickTime video"),
        (b"%PDF-1.7\n...".to_vec(), "a PDF document"),
        (b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(), "a JPEG XL image"),
        (b"8BPS\0\x01".to_vec(), "a Photoshop document"),
        (b"PK\x03\x04rest".to_vec(), "a ZIP archive"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<svg/>".to_vec(), "an SVG drawing"),
    ];
    for (bytes, name) in unsupported {
        let Error::Unsupported(message) = failure(bytes) else {
            panic!("{name} should be unsupported");
        };
        assert!(message.contains(name), "{message} should name {name}");
    }
    let bad: &[(&[u8], &str)] = &[
        (b"", "the file is empty"),
        (b"hello, this is a note called photo.jpg", "the file is not an image but text"),
        (b"<!DOCTYPE html><title>404</title>", "the file is not an image but an HTML page"),
        (b"  {\"error\": 404}", "the file is not an image but JSON text"),
        (&[7, 1, 2, 3, 200, 250, 0, 0], "the file is not an image of a known format"),
    ];
    for (bytes, message) in bad {
        assert_eq!(failure(bytes), Error::BadInput((*message).into()));
    }
}

#[test]
fn a_file_that_was_cut_off_is_refused_in_every_format() {
    let image = picture(120, 90);
    for (format, encoder) in FORMATS {
        let bytes = rgb_as(&image, encoder);
        for keep in [bytes.len() / 2, bytes.len() / 4, 20] {
            let error = failure(&bytes[..keep]);
            assert!(matches!(error, Error::BadInput(_)), "{format:?} cut to {keep}: {error:?}");
        }
        let expected = format!("the {} file is cut off", format.name());
        assert_eq!(failure(&bytes[..bytes.len() / 2]), Error::BadInput(expected));
    }
}

#[test]
fn a_progressive_jpeg_that_was_cut_off_is_refused() {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_progressive(true);
    encoder.encode(&picture(120, 90), 120, 90, ColorType::Rgb).unwrap();
    for keep in [bytes.len() / 3, bytes.len() / 2, bytes.len() * 9 / 10] {
        let error = failure(&bytes[..keep]);
        assert_eq!(error, Error::BadInput("the JPEG file is cut off".into()), "{keep}");
    }
}

#[test]
fn a_jpeg_that_lacks_only_its_end_marker_or_has_bytes_behind_it_is_decoded() {
    let bytes = rgb_as(&picture(33, 20), ImageFormat::Jpeg);
    let expected = decoded(&bytes).image;
    let longer = [&bytes[..], b"trailing bytes of a camera"].concat();
    for bytes in [&bytes[..bytes.len() - 2], &longer] {
        assert_eq!(decoded(bytes).image, expected);
    }
}

#[test]
fn bytes_between_the_segments_of_a_jpeg_are_skipped() {
    let bytes = rgb_as(&picture(33, 20), ImageFormat::Jpeg);
    let expected = decoded(&bytes).image;
    // Behind the first segment, which is the JFIF one of 18 bytes with its marker.
    let junk = [&bytes[..20], b"junk", &bytes[20..]].concat();
    assert_eq!(decoded(&junk).image, expected);
    let cut = &junk[..junk.len() / 2];
    assert_eq!(failure(cut), Error::BadInput("the JPEG file is cut off".into()));
}

#[test]
fn a_panic_in_a_decoder_is_a_damaged_file() {
    let result: Result<()> = guard(Format::Tiff, || panic!("an assertion in a decoder"));
    assert_eq!(result, Err(Error::BadInput("the TIFF file is damaged".into())));
}

#[test]
fn limits_are_checked_before_anything_is_decoded() {
    let small = DecodeLimits { max_bytes: 10, max_pixels: 99, max_alloc_bytes: 1000 };
    let check = |bytes: &[u8], limits: DecodeLimits, part: &str| {
        let Err(Error::TooLarge(message)) = decode(bytes, &limits) else {
            panic!("should be too large: {part}");
        };
        assert!(message.contains(part), "{message} should contain {part}");
    };
    for (_, format) in FORMATS {
        let bytes = rgb_as(&picture(10, 10), format);
        check(&bytes, small, "more than the limit of 10");
        let by_pixels = DecodeLimits { max_bytes: 1 << 20, ..small };
        check(&bytes, by_pixels, "10×10 pixels, more than the limit of 99");
        let by_memory = DecodeLimits { max_pixels: 100, max_alloc_bytes: 299, ..by_pixels };
        check(&bytes, by_memory, "bytes of memory, more than the limit of 299");
    }
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    // 60000 × 60000 pixels in 57 bytes: the header of a PNG and an empty data chunk.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0".to_vec();
    let crc = crc32(&png[12..29]);
    png.extend_from_slice(&crc.to_be_bytes());
    png.extend_from_slice(b"\0\0\0\0IDAT");
    png.extend_from_slice(&crc32(b"IDAT").to_be_bytes());
    assert!(matches!(failure(&png), Error::TooLarge(_)));
    // A progressive JPEG needs three times the memory of its pixels; its frame header lies about the size.
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 50);
    encoder.set_progressive(true);
    encoder.encode(&picture(16, 16), 16, 16, ColorType::Rgb).unwrap();
    let at = jpeg.windows(2).position(|w| w == [0xff, 0xc2]).unwrap();
    jpeg[at + 5..at + 9].copy_from_slice(&[0x27, 0x10, 0x26, 0xac]); // 10000 × 9900
    assert!(matches!(failure(&jpeg), Error::TooLarge(m) if m.contains("bytes of memory")));
}

/// CRC-32 of PNG chunks, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn a_crop_takes_the_pixels_of_its_box() {
    let image = picture(10, 8);
    let b = |top, left, bottom, right| CropBox { top, left, bottom, right };
    // box, then expected x, y, width, height
    let cases = [
        (b(0.0, 0.0, 1.0, 1.0), (0, 0, 10, 8)),
        (b(0.25, 0.1, 0.75, 0.5), (1, 2, 4, 4)),
        (b(0.5, 0.5, 1.0, 1.0), (5, 4, 5, 4)),
        (b(0.0, 0.0, 0.01, 0.01), (0, 0, 1, 1)),
        (b(0.99, 0.99, 1.0, 1.0), (9, 7, 1, 1)),
        (b(-0.0001, 0.0, 1.0005, 1.0), (0, 0, 10, 8)),
    ];
    for (b, (x, y, width, height)) in cases {
        let expected = ::image::imageops::crop_imm(&image, x, y, width, height).to_image();
        assert_eq!(crop(&image, b).unwrap(), expected, "{b:?}");
    }
    let impossible = [
        b(0.5, 0.0, 0.5, 1.0),
        b(0.0, 0.6, 1.0, 0.4),
        b(-0.5, 0.0, 1.0, 1.0),
        b(0.0, 0.0, 1.0, 1.5),
        b(f32::NAN, 0.0, 1.0, 1.0),
    ];
    for b in impossible {
        assert!(matches!(crop(&image, b), Err(Error::BadInput(_))), "{b:?}");
    }
}

#[test]
fn a_thumbnail_keeps_the_aspect_ratio_and_never_enlarges() {
    let cases = [
        ((200, 100), 50, (50, 25)),
        ((100, 200), 50, (25, 50)),
        ((30, 20), 50, (30, 20)),
        ((1000, 1), 10, (10, 1)),
    ];
    for ((width, height), max_side, expected) in cases {
        assert_eq!(thumbnail(&picture(width, height), max_side).dimensions(), expected);
    }
}

#[test]
fn an_encoded_jpeg_decodes_to_the_same_picture() {
    let image = thumbnail(&picture(400, 300), 100);
    let decoded = decoded(&encode_jpeg(&image, 95).unwrap());
    assert_eq!(decoded.format, Format::Jpeg);
    assert!(mean_difference(&decoded.image, &image) < 8.0);
    assert!(matches!(encode_jpeg(&RgbImage::new(0, 5), 90), Err(Error::BadInput(_))));
    assert!(matches!(encode_jpeg(&RgbImage::new(70_000, 1), 90), Err(Error::BadInput(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_decoder_panic(
        which in 0usize..6,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = rgb_as(&picture(31, 23), FORMATS[which].1);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // Whatever comes of it, it is an answer.
        let _ = decode(&bytes, &DecodeLimits { max_pixels: 1 << 20, ..DecodeLimits::default() });
        let _ = probe(&bytes);
    }

    #[test]
    fn a_crop_is_never_larger_than_the_image(
        top in 0f32..1.0, left in 0f32..1.0, height in 0.001f32..1.0, width in 0.001f32..1.0,
    ) {
        let b = CropBox { top, left, bottom: (top + height).min(1.0), right: (left + width).min(1.0) };
        let image = picture(17, 9);
        let cut = crop(&image, b).unwrap();
        prop_assert!((1..=17).contains(&cut.width()) && (1..=9).contains(&cut.height()));
    }
}
