//! Bundles: made, taken in, and refused.

use std::io::{Read as _, Write as _};

use crate::model_packages::{self, NewPackage};
use crate::testing::TestPlatform;
use crate::user_models::{UserModelVersion, VersionState};
use crate::{AppCtx, Error, Kind, user_models};

fn making(model_id: &str) -> NewPackage {
    NewPackage { model_id: model_id.to_owned(), make: true, ..NewPackage::default() }
}

async fn import(app: &AppCtx, bytes: &[u8], new: NewPackage) -> Result<UserModelVersion, Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    model_packages::add(app, file.path(), new).await.map(|(_, version)| version)
}

async fn exported(app: &AppCtx, model_id: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    super::write(app, model_id, "", file.path()).await.unwrap();
    std::fs::read(file.path()).unwrap()
}

/// The bundle with one of its files changed.
fn altered(bundle: &[u8], name: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut from = zip::ZipArchive::new(std::io::Cursor::new(bytes::Bytes::copy_from_slice(bundle))).unwrap();
    let mut to = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for idx in 0..from.len() {
        let mut entry = from.by_index(idx).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let entry_name = entry.name().unwrap().to_string();
        if entry_name == name {
            bytes = change(bytes);
        }
        to.start_file(entry_name, zip::write::SimpleFileOptions::default()).unwrap();
        to.write_all(&bytes).unwrap();
    }
    to.finish().unwrap().into_inner()
}

#[tokio::test]
async fn a_version_goes_to_another_model_and_says_the_same() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let (_, first) = test.own_colours().await;
        let bundle = exported(&app, "colours").await;
        assert_eq!(bundle, exported(&app, "colours").await, "the same version makes the same bundle");
        let version = import(&app, &bundle, making("again")).await.unwrap();
        assert_eq!(version.state, VersionState::Trained);
        assert_eq!(version.doc.license, "CC0-1.0");
        assert_eq!(version.doc.artefact, first.doc.artefact);
        let kept = super::export(&app, "colours", "first").await.unwrap();
        assert_eq!(super::exported(&app, "colours", "first").await.unwrap(), kept);
        assert_eq!(super::export(&app, "colours", "first").await.unwrap(), kept);
        assert_eq!(kept.size_bytes, bundle.len() as u64);
        assert_eq!(super::read(&app, &kept, 0, 1 << 20).await.unwrap(), bundle);
    }
}

#[tokio::test]
async fn only_those_who_are_trusted_bring_bundles() {
    let test = TestPlatform::new().await;
    test.own_colours().await;
    let app = test.app().await;
    let bundle = exported(&app, "colours").await;
    let signer = super::public_key(&test.platform).await.unwrap();
    // Another server has another key.
    std::fs::write(test.platform.own_models().key_file(), "07".repeat(32)).unwrap();
    assert_ne!(super::public_key(&test.platform).await.unwrap(), signer);
    let error = import(&app, &bundle, making("again")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(error.message.contains(&signer), "{error}");
    let trusting = NewPackage { trust: Some(signer), ..making("again") };
    import(&app, &bundle, trusting).await.unwrap();
}

#[tokio::test]
async fn a_bundle_that_was_touched_or_does_something_else_is_refused_and_leaves_nothing() {
    let test = TestPlatform::new().await;
    test.own_colours().await;
    let app = test.app().await;
    let bundle = exported(&app, "colours").await;
    let last = |mut bytes: Vec<u8>| {
        let at = bytes.len() - 2;
        bytes[at] ^= 1;
        bytes
    };
    for name in ["bundle.json", "bundle.sig", "artefact", "model.onnx", "samples.json"] {
        let error = import(&app, &altered(&bundle, name, last), making("again")).await.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid, "{name}: {error:?}");
    }
    let error = import(&app, &bundle[..bundle.len() / 2], making("again")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error:?}");
    assert!(user_models::find(&app, "again").await.unwrap().is_none());
}

#[test]
fn samples_that_differ_beyond_the_tolerance_are_refused() {
    let sample = |a: f32, features: &[f32]| super::Sample {
        picture: 1,
        features: Some(features.to_vec()),
        expected: None,
        said: serde_json::json!({"a": a, "b": 0.5}),
    };
    let wanted = vec![sample(0.25, &[1.0, 2.0])];
    let table = [
        (vec![sample(0.2505, &[1.0, 2.0])], None),
        (vec![sample(0.26, &[1.0, 2.0])], Some("differs by 0.01")),
        (vec![sample(0.25, &[1.0, 2.1])], Some("differs by 0.1")),
        (vec![sample(0.25, &[1.0])], Some("another kind")),
        (Vec::new(), Some("must hold")),
    ];
    for (found, expected) in table {
        let result = super::samples::compare(&wanted, &found, super::TOLERANCE);
        match (result, expected) {
            (Ok(()), None) => {}
            (Err(error), Some(text)) => assert!(error.message.contains(text), "{error}"),
            (other, _) => panic!("{other:?}"),
        }
    }
}
