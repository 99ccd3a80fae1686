//! The Prometheus recorder behind `GET /metrics`.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Renders what was recorded.
pub type Recorder = PrometheusHandle;

/// Upper bounds of the histograms of times, in seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How often recorded times are put into their buckets, so that memory stays small without anybody asking.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder for the whole process. Needs to be called on the runtime.
pub fn install() -> anyhow::Result<Recorder> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("metrics cannot be recorded")?;
    let upkeep = recorder.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    metrics::gauge!("ocellus_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(recorder)
}
