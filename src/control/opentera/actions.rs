//! The five actions: each in its session's turn.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::call::ReplyTo;
use super::notices::To;
use super::server::TOLD;
use super::{Failure, OpenTera, held};
use crate::manager::{ActionError, Record};
use crate::wire::manage::{Action, Role, Start, event_type, status};

/// The pauses between two tries to tell the server what it must know: at first, and at most.
const LATER: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How often it is tried: for a day.
const TRIES: usize = 24 * 60;

impl OpenTera {
    /// Does an action when its turn comes, and replies.
    pub(super) fn act(self: &Arc<Self>, action: Action, to: ReplyTo) {
        if self.identity().is_none() {
            return self.reply(to, Err(Failure::Unavailable));
        }
        let (service, tasks) = (self.clone(), &self.tasks);
        let id = match &action {
            Action::Start(start) if start.id_session == 0 => {
                let Action::Start(start) = action else { unreachable!("it was a start a line above") };
                tasks.spawn(async move { service.start_session(None, *start, to).await });
                return;
            }
            Action::Start(start) => start.id_session,
            Action::Stop { id_session }
            | Action::Invite { id_session, .. }
            | Action::Remove { id_session, .. }
            | Action::InviteReply { id_session, .. } => *id_session,
        };
        let mut turn = self.turns.take(id);
        tasks.spawn(async move {
            turn.come().await;
            let result = match action {
                Action::Start(start) => return service.start_session(Some(id.to_string()), *start, to).await,
                Action::Stop { .. } => service.stop(id).await,
                Action::Invite { lists, .. } => service.invite_more(id, lists).await,
                Action::Remove { lists, .. } => service.remove(id, lists).await,
                Action::InviteReply { reply, .. } => service.invite_reply(id, reply).await,
            };
            service.reply(to, result);
        });
    }

    /// A start whose session is named by something other than an integer, which the server judges.
    pub(super) fn start_of(self: &Arc<Self>, id: String, start: Start, to: ReplyTo) {
        let service = self.clone();
        self.tasks.spawn(async move { service.start_session(Some(id), start, to).await });
    }

    /// The reply comes before the invitations: callers rely on that order.
    async fn start_session(&self, existing: Option<String>, start: Start, to: ReplyTo) {
        match self.started(existing, &start).await {
            Ok(record) => {
                let session = held::shown(&record, &self.base, true);
                self.reply(to, Ok(json!({"status": "started", "session": session})));
                // An engine of its own says itself when it is up.
                if !self.external {
                    self.say_ready(&record);
                    self.invite(&record, To::Everybody);
                }
            }
            Err(failure) => self.reply(to, Err(failure)),
        }
    }

    async fn started(&self, existing: Option<String>, start: &Start) -> Result<Arc<Record>, Failure> {
        let answer = match existing {
            None => self.create_session(&json!({ "session": new_session(start) })).await,
            Some(id) => self.get_session(&id).await,
        };
        let refused = |why: &str| Failure::Refused(format!("Cannot create session: {why}"));
        let answer = answer.map_err(|problem| refused(&problem))?;
        let session = answer.last().ok_or_else(|| refused(&answer.text))?;
        let mut record = held::record(session, start).ok_or_else(|| refused(&answer.text))?;
        let noted = self.note(record.session.id_session, event_type::START, None).await;
        let noted = noted.ok_or_else(|| Failure::Refused("Cannot create session event".to_owned()))?;
        held::add_event(&mut record, noted);
        self.creator_is_back(record.session.id_session);
        let launched = self.manager.launch(record).await;
        launched.map_err(|error| match error {
            ActionError::ShuttingDown => Failure::Unavailable,
            error => {
                tracing::warn!(target: TOLD, %error, "a session cannot be started");
                Failure::NoPort
            }
        })
    }

    /// Ends a session. Its media end first, whatever the server then says; a server that cannot note
    /// the end is asked again at the next stop.
    pub(super) async fn stop(self: &Arc<Self>, id: i64) -> Result<Value, Failure> {
        let record = self.done(id, self.manager.end_media(id).await, Failure::NothingToStop)?;
        if self.note(id, event_type::STOP, None).await.is_none() {
            return Err(Failure::StopNotNoted);
        }
        let started = record.run.as_ref().map_or(0, |run| run.started);
        let ran = (jiff::Timestamp::now().as_second() - started).max(0);
        let body = json!({"session": {
            "id_session": id,
            "session_status": status::COMPLETED,
            "session_duration": record.session.session_duration + ran,
        }});
        let updated = self.update_session(id, &body).await;
        self.tell_stop(&record);
        self.creator_is_back(id);
        if let Err(error) = self.manager.forget(id).await {
            tracing::error!(session = id, %error, "a stopped session is not forgotten");
        }
        if updated.is_none() {
            self.update_later(id, body);
        }
        let failed = || Failure::Refused("Error stopping session - check server logs".to_owned());
        updated.map(|session| json!({"status": "stopped", "session": session})).ok_or_else(failed)
    }

    /// The session after a step that ends something. It has ended also where the disk did not take it, which gets it
    /// later; so everybody is told as if it had.
    pub(super) fn done(
        &self,
        id: i64,
        step: Result<Arc<Record>, ActionError>,
        otherwise: Failure,
    ) -> Result<Arc<Record>, Failure> {
        match step {
            Err(ActionError::Store(_)) => self.record(id),
            step => step.map_err(|error| not_there(&error, otherwise)),
        }
    }

    /// Tells the server later that a session is over: it is, and everybody else knows.
    fn update_later(self: &Arc<Self>, id: i64, body: Value) {
        tracing::info!(session = id, "the OpenTera server does not know that the session is over; told again later");
        let service = self.clone();
        self.later(move || {
            let (service, body) = (service.clone(), body.clone());
            async move { service.update_session(id, &body).await.is_some() }
        });
    }

    /// Tries something again and again, with growing pauses, until it is done.
    pub(super) fn later<A: Future<Output = bool> + Send>(&self, mut again: impl FnMut() -> A + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let trying = async {
                let mut pause = LATER.0;
                for _ in 0..TRIES {
                    tokio::time::sleep(pause).await;
                    if again().await {
                        return;
                    }
                    pause = (pause * 2).min(LATER.1);
                }
            };
            stop.run_until_cancelled(trying).await;
        });
    }
}

/// What a failed step of the manager is to the caller.
pub(super) fn not_there(error: &ActionError, otherwise: Failure) -> Failure {
    match error {
        ActionError::ShuttingDown => Failure::Unavailable,
        ActionError::Store(_) => Failure::Refused(error.to_string()),
        _ => otherwise,
    }
}

/// A new session, as the server is asked for it.
fn new_session(start: &Start) -> Map<String, Value> {
    let people = |role| json!(start.lists.of(role).unwrap_or_default());
    let mut session = Map::from_iter([
        ("id_session".to_owned(), json!(0)),
        ("id_session_type".to_owned(), json!(start.id_session_type)),
        ("session_participants_uuids".to_owned(), people(Role::Participant)),
        ("session_users_uuids".to_owned(), people(Role::User)),
        ("session_devices_uuids".to_owned(), people(Role::Device)),
        ("session_parameters".to_owned(), start.parameters.clone()),
    ]);
    let creators = [
        ("id_creator_user", start.id_creator_user),
        ("id_creator_participant", start.id_creator_participant),
        ("id_creator_device", start.id_creator_device),
        ("id_creator_service", start.id_creator_service),
    ];
    session.extend(creators.into_iter().filter_map(|(name, id)| Some((name.to_owned(), json!(id?)))));
    session
}
