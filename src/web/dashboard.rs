//! `/rehab/`: the dashboard, its login and its files.

use std::net::IpAddr;

use hyper::header::{HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Method, StatusCode};

use super::Front;
use crate::assets::{self, Guard};
use crate::control::admin::COOKIE;
use crate::http::request::{form_value, query};
use crate::http::{self, Request, Response};

/// The longest login form.
const FORM_BYTES: usize = 4 * 1024;

/// What stands in the login page where an error may.
const PLACEHOLDER: &str = "<!--error-->";

/// Answers a request below `/rehab`; `path` begins with a slash.
pub(super) async fn answer(all: &Front, request: Request, path: &str, peer: IpAddr) -> Response {
    if let Some(file) = path.strip_prefix("/assets/") {
        return match http::is_read(request.method()) {
            true => assets::file(file, request.headers()),
            false => http::method_not_allowed("GET, HEAD"),
        };
    }
    // The cookie must not travel without TLS where there is any.
    let secure = all.is_secure();
    match (path, request.method()) {
        ("/", &Method::GET | &Method::HEAD) => front(all, &request, peer, secure),
        ("/", _) => http::method_not_allowed("GET, HEAD"),
        ("/login", &Method::POST) => login(all, request, peer, secure).await,
        // Whoever makes a browser send this only signs it out.
        ("/logout", &Method::POST) => see_other("./", Some(cookie("", secure, "; Max-Age=0"))),
        ("/login" | "/logout", _) => http::method_not_allowed("POST"),
        _ => http::text(StatusCode::NOT_FOUND, "404 not found\n"),
    }
}

/// The dashboard; or, with the token in the query, the cookie and then the dashboard, so that the
/// token does not stay in the address bar.
fn front(all: &Front, request: &Request, peer: IpAddr, secure: bool) -> Response {
    let admin = &all.admin;
    if let Some(token) = query(request.uri(), "token") {
        if admin.is_token(&token) {
            return see_other("./", Some(cookie(&admin.encoded(), secure, "")));
        }
        return all.wrong_token(request.headers(), peer).unwrap_or_else(|| login_page(true));
    }
    if admin.has_cookie(request.headers()) {
        assets::page(StatusCode::OK, "dashboard.html", &[], Guard::Own)
    } else {
        login_page(false)
    }
}

async fn login(all: &Front, request: Request, peer: IpAddr, secure: bool) -> Response {
    let (admin, (head, body)) = (&all.admin, request.into_parts());
    let body = match http::read_body(body, FORM_BYTES).await {
        Ok(body) => body,
        Err(error) => return error.response(),
    };
    let form = String::from_utf8_lossy(&body);
    match form_value(&form, "token") {
        Some(token) if admin.is_token(token.trim()) => see_other("./", Some(cookie(&admin.encoded(), secure, ""))),
        _ => all.wrong_token(&head.headers, peer).unwrap_or_else(|| login_page(true)),
    }
}

fn login_page(wrong: bool) -> Response {
    let error = if wrong {
        r#"<p class="error" role="alert" data-i18n="login.wrong">This token is not the right one.</p>"#
    } else {
        ""
    };
    assets::page(StatusCode::UNAUTHORIZED, "login.html", &[(PLACEHOLDER, error)], Guard::Own)
}

fn cookie(value: &str, secure: bool, more: &str) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    HeaderValue::try_from(text).expect("a percent-encoded token is a header value")
}

fn see_other(location: &'static str, cookie: Option<HeaderValue>) -> Response {
    let mut response = http::empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(location));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
