//! Lists, gets, counts and searches by concept as an app grows from ten thousand inputs to a million, on SQLite.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use ocellus_clarifai::ClarifaiConfig;
use ocellus_core::{Platform, PlatformConfig};
use ocellus_store::{Concept, Input, Label};
use tower::ServiceExt;

use crate::report::{median, quantile};
use crate::search::described;

/// Requests of each kind at each size.
const ROUNDS: usize = 300;
const WARM_UP: usize = 20;
const N_CONCEPTS: usize = 1_000;
const N_PREDICTIONS: usize = 5;
const ROWS_AT_ONCE: usize = 1_000;
/// Every input is labelled with one of these few, and with one of all.
const N_COMMON: usize = 10;

/// One kind of request; `n` is how many inputs there are, `i` the round.
struct Ask {
    name: &'static str,
    method: &'static str,
    path: fn(n: usize, i: usize) -> String,
    body: fn(i: usize) -> String,
}

const ASKS: [Ask; 7] = [
    Ask {
        name: "get one input",
        method: "GET",
        path: |n, i| format!("/v2/inputs/input-{}", any(n, i)),
        body: |_| String::new(),
    },
    Ask {
        name: "list, first page of 20",
        method: "GET",
        path: |_, _| "/v2/inputs?page=1&per_page=20".to_owned(),
        body: |_| String::new(),
    },
    Ask {
        name: "stream, 20 after any input",
        method: "GET",
        path: |n, i| format!("/v2/inputs/stream?per_page=20&last_id=input-{}", any(n, i)),
        body: |_| String::new(),
    },
    Ask {
        name: "count of inputs by state",
        method: "GET",
        path: |_, _| "/v2/inputs/status".to_owned(),
        body: |_| String::new(),
    },
    Ask {
        name: "counts of 20 concepts",
        method: "GET",
        path: |_, _| "/v2/concepts/status?page=1&per_page=20".to_owned(),
        body: |_| String::new(),
    },
    Ask {
        name: "search, a concept on 1 of 1,000",
        method: "POST",
        path: |_, _| "/v2/searches".to_owned(),
        body: |i| by_concept(N_COMMON + any(N_CONCEPTS - N_COMMON, i)),
    },
    Ask {
        name: "search, a concept on 1 of 10",
        method: "POST",
        path: |_, _| "/v2/searches".to_owned(),
        body: |i| by_concept(any(N_COMMON, i)),
    },
];

/// Some number below `n`, another in each round.
fn any(n: usize, i: usize) -> usize {
    i.wrapping_mul(2_654_435_761) % n
}

fn by_concept(concept: usize) -> String {
    serde_json::json!({
        "query": {"ands": [{"input": {"data": {"concepts": [{"id": format!("concept-{concept}"), "value": 1}]}}}]},
        "pagination": {"page": 1, "per_page": 20}
    })
    .to_string()
}

/// Fills one app up to each of `sizes` in turn, and returns a table of medians and 99th percentiles.
pub async fn run(config: PlatformConfig, sizes: &[usize]) -> Result<String> {
    let platform = Platform::open(config).await?;
    let first = platform.first_start().await?.context("the store is not new")?;
    let caller = platform.authenticate(&first.api_key).await?;
    let app_uid = platform.app(&caller, "", "", &[]).await?.uid().to_owned();
    let router = ocellus_clarifai::router(platform.clone(), ClarifaiConfig::default());
    concepts(&platform, &app_uid).await?;
    let mut table = format!(
        "SQLite, one caller, the REST service in process, {ROUNDS} requests of each kind. Every input has 2 labels of \
         {N_CONCEPTS} concepts and {N_PREDICTIONS} predictions; no page is larger than 20.\n\n\
         | inputs | request | median ms | p99 ms |\n| --: | --- | --: | --: |\n"
    );
    let mut n_there = 0;
    for &n in sizes {
        fill(&platform, &app_uid, n_there..n).await?;
        n_there = n;
        for ask in &ASKS {
            let mut times = measure(&router, &first.api_key, ask, n).await?;
            let (middle, late) = (median(&mut times), quantile(&mut times, 0.99));
            table += &format!("| {n} | {} | {middle:.2} | {late:.2} |\n", ask.name);
        }
    }
    Ok(table + "\nAim: p99 of list and get under 10 ms at a million inputs.\n")
}

async fn measure(router: &Router, key: &str, ask: &Ask, n: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(ROUNDS);
    for i in 0..ROUNDS + WARM_UP {
        let request = Request::builder()
            .method(ask.method)
            .uri((ask.path)(n, i))
            .header("authorization", format!("Key {key}"))
            .header("content-type", "application/json")
            .body(Body::from((ask.body)(i)))?;
        let begun = Instant::now();
        let Ok(answer) = router.clone().oneshot(request).await;
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
        let took_ms = begun.elapsed().as_secs_f64() * 1e3;
        ensure!(status == 200, "{}: {status} {}", ask.name, String::from_utf8_lossy(&body));
        if i >= WARM_UP {
            times.push(took_ms);
        }
    }
    Ok(times)
}

async fn concepts(platform: &Platform, app_uid: &str) -> Result<()> {
    let now_us = platform.clock().now_us();
    let concept = |i: usize| Concept {
        app_uid: app_uid.to_owned(),
        id: format!("concept-{i}"),
        name: format!("Concept {i}"),
        language: "en".to_owned(),
        definition: String::new(),
        metadata: Default::default(),
        created_at_us: now_us,
        modified_at_us: now_us,
    };
    let all: Vec<Concept> = (0..N_CONCEPTS).map(concept).collect();
    let insert =
        move |tx: &mut ocellus_store::Tx<'_>| all.iter().try_for_each(|concept| tx.insert_concept(concept));
    Ok(platform.store().write::<_, ocellus_store::Error, _>(insert).await?)
}

async fn fill(platform: &Platform, app_uid: &str, numbers: std::ops::Range<usize>) -> Result<()> {
    let now_us = platform.clock().now_us();
    let version = platform.catalog().general().version_id().to_owned();
    let mut from = numbers.start;
    while from < numbers.end {
        let until = numbers.end.min(from + ROWS_AT_ONCE);
        let rows: Vec<Rows> = (from..until).map(|i| rows(app_uid, i, now_us)).collect();
        let (uid, version) = (app_uid.to_owned(), version.clone());
        let insert = move |tx: &mut ocellus_store::Tx<'_>| {
            for row in &rows {
                tx.insert_input(&row.input)?;
                tx.put_predictions(&uid, &row.input.id, &version, &row.predictions)?;
            }
            let labels: Vec<Label> = rows.iter().flat_map(|row| row.labels.clone()).collect();
            tx.put_labels(&labels)
        };
        platform.store().write::<_, ocellus_store::Error, _>(insert).await?;
        from = until;
    }
    Ok(())
}

/// What is stored of one input.
struct Rows {
    input: Input,
    labels: Vec<Label>,
    predictions: Vec<(String, f64)>,
}

fn rows(app_uid: &str, i: usize, now_us: i64) -> Rows {
    let id = format!("input-{i}");
    let label = |concept: usize| Label {
        app_uid: app_uid.to_owned(),
        input_id: id.clone(),
        annotation_id: String::new(),
        concept_id: format!("concept-{concept}"),
        value: 1.0,
        account_id: "owner".to_owned(),
        created_at_us: now_us,
    };
    let labels = vec![label(i % N_COMMON), label(N_COMMON + i % (N_CONCEPTS - N_COMMON))];
    let predictions = (0..N_PREDICTIONS)
        .map(|k| (format!("concept-{}", (i * 7 + k * 13) % N_CONCEPTS), 0.9 - 0.1 * k as f64))
        .collect();
    Rows { input: described(app_uid, &id, now_us), labels, predictions }
}
