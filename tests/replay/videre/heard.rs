//! What a peer hears, whatever carries it.

use std::fmt;

use serde_json::Value;

use crate::replay::json;
use crate::replay::outcome::shown;

/// Something that reached a peer.
#[derive(Clone, Debug)]
pub enum Heard {
    /// A SockJS session is open.
    Open,
    /// A packet.
    Packet(Value),
    /// The connection's end: code and reason.
    Closed(u16, String),
}

/// What is in a SockJS frame: one thing for each packet of an array, nothing for a heartbeat.
pub fn in_frame(frame: &str) -> Result<Vec<Heard>, String> {
    let bad = || format!("not a frame: {}", shown(frame));
    match frame.split_at_checked(1).ok_or_else(bad)? {
        ("o", "") => Ok(vec![Heard::Open]),
        ("h", "") => Ok(Vec::new()),
        ("a", array) => {
            let texts: Vec<String> = serde_json::from_str(array).map_err(|_| bad())?;
            texts.iter().map(|text| packet(text)).collect()
        }
        ("c", array) => {
            let (code, reason) = serde_json::from_str(array).map_err(|_| bad())?;
            Ok(vec![Heard::Closed(code, reason)])
        }
        _ => Err(bad()),
    }
}

/// A packet, from its text.
pub fn packet(text: &str) -> Result<Heard, String> {
    json::read(text).map(Heard::Packet).ok_or_else(|| format!("not JSON: {}", shown(text)))
}

impl fmt::Display for Heard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Heard::Open => write!(formatter, "the opening of the session"),
            Heard::Packet(packet) => write!(formatter, "{}", shown(&packet.to_string())),
            Heard::Closed(code, reason) => write!(formatter, "a close, {code} {reason:?}"),
        }
    }
}
