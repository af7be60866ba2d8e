//! What clients know of their rooms, after any history.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::*;
use super::bench::{Bench, Heard};
use crate::room::PeerId;
use crate::wire::easyrtc::Event;

const PEERS: PeerId = 5;
const ROOMS: [&str; 4] = ["default", "red", "__proto__", "7"];
const SHOWS: [&str; 5] = ["away", "chat", "dnd", "xa", "none"];
const APPLICATIONS: [&str; 2] = ["OpenTera", "constructor"];

/// A client's room lists, kept as the client library keeps them.
#[derive(Default)]
struct Lists(BTreeMap<String, BTreeMap<String, Value>>);

impl Lists {
    fn read(&mut self, message: &Value) {
        if message["msgType"] == "token" {
            self.0.clear();
        }
        for (name, room) in message["msgData"]["roomData"].as_object().into_iter().flatten() {
            match room["roomStatus"].as_str().unwrap() {
                "join" => {
                    let members = room["clientList"].as_object().unwrap().clone();
                    self.0.insert(name.clone(), members.into_iter().collect());
                }
                "leave" => drop(self.0.remove(name)),
                "update" => {
                    let room_list = self.0.get_mut(name).expect("it is told of rooms it is in");
                    let delta = &room["clientListDelta"];
                    for (id, client) in delta["updateClient"].as_object().into_iter().flatten() {
                        room_list.insert(id.clone(), client.clone());
                    }
                    for id in delta["removeClient"].as_object().into_iter().flatten().map(|(id, _)| id) {
                        assert!(room_list.remove(id).is_some(), "who is removed was there");
                    }
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Act {
    Enter,
    Auth { application: usize, rooms: Vec<usize>, username: Option<u8> },
    Join(Vec<usize>),
    Leave(Vec<usize>),
    Presence(usize),
    Field { room: usize, value: u8 },
    Say { room: usize, to: Option<PeerId> },
    Relay(PeerId),
    Mangled(String),
    Remove,
}

fn act() -> impl Strategy<Value = Act> {
    let rooms = || prop::collection::vec(0..ROOMS.len(), 0..3);
    let peer = 1..=PEERS;
    prop_oneof![
        1 => Just(Act::Enter),
        4 => (0..APPLICATIONS.len(), rooms(), any::<Option<u8>>())
            .prop_map(|(application, rooms, username)| Act::Auth { application, rooms, username }),
        3 => rooms().prop_map(Act::Join),
        3 => rooms().prop_map(Act::Leave),
        2 => (0..5_usize).prop_map(Act::Presence),
        2 => (0..ROOMS.len(), any::<u8>()).prop_map(|(room, value)| Act::Field { room, value }),
        3 => (0..ROOMS.len(), prop::option::of(peer.clone())).prop_map(|(room, to)| Act::Say { room, to }),
        2 => peer.prop_map(Act::Relay),
        1 => "[\\[\\{\"a-z:,\\}\\]0-9]{0,12}".prop_map(Act::Mangled),
        2 => Just(Act::Remove),
    ]
}

fn named(rooms: &[usize]) -> Value {
    let entries = rooms.iter().map(|room| (ROOMS[*room].to_owned(), json!({"roomName": ROOMS[*room]})));
    entries.collect::<Map<_, _>>().into()
}

impl Act {
    fn message(&self) -> Option<(Event, Value)> {
        let cmd = |name: &str, data: Value| Some((Event::Cmd, json!({"msgType": name, "msgData": {name: data}})));
        match self {
            Self::Auth { application, rooms, username } => {
                let mut data = json!({"apiVersion": "1", "applicationName": APPLICATIONS[*application]});
                data["roomJoin"] = named(rooms);
                if let Some(username) = username {
                    data["username"] = json!(format!("u\"{username}"));
                }
                Some((Event::Auth, json!({"msgType": "authenticate", "msgData": data})))
            }
            Self::Join(rooms) => cmd("roomJoin", named(rooms)),
            Self::Leave(rooms) => cmd("roomLeave", named(rooms)),
            Self::Presence(show) => cmd("setPresence", json!({"show": SHOWS[*show], "type": show})),
            Self::Field { room, value } => {
                cmd("setRoomApiField", json!({"roomName": ROOMS[*room], "field": {"v": value}}))
            }
            Self::Say { room, to } => {
                let mut letter = json!({"msgType": "x", "targetRoom": ROOMS[*room]});
                if let Some(to) = to {
                    letter["targetEasyrtcid"] = json!(format!("id{to}"));
                }
                Some((Event::Msg, letter))
            }
            Self::Relay(to) => Some((Event::Cmd, json!({"msgType": "hangup", "targetEasyrtcid": format!("id{to}")}))),
            Self::Enter | Self::Mangled(_) | Self::Remove => None,
        }
    }
}

/// Who is where, as the core says.
fn truth(bench: &Bench) -> HashMap<PeerId, (String, HashSet<String>)> {
    let of = |who| {
        let view = bench.easyrtc.view(who)?;
        assert_eq!(bench.easyrtc.peer_of(view.easyrtcid), Some(who));
        let rooms = view.rooms.iter().map(|room| room.to_string()).collect();
        Some((who, (view.application.to_string(), rooms)))
    };
    (1..=PEERS).filter_map(of).collect()
}

fn check_lists(bench: &Bench, known: &HashMap<PeerId, Lists>) {
    let truth = truth(bench);
    let mut seen: HashMap<(String, String, String), Value> = HashMap::new();
    for (who, (application, rooms)) in &truth {
        let lists = &known[who].0;
        assert_eq!(lists.keys().cloned().collect::<HashSet<_>>(), *rooms);
        for (room, members) in lists {
            let there = truth.iter().filter(|(_, (of, rooms))| of == application && rooms.contains(room));
            let there: HashSet<String> = there.map(|(other, _)| format!("id{other}")).collect();
            assert_eq!(members.keys().cloned().collect::<HashSet<_>>(), there);
            for (id, client) in members {
                // All know the same of a client, but for its field, of which a removal is not told.
                let mut client = client.clone();
                client.as_object_mut().unwrap().remove("apiField");
                let place = (application.clone(), room.clone(), id.clone());
                assert_eq!(seen.entry(place).or_insert_with(|| client.clone()), &client);
            }
        }
    }
}

fn check_recipients(who: PeerId, act: &Act, heard: &Heard, before: &HashMap<PeerId, (String, HashSet<String>)>) {
    let of = |peer: &PeerId| before.get(peer);
    for (to, event, argument) in heard.emits() {
        let (application, _) = of(&to).expect("only who is authenticated is told anything");
        if event == "easyrtcMsg" || argument["msgType"] != "roomData" {
            assert_eq!(argument["senderEasyrtcid"], format!("id{who}"));
            assert_eq!(of(&who).map(|(of, _)| of), Some(application));
        } else {
            assert_ne!(to, who, "an update is never sent to the one it is about");
        }
    }
    if let Act::Say { room, to } = act {
        let room = ROOMS[*room];
        let is_in = |peer: &PeerId| of(peer).is_some_and(|(_, rooms)| rooms.contains(room));
        let same = |peer: &PeerId| of(peer).map(|(of, _)| of) == of(&who).map(|(of, _)| of);
        let mut due: Vec<PeerId> = (1..=PEERS).filter(|peer| *peer != who && is_in(peer) && same(peer)).collect();
        due.retain(|peer| is_in(&who) && to.is_none_or(|to| to == *peer));
        let mut got = heard.recipients();
        got.sort_unstable();
        assert_eq!(got, due);
    }
}

proptest! {
    /// Also `isolation`, `own_identity_only`, `at_most_one_ack` and `nothing_after_the_end`, after
    /// any history.
    #[test]
    fn lists_agree(acts in prop::collection::vec((1..=PEERS, act()), 1..60), members in 0..4_usize, rooms in 0..6_usize) {
        let mut bench = Bench::with(Limits { members, rooms }, PEERS);
        let mut known: HashMap<PeerId, Lists> = HashMap::new();
        let mut ended: HashSet<PeerId> = HashSet::new();
        for (who, act) in acts {
            let before = truth(&bench);
            let heard = match (&act, act.message()) {
                (_, Some((event, message))) => bench.send(who, event, message),
                (Act::Enter, _) => { bench.easyrtc.enter(who); continue }
                (Act::Mangled(text), _) => match RawValue::from_string(text.clone()) {
                    Ok(raw) => bench.raw(who, Event::Cmd, &raw),
                    Err(_) => continue,
                },
                _ => { ended.remove(&who); bench.remove(who) }
            };
            prop_assert!(heard.acks() <= 1);
            prop_assert!(!ended.contains(&who) || heard.is_nothing());
            check_recipients(who, &act, &heard, &before);
            if heard.ended() {
                ended.insert(who);
            }
            for (to, _, argument) in heard.emits() {
                known.entry(to).or_default().read(&argument);
            }
            if heard.acks() == 1 {
                known.entry(who).or_default().read(&heard.ack());
            }
            // A command may fail and yet join some of its rooms (8.2); what it did the client is not
            // told, and learns by asking again.
            if matches!(act, Act::Join(_)) && heard.error().is_some() && before.contains_key(&who) {
                let mine: Vec<String> = bench.easyrtc.view(who).unwrap().rooms.iter().map(|room| room.to_string()).collect();
                let (_, had) = &before[&who];
                for room in mine.iter().filter(|room| !had.contains(*room)) {
                    let leave = json!({"msgType": "roomLeave", "msgData": {"roomLeave": {room: {"roomName": room}}}});
                    for (to, _, argument) in bench.cmd(who, leave).emits() {
                        known.entry(to).or_default().read(&argument);
                    }
                }
            }
            check_lists(&bench, &known);
        }
        // When all have gone, nothing of them is left but their rooms.
        (1..=PEERS).for_each(|who| drop(bench.remove(who)));
        prop_assert_eq!(bench.easyrtc.peer_count(), 0);
        let left = (1..=PEERS).any(|who| bench.easyrtc.peer_of(&format!("id{who}")).is_some());
        prop_assert!(!left);
    }
}
