//! The session's EasyRTC clients: where Socket.IO's transport and EasyRTC's rules meet.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;

use super::connection::Attached;
use super::keys::Grant;
use super::line::Line;
use super::quota::Quota;
use super::router::most_polled;
use super::{OpenError, Session, State};
use crate::config::Limits;
use crate::http::Budget;
use crate::random;
use crate::room::easyrtc::{EasyRtc, Given, Limits as RoomLimits, Output, Request};
use crate::room::{DisconnectReason, PeerId, Verdict};
use crate::transport::Carrier;
use crate::transport::socketio::{self, End, Endpoint, Outgoing};
use crate::wire::Text;
use crate::wire::easyrtc::Event;
use crate::wire::socketio::Event as SocketEvent;

/// The length of an easyrtcid, that of the reference.
const ID_CHARACTERS: usize = 16;

/// What is taken from an outbox at one go.
const BATCH: usize = 64;

/// Where the reference has no answer, and a client that waits should not hang for ever.
const NO_KEY: &str = "a key of this session is needed";

/// The EasyRTC clients of a session. Made when the first one comes.
pub(super) struct Clients {
    rules: EasyRtc,
    members: HashMap<PeerId, Member>,
    /// What waits for all of them, in bytes.
    bytes: usize,
    /// The most that waits for one client, and for all; 0: no limit.
    outbox_bytes: usize,
    session_bytes: usize,
}

/// A client whose namespace is open.
struct Member {
    attached: Attached,
    outbox: VecDeque<Outgoing>,
    bytes: usize,
    end: Option<DisconnectReason>,
}

impl Clients {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            rules: EasyRtc::new(RoomLimits { members: limits.room_peers, rooms: limits.rooms }),
            members: HashMap::new(),
            bytes: 0,
            outbox_bytes: limits.log_bytes.max(limits.easyrtc_bytes + 4096),
            session_bytes: limits.session_bytes,
        }
    }

    /// Bytes that wait for clients.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    /// Each with what it is attached by, its first room and its easyrtcid.
    pub(super) fn views(&self) -> impl Iterator<Item = (PeerId, &Attached, Option<String>, Option<String>)> {
        self.members.iter().map(|(peer, member)| {
            let view = self.rules.view(*peer);
            let room = view.as_ref().and_then(|view| view.rooms.first().map(ToString::to_string));
            (*peer, &member.attached, room, view.map(|view| view.easyrtcid.to_string()))
        })
    }

    /// Ends those whom `of_them` names; the others are told at once.
    pub(super) fn end_where(&mut self, of_them: impl Fn(&Attached) -> bool, reason: DisconnectReason) {
        let theirs = self.members.iter().filter(|(_, member)| of_them(&member.attached)).map(|(peer, _)| *peer);
        let ends = theirs.map(|peer| (peer, reason)).collect();
        self.end_all(ends);
    }

    /// Ends members, one after the other; telling the others may end further ones.
    fn end_all(&mut self, mut ends: VecDeque<(PeerId, DisconnectReason)>) {
        while let Some((peer, reason)) = ends.pop_front() {
            let Some(member) = self.members.get_mut(&peer).filter(|member| member.end.is_none()) else { continue };
            member.end = Some(reason);
            // What it did not read before, it need not read: it is told that it is over.
            member.outbox.clear();
            self.bytes -= std::mem::take(&mut member.bytes);
            member.attached.wake();
            let told = self.rules.remove(peer, now());
            ends.extend(self.put_out(peer, None, told));
        }
    }

    /// Sends out what the rules put out on an event of `sender`, whose acknowledgement has this id. Those
    /// for whom it is too much are ended after all of it, or what is still to be said of them would follow
    /// the news that they are gone.
    fn deliver(&mut self, sender: PeerId, id: Option<u64>, outputs: Vec<Output>) {
        let ends = self.put_out(sender, id, outputs);
        self.end_all(ends);
    }

    /// Likewise, and answers who is to be ended.
    fn put_out(
        &mut self,
        sender: PeerId,
        id: Option<u64>,
        outputs: Vec<Output>,
    ) -> VecDeque<(PeerId, DisconnectReason)> {
        let mut too_slow = VecDeque::new();
        for output in outputs {
            let (to, outgoing) = match output {
                Output::Ack(ack) => match id {
                    Some(id) => (sender, Outgoing::Acknowledgement { id, argument: ack.text }),
                    None => continue,
                },
                Output::Emit(emit) => {
                    let mut argument = String::with_capacity(emit.argument_len());
                    emit.write_argument(&mut argument);
                    (emit.to, Outgoing::Event { name: emit.event().name(), argument: Text::from(argument) })
                }
                Output::End => {
                    if let Some(member) = self.members.get_mut(&sender) {
                        member.end.get_or_insert(DisconnectReason::NotAdmitted);
                        member.attached.wake();
                    }
                    continue;
                }
            };
            too_slow.extend(self.push(to, outgoing).map(|peer| (peer, DisconnectReason::TooSlow)));
        }
        too_slow
    }

    /// Puts something into an outbox; answers who has too much waiting now. One message alone is never
    /// too much: a newcomer's token tells of all who are there.
    fn push(&mut self, to: PeerId, outgoing: Outgoing) -> Option<PeerId> {
        let member = self.members.get_mut(&to).filter(|member| member.end.is_none())?;
        member.bytes += outgoing.argument().len();
        self.bytes += outgoing.argument().len();
        member.outbox.push_back(outgoing);
        member.attached.wake();
        if member.bytes > self.outbox_bytes && member.outbox.len() > 1 {
            return Some(to);
        }
        let is_over = self.session_bytes > 0 && self.bytes > self.session_bytes;
        let still_there = self.members.iter().filter(|(_, member)| member.end.is_none());
        let greatest = is_over.then(|| still_there.max_by_key(|(peer, member)| (member.bytes, **peer)));
        greatest.flatten().map(|(peer, _)| *peer)
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unguessable, and so nobody else's.
pub(super) fn new_id() -> String {
    random::alphanumeric(ID_CHARACTERS)
}

/// One Socket.IO client. Dropping it leaves.
pub(super) struct Client {
    session: Arc<Session>,
    /// What its request presented; a client of Engine.IO 4 may present a key with its CONNECT instead.
    presented: Option<Grant>,
    carrier: Carrier,
    address: IpAddr,
    /// Set when the namespace is open.
    peer: OnceLock<PeerId>,
    line: Arc<Line>,
    has_broken_rules: AtomicBool,
    quota: Quota,
}

impl Session {
    /// A Socket.IO client comes. It sees nothing until its namespace is open, which takes a key.
    pub(super) fn open_socketio(
        self: &Arc<Self>,
        presented: Option<Grant>,
        carrier: Carrier,
        address: IpAddr,
    ) -> Result<Client, OpenError> {
        let place = self.place(address)?;
        let keyless = if presented.is_none() { Some(self.keyless_place(&place)?) } else { None };
        let state = self.state();
        if state.ended || presented.as_ref().is_some_and(|grant| !state.keys.holds(grant.key)) {
            return Err(OpenError::Ended);
        }
        drop(state);
        self.shared.metrics.connected();
        let limits = &self.shared.config.limits;
        Ok(Client {
            session: self.clone(),
            presented,
            carrier,
            address,
            peer: OnceLock::new(),
            line: Arc::default(),
            has_broken_rules: AtomicBool::new(false),
            quota: Quota::new(limits, self.pace.clone(), place, keyless),
        })
    }

    /// How Socket.IO's service of a session is set up.
    pub(super) fn socketio_settings(limits: &Limits) -> socketio::Settings {
        let defaults = socketio::Settings::default();
        socketio::Settings {
            message_bytes: limits.easyrtc_bytes,
            bodies: Budget::new(limits.session_bytes, limits.easyrtc_bytes),
            bytes_per_second: limits.raw_bytes_per_second(),
            // It cannot be switched off: clients are told it.
            ping_interval: if limits.heartbeat_secs == 0 { defaults.ping_interval } else { limits.heartbeat() },
            connections: most_polled(limits),
            ..defaults
        }
    }
}

impl State {
    fn clients(&mut self, limits: &Limits) -> &mut Clients {
        self.easyrtc.get_or_insert_with(|| Box::new(Clients::new(limits)))
    }
}

impl Client {
    /// The key in the auth payload: `{"key": "…"}`.
    fn key_in(&self, auth: Option<&str>) -> Option<Grant> {
        #[derive(serde::Deserialize)]
        struct Auth {
            key: String,
        }
        let Auth { key } = serde_json::from_str(auth?).ok()?;
        self.session.try_key(&key, self.address)
    }
}

impl Endpoint for Client {
    fn connect(&self, auth: Option<&str>) -> Result<(), &'static str> {
        let grant = self.presented.clone().or_else(|| self.key_in(auth)).ok_or(NO_KEY)?;
        let limits = &self.session.shared.config.limits;
        let mut state = self.session.state();
        if state.ended || !state.keys.holds(grant.key) {
            return Err(NO_KEY);
        }
        if self.session.is_full(&state, grant.key) {
            return Err("the session has as many connections as it may");
        }
        let peer = state.next_peer;
        state.next_peer += 1;
        let attached = Attached::new(grant, self.carrier, self.line.clone());
        self.session.creator_came(&mut state, self.session.is_creator(&attached.grant));
        let clients = state.clients(limits);
        clients.members.insert(peer, Member { attached, outbox: VecDeque::new(), bytes: 0, end: None });
        clients.rules.enter(peer);
        let _ = self.peer.set(peer);
        self.quota.admit();
        Ok(())
    }

    fn event(&self, event: SocketEvent<'_>) {
        let Some((peer, kind)) = self.peer.get().copied().zip(Event::named(&event.name)) else { return };
        let argument = event.argument.and_then(|argument| serde_json::from_str::<&RawValue>(argument).ok());
        let request = Request { event: kind, argument, ack: event.id.is_some() };
        let name = || format!("{}-{peer}", self.session.id);
        let mut ice_servers = || self.session.ice.for_peer(&name()).to_string();
        let mut given = Given { now: now(), new_id: &mut new_id, ice_servers: &mut ice_servers };
        let mut state = self.session.state();
        let Some(clients) = &mut state.easyrtc else { return };
        let outputs = clients.rules.apply(peer, request, &mut given);
        let refused = outputs.iter().any(|output| matches!(output, Output::Ack(ack) if ack.error.is_some()));
        clients.deliver(peer, event.id, outputs);
        drop(state);
        self.session.shared.metrics.packet(if refused { Verdict::Refused } else { Verdict::Applied });
    }

    fn spend(&self, bytes: usize) -> Duration {
        self.quota.spend(bytes, &self.session.shared.metrics)
    }

    fn take(&self, into: &mut Vec<Outgoing>) -> Option<End> {
        let peer = self.peer.get()?;
        let mut state = self.session.state();
        let clients = state.easyrtc.as_mut()?;
        let member = clients.members.get_mut(peer)?;
        let batch = member.outbox.len().min(BATCH);
        for outgoing in member.outbox.drain(..batch) {
            member.bytes -= outgoing.argument().len();
            clients.bytes -= outgoing.argument().len();
            into.push(outgoing);
        }
        match member.end.filter(|_| member.outbox.is_empty()) {
            None => None,
            Some(DisconnectReason::Restart | DisconnectReason::TooSlow) => Some(End::ForNow),
            Some(_) => Some(End::ForGood),
        }
    }

    fn ended(&self) -> bool {
        let state = self.session.state();
        let Some(peer) = self.peer.get() else { return state.ended };
        let member = state.easyrtc.as_ref().and_then(|clients| clients.members.get(peer));
        member.is_some_and(|member| member.end.is_some())
    }

    async fn changed(&self) {
        self.line.changed().await;
    }

    fn violation(&self) {
        self.has_broken_rules.store(true, Ordering::Relaxed);
    }

    fn upgraded(&self) {
        let mut state = self.session.state();
        let member =
            self.peer.get().zip(state.easyrtc.as_mut()).and_then(|(peer, clients)| clients.members.get_mut(peer));
        if let Some(member) = member {
            member.attached.carrier = Carrier::SocketIoWebSocket;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut state = self.session.state();
        let member = self.peer.get().and_then(|peer| {
            let clients = state.easyrtc.as_mut()?;
            let member = clients.members.remove(peer)?;
            clients.bytes -= member.bytes;
            let told = clients.rules.remove(*peer, now());
            clients.deliver(*peer, None, told);
            Some(member)
        });
        if let Some(member) = &member {
            self.session.creator_went(&mut state, self.session.is_creator(&member.attached.grant));
        }
        drop(state);
        let own = if self.has_broken_rules.load(Ordering::Relaxed) {
            DisconnectReason::Violation
        } else {
            DisconnectReason::Gone
        };
        let reason = member.and_then(|member| member.end).unwrap_or(own);
        self.session.shared.metrics.disconnected(reason);
        tracing::debug!(
            session = self.session.id,
            carrier = self.carrier.name(),
            reason = reason.name(),
            "connection closed"
        );
    }
}
