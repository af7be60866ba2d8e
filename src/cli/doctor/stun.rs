//! As much of a STUN and TURN client as it takes to see that a server answers, and gives a relay to
//! our credentials (RFC 8489, RFC 8656). Bytes only: `turn.rs` sends and receives them.
//!
//! | bytes | |
//! | --- | --- |
//! | 2 | type: method and class |
//! | 2 | length of what follows the header |
//! | 4 | cookie |
//! | 12 | transaction |
//! | … | attributes: type 2, length 2, value, padded to 4 |

use md5::{Digest, Md5};
use ring::hmac;

/// Header of every message.
pub(super) const HEADER: usize = 20;

const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();

/// Tells an answer from another's.
pub(super) type Transaction = [u8; 12];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Who am I, seen from you?
    Binding = 0x001,
    /// A relay.
    Allocate = 0x003,
    /// A relay for so long; for no longer, if that is 0.
    Refresh = 0x004,
}

const SUCCESS: u16 = 0x100;
const ERROR: u16 = 0x110;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const LIFETIME: u16 = 0x000d;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const REQUESTED_TRANSPORT: u16 = 0x0019;

/// The number of UDP, as REQUESTED-TRANSPORT has it, and three reserved bytes.
const UDP: [u8; 4] = [17, 0, 0, 0];

/// What a server says when it wants to know who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: String,
    pub(super) nonce: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is done.
    Success,
    /// It is not: the code, the reason in words, and what is needed to ask again as somebody.
    Error(u16, String, Option<Challenge>),
}

/// A request, without anybody's name to it.
pub(super) fn request(method: Method, transaction: &Transaction) -> Vec<u8> {
    let mut message = Vec::with_capacity(256);
    message.extend((method as u16).to_be_bytes());
    message.extend([0, 0]);
    message.extend(COOKIE);
    message.extend(transaction);
    match method {
        Method::Binding => {}
        Method::Allocate => attribute(&mut message, REQUESTED_TRANSPORT, &UDP),
        Method::Refresh => attribute(&mut message, LIFETIME, &[0; 4]),
    }
    message
}

/// The same request as somebody, with the long-term credentials of RFC 8489, 9.2.
pub(super) fn signed(mut message: Vec<u8>, username: &str, password: &str, challenge: &Challenge) -> Vec<u8> {
    attribute(&mut message, USERNAME, username.as_bytes());
    attribute(&mut message, NONCE, &challenge.nonce);
    attribute(&mut message, REALM, challenge.realm.as_bytes());
    let key = Md5::digest(format!("{username}:{}:{password}", challenge.realm));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    // The header's length counts the attribute that is about to be made.
    set_length(&mut message, 4 + 20);
    let tag = hmac::sign(&key, &message);
    attribute(&mut message, MESSAGE_INTEGRITY, tag.as_ref());
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // Names and nonces are a few hundred bytes at most: what is read is bounded by a datagram.
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    message.extend(kind.to_be_bytes());
    message.extend(length.to_be_bytes());
    message.extend(&value[..usize::from(length)]);
    message.resize(message.len().next_multiple_of(4), 0);
    set_length(message, 0);
}

fn set_length(message: &mut [u8], more: usize) {
    let length = u16::try_from(message.len() - HEADER + more).unwrap_or(u16::MAX);
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// How long the message is whose header this is.
pub(super) fn length(header: &[u8; HEADER]) -> usize {
    HEADER + usize::from(u16::from_be_bytes([header[2], header[3]]))
}

/// What a message says, if it is the answer to this request.
pub(super) fn answer(message: &[u8], method: Method, transaction: &Transaction) -> Option<Answer> {
    let (header, mut rest) = message.split_first_chunk::<HEADER>()?;
    if header[4..8] != COOKIE || header[8..] != transaction[..] || length(header) != message.len() {
        return None;
    }
    let kind = u16::from_be_bytes([header[0], header[1]]);
    if kind == method as u16 | SUCCESS {
        return Some(Answer::Success);
    }
    if kind != method as u16 | ERROR {
        return None;
    }
    let (mut code, mut reason, mut realm, mut nonce) = (0, String::new(), None, None);
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = after.get(..length)?;
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
        match u16::from_be_bytes([head[0], head[1]]) {
            ERROR_CODE => {
                let (head, words) = value.split_first_chunk::<4>()?;
                code = u16::from(head[2] & 7) * 100 + u16::from(head[3]);
                reason = String::from_utf8_lossy(words).into_owned();
            }
            REALM => realm = Some(String::from_utf8_lossy(value).into_owned()),
            NONCE => nonce = Some(value.to_vec()),
            _ => {}
        }
    }
    let challenge = realm.zip(nonce).map(|(realm, nonce)| Challenge { realm, nonce });
    Some(Answer::Error(code, reason, challenge))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: Transaction = *b"abcdefghijkl";

    fn error(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = request(Method::Binding, &TRANSACTION);
        message[..2].copy_from_slice(&(Method::Allocate as u16 | ERROR).to_be_bytes());
        for (kind, value) in attributes {
            attribute(&mut message, *kind, value);
        }
        message
    }

    #[test]
    fn requests_are_these_bytes() {
        assert_eq!(request(Method::Binding, &TRANSACTION), b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl");
        let allocate = b"\0\x03\0\x08\x21\x12\xa4\x42abcdefghijkl\0\x19\0\x04\x11\0\0\0";
        assert_eq!(request(Method::Allocate, &TRANSACTION), allocate);
    }

    /// RFC 5769, 2.4: the sample request with long-term authentication.
    #[test]
    fn a_signature_is_that_of_the_rfcs_sample() {
        let transaction = [0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e];
        let challenge = Challenge { realm: "example.org".to_owned(), nonce: b"f//499k954d6OL34oL9FSTvy64sA".to_vec() };
        let name = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
        let message = signed(request(Method::Binding, &transaction), name, "TheMatrIX", &challenge);
        let tag = [
            0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02, 0xb8, 0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8,
            0x96, 0x66,
        ];
        assert_eq!(message[message.len() - 20..], tag);
    }

    #[test]
    fn answers_are_read_and_others_passed_over() {
        let challenge = Challenge { realm: "r".to_owned(), nonce: b"n1".to_vec() };
        let message = error(&[(ERROR_CODE, b"\0\0\x04\x01Unauthorized"), (REALM, b"r"), (NONCE, b"n1")]);
        let read = answer(&message, Method::Allocate, &TRANSACTION);
        assert_eq!(read, Some(Answer::Error(401, "Unauthorized".to_owned(), Some(challenge))));
        assert_eq!(answer(&message, Method::Binding, &TRANSACTION), None);
        assert_eq!(answer(&message, Method::Allocate, b"another's tr"), None);
    }

    #[test]
    fn mangled_answers_do_no_harm() {
        let message = error(&[(ERROR_CODE, b"\0\0\x04\x01Unauthorized"), (REALM, b"realm"), (NONCE, b"nonce")]);
        for length in 0..message.len() {
            assert_eq!(answer(&message[..length], Method::Allocate, &TRANSACTION), None);
        }
        for at in 0..message.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut mangled = message.clone();
                mangled[at] = byte;
                let _ = answer(&mangled, Method::Allocate, &TRANSACTION);
            }
        }
    }
}
