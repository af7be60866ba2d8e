//! SockJS 0.3.3, for any [`Endpoint`]: addresses, polled sessions, receivers.

mod answer;
mod clothes;
mod frame;
mod headers;
mod polled;
mod receiver;
mod send;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::{ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{Method, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::websocket::{self, Framing};
use super::{Carrier, Endpoint};
use crate::http::origin::{Origin, Origins};
use crate::http::request::query;
use crate::http::{self, Budget, Request, Response};
use crate::tasks::Tasks;
use crate::wire::sockjs::{Polled, Route, callback};
use clothes::Clothes;
use headers::{cache, cors, no_cache, sticky};
use polled::{BODIES, PolledSession};

/// The helper page of the iframe transports, fixed to the byte but for the script's address.
const IFRAME: &str = r#"<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="SOCKJS_URL"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>"#;

/// How much longer a message may be on its way than it is: each byte escaped twice, or as `%xx`.
pub const ENCODED_FACTOR: usize = 4;

/// What a service does and how much it takes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether the WebSocket addresses work.
    pub websocket: bool,
    /// Whether clients are to send sticky cookies.
    pub cookie_needed: bool,
    /// How many bytes of frames a streaming answer carries before it ends.
    pub response_bytes: usize,
    /// The longest message; a longer one is answered by 413, or closes a WebSocket with 1009.
    pub message_bytes: usize,
    /// What bodies may take together while they are read.
    pub bodies: Budget,
    /// How many bytes a second are read of a WebSocket; 0: as many as come.
    pub bytes_per_second: usize,
    /// How long a receiver may be silent before a sign of life; zero: for ever.
    pub heartbeat: Duration,
    /// How long a session lives without a receiver.
    pub disconnect_delay: Duration,
    /// Where the client library for the iframe page is; it must be of the embedding page's version.
    pub client_url: Cow<'static, str>,
    /// How many polled sessions there may be, those that are closing included.
    pub sessions: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            websocket: true,
            cookie_needed: false,
            response_bytes: 128 * 1024,
            message_bytes: 256 * 1024,
            bodies: Budget::default(),
            bytes_per_second: 0,
            heartbeat: Duration::from_secs(25),
            disconnect_delay: Duration::from_secs(5),
            client_url: Cow::Borrowed("/assets/sockjs.min.js"),
            sessions: 1000,
        }
    }
}

/// A polled session's name: the space of its credential, and the id that the client chose.
type SessionName = (u64, String);

type Sessions<E> = HashMap<SessionName, Arc<PolledSession<E>>>;

/// A SockJS service below one prefix.
pub struct Service<E> {
    settings: Settings,
    origins: Origins,
    sessions: Mutex<Sessions<E>>,
    /// Room for bodies that are sent to sessions that are not there.
    strays: Semaphore,
    tasks: Tasks,
    stop: CancellationToken,
}

impl<E: Endpoint> Service<E> {
    /// A service whose tasks run in `tasks` and end at `stop`.
    pub fn new(settings: Settings, origins: Origins, tasks: Tasks, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self { settings, origins, sessions: Mutex::default(), strays: Semaphore::new(BODIES), tasks, stop })
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions<E>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the sessions that nobody is receiving on. Those with a receiver are told by it.
    pub fn end_unattended(&self) {
        let unattended: Vec<_> = self.sessions().extract_if(|_, session| !session.is_attended()).collect();
        // Ended only now: dropping an endpoint runs code that must not find the sessions locked.
        unattended.into_iter().for_each(|(_, session)| session.end());
    }

    /// Whether a client that polls has not fetched yet that the server has ended it.
    pub fn has_untold(&self) -> bool {
        self.sessions().values().any(|session| session.is_untold())
    }

    /// Answers a request. `path` is what follows the prefix, undecoded; sessions opened in one
    /// `space` are not reachable in another. `open` makes the endpoint if this request opens a
    /// session; its error is then the answer.
    pub async fn handle(
        self: &Arc<Self>,
        request: Request,
        path: &str,
        space: u64,
        open: impl FnOnce(Carrier) -> Result<E, Response>,
    ) -> Response {
        let Some(route) = Route::parse(path) else { return not_found() };
        let allowed = methods(route);
        if !allowed.split(", ").any(|method| method == request.method().as_str()) {
            return http::method_not_allowed(allowed);
        }
        let public = matches!(route, Route::Greeting | Route::Iframe);
        let judged = self.origins.judge(request.headers());
        if judged == Origin::Foreign && !public {
            return http::text(StatusCode::FORBIDDEN, "this origin may not open a socket here\n");
        }
        if request.method() == Method::OPTIONS {
            return preflight(&request, route);
        }
        match route {
            Route::Greeting => http::text(StatusCode::OK, "Welcome to SockJS!\n"),
            Route::Info => self.info(&request),
            Route::Iframe => self.iframe(&request),
            Route::RawWebSocket => self.websocket(request, Framing::Raw, Carrier::SockJsRaw, open),
            Route::WebSocket => self.websocket(request, Framing::SockJs, Carrier::SockJsWebSocket, open),
            Route::Session(id, polled) => {
                let name = (space, id.to_owned());
                let sticky = self.settings.cookie_needed.then(|| sticky(request.headers()));
                let mut response = self.session(request, name, polled, open).await;
                if let Some(cookie) = sticky {
                    response.headers_mut().insert(hyper::header::SET_COOKIE, cookie);
                }
                response
            }
        }
    }

    fn info(&self, request: &Request) -> Response {
        let body = format!(
            r#"{{"websocket":{},"origins":["*:*"],"cookie_needed":{},"entropy":{}}}"#,
            self.settings.websocket,
            self.settings.cookie_needed,
            rand::random::<u32>()
        );
        let mut response = http::typed(StatusCode::OK, "application/json; charset=UTF-8", body);
        no_cache(response.headers_mut());
        cors(response.headers_mut(), request.headers(), false);
        response
    }

    fn iframe(&self, request: &Request) -> Response {
        let page = IFRAME.replace("SOCKJS_URL", &self.settings.client_url);
        let tag = format!(
            "\"{:x}-{}\"",
            page.len(),
            self.settings.client_url.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        );
        let tag = HeaderValue::try_from(tag).expect("letters, digits and dashes are a header value");
        let known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| *known == tag);
        let mut response = match known {
            true => http::empty(StatusCode::NOT_MODIFIED),
            false => http::typed(StatusCode::OK, "text/html; charset=UTF-8", page),
        };
        cache(response.headers_mut());
        if !known {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }

    fn websocket(
        &self,
        request: Request,
        framing: Framing,
        carrier: Carrier,
        open: impl FnOnce(Carrier) -> Result<E, Response>,
    ) -> Response {
        if !self.settings.websocket {
            let mut response = not_found();
            cache(response.headers_mut());
            return response;
        }
        if !websocket::is_upgrade(&request) {
            let mut response = http::empty(StatusCode::BAD_REQUEST);
            *response.body_mut() = http::full("Not a valid websocket request");
            return response;
        }
        let settings = websocket::Settings {
            message_bytes: self.settings.message_bytes,
            bytes_per_second: self.settings.bytes_per_second,
            heartbeat: self.settings.heartbeat,
        };
        match open(carrier) {
            Ok(endpoint) => websocket::accept(request, endpoint, framing, settings, &self.tasks),
            Err(response) => response,
        }
    }

    async fn session(
        self: &Arc<Self>,
        request: Request,
        name: SessionName,
        polled: Polled,
        open: impl FnOnce(Carrier) -> Result<E, Response>,
    ) -> Response {
        let (headers, uri) = (request.headers().clone(), request.uri().clone());
        let function = query(&uri, "c").or_else(|| query(&uri, "callback"));
        let checked = callback(function.as_deref()).map(str::to_owned);
        let (clothes, carrier) = match (polled, checked) {
            (Polled::XhrSend, _) => return self.xhr_send(request, &name).await,
            (Polled::JsonpSend, _) => return self.jsonp_send(request, &name).await,
            (Polled::Xhr, _) => (Clothes::Xhr, Carrier::XhrPolling),
            (Polled::XhrStreaming, _) => (Clothes::XhrStreaming, Carrier::XhrStreaming),
            (Polled::EventSource, _) => (Clothes::EventSource, Carrier::EventSource),
            (Polled::HtmlFile, Ok(function)) => (Clothes::HtmlFile(function), Carrier::HtmlFile),
            (Polled::Jsonp, Ok(function)) => (Clothes::Jsonp(function), Carrier::Jsonp),
            (Polled::HtmlFile | Polled::Jsonp, Err(error)) => return send::failure(&error.to_string()),
        };
        self.receive(name, clothes, &headers, || open(carrier)).await
    }
}

fn methods(route: Route) -> &'static str {
    match route {
        Route::Greeting | Route::Iframe | Route::RawWebSocket | Route::WebSocket => "GET",
        Route::Info => "OPTIONS, GET",
        Route::Session(_, Polled::Xhr | Polled::XhrStreaming | Polled::XhrSend) => "POST, OPTIONS",
        Route::Session(_, Polled::JsonpSend) => "POST",
        Route::Session(_, Polled::EventSource | Polled::HtmlFile | Polled::Jsonp) => "GET",
    }
}

fn preflight(request: &Request, route: Route) -> Response {
    let mut response = http::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    cache(headers);
    cors(headers, request.headers(), false);
    let allowed = if route == Route::Info { "OPTIONS, GET" } else { "OPTIONS, POST" };
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allowed));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("31536000"));
    response
}

/// As the original server words it.
fn not_found() -> Response {
    http::text(StatusCode::NOT_FOUND, "404 Error: Page not found\n")
}
