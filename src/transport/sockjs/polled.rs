//! A session that is polled: what the application sees as one connection, over many requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::transport::Close;

/// A polled session. Its receiver borrows it while a request lasts.
pub(super) struct PolledSession<E> {
    state: Mutex<State<E>>,
    /// Cancelled when the session is gone: a sender that is being slowed down stops waiting.
    pub(super) gone: CancellationToken,
}

struct State<E> {
    phase: Phase<E>,
    attended: bool,
    /// Counts receivers, so that an old one's timer does not end a session that has a new one.
    receivers: u64,
}

enum Phase<E> {
    Open(Arc<E>),
    /// The application has closed; every receiver gets the same `c` frame.
    Closing(Close),
    Gone,
}

/// What a receiver finds when it comes.
pub(super) enum Found<E> {
    /// It may receive.
    Open(Arc<E>),
    /// It gets the `c` frame.
    Closing(Close),
    /// Another receiver is there.
    Attended,
    /// Ended between look-up and now.
    Gone,
}

impl<E> PolledSession<E> {
    pub(super) fn new(endpoint: E) -> Self {
        let state = State { phase: Phase::Open(Arc::new(endpoint)), attended: false, receivers: 0 };
        Self { state: Mutex::new(state), gone: CancellationToken::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver comes; at most one is let in, and must [`PolledSession::detach`] or end the session.
    pub(super) fn attach(&self) -> Found<E> {
        let mut state = self.state();
        let found = match &state.phase {
            Phase::Gone => return Found::Gone,
            _ if state.attended => return Found::Attended,
            Phase::Open(endpoint) => Found::Open(endpoint.clone()),
            Phase::Closing(close) => Found::Closing(*close),
        };
        state.attended = true;
        state.receivers += 1;
        found
    }

    /// The receiver has ended as it should; the number to ask [`PolledSession::is_abandoned`] with.
    pub(super) fn detach(&self) -> u64 {
        let mut state = self.state();
        state.attended = false;
        state.receivers
    }

    /// Whether no receiver has come since.
    pub(super) fn is_abandoned(&self, receivers: u64) -> bool {
        let state = self.state();
        !state.attended && state.receivers == receivers
    }

    pub(super) fn is_attended(&self) -> bool {
        self.state().attended
    }

    /// The way in for what the client sends; `None` once the application has closed.
    pub(super) fn endpoint(&self) -> Option<Arc<E>> {
        match &self.state().phase {
            Phase::Open(endpoint) => Some(endpoint.clone()),
            Phase::Closing(_) | Phase::Gone => None,
        }
    }

    /// The application has closed: it is let go of, its word is kept.
    pub(super) fn close(&self, close: Close) {
        let open = std::mem::replace(&mut self.state().phase, Phase::Closing(close));
        // Dropped only now: the endpoint's own end must not find the session locked.
        drop(open);
        self.gone.cancel();
    }

    /// The session is gone.
    pub(super) fn end(&self) {
        let phase = std::mem::replace(&mut self.state().phase, Phase::Gone);
        drop(phase);
        self.gone.cancel();
    }
}
