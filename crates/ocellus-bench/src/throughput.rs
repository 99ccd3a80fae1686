//! Images a second through `PostModelOutputs` with 32 callers, against Pillow and onnxruntime in Python.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::report::median;
use crate::server::Server;

/// Concurrent callers, as the aim states.
const CALLERS: usize = 32;
const RUNS: usize = 5;
/// (peer threads, onnxruntime threads inside one run)
const PEERS: [(usize, usize); 3] = [(1, 1), (1, 2), (2, 1)];
const GENERAL: &str = "aaa03c23b3724a16a56b629203edc62c";

/// Where the peer's Python and the weights are.
pub struct Peer {
    pub python: PathBuf,
    pub script: PathBuf,
    pub model: PathBuf,
}

/// Runs server and peer in turn, five times, and returns a Markdown table.
pub async fn run(server: &Server, peer: &Peer, folder: &Path, paths: &[PathBuf]) -> Result<String> {
    through_server(server, &paths[..CALLERS.min(paths.len())]).await?; // loads the model, outside the clock
    let mut ours = Vec::new();
    let mut theirs = vec![Vec::new(); PEERS.len()];
    for _ in 0..RUNS {
        ours.push(through_server(server, paths).await?);
        for (rates, (callers, intra)) in theirs.iter_mut().zip(PEERS) {
            rates.push(through_peer(peer, folder, callers, intra)?);
        }
    }
    let mut table = format!(
        "{} JPEG photographs read from disk in every run; median of {RUNS} runs, in turn.\n\n| who | images/s | runs |\n| --- | --: | --- |\n",
        paths.len()
    );
    let our_median = median(&mut ours);
    table += &row(&format!("Ocellus, REST, {CALLERS} callers"), our_median, &ours);
    let mut best = 0.0_f64;
    for (rates, (callers, intra)) in theirs.iter_mut().zip(PEERS) {
        let rate = median(rates);
        best = best.max(rate);
        table +=
            &row(&format!("Pillow + onnxruntime, {callers} thread(s), {intra} inside a run"), rate, rates);
    }
    table += &format!("\nRatio to the best peer: **{:.2}** (aim: at least 0.95).\n", our_median / best);
    Ok(table)
}

fn row(name: &str, rate: f64, runs: &[f64]) -> String {
    let runs: Vec<String> = runs.iter().map(|r| format!("{r:.0}")).collect();
    format!("| {name} | {rate:.1} | {} |\n", runs.join(", "))
}

async fn through_server(server: &Server, paths: &[PathBuf]) -> Result<f64> {
    let client = reqwest::Client::builder().pool_max_idle_per_host(CALLERS).build()?;
    let next = Arc::new(AtomicUsize::new(0));
    let paths: Arc<[PathBuf]> = paths.into();
    let url = format!("{}/v2/models/{GENERAL}/outputs", server.url);
    let begun = Instant::now();
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let (client, next, paths, url) = (client.clone(), next.clone(), paths.clone(), url.clone());
        let key = format!("Key {}", server.api_key);
        callers.push(tokio::spawn(async move {
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answer = client
                    .post(&url)
                    .header("authorization", &key)
                    .body(body(&std::fs::read(path)?))
                    .send()
                    .await?;
                let status = answer.status();
                let text = answer.text().await?;
                ensure!(status == 200, "{}: {status} {text}", path.display());
            }
            anyhow::Ok(())
        }));
    }
    for caller in callers {
        caller.await??;
    }
    Ok(paths.len() as f64 / begun.elapsed().as_secs_f64())
}

/// The request that the 2018 clients send for one image.
pub fn body(image: &[u8]) -> String {
    let mut text = String::with_capacity(image.len() * 4 / 3 + 160);
    text += r#"{"inputs":[{"data":{"image":{"base64":""#;
    STANDARD.encode_string(image, &mut text);
    text += r#""}}}],"model":{"output_info":{"output_config":{"max_concepts":5}}}}"#;
    text
}

fn through_peer(peer: &Peer, folder: &Path, callers: usize, intra: usize) -> Result<f64> {
    let output = Command::new(&peer.python)
        .arg(&peer.script)
        .arg(&peer.model)
        .arg(folder)
        .args(["--callers", &callers.to_string(), "--intra", &intra.to_string()])
        // These two slow numpy on some machines, which would flatter us.
        .env_remove("OPENBLAS_CORETYPE")
        .env_remove("OPENBLAS_L2_SIZE")
        .output()
        .context("cannot run the peer")?;
    ensure!(output.status.success(), "the peer failed: {}", String::from_utf8_lossy(&output.stderr));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    line["images_per_s"].as_f64().context("the peer printed no rate")
}
