//! What happens: the rooms of one session and the rules of the videre protocol. Pure: it knows no
//! clock, socket, lock or chance. Whoever calls serialises the calls. EasyRTC has rooms of its own
//! kind, in [`easyrtc`].
//!
//! What always holds, each with a test of its name:
//!
//! 1. `one_order`: the members of a room see its packets in the order in which they were applied.
//! 2. `isolation`: what is said in a room reaches its members and nobody else.
//! 3. `own_identity_only`: a packet under a UserId or RoomId that is not its sender's reaches nobody.
//! 4. `someone_always_initiates`: in a room with members, a joiner is told that it is the initiator
//!    exactly when no present member was told so.
//! 5. `bounded`: what a room, a peer and a session keep for slow readers is within its limit; who falls behind is ended.
//! 6. `nothing_after_the_end`: a peer that was ended is handed nothing more.
//! 7. `once_in_order`: a peer that comes back gets what it missed, in order and once, or is told that it cannot.

pub mod easyrtc;

mod bounds;
mod due;
mod kept;
mod log;
mod members;
mod message;
mod peer;
mod refusal;
mod rules;
mod seat;

#[cfg(test)]
mod tests;

pub use kept::KeptPeer;
pub use message::{Message, Messages};
pub use peer::{DisconnectReason, PeerView};
pub use rules::{Admission, Limits, Rooms, Verdict, Wake};

/// A peer's number in its session: one connection of one client. Given by the session, never reused.
pub type PeerId = u64;
