//! People come to the server and leave it: who comes is invited again, and a session whose creator
//! stays away ends.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::notices::To;
use super::{Failure, OpenTera, held};
use crate::manager::Record;
use crate::wire::opentera::Seen;

/// The least time that creators have to come back after a restart of ours.
const RETURN_SECS: u64 = 60;

impl OpenTera {
    /// Somebody came, or went: in each session that it concerns, in its turn.
    pub(super) fn presence(self: &Arc<Self>, seen: Seen) {
        let concerned = self.manager.registry().all().into_iter().filter(|listed| concerns(&listed.record, &seen));
        for listed in concerned {
            let id = listed.record.session.id_session;
            let (service, seen, mut turn) = (self.clone(), seen.clone(), self.turns.take(id));
            self.tasks.spawn(async move {
                turn.come().await;
                // It may have changed while others had their turn.
                let Ok(record) = service.record(id) else { return };
                if concerns(&record, &seen) {
                    service.seen(id, &record, &seen).await;
                }
            });
        }
    }

    async fn seen(self: &Arc<Self>, id: i64, record: &Record, seen: &Seen) {
        let creator = held::creator(record, seen.role) == Some(seen.uuid.as_str());
        if seen.connected {
            if creator {
                self.creator_is_back(id);
                self.remember_gone(id, false).await;
            }
            self.invite(record, To::One(seen.role, &seen.uuid));
        } else if creator && self.grace_secs == 0 {
            self.stop_for_good(id).await;
        } else if creator {
            tracing::info!(
                session = id,
                secs = self.grace_secs,
                "the creator is gone; the session ends unless they come back"
            );
            self.remember_gone(id, true).await;
            self.end_unless_back(id, self.grace_secs);
        }
    }

    /// Ends a session when the time is over, unless the creator comes back.
    fn end_unless_back(self: &Arc<Self>, id: i64, secs: u64) {
        let back = CancellationToken::new();
        if let Some(before) = self.gone().insert(id, back.clone()) {
            before.cancel();
        }
        let (service, stop) = (self.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(secs)) => {}
                () = back.cancelled() => return,
                () = stop.cancelled() => return,
            }
            let mut turn = service.turns.take(id);
            turn.come().await;
            if !back.is_cancelled() {
                service.stop_for_good(id).await;
            }
        });
    }

    /// Stops a session that nobody asks to stop: what the server does not take now, it gets later.
    async fn stop_for_good(self: &Arc<Self>, id: i64) {
        tracing::info!(session = id, "the creator has left and not come back");
        if ended(&self.stop(id).await) {
            return;
        }
        let service = self.clone();
        self.later(move || {
            let service = service.clone();
            async move {
                let mut turn = service.turns.take(id);
                turn.come().await;
                ended(&service.stop(id).await)
            }
        });
    }

    /// The creator has come back, or the session has ended.
    pub(super) fn creator_is_back(&self, id: i64) {
        if let Some(waiting) = self.gone().remove(&id) {
            waiting.cancel();
        }
    }

    async fn remember_gone(&self, id: i64, gone: bool) {
        let known = self.record(id).is_ok_and(|record| record.run.as_ref().is_some_and(|run| run.creator_gone == gone));
        if !known {
            let change = move |record: &mut Record| {
                if let Some(run) = &mut record.run {
                    run.creator_gone = gone;
                }
            };
            // What failed is in the log; the session goes on.
            let _ = self.manager.change(id, change).await;
        }
    }

    /// After a restart: creators who were gone have their time anew.
    pub(super) fn watch_restored(self: &Arc<Self>) {
        for listed in self.manager.registry().all() {
            if listed.record.run.as_ref().is_some_and(|run| run.creator_gone) {
                self.end_unless_back(listed.record.session.id_session, self.grace_secs.max(RETURN_SECS));
            }
        }
    }

    /// An engine of its own says that it is up: those who wait for it are invited.
    pub(super) fn engine_is_up(self: &Arc<Self>, key: &str) {
        let of_key = |record: &Record| record.run.as_ref().is_some_and(|run| run.session_key == key && !run.unserved);
        for listed in self.manager.registry().all().into_iter().filter(|listed| of_key(&listed.record)) {
            let id = listed.record.session.id_session;
            let (service, mut turn) = (self.clone(), self.turns.take(id));
            self.tasks.spawn(async move {
                turn.come().await;
                if let Ok(record) = service.record(id) {
                    service.invite(&record, To::Everybody);
                }
            });
        }
    }

    fn gone(&self) -> MutexGuard<'_, HashMap<i64, CancellationToken>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a stop has ended the session: all but one whose end the server could not note.
fn ended(result: &Result<serde_json::Value, Failure>) -> bool {
    match result {
        // Of what was refused the stop itself was done, and what comes after it is told again by itself.
        Ok(_) | Err(Failure::NothingToStop | Failure::Unavailable | Failure::Refused(_)) => true,
        Err(_) => false,
    }
}

/// Whether it concerns a session that somebody came or went: its people when they come, its creator
/// both ways.
fn concerns(record: &Record, seen: &Seen) -> bool {
    let creator = held::creator(record, seen.role) == Some(seen.uuid.as_str());
    creator || (seen.connected && held::people(record, seen.role).contains(&seen.uuid))
}
