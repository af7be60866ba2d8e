//! Polling: a client fetches by GET and sends by POST, at most one of each at a time.

use std::time::Duration;

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::client::{Client, State};
use super::phase::{Ending, Phase, Way};
use super::{End, Endpoint, Refusal, Service, Settings};
use crate::http::{self, BodyError, Request, Response};
use crate::transport::{Rest, body_of};
use crate::wire::Text;
use crate::wire::socketio::{NOOP, Version, packets as split, render_body};

/// How long a poll waits once a WebSocket has been tried: the client wants to be rid of it, but may not
/// be made to spin.
const RELEASE: Duration = Duration::from_millis(50);

/// The answer that carries packets.
pub(super) fn packets(version: Version, packets: &[Text]) -> Response {
    no_store(http::text(StatusCode::OK, render_body(version, packets)))
}

fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl<E: Endpoint> Service<E> {
    /// A request of a connection that polls.
    pub(super) async fn poll_or_post(&self, request: Request, client: &Client<E>) -> Response {
        if client.is_upgraded() {
            return Refusal::BadRequest.response();
        }
        match *request.method() {
            Method::GET => self.poll(client).await,
            Method::POST => self.post(request, client).await,
            // As the original has it.
            _ => http::empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    pub(super) async fn poll(&self, client: &Client<E>) -> Response {
        let Some(place) = Place::take(client, |state| &mut state.polled) else { return overlap(client) };
        let fetched = client.fetch().await;
        place.finish();
        match fetched.is_empty() {
            true => Refusal::UnknownId.response(),
            false => packets(client.version, &fetched),
        }
    }

    async fn post(&self, request: Request, client: &Client<E>) -> Response {
        let Some(place) = Place::take(client, |state| &mut state.posted) else { return overlap(client) };
        if is_binary(request.headers()) {
            client.break_off();
            return http::empty(StatusCode::BAD_REQUEST);
        }
        let Settings { bodies, message_bytes, .. } = &self.settings;
        let body = match body_of(bodies, request, *message_bytes, client.is_admitted()).await {
            Ok(body) => body,
            Err(BodyError::TooLarge(_)) => {
                place.finish();
                return http::empty(StatusCode::PAYLOAD_TOO_LARGE);
            }
            // Whatever was in it is lost, and the connection with it.
            Err(error) => return error.response(),
        };
        for packet in split(client.version, &body) {
            let Ok(packet) = packet else {
                client.break_off();
                break;
            };
            let pause = client.receive(packet);
            if pause > Duration::ZERO {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = client.gone.cancelled() => {}
                }
            }
            if client.gone.is_cancelled() && !client.is_there() {
                break;
            }
        }
        place.finish();
        no_store(http::typed(StatusCode::OK, "text/html", "ok"))
    }
}

/// A second request of a kind ends the connection: in which order the two were meant, nobody can tell.
fn overlap<E: Endpoint>(client: &Client<E>) -> Response {
    client.break_off();
    http::empty(StatusCode::BAD_REQUEST)
}

fn is_binary(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/octet-stream"))
}

type Flag<E> = fn(&mut State<E>) -> &mut bool;

/// A request's place at its connection. Dropped before it has finished, it was cut off: packets may
/// have been lost, so the connection ends.
struct Place<'a, E: Endpoint> {
    client: &'a Client<E>,
    flag: Flag<E>,
    finished: bool,
}

impl<'a, E: Endpoint> Place<'a, E> {
    fn take(client: &'a Client<E>, flag: Flag<E>) -> Option<Self> {
        let taken = std::mem::replace(flag(&mut client.state()), true);
        (!taken).then_some(Self { client, flag, finished: false })
    }

    fn finish(mut self) {
        self.finished = true;
    }
}

impl<E: Endpoint> Drop for Place<'_, E> {
    fn drop(&mut self) {
        *(self.flag)(&mut self.client.state()) = false;
        if !self.finished {
            self.client.end(Ending::Broken);
        }
    }
}

impl<E: Endpoint> Client<E> {
    /// The next packets for a poll, at least one; none: the connection is over and has said so.
    /// Cancel-safe: what was taken is answered without waiting.
    async fn fetch(&self) -> Vec<Text> {
        let mut fetched = Vec::new();
        loop {
            let rest = self.take(false, &mut fetched);
            if !fetched.is_empty() || matches!(rest, Rest::End(_)) {
                return fetched;
            }
            let is_probed = self.state().way == Way::Upgrading { probed: true };
            let release = async {
                match is_probed {
                    true => tokio::time::sleep(RELEASE).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.due.notified() => {}
                () = release => return vec![NOOP.into()],
            }
        }
    }

    /// The task of a connection that polls: until it is over or a WebSocket carries it, or `stop`.
    pub(super) async fn live(&self, stop: &CancellationToken) {
        while self.is_polling() {
            let deadline = self.deadline();
            // All arms are cancel-safe. The endpoint comes last: one that is never silent must not
            // keep the others from being heard.
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.finish(End::ForNow);
                    break;
                }
                () = self.turned.notified() => {}
                () = tokio::time::sleep_until(deadline) => self.tick(),
                () = self.changed() => match self.ended() {
                    true => self.finish(End::ForNow),
                    false => self.due.notify_one(),
                },
            }
        }
        self.relieved.notify_one();
    }

    fn is_polling(&self) -> bool {
        let state = self.state();
        let is_forgotten = matches!(&state.phase, Phase::Over(over) if over.until.is_none());
        state.way != Way::Socket && !is_forgotten
    }
}
