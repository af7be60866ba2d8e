//! The handshake with whoever connects.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Certificate;

/// What a TLS connection begins with: a record of the handshake.
const HANDSHAKE: u8 = 0x16;

/// What whoever speaks plain HTTP is told.
const SPEAKS_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=UTF-8\r\n\
    Content-Length: 35\r\nConnection: close\r\n\r\n400 this port is for https alone.\r\n";

/// How long, and for how many bytes, whoever was told so is listened to: a socket that is closed
/// with bytes unread takes the answer with it.
const PARTING: (Duration, u64) = (Duration::from_secs(1), 64 * 1024);

/// TLS on a listener: versions 1.2 and 1.3, HTTP/1.1.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// With a certificate that may change meanwhile.
    pub fn new(certificate: Arc<Certificate>) -> Self {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions")
            .with_no_client_auth()
            .with_cert_resolver(certificate);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(TlsAcceptor::from(Arc::new(config)))
    }

    /// Makes a connection of a socket. Takes as long as the client likes: the caller sets a limit,
    /// and may drop this at any point.
    ///
    /// # Errors
    /// No TLS, or none that we speak. Plain HTTP has been answered by then.
    pub async fn accept(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? > 0 && first[0] != HANDSHAKE {
            if first[0].is_ascii_uppercase() {
                // Told or not, that client has no further use of this connection.
                let _ = tokio::time::timeout(PARTING.0, turn_away(&mut stream)).await;
            }
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not TLS"));
        }
        self.0.accept(stream).await
    }
}

async fn turn_away(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(SPEAKS_HTTPS).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(PARTING.1), &mut tokio::io::sink()).await.map(drop)
}
