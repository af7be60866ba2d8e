//! Reading a packet.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The longest UserId or RoomId, in bytes of JSON text. Both are kept for as long as a member stays
/// and repeated in notices and ping answers, so they may not be as long as a message may be.
pub const NAME_BYTES: usize = 1024;

/// What a packet asks for. Exact, case matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Join a room.
    Connect,
    /// To the others in the room.
    Broadcast,
    /// Who is in the room?
    Ping,
    /// Leave the room, stay connected.
    Disconnect,
    /// Be able to come back, or come back; see [`Resume`](super::Resume).
    Resume,
    /// So many packets have arrived.
    Ack,
}

impl Event {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "connect" => Self::Connect,
            "broadcast" => Self::Broadcast,
            "ping" => Self::Ping,
            "disconnect" => Self::Disconnect,
            "resume" => Self::Resume,
            "ack" => Self::Ack,
            _ => return None,
        })
    }
}

/// Why a text is no packet. Its `Display` is the Payload of the error packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The text is not JSON.
    #[error("the packet is not JSON")]
    NotJson,
    /// JSON, but not an object.
    #[error("the packet is not a JSON object")]
    NotObject,
    /// No Header, or one that is no object.
    #[error("Header is missing or not an object")]
    NoHeader,
    /// Event is missing, no text, or none of ours.
    #[error("Header.Event is none of connect, broadcast, ping, disconnect, resume, ack")]
    UnknownEvent,
    /// RoomId is an object or an array.
    #[error("Header.RoomId is an object or an array")]
    RoomIdKind,
    /// UserId or RoomId is over [`NAME_BYTES`].
    #[error("Header.UserId or Header.RoomId is longer than 1024 bytes")]
    NameTooLong,
}

/// A packet, as slices of its text.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    pub(super) text: &'a str,
    /// What it asks for.
    pub event: Event,
    /// The JSON text of UserId, of any type; `None` if there is none.
    pub user_id: Option<&'a str>,
    /// The JSON text of RoomId.
    pub room_id: Option<&'a str>,
    pub(super) payload: Option<&'a str>,
}

/// What a room is known by: two RoomIds with one key name one room.
pub type RoomKey = Box<str>;

impl<'a> Packet<'a> {
    /// Reads a packet. Runs in time linear in the text, with a stack that does not grow with its
    /// depth.
    ///
    /// # Errors
    /// The first thing that is wrong, see [`PacketError`].
    pub fn parse(text: &'a str) -> Result<Self, PacketError> {
        let top: Members = serde_json::from_str(text).map_err(|_| not_an_object(text))?;
        let header = top.header.ok_or(PacketError::NoHeader)?;
        let header: HeaderMembers = serde_json::from_str(header.get()).map_err(|_| PacketError::NoHeader)?;
        let event = header.event.and_then(event).ok_or(PacketError::UnknownEvent)?;
        let (user_id, room_id) = (header.user_id.map(RawValue::get), header.room_id.map(RawValue::get));
        if user_id.map_or(0, str::len) > NAME_BYTES || room_id.map_or(0, str::len) > NAME_BYTES {
            return Err(PacketError::NameTooLong);
        }
        if room_id.is_some_and(|id| id.starts_with(['{', '['])) {
            return Err(PacketError::RoomIdKind);
        }
        Ok(Self { text, event, user_id, room_id, payload: top.payload.map(RawValue::get) })
    }

    /// The key of the room that the packet names: a text is itself, a number, boolean or null its
    /// JavaScript text, and no RoomId at all is the key `undefined`.
    pub fn room_key(&self) -> RoomKey {
        let Some(id) = self.room_id else { return "undefined".into() };
        match serde_json::from_str(id) {
            Ok(Value::String(text)) => text.into(),
            Ok(Value::Number(number)) => number_text(&number).into(),
            Ok(Value::Bool(flag)) => flag.to_string().into(),
            Ok(Value::Null) => "null".into(),
            // A text with a lone surrogate is no Unicode text; its escapes name it as well.
            _ => id.into(),
        }
    }
}

/// A number as JavaScript writes it, for all that a room is likely to be called.
fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(0.0) => "0".to_owned(),
        Some(float) if !number.is_i64() && !number.is_u64() && float.abs() < 1e21 => float.to_string(),
        _ => number.to_string(),
    }
}

fn not_an_object(text: &str) -> PacketError {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => PacketError::NotObject,
        Err(_) => PacketError::NotJson,
    }
}

fn event(raw: &RawValue) -> Option<Event> {
    let text = raw.get();
    if text.contains('\\') {
        return Event::named(&serde_json::from_str::<String>(text).ok()?);
    }
    Event::named(text.strip_prefix('"')?.strip_suffix('"')?)
}

#[derive(Default)]
struct Members<'a> {
    header: Option<&'a RawValue>,
    payload: Option<&'a RawValue>,
}

#[derive(Default)]
struct HeaderMembers<'a> {
    event: Option<&'a RawValue>,
    user_id: Option<&'a RawValue>,
    room_id: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Self::default();
        deserializer.deserialize_map(LastWins(|name: Name, value| match name {
            Name::Header => members.header = Some(value),
            Name::Payload => members.payload = Some(value),
            _ => {}
        }))?;
        Ok(members)
    }
}

impl<'de> Deserialize<'de> for HeaderMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Self::default();
        deserializer.deserialize_map(LastWins(|name: Name, value| match name {
            Name::Event => members.event = Some(value),
            Name::UserId => members.user_id = Some(value),
            Name::RoomId => members.room_id = Some(value),
            _ => {}
        }))?;
        Ok(members)
    }
}

/// Hands every member to the closure in order. Derived code would refuse a name that stands twice.
struct LastWins<F>(F);

impl<'de, F: FnMut(Name, &'de RawValue)> Visitor<'de> for LastWins<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(name) = map.next_key()? {
            (self.0)(name, map.next_value()?);
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Name {
    Header,
    Payload,
    Event,
    UserId,
    RoomId,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "Header" => Name::Header,
                    "Payload" => Name::Payload,
                    "Event" => Name::Event,
                    "UserId" => Name::UserId,
                    "RoomId" => Name::RoomId,
                    _ => Name::Other,
                })
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}
