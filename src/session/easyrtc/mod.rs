//! The session's EasyRTC clients: where Socket.IO's transport and EasyRTC's rules meet.

mod clients;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

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
use crate::room::easyrtc::{Given, Request};
use crate::room::{DisconnectReason, PeerId, Verdict};
use crate::transport::socketio::{self, End, Endpoint, Outgoing};
use crate::transport::{Carrier, Rest};
use crate::wire::easyrtc::Event;
use crate::wire::socketio::Event as SocketEvent;
pub(super) use clients::Clients;
use clients::now;

/// The length of an easyrtcid, that of the reference.
const ID_CHARACTERS: usize = 16;

/// Where the reference has no answer, and a client that waits should not hang for ever.
const NO_KEY: &str = "a key of this session is needed";

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
        state.clients(limits).enter(peer, attached);
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
        let is_refused = clients.apply(peer, event.id, request, &mut given);
        drop(state);
        self.session.shared.metrics.packets(if is_refused { Verdict::Refused } else { Verdict::Applied }, 1);
    }

    fn spend(&self, bytes: usize) -> Duration {
        self.quota.spend(bytes, &self.session.shared.metrics)
    }

    fn take(&self, into: &mut Vec<Outgoing>) -> Rest<End> {
        let Some(peer) = self.peer.get() else { return Rest::Nothing };
        let Some(clients) = &mut self.session.state().easyrtc else { return Rest::Nothing };
        match clients.take(*peer, into) {
            Rest::Nothing => Rest::Nothing,
            Rest::More => Rest::More,
            Rest::End(DisconnectReason::Restart | DisconnectReason::TooSlow) => Rest::End(End::ForNow),
            Rest::End(_) => Rest::End(End::ForGood),
        }
    }

    fn ended(&self) -> bool {
        let state = self.session.state();
        let Some(peer) = self.peer.get() else { return state.ended };
        state.easyrtc.as_ref().is_some_and(|clients| clients.has_ended(*peer))
    }

    async fn changed(&self) {
        self.line.changed().await;
    }

    fn is_admitted(&self) -> bool {
        self.quota.is_admitted()
    }

    fn violation(&self) {
        self.has_broken_rules.store(true, Ordering::Relaxed);
    }

    fn upgraded(&self) {
        let mut state = self.session.state();
        let (peer, clients) = (self.peer.get(), state.easyrtc.as_mut());
        let attached = peer.zip(clients).and_then(|(peer, clients)| clients.attached_mut(*peer));
        if let Some(attached) = attached {
            attached.carrier = Carrier::SocketIoWebSocket;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut state = self.session.state();
        let left = self.peer.get().and_then(|peer| state.easyrtc.as_mut()?.leave(*peer));
        if let Some((attached, _)) = &left {
            self.session.creator_went(&mut state, self.session.is_creator(&attached.grant));
        }
        drop(state);
        let has_broken_rules = self.has_broken_rules.load(Ordering::Relaxed);
        let own = if has_broken_rules { DisconnectReason::Violation } else { DisconnectReason::Gone };
        let reason = left.and_then(|(_, end)| end).unwrap_or(own);
        self.session.shared.metrics.disconnected(reason);
        tracing::debug!(
            session = self.session.id,
            carrier = self.carrier.name(),
            reason = reason.name(),
            "connection closed"
        );
    }
}
