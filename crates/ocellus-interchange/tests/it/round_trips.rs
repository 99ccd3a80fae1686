//! Every format gives back all that its row of `CAPABILITIES` says it holds, and counts what it does not.

use ocellus_interchange::*;
use serde_json::json;

use crate::{bytes_of, is_close, round_trip};

fn map(value: serde_json::Value) -> JsonMap {
    value.as_object().unwrap().clone()
}

fn mask() -> Shape {
    let inside =
        (0..200 * 100).map(|i| i % 200 >= 50 && i % 200 < 81 && i / 200 > 10 && (i / 200 + i) % 7 > 1);
    Bitmap { width: 200, height: 100, inside: inside.collect() }.into_shape()
}

fn with_value(name: &str, value: f32) -> ConceptValue {
    ConceptValue { value, ..ConceptValue::positive(name) }
}

/// Items that use everything the model has. Coordinates are whole pixels of 200 x 100.
#[expect(clippy::too_many_lines, reason = "a table of data")]
fn everything() -> Vec<(Item, Option<Vec<u8>>)> {
    let dog = || vec![with_value("dog", 1.0)];
    let ring = [[0.1, 0.1], [0.5, 0.2], [0.3, 0.9]].map(Point::from).to_vec();
    let picture = Item {
        id: "11".to_owned(),
        file_name: "a & b.jpg".to_owned(),
        width: Some(200),
        height: Some(100),
        concepts: vec![with_value("dog", 1.0), with_value("it's <a> \"cat\"", 1.0), with_value("bird", 0.0)],
        regions: vec![
            Region {
                id: Some("r0".to_owned()),
                metadata: map(json!({"truncated": true, "pose": "Left"})),
                ..Region::new(Shape::Box { left: 0.1, top: 0.2, right: 0.55, bottom: 1.0 }, dog())
            },
            Region::new(Shape::Polygon { rings: vec![ring] }, vec![with_value("it's <a> \"cat\"", 1.0)]),
            Region::new(Shape::Point { x: 0.25, y: 0.75 }, dog()),
            Region::new(mask(), dog()),
        ],
        metadata: map(json!({"n": 1.5, "it's": {"quoted \"text\"": ["a", null, true, "ü,"]}})),
        geo: Some(Geo { longitude: 139.767_125, latitude: -35.681_236 }),
        split: Some("train".to_owned()),
        ..Item::default()
    };
    let plain = Item {
        id: "12".to_owned(),
        file_name: "plain.png".to_owned(),
        width: Some(200),
        height: Some(100),
        concepts: vec![with_value("good", 1.0)],
        split: Some("test".to_owned()),
        ..Item::default()
    };
    let addressed = Item {
        id: "13".to_owned(),
        file_name: "u.jpg".to_owned(),
        content: Content::Url("https://example.org/x/u.jpg".to_owned()),
        width: Some(200),
        height: Some(100),
        ..Item::default()
    };
    let text = Item {
        id: "14".to_owned(),
        content: Content::Text("Zürich, \"it's\"\nfine".to_owned()),
        spans: vec![Span {
            id: Some("s".to_owned()),
            start: 0,
            end: 6,
            concepts: vec![with_value("place", 1.0)],
        }],
        ..Item::default()
    };
    let video = Item {
        id: "15".to_owned(),
        file_name: "v.mp4".to_owned(),
        regions: [0, 7]
            .map(|frame| Region {
                track: Some(Track { id: "t".to_owned(), frame }),
                ..Region::new(Shape::Box { left: 0.0, top: 0.5, right: 0.5, bottom: 0.75 }, dog())
            })
            .to_vec(),
        ..Item::default()
    };
    vec![
        (picture, Some(b"first".to_vec())),
        (plain, Some(b"second".to_vec())),
        (addressed, None),
        (text, None),
        (video, None),
    ]
}

/// What of an item the row says will come back; `None` if the item as a whole cannot be held.
fn held(row: &Capability, mut item: Item, has_bytes: bool) -> Option<Item> {
    let format = row.format;
    let only_bytes = matches!(format, Format::Folder | Format::Mvtec);
    let no_size = matches!(format, Format::Coco | Format::Voc | Format::Cvat) && item.size().is_none();
    let is_text = matches!(item.content, Content::Text(_));
    let no_address = format == Format::Yolo && matches!(item.content, Content::Url(_));
    if (only_bytes && !has_bytes)
        || no_size
        || (is_text && !row.spans)
        || (!row.tracks && item.id == "15")
        || no_address
    {
        return None;
    }
    if !row.values {
        item.concepts.retain(|concept| concept.value == 1.0);
    }
    if !row.several {
        item.concepts.truncate(1);
    }
    if !row.concepts {
        item.concepts.clear();
    }
    item.regions.retain(|region| match region.shape {
        Shape::Box { .. } => row.boxes,
        Shape::Polygon { .. } => row.polygons,
        Shape::Point { .. } => row.points,
        Shape::MaskRle { .. } | Shape::MaskPng { .. } => row.masks,
    });
    for region in &mut item.regions {
        if !row.region_metadata {
            region.metadata.clear();
        }
        if format == Format::Cvat {
            region
                .metadata
                .iter_mut()
                .for_each(|(_, value)| *value = value.to_string().replace('"', "").into());
        }
    }
    if !row.spans {
        item.spans.clear();
    }
    if !row.metadata {
        item.metadata.clear();
    }
    item.geo = item.geo.filter(|_| row.geo);
    item.split = item.split.filter(|_| row.split);
    Some(item)
}

/// Clears what a reader makes up for itself.
fn comparable(row: &Capability, item: &Item) -> Item {
    let mut item = item.clone();
    if !row.ids {
        item.id.clear();
    }
    let keeps_region_ids = matches!(row.format, Format::JsonLines | Format::LabelStudio);
    for region in &mut item.regions {
        region.id = region.id.take().filter(|id| keeps_region_ids && id == "r0");
        region.shape = Shape::Point { x: 0.0, y: 0.0 };
    }
    for span in &mut item.spans {
        span.id = span.id.take().filter(|_| keeps_region_ids);
    }
    if !matches!(row.format, Format::JsonLines | Format::Coco | Format::Voc | Format::Cvat) {
        (item.width, item.height) = (None, None);
    }
    if !matches!(item.content, Content::Text(_) | Content::Url(_)) {
        item.content = Content::Absent;
    }
    item
}

fn check(row: &Capability) {
    let all: Vec<_> = everything();
    let kept: Vec<(Item, Option<Vec<u8>>)> = all
        .into_iter()
        .filter_map(|(item, bytes)| Some((held(row, item, bytes.is_some())?, bytes)))
        .collect();
    let trip = round_trip(row.format, &kept, &ReadOptions::default());
    let name = row.format.name();
    assert!(trip.written.n_skipped == 0, "{name}: {:?}", trip.written.skipped);
    assert!(trip.summary.report.n_skipped == 0, "{name}: {:?}", trip.summary.report.skipped);
    assert_eq!(trip.items.len(), kept.len(), "{name}: {:?}", trip.files.entries());
    for (wanted, bytes) in &kept {
        // Formats by folders give the items in the order of their paths.
        let got = trip.items.iter().find(|item| {
            if row.ids {
                item.id == wanted.id
            } else {
                item.file_name == wanted.file_name && (item.spans.is_empty() == wanted.spans.is_empty())
            }
        });
        let got = got.unwrap_or_else(|| panic!("{name}: {} is gone: {:?}", wanted.id, trip.items));
        let mut wanted_here = comparable(row, wanted);
        if row.format == Format::Mvtec && wanted.regions.len() == 1 {
            wanted_here.regions[0].concepts = vec![wanted.concepts[0].clone()];
        }
        assert_eq!(comparable(row, got), wanted_here, "{name}");
        for (a, b) in got.regions.iter().zip(&wanted.regions) {
            assert!(is_close(&a.shape, &b.shape, 1e-9), "{name}: {:?} {:?}", a.shape, b.shape);
        }
        if let (Some(bytes), Content::File(path)) = (bytes, &got.content) {
            assert_eq!(&bytes_of(&trip.files, path), bytes, "{name}");
        } else {
            assert!(bytes.is_none(), "{name}: the bytes of {} are gone", wanted.id);
        }
    }
}

#[test]
fn every_format_gives_back_what_its_row_says() {
    for row in &CAPABILITIES {
        check(row);
    }
}

#[test]
fn every_format_counts_what_it_has_no_place_for() {
    for row in &CAPABILITIES {
        let trip = round_trip(row.format, &everything(), &ReadOptions::default());
        let wanted = [
            (row.concepts, "concepts of a whole item"),
            (row.boxes, "boxes"),
            (row.polygons, "polygons"),
            (row.points, "points"),
            (row.masks, "masks"),
            (row.tracks, "tracks and frames"),
            (row.spans, "spans of text"),
            (row.metadata, "metadata of items"),
            (row.region_metadata, "metadata of regions"),
            (row.geo, "places"),
            (row.split, "splits"),
        ];
        for (is_held, what) in wanted {
            assert_eq!(trip.written.lost.contains_key(what), !is_held, "{}: {what}", row.format.name());
        }
        assert_eq!(trip.written.is_lossless(), row.format == Format::JsonLines, "{}", row.format.name());
    }
}

#[test]
fn the_written_collection_is_recognised_as_its_format() {
    for format in Format::ALL {
        let trip = round_trip(format, &everything(), &ReadOptions::default());
        assert_eq!(detect(&trip.files).unwrap(), Some(format), "{:?}", trip.files.entries());
    }
}

#[test]
fn items_of_the_same_file_name_do_not_overwrite_each_other() {
    for format in Format::ALL {
        let item = |id: &str| Item {
            id: id.to_owned(),
            file_name: "same.jpg".to_owned(),
            width: Some(10),
            height: Some(10),
            concepts: vec![ConceptValue::positive("x")],
            split: Some("train".to_owned()),
            ..Item::default()
        };
        let items = [(item("1"), Some(b"one".to_vec())), (item("2"), Some(b"two".to_vec()))];
        let trip = round_trip(format, &items, &ReadOptions::default());
        let mut contents: Vec<Vec<u8>> = trip
            .items
            .iter()
            .map(|item| match &item.content {
                Content::File(path) => bytes_of(&trip.files, path),
                Content::Absent | Content::Url(_) | Content::Text(_) => panic!("{}: {item:?}", format.name()),
            })
            .collect();
        contents.sort();
        assert_eq!(contents, [b"one".to_vec(), b"two".to_vec()], "{}", format.name());
    }
}

#[test]
fn an_empty_collection_is_written_and_read() {
    for format in Format::ALL {
        let trip = round_trip(format, &[], &ReadOptions::default());
        assert!(trip.items.is_empty() && trip.summary.report.n_skipped == 0, "{}", format.name());
    }
}

#[test]
fn declared_concepts_come_first_and_in_their_order() {
    let concepts: Vec<Concept> = ["zebra", "ant", "unused"].map(Concept::named).to_vec();
    for format in [Format::Coco, Format::Yolo, Format::Cvat, Format::JsonLines] {
        let mut files = MemoryFiles::default();
        let options = WriteOptions { concepts: concepts.clone(), ..WriteOptions::default() };
        Writer::new(format, &mut files, options).unwrap().finish().unwrap();
        let (_, summary) = crate::read_all(format, &files, &ReadOptions::default());
        assert_eq!(summary.concepts, concepts, "{}", format.name());
    }
}

#[test]
fn an_error_of_the_caller_stops_the_reading() {
    for format in Format::ALL {
        let trip = round_trip(format, &everything(), &ReadOptions::default());
        let mut n = 0;
        let result = read(format, &trip.files, &ReadOptions::default(), &mut |_| {
            n += 1;
            Err(Error::Stopped("enough".to_owned()))
        });
        assert!(matches!(result, Err(Error::Stopped(_))), "{}", format.name());
        assert_eq!(n, 1, "{}", format.name());
    }
}
