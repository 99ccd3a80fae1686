//! `ocellus serve`: opens the data folder, listens, works on jobs, and stops in order.

mod banner;
pub mod first_key;
mod listen;
pub mod lock;
mod metrics;
pub mod pages;
mod tls;

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use ocellus_clarifai::ClarifaiConfig;
use ocellus_core::Platform;
use ocellus_http::HttpConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::commands::local;
use crate::config::Config;
use lock::DataLock;

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(config: Config) -> anyhow::Result<()> {
    // First of all: a stop during the start must be as orderly as a later one.
    let signals = StopSignals::catch()?;
    local::make_data_dir(&config)?;
    let data_dir = &config.server.data_dir;
    let _lock = match DataLock::try_take(data_dir, "serve")? {
        Ok(lock) => lock,
        Err(holder) => anyhow::bail!("the data folder {} is in use: {holder}", data_dir.display()),
    };
    // Listening comes before opening the database, so that a busy port is told at once and changes nothing.
    let plain = listen::bind("server.listen", &config.server.listen).await?;
    let secure = match config.serves_tls() {
        true => Some((listen::bind("tls.listen", &config.tls.listen).await?, tls::acceptor(&config)?)),
        false => None,
    };
    let recorder = metrics::install()?;
    let platform = Platform::open(config.platform()?).await.map_err(local::explain)?;
    let first = first_key::ensure(&platform, data_dir).await?;
    let workers = platform.start_workers().await.map_err(local::explain)?;

    banner::print(&config, &plain, secure.as_ref().map(|(listener, _)| listener), first.as_ref());
    let router = router(&platform, &config, recorder);
    let limits = listen::Limits {
        max_connections: config.server.max_connections,
        header_timeout: Duration::from_secs(config.server.header_timeout_s),
        grace: Duration::from_secs(config.server.shutdown_grace_s),
    };
    listen::serve(plain, secure, router, limits, signals).await?;
    workers.stop().await;
    platform.indexes().snapshot_all().await;
    tracing::info!("stopped");
    Ok(())
}

/// Everything that is served, with the layers around it.
fn router(platform: &Platform, config: &Config, recorder: metrics::Recorder) -> Router {
    let public_url = &config.server.public_url;
    let clarifai = ClarifaiConfig {
        max_body_bytes: config.server.max_body_bytes,
        public_url: (!public_url.is_empty()).then(|| public_url.clone()),
    };
    let all = Router::new()
        .merge(ocellus_clarifai::router(platform.clone(), clarifai))
        .merge(ocellus_hacarus::router(platform.clone()))
        .merge(ocellus_luna::router(platform.clone()))
        .merge(ocellus_inference::router(platform.clone(), config.server.max_body_bytes))
        .merge(ocellus_console::router(platform.clone()))
        .merge(pages::router(platform.clone(), runtime_path(config), recorder))
        .fallback(pages::not_found);
    ocellus_http::wrap(all, &HttpConfig { max_body_bytes: config.server.max_body_bytes })
}

fn runtime_path(config: &Config) -> std::path::PathBuf {
    config.runtime_library().unwrap_or_default()
}

/// The signals that ask a process to stop.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From here on they no longer end the process by themselves.
    fn catch() -> anyhow::Result<StopSignals> {
        let catch = |kind| signal(kind).context("signals cannot be received");
        Ok(StopSignals {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    /// Waits for one, and says which.
    async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
