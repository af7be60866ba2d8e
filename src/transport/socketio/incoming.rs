//! What a client says.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::client::{Client, State, random_id};
use super::phase::{Ending, Phase};
use super::{End, Endpoint};
use crate::wire::Text;
use crate::wire::socketio::{EnginePacket, PONG, Packet, Version, connected, refused};

/// How many packets of the transport's own may wait for a client. A client that asks for more without
/// fetching them plays.
const OWN_PACKETS: usize = 64;

/// The longest namespace that is refused by name.
const NAMESPACE_BYTES: usize = 256;

/// How long a client that has left the namespace is not read after each packet. All it has to say is `1`.
const LEFT_PAUSE: Duration = Duration::from_secs(1);

impl<E: Endpoint> Client<E> {
    /// Takes in one Engine.IO packet; answers how long to wait before the next.
    pub(super) fn receive(&self, packet: &str) -> Duration {
        let state = self.state();
        let endpoint = match &state.phase {
            Phase::Over(_) => {
                drop(state);
                if EnginePacket::parse(packet) == Ok(EnginePacket::Close) {
                    self.end(Ending::Asked);
                }
                return Duration::ZERO;
            }
            phase => phase.endpoint().cloned(),
        };
        drop(state);
        match (EnginePacket::parse(packet), &endpoint) {
            (Ok(EnginePacket::Ping(_)), _) if self.version == Version::V3 => self.answer_ping(),
            (Ok(EnginePacket::Pong), _) if self.version == Version::V4 => self.state().heartbeat.heard(),
            (Ok(EnginePacket::Message(text)), Some(endpoint)) => self.message(endpoint, text),
            (Ok(EnginePacket::Noop), _) => {}
            (Ok(EnginePacket::Close), _) => self.end(Ending::Asked),
            _ => self.break_off(),
        }
        let pause = endpoint.map_or(LEFT_PAUSE, |endpoint| endpoint.spend(packet.len()));
        if !pause.is_zero() {
            self.state().heartbeat.excuse(Instant::now() + pause);
        }
        pause
    }

    /// So many bytes that are no packet, or none yet.
    pub(super) fn count(&self, bytes: usize) -> Duration {
        let endpoint = self.state().phase.endpoint().cloned();
        endpoint.map_or(LEFT_PAUSE, |endpoint| endpoint.spend(bytes))
    }

    /// The client has broken the protocol.
    pub(super) fn break_off(&self) {
        let endpoint = self.state().phase.endpoint().cloned();
        endpoint.inspect(|endpoint| endpoint.violation());
        self.end(Ending::Broken);
    }

    fn answer_ping(&self) {
        let mut state = self.state();
        state.heartbeat.heard();
        self.say_once(&mut state, PONG);
    }

    /// Says a word unless it waits to be said: one stands for all, or a client that never fetches them
    /// could pile them up.
    pub(super) fn say_once(&self, state: &mut State<E>, word: &str) {
        if !state.own.iter().any(|packet| packet.as_str() == word) {
            state.own.push(word.into());
            self.due.notify_one();
        }
    }

    fn message(&self, endpoint: &Arc<E>, text: &str) {
        let is_open = matches!(self.state().phase, Phase::Open(_));
        match Packet::parse(text) {
            Ok(Packet::Event(event)) if is_open => endpoint.event(event),
            Ok(Packet::Acknowledgement) if is_open => {}
            Ok(Packet::Connect { namespace: "/", auth }) if !is_open => self.connect(endpoint, auth),
            Ok(Packet::Connect { namespace, .. }) if namespace != "/" && namespace.len() <= NAMESPACE_BYTES => {
                self.say(refused(self.version, namespace, "Invalid namespace"));
            }
            Ok(Packet::Disconnect) if is_open => self.leave(),
            _ => self.break_off(),
        }
    }

    fn connect(&self, endpoint: &Arc<E>, auth: Option<&str>) {
        match endpoint.connect(auth) {
            Ok(()) => {
                let mut state = self.state();
                if let Phase::Greeting(endpoint, _) = &state.phase {
                    state.phase = Phase::Open(endpoint.clone());
                    state.is_admitted = true;
                    drop(state);
                    self.say(connected(self.version, &random_id()));
                }
            }
            Err(reason) => {
                self.say(refused(self.version, "/", reason));
                self.end(Ending::Told(End::ForNow));
            }
        }
    }

    fn say(&self, packet: Text) {
        let mut state = self.state();
        if state.own.len() >= OWN_PACKETS {
            drop(state);
            return self.break_off();
        }
        state.own.push(packet);
        self.due.notify_one();
    }

    /// The client has closed the namespace: whoever it spoke with learns of it now.
    fn leave(&self) {
        let mut _let_go = None;
        let mut state = self.state();
        if let Phase::Open(_) = state.phase {
            let until = Instant::now() + self.connect_time;
            _let_go = Some(std::mem::replace(&mut state.phase, Phase::Left(until)));
            self.turned.notify_one();
        }
    }
}
