//! The rules: what each packet and each ending does.

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use slab::Slab;
use subtle::ConstantTimeEq;

use super::PeerId;
use super::log::{Audience, Said};
use super::members::{Room, RoomIndex};
use super::message::Messages;
use super::peer::{DisconnectReason, Membership, Peer, PeerView};
use super::refusal::{Refusal, same_json};
use crate::wire::videre::{self, Beginning, Departure, Event, Packet, RoomKey};

/// The room where pages meet, and what the session key means as a RoomId.
const MAIN_ROOM: &str = "main";

/// The bounds of one session's rooms.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rooms at one time; 0: no limit.
    pub rooms: usize,
    /// What a room keeps for those who read late, and what is kept for one peer in none.
    pub log_bytes: usize,
    /// What all rooms together keep, for those who read late and for those who may come back; 0: no limit.
    pub session_bytes: usize,
}

/// How a peer came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// By a key: it may do anything a member may.
    Keyed,
    /// Without one: its first packet must be a `connect` whose RoomId is the session key.
    Keyless,
}

/// Called for each peer that has something new to take. Behind a pointer, since ending one peer may
/// end others in turn.
pub type Wake<'a, W> = &'a mut dyn FnMut(&W);

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It did what it asked for.
    Applied,
    /// It was answered by an error packet and reached nobody.
    Refused,
    /// A keyless peer's first packet did not name the session: the peer is ended.
    NotAdmitted,
}

/// The rooms and the peers of one session. `W` is what the session attaches to a peer; the rules
/// hand it to `wake` for each peer that has something new to take.
pub struct Rooms<W> {
    session_key: String,
    pub(super) limits: Limits,
    /// Their numbers are ours, so that nobody can choose them to collide; their rooms' names are not.
    pub(super) peers: FxHashMap<PeerId, Peer<W>>,
    pub(super) rooms: Slab<Room>,
    by_key: HashMap<RoomKey, RoomIndex>,
    pub(super) messages: Messages,
    /// Whether [`Rooms::settle`] is under way already.
    pub(super) is_settling: bool,
}

impl<W> Rooms<W> {
    /// No rooms yet.
    pub fn new(session_key: String, limits: Limits) -> Self {
        Self {
            session_key,
            limits,
            peers: FxHashMap::default(),
            rooms: Slab::new(),
            by_key: HashMap::new(),
            messages: Messages::default(),
            is_settling: false,
        }
    }

    /// A peer comes in. It is in no room until it connects.
    pub fn enter(&mut self, who: PeerId, admission: Admission, attached: W) {
        self.peers.insert(who, Peer::new(attached, admission == Admission::Keyed));
    }

    /// Each peer, in no order.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = (PeerId, PeerView<'_, W>)> {
        self.peers.iter().map(|(who, peer)| {
            let membership = peer.membership.as_ref();
            let view = PeerView {
                attached: &peer.attached,
                is_admitted: peer.admitted,
                user_id: membership.and_then(|membership| membership.user_id.as_deref()),
                room: membership.map(|membership| &*self.rooms[membership.room].key),
            };
            (*who, view)
        })
    }

    /// Whether a keyless peer has named the session yet, or a peer had a key all along.
    pub fn is_admitted(&self, who: PeerId) -> bool {
        self.peers.get(&who).is_some_and(|peer| peer.admitted)
    }

    /// Why a peer was ended, if it was.
    pub fn end_of(&self, who: PeerId) -> Option<DisconnectReason> {
        self.peers.get(&who).and_then(|peer| peer.end)
    }

    /// Applies one message from a peer. Messages of a peer that has been ended do nothing.
    pub fn apply(&mut self, who: PeerId, message: &str, wake: Wake<W>) -> Verdict {
        let Some(peer) = self.peers.get_mut(&who).filter(|peer| peer.end.is_none()) else { return Verdict::Refused };
        if let Some(room) = peer.goes_on(message) {
            peer.count();
            peer.says(&self.rooms[room]);
            self.say(room, Audience::AllBut(who), message, wake);
            return Verdict::Applied;
        }
        let parsed = Packet::parse(message);
        if !parsed.as_ref().is_ok_and(|packet| matches!(packet.event, Event::Ack | Event::Resume)) {
            peer.count();
        }
        let peer = &*peer;
        if !peer.admitted && !parsed.as_ref().is_ok_and(|packet| self.names_session(packet)) {
            self.end(who, DisconnectReason::NotAdmitted, wake);
            return Verdict::NotAdmitted;
        }
        let outcome = match parsed {
            Ok(packet) if packet.event == Event::Connect => self.connect(who, &packet, wake),
            Ok(packet) if packet.event == Event::Ack => self.ack(who, &packet, wake),
            Ok(packet) if packet.event == Event::Resume => Err(Refusal::LateResume),
            Ok(packet) => self.by_member(who, &packet, wake),
            Err(error) => Err(Refusal::Packet(error)),
        };
        match outcome {
            Ok(()) => Verdict::Applied,
            Err(refusal) => {
                self.refuse(who, &refusal.to_string(), wake);
                Verdict::Refused
            }
        }
    }

    /// Answers a message that does nothing.
    fn refuse(&mut self, who: PeerId, reason: &str, wake: Wake<W>) {
        let Some(peer) = self.peers.get(&who) else { return };
        let text = match &peer.membership {
            Some(membership) => {
                videre::error(membership.user_id.as_deref(), Some(&self.rooms[membership.room].key), reason)
            }
            None => videre::error(None, None, reason),
        };
        self.tell(who, &text, wake);
    }

    /// The server ends a peer: it leaves its room, is handed nothing more, and is woken to be told.
    /// The first reason counts.
    pub fn end(&mut self, who: PeerId, reason: DisconnectReason, wake: Wake<W>) {
        let Some(peer) = self.peers.get_mut(&who).filter(|peer| peer.end.is_none()) else { return };
        peer.end = Some(reason);
        peer.forget(&mut self.messages);
        wake(&peer.attached);
        let departure = match reason {
            DisconnectReason::Removed => Departure::Removed,
            _ => Departure::Gone,
        };
        self.leave(who, departure, wake);
    }

    /// A peer's connection is gone. Returns what was attached.
    pub fn exit(&mut self, who: PeerId, wake: Wake<W>) -> Option<W> {
        let peer = self.peers.get_mut(&who)?;
        peer.end.get_or_insert(DisconnectReason::Gone);
        // So that nobody is ended for what goes along with it.
        peer.forget(&mut self.messages);
        self.leave(who, Departure::Gone, wake);
        self.peers.remove(&who).map(|peer| peer.attached)
    }

    #[cfg(test)]
    pub(super) fn initiators(&self, room: &str) -> usize {
        let members = self.peers.values().filter_map(|peer| peer.membership.as_ref());
        members.filter(|member| &*self.rooms[member.room].key == room && member.initiator).count()
    }

    fn names_session(&self, packet: &Packet) -> bool {
        let key = packet.room_key();
        packet.event == Event::Connect && bool::from(key.as_bytes().ct_eq(self.session_key.as_bytes()))
    }

    /// The room that a packet means, and what stands for its RoomId when it is passed on.
    fn room_of(&self, packet: &Packet) -> (RoomKey, Option<&'static str>) {
        let key = packet.room_key();
        if *key == *self.session_key { (MAIN_ROOM.into(), Some(MAIN_ROOM)) } else { (key, None) }
    }

    /// `connect`: leaves the present room, joins, and tells all members, the joiner first of all.
    fn connect(&mut self, who: PeerId, packet: &Packet, wake: Wake<W>) -> Result<(), Refusal> {
        let (key, alias) = self.room_of(packet);
        let moves_out =
            self.peers[&who].membership.as_ref().is_some_and(|from| self.rooms[from.room].members.len() == 1);
        let full = self.limits.rooms > 0 && self.rooms.len() - usize::from(moves_out) >= self.limits.rooms;
        if full && !self.by_key.contains_key(&key) {
            return Err(Refusal::TooManyRooms(self.limits.rooms));
        }
        if !self.step_out(who, wake) {
            return Ok(());
        }

        let index = self.open(key);
        let room = &mut self.rooms[index];
        let initiator = !room.members.iter().any(|member| {
            self.peers.get(member).and_then(|peer| peer.membership.as_ref()).is_some_and(|member| member.initiator)
        });
        room.join(who);
        let peer = self.peers.get_mut(&who).expect("the caller looked it up");
        peer.admitted = true;
        peer.membership = Some(Membership {
            room: index,
            user_id: packet.user_id.map(Box::from),
            room_id: packet.room_id.map(Box::from),
            initiator,
            beginning: None,
            unread_from: None,
            said_until: 0,
        });
        self.say(index, Audience::All, &videre::connect(packet, alias, initiator), wake);
        Ok(())
    }

    /// The room of this key, which is made if there is none.
    pub(super) fn open(&mut self, key: RoomKey) -> RoomIndex {
        let rooms = &mut self.rooms;
        let new = |key: &RoomKey| rooms.insert(Room::new(key.clone()));
        *self.by_key.entry(key).or_insert_with_key(new)
    }

    /// The packets that only a member may send, and only under its own name in its own room.
    fn by_member(&mut self, who: PeerId, packet: &Packet, wake: Wake<W>) -> Result<(), Refusal> {
        let membership = self.peers[&who].membership.as_ref().ok_or(Refusal::NotConnected)?;
        if !same_json(packet.user_id, membership.user_id.as_deref()) {
            return Err(Refusal::ForeignUser);
        }
        let index = membership.room;
        let key = &self.rooms[index].key;
        if packet.room_id != membership.room_id.as_deref() && self.room_of(packet).0 != *key {
            return Err(Refusal::ForeignRoom);
        }
        // Only a RoomId that is not `main` itself need be rewritten: that of the session key.
        let alias = (**key == *MAIN_ROOM && packet.room_id != Some("\"main\"")).then_some(MAIN_ROOM);
        match packet.event {
            Event::Broadcast => {
                let peer = self.peers.get_mut(&who).expect("it was looked up");
                peer.says(&self.rooms[index]);
                if let Some(membership) = peer.membership.as_mut().filter(|_| alias.is_none()) {
                    membership.beginning = Beginning::of(packet);
                }
                self.say(index, Audience::AllBut(who), &videre::passed_on(packet, alias), wake);
            }
            Event::Ping => {
                let members = self.rooms[index].members.iter();
                let user_ids = members.map(|member| self.peers[member].membership.as_ref()?.user_id.as_deref());
                self.tell(who, &videre::ping(packet, alias, user_ids), wake);
            }
            Event::Disconnect => _ = self.step_out(who, wake),
            Event::Connect | Event::Resume | Event::Ack => unreachable!("these need no membership"),
        }
        Ok(())
    }

    fn ack(&mut self, who: PeerId, packet: &Packet, wake: Wake<W>) -> Result<(), Refusal> {
        let number = packet.acknowledged().ok_or(Refusal::Ack)?;
        if self.acknowledged(who, number, wake) { Ok(()) } else { Err(Refusal::Ack) }
    }

    /// A message for one peer: into its room's log, so that it keeps its place among the room's.
    fn tell(&mut self, who: PeerId, text: &str, wake: Wake<W>) {
        let Some(peer) = self.peers.get_mut(&who).filter(|peer| peer.end.is_none()) else { return };
        if let Some(membership) = &peer.membership {
            let index = membership.room;
            return self.say(index, Audience::Only(who), text, wake);
        }
        peer.outbox.push(self.messages.keep(text.into()));
        wake(&peer.attached);
        if peer.outbox.bytes() > self.limits.log_bytes {
            self.end(who, DisconnectReason::TooSlow, wake);
        }
        self.settle(None, wake);
    }

    /// Appends to a room's log and wakes those concerned who were not woken before; ends those who fall off its tail.
    fn say(&mut self, index: RoomIndex, audience: Audience, text: &str, wake: Wake<W>) {
        let Self { rooms, peers, messages, .. } = self;
        let room = &mut rooms[index];
        let place = room.log.end();
        if let Audience::AllBut(speaker) = audience {
            room.line_up_behind(speaker);
        }
        room.caught_up.retain(|member| {
            if !audience.includes(*member) {
                return true;
            }
            let peer = peers.get_mut(member).expect("a member is a peer");
            peer.membership.as_mut().expect("a member has a place").unread_from = Some(place);
            wake(&peer.attached);
            false
        });
        let readers = room.members.len() - room.caught_up.len();
        room.log.append(audience, text, readers, messages);
        let is_too_long = room.log.bytes() > self.limits.log_bytes;
        if is_too_long {
            room.log.shorten(self.limits.log_bytes, messages);
        }
        self.settle(is_too_long.then_some(index), wake);
    }

    /// Leaves by its own wish. Whether the peer is still in: it is ended if all that it has not read, in
    /// the rooms it left, is more than is kept for one peer.
    fn step_out(&mut self, who: PeerId, wake: Wake<W>) -> bool {
        self.leave(who, Departure::Gone, wake);
        if self.peers[&who].outbox.bytes() > self.limits.log_bytes {
            self.end(who, DisconnectReason::TooSlow, wake);
        }
        self.peers[&who].end.is_none()
    }

    /// Takes a peer out of its room, if it is in one: what it has not read yet stays due to it, unless it has
    /// been ended; the others are told, an empty room ceases to exist.
    fn leave(&mut self, who: PeerId, departure: Departure, wake: Wake<W>) {
        let Some(peer) = self.peers.get_mut(&who) else { return };
        let Some(membership) = peer.membership.take() else { return };
        let room = &mut self.rooms[membership.room];
        room.members.retain(|member| *member != who);
        room.caught_up.retain(|member| *member != who);
        let mut outbox = peer.end.is_none().then_some(&mut peer.outbox);
        let stays_due = |messages: &mut Messages, mut said: Said<'_>| {
            if let Some(outbox) = &mut outbox {
                outbox.push(said.message(messages));
            }
        };
        if let Some(unread) = membership.unread_from {
            room.log.read(&mut unread.max(room.log.first()), who, usize::MAX, &mut self.messages, stays_due);
        }
        if room.members.is_empty() {
            let room = self.rooms.remove(membership.room);
            self.by_key.remove(&room.key);
            return;
        }
        let notice = videre::disconnect(membership.user_id.as_deref(), &room.key, departure);
        self.say(membership.room, Audience::All, &notice, wake);
    }
}
