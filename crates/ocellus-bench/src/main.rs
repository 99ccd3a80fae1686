//! The benchmarks of `docs/benchmarks.md`: each measures the product and a peer in the same run and prints Markdown.

mod detect;
mod latency;
mod learn;
mod peer;
mod photographs;
mod report;
mod scale;
mod search;
mod server;
mod start;
mod throughput;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use ocellus_algo::nn::{Runtime, Session, SessionOptions};
use ocellus_core::testing::cache_dir;

#[derive(Parser)]
#[command(about = "Measures Ocellus beside its peers and prints a report in Markdown")]
struct Args {
    /// The server to measure.
    #[arg(long, default_value = "target/release/ocellus")]
    binary: PathBuf,
    /// How many photographs the throughput benchmark reads.
    #[arg(long, default_value_t = 300)]
    photographs: usize,
    /// How many vectors the search benchmark holds.
    #[arg(long, default_value_t = 100_000)]
    vectors: usize,
    /// At how many inputs the scale benchmark looks.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    inputs: Vec<usize>,
    /// On how many pictures detectors are learned.
    #[arg(long, default_value_t = 240)]
    detect_pictures: usize,
    /// What to measure; everything when none is named.
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Start,
    Throughput,
    Latency,
    Search,
    Scale,
    Detect,
    Learn,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    let parts = if args.parts.is_empty() { Part::value_variants().to_vec() } else { args.parts.clone() };
    let mut out = std::io::stdout();
    writeln!(out, "{}", report::head("make bench"))?;
    for part in parts {
        let (title, table) = measure(part, &args).await?;
        writeln!(out, "## {title}\n\n{table}")?;
    }
    Ok(())
}

async fn measure(part: Part, args: &Args) -> Result<(&'static str, String)> {
    let cache = cache_dir();
    let library = cache.join("runtime/libonnxruntime.so.1.31.1");
    let dir = tempfile::tempdir()?;
    Ok(match part {
        Part::Start => ("Cold start and idle memory", start::run(&args.binary).await?),
        Part::Search => {
            let config = search::config(dir.path(), &cache.join("models"), &library);
            ("Search", search::run(config, args.vectors).await?)
        }
        Part::Scale => {
            let config = search::config(dir.path(), &cache.join("models"), &library);
            ("Lists, gets and counts as an app grows", scale::run(config, &args.inputs).await?)
        }
        Part::Detect => ("Detectors", detectors(dir.path(), &library, args.detect_pictures)?),
        Part::Learn => {
            let peer_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer");
            let (python, script) = (peer::python(&peer_dir)?, peer_dir.join("learn.py"));
            let catalog = ocellus_core::catalog::Catalog::open(&cache.join("models"))?;
            let setting = learn::Setting {
                python: &python,
                script: &script,
                data: &cache.join("data/fashion-mnist"),
                folder: dir.path(),
                library: &library,
                weights: &weights()?,
                embedding: catalog.general(),
            };
            ("Learning", learn::run(&setting)?)
        }
        Part::Throughput => {
            let server = server::Server::start(&args.binary, &dir.path().join("data")).await?;
            let paths = photographs(dir.path(), args.photographs)?;
            let peer_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer");
            let (python, script) = (peer::python(&peer_dir)?, peer_dir.join("onnx_loop.py"));
            let peer = throughput::Peer { python, script, model: weights()? };
            (
                "Predictions a second",
                throughput::run(&server, &peer, &dir.path().join("photographs"), &paths).await?,
            )
        }
        Part::Latency => {
            let server = server::Server::start(&args.binary, &dir.path().join("data")).await?;
            let paths = photographs(dir.path(), 40)?;
            let catalog = ocellus_core::catalog::Catalog::open(&cache.join("models"))?;
            let spec =
                catalog.general().preprocess.clone().context("the general model has no preprocessing")?;
            let options = SessionOptions { intra_threads: 1 };
            let session = Session::open(&Runtime::load(&library)?, &weights()?, &options)?;
            ("Added latency", latency::run(&server, &mut latency::Bare { session, spec }, &paths).await?)
        }
    })
}

fn detectors(folder: &Path, library: &Path, n_pictures: usize) -> Result<String> {
    let (cache, peer_dir) = (cache_dir(), Path::new(env!("CARGO_MANIFEST_DIR")).join("peer"));
    let catalog = ocellus_core::catalog::Catalog::open(&cache.join("models"))?;
    detect::run(&detect::Setting {
        python: &peer::python(&peer_dir)?,
        script: &peer_dir.join("detect.py"),
        photographs: &cache.join("photos"),
        folder,
        library,
        detector: catalog.detector().context("there is no detector")?,
        n_pictures,
    })
}

fn photographs(dir: &Path, wanted: usize) -> Result<Vec<PathBuf>> {
    let folder = dir.join("photographs");
    std::fs::create_dir_all(&folder)?;
    photographs::prepare(&cache_dir().join("photos"), &folder, wanted)
}

/// The general model's file.
fn weights() -> Result<PathBuf> {
    let catalog = ocellus_core::catalog::Catalog::open(&cache_dir().join("models"))?;
    let file = catalog.general().file.clone().context("the general model has no weights")?;
    anyhow::ensure!(file.path.is_file(), "{} is not installed: run `make setup`", file.path.display());
    Ok(file.path)
}
