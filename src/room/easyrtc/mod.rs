//! What happens between the EasyRTC clients of one session. Pure like all of this folder: the time,
//! fresh ids and ICE servers are handed in, and what is to be sent is handed out.
//!
//! A session drives it so: [`EasyRtc::enter`] when Socket.IO's namespace is open, [`EasyRtc::apply`]
//! for each event in the order of its sender, [`EasyRtc::remove`] when the connection is gone or its
//! key was taken. Outputs are to be sent in their order.
//!
//! What always holds, each with a test of its name:
//!
//! 1. `lists_agree`: what a client was told of its rooms, by token, acknowledgements and updates
//!    together, is who is in them.
//! 2. `isolation`: a message to a room reaches its other members and nobody else; between
//!    applications passes nothing.
//! 3. `own_identity_only`: what is passed on names its true sender.
//! 4. `told_before_it_speaks`: a member is told of a newcomer before anything comes from it (7.1).
//! 5. `at_most_one_ack`: a request is acknowledged once at most, and only if it asked for it.
//! 6. `nothing_after_the_end`: a peer that left or was refused is sent nothing more, is in no list,
//!    and its messages do nothing.

mod application;
mod commands;
mod connection;
mod letters;
mod login;
mod membership;
mod output;
mod rules;

#[cfg(test)]
mod tests;

pub use connection::ConnectionView;
pub use output::{Ack, Emit, Output};
pub use rules::{EasyRtc, Given, Limits, Request};
