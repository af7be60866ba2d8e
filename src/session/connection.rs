//! A connection: where a transport and the rooms meet.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Session;
use super::gate::Place;
use super::keys::Grant;
use super::pace::Pace;
use crate::room::{Admission, DisconnectReason, PeerId, Verdict};
use crate::transport::{Carrier, Close, Endpoint, Form};
use crate::wire::Text;

/// What the session keeps with a peer in its rooms.
pub struct Attached {
    /// What its key gave it.
    pub grant: Grant,
    /// By what it is connected.
    pub carrier: Carrier,
    /// Since when.
    pub since: Instant,
    /// Woken when there is something new to take.
    pub changed: Arc<Notify>,
}

impl Attached {
    pub(super) fn new(grant: Grant, carrier: Carrier) -> Self {
        Self { grant, carrier, since: Instant::now(), changed: Arc::new(Notify::new()) }
    }

    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }
}

/// One client's connection to a session. Dropping it leaves.
pub struct Connection {
    session: Arc<Session>,
    peer: PeerId,
    changed: Arc<Notify>,
    /// Until when a keyless client must have named the session.
    keyless_until: Option<tokio::time::Instant>,
    pace: Mutex<Pace>,
    _place: Place,
}

impl Connection {
    pub(super) fn new(
        session: Arc<Session>,
        peer: PeerId,
        changed: Arc<Notify>,
        admission: Admission,
        place: Place,
    ) -> Self {
        let limits = &session.shared.config.limits;
        let keyless = admission == Admission::Keyless && limits.keyless_secs > 0;
        let keyless_until = keyless.then(|| tokio::time::Instant::now() + Duration::from_secs(limits.keyless_secs));
        session.shared.metrics.connected();
        let pace = Mutex::new(Pace::of(limits));
        Self { session, peer, changed, keyless_until, pace, _place: place }
    }

    fn spend(&self, bytes: usize) -> Duration {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).spend(bytes, Instant::now())
    }

    fn expire(&self) {
        let mut state = self.session.state();
        if !state.rooms.is_admitted(self.peer) {
            state.rooms.end(self.peer, DisconnectReason::NotAdmitted, &mut Attached::wake);
        }
    }
}

impl Endpoint for Connection {
    fn receive(&self, message: &str) -> Duration {
        let verdict = self.session.state().rooms.apply(self.peer, message, &mut Attached::wake);
        self.session.shared.metrics.packet(verdict);
        if verdict == Verdict::Refused {
            tracing::trace!(session = self.session.id, peer = self.peer, bytes = message.len(), "packet refused");
        }
        self.spend(message.len())
    }

    /// The old server reads binary messages as text, and so do we.
    fn receive_binary(&self, message: &[u8]) -> Duration {
        match std::str::from_utf8(message) {
            Ok(text) => self.receive(text),
            Err(_) => self.receive(""),
        }
    }

    fn take(&self, form: Form, into: &mut Vec<Text>) -> Option<Close> {
        let mut state = self.session.state();
        state.rooms.take(self.peer, form, into);
        state.rooms.end_of(self.peer).map(close)
    }

    fn ended(&self) -> bool {
        self.session.state().rooms.end_of(self.peer).is_some()
    }

    async fn changed(&self) {
        let Some(until) = self.keyless_until.filter(|_| !self.session.state().rooms.is_admitted(self.peer)) else {
            return self.changed.notified().await;
        };
        tokio::select! {
            () = self.changed.notified() => {}
            () = tokio::time::sleep_until(until) => self.expire(),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.closed(self.peer);
    }
}

/// How a client is told why the server ended its connection. docs/PROTOCOL.md lists them.
fn close(reason: DisconnectReason) -> Close {
    let (code, reason) = match reason {
        DisconnectReason::Gone => (1000, "closed"),
        DisconnectReason::Stopped => (4001, "session ended"),
        DisconnectReason::Removed => (4002, "removed"),
        DisconnectReason::NotAdmitted => (4003, "not admitted"),
        DisconnectReason::TooSlow => (4004, "reading too slowly"),
        DisconnectReason::Restart => (1012, "service restart"),
    };
    Close { code, reason }
}
