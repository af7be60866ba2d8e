//! A connection: where a transport and the rooms meet.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use super::gate::Place;
use super::keyless;
use super::keys::{Grant, Key, NO_KEY};
use super::line::Line;
use super::quota::Quota;
use super::{Session, State};
use crate::metrics::Metrics;
use crate::room::{DisconnectReason, PeerId, Verdict};
use crate::transport::{Batch, Carrier, Close, Endpoint, Form, Rest};
use crate::wire::videre::{Event, Packet};

/// What the session keeps with a peer in its rooms.
pub struct Attached {
    /// What its key gave it.
    pub grant: Grant,
    /// By what it is connected.
    pub carrier: Carrier,
    /// Since when.
    pub since: Instant,
    /// The connection's end.
    pub line: Arc<Line>,
    /// By what it may come back, if it opted in.
    pub token: Option<Key>,
    /// Whether its connection is lost, and its seat held.
    pub is_lost: bool,
}

impl Attached {
    pub(super) fn new(grant: Grant, carrier: Carrier, line: Arc<Line>) -> Self {
        Self { grant, carrier, since: Instant::now(), line, token: None, is_lost: false }
    }

    pub(super) fn wake(&self) {
        self.line.wake();
    }
}

/// One client's connection to a session. Dropping it leaves.
pub struct Connection {
    session: Arc<Session>,
    /// Changes once, if its first packet takes an earlier seat.
    peer: AtomicU64,
    line: Arc<Line>,
    carrier: Carrier,
    is_creators: bool,
    /// Whether a `resume` may come: nothing has come yet, and the client has a key.
    may_resume: AtomicBool,
    /// Set when the client goes of its own will, or has to.
    goodbye: OnceLock<DisconnectReason>,
    /// Until when a keyless client must have named the session.
    keyless_until: Option<tokio::time::Instant>,
    quota: Quota,
}

impl Connection {
    pub(super) fn new(
        session: Arc<Session>,
        peer: PeerId,
        attached: &Attached,
        place: Place,
        keyless: Option<keyless::Place>,
    ) -> Self {
        let limits = &session.shared.config.limits;
        let is_keyed = keyless.is_none();
        let keyless_until = (!is_keyed && limits.keyless_secs > 0)
            .then(|| tokio::time::Instant::now() + Duration::from_secs(limits.keyless_secs));
        session.shared.metrics.connected();
        let quota = Quota::new(limits, session.pace.clone(), place, keyless);
        Self {
            peer: AtomicU64::new(peer),
            line: attached.line.clone(),
            carrier: attached.carrier,
            is_creators: session.is_creator(&attached.grant),
            may_resume: AtomicBool::new(is_keyed),
            goodbye: OnceLock::new(),
            session,
            keyless_until,
            quota,
        }
    }

    fn peer(&self) -> PeerId {
        self.peer.load(Ordering::Relaxed)
    }

    /// Takes the first packet if it is a `resume`. The session must not be held.
    fn resume(&self, message: &str) -> bool {
        // Looked at first: to swap is dear, and this is for each message.
        if !self.may_resume.load(Ordering::Relaxed) || !self.may_resume.swap(false, Ordering::Relaxed) {
            return false;
        }
        let asked = Packet::parse(message).ok().filter(|packet| packet.event == Event::Resume);
        let Some(asked) = asked.and_then(|packet| packet.resume()) else { return false };
        self.peer.store(self.session.take_seat(self.peer(), &asked), Ordering::Relaxed);
        true
    }

    fn spend(&self, bytes: usize) -> Duration {
        self.quota.spend(bytes, &self.session.shared.metrics)
    }

    /// Completes when something has changed, or this time is over: then the connection is, too.
    async fn changed_in_time(&self, until: tokio::time::Instant) {
        tokio::select! {
            () = self.line.changed() => {}
            () = tokio::time::sleep_until(until) => self.expire(),
        }
    }

    fn expire(&self) {
        let mut state = self.session.state();
        if !state.rooms.is_admitted(self.peer()) {
            state.rooms.end(self.peer(), DisconnectReason::NotAdmitted, &mut Attached::wake);
        }
    }
}

/// What packets are heard with: their session, held from the first of them to the last.
#[derive(Default)]
pub struct Ear<'a>(Option<Hearing<'a>>);

struct Hearing<'a> {
    state: MutexGuard<'a, State>,
    metrics: &'a Metrics,
    applied: u64,
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        self.metrics.packets(Verdict::Applied, self.applied);
    }
}

impl<'a> Ear<'a> {
    fn of(&mut self, session: &'a Session) -> &mut Hearing<'a> {
        self.0.get_or_insert_with(|| Hearing { state: session.state(), metrics: &session.shared.metrics, applied: 0 })
    }
}

impl Connection {
    /// Hears a message that took so many bytes.
    fn hear<'a>(&'a self, message: &str, bytes: usize, ear: &mut Ear<'a>) -> Duration {
        if self.resume(message) || self.line.end.get().is_some() {
            return self.spend(bytes);
        }
        let peer = self.peer();
        let Hearing { state, metrics, applied } = ear.of(&self.session);
        let was_admitted = self.quota.is_admitted();
        if !was_admitted && self.session.is_full(state, NO_KEY) {
            state.rooms.end(peer, DisconnectReason::NotAdmitted, &mut Attached::wake);
        }
        let verdict = state.rooms.apply(peer, message, &mut Attached::wake);
        if !was_admitted && state.rooms.is_admitted(peer) {
            self.quota.admit();
        }
        match verdict {
            Verdict::Applied => *applied += 1,
            Verdict::Refused | Verdict::NotAdmitted => {
                metrics.packets(verdict, 1);
                tracing::trace!(session = self.session.id, peer, bytes, ?verdict, "packet refused");
            }
        }
        self.spend(bytes)
    }
}

impl Endpoint for Connection {
    const ANSWERS_AT_ONCE: bool = false;

    type Ear<'a> = Ear<'a>;

    fn receive<'a>(&'a self, message: &str, ear: &mut Ear<'a>) -> Duration {
        self.hear(message, message.len(), ear)
    }

    /// The old server reads binary messages as text, and so do we. What is none is no packet either.
    fn receive_binary<'a>(&'a self, message: &[u8], ear: &mut Ear<'a>) -> Duration {
        self.hear(std::str::from_utf8(message).unwrap_or_default(), message.len(), ear)
    }

    fn count(&self, bytes: usize) -> Duration {
        self.spend(bytes)
    }

    fn is_admitted(&self) -> bool {
        self.quota.is_admitted()
    }

    fn goodbye(&self) {
        let _ = self.goodbye.set(DisconnectReason::Gone);
    }

    fn violation(&self) {
        let _ = self.goodbye.set(DisconnectReason::Violation);
    }

    fn take(&self, form: Form, batch: &mut dyn Batch) -> Rest {
        if !self.line.look() {
            return Rest::Nothing;
        }
        let mut state = self.session.state();
        // Looked at under the lock: from then on what is due is another connection's.
        if let Some(reason) = self.line.end.get() {
            return Rest::End(close(*reason));
        }
        if state.rooms.take(self.peer(), form, batch, &mut Attached::wake) {
            self.line.look_again();
            return Rest::More;
        }
        state.rooms.end_of(self.peer()).map_or(Rest::Nothing, |reason| Rest::End(close(reason)))
    }

    fn ended(&self) -> bool {
        self.line.end.get().is_some() || self.session.state().rooms.end_of(self.peer()).is_some()
    }

    async fn changed(&self) {
        match self.keyless_until.filter(|_| !self.quota.is_admitted()) {
            None => self.line.changed().await,
            // Apart, so that no connection takes memory for it that has a key.
            Some(until) => Box::pin(self.changed_in_time(until)).await,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let left = Left {
            peer: self.peer(),
            line: &self.line,
            carrier: self.carrier,
            is_creators: self.is_creators,
            goodbye: self.goodbye.get().copied(),
        };
        self.session.closed(left);
    }
}

/// What a connection leaves behind.
pub(super) struct Left<'a> {
    pub peer: PeerId,
    pub line: &'a Arc<Line>,
    pub carrier: Carrier,
    pub is_creators: bool,
    pub goodbye: Option<DisconnectReason>,
}

/// How a client is told why the server ended its connection. docs/PROTOCOL.md lists them.
fn close(reason: DisconnectReason) -> Close {
    let (code, reason) = match reason {
        DisconnectReason::Gone => (1000, "closed"),
        DisconnectReason::Stopped => (4001, "session ended"),
        DisconnectReason::Removed => (4002, "removed"),
        DisconnectReason::NotAdmitted => (4003, "not admitted"),
        DisconnectReason::TooSlow => (4004, "reading too slowly"),
        DisconnectReason::Replaced => (4006, "opened elsewhere"),
        DisconnectReason::Violation => (1002, "protocol error"),
        DisconnectReason::Restart => (1012, "service restart"),
    };
    Close::new(code, reason)
}
