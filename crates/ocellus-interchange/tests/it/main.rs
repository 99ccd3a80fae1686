//! Tests of the formats through the public interface.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archives;
mod properties;
mod round_trips;
mod samples;

use std::io::Read as _;

use ocellus_interchange::*;

/// Writes items (with bytes, if given) and reads them back.
pub fn round_trip(format: Format, items: &[(Item, Option<Vec<u8>>)], options: &ReadOptions) -> RoundTrip {
    let mut files = MemoryFiles::default();
    let mut writer = Writer::new(format, &mut files, WriteOptions::default()).unwrap();
    for (item, bytes) in items {
        let mut reader = bytes.as_deref();
        writer.item(item, reader.as_mut().map(|bytes| bytes as &mut dyn std::io::Read)).unwrap();
    }
    let written = writer.finish().unwrap();
    let (items, summary) = read_all(format, &files, options);
    RoundTrip { files, written, items, summary }
}

/// What a round trip gave.
pub struct RoundTrip {
    pub files: MemoryFiles,
    pub written: Report,
    pub items: Vec<Item>,
    pub summary: Summary,
}

pub fn read_all(format: Format, files: &dyn Files, options: &ReadOptions) -> (Vec<Item>, Summary) {
    let mut items = Vec::new();
    let summary = read(format, files, options, &mut |item| {
        items.push(item);
        Ok(())
    })
    .unwrap();
    (items, summary)
}

pub fn bytes_of(files: &dyn Files, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    files.open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Whether two shapes are the same within rounding.
pub fn is_close(a: &Shape, b: &Shape, tolerance: f64) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance;
    match (a, b) {
        (Shape::Polygon { rings: a }, Shape::Polygon { rings: b }) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| {
                    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a.x, b.x) && near(a.y, b.y))
                })
        }
        _ => match (Bitmap::of(a), Bitmap::of(b)) {
            (Some(a), Some(b)) => a == b,
            (None, None) => {
                std::mem::discriminant(a) == std::mem::discriminant(b)
                    && bounds(a).unwrap().iter().zip(bounds(b).unwrap()).all(|(a, b)| near(*a, b))
            }
            _ => false,
        },
    }
}
