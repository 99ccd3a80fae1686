//! Blobs as objects in a bucket of S3 or of a server that speaks its protocol.
//!
//! `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`: with an endpoint the bucket is part of the path, as
//! servers of one's own expect; without one the bucket is part of Amazon's host name.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::RANGE;
use reqwest::{Response, StatusCode};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use url::Url;

use super::{BlobEntry, is_hash};
use crate::{Error, Result};

/// How long a signed request may be on its way.
pub(super) const SIGNED_FOR: Duration = Duration::from_secs(300);
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transfer may stand still.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Every request can be sent again without harm.
const MAX_TRIES: u32 = 4;

/// A bucket, or what lies under a prefix in it.
pub(super) struct S3 {
    pub(super) bucket: Bucket,
    /// Empty, or ends with a slash.
    prefix: String,
    pub(super) credentials: Option<Credentials>,
    client: reqwest::Client,
}

impl S3 {
    /// Reads the URL and asks the bucket for one key, to fail early.
    pub(super) async fn open(url: &str, credentials: Option<(String, String)>) -> Result<Self> {
        let (bucket, prefix) = parse(url)?;
        // The program installs it at its start; a test that opens a store may be earlier. It is no
        // fault if it is there already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| Error::Blob(describe(e)))?;
        let credentials = credentials.map(|(key, secret)| Credentials::new(key, secret));
        let s3 = S3 { bucket, prefix, credentials, client };
        s3.list("", 1).await?;
        Ok(s3)
    }

    pub(super) fn key(&self, hash: &str) -> String {
        format!("{}{hash}", self.prefix)
    }

    /// Sends a request until it is answered by something else than a passing fault; `None` when the
    /// answer is that there is no such object.
    pub(super) async fn send(
        &self,
        what: &str,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Option<Response>> {
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            let problem = match request(&self.client).send().await {
                Ok(response) if response.status().is_success() => return Ok(Some(response)),
                Ok(response) if response.status() == StatusCode::NOT_FOUND => return Ok(None),
                // Answered only to a request for a part.
                Ok(response) if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => {
                    return Ok(Some(response));
                }
                Ok(response) => {
                    let status = response.status();
                    let problem = format!("S3 answered {status} to {what}");
                    if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        return Err(Error::Blob(problem));
                    }
                    problem
                }
                Err(e) => format!("S3 did not answer to {what}: {}", describe(e)),
            };
            if n_tries == MAX_TRIES {
                return Err(Error::Blob(problem));
            }
            let most_ms = 200 << n_tries;
            let pause_ms = most_ms / 2 + getrandom::u64().unwrap_or(0) % (most_ms / 2);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    pub(super) async fn put(&self, hash: &str, bytes: Bytes) -> Result<()> {
        let key = self.key(hash);
        let send = |client: &reqwest::Client| {
            let action = self.bucket.put_object(self.credentials.as_ref(), &key);
            client.put(action.sign(SIGNED_FOR)).body(bytes.clone())
        };
        self.send("a put", send).await?.ok_or_else(|| self.no_bucket())?;
        Ok(())
    }

    pub(super) async fn get(&self, hash: &str) -> Result<Option<Bytes>> {
        let key = self.key(hash);
        let send = |client: &reqwest::Client| {
            client.get(self.bucket.get_object(self.credentials.as_ref(), &key).sign(SIGNED_FOR))
        };
        match self.send("a get", send).await? {
            Some(response) => Ok(Some(response.bytes().await.map_err(|e| Error::Blob(describe(e)))?)),
            None => Ok(None),
        }
    }

    /// A part of an object; nothing beyond its end.
    pub(super) async fn read_at(&self, hash: &str, offset: u64, n_bytes: u64) -> Result<Option<Bytes>> {
        if n_bytes == 0 {
            return Ok(self.exists(hash).await?.then(Bytes::new));
        }
        let key = self.key(hash);
        let range = format!("bytes={offset}-{}", offset.saturating_add(n_bytes - 1));
        let send = |client: &reqwest::Client| {
            let action = self.bucket.get_object(self.credentials.as_ref(), &key);
            client.get(action.sign(SIGNED_FOR)).header(RANGE, &range)
        };
        let Some(response) = self.send("a get", send).await? else { return Ok(None) };
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                Ok(Some(response.bytes().await.map_err(|e| Error::Blob(describe(e)))?))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(Some(Bytes::new())),
            status => Err(Error::Blob(format!("S3 answered {status} to a request for a part"))),
        }
    }

    pub(super) async fn exists(&self, hash: &str) -> Result<bool> {
        let key = self.key(hash);
        let send = |client: &reqwest::Client| {
            client.head(self.bucket.head_object(self.credentials.as_ref(), &key).sign(SIGNED_FOR))
        };
        Ok(self.send("a head", send).await?.is_some())
    }

    pub(super) async fn delete(&self, hash: &str) -> Result<()> {
        let key = self.key(hash);
        let send = |client: &reqwest::Client| {
            client.delete(self.bucket.delete_object(self.credentials.as_ref(), &key).sign(SIGNED_FOR))
        };
        self.send("a delete", send).await?;
        Ok(())
    }

    pub(super) async fn list(&self, after: &str, limit: usize) -> Result<Vec<BlobEntry>> {
        let send = |client: &reqwest::Client| {
            let mut action = ListObjectsV2::new(&self.bucket, self.credentials.as_ref());
            action.with_prefix(self.prefix.as_str());
            action.with_start_after(self.key(after));
            action.with_max_keys(limit);
            client.get(action.sign(SIGNED_FOR))
        };
        let response = self.send("a list", send).await?.ok_or_else(|| self.no_bucket())?;
        let text = response.text().await.map_err(|e| Error::Blob(describe(e)))?;
        let page = ListObjectsV2::parse_response(&text)
            .map_err(|e| Error::Blob(format!("S3 answered a list that cannot be read: {e}")))?;
        let entries = page.contents.into_iter().filter_map(|object| {
            let hash = object.key.strip_prefix(&self.prefix)?;
            let time: jiff::Timestamp = object.last_modified?.parse().ok()?;
            is_hash(hash).then(|| BlobEntry {
                hash: hash.to_owned(),
                size_bytes: object.size.unwrap_or(0),
                modified_at_us: time.as_microsecond(),
            })
        });
        Ok(entries.collect())
    }

    pub(super) fn no_bucket(&self) -> Error {
        Error::Blob(format!("there is no bucket {}", self.bucket.name()))
    }
}

fn parse(url: &str) -> Result<(Bucket, String)> {
    let wrong = |why: &str| Error::Config(format!("the S3 URL of the blobs: {why}"));
    let parsed = Url::parse(url).map_err(|e| wrong(&e.to_string()))?;
    let name = parsed.host_str().ok_or_else(|| wrong("it names no bucket"))?.to_owned();
    let mut region = "us-east-1".to_owned();
    let mut endpoint = None;
    for (key, value) in parsed.query_pairs() {
        match &*key {
            "region" => region = value.into_owned(),
            "endpoint" => endpoint = Some(value.into_owned()),
            other => return Err(wrong(&format!("unknown parameter {other}"))),
        }
    }
    let (endpoint, style) = match endpoint {
        Some(endpoint) => (endpoint, UrlStyle::Path),
        None => (format!("https://s3.{region}.amazonaws.com"), UrlStyle::VirtualHost),
    };
    let endpoint = Url::parse(&endpoint).map_err(|e| wrong(&format!("endpoint: {e}")))?;
    let bucket = Bucket::new(endpoint, style, name, region).map_err(|e| wrong(&e.to_string()))?;
    let prefix = match parsed.path().trim_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    Ok((bucket, prefix))
}

/// The error with its causes, without the URL: it is signed and as good as a key.
pub(super) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_where_the_bucket_is() {
        for (given, base, prefix) in [
            ("s3://b", "https://b.s3.us-east-1.amazonaws.com/", ""),
            ("s3://b/x/y/?region=eu-west-1", "https://b.s3.eu-west-1.amazonaws.com/", "x/y/"),
            ("s3://b/x?endpoint=http://localhost:9000", "http://localhost:9000/b/", "x/"),
        ] {
            let (bucket, found) = parse(given).unwrap();
            assert_eq!((bucket.base_url().as_str(), found.as_str()), (base, prefix), "{given}");
        }
    }

    #[test]
    fn a_url_that_says_something_unknown_is_refused() {
        for given in ["s3://", "s3://b?endpoint=nowhere", "s3://b?regoin=x"] {
            assert!(matches!(parse(given), Err(Error::Config(_))), "{given}");
        }
    }
}
