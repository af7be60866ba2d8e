//! Engine.IO's own packets: one character, then the payload.

use super::ParseError;

/// Which Engine.IO a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Of Socket.IO 1 and 2: lengths before packets, the client sends the pings, namespace `/` is open
    /// from the start.
    V3,
    /// Of Socket.IO 3 and later.
    V4,
}

impl Version {
    /// By the query parameter `EIO`: whatever is not 4 counts as 3, as the original has it.
    pub fn of_query(eio: Option<&str>) -> Self {
        if eio == Some("4") { Self::V4 } else { Self::V3 }
    }
}

/// A packet from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the packet of its name")]
pub enum EnginePacket<'a> {
    Close,
    Ping(&'a str),
    Pong,
    /// With the Socket.IO packet.
    Message(&'a str),
    Upgrade,
    Noop,
}

impl<'a> EnginePacket<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// An unknown type, and `b`, which begins binary data.
    pub fn parse(packet: &'a str) -> Result<Self, ParseError> {
        let mut rest = packet.chars();
        let kind = rest.next().ok_or(ParseError::Type)?;
        let rest = rest.as_str();
        match kind {
            '1' => Ok(Self::Close),
            '2' => Ok(Self::Ping(rest)),
            '3' => Ok(Self::Pong),
            '4' => Ok(Self::Message(rest)),
            '5' => Ok(Self::Upgrade),
            '6' => Ok(Self::Noop),
            'b' => Err(ParseError::Binary),
            _ => Err(ParseError::Type),
        }
    }
}
