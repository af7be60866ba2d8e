//! The session as replies show it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Role;

/// Session states, OpenTera's numbers.
pub mod status {
    /// Running.
    pub const IN_PROGRESS: i64 = 1;
    /// Stopped.
    pub const COMPLETED: i64 = 2;
}

/// Types of session events, OpenTera's numbers.
pub mod event_type {
    /// The session started.
    pub const START: i64 = 3;
    /// The session stopped.
    pub const STOP: i64 = 4;
    /// Somebody was invited.
    pub const JOIN: i64 = 12;
    /// Somebody was removed.
    pub const LEAVE: i64 = 13;
    /// Somebody refused.
    pub const JOIN_REFUSED: i64 = 14;
}

/// A session, with OpenTera's names. What is about a running one alone (key, URLs, invitees) is
/// left out where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are OpenTera's and say what they hold")]
pub struct Session {
    pub id_creator_device: Option<i64>,
    pub id_creator_participant: Option<i64>,
    pub id_creator_service: Option<i64>,
    pub id_creator_user: Option<i64>,
    pub id_session: i64,
    pub id_session_type: Option<i64>,
    pub session_comments: Option<String>,
    /// Whole seconds, all runs together.
    pub session_duration: i64,
    pub session_name: String,
    pub session_parameters: Value,
    /// UTC, as `2026-11-22T14:34:54.254272+00:00`.
    pub session_start_datetime: String,
    pub session_status: i64,
    pub session_uuid: String,
    pub session_participants: Vec<String>,
    pub session_users: Vec<String>,
    pub session_devices: Vec<String>,
    pub session_events: Vec<SessionEvent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    pub session_creator_uuid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_url_users: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_url_participants: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_url_devices: Option<String>,
    /// In the replies `started` and `invited` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_invitees: Option<Vec<Invitee>>,
}

impl Session {
    /// The people of a role.
    pub fn members(&self, role: Role) -> &[String] {
        match role {
            Role::User => &self.session_users,
            Role::Participant => &self.session_participants,
            Role::Device => &self.session_devices,
        }
    }

    /// The people of a role, to be changed.
    pub fn people(&mut self, role: Role) -> &mut Vec<String> {
        match role {
            Role::User => &mut self.session_users,
            Role::Participant => &mut self.session_participants,
            Role::Device => &mut self.session_devices,
        }
    }
}

/// An event of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as Session's")]
pub struct SessionEvent {
    pub id_session: i64,
    pub id_session_event: i64,
    /// One of [`event_type`].
    pub id_session_event_type: i64,
    pub session_event_context: String,
    /// As [`Session::session_start_datetime`].
    pub session_event_datetime: String,
    pub session_event_text: Option<String>,
}

/// Somebody invited, with the personal URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as Session's")]
pub struct Invitee {
    pub uuid: String,
    pub role: Role,
    pub url: String,
}
