//! An https server for a test, with a certificate of a CA of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;

/// A request, as an answerer sees it.
#[derive(Clone)]
pub struct Asked {
    pub method: String,
    /// With the query.
    pub path: String,
    pub authorization: String,
    /// Null if it is no JSON.
    pub body: Value,
}

/// What is answered: a status and JSON, or nothing, and the connection ends.
pub type Answer = Option<(u16, Value)>;

/// The server. Dropping it removes the CA's file and ends the accepting.
pub struct Https {
    pub port: u16,
    pub ca_file: PathBuf,
    refusing: Arc<AtomicBool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Https {
    pub async fn start<A, F>(answer: A) -> Self
    where
        A: Fn(Asked) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ca_file = std::env::temp_dir().join(format!("viderehab-ca-{}-{port}.pem", std::process::id()));
        let acceptor = TlsAcceptor::from(Arc::new(certified(&ca_file)));
        let refusing = Arc::new(AtomicBool::new(false));
        let refused = refusing.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if refused.load(Ordering::Relaxed) {
                    continue;
                }
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| answered(request, answer.clone()));
                    // How a connection ended is the client's to judge.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { port, ca_file, refusing, accepting }
    }

    /// Whether connections are refused from now on.
    pub fn refuse(&self, refusing: bool) {
        self.refusing.store(refusing, Ordering::Relaxed);
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        self.accepting.abort();
        // The system cleans up what is left.
        let _ = std::fs::remove_file(&self.ca_file);
    }
}

/// A certificate for 127.0.0.1, signed by a fresh CA whose own goes to the file.
fn certified(ca_file: &PathBuf) -> ServerConfig {
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut about = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(ca_file, about.self_signed(&authority).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::from_params(&about, &authority);
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap()
}

async fn answered<F: Future<Output = Answer>>(
    request: Request<Incoming>,
    answer: impl Fn(Asked) -> F,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        authorization: authorization.to_owned(),
        body: {
            let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
            serde_json::from_slice(&bytes).unwrap_or(Value::Null)
        },
    };
    let (status, value) = answer(asked).await.ok_or_else(|| std::io::Error::other("dies"))?;
    // As OpenTera's server ends its answers.
    let body = Full::new(Bytes::from(value.to_string() + "\n"));
    let response = Response::builder().status(status).header("content-type", "application/json").body(body);
    response.map_err(std::io::Error::other)
}
