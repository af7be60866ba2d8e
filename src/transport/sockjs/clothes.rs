//! What each transport puts around frames.

use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};

use super::headers::{cors, no_cache};
use crate::http::Response;
use crate::wire::sockjs;

/// What a transport puts around each frame.
pub(super) enum Clothes {
    Xhr,
    XhrStreaming,
    EventSource,
    /// With the name of the callback.
    HtmlFile(String),
    /// With the name of the callback.
    Jsonp(String),
}

impl Clothes {
    fn content_type(&self) -> &'static str {
        match self {
            Self::Xhr | Self::XhrStreaming | Self::Jsonp(_) => "application/javascript; charset=UTF-8",
            Self::EventSource => "text/event-stream",
            Self::HtmlFile(_) => "text/html; charset=UTF-8",
        }
    }

    /// What a streaming answer begins with; `None`: the transport is answered once a frame.
    pub(super) fn prelude(&self) -> Option<String> {
        match self {
            Self::Xhr | Self::Jsonp(_) => None,
            Self::XhrStreaming => Some("h".repeat(sockjs::PRELUDE_BYTES) + "\n"),
            Self::EventSource => Some("\r\n".to_owned()),
            Self::HtmlFile(callback) => Some(sockjs::html_head(callback)),
        }
    }

    pub(super) fn dress(&self, frame: &str) -> String {
        match self {
            Self::Xhr | Self::XhrStreaming => format!("{frame}\n"),
            Self::EventSource => sockjs::event(frame),
            Self::HtmlFile(_) => sockjs::html_script(frame),
            Self::Jsonp(callback) => sockjs::jsonp(callback, frame),
        }
    }

    pub(super) fn headers(&self, response: &mut Response, request: &HeaderMap) {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type()));
        no_cache(headers);
        match self {
            Self::Xhr | Self::XhrStreaming => cors(headers, request, false),
            Self::EventSource => cors(headers, request, true),
            Self::HtmlFile(_) => {}
            Self::Jsonp(_) => drop(headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))),
        }
    }
}
