//! Accepting connections and serving HTTP/1.1 on them: the same for the manager and every session.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::counter::Counter;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Request, Response};
use crate::tasks::Tasks;
use crate::tls::Tls;

/// What the headers of a request may take, in bytes and in number.
const HEADER_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;

/// How many connections may wait to be accepted, where the system (net.core.somaxconn) allows it. After a restart all
/// clients come back at once, and one that finds the queue full tries again only a second later.
const BACKLOG: u32 = 1024;

/// How long what was sent may stay unacknowledged by the client's system: SockJS's streams have no sign of life of the
/// client's by which one would be missed whose network is gone. In milliseconds.
const UNACKNOWLEDGED_MS: u32 = 60_000;

/// How long accepting pauses when the system has no descriptor left, and how seldom that is told.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How long a request under way may go on once the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Listens on an address.
///
/// # Errors
/// The system's: the address is taken, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A port whose last connections still linger is free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// On what terms connections are served.
#[derive(Clone)]
pub struct Terms {
    /// Present: they are TLS.
    pub tls: Option<Tls>,
    /// The time for the headers of each request, and before that for TLS.
    pub handshake: Duration,
    /// Counts those that end by what is no HTTP, or in the middle of a request or of a handshake.
    pub broken: Counter,
}

/// Serves on a bound listener until `stop`. Each connection is a task of `tasks`, and ends soon after `stop`.
pub async fn serve<H, A>(listener: Arc<TcpListener>, terms: Terms, stop: &CancellationToken, tasks: &Tasks, handle: H)
where
    H: Fn(Request, SocketAddr) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let mut told: Option<Instant> = None;
    loop {
        // Cancel-safe: a connection is either accepted or still in the system's queue.
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // A packet is written whole, so waiting for more to send only costs time.
                let _ = stream.set_nodelay(true);
                let _ = set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MS);
                let (terms, stop, handle) = (terms.clone(), stop.clone(), handle.clone());
                tasks.spawn(async move {
                    let is_whole = match &terms.tls {
                        None => connection(stream, peer, terms.handshake, stop, handle).await,
                        Some(tls) => match secured(stream, tls, terms.handshake, &stop).await {
                            Some(stream) => connection(stream, peer, terms.handshake, stop, handle).await,
                            None => false,
                        },
                    };
                    if !is_whole {
                        terms.broken.inc();
                    }
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() > TOLD_EVERY) {
                    tracing::warn!(%error, "cannot accept connections");
                    told = Some(Instant::now());
                }
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The socket once its TLS handshake is done; nothing if it was not in time, or went wrong.
async fn secured(
    stream: TcpStream,
    tls: &Tls,
    time: Duration,
    stop: &CancellationToken,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    match stop.run_until_cancelled(tokio::time::timeout(time, tls.accept(stream))).await? {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
    None
}

/// Whether it ended as a connection should. More than that is of no interest: the client is gone, or was told.
async fn connection<S, H, A>(
    stream: S,
    peer: SocketAddr,
    handshake: Duration,
    stop: CancellationToken,
    handle: H,
) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request, SocketAddr) -> A,
    A: Future<Output = Response>,
{
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        let answer = handle(request, peer);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(handshake)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        end = connection.as_mut() => match end {
            Ok(()) => true,
            // Browsers and proxies keep a connection for later, until it is closed for its silence.
            Err(error) => error.is_timeout() && has_asked.load(Ordering::Relaxed),
        },
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(DRAIN_TIME, connection).await;
            true
        }
    }
}
