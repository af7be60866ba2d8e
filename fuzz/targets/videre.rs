//! The videre packet: what is read is what any JSON reader finds, and what is passed on is the
//! sender's own text but for the values that are replaced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use viderehab_fuzz::wire::videre::{self, Beginning, Departure, Event, NAME_BYTES, Packet};
use viderehab_fuzz::{json, within};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for departure in [Departure::Gone, Departure::Removed] {
        let notice = json(videre::disconnect(None, text, departure).as_str());
        assert_eq!(notice["Header"]["RoomId"], text);
    }
    assert_eq!(json(videre::error(None, Some(text), text).as_str())["Payload"], text);

    // What this reader refuses as well: lone surrogates, depths over 128, numbers no float can hold.
    let whole = serde_json::from_str::<Value>(text).ok();
    let Ok(packet) = Packet::parse(text) else {
        // In so short a text no name is too long.
        assert!(text.len() > NAME_BYTES || !whole.is_some_and(|whole| is_packet(&whole)), "refused: {text}");
        return;
    };
    for name in [packet.user_id, packet.room_id].into_iter().flatten() {
        assert!(within(name.as_bytes(), data) && name.len() <= NAME_BYTES);
    }
    let _ = (packet.resume(), packet.acknowledged());
    // Whatever is taken for a packet that begins like it has the same Header.
    if let Some(beginning) = Beginning::of(&packet) {
        assert!(beginning.is_of(text), "{text}");
        let cut = &text[..text.len() - text.chars().next_back().map_or(0, char::len_utf8)];
        for other in [cut, &format!("{cut},{cut}"), &format!("{text}{cut}")] {
            let has_same_header = || Packet::parse(other).is_ok_and(|other| header(&packet) == header(&other));
            assert!(!beginning.is_of(other) || has_same_header(), "{other}");
        }
    }
    assert_eq!(videre::passed_on(&packet, None), text);
    passed_on(&packet, whole.as_ref(), &videre::passed_on(&packet, Some("main")), None);
    passed_on(&packet, whole.as_ref(), videre::connect(&packet, Some("main"), true).as_str(), Some("true"));
    let user_ids = [packet.user_id, None];
    let list = format!("[{},null]", packet.user_id.unwrap_or("null"));
    passed_on(&packet, whole.as_ref(), videre::ping(&packet, Some("main"), user_ids.into_iter()).as_str(), Some(&list));
});

fn header(packet: &Packet) -> (Event, [Option<String>; 2]) {
    (packet.event, [packet.user_id, packet.room_id].map(|text| text.map(str::to_owned)))
}

/// Whether there is nothing to be refused.
fn is_packet(whole: &Value) -> bool {
    let events = ["connect", "broadcast", "ping", "disconnect", "resume", "ack"];
    let header = &whole["Header"];
    header["Event"].as_str().is_some_and(|event| events.contains(&event))
        && !header["RoomId"].is_object()
        && !header["RoomId"].is_array()
}

/// Compares what is passed on with what came, after the same values have been replaced in both.
fn passed_on(packet: &Packet, whole: Option<&Value>, text: &str, payload: Option<&str>) {
    let again = Packet::parse(text).expect("what is passed on is a packet");
    assert_eq!((again.event, again.user_id), (packet.event, packet.user_id));
    assert_eq!(again.room_id.is_some(), packet.room_id.is_some());
    if again.room_id.is_some() {
        assert_eq!(&*again.room_key(), "main");
    }
    let Some(mut expected) = whole.cloned() else { return };
    if packet.room_id.is_some() {
        expected["Header"]["RoomId"] = "main".into();
    }
    if let Some(payload) = payload {
        expected["Payload"] = payload.into();
    }
    let mut passed = json(text);
    if matches!(packet.event, Event::Ping) && payload.is_some() {
        let list = |packet: &Value| json(packet["Payload"].as_str().expect("a text"));
        assert_eq!(list(&passed), list(&expected));
        passed["Payload"] = Value::Null;
        expected["Payload"] = Value::Null;
    }
    assert_eq!(passed, expected);
}
