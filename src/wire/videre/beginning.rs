//! What stands before a packet's Payload: mostly the same as in the sender's last packet.

use std::ops::Range;

use super::parse::{Event, Packet};
use super::scan::Scanner;

/// The longest that is kept.
const KEPT_BYTES: usize = 512;

/// The text of a packet up to its Payload, with the Header that was read in it: a packet that begins likewise need be
/// read from there on only.
pub struct Beginning {
    text: Box<str>,
    event: Event,
    user_id: Option<Range<usize>>,
    room_id: Option<Range<usize>>,
}

impl Beginning {
    /// That of a packet, if nothing but the end follows its Payload.
    pub fn of(packet: &Packet) -> Option<Self> {
        let place = |slice: &str| {
            let begin = slice.as_ptr().addr() - packet.text.as_ptr().addr();
            begin..begin + slice.len()
        };
        let payload = place(packet.payload?);
        let is_last = packet.text[payload.end..].trim_ascii() == "}";
        (is_last && payload.start <= KEPT_BYTES).then(|| Self {
            text: packet.text[..payload.start].into(),
            event: packet.event,
            user_id: packet.user_id.map(place),
            room_id: packet.room_id.map(place),
        })
    }

    /// The packet, if it begins so and ends after its Payload; otherwise it is to be read whole.
    pub fn read<'a>(&self, text: &'a str) -> Option<Packet<'a>> {
        if !text.starts_with(&*self.text) {
            return None;
        }
        let mut scanner = Scanner::from(text, self.text.len());
        let payload = scanner.value()?;
        (scanner.close()? == text.len()).then(|| Packet {
            text,
            event: self.event,
            user_id: self.user_id.clone().map(|place| &text[place]),
            room_id: self.room_id.clone().map(|place| &text[place]),
            payload: Some(payload),
        })
    }
}
