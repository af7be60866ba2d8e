//! The rules, without a server.

mod bounds;
mod common;
mod seats;
mod turns;

use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::{Form, Text};

const KEY: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";

/// Rooms with the names of peers attached, and a record of who was woken.
struct Bench {
    rooms: Rooms<PeerId>,
    woken: RefCell<Vec<PeerId>>,
}

impl Bench {
    fn new(peers: PeerId) -> Self {
        Self::with(peers, Limits { rooms: 100, log_bytes: 1 << 20, session_bytes: 0 })
    }

    fn with(peers: PeerId, limits: Limits) -> Self {
        let mut rooms = Rooms::new(KEY.to_owned(), limits);
        (1..=peers).for_each(|who| rooms.enter(who, Admission::Keyed, who));
        Self { rooms, woken: RefCell::default() }
    }

    fn send(&mut self, who: PeerId, event: &str, user: &str, room: &str, payload: Value) -> Verdict {
        let packet = json!({"Header": {"Event": event, "UserId": user, "RoomId": room}, "Payload": payload});
        self.raw(who, &packet.to_string())
    }

    fn raw(&mut self, who: PeerId, message: &str) -> Verdict {
        let woken = &self.woken;
        self.rooms.apply(who, message, &mut |who| woken.borrow_mut().push(*who))
    }

    fn join(&mut self, who: PeerId, room: &str) {
        assert_eq!(self.send(who, "connect", &format!("U{who}"), room, json!("{}")), Verdict::Applied);
    }

    fn taken(&mut self, who: PeerId) -> Vec<Value> {
        let mut packets = Vec::new();
        let mut add = |text: &str| packets.push(serde_json::from_str(text).unwrap());
        while self.rooms.take(who, Form::Plain, &mut add, &mut |_| {}) {}
        packets
    }

    /// What a peer was handed, each packet as `event user payload`.
    fn heard(&mut self, who: PeerId) -> Vec<String> {
        let word = |packet: &Value| {
            let header = &packet["Header"];
            format!(
                "{} {} {}",
                header["Event"].as_str().unwrap(),
                header["UserId"].as_str().unwrap_or("-"),
                packet["Payload"].as_str().unwrap_or("?")
            )
        };
        self.taken(who).iter().map(word).collect()
    }
}

#[test]
fn a_call_from_beginning_to_end() {
    let mut bench = Bench::new(2);
    bench.join(1, "main");
    bench.join(2, "main");
    bench.send(1, "broadcast", "U1", "main", json!("offer"));
    bench.send(2, "ping", "U2", "main", json!("{}"));
    bench.rooms.exit(1, &mut |_| {});
    assert_eq!(bench.heard(2), ["connect U2 false", "broadcast U1 offer", "ping U2 [\"U1\",\"U2\"]", "disconnect U1 "]);
}

#[test]
fn one_order() {
    let mut bench = Bench::new(3);
    (1..=3).for_each(|who| bench.join(who, "main"));
    (1..=3).for_each(|who| drop(bench.taken(who)));
    bench.send(1, "broadcast", "U1", "main", json!("a"));
    bench.send(2, "broadcast", "U2", "main", json!("b"));
    bench.send(3, "ping", "U3", "main", json!("{}"));
    bench.send(1, "broadcast", "U1", "main", json!("c"));
    assert_eq!(
        bench.heard(3),
        ["broadcast U1 a", "broadcast U2 b", "ping U3 [\"U1\",\"U2\",\"U3\"]", "broadcast U1 c"]
    );
    assert_eq!(bench.heard(1), ["broadcast U2 b"]);
}

#[test]
fn isolation() {
    let mut bench = Bench::new(3);
    bench.join(1, "a");
    bench.join(2, "a");
    bench.join(3, "b");
    (1..=3).for_each(|who| drop(bench.taken(who)));
    bench.woken.borrow_mut().clear();
    bench.send(1, "broadcast", "U1", "a", json!("x"));
    assert_eq!(*bench.woken.borrow(), [2]);
    assert_eq!(bench.heard(2), ["broadcast U1 x"]);
    assert!(bench.heard(1).is_empty() && bench.heard(3).is_empty());
}

#[test]
fn own_identity_only() {
    let mut bench = Bench::new(2);
    bench.join(1, "main");
    bench.join(2, "main");
    drop(bench.taken(2));
    assert_eq!(bench.send(1, "broadcast", "U2", "main", json!("x")), Verdict::Refused);
    assert_eq!(bench.send(1, "broadcast", "U1", "other", json!("x")), Verdict::Refused);
    assert_eq!(bench.send(1, "ping", "U9", "main", json!("x")), Verdict::Refused);
    assert_eq!(bench.raw(1, r#"{"Header":{"Event":"broadcast","RoomId":"main"}}"#), Verdict::Refused);
    assert!(bench.taken(2).is_empty());
    let errors = bench.taken(1);
    assert_eq!(errors.iter().filter(|packet| packet["Header"]["Event"] == "error").count(), 4);
    // The same id spelled otherwise is the same id.
    assert_eq!(
        bench.raw(1, r#"{"Header":{"Event":"broadcast","UserId":"\u00551","RoomId":"main"}}"#),
        Verdict::Applied
    );
}

#[test]
fn nobody_speaks_before_connecting() {
    let mut bench = Bench::new(2);
    bench.join(2, "main");
    for message in [
        "null",
        "{}",
        "[]",
        "{",
        r#"{"Header":{"Event":"ping","RoomId":"main"}}"#,
        r#"{"Header":{"Event":"broadcast","RoomId":"__proto__"}}"#,
    ] {
        assert_eq!(bench.raw(1, message), Verdict::Refused, "{message}");
    }
    assert_eq!(bench.taken(1).len(), 6);
    assert_eq!(bench.taken(2).len(), 1);
}

#[test]
fn someone_always_initiates() {
    let mut bench = Bench::new(3);
    bench.join(1, "main");
    bench.join(2, "main");
    bench.rooms.exit(1, &mut |_| {});
    bench.join(3, "main");
    assert_eq!(bench.heard(3), ["connect U3 true"]);
    // Recording 10 with the decided change: the initiator connects again while another is there.
    bench.join(3, "main");
    assert_eq!(bench.heard(3), ["connect U3 true"]);
    assert_eq!(bench.heard(2).last().unwrap(), "connect U3 true");
}

#[test]
fn moving_to_another_room_is_announced_to_the_first_one_first() {
    let mut bench = Bench::new(2);
    bench.join(1, "a");
    bench.join(2, "a");
    bench.join(1, "b");
    assert_eq!(bench.heard(1), ["connect U1 true", "connect U2 false", "connect U1 true"]);
    assert_eq!(bench.heard(2), ["connect U2 false", "disconnect U1 "]);
}

#[test]
fn an_explicit_disconnect_leaves_and_stays_connected() {
    let mut bench = Bench::new(2);
    bench.join(1, "a");
    bench.join(2, "a");
    drop(bench.taken(1));
    assert_eq!(bench.send(1, "disconnect", "U1", "a", json!("")), Verdict::Applied);
    assert!(bench.taken(1).is_empty());
    assert_eq!(bench.heard(2), ["connect U2 false", "disconnect U1 "]);
    bench.join(1, "a");
    assert_eq!(bench.heard(1), ["connect U1 true"], "2 was told false, so no present member initiates");
}

#[test]
fn bounded() {
    let mut bench = Bench::with(3, Limits { rooms: 100, log_bytes: 4096, session_bytes: 0 });
    (1..=3).for_each(|who| bench.join(who, "main"));
    for _ in 0..40 {
        bench.send(1, "broadcast", "U1", "main", json!("x".repeat(200)));
        drop(bench.taken(1));
        drop(bench.taken(2));
    }
    assert_eq!(bench.rooms.end_of(3), Some(DisconnectReason::TooSlow));
    assert_eq!(bench.rooms.end_of(2), None);
    assert!(bench.heard(3).is_empty());
    // A peer in no room that is told of errors and reads none.
    let mut bench = Bench::with(1, Limits { rooms: 100, log_bytes: 4096, session_bytes: 0 });
    for _ in 0..100 {
        bench.raw(1, "null");
    }
    assert_eq!(bench.rooms.end_of(1), Some(DisconnectReason::TooSlow));
}

/// What a peer has read of what was due to it from before is not held against it.
#[test]
fn bounded_by_what_is_unread() {
    let mut bench = Bench::with(1, Limits { rooms: 100, log_bytes: 200_000, session_bytes: 0 });
    let long = format!(r#"{{"Header":{{"Event":"connect","UserId":"U1","RoomId":"a"}},"X":"{}"}}"#, "x".repeat(90_000));
    assert_eq!(bench.raw(1, &long), Verdict::Applied);
    assert_eq!(bench.raw(1, &long), Verdict::Applied);
    bench.send(1, "disconnect", "U1", "a", json!(""));
    let mut lengths = Vec::new();
    assert!(bench.rooms.take(1, Form::Plain, &mut |text: &str| lengths.push(text.len()), &mut |_| {}), "there is more");
    assert_eq!((lengths.len(), bench.rooms.kept_bytes()), (1, lengths[0]), "the other, just as long");
}

/// Each room that was left added what had not been read there.
#[test]
fn bounded_also_by_moving_from_room_to_room() {
    let mut bench = Bench::with(2, Limits { rooms: 100, log_bytes: 4096, session_bytes: 0 });
    for room in ["a", "b", "c"] {
        bench.join(1, room);
        bench.join(2, room);
        bench.send(1, "broadcast", "U1", room, json!("x".repeat(2000)));
        drop(bench.taken(1));
    }
    assert!(bench.rooms.kept_bytes() <= 2 * 4096, "{}", bench.rooms.kept_bytes());
    assert_eq!((bench.rooms.end_of(1), bench.rooms.end_of(2)), (None, Some(DisconnectReason::TooSlow)));
}

/// Rooms that are within their limits each are not together; who has most to read goes.
#[test]
fn bounded_in_all_rooms_together() {
    let mut bench = Bench::with(6, Limits { rooms: 100, log_bytes: 4096, session_bytes: 6000 });
    for (speaker, room) in [(1, "a"), (3, "b"), (5, "c")] {
        bench.join(speaker, room);
        bench.join(speaker + 1, room);
    }
    for (speaker, room, times) in [(1, "a", 9), (3, "b", 5), (5, "c", 5)] {
        for _ in 0..times {
            bench.send(speaker, "broadcast", &format!("U{speaker}"), room, json!("x".repeat(300)));
            drop(bench.taken(speaker));
            assert!(bench.rooms.held_bytes() <= 6000, "{}", bench.rooms.held_bytes());
        }
    }
    let ended: Vec<PeerId> = (1..=6).filter(|who| bench.rooms.end_of(*who).is_some()).collect();
    assert_eq!(ended, [2]);
    assert_eq!(bench.heard(6).len(), 6, "its own connect is one of them");
}

/// What is kept in case it has not arrived counts, once for all who share it.
#[test]
fn bounded_with_those_who_never_say_what_arrived() {
    let mut bench = Bench::with(4, Limits { rooms: 100, log_bytes: 1 << 20, session_bytes: 20_000 });
    for who in 1..=4 {
        bench.rooms.keep_seat(who, "1".into(), &mut |_| {});
        bench.join(who, "main");
    }
    let mut speak = |times: usize| {
        for _ in 0..times {
            bench.send(1, "broadcast", "U1", "main", json!("x".repeat(300)));
            (1..=4).for_each(|who| drop(bench.taken(who)));
        }
        let left = (1..=4).filter(|who| bench.rooms.end_of(*who).is_none()).count();
        (left, bench.rooms.held_bytes())
    };
    let (left, held) = speak(40);
    assert!(left == 4 && held > 40 * 300 && held < 20_000, "shared: {left} {held}");
    let (left, held) = speak(40);
    assert!(left < 4 && held <= 20_000, "{left} {held}");
}

#[test]
fn nothing_after_the_end() {
    let mut bench = Bench::new(2);
    bench.join(1, "main");
    bench.join(2, "main");
    bench.rooms.end(1, DisconnectReason::Removed, &mut |_| {});
    bench.send(2, "broadcast", "U2", "main", json!("x"));
    assert!(bench.taken(1).is_empty());
    assert_eq!(bench.send(1, "connect", "U1", "main", json!("")), Verdict::Refused);
    assert!(bench.taken(1).is_empty());
    let notice = bench.taken(2).pop().unwrap();
    assert_eq!(
        notice,
        json!({"Header": {"Event": "disconnect", "UserId": "U1", "RoomId": "main", "Reason": "removed"}, "Payload": ""})
    );
}

#[test]
fn the_session_key_as_a_room_means_main_and_is_not_passed_on() {
    let mut bench = Bench::new(1);
    bench.rooms.enter(9, Admission::Keyless, 9);
    bench.join(1, "main");
    assert!(!bench.rooms.is_admitted(9));
    assert_eq!(bench.send(9, "connect", "U9", KEY, json!("{}")), Verdict::Applied);
    assert_eq!(bench.send(9, "broadcast", "U9", KEY, json!("x")), Verdict::Applied);
    assert_eq!(bench.send(9, "ping", "U9", "main", json!("x")), Verdict::Applied);
    for packet in bench.taken(1).into_iter().chain(bench.taken(9)) {
        assert_eq!(packet["Header"]["RoomId"], "main");
    }
}

#[test]
fn a_keyless_peer_that_does_not_name_the_session_is_ended() {
    for first in [
        "null",
        r#"{"Header":{"Event":"connect","UserId":"U","RoomId":"main"}}"#,
        &format!(r#"{{"Header":{{"Event":"ping","RoomId":"{KEY}"}}}}"#),
    ] {
        let mut bench = Bench::new(0);
        bench.rooms.enter(9, Admission::Keyless, 9);
        assert_eq!(bench.raw(9, first), Verdict::NotAdmitted, "{first}");
        assert_eq!(bench.rooms.end_of(9), Some(DisconnectReason::NotAdmitted));
    }
}

#[test]
fn rooms_are_counted() {
    let mut bench = Bench::with(3, Limits { rooms: 2, log_bytes: 4096, session_bytes: 0 });
    bench.join(1, "a");
    bench.join(2, "b");
    assert_eq!(bench.send(3, "connect", "U3", "c", json!("")), Verdict::Refused);
    bench.join(3, "b");
    // Its own room empties as it moves, so there is room for the new one.
    bench.join(1, "c");
    assert_eq!(bench.heard(1).len(), 2);
}

proptest! {
    /// Whatever is sent, nothing panics, and the log is empty once everybody has read.
    #[test]
    fn random_histories_keep_the_invariants(steps in prop::collection::vec((1..5u64, 0..7u8, 0..3u8, any::<bool>()), 1..200)) {
        let mut bench = Bench::with(4, Limits { rooms: 2, log_bytes: 2000, session_bytes: 0 });
        for (who, action, room, read) in steps {
            let room = ["main", "b", KEY][usize::from(room)];
            let user = format!("U{who}");
            match action {
                0 | 1 => {
                    bench.send(who, "connect", &user, room, json!("{}"));
                }
                2 => {
                    bench.send(who, "broadcast", &user, room, json!({"from": who}));
                }
                3 => {
                    bench.send(who, "ping", &user, room, json!(""));
                }
                4 => {
                    bench.send(who, "disconnect", &user, room, json!(""));
                }
                5 => bench.rooms.end(who, DisconnectReason::Removed, &mut |_| {}),
                _ => {
                    bench.rooms.exit(who, &mut |_| {});
                    bench.rooms.enter(who, Admission::Keyed, who);
                }
            }
            if read {
                for packet in bench.taken(who) {
                    let sender = packet["Header"]["UserId"].clone();
                    if packet["Header"]["Event"] == "broadcast" {
                        prop_assert_ne!(sender, json!(user));
                        prop_assert_eq!(json!(format!("U{}", packet["Payload"]["from"])), packet["Header"]["UserId"].clone());
                    }
                }
            }
            let initiators = |rooms: &Rooms<PeerId>, name: &str| rooms.initiators(name);
            prop_assert!(initiators(&bench.rooms, "main") <= 1 && initiators(&bench.rooms, "b") <= 1);
        }
        (1..5).for_each(|who| drop(bench.taken(who)));
        prop_assert_eq!((bench.rooms.kept_bytes(), bench.rooms.held_bytes()), (0, 0));
    }
}
