//! How soon a server is ready, on an empty folder and again, and what it holds before a model is loaded.

use std::path::Path;

use anyhow::Result;

use crate::report::median;
use crate::server::Server;

const RUNS: usize = 5;

/// Starts the server ten times and returns a table of medians.
pub async fn run(binary: &Path) -> Result<String> {
    let (mut first, mut again, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("data");
        let server = Server::start(binary, &data).await?;
        first.push(server.start_s * 1e3);
        resident.push(server.resident_mib()?);
        drop(server);
        again.push(Server::start(binary, &data).await?.start_s * 1e3);
    }
    Ok(format!(
        "From `exec` to the first 200 of `/readyz`; median of {RUNS} runs.\n\n\
         | what | value | aim |\n| --- | --: | --: |\n| first start, empty folder | {:.0} ms | 1000 ms |\n\
         | second start | {:.0} ms | 1000 ms |\n| resident memory, no model loaded | {:.0} MiB | 150 MiB |\n",
        median(&mut first),
        median(&mut again),
        median(&mut resident),
    ))
}
