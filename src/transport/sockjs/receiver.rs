//! A receiver: the one request by which the server currently sends to a polled session.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{HeaderMap, StatusCode};
use tokio::time::timeout;

use super::headers::{cors, no_cache};
use super::polled::{Found, PolledSession};
use super::{Service, SessionName};
use crate::http::{self, Response};
use crate::transport::{Close, Endpoint, Form};
use crate::wire::sockjs;

/// The close code of a second receiver.
const ANOTHER: Close = Close { code: 2010, reason: "Another connection still open" };

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
    fn prelude(&self) -> Option<String> {
        match self {
            Self::Xhr | Self::Jsonp(_) => None,
            Self::XhrStreaming => Some("h".repeat(sockjs::PRELUDE_BYTES) + "\n"),
            Self::EventSource => Some("\r\n".to_owned()),
            Self::HtmlFile(callback) => Some(sockjs::html_head(callback)),
        }
    }

    fn dress(&self, frame: &str) -> String {
        match self {
            Self::Xhr | Self::XhrStreaming => format!("{frame}\n"),
            Self::EventSource => sockjs::event(frame),
            Self::HtmlFile(_) => sockjs::html_script(frame),
            Self::Jsonp(callback) => sockjs::jsonp(callback, frame),
        }
    }

    fn headers(&self, response: &mut Response, request: &HeaderMap) {
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

impl<E: Endpoint> Service<E> {
    /// Answers a receiver's request: opens the session if there is none of the name.
    pub(super) async fn receive(
        self: &Arc<Self>,
        name: SessionName,
        clothes: Clothes,
        request: &HeaderMap,
        open: impl FnOnce() -> Result<E, Response>,
    ) -> Response {
        let found = self.sessions().get(&name).cloned();
        let (session, is_new) = match found {
            Some(session) => (session, false),
            None if self.sessions().len() >= self.settings.sessions => {
                return http::text(StatusCode::SERVICE_UNAVAILABLE, "too many sessions\n");
            }
            None => match open() {
                Ok(endpoint) => (Arc::new(PolledSession::new(endpoint)), true),
                Err(response) => return response,
            },
        };
        let due = match session.attach() {
            Found::Open(endpoint) => Due::Of(endpoint),
            Found::Closing(close) => Due::Close(close),
            Found::Attended => return whole(&clothes, request, &sockjs::close(ANOTHER.code, ANOTHER.reason)),
            Found::Gone => return super::not_found(),
        };
        if is_new {
            // Two first requests at once: the later one's session takes the name, the earlier ends.
            let earlier = self.sessions().insert(name.clone(), session.clone());
            if let Some(earlier) = earlier {
                earlier.end();
            }
        }
        let receiver = Receiver { service: self.clone(), name, session, due, is_new, sent: 0, finished: false };
        receiver.answer(clothes, request).await
    }
}

fn whole(clothes: &Clothes, request: &HeaderMap, frame: &str) -> Response {
    let mut text = clothes.prelude().unwrap_or_default();
    text.push_str(&clothes.dress(frame));
    let mut response = Response::new(http::full(text));
    clothes.headers(&mut response, request);
    response
}

/// What a receiver has to send.
enum Due<E> {
    /// Whatever the application has.
    Of(Arc<E>),
    /// The `c` frame alone.
    Close(Close),
}

/// Dropped before it has finished, it was cut off by the client: messages may have been lost, so
/// the session ends at once.
struct Receiver<E: Endpoint> {
    service: Arc<Service<E>>,
    name: SessionName,
    session: Arc<PolledSession<E>>,
    due: Due<E>,
    is_new: bool,
    sent: usize,
    finished: bool,
}

impl<E: Endpoint> Receiver<E> {
    async fn answer(mut self, clothes: Clothes, request: &HeaderMap) -> Response {
        let Some(prelude) = clothes.prelude() else {
            let frame = self.next().await;
            self.finish();
            return whole(&clothes, request, &frame);
        };
        let mut response = Response::new(http::full(Bytes::new()));
        clothes.headers(&mut response, request);
        // Pulled by hyper as the client reads: what is not pulled stays with the application.
        let frames = stream::unfold((self, clothes, Some(prelude)), |(mut receiver, clothes, prelude)| async move {
            let text = match prelude {
                Some(prelude) => prelude,
                None if receiver.finished => return None,
                None => receiver.next_of_stream(&clothes).await,
            };
            let chunk = Ok::<_, Infallible>(Frame::data(Bytes::from(text)));
            Some((chunk, (receiver, clothes, None)))
        });
        *response.body_mut() = StreamBody::new(frames).boxed_unsync();
        response
    }

    async fn next_of_stream(&mut self, clothes: &Clothes) -> String {
        let frame = self.next().await;
        let text = clothes.dress(&frame);
        self.sent += text.len();
        let is_last = matches!(self.due, Due::Close(_)) && frame.starts_with('c');
        if is_last || self.sent >= self.service.settings.response_bytes {
            self.finish();
        }
        text
    }

    /// The next frame; waits for it, or for the heartbeat.
    async fn next(&mut self) -> String {
        if std::mem::take(&mut self.is_new) {
            return sockjs::OPEN.to_owned();
        }
        loop {
            let endpoint = match &self.due {
                Due::Of(endpoint) => endpoint.clone(),
                Due::Close(close) => return sockjs::close(close.code, close.reason),
            };
            let mut quoted = Vec::new();
            let close = endpoint.take(Form::Quoted, &mut quoted);
            if !quoted.is_empty() {
                return sockjs::array(&quoted).as_str().to_owned();
            }
            if let Some(close) = close {
                drop(endpoint);
                self.due = Due::Close(close);
                self.session.close(close);
                continue;
            }
            let heartbeat = self.service.settings.heartbeat;
            if heartbeat.is_zero() {
                endpoint.changed().await;
            } else if timeout(heartbeat, endpoint.changed()).await.is_err() {
                return sockjs::HEARTBEAT.to_owned();
            }
        }
    }

    /// The answer is whole: the session waits for the next receiver, but not for ever.
    fn finish(&mut self) {
        self.finished = true;
        let receivers = self.session.detach();
        let (service, session, name) = (self.service.clone(), self.session.clone(), self.name.clone());
        let delay = service.settings.disconnect_delay;
        service.tasks.clone().spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = service.stop.cancelled() => {}
            }
            if session.is_abandoned(receivers) {
                service.forget_this(&name, &session);
            }
        });
    }
}

impl<E: Endpoint> Service<E> {
    /// Forgets a session, unless another has taken its name meanwhile.
    fn forget_this(&self, name: &SessionName, session: &Arc<PolledSession<E>>) {
        let mut sessions = self.sessions();
        if sessions.get(name).is_some_and(|other| Arc::ptr_eq(other, session)) {
            sessions.remove(name);
        }
        drop(sessions);
        session.end();
    }
}

impl<E: Endpoint> Drop for Receiver<E> {
    fn drop(&mut self) {
        if !self.finished {
            self.service.forget_this(&self.name, &self.session);
        }
    }
}
