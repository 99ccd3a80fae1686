//! Accepting connections: HTTP/1.1 and HTTP/2 on one port, plain or in TLS, and an orderly end.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use ocellus_http::Peer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::util::MapRequest;

use super::StopSignals;

/// Requests that one HTTP/2 connection may have open at once.
const MAX_STREAMS: u32 = 256;
/// An HTTP/2 peer that does not answer a ping within this is gone.
const PING: Duration = Duration::from_secs(20);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The wait after a failed accept: mostly "too many open files", which goes away when connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_connections: usize,
    pub header_timeout: Duration,
    pub grace: Duration,
}

/// Opens a port. `setting` is named in the error.
pub async fn bind(setting: &str, address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hints = [
            (ErrorKind::AddrInUse, "the port is in use by another program"),
            (ErrorKind::PermissionDenied, "this port is not allowed to this user"),
            (ErrorKind::InvalidInput, "it must be ADDRESS:PORT, such as 127.0.0.1:8080"),
        ];
        let hint = hints.iter().find(|(kind, _)| *kind == error.kind());
        let hint = hint.map_or("it is not an address of this machine", |(_, hint)| *hint);
        anyhow!("cannot listen on {setting} = {address}: {hint} ({error})")
    })
}

/// Serves until a signal, then lets open requests end within the grace.
pub async fn serve(
    plain: TcpListener,
    secure: Option<(TcpListener, TlsAcceptor)>,
    router: Router,
    limits: Limits,
    mut signals: StopSignals,
) -> anyhow::Result<()> {
    let server = Server {
        router,
        builder: builder(limits),
        open: Arc::new(Semaphore::new(limits.max_connections)),
        graceful: Arc::new(GracefulShutdown::new()),
    };
    let accept_plain = accept(&server, &plain, None);
    let accept_secure = async {
        match &secure {
            Some((listener, acceptor)) => accept(&server, listener, Some(acceptor)).await,
            None => std::future::pending().await,
        }
    };
    let signal = tokio::select! {
        signal = signals.wait() => signal,
        () = accept_plain => "a closed listener",
        () = accept_secure => "a closed listener",
    };
    tracing::info!(signal, "stopping");
    drop((plain, secure));
    let Server { graceful, .. } = server;
    let graceful = Arc::into_inner(graceful).context("the list of connections is still in use")?;
    if tokio::time::timeout(limits.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests still open after the grace are cut off");
    }
    Ok(())
}

struct Server {
    router: Router,
    builder: Builder<TokioExecutor>,
    open: Arc<Semaphore>,
    graceful: Arc<GracefulShutdown>,
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .adaptive_window(true)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

async fn accept(server: &Server, listener: &TcpListener, tls: Option<&TlsAcceptor>) {
    loop {
        let Ok(permit) = Arc::clone(&server.open).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => start(server, stream, tls.cloned(), permit),
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn start(server: &Server, stream: TcpStream, tls: Option<TlsAcceptor>, permit: OwnedSemaphorePermit) {
    // Small answers must not wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let (builder, router) = (server.builder.clone(), server.router.clone());
    let peer = stream.peer_addr().ok().map(|address| Peer(address.ip()));
    let watcher = server.graceful.watcher();
    tokio::spawn(async move {
        match tls {
            None => connection(&builder, stream, (router, peer), watcher).await,
            Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => connection(&builder, stream, (router, peer), watcher).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            },
        }
        drop(permit);
    });
}

async fn connection<S>(
    builder: &Builder<TokioExecutor>,
    stream: S,
    (router, peer): (Router, Option<Peer>),
    watcher: hyper_util::server::graceful::Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let with_peer = move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        request
    };
    let service = TowerToHyperService::new(MapRequest::new(router, with_peer));
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(serving.into_owned()).await {
        // Mostly clients that went away; nothing an operator can do about.
        tracing::debug!(error, "a connection ended early");
    }
}
