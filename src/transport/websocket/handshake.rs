//! The opening handshake (RFC 6455, 4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Method, StatusCode};
use ring::digest;

use crate::http::{self, Request, Response};

const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Whether a request asks for a WebSocket as the RFC has it.
pub fn is_upgrade(request: &Request) -> bool {
    request.headers().get(SEC_WEBSOCKET_VERSION) == Some(&VERSION) && is_upgrade_of_any_version(request)
}

fn is_upgrade_of_any_version(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && request.version() == hyper::Version::HTTP_11
        && has_token(headers, &CONNECTION, "upgrade")
        && has_token(headers, &UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_KEY).is_some_and(|key| key.len() == 24)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let mut lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.any(|line| line.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

/// The answer to a request that is no [`is_upgrade`]. One of another version is told which there is (4.4).
pub fn refusal(request: &Request) -> Response {
    if request.headers().contains_key(SEC_WEBSOCKET_VERSION) && is_upgrade_of_any_version(request) {
        let mut response = http::text(StatusCode::UPGRADE_REQUIRED, "only version 13 of WebSocket is spoken here\n");
        response.headers_mut().insert(SEC_WEBSOCKET_VERSION, VERSION);
        return response;
    }
    http::text(StatusCode::BAD_REQUEST, "Not a valid websocket request")
}

/// The answer to an upgrade. Subprotocols and extensions are never accepted.
pub(super) fn switching(request: &Request) -> Response {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let accept = HeaderValue::from_str(&accept_of(key)).expect("base64 is a header value");
    let mut response = http::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// What shows the client that its key has been read (4.2.2).
fn accept_of(key: &[u8]) -> String {
    let mut digest = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest.finish())
}
