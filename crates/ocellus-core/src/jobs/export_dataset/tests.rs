//! What becomes of exports that are cut off: nothing finished is made again, and the archive is the same.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use ocellus_interchange::{ConceptValue, Item, Limits, Region, Shape, open_archive};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::*;
use crate::datasets::exports::{self, ExportState};
use crate::datasets::versions::{self, NewVersion};
use crate::datasets::{self, Dataset};
use crate::resources::New;
use crate::testing::TestPlatform;
use crate::{AppCtx, Platform};

/// Two full chunks and a part of a third.
const N_INPUTS: i64 = 300;

fn frozen(n: i64) -> Frozen {
    let shape = Shape::Box { left: 0.25, top: 0.5, right: 0.75, bottom: 1.0 };
    let item = Item {
        id: format!("input-{n}"),
        file_name: format!("picture {}.png", n % 7),
        width: Some(40),
        height: Some(20),
        regions: vec![Region::new(shape, vec![ConceptValue::positive(&format!("concept {}", n % 11))])],
        split: Some(["train", "val"][usize::from(n % 3 == 0)].to_owned()),
        ..Item::default()
    };
    Frozen {
        item,
        kind: "image".to_owned(),
        state: "ready".to_owned(),
        hash: Some(store::Blobs::hash_of(&picture(n))),
        has_thumb: false,
        mime: Some("image/png".to_owned()),
        crop: None,
        metadata: JsonMap::new(),
        created_at_us: n,
        modified_at_us: n,
        vector: None,
    }
}

fn picture(n: i64) -> Bytes {
    format!("picture {n}: ").repeat(20).into()
}

/// Versions that hold pictures which nobody looks into, as if they had been frozen.
async fn versions_of_pictures(app: &AppCtx, ids: &[&str]) {
    datasets::create(app, vec![New { id: Some("d".to_owned()), doc: Dataset::default() }]).await.unwrap();
    for id in ids {
        let new = NewVersion { id: Some((*id).to_owned()), ..NewVersion::default() };
        versions::create(app, "d", vec![new]).await.unwrap();
    }
    app.platform().run_until_idle().await.unwrap();
    for n in 1..=N_INPUTS {
        app.platform().store().blobs().put(picture(n)).await.unwrap();
    }
    for id in ids {
        let (app_uid, version_uid) = (app.uid().to_owned(), uid(app, id).await);
        let row = |n| store::DatasetItem {
            app_uid: app_uid.clone(),
            version_uid: version_uid.clone(),
            input_id: format!("input-{n}"),
            seq: n,
            content: "content".to_owned(),
            labels: "labels".to_owned(),
            blob: frozen(n).hash,
            doc: serde_json::to_value(frozen(n)).unwrap().as_object().unwrap().clone(),
        };
        let rows: Vec<_> = (1..=N_INPUTS).map(row).collect();
        let write = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.put_dataset_items(&rows)?);
        app.platform().store().write(write).await.unwrap();
    }
}

async fn uid(app: &AppCtx, version_id: &str) -> String {
    versions::get(app, "d", version_id).await.unwrap().doc.uid
}

/// The row of an export, and its chunks.
async fn rows(
    app: &AppCtx,
    version_uid: &str,
    format: ExportFormat,
) -> (store::DatasetExport, Vec<store::DatasetExportChunk>) {
    let (app_uid, version_uid) = (app.uid().to_owned(), version_uid.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        let rows = tx.dataset_exports(&app_uid, &version_uid)?;
        let row = rows.into_iter().find(|row| row.format == format.name()).unwrap();
        let key = (app_uid.as_str(), version_uid.as_str(), row.format.as_str(), row.run.as_str());
        let chunks = tx.dataset_export_chunks(key, 0, 100)?;
        Ok::<_, Error>((row, chunks))
    };
    app.platform().store().read(read).await.unwrap()
}

async fn ask(app: &AppCtx, version: &str, format: ExportFormat) -> exports::Export {
    exports::put(app, "d", version, vec![format], "http://here").await.unwrap().remove(0)
}

async fn archive(app: &AppCtx, version: &str, format: ExportFormat) -> Bytes {
    let archive = exports::open(app, "d", version, format).await.unwrap();
    archive.read(0, u64::MAX).await.unwrap()
}

fn path_of(app: &AppCtx, n: i64) -> PathBuf {
    app.platform().store().blobs().path(&store::Blobs::hash_of(&picture(n))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_failed_in_the_middle_goes_on_there_and_looks_at_nothing_again() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        versions_of_pictures(&app, &["whole", "cut"]).await;
        for format in [ExportFormat::Coco, ExportFormat::Voc, ExportFormat::Yolo] {
            ask(&app, "whole", format).await;
            test.settle().await;
            let expected = archive(&app, "whole", format).await;

            std::fs::write(path_of(&app, 200), b"damaged").unwrap();
            ask(&app, "cut", format).await;
            test.settle().await;
            let told = ask(&app, "cut", format).await;
            assert_eq!(
                (told.state, told.n_done, told.n_items),
                (ExportState::InProgress, 128, 0),
                "{format:?}"
            );
            let version_uid = uid(&app, "cut").await;
            let (_, chunks) = rows(&app, &version_uid, format).await;
            assert_eq!(chunks.iter().map(|chunk| chunk.last_seq).collect::<Vec<_>>(), [128]);
            // What is in the chunk that is finished is no longer needed, and the chunk is nobody's to collect.
            std::fs::write(path_of(&app, 200), picture(200)).unwrap();
            std::fs::write(path_of(&app, 5), b"damaged").unwrap();
            app.platform().collect_blobs("owner").await.unwrap();
            test.clock.advance_us(3_600_000_000);
            test.settle().await;
            test.settle().await;
            assert_eq!(ask(&app, "cut", format).await.state, ExportState::Ready, "{format:?}");
            assert_eq!(archive(&app, "cut", format).await, expected, "{format:?}");
            std::fs::write(path_of(&app, 5), picture(5)).unwrap();

            let files =
                open_archive(Arc::new(expected.to_vec()), Limits::default(), &Scratch::Memory).unwrap();
            assert_eq!(
                files.entries().iter().filter(|entry| entry.path.ends_with(".png")).count(),
                usize::try_from(N_INPUTS).unwrap()
            );
            // The chunks go once the archive is there.
            let (row, left) = rows(&app, &version_uid, format).await;
            assert_eq!((left.len(), row.n_done), (0, 0));
            test.clock.advance_us(3_600_000_000);
            test.settle().await;
            for chunk in chunks {
                assert!(!app.platform().store().blobs().exists(&chunk.blob).await.unwrap());
            }
            assert_eq!(archive(&app, "cut", format).await, expected);
        }
    }
}

/// A way of writing that stops before its second file until the test says how it goes on.
struct Stop {
    begun: Notify,
    go: Mutex<Option<Receiver<()>>>,
    /// How often the file that begins with an input was made.
    n_made: Mutex<BTreeMap<String, u32>>,
}

fn stopping(platform: &Platform) -> (Arc<Stop>, Sender<()>) {
    let (go, wait) = channel();
    let stop = Arc::new(Stop { begun: Notify::new(), go: Mutex::new(Some(wait)), n_made: Mutex::default() });
    register(platform, &stop);
    (stop, go)
}

fn register(platform: &Platform, stop: &Arc<Stop>) {
    let stop = stop.clone();
    let encode = move |_: &ExportAbout, inputs: &[Frozen]| {
        let first = inputs[0].item.id.clone();
        *stop.n_made.lock().entry(first.clone()).or_default() += 1;
        if first == "input-129"
            && let Some(go) = stop.go.lock().take()
        {
            stop.begun.notify_one();
            // A sender that is gone ends this thread, as the end of a process would.
            go.recv().unwrap();
        }
        inputs.iter().map(|input| input.item.id.as_str()).collect::<Vec<_>>().join("\n").into_bytes()
    };
    let exporter = Exporter { mimetype: "test/test", encode: Arc::new(encode) };
    platform.exporters().register(ExportFormat::DialectBinary, exporter);
}

// A killed worker may leave a transaction that another thread has to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_export_is_taken_up_after_its_last_finished_chunk() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        versions_of_pictures(&app, &["whole", "cut"]).await;
        let (stop, go) = stopping(&test.platform);
        ask(&app, "cut", ExportFormat::DialectBinary).await;
        let workers = test.platform.start_workers().await.unwrap();
        stop.begun.notified().await;
        workers.kill().await;
        drop(go);
        let other = test.another();
        register(&other, &stop);
        test.clock.advance_us(30_000_001);
        other.run_until_idle().await.unwrap();
        let made = stop.n_made.lock().clone();
        let expected = [("input-1", 1), ("input-129", 2), ("input-257", 1)];
        assert_eq!(made, expected.map(|(first, n)| (first.to_owned(), n)).into());
        ask(&app, "whole", ExportFormat::DialectBinary).await;
        test.settle().await;
        let [cut, whole] = [
            archive(&app, "cut", ExportFormat::DialectBinary).await,
            archive(&app, "whole", ExportFormat::DialectBinary).await,
        ];
        assert_eq!(cut, whole);
        let files = open_archive(Arc::new(cut.to_vec()), Limits::default(), &Scratch::Memory).unwrap();
        let paths: Vec<&str> = files.entries().iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["all/00000000_n128", "all/00000001_n128", "all/00000002_n44", "mimetype"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_ends_with_its_version_and_leaves_nothing() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        versions_of_pictures(&app, &["v"]).await;
        let (stop, go) = stopping(&test.platform);
        ask(&app, "v", ExportFormat::DialectBinary).await;
        let workers = test.platform.start_workers().await.unwrap();
        stop.begun.notified().await;
        let version_uid = uid(&app, "v").await;
        let (row, chunks) = rows(&app, &version_uid, ExportFormat::DialectBinary).await;
        assert_eq!((row.n_done, chunks.len()), (128, 1));
        versions::delete(&app, "d", &["v".to_owned()]).await.unwrap();
        go.send(()).unwrap();
        workers.stop().await;
        test.settle().await;
        let (app_uid, run) = (app.uid().to_owned(), row.run.clone());
        let read = move |tx: &mut store::Tx<'_>| {
            let key = (app_uid.as_str(), version_uid.as_str(), row.format.as_str(), row.run.as_str());
            Ok::<_, Error>((tx.dataset_export_chunks(key, 0, 10)?.len(), tx.job(&run)?.unwrap().state))
        };
        let found = test.platform.store().read(read).await.unwrap();
        assert_eq!(found, (0, store::Job::CANCELLED));
        test.clock.advance_us(3_600_000_000);
        test.settle().await;
        assert!(!app.platform().store().blobs().exists(&chunks[0].blob).await.unwrap());
    }
}
