//! What people and the user manager are told: events, in OpenTera's order: users, participants,
//! devices, then the user manager.

use super::identity::Identity;
use super::listen::READY;
use super::{OpenTera, held, log, now};
use crate::manager::Record;
use crate::wire::manage::Role;
use crate::wire::opentera::messages::{
    JoinSessionEvent, JoinSessionReplyEvent, LeaveSessionEvent, Named, StopSessionEvent,
};
use crate::wire::opentera::{module_message, tera_event};

/// The module of the server that keeps the lists of who is online and who is busy.
const USER_MANAGER: &str = "module.TeraServer.UserManagerModule.messages";

/// Who is to be told: everybody in the session, or one.
#[derive(Debug, Clone, Copy)]
pub(super) enum To<'a> {
    Everybody,
    One(Role, &'a str),
}

impl To<'_> {
    /// The people of a role who are to be told.
    fn of<'a>(&'a self, record: &'a Record, role: Role) -> Vec<&'a str> {
        match self {
            Self::Everybody => held::people(record, role).iter().map(String::as_str).collect(),
            Self::One(of, uuid) if *of == role => vec![uuid],
            Self::One(..) => Vec::new(),
        }
    }
}

impl OpenTera {
    /// Invites: each by the URL with their own key. The user manager's copy has the URL of the last
    /// role that was told, or none: the server does not use it.
    pub(super) fn invite(&self, record: &Record, to: To<'_>) {
        let (Some(identity), Some(run)) = (self.identity(), &record.run) else { return };
        let mut event = JoinSessionEvent {
            session_url: String::new(),
            session_creator_name: held::creator_name(record).to_owned(),
            session_uuid: record.session.session_uuid.clone(),
            session_participants: record.session.session_participants.clone(),
            session_users: record.session.session_users.clone(),
            session_devices: record.session.session_devices.clone(),
            join_msg: "Join me!".to_owned(),
            session_parameters: held::parameters(record),
            service_uuid: identity.service_uuid.clone(),
        };
        let text = format!("invitations to session {}", record.session.session_uuid);
        tracing::info!(session = record.session.id_session, "invitations go out");
        self.log(log::INFO, text);
        let mut of_role = String::new();
        for role in Role::ALL {
            for uuid in to.of(record, role) {
                event.session_url = run.url(&self.base, role, Some(uuid));
                self.tell_one(role, uuid, &event);
                of_role = run.url(&self.base, role, None);
            }
        }
        event.session_url = of_role;
        self.tell_user_manager(&identity, &event);
    }

    /// What the original's engine said when it was up. Nobody but the service is known to listen.
    pub(super) fn say_ready(&self, record: &Record) {
        if let Some(run) = &record.run {
            self.redis.publish(format!("webrtc.{}", run.session_key), READY.as_bytes().to_vec());
        }
    }

    /// The session is over.
    pub(super) fn tell_stop(&self, record: &Record) {
        let Some(identity) = self.identity() else { return };
        let session_uuid = record.session.session_uuid.clone();
        let event = StopSessionEvent { session_uuid, service_uuid: identity.service_uuid.clone() };
        self.tell_everybody(record, &identity, &event);
    }

    /// People have been taken out. `before`: the session as it was with them, since they are told too.
    pub(super) fn tell_leave(&self, before: &Record, of: impl Fn(Role) -> Vec<String>) {
        let Some(identity) = self.identity() else { return };
        let event = LeaveSessionEvent {
            session_uuid: before.session.session_uuid.clone(),
            service_uuid: identity.service_uuid.clone(),
            leaving_participants: of(Role::Participant),
            leaving_users: of(Role::User),
            leaving_devices: of(Role::Device),
        };
        self.tell_everybody(before, &identity, &event);
    }

    /// Somebody has answered the invitation.
    pub(super) fn tell_reply(&self, record: &Record, event: &JoinSessionReplyEvent) {
        let Some(identity) = self.identity() else { return };
        self.tell_everybody(record, &identity, event);
    }

    fn tell_everybody<E: Named>(&self, record: &Record, identity: &Identity, event: &E) {
        for role in Role::ALL {
            held::people(record, role).iter().for_each(|uuid| self.tell_one(role, uuid, event));
        }
        self.tell_user_manager(identity, event);
    }

    fn tell_one<E: Named>(&self, role: Role, uuid: &str, event: &E) {
        let topic = format!("websocket.{}.{uuid}.events", role.name());
        let payload = tera_event(&topic, now(), event);
        self.redis.publish(topic, payload);
    }

    fn tell_user_manager<E: Named>(&self, identity: &Identity, event: &E) {
        let payload = module_message(USER_MANAGER, &identity.service_key, now(), event);
        self.redis.publish(USER_MANAGER.to_owned(), payload);
    }
}
