//! Lists, gets, counts and searches by concept as an app grows from ten thousand inputs to a million, on SQLite.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use ocellus_clarifai::ClarifaiConfig;
use ocellus_core::{Platform, PlatformConfig};
use ocellus_store::{Annotation, Concept, Input, JsonMap, Label};
use serde_json::json;
use tower::ServiceExt;

use crate::report::{median, quantile};
use crate::search::described;

/// Requests of each kind at each size, or as many as fit into the time.
const ROUNDS: usize = 300;
const MOST_S: f64 = 30.0;
const WARM_UP: usize = 20;
const N_CONCEPTS: usize = 1_000;
const N_PREDICTIONS: usize = 5;
const ROWS_AT_ONCE: usize = 1_000;
/// Every input is labelled with one of these few, and with one of all; the same holds for what is seen in it.
const N_COMMON: usize = 10;
const PER_PAGE: usize = 20;
/// How deep a search may be paged.
const MAX_DEPTH: usize = 10_000;

/// One kind of request; `n` is how many inputs there are, `i` the round.
struct Ask {
    name: &'static str,
    method: &'static str,
    path: fn(n: usize, i: usize) -> String,
    body: fn(n: usize, i: usize) -> serde_json::Value,
}

const fn get(name: &'static str, path: fn(n: usize, i: usize) -> String) -> Ask {
    Ask { name, method: "GET", path, body: |_, _| serde_json::Value::Null }
}

const fn search(name: &'static str, body: fn(n: usize, i: usize) -> serde_json::Value) -> Ask {
    Ask { name, method: "POST", path: |_, _| "/v2/searches".to_owned(), body }
}

const ASKS: [Ask; 19] = [
    get("get one input", |n, i| format!("/v2/inputs/input-{}", any(n, i))),
    get("list inputs, first page", |_, _| "/v2/inputs?page=1&per_page=20".to_owned()),
    get("list inputs, any page", |n, i| format!("/v2/inputs?page={}&per_page=20", 1 + any(n / PER_PAGE, i))),
    get("stream, 20 after any input", |n, i| {
        format!("/v2/inputs/stream?per_page=20&last_id=input-{}", any(n, i))
    }),
    get("list annotations, first page", |_, _| "/v2/annotations?page=1&per_page=20".to_owned()),
    get("count of inputs by state", |_, _| "/v2/inputs/status".to_owned()),
    get("counts of 20 concepts", |_, _| "/v2/concepts/status?page=1&per_page=20".to_owned()),
    search("search, labelled, 1 of 1,000", |_, i| labelled(&[rare(i)], 1)),
    search("search, labelled, 1 of 10", |_, i| labelled(&[common(i)], 1)),
    search("search, labelled, 1 of 10, deepest page", |n, i| labelled(&[common(i)], deepest(n))),
    search("search, labelled, both of these", |_, i| labelled(&[common(i), rare(i)], 1)),
    search("search, predicted, 1 of 200", |_, i| predicted(rare(i), 1)),
    search("search, predicted, 1 of 10", |_, i| predicted(common(i), 1)),
    search("search, predicted, 1 of 10, deepest page", |n, i| predicted(common(i), deepest(n))),
    Ask {
        name: "count of a search, labelled, 1 of 10",
        method: "POST",
        path: |_, _| "/v2/inputs/searches".to_owned(),
        body: |_, i| {
            let data = json!({"concepts": [{"id": format!("concept-{}", common(i)), "value": 1}]});
            json!({"searches": [{"query": {"filters": [{"annotation": {"data": data}}]}}], "only_count": true})
        },
    },
    Ask {
        name: "search of annotations, 1 of 1,000",
        method: "POST",
        path: |_, _| "/v2/annotations/searches".to_owned(),
        body: |_, i| annotated(rare(i)),
    },
    Ask {
        name: "search of annotations, 1 of 10",
        method: "POST",
        path: |_, _| "/v2/annotations/searches".to_owned(),
        body: |_, i| annotated(common(i)),
    },
    search("search by metadata, 1 of 10", |_, i| by_input(json!({"metadata": {"shelf": any(10, i)}}), 1)),
    search("search by place, 1 of 1,000", |_, i| {
        let (south, west) = ((any(60, i) as f64) - 30.0, (any(120, i) as f64) - 60.0);
        let corner = |latitude: f64, longitude: f64| json!({"geo_point": {"latitude": latitude, "longitude": longitude}});
        by_input(json!({"geo": {"geo_box": [corner(south, west), corner(south + 2.0, west + 4.0)]}}), 1)
    }),
];

/// Some number below `n`, another in each round.
fn any(n: usize, i: usize) -> usize {
    i.wrapping_mul(2_654_435_761) % n
}

fn common(i: usize) -> usize {
    any(N_COMMON, i)
}

fn rare(i: usize) -> usize {
    N_COMMON + any(N_CONCEPTS - N_COMMON, i)
}

/// The last page of what is labelled with a common concept, or the last that may be asked for.
fn deepest(n: usize) -> usize {
    (n / N_COMMON).min(MAX_DEPTH) / PER_PAGE
}

fn query(ands: serde_json::Value, page: usize) -> serde_json::Value {
    json!({"query": {"ands": ands}, "pagination": {"page": page, "per_page": PER_PAGE}})
}

fn by_input(data: serde_json::Value, page: usize) -> serde_json::Value {
    query(json!([{"input": {"data": data}}]), page)
}

fn labelled(concepts: &[usize], page: usize) -> serde_json::Value {
    let and = |concept: &usize| json!({"input": {"data": {"concepts": [{"id": format!("concept-{concept}"), "value": 1}]}}});
    query(concepts.iter().map(and).collect(), page)
}

fn predicted(concept: usize, page: usize) -> serde_json::Value {
    let concepts = json!([{"id": format!("concept-{concept}"), "value": 1}]);
    query(json!([{"output": {"data": {"concepts": concepts}}}]), page)
}

fn annotated(concept: usize) -> serde_json::Value {
    let data = json!({"concepts": [{"id": format!("concept-{concept}"), "value": 1}]});
    json!({
        "searches": [{"query": {"filters": [{"annotation": {"data": data}}]}}],
        "pagination": {"page": 1, "per_page": PER_PAGE}
    })
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
        "SQLite, one caller, the REST service in process, {ROUNDS} requests of each kind (fewer where those take more than \
         {MOST_S} s), 20 hits a page. Every input has an annotation with 2 of {N_CONCEPTS} concepts and {N_PREDICTIONS} \
         predictions.\n\n"
    );
    let mut columns: Vec<String> = Vec::new();
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); ASKS.len()];
    let mut n_there = 0;
    for &n in sizes {
        let begun = Instant::now();
        fill(&platform, &app_uid, n_there..n).await?;
        let rate = (n - n_there) as f64 / begun.elapsed().as_secs_f64();
        columns.push(format!("{n} inputs, ms (p99)"));
        table +=
            &format!("Filled up to {n} through the store, {ROWS_AT_ONCE} at a time: {rate:.0} inputs/s.\n");
        n_there = n;
        for (ask, cells) in ASKS.iter().zip(&mut cells) {
            let mut times = measure(&router, &first.api_key, ask, n).await?;
            let (middle, late) = (median(&mut times), quantile(&mut times, 0.99));
            cells.push(format!("{middle:.2} ({late:.2})"));
        }
    }
    table += &format!("\n| request | {} |\n| --- |{}\n", columns.join(" | "), " --: |".repeat(columns.len()));
    for (ask, cells) in ASKS.iter().zip(&cells) {
        table += &format!("| {} | {} |\n", ask.name, cells.join(" | "));
    }
    Ok(table + "\nAim: p99 of list and get under 10 ms at a million inputs.\n")
}

async fn measure(router: &Router, key: &str, ask: &Ask, n: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(ROUNDS);
    let started = Instant::now();
    for i in 0..ROUNDS + WARM_UP {
        if times.len() >= WARM_UP && started.elapsed().as_secs_f64() > MOST_S {
            break;
        }
        let body = (ask.body)(n, i);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(ask.method)
            .uri((ask.path)(n, i))
            .header("authorization", format!("Key {key}"))
            .header("content-type", "application/json")
            .body(Body::from(body))?;
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
                tx.insert_annotation(&row.annotation)?;
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
    annotation: Annotation,
    labels: Vec<Label>,
    predictions: Vec<(String, f64)>,
}

fn rows(app_uid: &str, i: usize, now_us: i64) -> Rows {
    let id = format!("input-{i}");
    let annotation_id = format!("annotation-{i}");
    let concepts = [i % N_COMMON, N_COMMON + i % (N_CONCEPTS - N_COMMON)];
    let label = |concept: usize| Label {
        app_uid: app_uid.to_owned(),
        input_id: id.clone(),
        annotation_id: annotation_id.clone(),
        concept_id: format!("concept-{concept}"),
        value: 1.0,
        account_id: "owner".to_owned(),
        created_at_us: now_us,
    };
    let said = concepts.map(|concept| json!({"concept_id": format!("concept-{concept}"), "value": 1.0}));
    let annotation = Annotation {
        app_uid: app_uid.to_owned(),
        id: annotation_id.clone(),
        input_id: id.clone(),
        account_id: "owner".to_owned(),
        status: "success".to_owned(),
        whole: true,
        doc: object(json!({"data": {"concepts": said}})),
        created_at_us: now_us,
        modified_at_us: now_us,
        ..Annotation::default()
    };
    // One of the common concepts, the others of all: some surely, some hardly.
    let seen = |k: usize| match k {
        0 => (i * 7) % N_COMMON,
        k => N_COMMON + (i * 7 + k * 13) % (N_CONCEPTS - N_COMMON),
    };
    let value = |k: usize| 0.5 + ((i * 7_919 + k * 104_729) % 5_000) as f64 / 10_000.0;
    let predictions = (0..N_PREDICTIONS).map(|k| (format!("concept-{}", seen(k)), value(k))).collect();
    let mut input = described(app_uid, &id, now_us);
    input.metadata = object(json!({"shelf": i % 10, "name": id}));
    (input.lat, input.lon) =
        (Some((i * 17 % 6_400) as f64 / 100.0 - 32.0), Some((i * 31 % 12_800) as f64 / 100.0 - 64.0));
    Rows { input, annotation, labels: concepts.map(label).to_vec(), predictions }
}

fn object(value: serde_json::Value) -> JsonMap {
    match value {
        serde_json::Value::Object(map) => map,
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_) => JsonMap::new(),
    }
}
