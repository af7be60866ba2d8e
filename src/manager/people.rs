//! Who is in a session: invite, remove, and the replies to invitations.

use std::sync::Arc;

use super::lifecycle::Lifecycle;
use super::record::Record;
use super::{ActionError, Reply};
use crate::room::DisconnectReason;
use crate::wire::manage::{InviteReply, Lists, Role, event_type};

/// The reply code that accepts; every other one refuses.
const ACCEPTED: i64 = 1;

impl Lifecycle {
    /// Lets more people in. Whoever has a key keeps it; the keys work once the store has them. With
    /// nobody to let in it only shows everybody's links.
    pub(super) async fn invite(&mut self, id: i64, lists: &Lists) -> Result<Reply, ActionError> {
        let held = self.held.get(id).ok_or(ActionError::NoSession)?;
        if Role::ALL.into_iter().all(|role| lists.of(role).unwrap_or_default().is_empty()) {
            return Ok(Reply { status: "invited", session: held.record.shown(&self.base, true) });
        }
        let mut record = Record::clone(&held.record);
        for role in Role::ALL {
            for uuid in lists.of(role).unwrap_or_default() {
                record.let_in(role, uuid);
                record.event(event_type::JOIN, Some(format!("{}: {uuid}", role.title())));
            }
        }
        let record = Arc::new(record);
        self.ledger.put(record.clone()).await?;
        self.apply(record.clone());
        Ok(Reply { status: "invited", session: record.shown(&self.base, true) })
    }

    /// Puts people out: at once, before the store is asked.
    pub(super) async fn remove(&mut self, id: i64, lists: &Lists) -> Result<Reply, ActionError> {
        let people: Vec<(Role, String)> = Role::ALL
            .into_iter()
            .flat_map(|role| lists.of(role).unwrap_or_default().iter().map(move |uuid| (role, uuid.clone())))
            .collect();
        let record = self.put_out(id, &people, event_type::LEAVE, ": ").await?;
        Ok(Reply { status: "removed", session: record.shown(&self.base, false) })
    }

    /// Somebody answers: a creator who refuses ends the session, another who does is put out.
    pub(super) async fn invite_reply(&mut self, id: i64, reply: &InviteReply) -> Result<Reply, ActionError> {
        let mut record = self.held.get(id).ok_or(ActionError::NoSession)?.record.clone();
        if reply.code != ACCEPTED {
            let creator = &record.session.session_creator_uuid;
            if reply.who.iter().any(|(_, uuid)| Some(uuid) == creator.as_ref()) {
                self.stop(id, DisconnectReason::Stopped).await?;
                return Err(ActionError::CreatorRefused);
            }
            record = self.put_out(id, &reply.who, event_type::JOIN_REFUSED, " ").await?;
        }
        Ok(Reply { status: "OK", session: record.shown(&self.base, false) })
    }

    /// Takes people's places and keys. `between` stands between role and uuid in the event's text.
    async fn put_out(
        &mut self,
        id: i64,
        people: &[(Role, String)],
        event: i64,
        between: &str,
    ) -> Result<Arc<Record>, ActionError> {
        self.change(id, |record| {
            for (role, uuid) in people {
                record.take_out(*role, uuid);
                record.event(event, Some(format!("{}{between}{uuid}", role.title())));
            }
        })
        .await
    }
}
