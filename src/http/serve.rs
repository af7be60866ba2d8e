//! Accepting connections and serving HTTP/1.1 on them: the same for the manager and every session.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::tasks::Tasks;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Request, Response};
use crate::tls::Tls;

/// What the headers of a request may take, in bytes and in number.
const HEADER_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;

/// How long accepting pauses when the system has no descriptor left, and how seldom that is told.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How long a request under way may go on once the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Serves on a bound listener until `stop`. Each connection is a task of `tasks`, ends soon after
/// `stop`, and has `handshake` for the headers of each request; with `tls`, as long before for that.
pub async fn serve<H, A>(
    listener: Arc<TcpListener>,
    tls: Option<Tls>,
    handshake: Duration,
    stop: &CancellationToken,
    tasks: &Tasks,
    handle: H,
) where
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
                let (tls, stop, handle) = (tls.clone(), stop.clone(), handle.clone());
                tasks.spawn(async move {
                    match tls {
                        None => connection(stream, peer, handshake, stop, handle).await,
                        Some(tls) => {
                            if let Some(stream) = secured(stream, &tls, handshake, &stop).await {
                                connection(stream, peer, handshake, stop, handle).await;
                            }
                        }
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

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
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

async fn connection<S, H, A>(stream: S, peer: SocketAddr, handshake: Duration, stop: CancellationToken, handle: H)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request, SocketAddr) -> A,
    A: Future<Output = Response>,
{
    let service = service_fn(|request| {
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
    // How it ended is of no interest: the client is gone, or was told.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(DRAIN_TIME, connection).await;
        }
    }
}
