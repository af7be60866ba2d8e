//! A session that is polled: what the application sees as one connection, over many requests.
//!
//! ```text
//! Open ── the application closes ──▶ Closing ── nobody comes for a while ──▶ Gone
//!   └──────── no receiver for a while, or a receiver that is cut off ──────────▲
//! ```
//!
//! Its task is the one that waits for the application, so that an end is noticed whether or not
//! anybody reads, and the one that counts idle time. Receivers and senders only borrow it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::frame::Frame;
use crate::transport::{Close, Endpoint, Form, Rest};
use crate::wire::Text;

/// How many bodies of one session are read at once, and of all together that name a session that is not there.
pub(super) const BODIES: usize = 4;

/// What clients are told at a stop, if the application has nothing to say.
const RESTART: Close = Close::new(1012, "service restart");
/// What they are told if it has ended without a word.
const NORMAL: Close = Close::new(1000, "Normal closure");
/// What another receiver is told when one was cut off.
const INTERRUPTED: Close = Close::new(1002, "Connection interrupted");

/// A polled session.
pub(super) struct PolledSession<E> {
    state: Mutex<State<E>>,
    /// Wakes the receiver: there may be a frame.
    due: Notify,
    /// Wakes the task: a request has changed the state.
    turned: Notify,
    /// Cancelled when the application is let go of: a sender that is being slowed down stops waiting.
    pub(super) gone: CancellationToken,
    /// Room for bodies that are being read. Clients send one after the other.
    pub(super) bodies: Semaphore,
}

struct State<E> {
    phase: Phase<E>,
    /// Whether the first frame, `o`, has been handed out.
    greeted: bool,
    /// Whether the client was admitted when the application let it go.
    was_admitted: bool,
    /// At most one while open; when closing, each gets the same frame.
    receivers: usize,
    /// When the last receiver went.
    idle_since: Instant,
}

enum Phase<E> {
    Open(Arc<E>),
    /// What was due before the close, then the close, again and again.
    Closing {
        left: Vec<Text>,
        close: Close,
        /// Whether a receiver has had the close.
        told: bool,
    },
    Gone,
}

/// What a receiver finds when it comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is let in, and must [`PolledSession::detach`] or end the session.
    Place,
    /// Another receiver is there.
    Attended,
    /// Nothing: the name is free for a new session.
    Gone,
}

/// The way in for what the client sends, and what is found there.
pub(super) enum WayIn<T> {
    Open(T),
    /// What comes is thrown away.
    Closing,
    Gone,
}

impl<E: Endpoint> PolledSession<E> {
    /// A session with a receiver.
    pub(super) fn new(endpoint: E) -> Self {
        let phase = Phase::Open(Arc::new(endpoint));
        let state = State { phase, greeted: false, was_admitted: false, receivers: 1, idle_since: Instant::now() };
        Self {
            state: Mutex::new(state),
            due: Notify::new(),
            turned: Notify::new(),
            gone: CancellationToken::new(),
            bodies: Semaphore::new(BODIES),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver comes.
    pub(super) fn attach(&self) -> Found {
        let mut state = self.state();
        match state.phase {
            Phase::Gone => return Found::Gone,
            Phase::Open(_) if state.receivers > 0 => return Found::Attended,
            Phase::Open(_) | Phase::Closing { .. } => state.receivers += 1,
        }
        Found::Place
    }

    /// A receiver has ended as it should.
    pub(super) fn detach(&self) {
        let mut state = self.state();
        state.receivers -= 1;
        state.idle_since = Instant::now();
        drop(state);
        self.turned.notify_one();
    }

    pub(super) fn is_attended(&self) -> bool {
        self.state().receivers > 0
    }

    /// Whether the application's close is still to be fetched.
    pub(super) fn is_untold(&self) -> bool {
        match &self.state().phase {
            Phase::Open(endpoint) => endpoint.ended(),
            Phase::Closing { told, .. } => !told,
            Phase::Gone => false,
        }
    }

    /// Whether the client is admitted. Of one that is ended: whether it was, for what it sends before it knows.
    pub(super) fn is_admitted(&self) -> bool {
        let state = self.state();
        match &state.phase {
            Phase::Open(endpoint) => endpoint.is_admitted(),
            Phase::Closing { .. } | Phase::Gone => state.was_admitted,
        }
    }

    fn way_in(&self) -> WayIn<Arc<E>> {
        match &self.state().phase {
            Phase::Open(endpoint) => WayIn::Open(endpoint.clone()),
            Phase::Closing { .. } => WayIn::Closing,
            Phase::Gone => WayIn::Gone,
        }
    }

    /// Hands something over to the application, and waits for as long as it wants no more.
    pub(super) async fn hand_over(&self, hand: impl FnOnce(&E) -> Duration) -> WayIn<()> {
        let pause = match self.way_in() {
            WayIn::Open(endpoint) => hand(&endpoint),
            WayIn::Closing => return WayIn::Closing,
            WayIn::Gone => return WayIn::Gone,
        };
        if pause > Duration::ZERO {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.gone.cancelled() => {}
            }
        }
        WayIn::Open(())
    }

    /// The next frame for a receiver, if there is one.
    pub(super) fn next(&self) -> Option<Frame> {
        // Declared before the guard and so dropped after it: an endpoint's end locks what is its own.
        let mut _let_go = None;
        let mut state = self.state();
        if !state.greeted && !matches!(state.phase, Phase::Gone) {
            state.greeted = true;
            return Some(Frame::open());
        }
        if let Phase::Open(endpoint) = &state.phase {
            let mut left = Vec::new();
            match endpoint.take(Form::Quoted, &mut |text: &str| left.push(text.into())) {
                Rest::End(close) => {
                    _let_go = Some(self.let_go(&mut state, Phase::Closing { left, close, told: false }))
                }
                Rest::Nothing if left.is_empty() => return None,
                Rest::Nothing | Rest::More => return Some(Frame::messages(&left)),
            }
        }
        match &mut state.phase {
            Phase::Closing { left, .. } if !left.is_empty() => Some(Frame::messages(&std::mem::take(left))),
            Phase::Closing { close, told, .. } => {
                *told = true;
                Some(Frame::close(*close))
            }
            Phase::Open(_) | Phase::Gone => Some(Frame::close(INTERRUPTED)),
        }
    }

    /// Completes when [`PolledSession::next`] may have something new. Cancel-safe.
    pub(super) async fn due(&self) {
        self.due.notified().await;
    }

    /// The session is gone.
    pub(super) fn end(&self) {
        let _let_go = self.let_go(&mut self.state(), Phase::Gone);
        self.due.notify_one();
    }

    /// The application closes, or is to: what it still has to say is kept for the receivers.
    fn close(&self, unless_told: Close) {
        let mut _let_go = None;
        let mut state = self.state();
        let Phase::Open(endpoint) = &state.phase else { return };
        let mut left = Vec::new();
        let close = loop {
            match endpoint.take(Form::Quoted, &mut |text: &str| left.push(text.into())) {
                Rest::More => {}
                Rest::Nothing => break unless_told,
                Rest::End(close) => break close,
            }
        };
        _let_go = Some(self.let_go(&mut state, Phase::Closing { left, close, told: false }));
        self.due.notify_one();
    }

    /// Leaves a phase; the caller drops what is answered once the state is unlocked.
    fn let_go(&self, state: &mut State<E>, for_phase: Phase<E>) -> Phase<E> {
        if let Phase::Open(endpoint) = &state.phase {
            state.was_admitted = endpoint.is_admitted();
        }
        self.gone.cancel();
        self.turned.notify_one();
        std::mem::replace(&mut state.phase, for_phase)
    }

    /// The session's task: until it is gone, or `stop`.
    pub(super) async fn live(&self, delay: Duration, stop: &CancellationToken) {
        loop {
            let (endpoint, deadline) = {
                let state = self.state();
                let deadline = (state.receivers == 0).then(|| state.idle_since + delay);
                match &state.phase {
                    Phase::Open(endpoint) => (Some(endpoint.clone()), deadline),
                    Phase::Closing { .. } => (None, deadline),
                    Phase::Gone => return,
                }
            };
            // All arms are cancel-safe. The application comes last: one that is never silent must
            // not keep the others from being heard.
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.close(RESTART),
                () = self.turned.notified() => {}
                () = at(deadline) => self.expire(delay),
                () = changed(endpoint.as_deref()) => match &endpoint {
                    Some(endpoint) if endpoint.ended() => self.close(NORMAL),
                    _ => self.due.notify_one(),
                },
            }
        }
    }

    fn expire(&self, delay: Duration) {
        let mut _let_go = None;
        let mut state = self.state();
        if state.receivers == 0 && state.idle_since.elapsed() >= delay {
            _let_go = Some(self.let_go(&mut state, Phase::Gone));
        }
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn changed<E: Endpoint>(endpoint: Option<&E>) {
    match endpoint {
        Some(endpoint) => endpoint.changed().await,
        None => std::future::pending().await,
    }
}
