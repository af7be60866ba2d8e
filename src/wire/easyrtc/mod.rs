//! EasyRTC's messages: the one argument of the Socket.IO events `easyrtcAuth`, `easyrtcCmd` and
//! `easyrtcMsg`, and of their acknowledgements. Socket.IO itself is elsewhere.
//!
//! A message is read without building a tree: what matters is found as slices of the text, a payload
//! (`msgData`) is only skipped over. So an offer is passed on as it was written, whatever it holds.
//! "Object" has JavaScript's wider sense here, an array is one too; of two members of one name the
//! last counts. The section numbers in these files are those of the protocol's description.
//!
//! | what clients send | read by |
//! | --- | --- |
//! | `easyrtcAuth` | [`Auth::read`] |
//! | `easyrtcCmd` | [`Command::read`] |
//! | `easyrtcMsg` | [`Letter::read`] |
//!
//! | what they get | written by |
//! | --- | --- |
//! | acknowledgements | [`ack`], [`error`], [`token`], [`room_data_ack`], [`room_list`], [`ice_config`] |
//! | events | [`Notice`] |

mod auth;
mod command;
mod error;
mod json;
mod letter;
mod name;
mod notice;
mod presence;
mod render;

pub use auth::Auth;
pub use command::{Command, Relay};
pub use error::ErrorCode;
pub use letter::{Letter, Target};
pub use name::Name;
pub use notice::Notice;
pub use presence::{Presence, PresenceChange};
pub use render::{
    Client, Token, ack, error, ice_config, joined, left, removed, room_data_ack, room_list, token, updated,
};

/// The most UTF-16 code units that a kept JSON value may have in its compact form (13.2): the field
/// of a client in a room, and, since it is repeated as often, the type of a presence.
pub const KEPT_UNITS: usize = 4095;

/// The room of those who ask for none, and the one that every application has (5).
pub const DEFAULT_ROOM: &str = "default";

/// The three events of the protocol (6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A client authenticates. Never sent by the server.
    Auth,
    /// Commands, both ways.
    Cmd,
    /// Messages of the application, both ways.
    Msg,
}

impl Event {
    /// The event of a Socket.IO event name. Events of other names are to be ignored (4).
    pub fn named(name: &str) -> Option<Self> {
        [Self::Auth, Self::Cmd, Self::Msg].into_iter().find(|event| event.name() == name)
    }

    /// Its Socket.IO event name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "easyrtcAuth",
            Self::Cmd => "easyrtcCmd",
            Self::Msg => "easyrtcMsg",
        }
    }
}

#[cfg(test)]
mod tests;
