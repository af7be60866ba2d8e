//! One request to a running server.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// How long the server has to answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);

pub(super) struct Client {
    address: SocketAddr,
    token: String,
}

impl Client {
    /// `address`: what the server listens on; its loopback where it listens on all addresses.
    pub(super) fn new(mut address: SocketAddr, token: String) -> Self {
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() });
        }
        Self { address, token }
    }

    /// Whether the answer was 200, and its JSON.
    pub(super) async fn get(&self, path: &str) -> Result<(bool, Value), String> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// As [`Client::get`].
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<(bool, Value), String> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<(bool, Value), String> {
        let asked = tokio::time::timeout(ANSWER_TIME, self.send(method, path, body)).await;
        let answered = asked
            .map_err(|_| "no answer in time".to_owned())
            .and_then(|answer| answer.map_err(|error| error.to_string()));
        answered.map_err(|problem| format!("the server on {}: {problem}", self.address))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<(bool, Value), Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let fine = response.status() == hyper::StatusCode::OK;
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error>>((fine, serde_json::from_slice(&body)?))
        };
        // The connection does the work that the exchange waits for.
        tokio::pin!(connection);
        tokio::select! {
            answer = exchange => answer,
            ended = &mut connection => Err(ended.err().map_or("it closed the connection".into(), Into::into)),
        }
    }
}
