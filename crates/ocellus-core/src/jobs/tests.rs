//! What happens to jobs when things go well, badly, twice, or stop in the middle; and what becomes of real inputs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures_util::FutureExt;
use ocellus_algo::image::{RgbImage, encode_jpeg};
use ocellus_store as store;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::{JobCtx, JobKind, NewJob, Outcome};
use crate::inputs::{self, FailureCode, Input, InputPatch, InputState, NewInput, NewLabel, Rendition};
use crate::testing::{TestPlatform, cache_dir};
use crate::{
    AppCtx, CropBox, Error, GeoPoint, Ids, JsonMap, Kind, MediaKind, PatchAction, Platform, Result, Source,
};

/// A job that does what its parts' subjects say.
pub(crate) const PROBE: JobKind = JobKind {
    name: "probe",
    max_attempts: 3,
    run: |cx| probe(cx).boxed(),
    begin: None,
    give_up: Some(|tx, _, part, error, _| {
        Ok(tx.set_meta(&format!("gave up {}", part.subject), &error.message)?)
    }),
};

async fn probe(cx: JobCtx) -> Result<Outcome> {
    let subject = cx.part.subject.clone();
    match subject.as_str() {
        "panic" => panic!("as asked"),
        "unavailable" => return Err(Error::unavailable("not now")),
        "invalid" => return Err(Error::invalid("it", "is wrong")),
        // The first attempt takes until it is told to go on.
        "slow" => {
            let gate = gate(&cx.job.id);
            gate.begun.notify_one();
            if cx.part.attempts == 1 {
                gate.go.notified().await;
            }
        }
        _ => {}
    }
    Ok(Outcome::effect(move |tx| {
        let key = format!("did {subject}");
        let n_done: u32 = tx.meta(&key)?.and_then(|n| n.parse().ok()).unwrap_or(0);
        Ok(tx.set_meta(&key, &(n_done + 1).to_string())?)
    }))
}

async fn meta(platform: &Platform, key: &str) -> Option<String> {
    let key = key.to_owned();
    platform.store().read(move |tx| Ok::<_, Error>(tx.meta(&key)?)).await.unwrap()
}

/// Enqueues a probe with a part for each subject.
async fn enqueue(test: &TestPlatform, subjects: &[&str]) -> String {
    let now_us = test.clock.now_us();
    // Random, because the gates of all tests are in one map.
    let mut new = NewJob::new(&PROBE, &Ids::random().id(), "owner", now_us);
    new.parts = subjects.iter().map(|subject| store::JobPart::new(subject, now_us)).collect();
    let id = new.job.id.clone();
    test.platform.store().write(move |tx| new.insert(tx)).await.unwrap();
    test.platform.job_added().notify_waiters();
    id
}

async fn job(platform: &Platform, id: &str) -> store::Job {
    let id = id.to_owned();
    platform.store().read(move |tx| Ok::<_, Error>(tx.job(&id)?)).await.unwrap().unwrap()
}

async fn part(platform: &Platform, id: &str, idx: i64) -> store::JobPart {
    let id = id.to_owned();
    platform.store().read(move |tx| Ok::<_, Error>(tx.job_part(&id, idx)?)).await.unwrap().unwrap()
}

/// How a test and a slow part wait for each other.
#[derive(Default)]
struct Gate {
    begun: Notify,
    go: Notify,
}

static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);

fn gate(job_id: &str) -> Arc<Gate> {
    GATES.lock().entry(job_id.to_owned()).or_default().clone()
}

async fn begun(id: &str) {
    gate(id).begun.notified().await;
}

#[tokio::test]
async fn every_part_takes_effect_once_and_failures_stay_with_their_part() {
    for test in TestPlatform::all().await {
        let mut subjects: Vec<String> = (0..40).map(|i| format!("s{i}")).collect();
        subjects.extend(["panic".to_owned(), "invalid".to_owned()]);
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        let id = enqueue(&test, &subjects).await;
        test.settle().await;
        for subject in &subjects[..40] {
            assert_eq!(
                meta(&test.platform, &format!("did {subject}")).await.as_deref(),
                Some("1"),
                "{subject}"
            );
        }
        let ended = job(&test.platform, &id).await;
        assert_eq!((ended.state, ended.n_done, ended.n_failed), (store::Job::DONE, 40, 2));
        assert_eq!(meta(&test.platform, "gave up panic").await.as_deref(), Some("internal error"));
        assert_eq!(meta(&test.platform, "gave up invalid").await.as_deref(), Some("it is wrong"));
        let errors =
            test.platform.store().read(move |tx| Ok::<_, Error>(tx.job_errors(&id, 10, 0)?)).await.unwrap();
        let codes: Vec<_> =
            errors.iter().map(|error| (error.subject.as_str(), error.code.as_str())).collect();
        assert_eq!(codes, [("panic", "internal"), ("invalid", "invalid")]);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_later_and_given_up_in_the_end() {
    for test in TestPlatform::all().await {
        let id = enqueue(&test, &["unavailable"]).await;
        for attempt in 1..=2 {
            test.settle().await;
            test.settle().await;
            let waiting = part(&test.platform, &id, 0).await;
            assert_eq!((waiting.state, waiting.attempts), (store::Job::PENDING, attempt));
            assert!(waiting.run_at_us > test.clock.now_us());
            test.clock.advance_us(waiting.run_at_us - test.clock.now_us());
        }
        test.settle().await;
        assert_eq!(job(&test.platform, &id).await.state, store::Job::FAILED);
        assert_eq!(meta(&test.platform, "gave up unavailable").await.as_deref(), Some("not now"));
    }
}

// A killed worker may leave a transaction that another thread has to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_workers_part_is_taken_over_when_its_lease_ends() {
    for test in TestPlatform::all().await {
        let id = enqueue(&test, &["slow"]).await;
        let workers = test.platform.start_workers().await.unwrap();
        begun(&id).await;
        workers.kill().await;
        let other = test.another();
        other.run_until_idle().await.unwrap();
        assert_eq!(meta(&other, "did slow").await, None, "the lease still holds");
        test.clock.advance_us(30_000_001);
        other.run_until_idle().await.unwrap();
        assert_eq!(meta(&other, "did slow").await.as_deref(), Some("1"));
        assert_eq!(job(&other, &id).await.state, store::Job::DONE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_lost_its_lease_writes_nothing() {
    for test in TestPlatform::all().await {
        let id = enqueue(&test, &["slow"]).await;
        let late = test.platform.start_workers().await.unwrap();
        begun(&id).await;
        test.clock.advance_us(30_000_001);
        test.another().run_until_idle().await.unwrap();
        gate(&id).go.notify_one();
        late.stop().await;
        assert_eq!(meta(&test.platform, "did slow").await.as_deref(), Some("1"));
    }
}

// A killed worker may leave a transaction that another thread has to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_stop_lets_parts_end_and_a_start_alone_takes_over_what_the_dead_held() {
    for test in TestPlatform::all().await {
        let id = enqueue(&test, &["slow"]).await;
        let workers = test.platform.start_workers().await.unwrap();
        begun(&id).await;
        workers.kill().await;
        let owner = test.another().boot_id().to_owned();
        let release = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.release_leases_of_others(&owner)?);
        assert_eq!(test.platform.store().write(release).await.unwrap(), 1);
        // No time has passed, and yet the part can be had.
        let workers = test.platform.start_workers().await.unwrap();
        begun(&id).await;
        workers.stop().await;
        assert_eq!(meta(&test.platform, "did slow").await.as_deref(), Some("1"));
    }
}

// A killed worker may leave a transaction that another thread has to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_stops_and_keeps_what_is_done() {
    for test in TestPlatform::all().await {
        let id = enqueue(&test, &["slow"]).await;
        let workers = test.platform.start_workers().await.unwrap();
        begun(&id).await;
        let cancelled = id.clone();
        let now_us = test.clock.now_us();
        test.platform
            .store()
            .write(move |tx| Ok::<_, Error>(tx.cancel_job(&cancelled, now_us)?))
            .await
            .unwrap();
        workers.kill().await;
        // The next to hold the part learns it from the job.
        test.clock.advance_us(30_000_001);
        test.settle().await;
        assert_eq!(job(&test.platform, &id).await.state, store::Job::CANCELLED);
        assert_eq!(meta(&test.platform, "did slow").await, None);
    }
}

fn photo(name: &str) -> Bytes {
    let path = cache_dir().join("photos").join(name);
    Bytes::from(
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run make setup", path.display())),
    )
}

fn input(id: &str, source: Source) -> NewInput {
    NewInput {
        id: Some(id.to_owned()),
        source,
        kind: MediaKind::Image,
        allow_duplicate_url: false,
        crop: None,
        labels: Vec::new(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    }
}

/// Answers `/photo` with a photograph, `/text` with words, anything else with 404, until the runtime ends.
async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let n = stream.read(&mut request).await.unwrap_or(0);
                let path = String::from_utf8_lossy(&request[..n]).split(' ').nth(1).unwrap_or("").to_owned();
                let (status, body) = match path.as_str() {
                    "/photo" => ("200 OK", photo("robin.jpg")),
                    "/text" => ("200 OK", Bytes::from_static(b"<html>no image at all</html>")),
                    _ => ("404 Not Found", Bytes::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            });
        }
    });
    address
}

fn failure(input: &Input) -> Option<FailureCode> {
    match &input.state {
        InputState::Failed { code, message } => {
            assert!(!message.is_empty());
            Some(*code)
        }
        InputState::Pending | InputState::Processing | InputState::Ready => None,
    }
}

#[tokio::test]
async fn inputs_are_described_or_fail_with_a_reason_each_on_its_own() {
    let address = serve().await;
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let url = |path: &str| Source::Url(format!("http://{address}/{path}"));
        let lower_half = CropBox { top: 0.5, left: 0.0, bottom: 1.0, right: 1.0 };
        let batch = vec![
            input("bytes", Source::Bytes(photo("robin.jpg"))),
            input("url", url("photo")),
            NewInput { crop: Some(lower_half), ..input("crop", Source::Bytes(photo("robin.jpg"))) },
            input("missing", url("nothing")),
            input("text", url("text")),
            input("junk", Source::Bytes(Bytes::from_static(b"junk"))),
            input("cut", Source::Bytes(photo("robin.jpg").slice(..2000))),
            input("private", Source::Url("http://10.1.2.3/a.jpg".to_owned())),
        ];
        assert!(inputs::create(&app, batch).await.unwrap().iter().all(Result::is_ok));
        test.settle().await;
        let mut failures = Vec::new();
        for id in ["bytes", "url", "crop", "missing", "text", "junk", "cut", "private"] {
            let input = inputs::get(&app, id).await.unwrap();
            assert!(input.state != InputState::Pending && input.state != InputState::Processing, "{id}");
            failures.push(failure(&input));
        }
        let (failed, bad) = (Some(FailureCode::DownloadFailed), Some(FailureCode::InvalidImage));
        let bad_or_unknown =
            |code: &Option<FailureCode>| *code == bad || *code == Some(FailureCode::Unsupported);
        assert_eq!(failures[..4], [None, None, None, failed]);
        assert!(failures[4..7].iter().all(bad_or_unknown), "{failures:?}");
        assert_eq!(failures[7], Some(FailureCode::AddressForbidden));
        check_described(&test, &app).await;
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 0);
    }
}

async fn check_described(test: &TestPlatform, app: &AppCtx) {
    let (by_bytes, by_url) =
        (inputs::get(app, "bytes").await.unwrap(), inputs::get(app, "url").await.unwrap());
    assert_eq!(by_bytes.hosted, by_url.hosted, "the same bytes are kept once");
    assert!(by_bytes.width.unwrap() > 0 && by_bytes.height.unwrap() > 0 && !by_bytes.colors.is_empty());
    let (original, mime) = inputs::image(app, "url", Rendition::Original).await.unwrap();
    assert_eq!((original, mime.as_str()), (photo("robin.jpg"), "image/jpeg"));
    let (thumb, _) = inputs::image(app, "url", Rendition::Thumbnail).await.unwrap();
    assert!(thumb.starts_with(&[0xff, 0xd8]));
    let (general, space) =
        (version(test.platform.catalog().general()), version(test.platform.catalog().embedding()));
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let of =
            |id: &str| Ok::<_, Error>((tx.predictions_of(&uid, id, &general)?, tx.vector(&uid, &space, id)?));
        Ok::<_, Error>((of("bytes")?, of("url")?, of("crop")?, of("junk")?, tx.input(&uid, "bytes")?))
    };
    let (bytes, url, crop, junk, row) = test.platform.store().read(read).await.unwrap();
    let vector = bytes.1.unwrap();
    assert!(!bytes.0.is_empty() && row.unwrap().phash.is_some());
    assert_eq!(vector.data, url.1.unwrap().data);
    assert_ne!(vector.data, crop.1.unwrap().data);
    assert_eq!(junk, (Vec::new(), None));
}

fn version(model: &crate::catalog::ModelSpec) -> String {
    model.version_id().to_owned()
}

/// A small JPEG whose EXIF says 48.5 N, 11.25 W and a camera's make.
fn jpeg_with_place() -> Bytes {
    let plain = encode_jpeg(&RgbImage::from_pixel(64, 64, [200, 30, 30].into()), 90).unwrap();
    let mut tiff: Vec<u8> = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), &value].concat()
    };
    tiff.extend(entry(0x010f, 2, 4, *b"Cam\0"));
    tiff.extend(entry(0x8825, 4, 1, 38_u32.to_be_bytes()));
    tiff.extend([0, 0, 0, 0]);
    tiff.extend([0, 4]);
    tiff.extend(entry(1, 2, 2, *b"N\0\0\0"));
    tiff.extend(entry(2, 5, 3, 92_u32.to_be_bytes()));
    tiff.extend(entry(3, 2, 2, *b"W\0\0\0"));
    tiff.extend(entry(4, 5, 3, 116_u32.to_be_bytes()));
    tiff.extend([0, 0, 0, 0]);
    for (degrees, minutes) in [(48_u32, 30_u32), (11, 15)] {
        for number in [degrees, 1, minutes, 1, 0, 1] {
            tiff.extend(number.to_be_bytes());
        }
    }
    let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
    Bytes::from([&plain[..2], b"\xff\xe1", &length, b"Exif\0\0", &tiff, &plain[2..]].concat())
}

#[tokio::test]
async fn a_photographs_own_place_counts_unless_the_user_gave_one() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let given = GeoPoint { longitude: 1.0, latitude: 2.0 };
        let batch = vec![
            input("own", Source::Bytes(jpeg_with_place())),
            NewInput { geo: Some(given), ..input("given", Source::Bytes(jpeg_with_place())) },
            input("patched", Source::Bytes(jpeg_with_place())),
        ];
        inputs::create(&app, batch).await.unwrap();
        let change = InputPatch { id: "patched".to_owned(), geo: Some(given), ..InputPatch::default() };
        inputs::patch(&app, vec![change], PatchAction::Merge).await.unwrap();
        test.settle().await;
        let own = inputs::get(&app, "own").await.unwrap();
        let place = own.geo.unwrap();
        assert!((place.latitude - 48.5).abs() < 1e-9 && (place.longitude + 11.25).abs() < 1e-9, "{place:?}");
        assert_eq!(own.exif["make"], "Cam");
        assert!(own.metadata.is_empty());
        for id in ["given", "patched"] {
            assert_eq!(inputs::get(&app, id).await.unwrap().geo, Some(given));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_changes_while_an_input_is_described_is_kept() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let ids: Vec<String> = (0..6).map(|i| format!("p{i}")).collect();
        let batch = ids.iter().map(|id| input(id, Source::Bytes(photo("dog_small.jpg")))).collect();
        inputs::create(&app, batch).await.unwrap();
        let workers = test.platform.start_workers().await.unwrap();
        let label = NewLabel { concept_id: Some("mine".to_owned()), name: None, value: 1.0 };
        let mut round = 0;
        while test.platform.count_open_jobs().await.unwrap() > 0 {
            let key = format!("k{round}");
            let change = |id: &String| InputPatch {
                id: id.clone(),
                labels: Some(vec![label.clone()]),
                metadata: Some([(key.clone(), true.into())].into_iter().collect()),
                geo: None,
                ..InputPatch::default()
            };
            inputs::patch(&app, ids.iter().map(change).collect(), PatchAction::Merge).await.unwrap();
            // Whatever lost against these writes and waits for another attempt gets it.
            test.clock.advance_us(100_000);
            round += 1;
        }
        workers.stop().await;
        for id in &ids {
            let input = inputs::get(&app, id).await.unwrap();
            assert_eq!(
                (input.state, input.metadata.len(), input.labels.len()),
                (InputState::Ready, round, round.min(1))
            );
        }
    }
}

#[tokio::test]
async fn an_input_deleted_while_it_waits_leaves_nothing_behind() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        inputs::create(&app, vec![input("a", Source::Bytes(photo("dog_small.jpg")))]).await.unwrap();
        inputs::delete(&app, &["a".to_owned()]).await.unwrap();
        test.settle().await;
        assert_eq!(inputs::get(&app, "a").await.unwrap_err().kind, Kind::NotFound);
        let (uid, space) = (app.uid().to_owned(), version(test.platform.catalog().embedding()));
        let vector = test
            .platform
            .store()
            .read(move |tx| Ok::<_, Error>(tx.vector(&uid, &space, "a")?))
            .await
            .unwrap();
        assert_eq!(vector, None);
    }
}
