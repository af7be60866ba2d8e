//! What a request says beside its path: query parameters and cookies.

use std::borrow::Cow;

use hyper::header::COOKIE;
use hyper::{HeaderMap, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The first value of a query parameter, percent-decoded (`+` is a space).
pub fn query<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    form_value(uri.query()?, name)
}

/// The first value of a field in `a=b&c=d` text, percent-decoded; bad UTF-8 becomes U+FFFD.
pub fn form_value<'a>(text: &'a str, name: &str) -> Option<Cow<'a, str>> {
    text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

/// A value as it stands in a query.
pub fn encoded(value: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(value, KEPT).to_string()
}

/// A cookie's value; the first where a name stands twice.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';')).find_map(
        |pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn query_parameters_are_decoded() {
        let uri: Uri = "/users?a=1&key=x%2Fy+z&key=second&flag".parse().unwrap();
        assert_eq!(query(&uri, "key").as_deref(), Some("x/y z"));
        assert_eq!(query(&uri, "flag").as_deref(), Some(""));
        assert_eq!(query(&uri, "missing"), None);
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("xviderehab_8080=no; viderehab_8080=yes; b=2"));
        assert_eq!(cookie(&headers, "viderehab_8080"), Some("yes"));
        assert_eq!(cookie(&headers, "viderehab_808"), None);
    }
}
