//! Round trips of every format through the product: read, stored, written, read again.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use indicatif::ProgressBar;
use ocellus_core::annotations::{self, AnnotationListing};
use ocellus_core::testing::TestPlatform;
use ocellus_core::{AppCtx, Page, inputs};
use ocellus_interchange::{
    Bitmap, Concept, ConceptValue, Content, Files, Folder, FolderSink, Format, Geo, Item, JsonMap, Limits,
    Point, ReadOptions, Region, Shape, Span, WriteOptions, Writer, capability, read,
};
use serde_json::json;

use super::{Account, import};
use crate::commands::export::{Selection, export};

fn map(value: serde_json::Value) -> JsonMap {
    value.as_object().unwrap().clone()
}

/// A picture of 200 x 100 pixels that no other number gives.
fn picture(n: usize) -> Vec<u8> {
    let inside = (0..200 * 100).map(|i| (i / 3 + n * i / 200) % (5 + n) < 3).collect();
    Bitmap { width: 200, height: 100, inside }.to_png().unwrap()
}

fn mask() -> Shape {
    let inside = (0..200 * 100).map(|i| i % 200 >= 50 && i % 200 < 81 && (i / 200 + i) % 7 > 1);
    Bitmap { width: 200, height: 100, inside: inside.collect() }.into_shape()
}

fn tag(name: &str, value: f32) -> ConceptValue {
    ConceptValue { value, ..ConceptValue::positive(name) }
}

/// Items that use what the product can hold. Coordinates are whole pixels.
fn everything(format: Format) -> Vec<(Item, Option<Vec<u8>>)> {
    let dog = || vec![tag("dog", 1.0)];
    let ring = |left: f64| [[left, 0.1], [left + 0.2, 0.2], [left + 0.1, 0.9]].map(Point::from).to_vec();
    let sized = |id: &str, file_name: &str| Item {
        id: id.to_owned(),
        file_name: file_name.to_owned(),
        width: Some(200),
        height: Some(100),
        ..Item::default()
    };
    // MVTec has one mask an item, and its concept is the item's.
    let regions = if format == Format::Mvtec {
        vec![Region::new(mask(), dog())]
    } else {
        vec![
            Region {
                metadata: map(json!({"truncated": true, "pose": "Left"})),
                ..Region::new(Shape::Box { left: 0.1, top: 0.2, right: 0.55, bottom: 1.0 }, dog())
            },
            Region::new(Shape::Polygon { rings: vec![ring(0.1), ring(0.6)] }, vec![tag("a cat", 1.0)]),
            Region::new(Shape::Point { x: 0.25, y: 0.75 }, dog()),
            Region::new(mask(), dog()),
        ]
    };
    let full = Item {
        concepts: vec![tag("dog", 1.0), tag("a cat", 1.0), tag("bird", 0.0), tag("fox", 0.25)],
        regions,
        metadata: map(json!({"n": 1.5, "it's": {"quoted \"text\"": ["a", true, "ü,"]}})),
        geo: Some(Geo { longitude: 139.767_125, latitude: -35.681_236 }),
        split: Some("train".to_owned()),
        ..sized("11", "a b.png")
    };
    let good =
        Item { concepts: vec![tag("good", 1.0)], split: Some("test".to_owned()), ..sized("12", "plain.png") };
    let bare = Item { split: Some("train".to_owned()), ..sized("13", "bare.png") };
    let text = Item {
        id: "14".to_owned(),
        content: Content::Text("Zürich, \"it's\"\nfine".to_owned()),
        spans: vec![Span { id: None, start: 0, end: 6, concepts: vec![tag("place", 1.0)] }],
        ..Item::default()
    };
    let mut all = vec![(full, Some(picture(1))), (good, Some(picture(2)))];
    // In these two an item without a concept is not told from one in a folder of its split.
    if format != Format::Mvtec {
        all.push((bare, Some(picture(3))));
    }
    if capability(format).spans {
        all.push((text, None));
    }
    all
}

fn write(format: Format, to: &Path) {
    let mut sink = FolderSink::create(to).unwrap();
    let concepts = ["zebra", "dog", "a cat", "good", "bird", "fox", "place"].map(Concept::named).to_vec();
    let options = WriteOptions { concepts, ..WriteOptions::default() };
    let mut writer = Writer::new(format, &mut sink, options).unwrap();
    for (item, bytes) in everything(format) {
        let mut content = bytes.map(Cursor::new);
        writer.item(&item, content.as_mut().map(|content| content as &mut dyn Read)).unwrap();
    }
    writer.finish().unwrap();
}

/// What a collection says, apart from where its files lie: by item, in an order of its own.
fn said(format: Format, folder: &Path) -> BTreeMap<String, Vec<String>> {
    let files = Folder::open(folder, Limits::default()).unwrap();
    let mut all = BTreeMap::new();
    let mut each = |item: Item| {
        let (key, lines) = describe(format, &files, item);
        assert!(all.insert(key, lines).is_none(), "an item comes twice");
        Ok(())
    };
    let summary = read(format, &files, &ReadOptions::default(), &mut each).unwrap();
    assert_eq!(summary.report.n_skipped, 0, "{format:?}: {:?}", summary.report.skipped);
    all
}

#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
fn describe(format: Format, files: &Folder, item: Item) -> (String, Vec<String>) {
    let mut lines = vec![format!("split {:?}", item.split)];
    let name = match &item.content {
        Content::File(path) => {
            let mut bytes = Vec::new();
            files.open(path).unwrap().read_to_end(&mut bytes).unwrap();
            let sum: u64 = bytes.iter().zip(1..).map(|(byte, n): (&u8, u64)| u64::from(*byte) * n).sum();
            lines.push(format!("bytes {} {sum}", bytes.len()));
            path.rsplit('/').next().unwrap().to_owned()
        }
        other => format!("{other:?}"),
    };
    if capability(format).ids {
        lines.push(format!("id {}", item.id));
    }
    lines.push(format!("metadata {}", serde_json::to_string(&item.metadata).unwrap()));
    lines.push(format!("geo {:?}", item.geo));
    lines.extend(item.concepts.iter().map(|tag| format!("concept {} {}", tag.name, tag.value)));
    let tags = |tags: &[ConceptValue]| format!("{:?}", tags.iter().map(|tag| &tag.name).collect::<Vec<_>>());
    for region in &item.regions {
        let shape = match &region.shape {
            Shape::Box { left, top, right, bottom } => {
                format!("box {left:.3} {top:.3} {right:.3} {bottom:.3}")
            }
            Shape::Polygon { rings } => {
                let ring = |ring: &Vec<Point>| {
                    ring.iter().map(|p| format!("{:.3} {:.3}", p.x, p.y)).collect::<Vec<_>>()
                };
                format!("polygon {:?}", rings.iter().map(ring).collect::<Vec<_>>())
            }
            Shape::Point { x, y } => format!("point {x:.3} {y:.3}"),
            Shape::MaskRle { .. } | Shape::MaskPng { .. } => {
                format!("mask {:?}", Bitmap::of(&region.shape).unwrap().unwrap().rows())
            }
        };
        let metadata = serde_json::to_string(&region.metadata).unwrap();
        lines.push(format!("region {shape} {} {metadata}", tags(&region.concepts)));
    }
    lines.extend(
        item.spans.iter().map(|span| format!("span {} {} {}", span.start, span.end, tags(&span.concepts))),
    );
    lines.sort_unstable();
    (name, lines)
}

async fn bring_in(app: &AppCtx, path: &Path, format: Option<Format>) -> Account {
    let done = import(app, path, format, Some("imported"), &ProgressBar::hidden()).await.unwrap();
    app.platform().run_until_idle().await.unwrap();
    assert_eq!(done.skipped, [], "{format:?}");
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_comes_back_from_the_product_as_it_went_in() {
    let test = TestPlatform::new().await;
    let account = test.account().await;
    let mut wrong = Vec::new();
    for format in Format::ALL {
        let id = format!("app-{}", format.name());
        let app = super::open_app(&account, Some(&id)).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        write(format, &first);
        bring_in(&app, &first, Some(format)).await;
        export(&app, format, &second, Selection::default(), &ProgressBar::hidden()).await.unwrap();
        let (before, after) = (said(format, &first), said(format, &second));
        assert!(!before.is_empty());
        if before != after {
            wrong.push(format!("{}\nbefore {before:#?}\nafter {after:#?}", format.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn importing_again_adds_only_what_is_missing() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let dir = tempfile::tempdir().unwrap();
        write(Format::Coco, dir.path());
        let first = bring_in(&app, dir.path(), None).await;
        assert_eq!((first.n_new, first.n_known), (3, 0));
        let listing = AnnotationListing { page: Page::first(100), ..AnnotationListing::default() };
        let n_said = annotations::list(&app, listing.clone()).await.unwrap().len();

        let again = bring_in(&app, dir.path(), None).await;
        assert_eq!((again.n_new, again.n_known), (0, 3));
        assert_eq!(annotations::list(&app, listing.clone()).await.unwrap().len(), n_said);

        inputs::delete(&app, &["11".to_owned()]).await.unwrap();
        let repaired = bring_in(&app, dir.path(), None).await;
        assert_eq!((repaired.n_new, repaired.n_known), (1, 2));
        assert_eq!(annotations::list(&app, listing).await.unwrap().len(), n_said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_content_under_a_known_id_is_skipped_with_the_reason() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let dir = tempfile::tempdir().unwrap();
    for (name, n) in [("one", 1), ("two", 2)] {
        let mut sink = FolderSink::create(&dir.path().join(name)).unwrap();
        let mut writer = Writer::new(Format::JsonLines, &mut sink, WriteOptions::default()).unwrap();
        let item = Item { id: "same".to_owned(), file_name: "a.png".to_owned(), ..Item::default() };
        writer.item(&item, Some(&mut Cursor::new(picture(n)))).unwrap();
        writer.finish().unwrap();
    }
    bring_in(&app, &dir.path().join("one"), None).await;
    let done = import(&app, &dir.path().join("two"), None, None, &ProgressBar::hidden()).await.unwrap();
    assert_eq!((done.n_new, done.n_known), (0, 0));
    assert_eq!(done.skipped.len(), 1);
    assert!(done.skipped[0].1.contains("other content"), "{:?}", done.skipped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_export_goes_on_and_foreign_folders_are_left_alone() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    write(Format::Yolo, &first);
    bring_in(&app, &first, None).await;
    let run =
        || async { export(&app, Format::Yolo, &second, Selection::default(), &ProgressBar::hidden()).await };
    run().await.unwrap();
    let whole = said(Format::Yolo, &second);
    let refusal = run().await.unwrap_err().to_string();
    assert!(refusal.contains("not empty"), "{refusal}");

    // As an interruption would leave it: the mark, and some of the files.
    std::fs::write(second.join(".ocellus-export"), format!("yolo {:?}\n", Selection::default())).unwrap();
    std::fs::remove_file(second.join("data.yaml")).unwrap();
    run().await.unwrap();
    assert_eq!(said(Format::Yolo, &second), whole);
    assert!(std::fs::metadata(second.join(".ocellus-export")).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_archive_goes_on_after_what_is_finished_and_notices_changes() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let new = |n: usize| inputs::NewInput {
        id: Some(format!("words-{n:03}")),
        source: ocellus_core::Source::Text(format!("some words, {n}")),
        kind: ocellus_core::MediaKind::Text,
        allow_duplicate_url: false,
        crop: None,
        labels: vec![inputs::NewLabel { concept_id: Some(format!("c{}", n % 3)), name: None, value: 1.0 }],
        metadata: JsonMap::new(),
        geo: None,
        parts: annotations::Data::default(),
    };
    for n in 0..3 {
        let some = (n * 100..n * 100 + 100).map(new).collect();
        inputs::create(&app, some).await.unwrap().into_iter().for_each(|made| drop(made.unwrap()));
    }
    test.settle().await;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let run = async |name: &str| {
        let (app, to) = (app.clone(), path(name));
        export(&app, Format::Yolo, &to, Selection::default(), &ProgressBar::hidden()).await.unwrap();
        std::fs::read(to).unwrap()
    };
    let whole = run("whole.zip").await;
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside the archive");

    // A folder in the place of the archive stops the very last step, the way a cut does.
    std::fs::create_dir(path("cut.zip")).unwrap();
    let bar = ProgressBar::hidden();
    export(&app, Format::Yolo, &path("cut.zip"), Selection::default(), &bar).await.unwrap_err();
    std::fs::remove_dir(path("cut.zip")).unwrap();
    let log = std::fs::read_to_string(path("cut.zip.part.log")).unwrap();
    assert_eq!(log.lines().count(), 1 + 3, "a line for the archive and one for each chunk");
    // As a kill would leave it: a second chunk that never reached the log, and the beginning of a line.
    let lines: Vec<&str> = log.lines().collect();
    std::fs::write(path("cut.zip.part.log"), format!("{}\n{}\n{{\"digest\"", lines[0], lines[1])).unwrap();
    // What is finished is not made again: it stays even if it is wrong.
    let mut part = std::fs::read(path("cut.zip.part")).unwrap();
    part[10] = 99;
    std::fs::write(path("cut.zip.part"), part).unwrap();
    let mut resumed = run("cut.zip").await;
    assert_eq!(resumed[10], 99);
    resumed[10] = whole[10];
    assert!(resumed == whole);

    // What has changed is written again, with all that follows.
    std::fs::create_dir(path("new.zip")).unwrap();
    let bar = ProgressBar::hidden();
    export(&app, Format::Yolo, &path("new.zip"), Selection::default(), &bar).await.unwrap_err();
    std::fs::remove_dir(path("new.zip")).unwrap();
    inputs::delete(&app, &["words-150".to_owned()]).await.unwrap();
    let resumed = run("new.zip").await;
    assert!(resumed == run("afresh.zip").await);
    assert!(resumed != whole);
}
