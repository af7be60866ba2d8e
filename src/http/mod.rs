//! What every HTTP answer and request here shares: the body type, short answers, bounded bodies.

pub mod address;
pub mod inherited;
pub mod origin;
pub mod request;
pub mod serve;

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Serialize;

/// The body of every answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;
/// An answer.
pub type Response = hyper::Response<Body>;
/// A request whose body has not been read yet.
pub type Request = hyper::Request<Incoming>;

/// How long a request's body may take to arrive whole. Signaling bodies are small: one that takes
/// longer is a dripping client, not a slow link.
pub const BODY_TIME: Duration = Duration::from_secs(20);

/// Why a request's body was not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than the limit; read no further than that.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// Not whole within [`BODY_TIME`].
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection broke, or the chunked coding is wrong.
    #[error("the body broke off")]
    Broken,
}

impl BodyError {
    /// The answer that tells the client.
    pub fn response(&self) -> Response {
        let status = match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        };
        text(status, self.to_string())
    }
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// Too large (also when Content-Length says so, before anything is read), too slow, or broken off.
pub async fn read_body(body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    use hyper::body::Body as _;
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge(limit));
    }
    match tokio::time::timeout(BODY_TIME, Limited::new(body, limit).collect()).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge(limit)),
        Ok(Err(_)) => Err(BodyError::Broken),
    }
}

/// A whole body.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// An answer without a body or a Content-Type.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// An answer with a body of the given type.
pub fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A plain text answer.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    typed(status, "text/plain; charset=UTF-8", body)
}

/// A JSON answer.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("our own types have text keys and finite numbers");
    typed(status, "application/json", body)
}

/// 405 with the methods that the path has.
pub fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Whether a page may be fetched with this method.
pub fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
