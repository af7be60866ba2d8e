//! What clients send: JSON arrays of strings.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

/// Why what a client sent is no array of strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, not UTF-8, or an element that is no string.
    #[error("Broken JSON encoding.")]
    Broken,
    /// JSON, but no array.
    #[error("Payload expected.")]
    NoArray,
    /// More than a thousand.
    #[error("Too many messages.")]
    TooMany,
}

/// The most messages of one frame or body: what a client has in store when it may send. Of a great many short ones each
/// takes more to keep than to send.
const MOST_MESSAGES: usize = 1000;

/// The messages of an HTTP body.
///
/// # Errors
/// What is not an array of strings, see [`DecodeError`].
pub fn decode_array(body: &[u8]) -> Result<Vec<String>, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::Broken)?;
    match serde_json::from_str::<Elements>(text) {
        Ok(elements) if elements.count > MOST_MESSAGES => Err(DecodeError::TooMany),
        Ok(elements) => Ok(elements.first),
        Err(_) if text.trim_start().starts_with('[') => Err(DecodeError::Broken),
        Err(_) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(DecodeError::NoArray),
            Err(_) => Err(DecodeError::Broken),
        },
    }
}

/// The messages of a text on a framed WebSocket: as [`decode_array`], but an empty text is none and
/// a lone string is one, as the original server has it.
///
/// # Errors
/// As [`decode_array`].
pub fn decode_frame(text: &str) -> Result<Vec<String>, DecodeError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    match text.trim_start().starts_with('"') {
        true => serde_json::from_str::<Element>(text).map(|lone| vec![lone.0]).map_err(|_| DecodeError::Broken),
        false => decode_array(text.as_bytes()),
    }
}

/// The most bytes that one of a message's may take where it is written.
const LONGEST_ESCAPE: usize = 6;

/// What stands around each message.
const AROUND: usize = 8;

/// How many bytes of a frame or body its messages do not account for; `None` where there are messages, and they do.
pub fn padding(length: usize, messages: &[String]) -> Option<usize> {
    let accounted = messages.iter().map(|message| message.len() * LONGEST_ESCAPE + AROUND).sum();
    (messages.is_empty() || length > accounted).then(|| length.saturating_sub(accounted))
}

/// An array of them: the first, and how many there are.
struct Elements {
    first: Vec<String>,
    count: usize,
}

impl<'de> Deserialize<'de> for Elements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Elements;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an array of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Elements, A::Error> {
                let mut all = Elements { first: Vec::new(), count: 0 };
                while let Some(Element(message)) = array.next_element()? {
                    all.count += 1;
                    if all.count <= MOST_MESSAGES {
                        all.first.push(message);
                    }
                }
                Ok(all)
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

/// A JSON string that may hold lone surrogates, which are no Unicode text: each becomes U+FFFD.
struct Element(String);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Element;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Element, E> {
                without_surrogates(bytes.to_vec()).map(Element).ok_or_else(|| E::custom("not UTF-8"))
            }
        }
        // As bytes, since only so are lone surrogates let through, as the three bytes that UTF-8
        // would have for them.
        deserializer.deserialize_bytes(Bytes)
    }
}

fn without_surrogates(bytes: Vec<u8>) -> Option<String> {
    let mut bytes = match String::from_utf8(bytes) {
        Ok(text) => return Some(text),
        Err(error) => error.into_bytes(),
    };
    for at in 0..bytes.len().saturating_sub(2) {
        if bytes[at] == 0xED && bytes[at + 1] >= 0xA0 {
            bytes[at..at + 3].copy_from_slice("\u{FFFD}".as_bytes());
        }
    }
    String::from_utf8(bytes).ok()
}
