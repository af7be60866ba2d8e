//! Packets whose meaning is known, in the many ways in which they may be written.

use std::fmt::Write;

/// The session key of every model.
pub const KEY: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";

/// A JSON text; `None`: the member is left out.
pub type Written = Option<&'static str>;

/// UserIds: each is one value, in its spellings.
pub const USERS: [&[Written]; 6] = [
    &[Some(r#""U0""#), Some(r#""\u00550""#)],
    &[Some(r#""U1""#), Some(r#""U\u0031""#)],
    &[Some("7")],
    &[Some("null")],
    &[None],
    &[Some(r#"{"a":[1]}"#), Some(r#"{ "a" : [ 1 ] }"#)],
];

/// Rooms: the key, and the RoomIds that name it. The session key means the first.
pub const ROOMS: [(&str, &[Written]); 6] = [
    (
        "main",
        &[
            Some(r#""main""#),
            Some(r#""6f9619ff-8b86-4d01-b42d-00cf4fc964ff""#),
            Some(r#""\u006dain""#),
            Some(r#""\u0036f9619ff-8b86-4d01-b42d-00cf4fc964ff""#),
        ],
    ),
    ("a", &[Some(r#""a""#), Some(r#""\u0061""#)]),
    ("5", &[Some("5"), Some(r#""5""#), Some("5.0")]),
    ("undefined", &[None, Some(r#""undefined""#)]),
    ("__proto__", &[Some(r#""__proto__""#)]),
    ("", &[Some(r#""""#)]),
];

/// Where in [`ROOMS`] the session key means.
pub const MAIN: usize = 0;

/// Whether a RoomId is the session key.
pub fn is_key(room: Written) -> bool {
    room.is_some_and(|room| room.contains("f9619ff-"))
}

/// What is no packet, whatever the sender is.
pub const GARBAGE: [&str; 8] = [
    "",
    "null",
    "[]",
    "{",
    r#"{"Header":[],"Payload":""}"#,
    r#"{"Header":{"Event":"shout","UserId":"U0","RoomId":"main"}}"#,
    r#"{"Header":{"Event":"connect","RoomId":{}}}"#,
    r#"{"Header":{"Event":"broadcast","RoomId":"\ud800"},"Payload":}"#,
];

/// How many shapes there are.
pub const SHAPES: usize = 3;

/// A packet.
pub struct Packet {
    /// Its Event.
    pub event: &'static str,
    /// Its UserId.
    pub user: Written,
    /// Its RoomId.
    pub room: Written,
    /// Its Payload, JSON.
    pub payload: Option<String>,
    /// In which order, with what besides.
    pub shape: usize,
}

impl Packet {
    /// As its sender writes it.
    pub fn text(&self) -> String {
        self.written(self.room, self.payload.as_deref())
    }

    /// As it is passed on: with `main` for RoomId where that is to be hidden, and with another Payload.
    pub fn passed_on(&self, hides_room: bool, payload: Option<&str>) -> String {
        let room = self.room.map(|room| if hides_room { r#""main""# } else { room });
        if let (Some(payload), None) = (payload, &self.payload) {
            let mut text = self.written(room, None);
            let end = text.rfind('}').expect("a packet is an object");
            text.insert_str(end, &format!(r#","Payload":{payload}"#));
            return text;
        }
        self.written(room, payload.or(self.payload.as_deref()))
    }

    fn written(&self, room: Written, payload: Option<&str>) -> String {
        let mut text = String::with_capacity(128 + payload.map_or(0, str::len));
        let member = |text: &mut String, before: &str, name: &str, value: Option<&str>| {
            if let Some(value) = value {
                write!(text, r#"{before}"{name}":{value}"#).expect("a String takes all");
            }
        };
        let event = self.event;
        match self.shape {
            0 => {
                write!(text, r#"{{"Header":{{"Event":"{event}""#).expect("a String takes all");
                member(&mut text, ",", "UserId", self.user);
                member(&mut text, ",", "RoomId", room);
                text.push('}');
                member(&mut text, ",", "Payload", payload);
                text.push('}');
            }
            1 => {
                text.push('{');
                if let Some(payload) = payload {
                    write!(text, r#""Payload":{payload},"#).expect("a String takes all");
                }
                text.push_str(r#""Header":{"#);
                if let Some(room) = room {
                    write!(text, r#""RoomId":{room},"#).expect("a String takes all");
                }
                if let Some(user) = self.user {
                    write!(text, r#""UserId":{user},"#).expect("a String takes all");
                }
                write!(text, r#""Event":"{event}"}}}}"#).expect("a String takes all");
            }
            // White space, members of no meaning, and names that stand twice: the last counts.
            _ => {
                text.push_str(" { \"Header\" : {\"Event\":\"ping\"},\n\t\"Header\" : { \"X\":{\"RoomId\":\"a\"}");
                write!(text, ", \"Event\":\"nonsense\", \"Event\" : \"{event}\"").expect("a String takes all");
                if self.user.is_some() {
                    text.push_str(", \"UserId\":\"nobody\"");
                }
                member(&mut text, " , ", "UserId", self.user);
                if room.is_some() {
                    text.push_str(", \"RoomId\":\"nowhere\"");
                }
                member(&mut text, " , ", "RoomId", room);
                text.push_str(" }, \"Y\":[{}]");
                if payload.is_some() {
                    text.push_str(", \"Payload\":0");
                }
                member(&mut text, " , ", "Payload", payload);
                text.push_str(" } \n");
            }
        }
        text
    }
}
