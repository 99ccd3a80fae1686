//! Indexes against the rows: following changes, building in the background, and snapshots that may be old or damaged.

use std::path::Path;
use std::time::{Duration, Instant};

use ocellus_algo::embed::cosine;
use ocellus_store::Vector;
use ocellus_store::testing::TestStore;
use tempfile::TempDir;

use super::*;
use crate::Error;
use crate::search::Selection;

const APP: &str = "0123456789abcdef0123456789abcdef";
const SPACE: &str = "v1";
const DIM: usize = 24;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIM).map(|_| self.unit()).collect()
    }
}

/// What the rows should say: vectors by id.
type Truth = std::collections::BTreeMap<String, Vec<f32>>;

async fn put(store: &Store, truth: &mut Truth, ids: impl Iterator<Item = usize>, dice: &mut Dice) {
    let mut rows = Vec::new();
    for id in ids {
        let (input_id, data) = (format!("in{id:04}"), dice.vector());
        truth.insert(input_id.clone(), data.clone());
        rows.push(Vector {
            app_uid: APP.into(),
            space: SPACE.into(),
            input_id,
            seq: 0,
            deleted: false,
            data,
        });
    }
    store.write(move |tx| Ok::<_, Error>(tx.put_vectors(&rows)?)).await.unwrap();
}

async fn delete(store: &Store, truth: &mut Truth, ids: impl Iterator<Item = usize>) {
    let ids: Vec<String> = ids.map(|id| format!("in{id:04}")).collect();
    truth.retain(|id, _| !ids.contains(id));
    store.write(move |tx| Ok::<_, Error>(tx.delete_vectors_of(APP, &ids)?)).await.unwrap();
}

fn small() -> IndexConfig {
    IndexConfig { ann_above: 200, exact_below: 50, snapshot_above: 10, ..IndexConfig::default() }
}

/// All ids by similarity to the query, the way a child would do it.
fn expected(truth: &Truth, query: &[f32]) -> Vec<String> {
    let mut scored: Vec<(f32, &String)> = truth.iter().map(|(id, v)| (cosine(v, query), id)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, id)| id.clone()).collect()
}

async fn check(indexes: &Indexes, store: &Store, truth: &Truth, dice: &mut Dice) -> Arc<Space> {
    let index = indexes.current(store, APP, SPACE).await.unwrap();
    assert_eq!(index.len(), truth.len());
    for _ in 0..5 {
        let query = dice.vector();
        let found = index.search_by(true, &query, 12).unwrap();
        let ids: Vec<String> = found.hits.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, expected(truth, &query)[..12.min(truth.len())]);
    }
    index
}

async fn until_built(index: &Space) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while index.is_building() {
        assert!(Instant::now() < deadline, "building takes too long");
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn an_index_follows_its_rows_through_additions_changes_and_removals() {
    for TestStore { store, .. } in &TestStore::all().await {
        let dir = TempDir::new().unwrap();
        let (mut truth, mut dice) = (Truth::new(), Dice(7));
        let indexes = Indexes::new(dir.path().into(), IndexConfig::default());
        check(&indexes, store, &truth, &mut dice).await;
        put(store, &mut truth, 0..60, &mut dice).await;
        check(&indexes, store, &truth, &mut dice).await;
        put(store, &mut truth, 30..80, &mut dice).await;
        delete(store, &mut truth, 5..40).await;
        check(&indexes, store, &truth, &mut dice).await;
        put(store, &mut truth, 10..20, &mut dice).await;
        check(&indexes, store, &truth, &mut dice).await;
        delete(store, &mut truth, 0..100).await;
        check(&indexes, store, &truth, &mut dice).await;
    }
}

#[tokio::test]
async fn the_approximate_index_is_built_behind_answers_that_stay_whole() {
    let TestStore { store, .. } = &TestStore::one().await;
    let dir = TempDir::new().unwrap();
    let (mut truth, mut dice) = (Truth::new(), Dice(11));
    let indexes = Indexes::new(dir.path().into(), small());
    put(store, &mut truth, 0..600, &mut dice).await;
    let index = check(&indexes, store, &truth, &mut dice).await;
    until_built(&index).await;
    assert_eq!(index.n_approximate(), 600);
    // Changed, removed and new ones are outside of it at first, and found all the same.
    put(store, &mut truth, 0..20, &mut dice).await;
    put(store, &mut truth, 600..620, &mut dice).await;
    delete(store, &mut truth, 100..120).await;
    let index = indexes.current(store, APP, SPACE).await.unwrap();
    let mut n_hit = 0;
    for (id, vector) in &truth {
        let found = index.search_by(false, vector, 10).unwrap();
        assert!(found.approximate);
        assert_eq!(found.hits.len(), 10);
        assert!(found.hits.iter().all(|(hit, _)| truth.contains_key(hit)), "a removed vector was found");
        n_hit += usize::from(found.hits[0].0 == *id);
    }
    assert!(n_hit * 100 >= truth.len() * 98, "only {n_hit} of {} found themselves", truth.len());
    until_built(&index).await;
    // Also when nearly everything is filtered away, in either way of saying so.
    let few = Selection::only(truth.keys().take(55).cloned());
    let query = dice.vector();
    let found = index.search(&query, 40, &few).unwrap();
    let wanted: Vec<String> =
        expected(&truth, &query).into_iter().filter(|id| few.contains(id)).take(40).collect();
    let ids: Vec<String> = found.hits.into_iter().map(|(id, _)| id).collect();
    let n_right = wanted.iter().filter(|id| ids.contains(id)).count();
    assert_eq!(ids.len(), 40);
    assert!(n_right >= 38, "{n_right} of 40");
    assert!(ids.iter().all(|id| few.contains(id)));
}

#[tokio::test]
async fn a_snapshot_spares_reading_the_rows_and_what_came_later_is_added() {
    for TestStore { store, .. } in &TestStore::all().await {
        let dir = TempDir::new().unwrap();
        let (mut truth, mut dice) = (Truth::new(), Dice(3));
        put(store, &mut truth, 0..300, &mut dice).await;
        delete(store, &mut truth, 50..60).await;
        let indexes = Indexes::new(dir.path().into(), small());
        let index = check(&indexes, store, &truth, &mut dice).await;
        until_built(&index).await;
        drop(index);
        indexes.unload_all().await;
        put(store, &mut truth, 298..304, &mut dice).await;
        delete(store, &mut truth, 0..3).await;
        let again = Indexes::new(dir.path().into(), small());
        let index = check(&again, store, &truth, &mut dice).await;
        assert_eq!(index.n_unsaved(), 9, "only the later changes were read");
        assert!(index.n_approximate() >= 280, "the approximate index came from the snapshot");
        assert_eq!(files(dir.path()).len(), 2);
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_rebuilt_from_the_rows() {
    let TestStore { store, .. } = &TestStore::one().await;
    let dir = TempDir::new().unwrap();
    let (mut truth, mut dice) = (Truth::new(), Dice(5));
    put(store, &mut truth, 0..300, &mut dice).await;
    let indexes = Indexes::new(dir.path().into(), small());
    let index = check(&indexes, store, &truth, &mut dice).await;
    until_built(&index).await;
    drop(index);
    indexes.unload_all().await;
    let paths = files(dir.path());
    assert_eq!(paths.len(), 2, "vectors and approximate index: {paths:?}");
    for path in paths {
        let whole = std::fs::read(&path).unwrap();
        let mut versions =
            vec![Vec::new(), whole[..whole.len() / 2].to_vec(), [whole.as_slice(), b"x"].concat()];
        for at in [0, 9, 40, 200, whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            versions.push(flipped);
        }
        for damaged in versions {
            std::fs::write(&path, damaged).unwrap();
            let again = Indexes::new(dir.path().into(), IndexConfig { build_threads: 1, ..small() });
            let index = check(&again, store, &truth, &mut dice).await;
            until_built(&index).await;
            assert_eq!(index.n_approximate(), 300, "rebuilt after damage to {path:?}");
            drop(index);
        }
        std::fs::write(&path, whole).unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_of_another_history_is_not_believed() {
    let dir = TempDir::new().unwrap();
    let mut dice = Dice(13);
    let later = TestStore::sqlite().await;
    let mut truth = Truth::new();
    put(&later.store, &mut truth, 0..40, &mut dice).await;
    let indexes = Indexes::new(dir.path().into(), small());
    check(&indexes, &later.store, &truth, &mut dice).await;
    indexes.unload_all().await;
    // Restored from an older backup: fewer changes, the same number with another end, and more with another past.
    for ids in [0..30, 10..50, 20..70] {
        let restored = TestStore::sqlite().await;
        let mut truth = Truth::new();
        put(&restored.store, &mut truth, ids, &mut dice).await;
        let again = Indexes::new(dir.path().into(), small());
        check(&again, &restored.store, &truth, &mut dice).await;
    }
}

#[tokio::test]
async fn the_least_recently_used_index_leaves_when_memory_is_short() {
    let TestStore { store, .. } = &TestStore::one().await;
    let dir = TempDir::new().unwrap();
    let rows: Vec<Vector> = ["a", "b", "c"]
        .into_iter()
        .map(|space| Vector {
            app_uid: APP.into(),
            space: space.into(),
            input_id: "in".into(),
            seq: 0,
            deleted: false,
            data: vec![1.0; DIM],
        })
        .collect();
    store.write(move |tx| Ok::<_, Error>(tx.put_vectors(&rows)?)).await.unwrap();
    let one = {
        let indexes = Indexes::new(dir.path().into(), IndexConfig::default());
        indexes.current(store, APP, "a").await.unwrap();
        indexes.memory_bytes()
    };
    let indexes =
        Indexes::new(dir.path().into(), IndexConfig { memory_bytes: one * 2, ..IndexConfig::default() });
    for space in ["a", "b", "a", "c"] {
        indexes.current(store, APP, space).await.unwrap();
    }
    let mut left: Vec<String> = indexes.spaces.lock().keys().map(|key| key.space.clone()).collect();
    left.sort();
    assert_eq!(left, ["a", "c"]);
}

#[tokio::test]
async fn a_deleted_app_leaves_no_snapshot() {
    let TestStore { store, .. } = &TestStore::one().await;
    let dir = TempDir::new().unwrap();
    let (mut truth, mut dice) = (Truth::new(), Dice(17));
    put(store, &mut truth, 0..20, &mut dice).await;
    let indexes = Indexes::new(dir.path().into(), small());
    check(&indexes, store, &truth, &mut dice).await;
    indexes.snapshot_all().await;
    assert_eq!(files(dir.path()).len(), 1);
    indexes.forget(APP);
    assert!(files(dir.path()).is_empty());
    indexes.snapshot_all().await;
    assert!(files(dir.path()).is_empty());
}
