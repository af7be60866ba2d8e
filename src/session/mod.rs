//! One running session: its port, keys, connections and rooms. Sessions share nothing with each
//! other but the [`Shared`] settings and counters of the server.

pub mod connection;
mod easyrtc;
mod ending;
pub mod gate;
pub mod ice;
mod keyless;
pub mod keys;
pub mod line;
pub mod listener;
mod pace;
mod page;
mod quota;
mod router;
pub mod seats;
mod site;
#[cfg(test)]
mod tests;
mod view;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::http::Response;
use crate::http::origin::Origins;
use crate::metrics::{Limited, Metrics};
use crate::room::{self, Admission, DisconnectReason, PeerId, Rooms};
use crate::tasks::{Tasks, Threads};
use crate::transport::{Carrier, socketio, sockjs};
use connection::{Attached, Connection, Left};
use gate::{Gate, Place};
use ice::Ice;
use keyless::Keyless;
use keys::{Grant, KeyRing, NO_KEY};
use pace::Pace;
pub use view::PeerInfo;

/// How many connections at their full rate a session's may add up to.
const SESSION_SHARE: u32 = 10;

/// What all sessions share.
pub struct Shared {
    /// The whole configuration.
    pub config: Config,
    /// The origins let in.
    pub origins: Origins,
    /// What an address may do.
    pub gate: Arc<Gate>,
    /// What is counted.
    pub metrics: Metrics,
    /// Where sessions live.
    pub threads: Threads,
}

impl Shared {
    /// Counts a wrong key, or admin token, against its address; how long that is to wait, if it has shown too many. Whoever
    /// has a right one is never asked to.
    pub fn count_wrong(&self, address: IpAddr) -> Option<Duration> {
        let now = Instant::now();
        self.metrics.failed_key();
        let wait = self.gate.brake(address, now);
        match wait {
            Some(_) => self.metrics.limited(Limited::FailedKeys),
            None => self.gate.failed(address, now),
        }
        wait
    }
}

/// What a session tells the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The creator's first connection is there.
    CreatorHere,
    /// The creator's last connection is gone.
    CreatorGone,
}

/// Where a session's [`Presence`] goes: its id, its run, and what happened.
pub type PresenceSender = mpsc::UnboundedSender<(i64, u64, Presence)>;

/// What makes a session.
pub struct Plan {
    /// The session's id.
    pub id: i64,
    /// Which start of the id this is, so that news of an earlier one is not taken for this one's.
    pub run: u64,
    /// The port that the session is known by.
    pub port: u16,
    /// Its name, for the pages.
    pub name: String,
    /// The RoomId by which keyless clients enter.
    pub session_key: String,
    /// Its keys.
    pub keys: KeyRing,
    /// The identity whose coming and going the manager is told of.
    pub creator: Option<String>,
    /// Where it is told.
    pub presence: PresenceSender,
}

/// A running session.
pub struct Session {
    /// The session's id.
    pub id: i64,
    /// The port that it is known by.
    pub port: u16,
    name: String,
    run: u64,
    creator: Option<String>,
    shared: Arc<Shared>,
    presence: PresenceSender,
    state: Mutex<State>,
    /// Made when the first SockJS client comes.
    sockjs: OnceLock<Arc<sockjs::Service<Connection>>>,
    /// Made when the first Socket.IO client comes.
    socketio: OnceLock<Arc<socketio::Service<easyrtc::Client>>>,
    /// Those that have shown no key yet.
    keyless: Arc<Keyless>,
    ice: Ice,
    /// What all its connections together may send.
    pace: Arc<Mutex<Pace>>,
    listener: OnceLock<Weak<TcpListener>>,
    stop: CancellationToken,
    released: CancellationToken,
    tasks: Tasks,
}

struct State {
    rooms: Rooms<Attached>,
    /// Made when the first EasyRTC client comes.
    easyrtc: Option<Box<easyrtc::Clients>>,
    keys: KeyRing,
    next_peer: PeerId,
    creator_connections: usize,
    ended: bool,
    /// It ends for a restart: seats stay when their connections go.
    is_suspended: bool,
}

/// Why no connection is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// `limits.peers`
    #[error("the session has as many connections as it may (limits.peers)")]
    Full,
    /// `limits.connections_per_address`
    #[error("this address has as many connections as it may (limits.connections_per_address)")]
    AddressFull,
    /// There are too many without a key, of this address or of all.
    #[error("too many connections have shown no key yet")]
    Keyless,
}

impl OpenError {
    /// The answer that tells the client.
    pub fn response(self) -> Response {
        let status = match self {
            Self::Ended => hyper::StatusCode::NOT_FOUND,
            Self::Full => hyper::StatusCode::SERVICE_UNAVAILABLE,
            Self::AddressFull | Self::Keyless => hyper::StatusCode::TOO_MANY_REQUESTS,
        };
        crate::http::text(status, self.to_string())
    }
}

impl Session {
    /// A session that runs, without a listener yet.
    pub fn new(plan: Plan, shared: Arc<Shared>) -> Arc<Self> {
        let (stop, tasks) = (CancellationToken::new(), shared.threads.tasks());
        let limits = &shared.config.limits;
        let rooms = room::Limits {
            rooms: limits.rooms,
            // Whatever may be sent must fit, with what an answer adds to it.
            log_bytes: limits.log_bytes.max(limits.message_bytes + 4096),
            session_bytes: limits.session_bytes,
        };
        let state = State {
            rooms: Rooms::new(plan.session_key, rooms),
            easyrtc: None,
            keys: plan.keys,
            next_peer: 1,
            creator_connections: 0,
            ended: false,
            is_suspended: false,
        };
        Arc::new(Self {
            id: plan.id,
            port: plan.port,
            name: plan.name,
            run: plan.run,
            creator: plan.creator,
            presence: plan.presence,
            sockjs: OnceLock::new(),
            socketio: OnceLock::new(),
            keyless: Arc::default(),
            ice: Ice::of(&shared.config.webrtc),
            pace: Pace::shared(pace::Rates::of(limits), SESSION_SHARE),
            listener: OnceLock::new(),
            state: Mutex::new(state),
            shared,
            stop,
            released: CancellationToken::new(),
            tasks,
        })
    }

    /// The state. A panic while it was held cannot have left it half changed in a way that matters
    /// more than the session going on.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a key gives.
    pub fn check_key(&self, presented: &str) -> Option<Grant> {
        self.state().keys.check(presented)
    }

    /// A copy of the keys, for the store and the replies.
    pub fn keys(&self) -> KeyRing {
        self.state().keys.clone()
    }

    /// Opens a connection. A key that was taken since it was checked opens nothing.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        self: &Arc<Self>,
        grant: Grant,
        admission: Admission,
        carrier: Carrier,
        address: IpAddr,
    ) -> Result<Connection, OpenError> {
        let place = self.place(address)?;
        let keyless = if admission == Admission::Keyless { Some(self.keyless_place(&place)?) } else { None };
        let mut state = self.state();
        let revoked = admission == Admission::Keyed && !state.keys.holds(grant.key);
        if state.ended || revoked {
            return Err(OpenError::Ended);
        }
        if self.is_full(&state, grant.key) {
            return Err(OpenError::Full);
        }
        let peer = state.next_peer;
        state.next_peer += 1;
        let attached = Attached::new(grant, carrier, Arc::default());
        self.creator_came(&mut state, self.is_creator(&attached.grant));
        let connection = Connection::new(self.clone(), peer, &attached, place, keyless);
        state.rooms.enter(peer, admission, attached);
        Ok(connection)
    }

    /// A place for one more connection of an address.
    fn place(&self, address: IpAddr) -> Result<Place, OpenError> {
        self.shared.gate.enter(address).ok_or_else(|| {
            self.shared.metrics.limited(Limited::ConnectionsPerAddress);
            OpenError::AddressFull
        })
    }

    /// Whether no more may be admitted, by this key. Whoever comes back takes no more room than before, and of those who may
    /// come back there are no more than of those who are there.
    fn is_full(&self, state: &State, key: u64) -> bool {
        let (here, back) = state.peer_count(key);
        let peers = self.shared.config.limits.peers;
        let is_full = peers > 0 && (here >= peers || back >= peers);
        if is_full {
            self.shared.metrics.limited(Limited::Peers);
        }
        is_full
    }

    /// A place for one more without a key.
    fn keyless_place(&self, place: &Place) -> Result<keyless::Place, OpenError> {
        self.keyless.enter(place.address).ok_or_else(|| {
            self.shared.metrics.limited(Limited::Keyless);
            OpenError::Keyless
        })
    }

    fn is_creator(&self, grant: &Grant) -> bool {
        self.creator.is_some() && grant.identity == self.creator
    }

    /// A connection is open: perhaps the creator's first.
    fn creator_came(&self, state: &mut State, is_creators: bool) {
        if is_creators {
            state.creator_connections += 1;
            if state.creator_connections == 1 {
                self.tell(Presence::CreatorHere);
            }
        }
    }

    /// A connection is gone: perhaps the creator's last.
    fn creator_went(&self, state: &mut State, is_creators: bool) {
        if is_creators {
            state.creator_connections -= 1;
            if state.creator_connections == 0 {
                self.tell(Presence::CreatorGone);
            }
        }
    }

    fn tell(&self, presence: Presence) {
        // Nobody listens any more when the manager has shut down.
        let _ = self.presence.send((self.id, self.run, presence));
    }

    /// A connection is gone. The peer goes with it, unless it has another connection by now, or is
    /// waited for.
    fn closed(self: &Arc<Self>, left: Left) {
        let Left { peer, line, carrier, is_creators, goodbye } = left;
        let mut state = self.state();
        let end = line.end.get().copied().or(state.rooms.end_of(peer));
        let reason = end.or(goodbye).unwrap_or(DisconnectReason::Gone);
        self.shared.metrics.disconnected(reason);
        let grace = self.shared.config.sessions.resume_grace();
        let is_waited_for = reason == DisconnectReason::Gone && goodbye.is_none() && !grace.is_zero() && !state.ended;
        let is_kept = reason == DisconnectReason::Restart && state.is_suspended;
        match state.rooms.attached_mut(peer).filter(|attached| Arc::ptr_eq(&attached.line, line)) {
            Some(attached) if (is_waited_for || is_kept) && attached.token.is_some() => {
                attached.is_lost = true;
                if is_waited_for {
                    self.hold(peer, line.clone(), grace);
                }
            }
            Some(_) => drop(state.rooms.exit(peer, &mut Attached::wake)),
            None => {}
        }
        self.creator_went(&mut state, is_creators);
        drop(state);
        tracing::debug!(session = self.id, peer, carrier = carrier.name(), reason = reason.name(), "connection closed");
    }

    /// Replaces the keys, which the manager alone changes, and ends at once what a key opened that
    /// is no longer among them.
    pub fn set_keys(&self, keys: KeyRing) {
        let mut state = self.state();
        state.keys = keys;
        let held: HashSet<u64> = state.keys.numbers().chain([NO_KEY]).collect();
        state.end_where(|attached| !held.contains(&attached.grant.key), DisconnectReason::Removed);
    }
}

impl State {
    /// How many are connected, and how many seats are held for those who are lost; to these the connection counts that whoever
    /// has this personal key may come back to. Who has shown no key yet is neither: it keeps nobody out who has one.
    fn peer_count(&self, key: u64) -> (usize, usize) {
        let (mut here, mut back) = (self.easyrtc.as_ref().map_or(0, |clients| clients.count()), 0);
        for (_, view) in self.rooms.peers().filter(|(_, view)| view.is_admitted) {
            let Attached { grant, token, is_lost, .. } = view.attached;
            let is_own = token.is_some() && grant.key == key && grant.identity.is_some();
            *(if *is_lost || is_own { &mut back } else { &mut here }) += 1;
        }
        (here, back)
    }

    fn end_where(&mut self, of_them: impl Fn(&Attached) -> bool, reason: DisconnectReason) {
        let theirs: Vec<PeerId> =
            self.rooms.peers().filter(|(_, view)| of_them(view.attached)).map(|(peer, _)| peer).collect();
        for peer in theirs {
            self.end(peer, reason);
        }
        if let Some(clients) = &mut self.easyrtc {
            clients.end_where(of_them, reason);
        }
    }
}
