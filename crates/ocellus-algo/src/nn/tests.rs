//! Tests of inference with a model small enough to compute by hand; they need the runtime library.

use std::path::PathBuf;

use super::*;

/// The library named by the environment, or else the one installed by `make setup`.
fn runtime_library() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the setup script goes by the same variables")]
    let dir = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(library) = dir("OCELLUS_RUNTIME_LIBRARY") {
        return library;
    }
    let base = dir("OCELLUS_CACHE").or_else(|| dir("XDG_CACHE_HOME"));
    let base = base.or_else(|| dir("HOME").map(|home| home.join(".cache"))).expect("HOME is set");
    let library = base.join("ocellus/runtime/libonnxruntime.so.1.31.1");
    assert!(
        library.is_file(),
        "there is no inference runtime {}: run `make setup`, or set OCELLUS_RUNTIME_LIBRARY to a libonnxruntime.so",
        library.display()
    );
    library
}

fn runtime() -> Runtime {
    Runtime::load(&runtime_library()).unwrap()
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn open(name: &str) -> Result<Session> {
    Session::open(&runtime(), &fixture(name), &SessionOptions { intra_threads: 1 })
}

fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor::new(shape.to_vec(), data.to_vec()).unwrap()
}

#[test]
fn a_model_gives_both_its_outputs_in_the_order_of_the_graph() {
    let mut session = open("tiny.onnx").unwrap();
    assert_eq!(session.output_names(), ["feature", "logits"]);
    assert_eq!(session.input_shape(), [None, Some(3), Some(2), Some(2)]);
    // Channel means are 1, 2 and 3; see fixtures/make_tiny_onnx.py for the weights.
    let image = tensor(&[1, 3, 2, 2], &[0.0, 2.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 6.0, 6.0]);
    let outputs = session.run(&image).unwrap();
    assert_eq!(outputs, [tensor(&[1, 3], &[1.0, 2.0, 3.0]), tensor(&[1, 2], &[-1.5, 6.5])]);
}

#[test]
fn a_batch_gives_what_its_images_give_alone() {
    let mut session = open("tiny.onnx").unwrap();
    let images: Vec<Tensor> = (0..5)
        .map(|i| Tensor {
            shape: vec![1, 3, 2, 2],
            data: (0..12).map(|j| ((i * 12 + j) % 7) as f32).collect(),
        })
        .collect();
    let batch = session.run(&Tensor::stack(&images).unwrap()).unwrap();
    let alone: Vec<Vec<Tensor>> = images.iter().map(|image| session.run(image).unwrap()).collect();
    for (i, output) in batch.into_iter().enumerate() {
        for (part, alone) in output.split().iter().zip(&alone) {
            assert_eq!(part, &alone[i], "output {i}");
        }
    }
}

#[test]
fn a_tensor_that_does_not_fit_is_refused_with_both_shapes() {
    let mut session = open("tiny.onnx").unwrap();
    for shape in [vec![1, 3, 2, 3], vec![3, 2, 2], vec![1, 2, 2, 3]] {
        let n = shape.iter().product();
        let error = session.run(&tensor(&shape, &vec![0.0; n])).unwrap_err();
        let Error::BadInput(message) = &error else { panic!("{error:?}") };
        assert!(message.contains("[-1, 3, 2, 2]") && message.contains(&format!("{shape:?}")), "{message}");
    }
    let torn = Tensor { shape: vec![1, 3, 2, 2], data: vec![0.0; 11] };
    assert!(matches!(session.run(&torn), Err(Error::BadInput(_))));
}

#[test]
fn a_model_file_that_cannot_be_used_is_named() {
    for (name, why) in [
        ("missing.onnx", "no such file"),
        ("make_tiny_onnx.py", "cannot be loaded"),
        ("two_inputs.onnx", "it has 2 inputs"),
    ] {
        let Err(Error::Backend(message)) = open(name) else { panic!("{name} was opened") };
        assert!(message.contains(name) && message.contains(why), "{message}");
    }
}

#[test]
fn a_runtime_that_cannot_be_loaded_is_named_with_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("libonnxruntime.so");
    std::fs::write(&text, "not a library").unwrap();
    let stub = dir.path().join("stub.so");
    std::fs::write(&stub, b"\x7fELF but nothing more").unwrap();
    for (path, why) in [
        (dir.path().join("none.so"), "does not exist"),
        (text, "is not a shared library"),
        (dir.path().to_owned(), "is not a shared library"),
        (stub, "cannot be loaded"),
    ] {
        let Err(Error::Backend(message)) = Runtime::load(&path) else {
            panic!("{} was loaded", path.display())
        };
        assert!(message.contains(&path.display().to_string()) && message.contains(why), "{message}");
        assert!(message.contains("make setup"), "{message}");
    }
}

#[test]
fn the_runtime_tells_its_version_and_loads_twice() {
    let version = runtime().version();
    assert!(version.starts_with("1."), "{version}");
    assert_eq!(runtime().version(), version);
}

#[test]
fn stacking_and_splitting_are_inverse() {
    let a = tensor(&[1, 2], &[1.0, 2.0]);
    let b = tensor(&[2, 2], &[3.0, 4.0, 5.0, 6.0]);
    let stacked = Tensor::stack(&[a.clone(), b]).unwrap();
    assert_eq!(stacked, tensor(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let parts = stacked.clone().split();
    assert_eq!((parts.len(), &parts[0]), (3, &a));
    assert_eq!(Tensor::stack(&parts).unwrap(), stacked);
    assert!(Tensor::stack(&[]).is_err());
    assert!(Tensor::stack(&[a, tensor(&[1, 3], &[0.0; 3])]).is_err());
    assert!(Tensor::new(vec![2, 2], vec![0.0; 3]).is_err());
}
