//! Extractions that are stopped in the middle, on every database.

use std::io::Cursor;

use ocellus_interchange::{Sink, ZipSink};

use super::*;
use crate::AppCtx;
use crate::extractions::{self, NewExtraction, NewSource, Template};
use crate::inputs::{self, IdConflict};
use crate::jobs::Signal;
use crate::testing::TestPlatform;
use crate::uploads::{self, Part, Upload};

/// An upload of an archive with so many texts, and the id of its extraction.
async fn begun(app: &AppCtx, n_entries: usize) -> String {
    let mut sink = ZipSink::new(Cursor::new(Vec::new()));
    for n in 0..n_entries {
        sink.put(&format!("{n:03}.txt"), &mut format!("text {n}").as_bytes()).unwrap();
    }
    let bytes = sink.finish().unwrap().into_inner();
    let doc = Upload { content_name: "a.zip".to_owned(), content_length: bytes.len() as u64 };
    uploads::create(app, vec![resources::New { id: Some("u".to_owned()), doc }]).await.unwrap();
    let part = Part { range_start: 0, part_number: 0, data: bytes.into() };
    uploads::put_parts(app, "u", vec![part]).await.unwrap();
    let new = NewExtraction {
        add_job_id: None,
        source: NewSource::Upload { id: Some("u".to_owned()), upload: Upload::default() },
        on_conflict: IdConflict::Suffix,
        template: Template::default(),
        call_back_url: String::new(),
    };
    extractions::create(app, vec![new]).await.unwrap().remove(0).extractions.remove(0).id
}

/// What a process holds that claims the only part there is.
async fn claim(test: &TestPlatform, owner: &str) -> JobCtx {
    let (now_us, kinds) = (test.clock.now_us(), vec![KIND.name.to_owned()]);
    let store = test.platform.store();
    let claimed = store.claim_parts(kinds, owner.to_owned(), now_us, now_us + 30_000_000, 1).await.unwrap();
    let (job, part) = claimed.into_iter().next().unwrap();
    JobCtx { platform: test.platform.clone(), job, part, signal: Signal::default() }
}

async fn n_inputs(app: &AppCtx) -> usize {
    inputs::stream(app, None, 1000).await.unwrap().len()
}

#[tokio::test]
async fn an_extraction_whose_process_dies_goes_on_where_it_was_and_makes_no_input_twice() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let id = begun(&app, 100).await;
        // Another process makes the inputs of the first entries, and dies.
        let dead = claim(&test, "dead").await;
        let doc = begin(&dead).await.unwrap().unwrap();
        let contents = source::open(&dead, app.uid(), &doc).await.unwrap();
        let first = contents.read(0, 1 << 20);
        let n_first = first.len();
        add(&dead, &doc, 0, first).await.unwrap();
        assert_eq!((n_inputs(&app).await, n_first < 100), (n_first, true));
        test.settle().await;
        assert_eq!(n_inputs(&app).await, n_first, "the lease still holds");
        test.clock.advance_us(30_000_001);
        test.settle().await;
        let done = extractions::get(&app, &id).await.unwrap().doc;
        assert_eq!((done.state, done.made.texts, done.n_refused), (State::Done, 100, 0));
        assert_eq!(n_inputs(&app).await, 100);
        // Ids would have been given numbers if an entry had come twice.
        let ids = inputs::stream(&app, None, 1000).await.unwrap();
        assert!(ids.iter().all(|input| !input.id.contains('_')));
        // The first process was only slow: what it still writes changes nothing.
        let late = contents.read(n_first, 1 << 20);
        assert_eq!(add(&dead, &doc, n_first as u64, late).await.unwrap_err().kind, Kind::Cancelled);
        assert_eq!(n_inputs(&app).await, 100);
    }
}

#[tokio::test]
async fn an_extraction_that_is_cancelled_in_the_middle_keeps_what_it_has_and_stops() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let id = begun(&app, 100).await;
        let cx = claim(&test, "slow").await;
        let doc = begin(&cx).await.unwrap().unwrap();
        let contents = source::open(&cx, app.uid(), &doc).await.unwrap();
        let first = contents.read(0, 1 << 20);
        let n_first = first.len();
        add(&cx, &doc, 0, first).await.unwrap();
        extractions::cancel(&app, std::slice::from_ref(&id)).await.unwrap();
        let second = contents.read(n_first, 1 << 20);
        assert_eq!(add(&cx, &doc, n_first as u64, second).await.unwrap_err().kind, Kind::Cancelled);
        test.clock.advance_us(30_000_001);
        test.settle().await;
        assert_eq!(n_inputs(&app).await, n_first);
        let stopped = extractions::get(&app, &id).await.unwrap().doc;
        assert_eq!((stopped.state, stopped.made.texts), (State::Cancelled, n_first as u64));
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn an_upload_deleted_too_soon_fails_its_extraction() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let id = begun(&app, 3).await;
        uploads::delete(&app, &["u".to_owned()]).await.unwrap();
        test.settle().await;
        let failed = extractions::get(&app, &id).await.unwrap().doc;
        assert_eq!(failed.state, State::Failed);
        assert!(failed.failure.contains("'u' was deleted"), "{}", failed.failure);
        assert_eq!(n_inputs(&app).await, 0);
    }
}

#[tokio::test]
async fn inputs_of_archives_count_as_inputs_added_and_a_quota_stops_what_brings_more() {
    let quotas = ["add_input 60/month".to_owned(), "calls 1/day".to_owned()];
    let config = usage::UsageConfig::read(&[], &[], &quotas).unwrap();
    for store in ocellus_store::testing::TestStore::all().await {
        let test = TestPlatform::on(store, |platform| platform.usage = config.clone()).await;
        let app = test.app().await;
        let id = begun(&app, 100).await;
        test.settle().await;
        let stopped = extractions::get(&app, &id).await.unwrap().doc;
        assert_eq!(stopped.state, State::Failed);
        assert!(
            stopped.failure.starts_with("exceeded limit of 60 add_input operations"),
            "{}",
            stopped.failure
        );
        let n_made = n_inputs(&app).await;
        assert!((1..=60).contains(&n_made) && stopped.made.texts == n_made as u64, "{n_made}");
        let counts = usage::realtime(&test.account().await, None).await.unwrap();
        let n_counted: u64 = counts.into_iter().map(|(_, n)| n).sum();
        assert_eq!(n_counted, n_made as u64, "and nothing but those");
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 0);
    }
}
