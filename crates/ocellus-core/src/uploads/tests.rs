//! Uploads in parts, on every database.

use super::*;
use crate::Kind;
use crate::testing::TestPlatform;

fn part(range_start: u64, data: &'static [u8]) -> Part {
    Part { range_start, part_number: 0, data: Bytes::from_static(data) }
}

fn upload(id: &str, content_length: u64) -> New<Upload> {
    New { id: Some(id.to_owned()), doc: Upload { content_name: String::new(), content_length } }
}

#[tokio::test]
async fn parts_sent_at_once_in_any_order_make_the_whole_and_deleting_it_frees_them() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        create(&app, vec![upload("a", 9), upload("b", 3)]).await.unwrap();
        let puts = [part(6, b"ghi"), part(0, b"abc"), part(3, b"def"), part(0, b"abc")];
        let puts = puts.map(|part| {
            let app = app.clone();
            tokio::spawn(async move { put_parts(&app, "a", vec![part]).await })
        });
        for put in puts {
            put.await.unwrap().unwrap();
        }
        put_parts(&app, "b", vec![part(0, b"abc")]).await.unwrap();
        let found = list(&app, Page::first(10)).await.unwrap();
        assert!(found.iter().all(Progress::is_whole), "{found:?}");
        delete(&app, &["a".to_owned()]).await.unwrap();
        test.clock.advance_us(gc_blobs::GRACE_US + 2);
        test.settle().await;
        let left = test.platform.store().blobs().list("", 10).await.unwrap();
        let left: Vec<&str> = left.iter().map(|blob| blob.hash.as_str()).collect();
        assert_eq!(left, [store::Blobs::hash_of(b"abc")], "what another upload needs is kept");
    }
}

#[tokio::test]
async fn an_upload_that_expired_takes_no_more_parts() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let made = create(&app, vec![upload("a", 9)]).await.unwrap().remove(0);
    test.clock.advance_us(made.expires_at_us - test.clock.now_us());
    let error = put_parts(&app, "a", vec![part(0, b"abc")]).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert!(get(&app, "a").await.unwrap().is_expired(test.clock.now_us()));
}
