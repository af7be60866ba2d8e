//! Requests to a running server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Config, Tls};
use crate::control::admin;
use crate::tls::trust;

/// How long the server has to answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// The longest answer that is read: a list of thousands of sessions, with all who are in them.
const ANSWER_BYTES: usize = 64 << 20;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where a running server is, and the token for it.
pub(super) struct Client {
    address: SocketAddr,
    token: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Client {
    /// As [`Client::new`], with the token that the configuration or the server's own file has.
    pub(super) fn with_known_token(config: &Config) -> Result<Self, String> {
        let token = admin::known_token(config).ok_or_else(|| {
            let place = Path::new(&config.server.data_dir).join("admin_token");
            format!(
                "server.admin_token is empty and there is no {}: is the server's configuration the one given?",
                place.display()
            )
        })?;
        Self::new(config, token)
    }

    /// For the server that this configuration describes: at the address that it listens on, its
    /// loopback where it listens on all. Over TLS it must show the certificate that is configured.
    pub(super) fn new(config: &Config, token: String) -> Result<Self, String> {
        let mut address = config.server.listen;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() });
        }
        let tls = config.server.tls.as_ref().map(|tls| secured(tls, &config.webrtc.hostname)).transpose()?;
        Ok(Self { address, token, tls })
    }

    /// Whether the answer was 200, and its JSON.
    pub(super) async fn get(&self, path: &str) -> Result<(bool, Value), String> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// The status and the text of an answer that need not be JSON. Has `time` for it.
    pub(super) async fn text(&self, path: &str, time: Duration) -> Result<(StatusCode, String), String> {
        let asked = tokio::time::timeout(time, self.send(Method::GET, path, Bytes::new())).await;
        let answer = asked.map_err(|_| "no answer in time".to_owned())?;
        answer.map(|(status, body)| (status, in_text(&body))).map_err(|error| error.to_string())
    }

    /// As [`Client::get`].
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<(bool, Value), String> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<(bool, Value), String> {
        self.open().await?.ask(method, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failure> {
        self.connect().await?.send(method, path, body).await
    }

    /// A connection for requests one after the other.
    pub(super) async fn open(&self) -> Result<Calls, String> {
        self.connect().await.map_err(|problem| format!("the server on {}: {problem}", self.address))
    }

    async fn connect(&self) -> Result<Calls, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = match &self.tls {
            None => handshake(stream).await?,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                handshake(stream.map_err(|error| format!("TLS with server.tls.cert as its certificate: {error}"))?)
                    .await?
            }
        };
        Ok(Calls { address: self.address, token: self.token.clone(), sender, _connection: connection })
    }
}

/// A connection to a running server.
pub(super) struct Calls {
    address: SocketAddr,
    token: String,
    sender: SendRequest<Full<Bytes>>,
    /// Does the work that an exchange waits for.
    _connection: AbortOnDropHandle<()>,
}

impl Calls {
    /// As [`Client::post`].
    pub(super) async fn post(&mut self, path: &str, body: &Value) -> Result<(bool, Value), String> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&mut self, method: Method, path: &str, body: Bytes) -> Result<(bool, Value), String> {
        let asked = tokio::time::timeout(ANSWER_TIME, self.send(method, path, body)).await;
        let answered = asked.map_err(|_| "no answer in time".to_owned()).and_then(|answer| {
            let (status, body) = answer.map_err(|error| error.to_string())?;
            let value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
            Ok((status == StatusCode::OK, value))
        });
        answered.map_err(|problem| format!("the server on {}: {problem}", self.address))
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        // The connection may still be busy with the end of the exchange before.
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, Limited::new(response.into_body(), ANSWER_BYTES).collect().await?.to_bytes()))
    }
}

fn in_text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).trim().to_owned()
}

fn secured(tls: &Tls, hostname: &str) -> Result<(TlsConnector, ServerName<'static>), String> {
    let wrong = |problem: String| format!("server.tls.cert: {}: {problem}", tls.cert);
    let pem = std::fs::read(&tls.cert).map_err(|error| wrong(error.to_string()))?;
    let config = trust::client_config(&pem, "server.tls.cert").map_err(wrong)?;
    let name = ServerName::try_from(hostname.to_owned()).map_err(|error| format!("webrtc.hostname: {error}"))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// The end that asks, and the task that does the work.
async fn handshake<S>(stream: S) -> Result<(SendRequest<Full<Bytes>>, AbortOnDropHandle<()>), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Whoever asked is told how it ended.
    let task = tokio::spawn(async { drop(connection.await) });
    Ok((sender, AbortOnDropHandle::new(task)))
}
