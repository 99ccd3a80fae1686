//! Models in processes of their own: good ones, and every way of being bad.

use std::path::Path;

use super::*;
use crate::testing::runtime_library;

/// Not a test by itself: the process that runs a model, when a test of this program starts it.
#[test]
fn the_worker_of_models() {
    crate::testing::model_worker();
}

fn config() -> IsolationConfig {
    let args = ["the_worker_of_models", "--nocapture", "--test-threads=1"];
    IsolationConfig {
        program: std::env::current_exe().unwrap(),
        args: args.map(str::to_owned).to_vec(),
        library: runtime_library(),
        threads: 1,
        memory_bytes: 1 << 30,
        load_timeout: Duration::from_secs(30),
        run_timeout: Duration::from_secs(2),
    }
}

fn model(path: &Path) -> ModelFile {
    ModelFile { id: "of-a-user".to_owned(), path: path.to_owned(), size_bytes: 0, batches: false }
}

fn fixture(name: &str) -> ModelFile {
    model(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/own-models").join(name))
}

/// A red picture, as the fixtures take it.
fn red() -> Tensor {
    let data = (0..3 * 64).map(|idx| if idx < 64 { 1.0 } else { 0.0 }).collect();
    Tensor { shape: vec![1, 3, 8, 8], data }
}

#[test]
fn a_model_answers_from_its_own_process_as_in_this_one() {
    let mut session = Isolated::open(&config(), &fixture("colours.onnx")).unwrap();
    for _ in 0..2 {
        let outputs = session.run(&red()).unwrap();
        assert_eq!(outputs[0], Tensor { shape: vec![1, 3], data: vec![1.0, 0.0, 0.0] });
        assert_eq!(outputs[1].data, [10.0, 0.0, 0.0]);
    }
    let wrong = Tensor { shape: vec![1, 2], data: vec![0.0; 2] };
    assert_eq!(session.run(&wrong).unwrap_err().kind, Kind::Invalid);
    session.run(&red()).unwrap();
    let mut boxes = Isolated::open(&config(), &fixture("boxes.onnx")).unwrap();
    assert_eq!(boxes.run(&red()).unwrap()[2].data, [0.0, 1.0], "whole numbers come as numbers");
}

#[test]
fn a_model_that_takes_too_long_or_too_much_is_stopped_and_the_next_run_begins_anew() {
    let table =
        [("endless.onnx", Kind::Timeout, "longer than 2 s"), ("hungry.onnx", Kind::Unsupported, "model")];
    for (name, kind, expected) in table {
        let mut session = Isolated::open(&config(), &fixture(name)).unwrap();
        for _ in 0..2 {
            let error = session.run(&red()).unwrap_err();
            assert_eq!(error.kind, kind, "{name}: {error:?}");
            assert!(error.message.contains(expected), "{name}: {error}");
            assert_eq!(error.about, Some(Resource::Model("of-a-user".to_owned())));
        }
    }
}

#[test]
fn what_is_no_model_is_refused_without_harm_and_without_naming_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(fixture("colours.onnx").path).unwrap();
    let mut broken: Vec<Vec<u8>> = vec![b"not a model".to_vec(), Vec::new(), vec![0xff; 4096]];
    broken.extend([1, 3, 5, 7].map(|n| whole[..whole.len() * n / 8].to_vec()));
    for (idx, bytes) in broken.iter().enumerate() {
        let path = dir.path().join(format!("{idx}.onnx"));
        std::fs::write(&path, bytes).unwrap();
        let error = Isolated::open(&config(), &model(&path)).err().unwrap();
        assert_eq!(error.kind, Kind::Unsupported, "{idx}: {error:?}");
        assert!(!error.message.contains(&*dir.path().to_string_lossy()), "{error}");
    }
    for name in ["foreign.onnx", "outside.onnx"] {
        assert_eq!(
            Isolated::open(&config(), &fixture(name)).err().unwrap().kind,
            Kind::Unsupported,
            "{name}"
        );
    }
    // Bits turned over may leave a model that works; what matters is that an answer comes.
    for at in (0..whole.len()).step_by(9) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        let path = dir.path().join("turned.onnx");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(mut session) = Isolated::open(&config(), &model(&path)) {
            let _ = session.run(&red());
        }
    }
}

#[test]
fn a_program_that_is_no_worker_is_an_error() {
    let table = [("/bin/false", Kind::Unsupported), ("/nowhere/ocellus", Kind::Unavailable)];
    for (program, kind) in table {
        let config = IsolationConfig { program: program.into(), args: Vec::new(), ..config() };
        let error = Isolated::open(&config, &fixture("colours.onnx")).err().unwrap();
        assert_eq!(error.kind, kind, "{program}: {error:?}");
    }
}
