//! Models that somebody brings along: taken, refused, and asked.

use std::io::Write as _;

use super::*;
use crate::predict::{self, PredictInput, PredictOptions, Prediction, Subject};
use crate::testing::TestPlatform;
use crate::user_models::VersionState;
use crate::{Kind, Source, models};

const COLOURS: &str = r#"
id = "colours"
name = "Red, green or blue"
licence = "CC-BY-4.0"
task = "concepts"
model = "net.onnx"
labels = "labels.txt"
[input]
width = 8
height = 8
[output]
name = "logits"
activation = "softmax"
"#;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/own-models");
    std::fs::read(folder.join(name)).unwrap()
}

/// The three files of a package, side by side.
fn beside(manifest: &str, onnx: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("model.toml", manifest.as_bytes().to_vec()),
        ("net.onnx", fixture(onnx)),
        ("labels.txt", b"rot\tred\ngreen\nblue\n".to_vec()),
    ];
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn making() -> NewPackage {
    NewPackage { make: true, ..NewPackage::default() }
}

/// A picture of one colour, as PNG would be; here as a bitmap of 8 x 8.
fn picture(rgb: [u8; 3]) -> Source {
    let mut bmp = b"BM\xf6\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x08\0\0\0\x08\0\0\0\x01\0\x18\0".to_vec();
    bmp.extend([0; 24]);
    for _ in 0..64 {
        bmp.extend([rgb[2], rgb[1], rgb[0]]);
    }
    Source::Bytes(bmp.into())
}

async fn ask(app: &AppCtx, model: &str, rgb: [u8; 3]) -> Result<Prediction> {
    let predictor = models::to_predict(app, model, None).await?;
    let input = PredictInput { subject: Subject::Source(picture(rgb)), crop: None };
    predict::run(app, &predictor, vec![input], &PredictOptions::default()).await?.remove(0)
}

#[tokio::test]
async fn a_model_with_its_manifest_becomes_one_of_the_app_and_tells_its_concepts() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let dir = beside(COLOURS, "colours.onnx");
        let (model, version) = add(&app, &dir.path().join("net.onnx"), making()).await.unwrap();
        assert_eq!((model.id.as_str(), model.model_type_id.as_str()), ("colours", "visual-classifier"));
        assert_eq!(model.doc.concepts, ["rot", "green", "blue"]);
        assert_eq!((version.state, version.doc.license.as_str()), (VersionState::Trained, "CC-BY-4.0"));
        let Prediction::Concepts(told) = ask(&app, "colours", [0, 255, 0]).await.unwrap() else { panic!() };
        assert_eq!((told[0].concept_id.as_str(), told[0].name.as_str()), ("green", "green"));
        // Softmax of 0, 10, 0.
        assert!((told[0].probability - 0.99991).abs() < 1e-4, "{told:?}");
        assert_eq!(told.len(), 3);

        // Another version of the same model, by its manifest this time, which is the newest then.
        let turned = COLOURS.replace("softmax", "sigmoid");
        let dir = beside(&turned, "colours.onnx");
        let again = NewPackage { model_id: "colours".to_owned(), ..NewPackage::default() };
        let (model, _) = add(&app, &dir.path().join("model.toml"), again).await.unwrap();
        assert_eq!(model.n_versions, 3);
        let Prediction::Concepts(told) = ask(&app, "colours", [0, 255, 0]).await.unwrap() else { panic!() };
        assert!((told[1].probability - 0.5).abs() < 1e-4, "{told:?}");

        // What the versions need is kept as long as they are, and collected then.
        let blobs = test.platform.store().blobs();
        let weights = ocellus_store::Blobs::hash_of(&fixture("colours.onnx"));
        test.clock.advance_us(86_400_000_000);
        test.settle().await;
        assert!(blobs.exists(&weights).await.unwrap());
        user_models::delete(&app, &["colours".to_owned()]).await.unwrap();
        test.clock.advance_us(86_400_000_000);
        test.settle().await;
        assert!(!blobs.exists(&weights).await.unwrap());
    }
}

#[tokio::test]
async fn a_model_may_come_in_an_archive_of_any_kind() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let dir = beside(
        &COLOURS.replace("concepts", "embedding").replace("labels = \"labels.txt\"", ""),
        "colours.onnx",
    );
    let files = ["model.toml", "net.onnx", "labels.txt"]
        .map(|name| (name, std::fs::read(dir.path().join(name)).unwrap()));
    let zip = {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in &files {
            zip.start_file(format!("folder/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let tar = {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in &files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, format!("./{name}"), bytes.as_slice()).unwrap();
        }
        tar.into_inner().unwrap()
    };
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar).unwrap();
    for (kind, bytes) in [("zip", zip), ("tar", tar), ("gz", gz.finish().unwrap())] {
        let file = dir.path().join(kind);
        std::fs::write(&file, bytes).unwrap();
        let new = NewPackage { model_id: kind.to_owned(), ..making() };
        let (model, version) = add(&app, &file, new).await.unwrap();
        assert_eq!(model.model_type_id, "visual-embedder");
        let Prediction::Embedding(vector) = ask(&app, kind, [255, 0, 0]).await.unwrap() else { panic!() };
        assert_eq!(vector, [1.0, 0.0, 0.0], "{kind} {}", version.id);
    }
}

#[tokio::test]
async fn what_does_not_fit_or_breaks_a_limit_is_refused_and_leaves_nothing() {
    let test = TestPlatform::with(|config| config.own_models.max_bytes = 700).await;
    let app = test.app().await;
    let table = [
        ("", "", "foreign.onnx", Kind::Unsupported, "operators of org.example"),
        ("", "", "outside.onnx", Kind::Unsupported, "weights in another file"),
        ("", "", "endless.onnx", Kind::Timeout, "longer than 2 s"),
        ("", "", "hungry.onnx", Kind::Unsupported, "model"),
        ("width = 8", "width = 9", "colours.onnx", Kind::Invalid, "the model takes [any, 3, 8, 8]"),
        ("\"logits\"", "\"logit\"", "colours.onnx", Kind::Invalid, "the output 'logit'"),
        ("width = 8", "width = 8\nname = 'x'", "colours.onnx", Kind::Invalid, "the model's input is 'image'"),
        ("labels.txt", "none.txt", "colours.onnx", Kind::Invalid, "'none.txt' cannot be read"),
        (
            "softmax",
            "softmax\"\nmin_score = 2\nbox_format = \"xyxy",
            "colours.onnx",
            Kind::Invalid,
            "min_score",
        ),
    ];
    for (from, to, onnx, kind, expected) in table {
        let manifest = if from.is_empty() { COLOURS.to_owned() } else { COLOURS.replace(from, to) };
        let dir = beside(&manifest, onnx);
        let error = add(&app, &dir.path().join("model.toml"), making()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{onnx} {to}: {error:?}");
        assert!(error.message.contains(expected), "{onnx} {to}: {error}");
    }
    let dir = beside(COLOURS, "colours.onnx");
    std::fs::write(dir.path().join("net.onnx"), vec![0; 701]).unwrap();
    let error = add(&app, &dir.path().join("model.toml"), making()).await.unwrap_err();
    assert_eq!(error.kind, Kind::TooLarge, "{error:?}");
    std::fs::write(dir.path().join("labels.txt"), "red\ngreen\n").unwrap();
    std::fs::write(dir.path().join("net.onnx"), fixture("colours.onnx")).unwrap();
    let error = add(&app, &dir.path().join("model.toml"), making()).await.unwrap_err();
    assert!(error.message.contains("3 numbers for 2 concepts"), "{error}");
    assert_eq!(user_models::count(&app).await.unwrap(), 0);
    let alone = NewPackage { model_id: "nothing".to_owned(), ..NewPackage::default() };
    assert_eq!(add(&app, &dir.path().join("model.toml"), alone).await.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn a_server_without_a_worker_takes_none() {
    let test = TestPlatform::with(|config| config.own_models.worker = None).await;
    let dir = beside(COLOURS, "colours.onnx");
    let error = add(&test.app().await, &dir.path().join("model.toml"), making()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported, "{error:?}");
}
