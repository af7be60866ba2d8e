//! Calls of the OpenTera server's REST API.

use std::io;
use std::time::{Duration, Instant};

use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, StatusCode};
use reqwest::Client;
use serde_json::Value;

use crate::config::Backend;
use crate::tls::trust;

/// How long a call may take.
const TIME: Duration = Duration::from_secs(10);

/// The pause before a connection that was refused is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// How long an idle connection is kept: shorter than servers do, so that few calls meet one that
/// is just being closed.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// The most that is read of an answer.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A client of the API.
pub struct Rest {
    client: Client,
    base: String,
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status: 200 is success, every other one is not.
    pub status: StatusCode,
    /// The body as it came.
    pub text: String,
}

/// Whether a call that may have been carried out can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Twice does what once does.
    Harmless,
    /// It makes something each time.
    Never,
}

impl Rest {
    /// A client; connects when first used.
    ///
    /// # Errors
    /// A CA file that holds no certificates, named by its key.
    pub fn new(backend: &Backend) -> io::Result<Self> {
        // Another part of the process may have installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .timeout(TIME)
            .pool_idle_timeout(IDLE_TIME)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if !backend.verify {
            tracing::warn!(
                "opentera.backend.verify is false: whoever answers in the OpenTera server's place is believed"
            );
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if backend.verify && !backend.ca_file.is_empty() {
            let wrong =
                |problem: String| io::Error::other(format!("opentera.backend.ca_file: {}: {problem}", backend.ca_file));
            let pem = std::fs::read(&backend.ca_file).map_err(|error| wrong(error.to_string()))?;
            let trusting = trust::client_config(&pem, "opentera.backend.ca_file").map_err(wrong)?;
            builder = builder.tls_backend_preconfigured(trusting);
        }
        let client = builder.build().map_err(io::Error::other)?;
        Ok(Self { client, base: format!("https://{}:{}", backend.hostname, backend.port) })
    }

    /// Makes a call; `path` with its query, percent-encoded. A connection that could not be made is
    /// tried again within the time; one that broke during the call, if that is harmless.
    ///
    /// # Errors
    /// There was no answer: in a few words, why.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
        repeat: Repeat,
    ) -> Result<Answer, String> {
        let begin = Instant::now();
        loop {
            let left = TIME.saturating_sub(begin.elapsed());
            match self.once(method.clone(), path, token, body, left).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let again = error.is_connect() || (repeat == Repeat::Harmless && !error.is_timeout());
                    if !again || begin.elapsed() + RETRY_PAUSE >= TIME {
                        return Err(in_words(&error));
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Asks for something, and does not try again.
    ///
    /// # Errors
    /// There was no answer: in a few words, why.
    pub async fn ask_once(&self, path: &str, token: &str) -> Result<Answer, String> {
        self.once(Method::GET, path, token, None, TIME).await.map_err(|error| in_words(&error))
    }

    async fn once(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
        time: Duration,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).timeout(time);
        request = request.header(ACCEPT, "*/*").header(AUTHORIZATION, format!("OpenTera {token}"));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let mut response = request.send().await?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if text.len() + chunk.len() > ANSWER_BYTES {
                break;
            }
            text.extend_from_slice(&chunk);
        }
        Ok(Answer { status, text: String::from_utf8_lossy(&text).into_owned() })
    }
}

impl Answer {
    /// The answer's JSON, if it tells of success: of an array the last element.
    pub fn last(&self) -> Option<Value> {
        match self.json()? {
            Value::Array(mut all) => all.pop(),
            other => Some(other),
        }
    }

    /// The answer's JSON, if it tells of success.
    pub fn json(&self) -> Option<Value> {
        (self.status == StatusCode::OK).then(|| serde_json::from_str(&self.text).ok()).flatten()
    }
}

/// The innermost cause; the library's own words begin with the URL.
fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIME.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
