//! The rules: what each event and each ending does.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::application::{Application, Join};
use super::connection::{ConnectionView, Peer};
use super::output::{Ack, Output};
use crate::room::PeerId;
use crate::wire::Text;
use crate::wire::easyrtc::{self, ErrorCode, Event, Name};

/// The bounds of one session's EasyRTC rooms; 0: no limit.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Members of a room at one time. The reference has 100 (13.3).
    pub members: usize,
    /// Rooms, of all applications together. Rooms are never removed, so this bounds what clients
    /// can make the session keep. Every application has one room at least.
    pub rooms: usize,
}

impl Limits {
    /// Whether a room with so many members takes no more.
    pub(super) fn full(&self, members: usize) -> bool {
        self.members > 0 && members >= self.members
    }

    /// Whether so many rooms leave no room for some more.
    pub(super) fn no_room_for(&self, rooms: usize, more: usize) -> bool {
        self.rooms > 0 && more > 0 && rooms + more > self.rooms
    }
}

/// One event from a client.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which.
    pub event: Event,
    /// Its first argument; `None`: it had none.
    pub argument: Option<&'a RawValue>,
    /// Whether an acknowledgement was asked for. Without, nothing is done (6).
    pub ack: bool,
}

/// What the rules do not know by themselves.
pub struct Given<'a> {
    /// Milliseconds since 1970.
    pub now: u64,
    /// Makes an easyrtcid, unguessable, of 16 characters of `A-Za-z0-9`. Called at authentication,
    /// again if it hit on one that is in use.
    pub new_id: &'a mut dyn FnMut() -> String,
    /// Makes the JSON array of ICE servers. Called once for each token and each `getIceConfig`.
    pub ice_servers: &'a mut dyn FnMut() -> String,
}

/// The EasyRTC clients of one session, their applications and rooms.
pub struct EasyRtc {
    pub(super) limits: Limits,
    pub(super) peers: HashMap<PeerId, Peer>,
    /// Who bears an easyrtcid. One name space for all applications.
    pub(super) by_id: HashMap<Name, PeerId>,
    pub(super) applications: HashMap<Name, Application>,
    /// How many rooms there are.
    pub(super) rooms: usize,
    /// How many joins there were.
    pub(super) joins: Join,
}

impl EasyRtc {
    /// Nobody yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, peers: HashMap::new(), by_id: HashMap::new(), applications: HashMap::new(), rooms: 0, joins: 0 }
    }

    /// A peer has connected. It is nothing to the others until it authenticates.
    pub fn enter(&mut self, who: PeerId) {
        self.peers.entry(who).or_insert(Peer::Open);
    }

    /// Applies one event from a peer. Events of peers that have not entered, or that were ended, do
    /// nothing.
    pub fn apply(&mut self, who: PeerId, request: Request, given: &mut Given) -> Vec<Output> {
        let mut out = Vec::new();
        let answer = match (request.event, self.peers.get(&who)) {
            (Event::Auth, Some(Peer::Open | Peer::In(_))) => {
                self.authenticate(who, request, given, &mut out);
                return out;
            }
            (Event::Cmd, Some(Peer::In(_))) if request.ack => {
                self.command(who, request.argument, given, &mut out).map(Some)
            }
            (Event::Msg, Some(Peer::In(_))) if request.ack => self.letter(who, request.argument, given.now, &mut out),
            _ => return out,
        };
        match answer {
            Ok(Some(text)) => out.push(acknowledged(text)),
            Ok(None) => {}
            Err(code) => out.push(refused(code, given.now)),
        }
        out
    }

    /// A peer's connection is gone, or its key was taken from it: the others are told at once (11.1),
    /// and it is sent nothing more.
    pub fn remove(&mut self, who: PeerId, now: u64) -> Vec<Output> {
        let mut out = Vec::new();
        self.depart(who, now, &mut out);
        self.peers.remove(&who);
        out
    }

    /// An authenticated peer leaves all rooms and is addressed no more.
    pub(super) fn depart(&mut self, who: PeerId, now: u64, out: &mut Vec<Output>) {
        self.leave_all(who, now, out);
        if let Some(Peer::In(connection)) = self.peers.insert(who, Peer::Ended) {
            self.by_id.remove(&connection.easyrtcid);
        }
    }

    /// How many peers have entered, authenticated or not.
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// What is known of a peer; `None` if it is not authenticated.
    pub fn view(&self, who: PeerId) -> Option<ConnectionView<'_>> {
        let connection = self.connection(who)?;
        let rooms = self.application_of(connection).rooms();
        Some(ConnectionView {
            easyrtcid: &connection.easyrtcid,
            application: &connection.application,
            rooms: connection.rooms.values().map(|index| &rooms[*index].name).collect(),
        })
    }

    /// The peer that bears an easyrtcid now.
    pub fn peer_of(&self, easyrtcid: &str) -> Option<PeerId> {
        self.by_id.get(easyrtcid).copied()
    }
}

pub(super) fn acknowledged(text: Text) -> Output {
    Output::Ack(Ack { text, error: None })
}

pub(super) fn refused(code: ErrorCode, now: u64) -> Output {
    Output::Ack(Ack { text: easyrtc::error(code, now), error: Some(code) })
}
