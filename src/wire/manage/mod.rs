//! `session_manage`: the argument and the replies of OpenTera's RPC, the same over HTTP and Redis.

mod request;
mod session;

pub use request::{Action, InviteReply, Lists, ManageError, Start, parse};
pub use session::{Invitee, Session, SessionEvent, event_type, status};

use serde::{Deserialize, Serialize};

/// What somebody is in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A clinician.
    User,
    /// A patient.
    Participant,
    /// An unattended device.
    Device,
}

impl Role {
    /// In the order in which OpenTera treats them.
    pub const ALL: [Self; 3] = [Self::User, Self::Participant, Self::Device];

    /// The page of the role on a session's listener, without the slash.
    pub fn page(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Participant => "participants",
            Self::Device => "devices",
        }
    }

    /// `user`, `participant`, `device`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Participant => "participant",
            Self::Device => "device",
        }
    }

    /// `user_uuid` and so on: the field that names one of them.
    pub fn uuid_field(self) -> &'static str {
        match self {
            Self::User => "user_uuid",
            Self::Participant => "participant_uuid",
            Self::Device => "device_uuid",
        }
    }

    /// `session_users` and so on: the field that lists them.
    pub fn list_field(self) -> &'static str {
        match self {
            Self::User => "session_users",
            Self::Participant => "session_participants",
            Self::Device => "session_devices",
        }
    }

    /// As OpenTera writes it in an event's text.
    pub fn title(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Participant => "Participant",
            Self::Device => "Device",
        }
    }
}
