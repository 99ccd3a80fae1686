//! A server process of the benchmark's own: started on an empty folder, timed, measured, stopped.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    /// Base URL, for example `http://127.0.0.1:40123`.
    pub url: String,
    /// Personal access token and app of the first start.
    pub api_key: String,
    /// Time from `exec` to the first 200 of `/readyz`, in seconds.
    pub start_s: f64,
}

impl Server {
    /// Starts `binary` on `data_dir` and waits until it is ready.
    pub async fn start(binary: &Path, data_dir: &Path) -> Result<Server> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url = format!("http://127.0.0.1:{port}");
        let begun = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--data-dir"])
            .arg(data_dir)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("OCELLUS__LOG__LEVEL", "warn")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut server = Server { child, url, api_key: String::new(), start_s: 0.0 };
        let client = reqwest::Client::new();
        while client
            .get(format!("{}/readyz", server.url))
            .send()
            .await
            .map(|a| a.status() != 200)
            .unwrap_or(true)
        {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended at its start: {status}");
            }
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("the server was not ready within a minute");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server.start_s = begun.elapsed().as_secs_f64();
        let keys: serde_json::Value =
            serde_json::from_slice(&std::fs::read(data_dir.join("first-key.json"))?)?;
        server.api_key = keys["api_key"].as_str().context("first-key.json has no api_key")?.to_owned();
        Ok(server)
    }

    /// Resident memory now, in MiB (Linux `/proc`).
    pub fn resident_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(PathBuf::from(format!("/proc/{}/status", self.child.id())))?;
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).context("no VmRSS in /proc")?;
        let kib: f64 = line.split_whitespace().nth(1).context("VmRSS has no value")?.parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The folder is temporary too, so that nothing needs an orderly end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
