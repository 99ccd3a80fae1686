//! The one guarded way to the network: everything that fetches an address given by a user fetches it here.

mod guard;
mod resolve;
mod save;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, StatusCode};
use url::{Host, Url};

use crate::{Error, Kind, Resource, Result};
use guard::Guard;
use resolve::{GuardedResolver, Refused};

/// How the fetcher behaves; a section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchConfig {
    /// Networks (CIDR) and host names that may be reached although they are private, such as `192.168.7.0/24` or `nas.lan`.
    pub allow: Vec<String>,
    /// For the whole of one fetch with all its redirects, in milliseconds.
    pub timeout_ms: u64,
    /// For opening one connection, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How many redirects are followed.
    pub max_redirects: u32,
    /// What the fetcher calls itself.
    pub user_agent: String,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            timeout_ms: 30_000,
            connect_timeout_ms: 5_000,
            max_redirects: 5,
            user_agent: concat!("ocellus/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The body.
    pub bytes: Bytes,
    /// As the server says, if it says.
    pub content_type: Option<String>,
    /// Where the redirects ended.
    pub final_url: String,
}

/// Fetches over http and https, never from a private address unless the configuration allows it.
pub struct Fetcher {
    config: FetchConfig,
    guard: Arc<Guard>,
    // Built on first use: loading the system's certificates would slow down every start.
    client: OnceLock<Client>,
}

impl Fetcher {
    /// A fetcher; `Invalid` if an entry of `allow` is neither a network nor a host name.
    pub fn new(config: FetchConfig) -> Result<Self> {
        let guard = Arc::new(Guard::new(&config.allow)?);
        Ok(Self { config, guard, client: OnceLock::new() })
    }

    /// Fetches `url`, at most `max_bytes` of it. Errors are about the URL: `Invalid` when it cannot be fetched, `Forbidden`
    /// when it leads to a private address, `TooLarge`, `Timeout`.
    pub async fn get(&self, url: &str, max_bytes: usize) -> Result<Fetched> {
        let limit = Duration::from_millis(self.config.timeout_ms);
        match tokio::time::timeout(limit, self.follow(url, max_bytes)).await {
            Ok(result) => result,
            Err(_) => Err(timed_out(url)),
        }
    }

    /// Posts a document to `url`, which must answer with success. Redirects are not followed: what is told to one address
    /// is not told to another. Errors are as those of [`Fetcher::get`].
    pub async fn post(&self, url: &str, body: Bytes, content_type: &str) -> Result<()> {
        let limit = Duration::from_millis(self.config.timeout_ms);
        match tokio::time::timeout(limit, self.tell(url, body, content_type)).await {
            Ok(result) => result,
            Err(_) => Err(timed_out(url)),
        }
    }

    async fn tell(&self, given: &str, body: Bytes, content_type: &str) -> Result<()> {
        let url = Url::parse(given)
            .map_err(|err| about(given, Kind::Invalid, format!("Invalid URL '{given}': {err}")))?;
        self.check(&url)?;
        let request = self.client()?.post(url.clone()).header(CONTENT_TYPE, content_type).body(body);
        let response = request.send().await.map_err(|err| failed(&url, err))?;
        checked(url, response).map(|_| ())
    }

    async fn follow(&self, given: &str, max_bytes: usize) -> Result<Fetched> {
        let (url, response) = self.open(given).await?;
        receive(url, response, max_bytes).await
    }

    /// The good answer where the redirects end.
    async fn open(&self, given: &str) -> Result<(Url, Response)> {
        let mut url = Url::parse(given)
            .map_err(|err| about(given, Kind::Invalid, format!("Invalid URL '{given}': {err}")))?;
        for _ in 0..=self.config.max_redirects {
            self.check(&url)?;
            let response = self.client()?.get(url.clone()).send().await.map_err(|err| failed(&url, err))?;
            match redirect_target(&url, &response)? {
                Some(target) => url = target,
                None => return checked(url, response),
            }
        }
        let text = format!("Exceeded {} redirects for url: {}", self.config.max_redirects, shown(&url));
        Err(about(given, Kind::Invalid, text))
    }

    /// What can be said before a connection: the scheme, and the address if the URL names one. Names are checked where
    /// they are resolved.
    fn check(&self, url: &Url) -> Result<()> {
        if !matches!(url.scheme(), "http" | "https") {
            let text = format!("Unsupported scheme '{}' for url: {}", url.scheme(), shown(url));
            return Err(about(url.as_str(), Kind::Invalid, text));
        }
        let allowed = match url.host() {
            None => {
                return Err(about(url.as_str(), Kind::Invalid, format!("No host in url: {}", shown(url))));
            }
            Some(Host::Domain(_)) => true,
            Some(Host::Ipv4(address)) => self.guard.allows_address(address.into()),
            Some(Host::Ipv6(address)) => self.guard.allows_address(address.into()),
        };
        if allowed { Ok(()) } else { Err(refused(url)) }
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(GuardedResolver(Arc::clone(&self.guard)))
            .connect_timeout(Duration::from_millis(self.config.connect_timeout_ms))
            .pool_max_idle_per_host(4)
            .user_agent(&self.config.user_agent)
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Whoever comes first installs the process's TLS provider; both would install the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = self.builder().build().or_else(|err| {
            // Plain http needs no certificates, and a https address then fails by itself.
            tracing::warn!(%err, "no usable certificates on this system: https addresses cannot be fetched");
            self.builder().tls_certs_only([]).build()
        });
        let client =
            client.map_err(|err| Error::unavailable("the HTTP client cannot start").caused_by(err))?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn redirect_target(url: &Url, response: &Response) -> Result<Option<Url>> {
    let status = response.status();
    let follows = matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = response.headers().get(LOCATION).filter(|_| follows) else { return Ok(None) };
    let target = location.to_str().ok().and_then(|location| url.join(location).ok());
    match target {
        Some(target) => Ok(Some(target)),
        None => Err(about(url.as_str(), Kind::Invalid, format!("Invalid redirect for url: {}", shown(url)))),
    }
}

fn checked(url: Url, response: Response) -> Result<(Url, Response)> {
    let status = response.status();
    if !status.is_success() {
        let side = if status.is_server_error() { "Server" } else { "Client" };
        let reason = status.canonical_reason().unwrap_or("Unknown");
        let text = format!("{} {side} Error: {reason} for url: {}", status.as_u16(), shown(&url));
        return Err(about(url.as_str(), Kind::Invalid, text));
    }
    Ok((url, response))
}

/// How long the content is, if its server is right.
fn announced(response: &Response) -> u64 {
    response.content_length().unwrap_or(0)
}

fn too_large(url: &Url, max_bytes: u64) -> Error {
    let text = format!("The content is larger than {max_bytes} bytes for url: {}", shown(url));
    about(url.as_str(), Kind::TooLarge, text)
}

async fn receive(url: Url, response: Response, max_bytes: usize) -> Result<Fetched> {
    let announced = announced(&response);
    if announced > max_bytes as u64 {
        return Err(too_large(&url, max_bytes as u64));
    }
    let content_type =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // The announced length is only a hint; trusting it would let a server reserve memory here.
    let mut body = BytesMut::with_capacity((announced as usize).min(1 << 20));
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|err| failed(&url, err))?;
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large(&url, max_bytes as u64));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { bytes: body.freeze(), content_type, final_url: url.to_string() })
}

fn failed(url: &Url, err: reqwest::Error) -> Error {
    if find_cause::<Refused>(&err) {
        return refused(url);
    }
    if err.is_timeout() {
        return timed_out(url.as_str());
    }
    let text = if err.is_connect() {
        format!("Failed to connect for url: {}", shown(url))
    } else {
        format!("The connection broke for url: {}", shown(url))
    };
    about(url.as_str(), Kind::Invalid, text).caused_by(err.without_url())
}

fn find_cause<E: StdError + 'static>(err: &dyn StdError) -> bool {
    let mut next = err.source();
    while let Some(cause) = next {
        if cause.is::<E>() {
            return true;
        }
        next = cause.source();
    }
    false
}

fn refused(url: &Url) -> Error {
    about(
        url.as_str(),
        Kind::Forbidden,
        format!("The address is private and may not be fetched for url: {}", shown(url)),
    )
}

fn timed_out(url: &str) -> Error {
    let shown = Url::parse(url).map_or_else(|_| url.to_owned(), |url| shown(&url));
    about(url, Kind::Timeout, format!("Read timed out for url: {shown}"))
}

fn about(url: &str, kind: Kind, message: String) -> Error {
    Error::new(kind, message)
        .about(Resource::Url(Url::parse(url).map_or_else(|_| url.to_owned(), |url| shown(&url))))
}

/// The URL as it may be shown and logged: without a user's name and password.
fn shown(url: &Url) -> String {
    if url.username().is_empty() && url.password().is_none() {
        return url.to_string();
    }
    let mut url = url.clone();
    // Both fail only for URLs that cannot have credentials, and those have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}
