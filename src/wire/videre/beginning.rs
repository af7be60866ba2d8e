//! What stands before a packet's Payload: mostly the same as in the sender's last packet.

use super::parse::Packet;
use super::scan::Scanner;

/// The longest that is kept.
const KEPT_BYTES: usize = 512;

/// The text of a packet up to its Payload, where nothing but the end follows that: a packet that begins likewise has the
/// same Header, and need be read from there on only.
pub struct Beginning(Box<str>);

impl Beginning {
    /// That of a packet, if its Payload is the last of it.
    pub fn of(packet: &Packet) -> Option<Self> {
        let payload = packet.payload?;
        let begin = payload.as_ptr().addr() - packet.text.as_ptr().addr();
        let is_last = packet.text[begin + payload.len()..].trim_ascii() == "}";
        (is_last && begin <= KEPT_BYTES).then(|| Self(packet.text[..begin].into()))
    }

    /// Whether a text is a packet that begins so and ends after its Payload. One that is not may be any other packet.
    pub fn is_of(&self, text: &str) -> bool {
        text.starts_with(&*self.0) && {
            let mut scanner = Scanner::from(text, self.0.len());
            scanner.value().is_some() && scanner.close() == Some(text.len())
        }
    }
}
