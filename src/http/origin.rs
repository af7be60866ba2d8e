//! Which web pages may talk to us: the Origin header.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

/// What a request's Origin header means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// None sent: not a browser's cross-site request.
    Absent,
    /// Our own or an allowed one; the text to echo in CORS headers.
    Allowed(&'a str),
    /// Anybody else's, `null`, or not text.
    Foreign,
}

/// The origins that are let in, besides the request's own Host.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    allowed: Vec<String>,
}

impl Origins {
    /// `allowed`: origins such as `https://clinic.example`; `*` allows every one, `null` included.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        let allowed = allowed.into_iter().map(|origin| as_browsers_send(origin.trim_end_matches('/')));
        Self { allowed: allowed.collect() }
    }

    /// Judges a request by its headers. The request's own Host counts under http and https, since
    /// TLS may end before us.
    pub fn judge<'a>(&self, headers: &'a HeaderMap) -> Origin<'a> {
        let Some(value) = headers.get(ORIGIN) else { return Origin::Absent };
        let Ok(origin) = value.to_str() else { return Origin::Foreign };
        let folded = as_browsers_send(origin);
        if self.allowed.iter().any(|allowed| allowed == "*" || *allowed == folded) || is_own_host(&folded, headers) {
            Origin::Allowed(origin)
        } else {
            Origin::Foreign
        }
    }
}

/// The default port is left out, and everything is in lower case.
fn as_browsers_send(origin: &str) -> String {
    let mut origin = origin.to_ascii_lowercase();
    for (scheme, port) in [("https://", ":443"), ("http://", ":80")] {
        if origin.starts_with(scheme) && origin.ends_with(port) {
            origin.truncate(origin.len() - port.len());
        }
    }
    origin
}

/// Whether a page of another origin loads this as its own script, image and the like: browsers send no Origin then, but
/// they say so (Fetch Metadata), over https and from the loopback. What a user follows a link to is no such thing.
pub fn is_loaded_elsewhere(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|sent| sent == value);
    let is_elsewhere = is("sec-fetch-site", "same-site") || is("sec-fetch-site", "cross-site");
    is_elsewhere && !headers.contains_key(ORIGIN) && !is("sec-fetch-mode", "navigate")
}

fn is_own_host(origin: &str, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    // A proxy may name the port although it is the scheme's own.
    ["http://", "https://"].iter().any(|scheme| as_browsers_send(&format!("{scheme}{host}")) == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origin: Option<&str>, host: &str, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let origins = Origins::new(allowed.iter().map(|origin| origin.to_string()));
        origins.judge(&headers) != Origin::Foreign
    }

    #[test]
    fn own_and_allowed_origins_pass() {
        assert!(judge(None, "a:1", &[]));
        assert!(judge(Some("http://a:1"), "a:1", &[]));
        assert!(judge(Some("https://A:1"), "a:1", &[]));
        assert!(judge(Some("https://clinic.example"), "a:1", &["https://Clinic.example/"]));
        assert!(judge(Some("null"), "a:1", &["*"]));
        assert!(judge(Some("https://clinic.example"), "a:1", &["https://clinic.example:443"]));
        assert!(judge(Some("https://a"), "a:443", &[]) && judge(Some("http://a:80"), "a", &[]));
    }

    #[test]
    fn foreign_and_null_origins_do_not() {
        assert!(!judge(Some("http://b:1"), "a:1", &[]));
        assert!(!judge(Some("http://a:2"), "a:1", &[]));
        assert!(!judge(Some("null"), "a:1", &["https://clinic.example"]));
        assert!(!judge(Some("ftp://a:1"), "a:1", &[]));
        assert!(!judge(Some("http://a:443"), "a", &[]) && !judge(Some("https://a:8443"), "a", &[]));
    }
}
