//! The rooms of one session: steps, and what must come of them.

use std::collections::BTreeMap;

use viderehab::room::{Admission, DisconnectReason, Limits, PeerId, Rooms, Verdict};
use viderehab::wire::videre::{self, PacketError};
use viderehab::wire::{Batch, Form, Text};

use super::Choices;
use super::packets::{GARBAGE, KEY, MAIN, Packet, ROOMS, SHAPES, USERS, is_key};
use super::peer::{Peer, Place, Seat};
use super::rules::Audience;

/// What a connection takes at one go, as the core has it.
const BATCH_BYTES: usize = 64 * 1024;

const NOT_CONNECTED: &str = "connect first: this connection is in no room";
const FOREIGN_USER: &str = "Header.UserId is not the one this connection gave in its connect";
const FOREIGN_ROOM: &str = "Header.RoomId is not the room this connection is in";

/// One session's rooms, twice.
pub struct Session {
    pub(super) core: Rooms<PeerId>,
    pub(super) limits: Limits,
    pub(super) peers: BTreeMap<PeerId, Peer>,
    /// Which of [`ROOMS`] are open, with their members in join order.
    pub(super) rooms: Vec<(usize, Vec<PeerId>)>,
    /// Who was woken by the last call of the core.
    pub(super) woken: Vec<PeerId>,
    /// Whether it is being looked at already who is to be ended.
    pub(super) is_settling: bool,
    /// What several were handed, and from which text on, as a connection keeps it.
    common: (Option<Text>, Vec<String>),
    /// Peers and packets so far.
    entered: PeerId,
    said: u64,
    /// How many there may be at one time, and of how many of [`ROOMS`] they choose: one is a crowd.
    most_peers: usize,
    most_rooms: usize,
}

/// What one is handed: of its own, or in common with others.
struct Taken<'a> {
    own: Vec<String>,
    common: &'a mut (Option<Text>, Vec<String>),
    is_common: bool,
}

impl Taken<'_> {
    fn texts(&self) -> &[String] {
        if self.is_common { &self.common.1 } else { &self.own }
    }
}

impl Batch for Taken<'_> {
    fn add(&mut self, text: &str) {
        let texts = if self.is_common { &mut self.common.1 } else { &mut self.own };
        texts.push(text.into());
    }

    fn begin_common(&mut self, first: &Text) -> usize {
        self.is_common = self.own.is_empty();
        if !self.is_common {
            return 0;
        }
        if !self.common.0.as_ref().is_some_and(|text| text.is(first)) {
            *self.common = (Some(first.clone()), Vec::new());
        }
        self.common.1.len()
    }
}

impl Session {
    /// Nobody yet, under limits that are reached soon.
    pub fn new(choices: &mut impl Choices) -> Self {
        let limits = Limits {
            rooms: *choices.of(&[0, 1, 2, 4]),
            log_bytes: *choices.of(&[300, 3_000, 30_000, 1 << 20]),
            session_bytes: *choices.of(&[0, 600, 6_000, 60_000]),
        };
        let core = Rooms::new(KEY.to_owned(), limits);
        let (peers, rooms, woken) = (BTreeMap::new(), Vec::new(), Vec::new());
        let (most_peers, most_rooms) = (2 + choices.below(7), *choices.of(&[1, ROOMS.len(), ROOMS.len()]));
        Self {
            core,
            limits,
            peers,
            rooms,
            woken,
            is_settling: false,
            common: (None, Vec::new()),
            entered: 0,
            said: 0,
            most_peers,
            most_rooms,
        }
    }

    /// Something happens, and is checked.
    ///
    /// # Panics
    /// The core did not do what it must.
    pub fn step(&mut self, choices: &mut impl Choices) {
        let there = self.peers.keys().copied().nth(choices.below(self.peers.len().max(1)));
        match (choices.below(40), there) {
            (_, None) => self.enter(choices),
            (0..=1, _) if self.peers.len() < self.most_peers => self.enter(choices),
            (2..=6, Some(who)) => self.connect(who, choices),
            (7..=17, Some(who)) => self.speak(who, choices),
            (18..=25, Some(who)) => self.take(who),
            (26, Some(_)) => self.end_turn(),
            (27..=28, Some(who)) => self.arrive(who, choices.below(9) as u64),
            (29, Some(who)) => self.acknowledge(who, choices),
            (30, Some(who)) => self.lose(who),
            (31..=33, Some(who)) => self.resume(who),
            (34, Some(who)) => self.garbage(who, choices),
            (35, Some(who)) => self.forge(who, choices),
            (36, Some(who)) if choices.one_in(4) => self.put_out(who, choices),
            (37, Some(who)) if choices.one_in(2) => self.exit(who),
            (38, _) if choices.one_in(50) => self.restart(),
            (39, _) if choices.one_in(50) => self.stop(),
            (_, Some(who)) => self.take(who),
        }
        self.check();
    }

    /// Everybody reads all, then goes: nothing may be left.
    ///
    /// # Panics
    /// As [`Session::step`].
    pub fn finish(&mut self) {
        for who in self.all() {
            if self.peers[&who].seat.as_ref().is_some_and(|seat| seat.lost) {
                self.resume(who);
            }
            while self.peers.get(&who).is_some_and(Peer::has_due) {
                self.take(who);
            }
            self.arrive(who, u64::MAX);
            self.check();
        }
        self.all().into_iter().for_each(|who| self.exit(who));
        self.check();
        assert_eq!(
            (self.core.peers().count(), self.core.kept_bytes() + self.core.held_bytes()),
            (0, 0),
            "everybody has left"
        );
    }

    pub(super) fn all(&self) -> Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    fn enter(&mut self, choices: &mut impl Choices) {
        self.entered += 1;
        let who = self.entered;
        let keyless = choices.one_in(6);
        let mut peer = Peer { admitted: !keyless, ..Peer::default() };
        self.core.enter(who, if keyless { Admission::Keyless } else { Admission::Keyed }, who);
        if !keyless && choices.one_in(3) {
            let answer = videre::seated("token", None);
            peer.seat = Some(Seat { answer: Some(answer.as_str().into()), ..Seat::default() });
            self.core.keep_seat(who, answer, &mut |who| self.woken.push(*who));
        }
        self.peers.insert(who, peer);
    }

    fn packet(&mut self, event: &'static str, user: usize, room: usize, choices: &mut impl Choices) -> Packet {
        self.said += 1;
        let filling = match choices.below(24) {
            0..=15 => 0,
            16..=19 => 60,
            20..=22 => 1_000,
            _ => *choices.of(&[9_000, 40_000, 60_000]),
        };
        let payload = match choices.below(9) {
            0 => None,
            _ => Some(format!(r#"{{"n":{},"x":"{:filling$}"}}"#, self.said, "")),
        };
        let (user, room) = (*choices.of(USERS[user]), *choices.of(ROOMS[room].1));
        Packet { event, user, room, payload, shape: choices.below(SHAPES) }
    }

    /// Gives a message to the core.
    pub(super) fn apply(&mut self, who: PeerId, message: &str, verdict: Verdict) {
        let given = self.core.apply(who, message, &mut |who| self.woken.push(*who));
        assert_eq!(given, verdict, "from {who}: {message}");
    }

    /// What every message does before it is looked at. Whether that is all.
    pub(super) fn came(&mut self, who: PeerId, message: &str, counts: bool) -> bool {
        let peer = self.peers.get_mut(&who).expect("a peer that is there");
        if peer.ended.is_some() {
            self.apply(who, message, Verdict::Refused);
            return false;
        }
        if let Some(seat) = &mut peer.seat {
            if seat.lost {
                return false;
            }
            seat.received += u64::from(counts);
        }
        true
    }

    pub(super) fn refused(&mut self, who: PeerId, message: &str, reason: &str) {
        if !self.peers[&who].admitted {
            self.apply(who, message, Verdict::NotAdmitted);
            return self.end(who, DisconnectReason::NotAdmitted);
        }
        self.answered(who, message, reason);
    }

    /// An error packet comes back, and nothing else happens.
    fn answered(&mut self, who: PeerId, message: &str, reason: &str) {
        self.apply(who, message, Verdict::Refused);
        let text = match &self.peers[&who].place {
            Some(place) => videre::error(place.user_id, Some(ROOMS[place.room].0), reason),
            None => videre::error(None, None, reason),
        };
        self.tell(who, text.as_str().into());
    }

    fn connect(&mut self, who: PeerId, choices: &mut impl Choices) {
        let (user, room) =
            (choices.below(USERS.len()), choices.below(self.most_rooms).saturating_sub(choices.below(3)));
        let mut packet = self.packet("connect", user, room, choices);
        if !self.peers[&who].admitted && !choices.one_in(4) {
            (packet.room, packet.event) = (ROOMS[MAIN].1[1], "connect");
        }
        let room = if is_key(packet.room) { MAIN } else { room };
        let message = packet.text();
        if !self.came(who, &message, true) {
            return;
        }
        let peer = &self.peers[&who];
        if !peer.admitted && !is_key(packet.room) {
            return self.refused(who, &message, "");
        }
        let moves_out = peer.place.as_ref().is_some_and(|from| self.members(from.room).len() == 1);
        let open = self.rooms.len() - usize::from(moves_out);
        let is_new = self.members(room).is_empty();
        if self.limits.rooms > 0 && is_new && open >= self.limits.rooms {
            let reason = format!("the session has {} rooms, its limit", self.limits.rooms);
            return self.answered(who, &message, &reason);
        }
        self.apply(who, &message, Verdict::Applied);
        self.step_out(who);
        let peer = self.peers.get_mut(&who).expect("it connects");
        peer.admitted = true;
        if peer.ended.is_some() {
            return;
        }
        let initiator = !self
            .members(room)
            .iter()
            .any(|member| self.peers[member].place.as_ref().is_some_and(|place| place.initiator));
        match self.rooms.iter_mut().find(|(open, _)| *open == room) {
            Some((_, members)) => members.push(who),
            None => self.rooms.push((room, vec![who])),
        }
        let place = Place {
            room,
            room_id: packet.room,
            user,
            user_id: packet.user,
            initiator,
            unread: Default::default(),
            unread_bytes: 0,
        };
        self.peers.get_mut(&who).expect("it connects").place = Some(place);
        let answer = packet.passed_on(is_key(packet.room), Some(if initiator { r#""true""# } else { r#""false""# }));
        self.say(room, Audience::All, answer.into());
    }

    /// A broadcast, a ping or a disconnect, of one that is in a room or not.
    fn speak(&mut self, who: PeerId, choices: &mut impl Choices) {
        let event = *choices.of(&["broadcast", "broadcast", "broadcast", "broadcast", "ping", "ping", "disconnect"]);
        let place = self.peers[&who].place.as_ref().map(|place| (place.user, place.room));
        let (user, room) = place.unwrap_or_else(|| (choices.below(USERS.len()), choices.below(ROOMS.len())));
        let packet = self.packet(event, user, room, choices);
        let message = packet.text();
        if !self.came(who, &message, true) {
            return;
        }
        if place.is_none() {
            return self.refused(who, &message, NOT_CONNECTED);
        }
        self.apply(who, &message, Verdict::Applied);
        let hides_room = room == MAIN;
        match event {
            "broadcast" => self.say(room, Audience::AllBut(who), packet.passed_on(hides_room, None).into()),
            "ping" => {
                let members = self.members(room).iter();
                let ids = members.map(|member| self.peers[member].place.as_ref().and_then(|place| place.user_id));
                let list = ids.map(|id| id.unwrap_or("null")).collect::<Vec<_>>().join(",");
                let list = serde_json::to_string(&format!("[{list}]")).expect("a text is JSON");
                self.tell(who, packet.passed_on(hides_room, Some(&list)).into());
            }
            _ => self.step_out(who),
        }
    }

    /// Under another's name, or to a room it is not in.
    fn forge(&mut self, who: PeerId, choices: &mut impl Choices) {
        let (user, room) = (choices.below(USERS.len()), choices.below(ROOMS.len()));
        let reason = match &self.peers[&who].place {
            None => NOT_CONNECTED,
            Some(place) if place.user != user => FOREIGN_USER,
            Some(place) if place.room != room => FOREIGN_ROOM,
            Some(_) => return,
        };
        let event = *choices.of(&["broadcast", "ping", "disconnect"]);
        let message = self.packet(event, user, room, choices).text();
        if self.came(who, &message, true) {
            self.refused(who, &message, reason);
        }
    }

    fn garbage(&mut self, who: PeerId, choices: &mut impl Choices) {
        let message = *choices.of(&GARBAGE);
        let error: PacketError = videre::Packet::parse(message).err().expect("it is no packet");
        if self.came(who, message, true) {
            self.refused(who, message, &error.to_string());
        }
    }

    /// All take what is due, one after the other.
    fn end_turn(&mut self) {
        self.all().into_iter().for_each(|who| self.take(who));
    }

    /// Its connection takes what is due, at most a batch.
    fn take(&mut self, who: PeerId) {
        let peer = self.peers.get_mut(&who).expect("it takes");
        if peer.ended.is_none() && !peer.is_there() {
            return;
        }
        let mut batch = Taken { own: Vec::new(), common: &mut self.common, is_common: false };
        let is_more = self.core.take(who, Form::Plain, &mut batch, &mut |_| {});
        let texts = batch.texts();
        assert!(peer.ended.is_none() || texts.is_empty(), "{who} was ended and is handed something");
        let mut bytes = 0;
        for text in texts {
            let (due, counts) = peer.take(self.limits.log_bytes);
            assert_eq!(due.as_deref(), Some(text.as_str()), "{who} is handed something else than is due");
            bytes += if counts { text.len() } else { 0 };
        }
        assert!(is_more || !peer.has_due(), "{who} is not told that there is more");
        if bytes < BATCH_BYTES {
            assert!(!peer.has_due(), "{who} is not handed all that is due");
            peer.woken = peer.ended.is_some();
            if let Some(place) = &mut peer.place {
                assert!(place.next_due().is_none());
            }
        }
    }

    fn put_out(&mut self, who: PeerId, choices: &mut impl Choices) {
        use DisconnectReason::{Removed, Replaced, Restart};
        let reason = *choices.of(&[Removed, Removed, Replaced, Restart]);
        self.core.end(who, reason, &mut |who| self.woken.push(*who));
        self.end(who, reason);
    }

    pub(super) fn exit(&mut self, who: PeerId) {
        assert_eq!(self.core.exit(who, &mut |who| self.woken.push(*who)), Some(who));
        self.end(who, DisconnectReason::Gone);
        self.peers.remove(&who);
    }

    /// The session is stopped, and its connections end one by one.
    fn stop(&mut self) {
        for who in self.all() {
            self.core.end(who, DisconnectReason::Stopped, &mut |who| self.woken.push(*who));
            self.end(who, DisconnectReason::Stopped);
        }
        self.check();
        self.all().into_iter().for_each(|who| self.exit(who));
        assert_eq!(
            (self.core.peers().count(), self.core.kept_bytes() + self.core.held_bytes()),
            (0, 0),
            "a stopped session keeps nothing"
        );
    }
}
