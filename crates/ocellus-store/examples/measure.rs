//! Measures what the comments of this crate state: commits a second at both durabilities, and vectors
//! written and read. `cargo run --release -p ocellus-store --example measure [postgres://URL]`.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::time::Instant;

use futures_util::future::join_all;
use ocellus_store::{Durability, Error, Job, JobPart, Store, StoreConfig, Vector};

const N_VECTORS: i64 = 100_000;
const N_DIMENSIONS: usize = 1280;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let folder = tempfile::tempdir_in(".").map_err(|e| Error::Config(e.to_string()))?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    let mut places = vec![
        ("sqlite full", format!("sqlite:{}", at("full.db")), Durability::Full),
        ("sqlite normal", format!("sqlite:{}", at("normal.db")), Durability::Normal),
    ];
    places.extend(std::env::args().nth(1).map(|url| ("postgres", url, Durability::Full)));
    for (name, url, durability) in places {
        let mut config = StoreConfig::new(url, format!("file:{}", at("blobs")));
        config.durability = durability;
        let store = Store::open(&config).await?;
        commits(name, &store).await?;
        jobs(name, &store).await?;
        vectors(name, &store).await?;
    }
    Ok(())
}

async fn commits(name: &str, store: &Store) -> Result<(), Error> {
    let begun = Instant::now();
    for i in 0..1000 {
        store.write(move |tx| tx.set_meta("alone", &format!("{i}"))).await?;
    }
    println!("{name}: one commit {:.0} us", begun.elapsed().as_micros() as f64 / 1000.0);
    let begun = Instant::now();
    let writers = (0..16).map(|w| async move {
        for i in 0..250 {
            store.write(move |tx| tx.set_meta(&format!("w{w}"), &format!("{i}"))).await?;
        }
        Ok::<_, Error>(())
    });
    join_all(writers).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("{name}: one of 16 at once {:.0} us", begun.elapsed().as_micros() as f64 / 4000.0);
    let begun = Instant::now();
    for _ in 0..5000 {
        store.read(|tx| tx.meta("alone")).await?;
    }
    println!("{name}: one point read {:.1} us", begun.elapsed().as_micros() as f64 / 5000.0);
    Ok(())
}

async fn jobs(name: &str, store: &Store) -> Result<(), Error> {
    let id = uuid::Uuid::new_v4().to_string();
    let kind = id.clone();
    let parts: Vec<_> = (0..4000).map(|i| JobPart::new(&format!("{i}"), 0)).collect();
    store.write(move |tx| tx.insert_job(&Job::new(&id, &kind, "me", 0), &parts)).await?;
    let kind = store.read(|tx| Ok::<_, Error>(tx.jobs_of("me", &newest())?.remove(0).kind)).await?;
    let begun = Instant::now();
    let workers = (0..4).map(|w| {
        let kind = kind.clone();
        async move {
            loop {
                let claim = store.claim_parts(vec![kind.clone()], format!("w{w}"), 1, 1_000_000, 4);
                let claimed = claim.await?;
                if claimed.is_empty() {
                    return Ok::<_, Error>(());
                }
                for (_, part) in claimed {
                    store.write(move |tx| tx.finish_part(&part, 2)).await?;
                }
            }
        }
    });
    join_all(workers).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("{name}: {:.0} parts/s, 4 workers", 4000.0 / begun.elapsed().as_secs_f64());
    Ok(())
}

fn newest() -> ocellus_store::JobQuery {
    ocellus_store::JobQuery { limit: 1, ..Default::default() }
}

async fn vectors(name: &str, store: &Store) -> Result<(), Error> {
    let app_uid = uuid::Uuid::new_v4().to_string();
    let begun = Instant::now();
    for start in (0..N_VECTORS).step_by(1000) {
        let app_uid = app_uid.clone();
        let put = store.write(move |tx| {
            let vector = |i: i64| Vector {
                app_uid: app_uid.clone(),
                space: "s".to_owned(),
                input_id: format!("input-{i}"),
                seq: 0,
                deleted: false,
                data: (0..N_DIMENSIONS).map(|d| (i as f32 + d as f32).sin()).collect(),
            };
            tx.put_vectors(&(start..start + 1000).map(vector).collect::<Vec<_>>())
        });
        put.await?;
    }
    println!("{name}: {N_VECTORS} vectors written in {:.1} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let (mut seq, mut n_read) = (0, 0);
    loop {
        let app_uid = app_uid.clone();
        let page = store.read(move |tx| tx.vectors_since(&app_uid, "s", seq, 2000)).await?;
        let Some(last) = page.last() else { break };
        seq = last.seq;
        n_read += page.len();
    }
    println!("{name}: {n_read} vectors read in {:.1} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    store.write(move |tx| tx.delete_all_inputs(&app_uid)).await?;
    println!("{name}: all buried in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}
