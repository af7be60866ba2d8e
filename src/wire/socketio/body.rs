//! The bodies of polling requests: several Engine.IO packets in one.

use std::fmt::Write;

use super::{ParseError, Version};
use crate::wire::Text;

/// What stands between the packets of an Engine.IO 4 body. JSON has no such character unescaped.
const SEPARATOR: char = '\u{1e}';

/// The packets of a body, in order, as far as they can be told apart: an error is the last.
pub fn packets(version: Version, body: &[u8]) -> impl Iterator<Item = Result<&str, ParseError>> {
    let mut rest = Some(std::str::from_utf8(body).map_err(|_| ParseError::Framing));
    std::iter::from_fn(move || {
        let split = rest.take()?.and_then(|left| match version {
            Version::V3 => split_counted(left),
            Version::V4 => Ok(match left.split_once(SEPARATOR) {
                Some((packet, more)) => (packet, Some(more)),
                None => (left, None),
            }),
        });
        Some(split.map(|(packet, more)| {
            rest = more.map(Ok);
            packet
        }))
    })
}

/// `<length>:<packet>` and what follows it, if anything does.
fn split_counted(body: &str) -> Result<(&str, Option<&str>), ParseError> {
    let (length, rest) = body.split_once(':').ok_or(ParseError::Framing)?;
    if !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseError::Framing);
    }
    let length: usize = length.parse().map_err(|_| ParseError::Framing)?;
    let at = byte_of_unit(rest, length).ok_or(ParseError::Framing)?;
    let (packet, more) = rest.split_at(at);
    Ok((packet, (!more.is_empty()).then_some(more)))
}

/// Where in `text` the first `units` UTF-16 code units end; none if it is shorter, or if that is
/// between the halves of a pair.
fn byte_of_unit(text: &str, units: usize) -> Option<usize> {
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

/// The body of packets. A client that gets an empty one takes it for an error, so there must be one.
pub fn render_body(version: Version, packets: &[Text]) -> String {
    let length = packets.iter().map(|packet| packet.len() + 8).sum();
    let mut body = String::with_capacity(length);
    for (at, packet) in packets.iter().enumerate() {
        match version {
            Version::V3 => {
                write!(body, "{}:", units(packet.bytes())).expect("writing to a String cannot fail");
            }
            Version::V4 if at > 0 => body.push(SEPARATOR),
            Version::V4 => {}
        }
        body.push_str(packet.as_str());
    }
    body
}

/// The length in UTF-16 code units of valid UTF-8: one for each character, one more for each of
/// four bytes.
fn units(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(byte & 0xC0 != 0x80) + usize::from(*byte >= 0xF0)).sum()
}
