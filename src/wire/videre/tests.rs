use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CONNECT: &str = r#"{"Header":{"Event":"connect","UserId":"U1","RoomId":"room-a"},"Payload":"{}"}"#;

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("what is rendered is JSON")
}

#[test]
fn literal_bytes() {
    let packet = Packet::parse(CONNECT).unwrap();
    assert_eq!(packet.event, Event::Connect);
    assert_eq!(packet.user_id, Some(r#""U1""#));
    assert_eq!(&*packet.room_key(), "room-a");
    assert_eq!(
        connect(&packet, None, true).as_str(),
        r#"{"Header":{"Event":"connect","UserId":"U1","RoomId":"room-a"},"Payload":"true"}"#
    );
    assert_eq!(
        ping(&packet, None, [Some(r#""U1""#), None, Some("7")].into_iter()).as_str(),
        r#"{"Header":{"Event":"connect","UserId":"U1","RoomId":"room-a"},"Payload":"[\"U1\",null,7]"}"#
    );
    assert_eq!(
        disconnect(Some(r#""U1""#), "a\"b", Departure::Gone).as_str(),
        r#"{"Header":{"Event":"disconnect","UserId":"U1","RoomId":"a\"b"},"Payload":""}"#
    );
    assert_eq!(
        disconnect(None, "r", Departure::Removed).as_str(),
        r#"{"Header":{"Event":"disconnect","RoomId":"r","Reason":"removed"},"Payload":""}"#
    );
    assert_eq!(error(None, None, "why").as_str(), r#"{"Header":{"Event":"error"},"Payload":"why"}"#);
}

/// Recording 29: unknown members stay, a missing Payload is appended.
#[test]
fn unknown_members_and_order_are_kept() {
    let text = r#" { "Extra": [1, 2.50, 1e3], "Header": { "RoomId": "room-a", "Event": "connect", "UserId": "U1", "Tag": "\u00e9" } } "#;
    let answer = connect(&Packet::parse(text).unwrap(), None, true);
    assert_eq!(
        value(&answer),
        json!({"Extra": [1, 2.50, 1e3], "Header": {"RoomId": "room-a", "Event": "connect", "UserId": "U1", "Tag": "é"}, "Payload": "true"})
    );
}

#[test]
fn the_last_of_two_equal_names_counts() {
    let text =
        r#"{"Payload":1,"Header":{"Event":"ping","Event":"connect","RoomId":"x","RoomId":"y","UserId":1},"Payload":2}"#;
    let packet = Packet::parse(text).unwrap();
    assert_eq!((packet.event, &*packet.room_key()), (Event::Connect, "y"));
    let answer = connect(&packet, Some("main"), false);
    assert_eq!(
        value(&answer),
        json!({"Payload": "false", "Header": {"Event": "connect", "RoomId": "main", "UserId": 1}})
    );
}

#[test]
fn room_keys_are_texts_as_javascript_writes_them() {
    let key = |id: &str| {
        let text = format!(r#"{{"Header":{{"Event":"ping","RoomId":{id}}}}}"#);
        Packet::parse(&text).map(|packet| packet.room_key().into_string())
    };
    assert_eq!(key("7").unwrap(), "7");
    assert_eq!(key("2.50").unwrap(), "2.5");
    assert_eq!(key("1e3").unwrap(), "1000");
    assert_eq!(key("null").unwrap(), "null");
    assert_eq!(key("true").unwrap(), "true");
    assert_eq!(key(r#""""#).unwrap(), "");
    assert_eq!(key(r#""__proto__""#).unwrap(), "__proto__");
    assert_eq!(key(r#""\u0041""#).unwrap(), "A");
    assert_eq!(key("{}"), Err(PacketError::RoomIdKind));
    assert_eq!(key("[1]"), Err(PacketError::RoomIdKind));
    let absent = Packet::parse(r#"{"Header":{"Event":"ping"}}"#).unwrap().room_key();
    assert_eq!(&*absent, "undefined");
}

#[test]
fn what_is_wrong_is_named() {
    let error = |text: &str| Packet::parse(text).err();
    assert_eq!(error("{"), Some(PacketError::NotJson));
    assert_eq!(error(""), Some(PacketError::NotJson));
    assert_eq!(error("null"), Some(PacketError::NotObject));
    assert_eq!(error("[]"), Some(PacketError::NotObject));
    assert_eq!(error("{}"), Some(PacketError::NoHeader));
    assert_eq!(error(r#"{"Header":null}"#), Some(PacketError::NoHeader));
    assert_eq!(error(r#"{"Header":{}}"#), Some(PacketError::UnknownEvent));
    assert_eq!(error(r#"{"Header":{"Event":"Connect"}}"#), Some(PacketError::UnknownEvent));
    assert_eq!(error(r#"{"Header":{"Event":["connect"]}}"#), Some(PacketError::UnknownEvent));
    let long = format!(r#"{{"Header":{{"Event":"connect","UserId":"{}"}}}}"#, "x".repeat(NAME_BYTES));
    assert_eq!(error(&long), Some(PacketError::NameTooLong));
}

/// The payload's depth costs no stack: a quarter of a megabyte of brackets is skipped over.
#[test]
fn deep_nesting_is_skipped_without_recursion() {
    let deep = "[".repeat(120_000) + &"]".repeat(120_000);
    let text = format!(r#"{{"Header":{{"Event":"broadcast"}},"Payload":{deep}}}"#);
    assert!(Packet::parse(&text).is_ok());
    assert_eq!(Packet::parse(&deep).err(), Some(PacketError::NotObject));
    assert_eq!(Packet::parse(&"[".repeat(200_000)).err(), Some(PacketError::NotJson));
}

proptest! {
    #[test]
    fn mangled_packets_never_panic(cut in 0..CONNECT.len(), byte in any::<u8>(), at in 0..CONNECT.len()) {
        let mut bytes = CONNECT.as_bytes().to_vec();
        bytes[at] = byte;
        bytes.truncate(cut);
        if let Ok(text) = std::str::from_utf8(&bytes)
            && let Ok(packet) = Packet::parse(text)
        {
            value(&connect(&packet, Some("main"), true));
        }
    }

    #[test]
    fn answers_are_json_and_differ_only_where_they_should(user in ".{0,20}", room in ".{0,20}", payload in any::<Option<i64>>()) {
        let mut sent = json!({"Header": {"Event": "connect", "UserId": user, "RoomId": room}});
        if let Some(payload) = payload {
            sent["Payload"] = json!(payload);
        }
        let text = sent.to_string();
        let packet = Packet::parse(&text).unwrap();
        prop_assert_eq!(&*packet.room_key(), room.as_str());
        let answer = value(&connect(&packet, Some("main"), true));
        prop_assert_eq!(answer, json!({"Header": {"Event": "connect", "UserId": user, "RoomId": "main"}, "Payload": "true"}));
    }
}

/// Whether a packet is taken for one like that before; if it is, it has the same Header.
fn is_alike(before: &str, text: &str) -> bool {
    let before = Packet::parse(before).unwrap();
    let is_alike = Beginning::of(&before).is_some_and(|beginning| beginning.is_of(text));
    if is_alike {
        let whole = Packet::parse(text).expect("it is a packet");
        let header =
            |packet: &Packet<'_>| (packet.event, [packet.user_id, packet.room_id].map(|id| id.map(str::to_owned)));
        assert_eq!(header(&whole), header(&before), "{text}");
    }
    is_alike
}

#[test]
fn a_packet_like_the_last_has_its_header() {
    let before = r#"{"Header": {"Event":"broadcast","UserId":"U1","RoomId":"r"}, "Payload": [1,"a"] }"#;
    for (text, is_like) in [
        (before, true),
        (r#"{"Header": {"Event":"broadcast","UserId":"U1","RoomId":"r"}, "Payload": "}" } "#, true),
        (r#"{"Header": {"Event":"broadcast","UserId":"U1","RoomId":"r"}, "Payload": 7,"More":1}"#, false),
        (r#"{"Header": {"Event":"broadcast","UserId":"U1","RoomId":"r"}, "Payload": 7,"Header":{}}"#, false),
        (r#"{"Header": {"Event":"broadcast","UserId":"U1","RoomId":"r"}, "Payload": 7}}"#, false),
        (r#"{"Header": {"Event":"broadcast","UserId":"U1","RoomId":"r"}, "Payload": }"#, false),
        (r#"{"Header": {"Event":"broadcast","UserId":"U2","RoomId":"r"}, "Payload": 7}"#, false),
    ] {
        assert_eq!(is_alike(before, text), is_like, "{text}");
    }
    for other in [
        r#"{"Payload":1,"Header":{"Event":"broadcast"}}"#,
        r#"{"Header":{"Event":"broadcast"}}"#,
        r#"{"Header":{"Event":"broadcast"},"Payload":1,"More":2}"#,
    ] {
        assert!(Beginning::of(&Packet::parse(other).unwrap()).is_none(), "{other}");
    }
    let twice = r#"{"Payload":1,"Header":{"Event":"broadcast"},"Payload":2}"#;
    assert!(is_alike(twice, twice));
}

proptest! {
    #[test]
    fn mangled_packets_are_not_taken_for_alike(spaces in " {0,2}", payload in "\\PC{0,12}", at in any::<prop::sample::Index>(), with in "[{}\\[\\]\",:0a ]{0,3}") {
        let before = format!(r#"{{"Header":{{"Event":"broadcast","UserId":"u"}},{spaces}"Payload":"x"}}"#);
        let after = before.replace("\"x\"", &json!(payload).to_string());
        prop_assert!(is_alike(&before, &after));
        let places: Vec<usize> = after.char_indices().map(|(at, _)| at).collect();
        let mut spoiled = after.clone();
        spoiled.insert_str(places[at.index(places.len())], &with);
        is_alike(&before, &spoiled);
    }
}
