//! Engine.IO 3 and 4, and the Socket.IO packets inside: packets, polling bodies. Pure.
//!
//! ```text
//! polling body or WebSocket text   Engine.IO packet   Socket.IO packet
//! 6:42["x"] or 42["x"]             4 and the rest     2, then an id, then ["x"]
//! ```
//!
//! Only text, and only namespace `/`: a packet with binary attachments is an error, another namespace
//! is named in order to be refused.

mod body;
mod engine;
mod packet;
mod render;

#[cfg(test)]
mod tests;

pub use body::{packets, render_body};
pub use engine::{EnginePacket, Version};
pub use packet::{Event, Packet};
pub use render::{
    BYE, CLOSE, Handshake, NOOP, PING, PONG, PROBE, PROBED, acknowledgement, connected, event, open, refused,
};

/// Why what a client sent is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A type that there is not, or that only a server sends.
    #[error("unknown packet type")]
    Type,
    /// Binary data, which this protocol has no use for.
    #[error("binary data")]
    Binary,
    /// Lengths and packets of a body that do not fit together, or no UTF-8.
    #[error("broken framing")]
    Framing,
    /// An id too large for a number, or where none may be.
    #[error("bad acknowledgement id")]
    Id,
    /// Not the JSON that a packet of its type carries.
    #[error("bad payload")]
    Payload,
    /// An event of a name that the protocol keeps for itself.
    #[error("reserved event name")]
    Reserved,
}
