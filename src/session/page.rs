//! The pages that a session serves: the call page of each role, and the one that says no.

use hyper::StatusCode;
use hyper::header::{HeaderValue, SET_COOKIE};
use serde_json::{Value, json};

use super::keys::Grant;
use super::site::place;
use crate::assets::{self, Guard};
use crate::config::Config;
use crate::http::{self, Request, Response};

/// Where the call page takes its configuration from.
const PLACEHOLDER: &str = "<!--config-->";

/// The cookie that carries a session's key for carriers that cannot put it in their URL.
pub(super) fn cookie_name(port: u16) -> String {
    format!("viderehab_{port}")
}

/// The call page.
pub(super) fn call(config: &Config, port: u16, session: &str, grant: &Grant, ice_servers: Value) -> Response {
    let settings = json!({
        "port": port,
        "role": grant.role,
        "identity": grant.identity,
        "room": "main",
        "iceServers": ice_servers,
        "session": session,
    });
    let element = assets::config_element(&settings);
    assets::page(StatusCode::OK, "call.html", &[(PLACEHOLDER, &element)], guard(config))
}

/// Gives a page that a key opened the cookie for the addresses of the session's sockets, and, where
/// the page is a site's, for its own ([`place`]): there a browser sends this one first, whatever pages it opened since.
pub(super) fn give_cookie(response: &mut Response, config: &Config, port: u16, grant: &Grant, key: &str) {
    let secure = if config.is_secure() { "; Secure" } else { "" };
    let is_site = !config.webrtc.working_directory.is_empty();
    let own = is_site.then(|| format!("/websocket/{}/", place(port, grant)));
    let paths = [format!("/websocket/{port}/"), format!("/webrtc/{port}/"), "/echo".to_owned()];
    for path in own.into_iter().chain(paths) {
        let cookie = format!("{}={key}; Path={path}; HttpOnly; SameSite=Strict{secure}", cookie_name(port));
        let cookie = HeaderValue::try_from(cookie).expect("a key that was accepted is letters, digits and hyphens");
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// The page for whoever has no valid key.
pub(super) fn denied(config: &Config) -> Response {
    assets::page(StatusCode::FORBIDDEN, "denied.html", &[], guard(config))
}

/// Participants of an OpenTera site see a session in a frame of its page.
fn guard(config: &Config) -> Guard {
    if config.opentera.is_some() { Guard::Framed } else { Guard::Own }
}

/// An embedded file; `path` is `/assets/…`.
pub(super) fn asset(request: &Request, path: &str) -> Response {
    if !http::is_read(request.method()) {
        return http::method_not_allowed("GET, HEAD");
    }
    assets::file(path.strip_prefix("/assets/").unwrap_or_default(), request.headers())
}
