//! A receiver: the one request by which the server currently sends to a polled session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use tokio::time::timeout;

use super::answer::Answer;
use super::clothes::Clothes;
use super::frame::Frame;
use super::polled::{Found, PolledSession};
use super::{Service, SessionName};
use crate::http::{self, Response};
use crate::transport::{Close, Endpoint};

/// What a second receiver is told.
const ANOTHER: Close = Close::new(2010, "Another connection still open");

/// How long a second receiver waits for the end of the first: a client that cuts one off and comes
/// again at once may be here before the cut has been seen.
const OVERTAKING: Duration = Duration::from_millis(100);

impl<E: Endpoint> Service<E> {
    /// Answers a receiver's request: opens the session if there is none of the name.
    pub(super) async fn receive(
        self: &Arc<Self>,
        name: SessionName,
        clothes: Clothes,
        request: &HeaderMap,
        open: impl FnOnce() -> Result<E, Response>,
    ) -> Response {
        let attended = self.sessions().get(&name).filter(|session| session.is_attended()).cloned();
        if let Some(session) = attended {
            let _ = timeout(OVERTAKING, session.gone.cancelled()).await;
        }
        let mut response = Response::new(http::full(Bytes::new()));
        clothes.headers(&mut response, request);
        let answer = match self.attach(name, open) {
            Ok(Some(receiver)) if clothes.prelude().is_some() => {
                Answer::stream(clothes, receiver, self.settings.response_bytes.max(1))
            }
            Ok(Some(receiver)) => {
                let frame = receiver.next().await;
                Answer::single(clothes, frame, Some(receiver))
            }
            Ok(None) => Answer::single(clothes, Frame::close(ANOTHER), None),
            Err(response) => return response,
        };
        *response.body_mut() = answer.into_body();
        response
    }

    /// Finds or opens a session for a receiver; `None`: it has one. The sessions stay locked
    /// meanwhile, so that of several first requests only one opens.
    fn attach(
        self: &Arc<Self>,
        name: SessionName,
        open: impl FnOnce() -> Result<E, Response>,
    ) -> Result<Option<Receiver<E>>, Response> {
        let mut sessions = self.sessions();
        match sessions.get(&name).map(|session| (session.attach(), session)) {
            Some((Found::Place, session)) => return Ok(Some(Receiver::new(self, name, session))),
            Some((Found::Attended, _)) => return Ok(None),
            Some((Found::Gone, _)) => {}
            None if sessions.len() < self.settings.sessions => {}
            None => return Err(http::text(StatusCode::SERVICE_UNAVAILABLE, "too many sessions\n")),
        }
        let session = Arc::new(PolledSession::new(open()?));
        sessions.insert(name.clone(), session.clone());
        drop(sessions);
        let receiver = Receiver::new(self, name.clone(), &session);
        let service = self.clone();
        self.tasks.spawn(async move {
            session.live(service.settings.disconnect_delay, &service.stop).await;
            service.unlist(&name, &session);
        });
        Ok(Some(receiver))
    }

    /// Frees a session's name, unless another has taken it meanwhile.
    fn unlist(&self, name: &SessionName, session: &Arc<PolledSession<E>>) {
        let mut sessions = self.sessions();
        if sessions.get(name).is_some_and(|other| Arc::ptr_eq(other, session)) {
            sessions.remove(name);
        }
    }
}

/// A request's place at its session. Dropped before it has finished, it was cut off by the client:
/// messages may have been lost, so the session ends at once.
pub(super) struct Receiver<E: Endpoint> {
    service: Arc<Service<E>>,
    name: SessionName,
    session: Arc<PolledSession<E>>,
    finished: bool,
}

impl<E: Endpoint> Receiver<E> {
    fn new(service: &Arc<Service<E>>, name: SessionName, session: &Arc<PolledSession<E>>) -> Self {
        Self { service: service.clone(), name, session: session.clone(), finished: false }
    }

    /// The next frame; waits for it, or for the heartbeat. Cancel-safe: a frame that was taken is
    /// answered without waiting.
    pub(super) async fn next(&self) -> Frame {
        let mut silence = std::pin::pin!(silence(self.service.settings.heartbeat));
        loop {
            if let Some(frame) = self.session.next() {
                return frame;
            }
            tokio::select! {
                biased;
                () = self.session.due() => {}
                () = silence.as_mut() => return Frame::heartbeat(),
            }
        }
    }

    /// The answer is whole: the session waits for the next receiver, but not for ever.
    pub(super) fn finish(mut self) {
        self.finished = true;
        self.session.detach();
    }
}

impl<E: Endpoint> Drop for Receiver<E> {
    fn drop(&mut self) {
        if !self.finished {
            self.service.unlist(&self.name, &self.session);
            self.session.end();
        }
    }
}

/// Completes when it is time for a sign of life; zero: never.
async fn silence(heartbeat: Duration) {
    match heartbeat.is_zero() {
        true => std::future::pending().await,
        false => tokio::time::sleep(heartbeat).await,
    }
}
