//! What clients send: JSON arrays of strings.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, Visitor};

/// Why what a client sent is no array of strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, not UTF-8, or an element that is no string.
    #[error("Broken JSON encoding.")]
    Broken,
    /// JSON, but no array.
    #[error("Payload expected.")]
    NoArray,
}

/// The messages of an HTTP body.
///
/// # Errors
/// What is not an array of strings, see [`DecodeError`].
pub fn decode_array(body: &[u8]) -> Result<Vec<String>, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::Broken)?;
    match serde_json::from_str::<Vec<Element>>(text) {
        Ok(elements) => Ok(elements.into_iter().map(|element| element.0).collect()),
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
