//! Properties: our own format loses nothing, masks survive every coding, and no input makes a reader panic.

use ocellus_interchange::*;
use proptest::prelude::*;

use crate::round_trip;

fn fraction() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..=1.0f64, Just(0.0), Just(1.0)]
}

fn concept() -> impl Strategy<Value = ConceptValue> {
    ("\\PC{0,12}", "\\PC{0,12}", 0.0..=1.0f32).prop_map(|(id, name, value)| ConceptValue { id, name, value })
}

fn bitmap() -> impl Strategy<Value = Bitmap> {
    (1u32..40, 1u32..40).prop_flat_map(|(width, height)| {
        let runs = proptest::collection::vec((any::<bool>(), 1usize..30), (width * height) as usize);
        runs.prop_map(move |runs| {
            let pixels = runs.into_iter().flat_map(|(inside, n)| std::iter::repeat_n(inside, n));
            Bitmap { width, height, inside: pixels.take((width * height) as usize).collect() }
        })
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    let point = || (fraction(), fraction()).prop_map(|(x, y)| Point { x, y });
    prop_oneof![
        (fraction(), fraction(), fraction(), fraction()).prop_map(|(left, top, right, bottom)| Shape::Box {
            left,
            top,
            right,
            bottom
        }),
        proptest::collection::vec(proptest::collection::vec(point(), 3..6), 1..3)
            .prop_map(|rings| Shape::Polygon { rings }),
        point().prop_map(|Point { x, y }| Shape::Point { x, y }),
        bitmap().prop_map(Bitmap::into_shape),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|png| Shape::MaskPng { png }),
    ]
}

fn metadata() -> impl Strategy<Value = JsonMap> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e300..1e300f64).prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
    ];
    proptest::collection::vec(("\\PC{0,6}", leaf), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

fn region() -> impl Strategy<Value = Region> {
    let track = proptest::option::of(("[a-z]{0,3}", any::<u32>()));
    (shape(), proptest::collection::vec(concept(), 0..3), track, metadata()).prop_map(
        |(shape, concepts, track, metadata)| Region {
            track: track.map(|(id, frame)| Track { id, frame: u64::from(frame) }),
            metadata,
            ..Region::new(shape, concepts)
        },
    )
}

fn item() -> impl Strategy<Value = Item> {
    let geo = proptest::option::of((-180.0..180.0f64, -90.0..90.0f64));
    let parts = (
        "\\PC{1,12}",
        proptest::option::of(1u32..5000),
        proptest::collection::vec(concept(), 0..3),
        proptest::collection::vec(region(), 0..3),
        metadata(),
        geo,
        proptest::option::of("\\PC{0,6}"),
        "\\PC{0,9}",
    );
    parts.prop_map(|(id, width, concepts, regions, metadata, geo, split, text)| Item {
        id,
        width,
        height: width,
        concepts,
        regions,
        metadata,
        geo: geo.map(|(longitude, latitude)| Geo { longitude, latitude }),
        split,
        content: Content::Text(text),
        spans: vec![Span { id: None, start: 0, end: 1, concepts: Vec::new() }],
        ..Item::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_lines_give_back_every_bit(items in proptest::collection::vec(item(), 0..4)) {
        let with_bytes: Vec<_> = items.iter().map(|item| (item.clone(), None)).collect();
        let trip = round_trip(Format::JsonLines, &with_bytes, &ReadOptions::default());
        prop_assert!(trip.written.is_lossless() && trip.summary.report.is_lossless());
        prop_assert_eq!(trip.items, items);
    }

    #[test]
    fn masks_survive_every_coding(mask in bitmap()) {
        prop_assert_eq!(&Bitmap::from_columns(mask.width, mask.height, &mask.columns()).unwrap(), &mask);
        prop_assert_eq!(&Bitmap::from_png(&mask.to_png().unwrap()).unwrap(), &mask);
        for format in [Format::Coco, Format::Cvat, Format::LabelStudio, Format::JsonLines] {
            if format == Format::Cvat && mask.area() == 0 {
                continue;
            }
            let item = Item {
                id: "1".to_owned(),
                file_name: "a.jpg".to_owned(),
                width: Some(mask.width),
                height: Some(mask.height),
                regions: vec![Region::new(mask.clone().into_shape(), vec![ConceptValue::positive("x")])],
                ..Item::default()
            };
            let trip = round_trip(format, &[(item, None)], &ReadOptions::default());
            prop_assert_eq!(trip.summary.report.n_skipped, 0, "{:?}", trip.summary.report.skipped);
            let back = Bitmap::of(&trip.items[0].regions[0].shape).unwrap().unwrap();
            prop_assert_eq!(&back, &mask, "{}", format.name());
        }
    }

    #[test]
    fn any_item_can_be_written_in_any_format_and_read_again(items in proptest::collection::vec(item(), 0..3)) {
        for format in Format::ALL {
            let with_bytes: Vec<_> = items
                .iter()
                .map(|item| (Item { content: Content::Absent, ..item.clone() }, Some(b"bytes".to_vec())))
                .collect();
            let trip = round_trip(format, &with_bytes, &ReadOptions::default());
            let n_left_out = trip.written.skipped.iter().filter(|skipped| skipped.reason.contains("width")).count();
            if format == Format::GroundTruth {
                prop_assert_eq!(trip.items.len(), items.len());
            } else if !matches!(format, Format::Folder | Format::Mvtec | Format::Yolo) {
                prop_assert_eq!(trip.items.len() + n_left_out, items.len(), "{}", format.name());
            }
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        cut in 0usize..4000,
        flip in 0usize..4000,
        items in proptest::collection::vec(item(), 1..3),
    ) {
        for format in Format::ALL {
            let with_bytes: Vec<_> = items.iter().map(|item| (item.clone(), None)).collect();
            let written = round_trip(format, &with_bytes, &ReadOptions::default()).files;
            let mut damaged = MemoryFiles::default();
            for entry in written.entries() {
                let mut content = written.get(&entry.path).unwrap().to_vec();
                content.truncate(cut.max(1));
                if let Some(byte) = content.get_mut(flip) {
                    *byte ^= 0x15;
                }
                damaged.insert(&entry.path, content);
            }
            for name in ["x.json", "x.xml", "x.jsonl", "x.csv", "data.yaml", "labels/train/x.txt"] {
                damaged.insert(name, bytes.clone());
            }
            let _ = detect(&damaged);
            let _ = read(format, &damaged, &ReadOptions::default(), &mut |_| Ok(()));
        }
    }
}
