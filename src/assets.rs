//! The files of `web/`, embedded in the binary.

use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::{self, Response};

#[derive(RustEmbed)]
#[folder = "web/"]
struct Web;

/// What a page may load and be loaded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Our own files; framed by our own pages.
    Own,
    /// Our own files; framed by the pages of an OpenTera site, which may have another origin.
    Framed,
    /// A page of the OpenTera service: speaks with the server, and frames sessions.
    OpenTera,
}

impl Guard {
    /// The policy for the page's content, and the one for its devices. Camera and microphone come
    /// by `blob:` and `mediastream:`.
    fn policies(self) -> (String, &'static str) {
        let (connect, frames, ancestors) = match self {
            Self::Own => ("'self' ws: wss:", "'self'", "'self'"),
            Self::Framed => ("'self' ws: wss:", "'self'", "'self' https:"),
            Self::OpenTera => ("'self' https: wss:", "'self' https:", "'self' https:"),
        };
        let devices = match self {
            Self::Own | Self::Framed => "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
            Self::OpenTera => "camera=*, microphone=*, display-capture=*, geolocation=()",
        };
        let content = format!(
            "default-src 'self'; connect-src {connect}; img-src 'self' data: blob:; \
             media-src 'self' blob: mediastream:; style-src 'self'; script-src 'self'; object-src 'none'; \
             frame-src {frames}; base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
        );
        (content, devices)
    }
}

/// A page, with placeholders replaced. Keys stand in the URLs of pages, so it is never cached and
/// never a Referer.
pub fn page(status: StatusCode, name: &str, replaced: &[(&str, &str)], guard: Guard) -> Response {
    let Some(file) = Web::get(name) else { return not_found() };
    let mut text = String::from_utf8(file.data.into_owned()).expect("our pages are UTF-8");
    for (placeholder, with) in replaced {
        text = text.replace(placeholder, with);
    }
    let mut response = http::typed(status, "text/html; charset=utf-8", text);
    let headers = response.headers_mut();
    secure(headers);
    let (content, devices) = guard.policies();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::try_from(content).expect("it is ASCII"));
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(devices));
    response
}

/// The element that hands values to a page's script.
pub fn config_element(values: &serde_json::Value) -> String {
    // `<` must not end the script element that it stands in.
    let values = values.to_string().replace('<', "\\u003c");
    format!(r#"<script id="config" type="application/json">{values}</script>"#)
}

/// A file by its path below `web/`, revalidated at each use: a new binary's pages and scripts must
/// fit each other.
pub fn file(path: &str, request: &HeaderMap) -> Response {
    // Pages hold placeholders and are served by their own routes.
    let file = (!path.ends_with(".html")).then(|| Web::get(path)).flatten();
    let Some(file) = file else { return not_found() };
    let tag = tag(&file);
    if request.get(IF_NONE_MATCH).is_some_and(|known| *known == tag) {
        let mut response = http::empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(ETAG, tag);
        return response;
    }
    let content_type = HeaderValue::from_str(file.metadata.mimetype()).expect("a media type is a header value");
    let mut response = Response::new(http::full(file.data.into_owned()));
    let headers = response.headers_mut();
    secure(headers);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ETAG, tag);
    response
}

fn tag(file: &EmbeddedFile) -> HeaderValue {
    let hash: String = file.metadata.sha256_hash().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{hash}\"")).expect("hexadecimal is a header value")
}

fn secure(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

fn not_found() -> Response {
    http::text(StatusCode::NOT_FOUND, "404 not found\n")
}
