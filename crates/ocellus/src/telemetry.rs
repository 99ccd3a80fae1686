//! Log lines on standard error: for people on a terminal, as JSON elsewhere.

use std::io::IsTerminal as _;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging for the whole process.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&log.level).with_context(|| format!("`log.level` cannot be `{}`", log.level))?;
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if json {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).compact().try_init()
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
