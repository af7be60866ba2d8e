//! The sets of headers that SockJS's answers share.

use std::time::{Duration, SystemTime};

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, EXPIRES, HeaderValue, ORIGIN, VARY,
};

use crate::http::request::cookie;

/// The sticky cookie's name.
const STICKY: &str = "JSESSIONID";

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// What must be asked for anew each time.
pub(super) fn no_cache(headers: &mut HeaderMap) {
    let value = "no-store, no-cache, no-transform, must-revalidate, max-age=0";
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
}

/// What may be kept for a year.
pub(super) fn cache(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000"));
    let date = httpdate::fmt_http_date(SystemTime::now() + YEAR);
    headers.insert(EXPIRES, HeaderValue::try_from(date).expect("a date is a header value"));
}

/// Lets the requesting page read the answer; its origin has been judged. `null_is_any`: event
/// streams answer the origin `null` with `*`.
pub(super) fn cors(headers: &mut HeaderMap, request: &HeaderMap, null_is_any: bool) {
    let origin = request.get(ORIGIN).filter(|origin| !(null_is_any && *origin == "null"));
    match origin {
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        None => drop(headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))),
    }
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|asked| !asked.is_empty()) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
}

/// The sticky cookie: the client's own back, if it could stand in a header, else a word.
pub(super) fn sticky(request: &HeaderMap) -> HeaderValue {
    let fits = |value: &&str| {
        value.len() <= 128 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!".contains(&byte))
    };
    let value = cookie(request, STICKY).filter(fits).unwrap_or("dummy");
    HeaderValue::try_from(format!("{STICKY}={value}; path=/")).expect("the value was checked")
}
