use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;
use crate::wire::Text;

const OFFER: &str = r#"{"msgType":"offer","targetEasyrtcid":"B","msgData":{ "sdp":"v=0\r\n\u00e9", "n":[1.0, 1e3], "n":null },"senderEasyrtcid":"spoof","foo":1}"#;
const NOW: u64 = 1_795_358_670_583;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("the test writes JSON")
}

fn auth(data: &str) -> Result<Auth, ErrorCode> {
    Auth::read(Some(&raw(&format!(r#"{{"msgType":"authenticate","msgData":{data}}}"#))))
}

fn command_error(text: &str) -> Option<ErrorCode> {
    Command::read(Some(&raw(text))).err()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn value(text: &Text) -> Value {
    serde_json::from_str(text.as_str()).expect("what is written is JSON")
}

fn argument(notice: &Notice, recipient: &str) -> String {
    let mut argument = String::new();
    notice.write(&name(recipient), &mut argument);
    assert_eq!(argument.len(), notice.len(&name(recipient)));
    argument
}

/// The payload is the sender's own text; nothing else of its message is passed on.
#[test]
fn an_offer_is_passed_on_as_it_was_written() {
    let offer = raw(OFFER);
    let Ok(Command::Relay(relay)) = Command::read(Some(&offer)) else { panic!("it is an offer") };
    assert_eq!((relay.kind, relay.target.as_str()), ("offer", "B"));
    let notice = Notice::relay(&name("A"), &relay, 7);
    assert_eq!(
        argument(&notice, "B"),
        r#"{"easyrtcid":"B","senderEasyrtcid":"A","msgType":"offer","msgData":{ "sdp":"v=0\r\n\u00e9", "n":[1.0, 1e3], "n":null },"serverTime":7}"#
    );
    assert_eq!(notice.event(), Event::Cmd);
}

#[test]
fn a_letter_repeats_its_targets() {
    let sent = raw(r#"{"msgType":"\u0078","targetRoom":"red","targetEasyrtcid":"B","msgData":null}"#);
    let notice = Notice::letter(&name("A"), &Letter::read(Some(&sent)).unwrap(), 7);
    assert_eq!(
        argument(&notice, "B"),
        r#"{"easyrtcid":"B","senderEasyrtcid":"A","targetEasyrtcid":"B","targetRoom":"red","msgType":"\u0078","msgData":null,"serverTime":7}"#
    );
    let sent = raw(r#"{"msgType":"","targetRoom":"red"}"#);
    let notice = Notice::letter(&name("A"), &Letter::read(Some(&sent)).unwrap(), 7);
    assert_eq!(
        argument(&notice, "C"),
        r#"{"easyrtcid":"C","senderEasyrtcid":"A","targetRoom":"red","msgType":"","serverTime":7}"#
    );
}

#[test]
fn literal_bytes() {
    assert_eq!(ack().as_str(), r#"{"msgType":"ack"}"#);
    assert_eq!(
        error(ErrorCode::LoginGenFail, NOW).as_str(),
        r#"{"msgType":"error","serverTime":1795358670583,"msgData":{"errorCode":"LOGIN_GEN_FAIL","errorText":"Authentication failed. Socket will be disconnected."}}"#
    );
    assert_eq!(
        room_list([(&name("default"), 2), (&name("red"), 0)].into_iter()).as_str(),
        r#"{"msgType":"roomList","msgData":{"roomList":{"default":{"roomName":"default","numberClients":2},"red":{"roomName":"red","numberClients":0}}}}"#
    );
    assert_eq!(
        room_data_ack([left(&name("red")).as_str()]).as_str(),
        r#"{"msgType":"roomData","msgData":{"roomData":{"red":{"roomName":"red","roomStatus":"leave"}}}}"#
    );
    let gone = removed(&name("red"), &name("B"));
    assert_eq!(
        argument(&Notice::room_data([gone.as_str()], 7), "A"),
        r#"{"easyrtcid":"A","msgType":"roomData","msgData":{"roomData":{"red":{"roomName":"red","roomStatus":"update","clientListDelta":{"removeClient":{"B":{"easyrtcid":"B"}}}}}},"serverTime":7}"#
    );
}

/// The example of 7.1.
#[test]
fn a_token() {
    let (presence, id) = (Presence::default(), name("QummA79s8niupDtR"));
    let client = Client {
        easyrtcid: &id,
        room_join_time: NOW,
        presence: &presence,
        api_field: Some(r#"{"a":1}"#),
        username: Some(r#""al\"ice""#),
    };
    let rooms = [joined(&name("default"), [client].into_iter())];
    let written = token(&Token {
        application: &name("OpenTera"),
        easyrtcid: &id,
        easyrtcsid: Some("sess-1"),
        ice_servers: r#"[{"urls":"stun:192.0.2.1:3478"}]"#,
        rooms: &rooms,
        now: NOW,
    });
    let member = json!({"easyrtcid": "QummA79s8niupDtR", "roomJoinTime": NOW,
        "presence": {"show": "chat", "status": null}, "apiField": {"a": 1}, "username": "al\"ice"});
    assert_eq!(
        value(&written),
        json!({"msgType": "token", "msgData": {
            "roomData": {"default": {"roomName": "default", "roomStatus": "join", "clientList": {"QummA79s8niupDtR": member}}},
            "application": {"applicationName": "OpenTera"}, "easyrtcid": "QummA79s8niupDtR",
            "iceConfig": {"iceServers": [{"urls": "stun:192.0.2.1:3478"}]}, "serverTime": NOW,
            "sessionData": {"easyrtcsid": "sess-1"}}})
    );
    let update = updated(&name("default"), Client { api_field: None, username: None, ..client });
    assert_eq!(
        value(&room_data_ack([update.as_str()]))["msgData"]["roomData"]["default"]["clientListDelta"],
        json!({"updateClient": {"QummA79s8niupDtR": {"easyrtcid": "QummA79s8niupDtR", "roomJoinTime": NOW,
            "presence": {"show": "chat", "status": null}}}})
    );
}

#[test]
fn texts_are_counted_as_javascript_counts_them() {
    let with = |username: &str| auth(&json!({"apiVersion": "1", "username": username}).to_string()).is_ok();
    assert!(with(&"😀".repeat(32)) && !with(&"😀".repeat(33)));
    assert!(with(&"u".repeat(64)) && !with(&"u".repeat(65)) && !with(""));
    assert!(with("a\u{85}b\0") && !with("a\u{2028}b") && !with("ab\n"));
    // A client may escape what it need not.
    let field = |inside: &str| {
        let text = format!(
            r#"{{"msgType":"setRoomApiField","msgData":{{"setRoomApiField":{{"roomName":"r","field":{{ "x" : "{inside}" }}}}}}}}"#
        );
        command_error(&text)
    };
    assert_eq!(field(&r"\u00e9".repeat(4087)), None);
    assert_eq!(field(&r"\u00e9".repeat(4088)), Some(ErrorCode::BadSize));
    assert_eq!(field(&"é".repeat(4087)), None);
    assert_eq!(field(&r"\n".repeat(2044)), Some(ErrorCode::BadSize));
    assert_eq!(field(&r"\/".repeat(4087)), None);
    assert_eq!(field(&r"\ud800".repeat(600)), None);
}

#[test]
fn kept_values_are_kept_compact() {
    let sent = raw(
        r#"{"msgType":"setRoomApiField","msgData":{"setRoomApiField":{"roomName":"r","field": { "a b" : [ 1.0 , "\u00e9 \" \\ \n" , "\ud800 x" ] } }}}"#,
    );
    let Ok(Command::SetRoomApiField(room, Some(field))) = Command::read(Some(&sent)) else { panic!("it is a field") };
    assert_eq!(&*room, "r");
    assert_eq!(&*field, r#"{"a b":[1.0,"é \" \\ \n","\ud800 x"]}"#);
}

#[test]
fn arrays_are_objects() {
    let sent = raw(r#"{"msgType":"roomJoin","msgData":{"roomJoin":[{"roomName":"0"},{"roomName":"1"}]}}"#);
    let Ok(Command::RoomJoin(rooms)) = Command::read(Some(&sent)) else { panic!("it joins rooms") };
    assert_eq!(rooms, [name("0"), name("1")]);
    assert_eq!(Letter::read(Some(&raw("[]"))).err(), Some(ErrorCode::BadType));
    assert_eq!(command_error(r#"{"msgType":"roomJoin","msgData":{"roomJoin":[ ]}}"#), Some(ErrorCode::BadStructure));
    assert_eq!(command_error(r#"{"msgType":"getIceConfig","msgData":[ ]}"#), None);
}

#[test]
fn of_two_equal_names_the_last_counts() {
    let read = auth(
        r#"{"apiVersion":1,"apiVersion":"1","roomJoin":{"b":{"roomName":"b"},"a":{"roomName":"x","roomName":"a"},"b":{"roomName":"b"}}}"#,
    );
    assert_eq!(read.unwrap().rooms, [name("b"), name("a")]);
}

/// A name or a text that is no Unicode hides nothing that stands beside it.
#[test]
fn lone_surrogates_harm_nobody() {
    let sent = raw(r#"{"\ud800":1,"msgType":"\udc00","targetRoom":"r"}"#);
    assert_eq!(Letter::read(Some(&sent)).unwrap().kind, r#""\udc00""#);
    assert!(matches!(auth(r#"{"apiVersion":"1","username":"\ud800"}"#), Err(ErrorCode::BadStructure)));
    let rooms = r#"{"apiVersion":"1","roomJoin":{"\ud800":{"roomName":"\ud800"}}}"#;
    assert!(matches!(auth(rooms), Err(ErrorCode::BadStructure)));
}

#[test]
fn nothing_at_all_is_refused() {
    assert!(matches!(Auth::read(None), Err(ErrorCode::LoginBadAuth)));
    assert!(matches!(Command::read(None), Err(ErrorCode::BadStructure)));
    assert!(matches!(Letter::read(None), Err(ErrorCode::BadStructure)));
}

#[test]
fn javascripts_own_names_are_ordinary() {
    for word in ["__proto__", "constructor", "hasOwnProperty", "toString"] {
        let read = auth(&format!(
            r#"{{"apiVersion":"1","applicationName":"{word}","easyrtcsid":"{word}","roomJoin":{{"{word}":{{"roomName":"{word}"}}}}}}"#
        ));
        let read = read.unwrap();
        assert_eq!((read.application.as_str(), read.easyrtcsid.as_deref()), (word, Some(word)));
        assert_eq!(read.rooms, [name(word)]);
    }
}

/// What would be repeated to every newcomer may not be as long as a message may be.
#[test]
fn a_presence_is_bounded() {
    let with = |length: usize| {
        auth(&json!({"apiVersion": "1", "setPresence": {"type": "x".repeat(length)}}).to_string()).err()
    };
    assert_eq!(with(KEPT_UNITS - 2), None);
    assert_eq!(with(KEPT_UNITS - 1), Some(ErrorCode::BadSize));
}

/// Depth costs no stack, neither where it is passed on nor where it is kept.
#[test]
fn deep_nesting_is_skipped_without_recursion() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let letter = raw(&format!(r#"{{"msgType":"x","targetRoom":"r","msgData":{}}}"#, deep(400_000)));
    assert!(Letter::read(Some(&letter)).is_ok());
    let field = |levels: usize| {
        let field = deep(levels);
        command_error(&format!(
            r#"{{"msgType":"setRoomApiField","msgData":{{"setRoomApiField":{{"roomName":"r","field":{field}}}}}}}"#
        ))
    };
    assert_eq!(field(2000), None);
    assert_eq!(field(400_000), Some(ErrorCode::BadSize));
}

proptest! {
    #[test]
    fn mangled_messages_never_panic(
        which in 0..4_usize, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let sent = [
            OFFER,
            r#"{"msgType":"authenticate","msgData":{"apiVersion":"1","roomJoin":{"a":{"roomName":"a"}},"setPresence":{"type":[1]}}}"#,
            r#"{"msgType":"setRoomApiField","msgData":{"setRoomApiField":{"roomName":"a","field":{"\u00e9":"\\\"x"}}}}"#,
            r#"{"msgType":"x","targetRoom":"r","msgData":1}"#,
        ][which];
        let mut bytes = sent.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len() * 4));
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(raw) = RawValue::from_string(text)
        {
            let _ = (Auth::read(Some(&raw)), Command::read(Some(&raw)));
            if let Ok(letter) = Letter::read(Some(&raw)) {
                let written = argument(&Notice::letter(&name("A"), &letter, NOW), "B");
                prop_assert!(serde_json::from_str::<Value>(&written).is_ok());
            }
        }
    }

    /// A value that is kept says what was sent.
    #[test]
    fn compact_is_the_same_value(text in ".{0,12}", number in any::<i32>(), flag in any::<bool>()) {
        let field = json!({"a": [text, number], "\u{1} b": {"c": flag, "d": null}});
        let sent = json!({"msgType": "setRoomApiField", "msgData": {"setRoomApiField": {"roomName": "r", "field": field}}});
        let raw = raw(&serde_json::to_string_pretty(&sent).unwrap());
        let Ok(Command::SetRoomApiField(_, Some(kept))) = Command::read(Some(&raw)) else { panic!("it is a field") };
        prop_assert_eq!(&*kept, field.to_string());
    }
}
