//! Writing a packet: the sender's text with some values replaced, or a packet of the server's own.

use std::borrow::Cow;

use super::parse::Packet;

/// Why a member left, where the others are to know more than that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It left, or its connection was lost: the notice says no more, as the old server's.
    Gone,
    /// Its key was taken from it: `Header.Reason` is `removed`, so that the others end its call at
    /// once instead of waiting for it to come back.
    Removed,
}

/// The packet as it goes to others. `room`: what stands for RoomId instead of what the sender wrote
/// (a session key must not be passed on).
pub fn passed_on<'a>(packet: &Packet<'a>, room: Option<&str>) -> Cow<'a, str> {
    match room {
        None => packet.text.into(),
        Some(_) => replaced(packet, room, None).into(),
    }
}

/// The answer to a `connect`, for all members: Payload is the JSON text of the initiator flag.
pub fn connect(packet: &Packet, room: Option<&str>, initiator: bool) -> String {
    replaced(packet, room, Some(if initiator { r#""true""# } else { r#""false""# }))
}

/// The answer to a `ping`: Payload is the JSON text of the array of user ids, in join order; `None`
/// is a member without one.
pub fn ping<'a>(packet: &Packet, room: Option<&str>, user_ids: impl Iterator<Item = Option<&'a str>>) -> String {
    let mut list = String::from("[");
    for (at, id) in user_ids.enumerate() {
        if at > 0 {
            list.push(',');
        }
        list.push_str(id.unwrap_or("null"));
    }
    list.push(']');
    replaced(packet, room, Some(&json_string(&list)))
}

/// The notice that a member left. `user_id` is JSON text, `room` the room's key.
pub fn disconnect(user_id: Option<&str>, room: &str, departure: Departure) -> String {
    let reason = match departure {
        Departure::Gone => "",
        Departure::Removed => r#","Reason":"removed""#,
    };
    let header = header("disconnect", user_id, Some(&json_string(room)));
    format!(r#"{{"Header":{{{header}{reason}}},"Payload":""}}"#)
}

/// Tells a sender what was wrong with its packet; `user_id` and `room` are its own, if it has any.
pub fn error(user_id: Option<&str>, room: Option<&str>, reason: &str) -> String {
    let header = header("error", user_id, room.map(json_string).as_deref());
    format!(r#"{{"Header":{{{header}}},"Payload":{}}}"#, json_string(reason))
}

fn header(event: &str, user_id: Option<&str>, room_id: Option<&str>) -> String {
    let mut header = format!(r#""Event":"{event}""#);
    for (name, value) in [("UserId", user_id), ("RoomId", room_id)] {
        if let Some(value) = value {
            header.push_str(&format!(r#","{name}":{value}"#));
        }
    }
    header
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("text is always JSON")
}

/// The packet's text with RoomId and Payload replaced where given. A Payload that is missing is
/// added as the last member.
fn replaced(packet: &Packet, room: Option<&str>, payload: Option<&str>) -> String {
    let text = packet.text;
    let room = room.map(json_string);
    let mut edits = Vec::with_capacity(2);
    if let (Some(new), Some(old)) = (room.as_deref(), packet.room_id) {
        edits.push((offset(text, old), old.len(), "", new));
    }
    match (payload, packet.payload) {
        (Some(new), Some(old)) => edits.push((offset(text, old), old.len(), "", new)),
        (Some(new), None) => edits.push((text.trim_end().len() - 1, 0, r#","Payload":"#, new)),
        (None, _) => {}
    }
    edits.sort_unstable_by_key(|edit| edit.0);

    let mut written = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for (start, length, prefix, new) in edits {
        written.push_str(&text[at..start]);
        written.push_str(prefix);
        written.push_str(new);
        at = start + length;
    }
    written.push_str(&text[at..]);
    written
}

/// Where a slice of `text` begins in it.
fn offset(text: &str, slice: &str) -> usize {
    slice.as_ptr().addr() - text.as_ptr().addr()
}
