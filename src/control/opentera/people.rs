//! Who is in a session: invite, remove, and the replies to invitations.

use std::sync::Arc;

use serde_json::{Value, json};

use super::actions::not_there;
use super::notices::To;
use super::{Failure, OpenTera, held};
use crate::manager::Record;
use crate::wire::manage::{InviteReply, Lists, Role, event_type};
use crate::wire::opentera::messages::JoinSessionReplyEvent;

/// The reply code that accepts; every other one refuses.
const ACCEPTED: i64 = 1;

impl OpenTera {
    /// Lets more people in. Everybody is invited again, so that all know who there is.
    pub(super) async fn invite_more(&self, id: i64, lists: Lists) -> Result<Value, Failure> {
        let mut record = self.record(id)?;
        for role in Role::ALL {
            let Some(list) = lists.of(role).map(<[String]>::to_vec) else { continue };
            let names = list.clone();
            record = self.change(id, move |record| names.iter().for_each(|uuid| record.let_in(role, uuid))).await?;
            for uuid in list {
                let text = format!("{}: {uuid}", role.title());
                if self.note(id, event_type::JOIN, Some(text)).await.is_none() {
                    return Err(failed(role, "invited"));
                }
            }
        }
        let session = json!({"session": {
            "id_session": id,
            "session_participants_uuids": held::people(&record, Role::Participant),
            "session_users_uuids": held::people(&record, Role::User),
            "session_devices_uuids": held::people(&record, Role::Device),
        }});
        if self.update_session(id, &session).await.is_none() {
            return Err(Failure::Refused("Error updating session".to_owned()));
        }
        self.invite(&record, To::Everybody);
        Ok(json!({"status": "invited", "session": held::shown(&record, &self.base, true)}))
    }

    /// Puts people out: all of them at once, before the server is asked, which may be slow.
    pub(super) async fn remove(&self, id: i64, lists: Lists) -> Result<Value, Failure> {
        let before = self.record(id)?;
        let leaving = |role| lists.of(role).unwrap_or_default().to_vec();
        let out = lists.clone();
        let record = self
            .put_out(id, move |record| {
                for role in Role::ALL {
                    out.of(role).unwrap_or_default().iter().for_each(|uuid| record.take_out(role, uuid));
                }
            })
            .await?;
        for role in Role::ALL {
            for uuid in leaving(role) {
                let text = format!("{}: {uuid}", role.title());
                if self.note(id, event_type::LEAVE, Some(text)).await.is_none() {
                    return Err(failed(role, "left"));
                }
            }
        }
        self.tell_leave(&before, leaving);
        Ok(json!({"status": "removed", "session": held::shown(&record, &self.base, false)}))
    }

    /// Somebody answers: a creator who refuses ends the session, another who does is put out.
    pub(super) async fn invite_reply(self: &Arc<Self>, id: i64, reply: InviteReply) -> Result<Value, Failure> {
        let mut record = self.record(id)?;
        let mut event = JoinSessionReplyEvent {
            session_uuid: record.session.session_uuid.clone(),
            // The numbers beyond an enum's are cut as the original's library does not: it fails on them.
            join_reply: i32::try_from(reply.code).unwrap_or(0),
            reply_msg: reply.message,
            ..JoinSessionReplyEvent::default()
        };
        for (role, uuid) in reply.who {
            match role {
                Role::User => event.user_uuid.clone_from(&uuid),
                Role::Participant => event.participant_uuid.clone_from(&uuid),
                Role::Device => event.device_uuid.clone_from(&uuid),
            }
            if reply.code == ACCEPTED {
                continue;
            }
            if held::creator(&record, role) == Some(uuid.as_str()) {
                if let Err(failure) = self.stop(id).await {
                    tracing::warn!(session = id, %failure, "the creator refused, and the session is not stopped whole");
                }
                return Err(Failure::CreatorRefused);
            }
            let out = uuid.clone();
            record = self.put_out(id, move |record| record.take_out(role, &out)).await?;
            let text = format!("{} {uuid}", role.title());
            if self.note(id, event_type::JOIN_REFUSED, Some(text)).await.is_none() {
                return Err(Failure::Refused("Cannot create refused session event".to_owned()));
            }
        }
        self.tell_reply(&record, &event);
        Ok(json!({"status": "OK", "session": held::shown(&record, &self.base, false)}))
    }

    /// What is kept of a session.
    pub(super) fn record(&self, id: i64) -> Result<Arc<Record>, Failure> {
        self.manager.registry().get(id).ok_or(Failure::NoSession)
    }

    async fn change(&self, id: i64, change: impl FnOnce(&mut Record) + Send + 'static) -> Result<Arc<Record>, Failure> {
        let changed = self.manager.change(id, change).await;
        changed.map_err(|error| not_there(&error, Failure::NoSession))
    }

    async fn put_out(
        &self,
        id: i64,
        change: impl FnOnce(&mut Record) + Send + 'static,
    ) -> Result<Arc<Record>, Failure> {
        self.done(id, self.manager.change(id, change).await, Failure::NoSession)
    }
}

fn failed(role: Role, what: &str) -> Failure {
    Failure::Refused(format!("Error creating {} {what} session event", role.name()))
}
