//! A directory of OpenTera's own pages, served in place of ours as their server.js does:
//! `static/` at the root, `node_modules/open-easyrtc/api/` below `/easyrtc/`, and the pages of
//! `protected/` for whoever has a key.

use std::path::{Path, PathBuf};

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use percent_encoding::percent_decode_str;
use tower_http::services::ServeDir;

use super::keys::Grant;
use crate::http::{self, Request, Response};
use crate::wire::manage::Role;

/// Where the EasyRTC client's files are.
const LIBRARY: &str = "node_modules/open-easyrtc/api";

/// What stands in a page for the session's port.
const PORT: &str = "teraplus_port";

/// What a page is told as its port: the pages put it behind `/websocket/` and nowhere else, so with
/// the number of its key each has socket addresses, and a cookie, of its own. Two pages in one
/// browser would else have one identity between them.
pub(super) fn place(port: u16, grant: &Grant) -> String {
    format!("{port}/{}", grant.key)
}

/// A directory of pages.
pub(super) struct Site(PathBuf);

impl Site {
    /// The directory, if one is configured.
    pub(super) fn of(working_directory: &str) -> Option<Self> {
        (!working_directory.is_empty()).then(|| Self(PathBuf::from(working_directory)))
    }

    /// The page of a role: devices get the participants'.
    pub(super) async fn page(&self, grant: &Grant, port: u16) -> Response {
        let name = match grant.role {
            Role::User => "index_users.html",
            Role::Participant | Role::Device => "index_participants.html",
        };
        let path = self.0.join("protected").join(name);
        match tokio::fs::read_to_string(&path).await {
            Ok(text) => shown(StatusCode::OK, filled(&text, &place(port, grant))),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "webrtc.working_directory: a page cannot be read");
                http::text(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be read\n")
            }
        }
    }

    /// The page for whoever has no key, if there is one.
    pub(super) async fn denied(&self) -> Option<Response> {
        let text = tokio::fs::read_to_string(self.0.join("static/denied.html")).await.ok()?;
        Some(shown(StatusCode::FORBIDDEN, text))
    }

    /// A file that needs no key; `path` begins with a slash.
    pub(super) async fn file(&self, request: &Request, path: &str) -> Response {
        if !http::is_read(request.method()) {
            return http::method_not_allowed("GET, HEAD");
        }
        let (folder, path) = match path.strip_prefix("/easyrtc/") {
            Some(rest) => (self.0.join(LIBRARY), format!("/{rest}")),
            None => (self.0.join("static"), path.to_owned()),
        };
        if is_hidden(&path) {
            return not_found();
        }
        let mut inner = hyper::Request::builder().method(request.method()).uri(path.as_str());
        if let Some(headers) = inner.headers_mut() {
            *headers = request.headers().clone();
        }
        let Ok(inner) = inner.body(http::full("")) else { return not_found() };
        serve(&folder, inner).await
    }
}

async fn serve(folder: &Path, request: hyper::Request<http::Body>) -> Response {
    let mut files = ServeDir::new(folder).append_index_html_on_directories(false);
    let Ok(response) = files.try_call(request).await else { return not_found() };
    if response.status() == StatusCode::NOT_FOUND {
        return not_found();
    }
    let (mut head, body) = response.into_parts();
    head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
    head.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A file that breaks off while it is read ends the body early, which Content-Length tells.
    Response::from_parts(head, body.boxed_unsync())
}

/// Whether a part of the path begins with a dot: such files are nobody's business, and `..` is not
/// a way out.
fn is_hidden(path: &str) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    path.split(['/', '\\']).any(|part| part.starts_with('.'))
}

/// The template with its one variable, however it is spaced.
fn filled(template: &str, place: &str) -> String {
    let mut page = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("<%=") {
        page.push_str(before);
        match after.split_once("%>") {
            Some((name, after)) if name.trim() == PORT => {
                page.push_str(place);
                rest = after;
            }
            _ => {
                page.push_str("<%=");
                rest = after;
            }
        }
    }
    page + rest
}

/// Keys stand in the URLs of pages, so a page is never cached and never a Referer.
fn shown(status: StatusCode, text: String) -> Response {
    let mut response = http::typed(status, "text/html; charset=utf-8", text);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response
}

fn not_found() -> Response {
    http::text(StatusCode::NOT_FOUND, "404 not found\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_filled_in_and_nothing_else() {
        assert_eq!(filled("a <%= teraplus_port %> b <%=teraplus_port%>", "8081/4"), "a 8081/4 b 8081/4");
        assert_eq!(filled("a <%= other %> <%= teraplus_port", "8081/4"), "a <%= other %> <%= teraplus_port");
    }

    /// Whoever fetches slowly has no copy of the whole file waiting here.
    #[tokio::test]
    async fn a_file_is_read_as_it_is_sent() {
        let folder = std::env::temp_dir().join(format!("viderehab-site-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let length = 1 << 20;
        std::fs::write(folder.join("long.js"), "x".repeat(length)).unwrap();
        let request = hyper::Request::builder().uri("/long.js").body(http::full("")).unwrap();
        let mut response = serve(&folder, request).await;
        assert_eq!(response.headers()["content-length"], length.to_string());
        let (mut parts, mut read) = (0, 0);
        while let Some(part) = response.body_mut().frame().await {
            parts += 1;
            read += part.unwrap().into_data().unwrap().len();
        }
        assert!(read == length && parts >= 8, "{read} in {parts}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn hidden_files_and_ways_out_are_seen() {
        for path in ["/.git/config", "/a/../b", "/%2e%2e/x", "/a/%2E%2E%2Fb", "/..%5cb"] {
            assert!(is_hidden(path), "{path}");
        }
        assert!(!is_hidden("/js/easyrtc.min.js"));
    }
}
