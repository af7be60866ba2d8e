//! What passes through OpenTera's Redis: protobuf messages, the calls and their replies.
//! Stateless; the time is handed in. Source: OpenTera's protocol as recorded, sections 3 to 6.

pub mod messages;

mod call;
mod envelope;
mod presence;

pub use call::{Asked, Call, Given, read_call, reply, session_manage};
pub use envelope::{module_message, tera_event};
pub use presence::{Seen, presences};

#[cfg(test)]
mod tests;
