//! Datasets on every database: what versions keep, what archives hold, and what is left when they go.

use std::io::Read;

use ocellus_interchange::{Format, Item, Limits, ReadOptions, Scratch, open_archive, read};

use super::exports::{self, ExportFormat, ExportState, Exporter};
use super::versions::{self, NewVersion, VersionState, content_hash};
use super::*;
use crate::annotations::{self, Data, NewAnnotation, Region, Said, Shape};
use crate::inputs::{self, NewInput, NewLabel};
use crate::testing::{TestPlatform, cache_dir};
use crate::{CropBox, MediaKind, Source, apps};

fn new_input(id: &str, source: Source, kind: MediaKind) -> NewInput {
    NewInput {
        id: Some(id.to_owned()),
        source,
        kind,
        allow_duplicate_url: false,
        crop: None,
        labels: vec![NewLabel { concept_id: Some("seen".to_owned()), name: None, value: 1.0 }],
        metadata: JsonMap::new(),
        geo: None,
        parts: Data::default(),
    }
}

fn photo(name: &str) -> Source {
    Source::Bytes(std::fs::read(cache_dir().join("photos").join(name)).unwrap().into())
}

/// A dataset of a photograph with a box on it and of a text.
async fn filled(app: &AppCtx) {
    create(app, vec![New { id: Some("d".to_owned()), doc: Dataset::default() }]).await.unwrap();
    let new = vec![
        new_input("robin", photo("robin.jpg"), MediaKind::Image),
        new_input("words", Source::Text("words".to_owned()), MediaKind::Text),
    ];
    let in_d = vec!["d".to_owned()];
    for made in inputs::create_in(app, new, vec![in_d.clone(), in_d]).await.unwrap() {
        made.unwrap();
    }
    let bird = Said { concept_id: "bird".to_owned(), name: "Bird".to_owned(), value: 1.0 };
    let shape = Shape::Box(CropBox { top: 0.25, left: 0.125, bottom: 0.75, right: 0.5 });
    let region = Region { shape: Some(shape), concepts: vec![bird], ..Region::default() };
    let data = Data { regions: vec![region], ..Data::default() };
    let new = NewAnnotation { input_id: "robin".to_owned(), data, ..NewAnnotation::default() };
    annotations::create(app, vec![new]).await.unwrap().remove(0).unwrap();
    app.platform().run_until_idle().await.unwrap();
}

async fn version(app: &AppCtx, id: &str) -> versions::Version {
    versions::create(app, "d", vec![NewVersion { id: Some(id.to_owned()), ..NewVersion::default() }])
        .await
        .unwrap();
    app.platform().run_until_idle().await.unwrap();
    versions::get(app, "d", id).await.unwrap().doc
}

async fn n_rows(app: &AppCtx) -> [usize; 2] {
    let app_uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let members = tx.datasets_of_inputs(&app_uid, &["robin", "words"])?.len();
        Ok::<_, Error>([members, 0])
    };
    app.platform().store().read(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_counts_what_it_froze() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        filled(&app).await;
        let made = version(&app, "v").await;
        assert_eq!((made.state, made.progress), (VersionState::Ready, (2, 2)));
        let total = &made.counts.total;
        assert_eq!((total.inputs, total.regions, total.boxes, total.region_inputs), (2, 1, 1, 1));
        assert_eq!(
            (total.positive_input_tags, total.positive_region_tags, total.unlabeled_inputs),
            (2, 1, 0)
        );
        assert_eq!(made.counts.by_concept["bird"].boxes, 1);
        assert_eq!(made.counts.by_concept["seen"].boxes, 0);
        assert_eq!(made.counts.by_kind.keys().collect::<Vec<_>>(), ["image", "text"]);
        let kept = versions::items(&app, "d", "v", 0, 10).await.unwrap();
        assert_eq!(
            kept.iter().map(|(_, frozen)| frozen.item.id.as_str()).collect::<Vec<_>>(),
            ["robin", "words"]
        );
    }
}

#[test]
fn the_hash_of_a_version_does_not_depend_on_the_order_of_its_inputs() {
    let lines = |order: [usize; 3]| order.map(|n| format!("input-{n}\tc{n}\tl{n}")).to_vec();
    assert_eq!(content_hash(lines([1, 2, 3])), content_hash(lines([3, 1, 2])));
    assert_ne!(content_hash(lines([1, 2, 3])), content_hash(lines([1, 2, 4])));
    // SHA-256 of nothing: the hash of an empty version, for good.
    assert!(content_hash(Vec::new()).starts_with("e3b0c44298fc1c14"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archives_of_the_field_hold_pictures_and_boxes_and_outlive_the_inputs() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        filled(&app).await;
        version(&app, "v").await;
        inputs::delete(&app, &["robin".to_owned()]).await.unwrap();
        // Long after the deletion the collector has been round.
        test.clock.advance_us(3_600_000_000);
        test.settle().await;
        let wanted = vec![ExportFormat::Coco, ExportFormat::Voc, ExportFormat::Yolo];
        let asked = exports::put(&app, "d", "v", wanted.clone(), "http://here").await.unwrap();
        assert!(asked.iter().all(|export| export.state == ExportState::Pending));
        test.settle().await;
        for export in exports::put(&app, "d", "v", wanted, "http://here").await.unwrap() {
            assert_eq!(export.state, ExportState::Ready, "{}", export.error);
            let archive = exports::open(&app, "d", "v", export.format).await.unwrap();
            let bytes = archive.read(0, archive.size_bytes).await.unwrap();
            assert_eq!(bytes.len() as u64, export.size_bytes);
            let format = export.format.of_the_field().unwrap();
            let found = items_of(format, bytes.to_vec());
            let robin =
                found.iter().find(|item| item.file_name.starts_with("robin") || item.id.contains("robin"));
            let robin = robin.unwrap_or_else(|| panic!("{format:?} has no robin: {found:?}"));
            assert_eq!(robin.regions.len(), 1, "{format:?}");
            assert_eq!(robin.regions[0].concepts[0].name, "Bird");
        }
    }
}

fn items_of(format: Format, bytes: Vec<u8>) -> Vec<Item> {
    let files = open_archive(std::sync::Arc::new(bytes), Limits::default(), &Scratch::Memory).unwrap();
    let mut found = Vec::new();
    read(format, files.as_ref(), &ReadOptions::default(), &mut |item| {
        found.push(item);
        Ok(())
    })
    .unwrap();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_waits_for_the_version_it_is_made_of() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        filled(&app).await;
        let new = NewVersion { id: Some("v".to_owned()), ..NewVersion::default() };
        versions::create(&app, "d", vec![new]).await.unwrap();
        let wanted = vec![ExportFormat::Coco];
        let asked = exports::put(&app, "d", "v", wanted.clone(), "http://here").await.unwrap();
        assert_eq!(asked[0].state, ExportState::Pending);
        let again = exports::put(&app, "d", "v", wanted.clone(), "http://here").await.unwrap();
        assert_eq!(again[0].state, ExportState::Pending);
        test.settle().await;
        let made = exports::put(&app, "d", "v", wanted, "http://here").await.unwrap();
        assert_eq!((made[0].state, made[0].n_items), (ExportState::Ready, 2), "{}", made[0].error);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialects_archive_has_its_mimetype_and_files_named_by_number() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    filled(&app).await;
    version(&app, "v").await;
    let encode = |about: &exports::ExportAbout, inputs: &[frozen::Frozen]| {
        format!("{} {}", about.base_url, inputs.len()).into_bytes()
    };
    let exporter = Exporter { mimetype: "test/test", encode: std::sync::Arc::new(encode) };
    test.platform.exporters().register(ExportFormat::DialectBinary, exporter);
    exports::put(&app, "d", "v", vec![ExportFormat::DialectBinary], "http://here").await.unwrap();
    test.settle().await;
    let archive = exports::open(&app, "d", "v", ExportFormat::DialectBinary).await.unwrap();
    let bytes = archive.read(0, u64::MAX).await.unwrap();
    let files =
        open_archive(std::sync::Arc::new(bytes.to_vec()), Limits::default(), &Scratch::Memory).unwrap();
    let paths: Vec<&str> = files.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["all/00000000_n2", "mimetype"]);
    let mut text = String::new();
    files.open("all/00000000_n2").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "http://here 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_deleted_dataset_or_app() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        filled(&app).await;
        let uid = version(&app, "v").await.uid;
        exports::put(&app, "d", "v", vec![ExportFormat::Coco], "").await.unwrap();
        test.settle().await;
        let archive = exports::open(&app, "d", "v", ExportFormat::Coco).await.unwrap().hash;
        delete(&app, &["d".to_owned()]).await.unwrap();
        test.settle().await;
        test.clock.advance_us(3_600_000_000);
        test.settle().await;
        assert_eq!(n_rows(&app).await, [0, 0]);
        let app_uid = app.uid().to_owned();
        let rows = test.platform.store();
        let kept = rows.read(move |tx| Ok::<_, Error>(tx.dataset_items_page(&app_uid, &uid, 0, 10)?)).await;
        assert_eq!(kept.unwrap(), []);
        assert!(!test.platform.store().blobs().exists(&archive).await.unwrap());
        assert_eq!(inputs::get(&app, "robin").await.unwrap().dataset_ids, [] as [&str; 0]);

        create(&app, vec![New { id: Some("d".to_owned()), doc: Dataset::default() }]).await.unwrap();
        add(&app, "d", vec!["robin".to_owned()]).await.unwrap();
        let uid = version(&app, "again").await.uid;
        let app_uid = app.uid().to_owned();
        apps::delete(&app).await.unwrap();
        test.settle().await;
        let kept = test
            .platform
            .store()
            .read(move |tx| Ok::<_, Error>(tx.dataset_items_page(&app_uid, &uid, 0, 10)?))
            .await;
        assert_eq!(kept.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archives_with_vectors_hold_those_of_the_inputs_that_the_version_has() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let encode = |_: &exports::ExportAbout, page: &[frozen::Frozen]| {
        let of = |frozen: &frozen::Frozen| (frozen.item.id.clone(), frozen.vector.as_ref().map(Vec::len));
        format!("{:?}", page.iter().map(of).collect::<Vec<_>>()).into_bytes()
    };
    let exporter = Exporter { mimetype: "test/test", encode: std::sync::Arc::new(encode) };
    test.platform.exporters().register(ExportFormat::DialectBinary, exporter);
    create(&app, vec![New { id: Some("d".to_owned()), doc: Dataset::default() }]).await.unwrap();
    let text = |id: &str| new_input(id, Source::Text("words".to_owned()), MediaKind::Text);
    let picture = |id: &str| new_input(id, photo("dog.png"), MediaKind::Image);
    let new = vec![picture("kept"), picture("replaced"), text("words")];
    inputs::create_in(&app, new, vec![vec!["d".to_owned()]; 3]).await.unwrap();
    test.settle().await;
    version(&app, "v").await;
    inputs::delete(&app, &["replaced".to_owned()]).await.unwrap();
    inputs::create(&app, vec![text("replaced")]).await.unwrap();
    let format = ExportFormat::DialectBinary.with_vectors().unwrap();
    exports::put(&app, "d", "v", vec![format], "").await.unwrap();
    test.settle().await;
    let archive = exports::open(&app, "d", "v", format).await.unwrap();
    let bytes = archive.read(0, u64::MAX).await.unwrap();
    let files =
        open_archive(std::sync::Arc::new(bytes.to_vec()), Limits::default(), &Scratch::Memory).unwrap();
    let mut told = String::new();
    files.open("all/00000000_n3").unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, r#"[("kept", Some(1280)), ("replaced", None), ("words", None)]"#);
    assert_eq!(ExportFormat::Coco.with_vectors(), None);
}
