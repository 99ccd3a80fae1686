//! Measures how many sessions and threads serve a model best: images a second with 32 callers, and the time of one caller
//! alone and among them. `cargo run -p ocellus-core --example engine_threads --features testing`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ocellus_core::predict::{self, PredictOptions};
use ocellus_core::testing::{TestPlatform, cache_dir};
use ocellus_core::{Platform, Source};

const CALLERS: usize = 32;
const SECONDS: u64 = 6;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "this program's purpose is to print a table")]
async fn main() {
    let photos = Arc::new(photos());
    println!("{} photographs; sessions x threads, batch, pool", photos.len());
    println!("config      one alone p50/p99 ms, CPU ms   {CALLERS} callers img/s, CPU ms   their p50/p99 ms");
    for (sessions, threads, batch, pool) in
        [(2, 1, 1, 2), (1, 2, 1, 2), (1, 1, 1, 2), (2, 2, 1, 2), (2, 1, 8, 2), (1, 2, 8, 2), (2, 1, 1, 1)]
    {
        let test = TestPlatform::with(|config| {
            config.engine.sessions_per_model = sessions;
            config.engine.threads_per_session = threads;
            config.engine.max_batch = batch;
            config.engine.cpu_threads = pool;
        })
        .await;
        let before = cpu_ms();
        let (_, mut alone) = drive(&test.platform, &photos, 1).await;
        let alone_cpu = (cpu_ms() - before) / alone.len() as f64;
        let before = cpu_ms();
        let (rate, mut together) = drive(&test.platform, &photos, CALLERS).await;
        let together_cpu = (cpu_ms() - before) / together.len() as f64;
        println!(
            "{sessions}x{threads} b{batch} p{pool}  {:>8.1} /{:>6.1} {alone_cpu:>8.1}   {rate:>14.0} {together_cpu:>7.1}   {:>12.0} /{:>5.0}",
            percentile(&mut alone, 50),
            percentile(&mut alone, 99),
            percentile(&mut together, 50),
            percentile(&mut together, 99),
        );
    }
}

/// Lets so many callers ask one question after the other; images a second and the time of every answer.
async fn drive(platform: &Platform, photos: &Arc<Vec<Source>>, n_callers: usize) -> (f64, Vec<f64>) {
    let model = Arc::clone(platform.catalog().general());
    let options = PredictOptions::default();
    predict::source(platform, &model, &photos[0], None, &options).await.expect("the weights are installed");
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let callers: Vec<_> = (0..n_callers)
        .map(|caller| {
            let (platform, photos, model, stop) =
                (platform.clone(), Arc::clone(photos), Arc::clone(&model), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut times = Vec::new();
                let mut next = caller * 7;
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    let photo = &photos[next % photos.len()];
                    predict::source(&platform, &model, photo, None, &PredictOptions::default())
                        .await
                        .expect("photographs can be described");
                    times.push(asked.elapsed().as_secs_f64() * 1e3);
                    next += 1;
                }
                times
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await.expect("no caller panics"));
    }
    (times.len() as f64 / started.elapsed().as_secs_f64(), times)
}

/// CPU time of this process so far, of all its threads, as Linux counts it (hundredths of a second).
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in parentheses: utime and stime are the 12th and 13th fields.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() * percent / 100).copied().unwrap_or(0.0)
}

fn photos() -> Vec<Source> {
    let folder = cache_dir().join("photos");
    let entries = std::fs::read_dir(folder).expect("`make setup` installs photographs");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    let jpegs = paths.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "jpg"));
    jpegs.map(|path| Source::Bytes(std::fs::read(path).expect("photographs can be read").into())).collect()
}
