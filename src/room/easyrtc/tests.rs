//! The rules, without a server.

mod bench;
mod lists;

use serde_json::{Value, json};

use super::*;
use crate::wire::easyrtc::{ErrorCode, Event};
use bench::{Bench, Heard, TEN_ROOMS};

fn presence(show: &str) -> Value {
    json!({"show": show, "status": null})
}

#[test]
fn a_call_from_beginning_to_end() {
    let mut bench = Bench::new(2);
    let token = bench.log_in(1, json!({"username": "ann"}));
    assert_eq!(token["msgData"]["iceConfig"], json!({"iceServers": [{"urls": "stun:1"}]}));
    assert_eq!(token["msgData"]["easyrtcid"], "id1");
    let heard = bench.send(2, Event::Auth, json!({"msgType": "authenticate", "msgData": {"apiVersion": "1"}}));
    assert_eq!(heard.events(1), ["easyrtcCmd roomData", "easyrtcCmd roomData"]);
    let data = json!({"type": "offer", "sdp": "v=0"});
    let heard = bench.cmd(2, json!({"msgType": "offer", "targetEasyrtcid": "id1", "msgData": data}));
    let mut offer = heard.one(1);
    assert!(offer["serverTime"].take().is_u64());
    assert_eq!(
        offer,
        json!({"easyrtcid": "id1", "senderEasyrtcid": "id2", "msgType": "offer", "msgData": data, "serverTime": null})
    );
    assert_eq!(heard.ack(), json!({"msgType": "ack"}));
    let heard = bench.remove(2);
    let delta = json!({"removeClient": {"id2": {"easyrtcid": "id2"}}});
    assert_eq!(heard.one(1)["msgData"]["roomData"]["default"]["clientListDelta"], delta);
    let hangup = json!({"msgType": "hangup", "targetEasyrtcid": "id2"});
    assert_eq!(bench.cmd(1, hangup).error(), Some(ErrorCode::TargetEasyrtcid));
    let letter = json!({"msgType": "x", "targetEasyrtcid": "id2"});
    assert_eq!(bench.msg(1, letter).error(), Some(ErrorCode::GenFail));
}

#[test]
fn isolation() {
    let mut bench = Bench::new(4);
    bench.log_in(1, json!({"roomJoin": {"a": {"roomName": "a"}}}));
    bench.log_in(2, json!({"roomJoin": {"a": {"roomName": "a"}}}));
    bench.log_in(3, json!({"roomJoin": {"b": {"roomName": "b"}}}));
    bench.log_in(4, json!({"applicationName": "other", "roomJoin": {"a": {"roomName": "a"}}}));
    let heard = bench.msg(1, json!({"msgType": "x", "targetRoom": "a"}));
    assert_eq!(heard.recipients(), [2]);
    assert_eq!(bench.msg(3, json!({"msgType": "x", "targetRoom": "a"})).error(), Some(ErrorCode::TargetRoom));
    for (sender, target) in [(1, "id4"), (4, "id1")] {
        let heard = bench.cmd(sender, json!({"msgType": "hangup", "targetEasyrtcid": target}));
        assert_eq!((heard.error(), heard.recipients()), (Some(ErrorCode::TargetEasyrtcid), vec![]));
        let heard = bench.msg(sender, json!({"msgType": "x", "targetEasyrtcid": target}));
        assert_eq!((heard.error(), heard.recipients()), (Some(ErrorCode::GenFail), vec![]));
    }
    assert!(bench.remove(4).recipients().is_empty());
}

#[test]
fn own_identity_only() {
    let mut bench = Bench::logged_in(3);
    let spoofed = json!({"senderEasyrtcid": "id3", "easyrtcid": "id3", "serverTime": 1, "foo": 1,
        "msgType": "x", "targetEasyrtcid": "id2"});
    let heard = bench.msg(1, spoofed);
    let got = heard.one(2);
    assert_eq!((&got["senderEasyrtcid"], &got["easyrtcid"], got.get("foo")), (&json!("id1"), &json!("id2"), None));
    assert_ne!(got["serverTime"], 1);
}

#[test]
fn told_before_it_speaks() {
    let mut bench = Bench::logged_in(1);
    let heard = bench.send(2, Event::Auth, json!({"msgType": "authenticate", "msgData": {"apiVersion": "1"}}));
    assert!(heard.position(1, 0) < heard.ack_position() && heard.ack_position() < heard.position(1, 1));
}

#[test]
fn at_most_one_ack() {
    let mut bench = Bench::logged_in(2);
    // None is asked for, none is given, and nothing is done (6).
    let letter = json!({"msgType": "x", "targetEasyrtcid": "id2"});
    assert!(bench.without_ack(1, Event::Msg, letter.clone()).is_nothing());
    assert!(bench.without_ack(1, Event::Cmd, json!({"msgType": "hangup", "targetEasyrtcid": "id2"})).is_nothing());
    // A message for the server has none (9.2).
    assert!(bench.msg(1, json!({"msgType": "get_candy"})).is_nothing());
    // A second authentication does not double what comes after it, as it did in the reference.
    bench.log_in(1, json!({"username": "ann"}));
    let heard = bench.msg(1, letter);
    assert_eq!((heard.acks(), heard.recipients()), (1, vec![2]));
}

#[test]
fn nothing_after_the_end() {
    let mut bench = Bench::logged_in(2);
    let auth = |bench: &mut Bench, message: Value| bench.send(3, Event::Auth, message);
    let heard = auth(&mut bench, json!({"msgType": "authenticate"}));
    assert_eq!((heard.error(), heard.ended()), (Some(ErrorCode::LoginBadStructure), true));
    assert!(auth(&mut bench, json!({"msgType": "authenticate", "msgData": {"apiVersion": "1"}})).is_nothing());
    assert!(bench.cmd(3, json!({"msgType": "getRoomList"})).is_nothing());
    assert!(bench.remove(3).is_nothing());

    // A refused second authentication is a departure (7.3).
    let heard = bench.send(2, Event::Auth, json!(null));
    assert_eq!((heard.error(), heard.ended()), (Some(ErrorCode::LoginBadAuth), true));
    assert_eq!(
        heard.one(1)["msgData"]["roomData"]["default"]["clientListDelta"]["removeClient"]["id2"]["easyrtcid"],
        "id2"
    );
    assert!(bench.msg(1, json!({"msgType": "x", "targetRoom": "default"})).recipients().is_empty());
    assert!(bench.remove(2).is_nothing());
    assert!(bench.remove(2).is_nothing());

    // So is one that asks for no acknowledgement, which gets none.
    let heard = bench.without_ack(1, Event::Auth, json!({"msgType": "authenticate", "msgData": {"apiVersion": "1"}}));
    assert_eq!((heard.acks(), heard.ended()), (0, true));
    assert_eq!(bench.easyrtc.peer_of("id1"), None);
}

#[test]
fn who_has_not_authenticated_is_ignored() {
    let mut bench = Bench::logged_in(1);
    assert!(bench.cmd(2, json!({"msgType": "getRoomList"})).is_nothing());
    assert!(bench.msg(2, json!({"msgType": "x", "targetEasyrtcid": "id1"})).is_nothing());
    assert!(bench.remove(2).is_nothing());
    assert!(bench.cmd(99, json!({"msgType": "getRoomList"})).is_nothing(), "never entered");
}

/// Recording 22: the reference leaves a ghost in the rooms that had space.
#[test]
fn a_refused_client_was_never_in_any_room() {
    let mut bench = Bench::with(Limits { members: 1, rooms: 0 }, 3);
    bench.log_in(1, json!({"roomJoin": {"full": {"roomName": "full"}}}));
    let rooms = json!({"lobby": {"roomName": "lobby"}, "full": {"roomName": "full"}});
    let message = json!({"msgType": "authenticate", "msgData": {"apiVersion": "1", "roomJoin": rooms}});
    let heard = bench.send(2, Event::Auth, message);
    assert_eq!((heard.error(), heard.recipients()), (Some(ErrorCode::LoginGenFail), vec![]));
    let list = bench.cmd(1, json!({"msgType": "getRoomList"})).ack();
    assert_eq!(list["msgData"]["roomList"].get("lobby"), None);
}

#[test]
fn rooms_are_bounded() {
    let mut bench = Bench::with(TEN_ROOMS, 4);
    let many = |from: usize, to: usize| -> Value {
        (from..to)
            .map(|n| (format!("r{n}"), json!({"roomName": format!("r{n}")})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let auth = |bench: &mut Bench, who, data: Value| {
        let mut data = data;
        data["apiVersion"] = json!("1");
        bench.send(who, Event::Auth, json!({"msgType": "authenticate", "msgData": data})).error()
    };
    // Eleven, with the default room that comes with an application.
    assert_eq!(auth(&mut bench, 1, json!({"roomJoin": many(0, 10)})), Some(ErrorCode::LoginAppAuthFail));
    assert_eq!(auth(&mut bench, 2, json!({"roomJoin": many(0, 8)})), None);
    let join = json!({"msgType": "roomJoin", "msgData": {"roomJoin": many(7, 10)}});
    assert_eq!(bench.cmd(2, join).error(), Some(ErrorCode::BadRoom));
    assert_eq!(bench.easyrtc.view(2).unwrap().rooms.len(), 9, "the one that was still to be had");
    assert_eq!(auth(&mut bench, 3, json!({"roomJoin": many(9, 10)})), Some(ErrorCode::LoginBadRoom));
    assert_eq!(auth(&mut bench, 4, json!({"roomJoin": many(0, 9)})), None, "no new one is needed");
}

#[test]
fn an_id_in_use_is_not_given_again() {
    let mut bench = Bench::logged_in(1);
    bench.ids = vec!["id1", "id1", "not a name", "id7"];
    assert_eq!(bench.log_in(2, json!({}))["msgData"]["easyrtcid"], "id7");
    bench.ids = vec!["id1"; 20];
    let heard = bench.send(3, Event::Auth, json!({"msgType": "authenticate", "msgData": {"apiVersion": "1"}}));
    assert_eq!((heard.error(), heard.ended()), (Some(ErrorCode::LoginGenFail), true));
}

/// 7.3: a new authentication that keeps the id, the rooms, and what it does not give anew.
#[test]
fn a_second_authentication_adds() {
    let mut bench = Bench::logged_in(2);
    let field = json!({"roomName": "default", "field": {"a": 1}});
    bench.cmd(1, json!({"msgType": "setRoomApiField", "msgData": {"setRoomApiField": field}}));
    let token = bench.log_in(1, json!({"username": "ann", "roomJoin": {"red": {"roomName": "red"}}}));
    let rooms = &token["msgData"]["roomData"];
    assert_eq!(rooms["default"]["clientList"]["id1"]["apiField"], json!({"a": 1}));
    assert_eq!(rooms["red"]["clientList"]["id1"]["username"], "ann");
    let heard = bench.send(
        1,
        Event::Auth,
        json!({"msgType": "authenticate", "msgData": {"apiVersion": "1", "setPresence": {"show": "xa"}}}),
    );
    let update = &heard.last(2)["msgData"]["roomData"]["default"]["clientListDelta"]["updateClient"]["id1"];
    assert_eq!((&update["username"], &update["presence"]), (&json!("ann"), &presence("xa")));
}

#[test]
fn who_changes_its_application_leaves_the_first() {
    let mut bench = Bench::logged_in(2);
    let heard = bench.send(
        1,
        Event::Auth,
        json!({"msgType": "authenticate", "msgData": {"apiVersion": "1", "applicationName": "other"}}),
    );
    assert!(heard.one(2)["msgData"]["roomData"]["default"]["clientListDelta"]["removeClient"].is_object());
    assert_eq!(heard.ack()["msgData"]["easyrtcid"], "id1");
    assert_eq!(heard.ack()["msgData"]["roomData"]["default"]["clientList"].as_object().unwrap().len(), 1);
    let hangup = json!({"msgType": "hangup", "targetEasyrtcid": "id1"});
    assert_eq!(bench.cmd(2, hangup).error(), Some(ErrorCode::TargetEasyrtcid));
}

/// 10.1: which update carries the field.
#[test]
fn fields_are_told_where_they_are_news() {
    let mut bench = Bench::logged_in(2);
    let set = |field: Value| json!({"msgType": "setRoomApiField", "msgData": {"setRoomApiField": {"roomName": "default", "field": field}}});
    let of = |heard: &Heard, who| {
        heard.last(who)["msgData"]["roomData"]["default"]["clientListDelta"]["updateClient"]["id1"].clone()
    };
    let heard = bench.cmd(1, set(json!({"a": 1})));
    assert_eq!(of(&heard, 2)["apiField"], json!({"a": 1}));
    let heard = bench.cmd(1, json!({"msgType": "setPresence", "msgData": {"setPresence": {"show": "dnd"}}}));
    assert_eq!((of(&heard, 2).get("apiField"), &of(&heard, 2)["presence"]), (None, &presence("dnd")));
    let join = json!({"msgType": "roomJoin", "msgData": {"roomJoin": {"default": {"roomName": "default"}}}});
    let heard = bench.cmd(1, join);
    assert_eq!(of(&heard, 2)["apiField"], json!({"a": 1}));
    let token = bench.log_in(3, json!({}));
    assert_eq!(token["msgData"]["roomData"]["default"]["clientList"]["id1"]["apiField"], json!({"a": 1}));
    let heard = bench.cmd(1, set(json!({})));
    assert_eq!(of(&heard, 2).get("apiField"), None);
}

/// 8.5: one update for each, with the rooms it shares; alike for those who share the same.
#[test]
fn presence_is_told_once_to_each() {
    let mut bench = Bench::new(4);
    let rooms = |names: &[&str]| -> Value {
        let entries = names.iter().map(|name| ((*name).to_owned(), json!({"roomName": name})));
        json!({"roomJoin": entries.collect::<serde_json::Map<_, _>>()})
    };
    bench.log_in(1, rooms(&["a", "b"]));
    bench.log_in(2, rooms(&["b", "a"]));
    bench.log_in(3, rooms(&["a", "b"]));
    bench.log_in(4, rooms(&["b"]));
    let heard = bench.cmd(1, json!({"msgType": "setPresence", "msgData": {"setPresence": {"status": "x"}}}));
    let told = |who| heard.one(who)["msgData"]["roomData"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        (told(2), told(3), told(4)),
        (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()], vec!["b".to_owned()])
    );
    assert_eq!(heard.ack()["msgData"]["roomData"].as_object().unwrap().len(), 2);
}

/// 9.2, the combinations of targets.
#[test]
fn targets_are_combined() {
    let mut bench = Bench::logged_in(2);
    bench.log_in(3, json!({"roomJoin": {"red": {"roomName": "red"}}}));
    let mut send = |targets: Value| {
        let mut message = targets;
        message["msgType"] = json!("x");
        let heard = bench.msg(1, message);
        (heard.error(), heard.recipients())
    };
    assert_eq!(send(json!({"targetEasyrtcid": "id2", "targetRoom": "default"})), (None, vec![2]));
    assert_eq!(send(json!({"targetEasyrtcid": "id3", "targetRoom": "default"})), (Some(ErrorCode::TargetRoom), vec![]));
    assert_eq!(send(json!({"targetEasyrtcid": "id9", "targetRoom": "nope"})), (Some(ErrorCode::GenFail), vec![]));
    assert_eq!(send(json!({"targetEasyrtcid": "id2", "targetGroup": "g"})), (Some(ErrorCode::TargetGroup), vec![]));
    assert_eq!(send(json!({"targetGroup": "__proto__"})), (Some(ErrorCode::TargetGroup), vec![]));
    assert_eq!(send(json!({"targetGroup": "g", "targetRoom": "default"})), (None, vec![]));
    assert_eq!(send(json!({"targetEasyrtcid": "id1"})), (Some(ErrorCode::TargetEasyrtcid), vec![]));
}
