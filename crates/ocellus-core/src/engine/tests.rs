//! The engine with models made of closures: order, batches, limits, callers that leave, panics and unloading.

use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::open::Run;
use super::*;
use crate::Kind;

/// A model that adds one, notes the batch sizes it sees, waits at a gate, and panics on negative numbers.
struct Fake {
    gate: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
    batches: Arc<Mutex<Vec<usize>>>,
    started: Arc<AtomicUsize>,
}

impl Run for Fake {
    fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>> {
        self.started.fetch_add(1, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            gate.lock().recv().unwrap();
        }
        assert!(input.data.iter().all(|x| *x >= 0.0), "this model panics on negative numbers");
        self.batches.lock().push(input.shape[0]);
        let data = input.data.iter().map(|x| x + 1.0).collect();
        Ok(vec![Tensor { shape: input.shape.clone(), data }, input.clone()])
    }
}

#[derive(Default)]
struct FakeOpener {
    gate: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
    batches: Arc<Mutex<Vec<usize>>>,
    started: Arc<AtomicUsize>,
    opened: Arc<Mutex<Vec<String>>>,
    broken: Arc<Mutex<bool>>,
}

impl Opener for FakeOpener {
    fn open(&self, model: &ModelFile) -> Result<Box<dyn Run>> {
        if *self.broken.lock() {
            return Err(Error::unavailable("the weight file is missing"));
        }
        self.opened.lock().push(model.id.clone());
        let (batches, started) = (Arc::clone(&self.batches), Arc::clone(&self.started));
        Ok(Box::new(Fake { gate: self.gate.clone(), batches, started }))
    }
}

fn model(id: &str) -> ModelFile {
    ModelFile { id: id.into(), path: PathBuf::from(id), size_bytes: 10 << 20, batches: true }
}

fn tensor(x: f32) -> Tensor {
    Tensor { shape: vec![1, 2], data: vec![x, x] }
}

fn one_worker() -> EngineConfig {
    EngineConfig { sessions_per_model: 1, ..EngineConfig::default() }
}

async fn until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "what was waited for did not happen");
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn what_arrives_meanwhile_is_run_in_batches_and_every_caller_gets_its_own_row() {
    let (open, gate) = mpsc::channel();
    let opener = FakeOpener { gate: Some(Arc::new(Mutex::new(gate))), ..FakeOpener::default() };
    let (batches, started) = (Arc::clone(&opener.batches), Arc::clone(&opener.started));
    let config = EngineConfig { max_batch: 4, ..one_worker() };
    let engine = Arc::new(Engine::with_opener(config, Arc::new(opener)));
    let mut answers = Vec::new();
    for i in 0..7_u8 {
        let here = Arc::clone(&engine);
        answers.push(tokio::spawn(async move { here.run(&model("m"), tensor(f32::from(i))).await }));
        // One in the worker's hands, the others waiting in order.
        let n_waiting = usize::from(i);
        until(|| started.load(Ordering::SeqCst) == 1 && engine.stats().n_waiting == n_waiting).await;
    }
    for _ in 0..3 {
        open.send(()).unwrap();
    }
    for (i, answer) in answers.into_iter().enumerate() {
        let outputs = answer.await.unwrap().unwrap();
        let x = i as f32;
        assert_eq!(outputs, vec![tensor(x + 1.0), tensor(x)]);
    }
    assert_eq!(*batches.lock(), [1, 4, 2]);
}

#[tokio::test]
async fn different_shapes_never_share_a_batch() {
    let (open, gate) = mpsc::channel();
    let opener = FakeOpener { gate: Some(Arc::new(Mutex::new(gate))), ..FakeOpener::default() };
    let (batches, started) = (Arc::clone(&opener.batches), Arc::clone(&opener.started));
    let config = EngineConfig { max_batch: 8, ..one_worker() };
    let engine = Arc::new(Engine::with_opener(config, Arc::new(opener)));
    let mut answers = Vec::new();
    for (i, len) in [2, 2, 3, 2].into_iter().enumerate() {
        let here = Arc::clone(&engine);
        let input = Tensor { shape: vec![1, len], data: vec![0.0; len] };
        answers.push(tokio::spawn(async move { here.run(&model("m"), input).await }));
        until(|| started.load(Ordering::SeqCst) == 1 && engine.stats().n_waiting == i).await;
    }
    for _ in 0..3 {
        open.send(()).unwrap();
    }
    for (answer, len) in answers.into_iter().zip([2, 2, 3, 2]) {
        assert_eq!(answer.await.unwrap().unwrap()[0].shape, [1, len]);
    }
    assert_eq!(*batches.lock(), [1, 2, 1]);
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_caller_that_leaves_makes_room() {
    let (open, gate) = mpsc::channel();
    let opener = FakeOpener { gate: Some(Arc::new(Mutex::new(gate))), ..FakeOpener::default() };
    let (batches, started) = (Arc::clone(&opener.batches), Arc::clone(&opener.started));
    let config = EngineConfig { queue_len: 2, ..one_worker() };
    let engine = Arc::new(Engine::with_opener(config, Arc::new(opener)));
    let mut callers = Vec::new();
    for i in 0..3_usize {
        let here = Arc::clone(&engine);
        callers.push(tokio::spawn(async move { here.run(&model("m"), tensor(0.0)).await }));
        until(|| started.load(Ordering::SeqCst) == 1 && engine.stats().n_waiting == i).await;
    }
    let err = engine.run(&model("m"), tensor(0.0)).await.unwrap_err();
    assert_eq!((err.kind, err.retry_after_s.is_some()), (Kind::Unavailable, true));

    let leaver = callers.pop().unwrap();
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    let here = Arc::clone(&engine);
    callers.push(tokio::spawn(async move { here.run(&model("m"), tensor(0.0)).await }));
    until(|| engine.stats().n_abandoned == 1).await;
    for _ in 0..3 {
        open.send(()).unwrap();
    }
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(batches.lock().len(), 3, "the one whose caller left was never run");
    let stats = engine.stats();
    assert_eq!((stats.n_done, stats.n_refused, stats.n_abandoned), (3, 1, 1));
}

#[tokio::test]
async fn a_second_session_is_opened_only_when_requests_wait() {
    let (open, gate) = mpsc::channel();
    let opener = FakeOpener { gate: Some(Arc::new(Mutex::new(gate))), ..FakeOpener::default() };
    let (opened, started) = (Arc::clone(&opener.opened), Arc::clone(&opener.started));
    let config = EngineConfig { sessions_per_model: 2, ..EngineConfig::default() };
    let engine = Arc::new(Engine::with_opener(config, Arc::new(opener)));
    for _ in 0..3 {
        open.send(()).unwrap();
        engine.run(&model("m"), tensor(0.0)).await.unwrap();
        until(|| engine.stats().n_waiting == 0).await;
    }
    assert_eq!(opened.lock().len(), 1, "one caller at a time needs one session");
    let before = started.load(Ordering::SeqCst);
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let here = Arc::clone(&engine);
            tokio::spawn(async move { here.run(&model("m"), tensor(0.0)).await })
        })
        .collect();
    // One waits at the gate, the other for the gate: both sessions are at work.
    until(|| started.load(Ordering::SeqCst) == before + 2).await;
    assert_eq!(opened.lock().len(), 2);
    for _ in 0..4 {
        open.send(()).unwrap();
    }
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_panic_costs_one_request_and_not_the_model() {
    let engine = Engine::with_opener(one_worker(), Arc::new(FakeOpener::default()));
    assert_eq!(engine.run(&model("m"), tensor(-1.0)).await.unwrap_err().kind, Kind::Internal);
    assert_eq!(engine.run(&model("m"), tensor(1.0)).await.unwrap()[0], tensor(2.0));
    assert_eq!(engine.cpu(|| panic!("bad image")).await.map(|()| 0).unwrap_err().kind, Kind::Internal);
    assert_eq!(engine.cpu(|| 7).await.unwrap(), 7);
}

#[tokio::test]
async fn the_least_recently_used_model_is_unloaded_when_memory_is_short() {
    let opener = FakeOpener::default();
    let opened = Arc::clone(&opener.opened);
    let config = EngineConfig { memory_bytes: 90 << 20, ..one_worker() };
    let engine = Engine::with_opener(config, Arc::new(opener));
    for id in ["a", "b", "a", "c", "a", "b"] {
        engine.run(&model(id), tensor(0.0)).await.unwrap();
    }
    assert_eq!(*opened.lock(), ["a", "b", "c", "b"], "two fit, and a was always fresher");
    assert_eq!(engine.stats().n_loaded, 2);
}

#[tokio::test]
async fn a_model_that_cannot_be_opened_is_tried_again_by_the_next_request() {
    let opener = FakeOpener::default();
    let broken = Arc::clone(&opener.broken);
    let engine = Engine::with_opener(EngineConfig::default(), Arc::new(opener));
    *broken.lock() = true;
    for _ in 0..3 {
        let err = engine.run(&model("m"), tensor(0.0)).await.unwrap_err();
        assert_eq!((err.kind, err.message.as_str()), (Kind::Unavailable, "the weight file is missing"));
    }
    *broken.lock() = false;
    engine.run(&model("m"), tensor(0.0)).await.unwrap();
}

#[tokio::test]
async fn a_missing_runtime_or_weight_file_is_named_with_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("libonnxruntime.so");
    let engine = Engine::new(EngineConfig::default(), library.clone());
    let err = engine.run(&model("m"), tensor(0.0)).await.unwrap_err();
    assert_eq!(err.kind, Kind::Unavailable);
    assert!(err.message.contains(library.to_str().unwrap()) && err.message.contains("make setup"), "{err}");
}

#[tokio::test]
async fn the_pool_runs_no_more_at_once_than_told_and_refuses_beyond_its_queue() {
    let pool = Arc::new(CpuPool::new(1, 1));
    let (open, gate) = mpsc::channel::<()>();
    let here = Arc::clone(&pool);
    let running = tokio::spawn(async move { here.run(move || gate.recv().unwrap()).await });
    until(|| pool.n_free() == 0).await;
    let here = Arc::clone(&pool);
    let waiting = tokio::spawn(async move { here.run(|| ()).await });
    until(|| pool.n_waiting() == 1).await;
    assert_eq!(pool.run(|| ()).await.unwrap_err().kind, Kind::Unavailable);
    open.send(()).unwrap();
    running.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(pool.n_waiting(), 0);
}
