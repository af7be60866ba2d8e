//! The user manager's news: who came and who went.

use prost::Message;

use super::messages::{DeviceEvent, ParticipantEvent, TeraEvent, UserEvent};
use crate::wire::manage::Role;

/// The two types that matter here, the same number for users, participants and devices.
const CONNECTED: i32 = 1;
const DISCONNECTED: i32 = 2;

/// Somebody came to the server, or left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What they are.
    pub role: Role,
    /// Who they are.
    pub uuid: String,
    /// Came, or left.
    pub connected: bool,
}

/// What a payload of the user manager's event topic tells, in order. What is not about coming and
/// going is left out, and so is what cannot be read.
pub fn presences(payload: &[u8]) -> Vec<Seen> {
    let Ok(event) = TeraEvent::decode(payload) else { return Vec::new() };
    let seen = event.events.iter().filter_map(|any| {
        let of = |role, uuid, kind| match kind {
            CONNECTED => Some(Seen { role, uuid, connected: true }),
            DISCONNECTED => Some(Seen { role, uuid, connected: false }),
            _ => None,
        };
        if let Some(event) = any.unwrap_as::<UserEvent>() {
            of(Role::User, event.user_uuid, event.r#type)
        } else if let Some(event) = any.unwrap_as::<ParticipantEvent>() {
            of(Role::Participant, event.participant_uuid, event.r#type)
        } else {
            let event = any.unwrap_as::<DeviceEvent>()?;
            of(Role::Device, event.device_uuid, event.r#type)
        }
    });
    seen.collect()
}
