//! Tests of the blobs, over a folder always, and over S3 when `OCELLUS_TEST_S3` names a bucket; then a
//! bucket that does not answer is a failure. `tests/s3.sh` in this crate starts a server for it.

use super::*;

/// The variable with the S3 URL of an empty bucket; access and secret key are `test`.
const S3_VARIABLE: &str = "OCELLUS_TEST_S3";

#[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
fn s3_url() -> Option<url::Url> {
    let url = std::env::var(S3_VARIABLE).ok().filter(|url| !url.is_empty())?;
    Some(url.parse().unwrap())
}

async fn places(folder: &tempfile::TempDir) -> Vec<Blobs> {
    let mut places = vec![folder_blobs(folder).await];
    if let Some(mut url) = s3_url() {
        // A prefix of its own for each test, with the query kept behind it.
        url.set_path(&format!("/{}", uuid::Uuid::new_v4()));
        let mut cfg = StoreConfig::new("", url);
        cfg.blobs_access_key = Some("test".to_owned());
        cfg.blobs_secret_key = Some("test".to_owned());
        places.push(Blobs::open(&cfg).await.unwrap());
    }
    places
}

async fn folder_blobs(folder: &tempfile::TempDir) -> Blobs {
    let url = format!("file:{}", folder.path().display());
    Blobs::open(&StoreConfig::new("", url)).await.unwrap()
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(all_files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[tokio::test]
async fn what_was_put_is_found_under_its_hash_until_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    for blobs in places(&folder).await {
        for bytes in [Bytes::new(), Bytes::from_static(b"abc"), Bytes::from(vec![7; 3_000_000])] {
            let hash = blobs.put(bytes.clone()).await.unwrap();
            assert_eq!(hash, Blobs::hash_of(&bytes));
            // Once more is no fault and changes nothing.
            assert_eq!(blobs.put(bytes.clone()).await.unwrap(), hash);
            assert!(blobs.exists(&hash).await.unwrap());
            assert_eq!(blobs.get(&hash).await.unwrap(), Some(bytes));
            blobs.delete(&hash).await.unwrap();
            blobs.delete(&hash).await.unwrap();
            assert!(!blobs.exists(&hash).await.unwrap());
            assert_eq!(blobs.get(&hash).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_listing_walks_all_blobs_by_key_with_size_and_time() {
    let folder = tempfile::tempdir().unwrap();
    for blobs in places(&folder).await {
        let mut expected = std::collections::BTreeMap::new();
        for i in 0..25_usize {
            let bytes = Bytes::from(vec![i as u8; i]);
            expected.insert(blobs.put(bytes).await.unwrap(), i as u64);
        }
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = blobs.list(&after, 10).await.unwrap();
            let Some(last) = page.last() else { break };
            after.clone_from(&last.hash);
            // After 2020 and before 2100: a real time in the right unit.
            assert!(
                page.iter().all(|e| (1_577_836_800..4_102_444_800).contains(&(e.modified_at_us / 1_000_000)))
            );
            found.extend(page.into_iter().map(|entry| (entry.hash, entry.size_bytes)));
        }
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_key_that_is_no_hash_is_never_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    let blobs = folder_blobs(&folder).await;
    std::fs::write(&secret, "x").unwrap();
    let upper = "A".repeat(64);
    for key in ["../secret", "secret", "", "/etc/passwd", upper.as_str(), "é"] {
        assert_eq!(blobs.get(key).await.unwrap(), None);
        assert!(!blobs.exists(key).await.unwrap());
        assert_eq!(blobs.path(key), None);
        blobs.delete(key).await.unwrap();
    }
    assert!(secret.try_exists().unwrap());
}

#[tokio::test]
async fn a_blob_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder_blobs(&folder).await;
    let bytes = Bytes::from(vec![9; 4_000_000]);
    let hash = Blobs::hash_of(&bytes);
    // Sees a moment of writing often enough; what matters is that it never sees a part.
    let watching = {
        let (blobs, hash) = (blobs.clone(), hash.clone());
        tokio::spawn(async move {
            loop {
                if let Some(path) = blobs.path(&hash)
                    && let Ok(meta) = std::fs::metadata(path)
                {
                    return meta.len();
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let (a, b) = tokio::join!(blobs.put(bytes.clone()), blobs.put(bytes.clone()));
    assert_eq!((a.unwrap(), b.unwrap()), (hash.clone(), hash.clone()));
    assert_eq!(watching.await.unwrap(), 4_000_000);
    // Nothing is left aside.
    assert_eq!(all_files(folder.path()).len(), 1);
}

#[tokio::test]
async fn what_a_crash_left_aside_is_no_blob_and_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder_blobs(&folder).await;
    let old = folder.path().join("tmp").join("old");
    let young = folder.path().join("tmp").join("young");
    std::fs::write(&old, "half a bl").unwrap();
    std::fs::write(&young, "another process is writing th").unwrap();
    let long_ago =
        std::fs::metadata(&young).unwrap().modified().unwrap() - std::time::Duration::from_secs(7200);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(blobs.list("", 10).await.unwrap(), Vec::new());
    folder_blobs(&folder).await;
    assert_eq!((old.try_exists().unwrap(), young.try_exists().unwrap()), (false, true));
}

#[tokio::test]
async fn a_damaged_blob_is_a_fault_and_putting_it_again_mends_a_shortened_one() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder_blobs(&folder).await;
    let bytes = Bytes::from_static(b"the whole truth");
    let hash = blobs.put(bytes.clone()).await.unwrap();
    let path = blobs.path(&hash).unwrap();
    std::fs::write(&path, "the whole t").unwrap();
    assert!(matches!(blobs.get(&hash).await, Err(Error::Blob(why)) if why.contains("damaged")));
    blobs.put(bytes.clone()).await.unwrap();
    assert_eq!(blobs.get(&hash).await.unwrap(), Some(bytes));
}

#[tokio::test]
async fn putting_a_blob_again_renews_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder_blobs(&folder).await;
    let hash = blobs.put(Bytes::from_static(b"x")).await.unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options().write(true).open(blobs.path(&hash).unwrap()).unwrap();
    file.set_modified(long_ago).unwrap();
    assert_eq!(blobs.list("", 1).await.unwrap()[0].modified_at_us, 1_000_000_000_000_000);
    blobs.put(Bytes::from_static(b"x")).await.unwrap();
    assert!(blobs.list("", 1).await.unwrap()[0].modified_at_us > 1_600_000_000_000_000);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_at_the_start() {
    let Some(mut url) = s3_url() else { return };
    url.set_host(Some("no-such-bucket")).unwrap();
    let error = Blobs::open(&StoreConfig::new("", url)).await.err().unwrap();
    assert_eq!(error, Error::Blob("there is no bucket no-such-bucket".to_owned()));
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_said_at_the_start() {
    for url in ["http://x", "", "file:/proc/no/such/place"] {
        assert!(Blobs::open(&StoreConfig::new("", url)).await.is_err(), "{url}");
    }
}

#[tokio::test]
async fn blobs_and_files_are_joined_into_one_and_read_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    for blobs in places(&folder).await {
        // Beyond what is put in one request, so that S3 gets it in parts; no two parts are alike.
        let large: Vec<u8> = (0..9_000_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        let first = blobs.put(Bytes::from(large.clone())).await.unwrap();
        let empty = blobs.put(Bytes::new()).await.unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"the end").unwrap();
        let pieces =
            vec![Piece::Blob(first.clone()), Piece::Blob(empty), Piece::File(file.path().to_owned())];
        let (hash, size_bytes) = blobs.put_joined(pieces).await.unwrap();
        let expected = [large.as_slice(), b"the end"].concat();
        assert_eq!((hash.clone(), size_bytes), (Blobs::hash_of(&expected), expected.len() as u64));
        assert_eq!(blobs.get(&hash).await.unwrap().unwrap(), expected);
        for (offset, n_bytes, part) in [
            (0, 4, &expected[..4]),
            (35_999_999, 3, &expected[35_999_999..36_000_002]),
            (36_000_000, 1000, b"the end".as_slice()),
            (36_000_007, 5, b"".as_slice()),
            (99_000_000, 5, b"".as_slice()),
            (3, 0, b"".as_slice()),
        ] {
            assert_eq!(blobs.read_at(&hash, offset, n_bytes).await.unwrap().unwrap(), part, "{offset}");
        }
        let (short, _) = blobs.put_joined(vec![Piece::File(file.path().to_owned())]).await.unwrap();
        assert_eq!(blobs.get(&short).await.unwrap().unwrap(), b"the end".as_slice());
        assert_eq!(blobs.put_joined(Vec::new()).await.unwrap(), (Blobs::hash_of(b""), 0));
        assert_eq!(blobs.read_at(&Blobs::hash_of(b"?"), 0, 1).await.unwrap(), None);
        assert_eq!(blobs.read_at(&Blobs::hash_of(b"?"), 0, 0).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_piece_that_is_gone_or_damaged_is_never_joined() {
    let folder = tempfile::tempdir().unwrap();
    for blobs in places(&folder).await {
        for missing in [Blobs::hash_of(b"never put"), "../secret".to_owned()] {
            let error = blobs.put_joined(vec![Piece::Blob(missing)]).await.unwrap_err();
            assert!(matches!(error, Error::Blob(_)), "{error:?}");
        }
    }
    let blobs = folder_blobs(&folder).await;
    let hash = blobs.put(Bytes::from_static(b"as it was")).await.unwrap();
    std::fs::write(blobs.path(&hash).unwrap(), b"otherwise").unwrap();
    let error = blobs.put_joined(vec![Piece::Blob(hash)]).await.unwrap_err();
    assert!(matches!(error, Error::Blob(why) if why.contains("damaged")));
    assert_eq!(all_files(&folder.path().join("tmp")), [] as [PathBuf; 0], "nothing is left aside");
}
