//! One request to a running server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::{Config, Tls};
use crate::tls::trust;

/// How long the server has to answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);

type Failure = Box<dyn std::error::Error>;

pub(super) struct Client {
    address: SocketAddr,
    token: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Client {
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
        let asked = tokio::time::timeout(ANSWER_TIME, self.send(method, path, body)).await;
        let answered = asked.map_err(|_| "no answer in time".to_owned()).and_then(|answer| {
            let (status, body) = answer.map_err(|error| error.to_string())?;
            let value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
            Ok((status == StatusCode::OK, value))
        });
        answered.map_err(|problem| format!("the server on {}: {problem}", self.address))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let stream = TcpStream::connect(self.address).await?;
        match &self.tls {
            None => exchange(stream, request).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                let stream = stream.map_err(|error| format!("TLS with server.tls.cert as its certificate: {error}"))?;
                exchange(stream, request).await
            }
        }
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

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok::<_, Failure>((status, response.into_body().collect().await?.to_bytes()))
    };
    // The connection does the work that the exchange waits for.
    tokio::pin!(connection);
    tokio::select! {
        answer = exchange => answer,
        ended = &mut connection => Err(ended.err().map_or("it closed the connection".into(), Into::into)),
    }
}
