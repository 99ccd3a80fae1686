//! Fetching what is too large for memory: into an unnamed temporary file, chunk by chunk.

use std::fs::File;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::{Fetcher, announced, failed, timed_out, too_large};
use crate::{Error, Result};

impl Fetcher {
    /// Fetches `url` into a temporary file, at most `max_bytes` of it, with the same errors as [`Fetcher::get`]. The
    /// configured time holds for the head and for each chunk rather than for the whole; `go_on` is asked at every chunk.
    pub async fn save(
        &self,
        url: &str,
        max_bytes: u64,
        go_on: impl Fn() -> Result<()> + Send,
    ) -> Result<File> {
        let limit = Duration::from_millis(self.config.timeout_ms);
        let opened = tokio::time::timeout(limit, self.open(url)).await;
        let (url, response) = opened.map_err(|_| timed_out(url))??;
        if announced(&response) > max_bytes {
            return Err(too_large(&url, max_bytes));
        }
        let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(Error::internal)?);
        let (mut n_bytes, mut chunks) = (0, response.bytes_stream());
        loop {
            go_on()?;
            let next = tokio::time::timeout(limit, chunks.next()).await;
            let Some(chunk) = next.map_err(|_| timed_out(url.as_str()))? else { break };
            let chunk = chunk.map_err(|err| failed(&url, err))?;
            n_bytes += chunk.len() as u64;
            if n_bytes > max_bytes {
                return Err(too_large(&url, max_bytes));
            }
            file.write_all(&chunk).await.map_err(Error::internal)?;
        }
        file.flush().await.map_err(Error::internal)?;
        Ok(file.into_std().await)
    }
}
