//! Reading a packet.

use serde_json::Value;

use super::scan::{Scanner, plain};

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
        let mut scanner = Scanner::new(text);
        let (mut header, mut payload) = (None, None);
        let read = scanner.members(|name, values| {
            match name {
                "Header" => header = Some(Header::read(values)?),
                "Payload" => payload = Some(values.value()?),
                _ => _ = values.value()?,
            }
            Some(())
        });
        if read.is_none() || !scanner.is_over() {
            return Err(not_an_object(text));
        }
        let header = header.flatten().ok_or(PacketError::NoHeader)?;
        let Header { event, user_id, room_id } = header;
        let event = event
            .filter(|value| value.starts_with('"'))
            .and_then(|name| Event::named(&plain(name, name.contains('\\'))))
            .ok_or(PacketError::UnknownEvent)?;
        if user_id.map_or(0, str::len) > NAME_BYTES || room_id.map_or(0, str::len) > NAME_BYTES {
            return Err(PacketError::NameTooLong);
        }
        if room_id.is_some_and(|id| id.starts_with(['{', '['])) {
            return Err(PacketError::RoomIdKind);
        }
        Ok(Self { text, event, user_id, room_id, payload })
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
    let mut scanner = Scanner::new(text);
    if scanner.value().is_some() && scanner.is_over() { PacketError::NotObject } else { PacketError::NotJson }
}

/// The members of a Header that matter, as JSON texts.
#[derive(Default)]
struct Header<'a> {
    event: Option<&'a str>,
    user_id: Option<&'a str>,
    room_id: Option<&'a str>,
}

impl<'a> Header<'a> {
    /// Reads the value that comes next: nothing if it is no object. `None`: it is no JSON.
    fn read(values: &mut Scanner<'a>) -> Option<Option<Self>> {
        if values.next() != Some(b'{') {
            values.value()?;
            return Some(None);
        }
        let mut header = Self::default();
        values.members(|name, values| {
            let value = values.value()?;
            match name {
                "Event" => header.event = Some(value),
                "UserId" => header.user_id = Some(value),
                "RoomId" => header.room_id = Some(value),
                _ => {}
            }
            Some(())
        })?;
        Some(Some(header))
    }
}
