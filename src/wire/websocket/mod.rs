//! WebSocket's frames (RFC 6455, section 5), as a server reads and writes them: without extensions, so that the
//! reserved bits must be unset, and its own frames unmasked.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Incoming, Reader, Violation};
pub use writer::{begin, close, frame};

/// What a frame is (5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that an earlier frame began.
    Continuation = 0,
    /// UTF-8.
    Text = 1,
    /// Anything.
    Binary = 2,
    /// The end of the connection, with a code and a reason, or without.
    Close = 8,
    /// To be answered by a pong with the same payload.
    Ping = 9,
    /// The answer, or a sign of life that nobody asked for.
    Pong = 10,
}

impl Opcode {
    fn of(bits: u8) -> Option<Self> {
        [Self::Continuation, Self::Text, Self::Binary, Self::Close, Self::Ping, Self::Pong]
            .into_iter()
            .find(|opcode| *opcode as u8 == bits)
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The bit of a frame's first byte that says that the message ends with it.
const FIN: u8 = 0x80;

/// The bit of the second byte that says that the payload is masked.
const MASKED: u8 = 0x80;

/// The longest payload of a control frame (5.5).
const CONTROL_BYTES: usize = 125;
