//! What every HTTP answer and request here shares: the body type, short answers.

pub mod address;
mod body;
pub mod inherited;
pub mod origin;
pub mod request;
pub mod serve;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use serde::Serialize;

pub use body::{BODY_TIME, BodyError, Budget, HeldBody, read_body};

/// The body of every answer. One that fails is cut off, with its connection.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;
/// An answer.
pub type Response = hyper::Response<Body>;
/// A request whose body has not been read yet.
pub type Request = hyper::Request<Incoming>;

/// A whole body.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
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

/// 429 with the seconds to wait.
pub fn too_many(wait: Duration, body: &'static str) -> Response {
    let mut response = text(StatusCode::TOO_MANY_REQUESTS, body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    response
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
