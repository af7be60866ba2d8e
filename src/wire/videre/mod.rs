//! The videre packet: `{"Header": {"Event", "UserId", "RoomId"}, "Payload"}`, one JSON text each.
//!
//! A packet is read without building a tree: the members that matter are found as slices of the
//! text, the Payload is only skipped over (and so checked to be JSON). What is passed on is the
//! sender's own text, with at most two of its values replaced, so key order, unknown members and
//! numbers arrive as they were written. Of two members of one name the last counts, as it does for
//! every JavaScript receiver.

mod beginning;
mod parse;
mod render;
mod resume;
mod scan;

pub use beginning::Beginning;
pub use parse::{Event, NAME_BYTES, Packet, PacketError, RoomKey};
pub use render::{Departure, connect, disconnect, error, passed_on, ping};
pub use resume::{Resume, acknowledge, resumed, seated};

#[cfg(test)]
mod tests;
