//! EasyRTC's rooms of one session: who is in which, what each client was told of that, and whom a
//! message reaches.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use viderehab::room::PeerId;
use viderehab::room::easyrtc::{EasyRtc, Given, Limits, Output, Request};
use viderehab::wire::easyrtc::{ErrorCode, Event};

use super::Choices;
use super::client::{Client, State};

const APPLICATIONS: [&str; 2] = ["default", "other"];
const ROOMS: [&str; 4] = ["default", "a", "b", "__proto__"];

type Room = &'static str;

/// One session's EasyRTC clients, twice.
pub struct Session {
    core: EasyRtc,
    limits: Limits,
    clients: BTreeMap<PeerId, Client>,
    /// Rooms and their members; a room is never removed.
    applications: BTreeMap<&'static str, BTreeMap<Room, BTreeSet<PeerId>>>,
    entered: PeerId,
    now: u64,
    most_clients: usize,
}

/// What came of a request.
struct Outcome {
    /// None: it was not acknowledged.
    ack: Option<(Option<ErrorCode>, Value)>,
    ended: bool,
    /// Messages, each with its recipient.
    letters: Vec<(PeerId, Value)>,
}

impl Session {
    /// Nobody yet, under limits that are reached soon.
    pub fn new(choices: &mut impl Choices) -> Self {
        let limits = Limits { members: *choices.of(&[0, 2, 3, 100]), rooms: *choices.of(&[0, 2, 5, 10]) };
        let (core, clients, applications) = (EasyRtc::new(limits), BTreeMap::new(), BTreeMap::new());
        Self { core, limits, clients, applications, entered: 0, now: 0, most_clients: 2 + choices.below(6) }
    }

    /// Something happens, and is checked.
    ///
    /// # Panics
    /// The core did not do what it must.
    pub fn step(&mut self, choices: &mut impl Choices) {
        self.now += 1;
        let there = self.clients.keys().copied().nth(choices.below(self.clients.len().max(1)));
        match (choices.below(24), there) {
            (0..=2, _) if self.clients.len() < self.most_clients => self.enter(choices),
            (_, None) => self.enter(choices),
            (0..=4, Some(who)) => self.authenticate(who, choices),
            (5..=8, Some(who)) => self.join(who, choices),
            (9..=10, Some(who)) => self.leave(who, choices),
            (11, Some(who)) => self.change(who, choices),
            (12..=16, Some(who)) => self.letter(who, choices),
            (17..=20, Some(who)) => self.relay(who, choices),
            (21, Some(who)) => self.nonsense(who, choices),
            (22, Some(who)) => self.remove(who),
            (_, Some(who)) => self.unasked(who),
        }
        self.check();
    }

    /// Everybody goes.
    ///
    /// # Panics
    /// Something was left.
    pub fn finish(&mut self) {
        for who in self.clients.keys().copied().collect::<Vec<_>>() {
            let id = self.clients[&who].id.clone();
            self.remove(who);
            assert_eq!(self.core.peer_of(&id), None);
            self.check();
        }
        assert_eq!(self.core.peer_count(), 0, "everybody has left");
    }

    fn enter(&mut self, choices: &mut impl Choices) {
        self.entered += 1;
        self.core.enter(self.entered);
        let client =
            Client { state: State::Open, id: String::new(), application: APPLICATIONS[0], told: BTreeMap::new() };
        self.clients.insert(self.entered, client);
        self.authenticate(self.entered, choices);
    }

    fn authenticate(&mut self, who: PeerId, choices: &mut impl Choices) {
        let application = APPLICATIONS[choices.below(12) / 10];
        let rooms = some_rooms(choices);
        let asked = if rooms.is_empty() { vec!["default"] } else { rooms.clone() };
        let data = json!({"apiVersion": "1", "applicationName": application, "roomJoin": entries(&rooms)});
        // Ids that are in use are offered as well.
        let mut ids: Vec<_> = vec![format!("id{who}")];
        ids.extend(self.clients.values().filter(|client| client.state == State::In).map(|client| client.id.clone()));
        let outcome = self.ask(who, Event::Auth, json!({"msgType": "authenticate", "msgData": data}), ids);
        if self.clients[&who].state == State::Ended {
            return assert!(outcome.ack.is_none(), "{who} was ended");
        }
        let open = self.applications.get(application);
        let is_full = |room: &&Room| {
            let members = open.and_then(|open| open.get(*room)).map_or(0, BTreeSet::len);
            self.limits.members > 0 && members >= self.limits.members
        };
        let mut new: BTreeSet<Room> = asked.iter().copied().filter(|room| !self.is_open(application, room)).collect();
        if open.is_none() {
            new.insert("default");
        }
        let too_many = self.limits.rooms > 0 && !new.is_empty() && self.room_count() + new.len() > self.limits.rooms;
        let error = match (open, too_many) {
            _ if asked.iter().any(|room| is_full(&room)) => Some(ErrorCode::LoginGenFail),
            (None, true) => Some(ErrorCode::LoginAppAuthFail),
            (Some(_), true) => Some(ErrorCode::LoginBadRoom),
            (_, false) => None,
        };
        let (told_error, ack) = outcome.ack.expect("a request is acknowledged");
        assert_eq!((told_error, outcome.ended), (error, error.is_some()), "{who} authenticates");
        if error.is_some() {
            return self.end(who);
        }
        let client = self.clients.get_mut(&who).expect("it is there");
        if client.state == State::In && client.application != application {
            self.leave_all(who);
        }
        let rooms = self.applications.entry(application).or_default();
        for room in new.into_iter().chain(asked.iter().copied()) {
            rooms.entry(room).or_default();
        }
        for room in asked {
            rooms.entry(room).or_default().insert(who);
        }
        let client = self.clients.get_mut(&who).expect("it is there");
        if client.state == State::Open {
            client.id = format!("id{who}");
        }
        (client.state, client.application) = (State::In, application);
        assert_eq!(ack["msgData"]["easyrtcid"], *client.id, "an id is one client's");
        client.told = BTreeMap::new();
        client.is_told(&ack["msgData"]["roomData"]);
    }

    fn join(&mut self, who: PeerId, choices: &mut impl Choices) {
        let rooms = some_rooms(choices);
        let data = json!({"roomJoin": entries(&rooms)});
        let Some((error, ack)) = self.command(who, "roomJoin", data) else { return };
        if rooms.is_empty() {
            return assert_eq!(error, Some(ErrorCode::BadStructure));
        }
        let application = self.clients[&who].application;
        let mut all = true;
        for room in rooms {
            let may_make = self.limits.rooms == 0 || self.room_count() < self.limits.rooms;
            let open = self.applications.get_mut(application).expect("it is in it");
            match open.get_mut(room) {
                Some(members) if self.limits.members > 0 && members.len() >= self.limits.members => all = false,
                Some(members) => _ = members.insert(who),
                None if may_make => _ = open.insert(room, BTreeSet::from([who])),
                None => all = false,
            }
        }
        assert_eq!(error, (!all).then_some(ErrorCode::BadRoom));
        let actual = self.lists(who);
        let client = self.clients.get_mut(&who).expect("it is there");
        match error {
            None => client.is_told(&ack["msgData"]["roomData"]),
            // An error names no room, so of those that were joined it is told by nothing.
            Some(_) => client.told = actual,
        }
    }

    fn leave(&mut self, who: PeerId, choices: &mut impl Choices) {
        let rooms = some_rooms(choices);
        let Some((error, ack)) = self.command(who, "roomLeave", json!({"roomLeave": entries(&rooms)})) else { return };
        assert_eq!(error, None);
        let client = self.clients.get_mut(&who).expect("it is there");
        let open = self.applications.get_mut(client.application).expect("it is in it");
        for room in rooms {
            open.get_mut(room).map(|members| members.remove(&who));
        }
        client.is_told(&ack["msgData"]["roomData"]);
    }

    /// Of itself: its presence, or its field in a room.
    fn change(&mut self, who: PeerId, choices: &mut impl Choices) {
        let room = *choices.of(&ROOMS);
        if choices.one_in(2) {
            let data = json!({"setPresence": {"show": "xa", "status": "é\""}});
            let ack = self.command(who, "setPresence", data);
            return assert!(ack.is_none_or(|(error, _)| error.is_none()));
        }
        let data = json!({"setRoomApiField": {"roomName": room, "field": {"x": [1, "\u{2028}"]}}});
        let Some((error, _)) = self.command(who, "setRoomApiField", data) else { return };
        let is_in = self.applications[self.clients[&who].application].get(room).is_some_and(|all| all.contains(&who));
        assert_eq!(error, (!is_in).then_some(ErrorCode::BadRoom));
    }

    /// A message to a room: its other members get it, each once, from its true sender.
    fn letter(&mut self, who: PeerId, choices: &mut impl Choices) {
        let room = *choices.of(&ROOMS);
        // It says of itself what is not so.
        let message = json!({"msgType": "x", "msgData": self.now, "targetRoom": room, "senderEasyrtcid": "id1"});
        let outcome = self.ask(who, Event::Msg, message, Vec::new());
        let Some((error, _)) = self.answer(who, &outcome) else { return };
        let client = &self.clients[&who];
        let members = self.applications[client.application].get(room).filter(|members| members.contains(&who));
        assert_eq!(error, members.is_none().then_some(ErrorCode::TargetRoom));
        let others: BTreeSet<PeerId> = members.into_iter().flatten().copied().filter(|member| *member != who).collect();
        let reached: Vec<PeerId> = outcome.letters.iter().map(|(to, _)| *to).collect();
        assert_eq!((reached.len(), reached.into_iter().collect()), (others.len(), others), "each of the room, once");
        for (to, letter) in outcome.letters {
            let expected = json!({"easyrtcid": self.clients[&to].id, "senderEasyrtcid": client.id, "targetRoom": room,
                "msgType": "x", "msgData": self.now, "serverTime": self.now});
            assert_eq!(letter, expected);
        }
    }

    /// A step of a call, for one client of the same application.
    fn relay(&mut self, who: PeerId, choices: &mut impl Choices) {
        let target = 1 + choices.below(self.entered as usize) as PeerId;
        let data = json!({"sdp": self.now});
        let message = json!({"msgType": "offer", "msgData": data, "targetEasyrtcid": format!("id{target}")});
        let outcome = self.ask(who, Event::Cmd, message, Vec::new());
        let Some((error, _)) = self.answer(who, &outcome) else { return };
        let client = &self.clients[&who];
        let is_there = |other: &&Client| other.state == State::In && other.application == client.application;
        match self.clients.get(&target).filter(is_there) {
            None => assert_eq!((error, outcome.letters.len()), (Some(ErrorCode::TargetEasyrtcid), 0)),
            Some(other) => {
                let expected = json!({"easyrtcid": other.id, "senderEasyrtcid": client.id, "msgType": "offer",
                    "msgData": data, "serverTime": self.now});
                assert_eq!((error, outcome.letters), (None, vec![(target, expected)]));
            }
        }
    }

    fn nonsense(&mut self, who: PeerId, choices: &mut impl Choices) {
        let event = *choices.of(&[Event::Auth, Event::Cmd, Event::Msg]);
        let outcome = self.ask(who, event, json!({"msgType": ["offer"], "targetEasyrtcid": "id1"}), Vec::new());
        match (event, &self.clients[&who].state) {
            (Event::Auth, State::Open | State::In) => {
                assert_eq!(outcome.ack.map(|(error, _)| error), Some(Some(ErrorCode::LoginBadAuth)));
                self.end(who);
            }
            (_, State::In) => assert!(outcome.ack.is_some_and(|(error, _)| error == Some(ErrorCode::BadType))),
            _ => assert!(outcome.ack.is_none()),
        }
    }

    /// Without the wish for an acknowledgement nothing is done.
    fn unasked(&mut self, who: PeerId) {
        let argument = raw(&json!({"msgType": "x", "targetRoom": "default"}));
        let out = self.apply(who, Request { event: Event::Msg, argument: Some(&argument), ack: false }, Vec::new());
        assert!(out.is_empty());
    }

    fn remove(&mut self, who: PeerId) {
        let out = self.core.remove(who, self.now);
        self.outcome(who, out);
        self.leave_all(who);
        self.clients.remove(&who);
    }

    fn end(&mut self, who: PeerId) {
        self.leave_all(who);
        self.clients.get_mut(&who).expect("it is ended").state = State::Ended;
    }

    fn leave_all(&mut self, who: PeerId) {
        for members in self.applications.values_mut().flat_map(BTreeMap::values_mut) {
            members.remove(&who);
        }
        self.clients.get_mut(&who).expect("it leaves").told.clear();
    }

    fn command(&mut self, who: PeerId, kind: &str, data: Value) -> Option<(Option<ErrorCode>, Value)> {
        let outcome = self.ask(who, Event::Cmd, json!({"msgType": kind, "msgData": data}), Vec::new());
        assert!(outcome.letters.is_empty());
        self.answer(who, &outcome)
    }

    /// The acknowledgement: there is one if and only if the client is in.
    fn answer(&self, who: PeerId, outcome: &Outcome) -> Option<(Option<ErrorCode>, Value)> {
        let is_in = self.clients[&who].state == State::In;
        assert_eq!(outcome.ack.is_some(), is_in, "{who} is answered");
        assert!(is_in || outcome.letters.is_empty());
        outcome.ack.clone()
    }

    fn ask(&mut self, who: PeerId, event: Event, message: Value, ids: Vec<String>) -> Outcome {
        let argument = raw(&message);
        let out = self.apply(who, Request { event, argument: Some(&argument), ack: true }, ids);
        self.outcome(who, out)
    }

    fn apply(&mut self, who: PeerId, request: Request, mut ids: Vec<String>) -> Vec<Output> {
        let mut given = Given {
            now: self.now,
            new_id: &mut || ids.pop().expect("one of the ids is free"),
            ice_servers: &mut || "[]".to_owned(),
        };
        self.core.apply(who, request, &mut given)
    }

    /// Hands out what the core put out.
    fn outcome(&mut self, who: PeerId, out: Vec<Output>) -> Outcome {
        let mut outcome = Outcome { ack: None, ended: false, letters: Vec::new() };
        for output in out {
            assert!(!outcome.ended || matches!(output, Output::Emit(_)), "an end is the last");
            match output {
                Output::Ack(ack) => {
                    let value = serde_json::from_str(ack.text.as_str()).expect("JSON");
                    assert!(outcome.ack.replace((ack.error, value)).is_none(), "{who} is acknowledged twice");
                }
                Output::End => outcome.ended = true,
                Output::Emit(emit) => {
                    let mut argument = String::new();
                    emit.write_argument(&mut argument);
                    let argument: Value = serde_json::from_str(&argument).expect("JSON");
                    let to = self.clients.get_mut(&emit.to).expect("nothing goes to those who left");
                    assert!(
                        to.state == State::In && argument["easyrtcid"] == *to.id,
                        "for another, or one who is not in"
                    );
                    match argument["msgType"].as_str() {
                        Some("roomData") => to.is_told(&argument["msgData"]["roomData"]),
                        _ => outcome.letters.push((emit.to, argument)),
                    }
                }
            }
        }
        outcome
    }

    fn is_open(&self, application: &str, room: &str) -> bool {
        self.applications.get(application).is_some_and(|open| open.contains_key(room))
    }

    fn room_count(&self) -> usize {
        self.applications.values().map(BTreeMap::len).sum()
    }

    /// The rooms a client is in, with all who are in them.
    fn lists(&self, who: PeerId) -> BTreeMap<String, BTreeSet<String>> {
        let open = self.applications.get(self.clients[&who].application).into_iter().flatten();
        let mine = open.filter(|(_, members)| members.contains(&who));
        let ids = |members: &BTreeSet<PeerId>| members.iter().map(|member| self.clients[member].id.clone()).collect();
        mine.map(|(room, members)| ((*room).to_owned(), ids(members))).collect()
    }

    fn check(&self) {
        assert_eq!(self.core.peer_count(), self.clients.len());
        assert!(self.limits.rooms == 0 || self.room_count() <= self.limits.rooms);
        for (who, client) in self.clients.iter().filter(|(_, client)| client.state == State::In) {
            assert_eq!(self.core.peer_of(&client.id), Some(*who));
            assert_eq!(client.told, self.lists(*who), "{who} was told wrongly who is in its rooms");
        }
    }
}

fn raw(message: &Value) -> Box<RawValue> {
    RawValue::from_string(message.to_string()).expect("JSON")
}

/// None to two of the rooms.
fn some_rooms(choices: &mut impl Choices) -> Vec<Room> {
    let mut rooms: Vec<Room> = (0..choices.below(3)).map(|_| *choices.of(&ROOMS)).collect();
    rooms.dedup();
    rooms
}

fn entries(rooms: &[Room]) -> Value {
    rooms.iter().map(|room| ((*room).to_owned(), json!({"roomName": room}))).collect::<serde_json::Map<_, _>>().into()
}
