//! Reads the EXIF block of a picture; whatever is damaged or impossible in it is left out.

use ::exif::{DateTime, Exif as Fields, In, Rational, Reader, Tag, Value};

use super::Exif;

/// Longer texts are not what the field is for.
const MAX_TEXT_CHARS: usize = 128;

/// Parses a TIFF-structured EXIF block, with or without the `Exif\0\0` it has inside a JPEG.
pub(super) fn parse(raw: &[u8]) -> Exif {
    let raw = raw.strip_prefix(b"Exif\0\0").unwrap_or(raw);
    let read = Reader::new().continue_on_error(true).read_raw(raw.to_vec());
    match read.or_else(|e| e.distill_partial_result(|_| {})) {
        Ok(fields) => from_fields(&fields),
        Err(_) => Exif::default(),
    }
}

fn from_fields(fields: &Fields) -> Exif {
    let positive = |tag| number(fields, tag).filter(|&v| v > 0.0);
    Exif {
        taken_at: taken_at(fields),
        make: text(fields, Tag::Make),
        model: text(fields, Tag::Model),
        lens: text(fields, Tag::LensModel),
        software: text(fields, Tag::Software),
        orientation: uint(fields, Tag::Orientation)
            .and_then(|v| u16::try_from(v).ok())
            .filter(|v| (1..=8).contains(v))
            .unwrap_or(0),
        latitude: degrees(fields, Tag::GPSLatitude, Tag::GPSLatitudeRef, 90.0),
        longitude: degrees(fields, Tag::GPSLongitude, Tag::GPSLongitudeRef, 180.0),
        altitude_m: altitude(fields),
        exposure_s: positive(Tag::ExposureTime),
        f_number: positive(Tag::FNumber),
        iso: uint(fields, Tag::PhotographicSensitivity).filter(|&v| v > 0),
        focal_length_mm: positive(Tag::FocalLength),
    }
}

fn value(fields: &Fields, tag: Tag) -> Option<&Value> {
    fields.get_field(tag, In::PRIMARY).map(|f| &f.value)
}

fn uint(fields: &Fields, tag: Tag) -> Option<u32> {
    value(fields, tag)?.get_uint(0)
}

fn text(fields: &Fields, tag: Tag) -> Option<String> {
    let Value::Ascii(parts) = value(fields, tag)? else {
        return None;
    };
    let text = String::from_utf8_lossy(parts.first()?);
    let text: String = text
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_TEXT_CHARS)
        .collect();
    (!text.is_empty()).then_some(text)
}

fn number(fields: &Fields, tag: Tag) -> Option<f64> {
    let value = value(fields, tag)?;
    let number = if let Value::Rational(v) = value {
        v.first()?.to_f64()
    } else if let Value::SRational(v) = value {
        v.first()?.to_f64()
    } else {
        f64::from(value.get_uint(0)?)
    };
    number.is_finite().then_some(number)
}

/// Degrees, minutes and seconds with the hemisphere in a field of its own (EXIF 2.32, 4.6.6).
fn degrees(fields: &Fields, tag: Tag, reference: Tag, limit: f64) -> Option<f64> {
    let Value::Rational(parts) = value(fields, tag)? else {
        return None;
    };
    let part = |i: usize| parts.get(i).map_or(Some(0.0), finite);
    let magnitude = finite(parts.first()?)? + part(1)? / 60.0 + part(2)? / 3600.0;
    let is_negative = matches!(text(fields, reference)?.to_ascii_uppercase().as_str(), "S" | "W");
    (magnitude <= limit).then_some(if is_negative { -magnitude } else { magnitude })
}

fn finite(rational: &Rational) -> Option<f64> {
    Some(rational.to_f64()).filter(|v| v.is_finite())
}

fn altitude(fields: &Fields) -> Option<f64> {
    let metres = number(fields, Tag::GPSAltitude)?;
    let is_below_sea = match value(fields, Tag::GPSAltitudeRef) {
        Some(Value::Byte(v)) => v.first() == Some(&1),
        _ => false,
    };
    Some(if is_below_sea { -metres } else { metres })
}

fn taken_at(fields: &Fields) -> Option<String> {
    let (tag, offset) = [
        (Tag::DateTimeOriginal, Tag::OffsetTimeOriginal),
        (Tag::DateTimeDigitized, Tag::OffsetTimeDigitized),
        (Tag::DateTime, Tag::OffsetTime),
    ]
    .into_iter()
    .find(|(tag, _)| value(fields, *tag).is_some())?;
    let Value::Ascii(parts) = value(fields, tag)? else {
        return None;
    };
    let mut time = DateTime::from_ascii(parts.first()?).ok()?;
    let is_possible = (1..=12).contains(&time.month)
        && (1..=31).contains(&time.day)
        && time.hour < 24
        && time.minute < 60
        && time.second <= 60;
    if !is_possible {
        return None;
    }
    let mut out = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year, time.month, time.day, time.hour, time.minute, time.second
    );
    if let Some(Value::Ascii(parts)) = value(fields, offset)
        && let Some(part) = parts.first()
        && time.parse_offset(part).is_ok()
        && let Some(minutes) = time.offset
    {
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.unsigned_abs();
        out.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    }
    Some(out)
}
