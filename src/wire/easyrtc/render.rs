//! Writing acknowledgements, and what they share with what is emitted.

use std::fmt::Write;

use super::{ErrorCode, Name, Presence};
use crate::wire::Text;

/// The acknowledgement of what has no result: exactly this (6).
pub fn ack() -> Text {
    Text::from(r#"{"msgType":"ack"}"#)
}

/// The acknowledgement of what was refused (6).
pub fn error(code: ErrorCode, now: u64) -> Text {
    let name = code.code();
    format!(r#"{{"msgType":"error","serverTime":{now},"msgData":{{"errorCode":"{name}","errorText":"{code}"}}}}"#)
        .into()
}

/// A member of a room as others see it.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Its id.
    pub easyrtcid: &'a Name,
    /// When it joined this room, in milliseconds since 1970.
    pub room_join_time: u64,
    /// Its presence.
    pub presence: &'a Presence,
    /// Its field in this room, if that is to be told and not empty.
    pub api_field: Option<&'a str>,
    /// Its name as JSON.
    pub username: Option<&'a str>,
}

impl Client<'_> {
    fn write(&self, into: &mut String) {
        let Self { easyrtcid, room_join_time, presence, .. } = self;
        let written = write!(
            into,
            r#""{easyrtcid}":{{"easyrtcid":"{easyrtcid}","roomJoinTime":{room_join_time},"presence":{presence}"#
        );
        written.expect("a String takes all that is written");
        for (name, value) in [(r#","apiField":"#, self.api_field), (r#","username":"#, self.username)] {
            if let Some(value) = value {
                into.push_str(name);
                into.push_str(value);
            }
        }
        into.push('}');
    }
}

/// The entry of a room for one who is in it: all its members, the reader included. For its own
/// acknowledgements only; others would take it as their own entry (10.1).
pub fn joined<'a>(room: &Name, members: impl Iterator<Item = Client<'a>>) -> String {
    let mut entry = format!(r#""{room}":{{"roomName":"{room}","roomStatus":"join","clientList":{{"#);
    for (at, member) in members.enumerate() {
        if at > 0 {
            entry.push(',');
        }
        member.write(&mut entry);
    }
    entry.push_str("}}");
    entry
}

/// The entry of a room one has left, for one's own acknowledgement.
pub fn left(room: &Name) -> String {
    format!(r#""{room}":{{"roomName":"{room}","roomStatus":"leave"}}"#)
}

/// The entry of a room in which a client is new or has changed.
pub fn updated(room: &Name, client: Client) -> String {
    let mut entry = delta(room, "updateClient");
    client.write(&mut entry);
    entry.push_str("}}}");
    entry
}

/// The entry of a room that a client has left.
pub fn removed(room: &Name, easyrtcid: &Name) -> String {
    let mut entry = delta(room, "removeClient");
    entry.push_str(&format!(r#""{easyrtcid}":{{"easyrtcid":"{easyrtcid}"}}}}}}}}"#));
    entry
}

fn delta(room: &Name, what: &str) -> String {
    format!(r#""{room}":{{"roomName":"{room}","roomStatus":"update","clientListDelta":{{"{what}":{{"#)
}

/// Entries as one object.
pub(super) fn entries<'e>(entries: impl IntoIterator<Item = &'e str>) -> String {
    let mut object = String::from("{");
    for entry in entries {
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(entry);
    }
    object.push('}');
    object
}

/// The acknowledgement of `roomJoin`, `roomLeave`, `setRoomApiField` and `setPresence`.
pub fn room_data_ack<'e>(rooms: impl IntoIterator<Item = &'e str>) -> Text {
    format!(r#"{{"msgType":"roomData","msgData":{{"roomData":{}}}}}"#, entries(rooms)).into()
}

/// The acknowledgement of `getRoomList`: all rooms of the application, and how many are in each.
pub fn room_list<'a>(rooms: impl Iterator<Item = (&'a Name, usize)>) -> Text {
    let rooms: Vec<String> =
        rooms.map(|(room, clients)| format!(r#""{room}":{{"roomName":"{room}","numberClients":{clients}}}"#)).collect();
    let rooms = entries(rooms.iter().map(String::as_str));
    format!(r#"{{"msgType":"roomList","msgData":{{"roomList":{rooms}}}}}"#).into()
}

/// The acknowledgement of `getIceConfig`. `ice_servers`: a JSON array.
pub fn ice_config(ice_servers: &str) -> Text {
    format!(r#"{{"msgType":"iceConfig","msgData":{{"iceConfig":{{"iceServers":{ice_servers}}}}}}}"#).into()
}

/// What a client is told when it has authenticated (7.1).
#[derive(Debug)]
pub struct Token<'a> {
    /// Its application.
    pub application: &'a Name,
    /// Its id.
    pub easyrtcid: &'a Name,
    /// What it calls its browser.
    pub easyrtcsid: Option<&'a str>,
    /// A JSON array.
    pub ice_servers: &'a str,
    /// The rooms it is in, made by [`joined`].
    pub rooms: &'a [String],
    /// Milliseconds since 1970.
    pub now: u64,
}

/// The acknowledgement of `easyrtcAuth`.
pub fn token(token: &Token) -> Text {
    let Token { application, easyrtcid, easyrtcsid, ice_servers, rooms, now } = token;
    let rooms = entries(rooms.iter().map(String::as_str));
    let session = easyrtcsid.map(|sid| format!(r#","sessionData":{{"easyrtcsid":"{sid}"}}"#)).unwrap_or_default();
    format!(
        r#"{{"msgType":"token","msgData":{{"roomData":{rooms},"application":{{"applicationName":"{application}"}},"easyrtcid":"{easyrtcid}","iceConfig":{{"iceServers":{ice_servers}}},"serverTime":{now}{session}}}}}"#
    )
    .into()
}
