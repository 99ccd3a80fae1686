//! Search at a hundred thousand vectors: time and recall of the product against the ANN library called bare.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ocellus_core::search::{self, Query, Rank, RankBy};
use ocellus_core::{AppCtx, Clock, Ids, Page, Platform, PlatformConfig};
use ocellus_store::{Input, StoreConfig, Vector};
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use crate::report::{median, quantile};

const DIM: usize = 1280;
const CENTRES: usize = 2_000;
const QUERIES: usize = 300;
const K: usize = 10;
const ROWS_AT_ONCE: usize = 1_000;

/// Deterministic numbers in -1..1 (splitmix64), so that every run sees the same vectors.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIM).map(|_| self.next()).collect()
    }

    /// A point near `centre`, at length 1: like photographs, the data is clustered.
    fn near(&mut self, centre: &[f32]) -> Vec<f32> {
        let mut v: Vec<f32> = centre.iter().map(|c| c + self.next()).collect();
        ocellus_algo::embed::l2_normalize(&mut v);
        v
    }
}

/// Fills a store with `n` described inputs, searches it through the product and the library, and returns a table.
pub async fn run(config: PlatformConfig, n: usize) -> Result<String> {
    let mut numbers = Numbers(7);
    let centres: Vec<Vec<f32>> = (0..CENTRES).map(|_| numbers.vector()).collect();
    let vectors: Vec<Vec<f32>> = (0..n).map(|i| numbers.near(&centres[i % CENTRES])).collect();
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|i| numbers.near(&centres[(i * 7) % CENTRES])).collect();

    let truth: Vec<Vec<String>> = queries.iter().map(|query| exact(&vectors, query)).collect();
    let vectors = Arc::new(vectors);
    // The library's index is built beside the product's; nothing is timed before both are whole.
    let bare = {
        let vectors = Arc::clone(&vectors);
        tokio::task::spawn_blocking(move || bare_index(&vectors))
    };

    let platform = Platform::open(config).await?;
    let first = platform.first_start().await?.context("the store is not new")?;
    let caller = platform.authenticate(&first.api_key).await?;
    let app = platform.app(&caller, "", "", &[]).await?;
    fill(&platform, &app, &vectors).await?;
    ask(&app, &queries[0]).await?; // loads the index, outside the clock
    let building = Instant::now();
    while search::recall(&platform, app.uid(), K, 1).await?.n_indexed < n {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let build_s = building.elapsed().as_secs_f64();
    let bare = bare.await??;
    let mut bare_ms = Vec::new();
    let mut bare_found = Vec::new();
    let mut ours_ms = Vec::new();
    let mut ours_found = Vec::new();
    for query in &queries {
        let begun = Instant::now();
        let found = bare.search(query, K).map_err(|e| anyhow::anyhow!("{e}"))?;
        bare_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        bare_found.push(found.keys.iter().map(|key| format!("input-{key}")).collect::<Vec<_>>());
        let begun = Instant::now();
        let found = ask(&app, query).await?;
        ours_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        ours_found.push(found);
    }
    let report = search::recall(&platform, app.uid(), K, QUERIES).await?;
    let ratio = median(&mut ours_ms) / median(&mut bare_ms);
    Ok(format!(
        "{n} clustered vectors of {DIM} numbers, {QUERIES} queries, k = {K}; the product answers with whole inputs from \
         SQLite, the library with keys. Index built in the background in {build_s:.0} s on one thread, exact answers meanwhile.\n\n\
         | who | median ms | p99 ms | recall@{K} |\n| --- | --: | --: | --: |\n\
         | usearch called bare | {:.2} | {:.2} | {:.4} |\n| Ocellus, whole search | {:.2} | {:.2} | {:.4} |\n\
         | Ocellus, index alone (`admin recall`) | {:.2} | | {:.4} |\n| Ocellus, exact scan | {:.2} | | 1 |\n\n\
         Ratio of the whole search to the bare library: **{ratio:.2}** (aim: within 1.3).\n",
        median(&mut bare_ms),
        quantile(&mut bare_ms, 0.99),
        recall_of(&bare_found, &truth),
        median(&mut ours_ms),
        quantile(&mut ours_ms, 0.99),
        recall_of(&ours_found, &truth),
        report.index_us as f64 / 1e3,
        report.recall,
        report.exact_us as f64 / 1e3,
    ))
}

/// The options that the product uses too: M 16, construction 128, search 96, 32-bit floats.
fn bare_index(vectors: &[Vec<f32>]) -> Result<Index> {
    let options = IndexOptions {
        dimensions: DIM,
        metric: MetricKind::Cos,
        quantization: ScalarKind::F32,
        connectivity: 16,
        expansion_add: 128,
        expansion_search: 96,
        multi: false,
    };
    let index = Index::new(&options).map_err(|e| anyhow::anyhow!("{e}"))?;
    index.reserve(vectors.len()).map_err(|e| anyhow::anyhow!("{e}"))?;
    for (key, vector) in vectors.iter().enumerate() {
        index.add(key as u64, vector).map_err(|e| anyhow::anyhow!("{e}"))?;
    }
    Ok(index)
}

async fn fill(platform: &Platform, app: &AppCtx, vectors: &[Vec<f32>]) -> Result<()> {
    let space = platform.catalog().embedding().version_id().to_owned();
    let now = platform.clock().now_us();
    for (round, chunk) in vectors.chunks(ROWS_AT_ONCE).enumerate() {
        let ids: Vec<String> =
            (0..chunk.len()).map(|i| format!("input-{}", round * ROWS_AT_ONCE + i)).collect();
        let inputs: Vec<Input> = ids.iter().map(|id| described(app.uid(), id, now)).collect();
        let rows: Vec<Vector> = ids
            .iter()
            .zip(chunk)
            .map(|(id, data)| Vector {
                app_uid: app.uid().to_owned(),
                space: space.clone(),
                input_id: id.clone(),
                seq: 0,
                deleted: false,
                data: data.clone(),
            })
            .collect();
        platform
            .store()
            .write(move |tx| {
                for input in &inputs {
                    tx.insert_input(input)?;
                }
                tx.put_vectors(&rows)?;
                Ok::<_, ocellus_store::Error>(())
            })
            .await?;
    }
    Ok(())
}

/// An input that has been looked at, without bytes.
pub fn described(app_uid: &str, id: &str, now_us: i64) -> Input {
    Input {
        app_uid: app_uid.to_owned(),
        id: id.to_owned(),
        seq: 0,
        state: 2,
        failure_code: String::new(),
        failure: String::new(),
        kind: "image".to_owned(),
        source_url: None,
        blob: None,
        thumb: None,
        content_hash: None,
        phash: None,
        width: Some(640),
        height: Some(480),
        mime: Some("image/jpeg".to_owned()),
        lat: None,
        lon: None,
        metadata: Default::default(),
        doc: Default::default(),
        created_at_us: now_us,
        modified_at_us: now_us,
    }
}

async fn ask(app: &AppCtx, vector: &[f32]) -> Result<Vec<String>> {
    let query = Query {
        ranks: vec![Rank { negate: false, by: RankBy::Vector(vector.to_vec()) }],
        filters: Vec::new(),
        min_score: 0.0,
        page: Page { page: 1, per_page: K as u32 },
        ..Query::default()
    };
    Ok(search::run(app, query).await?.hits.into_iter().map(|hit| hit.input.id).collect())
}

fn exact(vectors: &[Vec<f32>], query: &[f32]) -> Vec<String> {
    let mut scored: Vec<(f32, usize)> =
        vectors.iter().enumerate().map(|(i, v)| (ocellus_algo::embed::cosine(v, query), i)).collect();
    scored.select_nth_unstable_by(K, |a, b| b.0.total_cmp(&a.0));
    scored[..K].iter().map(|(_, i)| format!("input-{i}")).collect()
}

/// Share of the true neighbours that were found.
fn recall_of(found: &[Vec<String>], truth: &[Vec<String>]) -> f64 {
    let hits: usize =
        found.iter().zip(truth).map(|(f, t)| f.iter().filter(|id| t.contains(id)).count()).sum();
    hits as f64 / (truth.len() * K) as f64
}

/// A platform on a folder of its own, with the installed models.
pub fn config(dir: &Path, models_dir: &Path, runtime_library: &Path) -> PlatformConfig {
    PlatformConfig {
        store: StoreConfig::new(
            format!("sqlite:{}", dir.join("bench.db").display()),
            format!("file:{}", dir.join("blobs").display()),
        ),
        models_dir: models_dir.to_owned(),
        runtime_library: runtime_library.to_owned(),
        data_dir: dir.to_owned(),
        image_text: None,
        own_models: Default::default(),
        engine: Default::default(),
        fetch: Default::default(),
        decode: Default::default(),
        video: Default::default(),
        indexes: Default::default(),
        jobs: Default::default(),
        accounts: Default::default(),
        usage: Default::default(),
        runners: Default::default(),
        clock: Clock::system(),
        ids: Ids::random(),
    }
}
