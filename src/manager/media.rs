//! What serves a session begins and ends; and the steps that an OpenTera server's sessions take.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::ActionError;
use super::engine::{Engine, External};
use super::held::{Held, Tie};
use super::lifecycle::Lifecycle;
use super::pool::Lease;
use super::record::Record;
use crate::room::DisconnectReason;
use crate::session::seats::KeptSeat;
use crate::session::{Plan, Session};

/// How long a start waits for a port where none is free: a little more than a session may take to give its port back.
/// Nothing else is started or stopped meanwhile.
const RETURN_TIME: Duration = Duration::from_millis(2500);

/// What serves a session.
pub(super) struct Media {
    pub(super) engine: Engine,
    /// Which launch it is, so that news of an earlier one is not taken for this one's.
    pub(super) launch: u64,
    /// When the time of a creator who is gone ends.
    pub(super) grace: Option<Instant>,
}

/// The port of a session about to run: bound, or held by another program for now.
pub(super) enum Port {
    Bound(Lease, TcpListener),
    Waiting(Lease),
}

impl Port {
    pub(super) fn number(&self) -> u16 {
        match self {
            Self::Bound(lease, _) | Self::Waiting(lease) => lease.port,
        }
    }
}

impl Lifecycle {
    /// Makes a session run: listening, known, in the list. Its record's run has begun. `seats`: what an
    /// earlier run of the server kept of it.
    ///
    /// # Errors
    /// [`ActionError::NoPort`] if it has an engine of its own that cannot be started.
    pub(super) async fn serve(
        &mut self,
        record: Arc<Record>,
        port: Port,
        seats: Vec<KeptSeat>,
    ) -> Result<(), ActionError> {
        let run = record.run.as_ref().expect("the caller began the run");
        let id = record.session.id_session;
        let launch = self.next_launch;
        self.next_launch += 1;
        let engine = if self.shared.config.webrtc.executable.is_empty() {
            // The creator of an OpenTera session is watched by the server.
            let creator = record.session.session_creator_uuid.clone().filter(|_| record.received.is_none());
            let plan = Plan {
                id,
                run: launch,
                port: run.port,
                name: record.session.session_name.clone(),
                session_key: run.session_key.clone(),
                keys: run.keys.clone(),
                creator,
                presence: self.presence.clone(),
            };
            let shared = self.shared.clone();
            let session = match shared.config.webrtc.working_directory.is_empty() {
                true => Session::new(plan, shared),
                // It reads a file there. Elsewhere than on this thread a session takes more memory, so only then.
                false => {
                    let made = tokio::task::spawn_blocking(move || Session::new(plan, shared));
                    made.await.expect("making a session does not panic")
                }
            };
            session.restore_seats(seats);
            match port {
                Port::Bound(lease, listener) => session.listen(listener, lease),
                Port::Waiting(lease) => session.listen_when_free(self.pool.address(lease.port), lease),
            }
            Engine::BuiltIn(session)
        } else {
            let (Port::Bound(lease, _) | Port::Waiting(lease)) = port;
            let exits = self.exits.clone();
            let started = External::start(&self.shared.config, (id, launch), run, lease, exits, &self.tasks);
            Engine::External(started.map_err(|error| {
                tracing::error!(session = id, %error, "webrtc.executable: the engine cannot be started");
                ActionError::NoPort
            })?)
        };
        self.held.insert(id, Held { record, media: Some(Media { engine, launch, grace: None }) });
        self.list(id);
        Ok(())
    }

    /// Stores a session whose run has begun, and serves it. `before`: what is stored of it; it is again where the session
    /// cannot be served, or a restart would bring back what whoever asked was told does not run.
    pub(super) async fn begin(
        &mut self,
        record: Arc<Record>,
        port: Port,
        before: Option<Arc<Record>>,
    ) -> Result<(), ActionError> {
        let (id, number) = (record.session.id_session, port.number());
        self.ledger.put(record.clone()).await?;
        if let Err(error) = self.serve(record, port, Vec::new()).await {
            // What the disk does not take now, it is owed.
            let _ = match before {
                Some(before) => self.ledger.keep(before).await,
                None => self.ledger.remove(id).await,
            };
            return Err(error);
        }
        self.shared.metrics.session_started();
        tracing::info!(session = id, port = number, "session started");
        Ok(())
    }

    /// Ends what serves a session, if anything does.
    pub(super) async fn unserve(&mut self, held: &mut Held, reason: DisconnectReason) {
        let Some(media) = held.media.take() else { return };
        self.clear_grace(&media);
        let port = held.record.run.as_ref().expect("what is served has a run").port;
        media.engine.end(reason).await;
        if let Some(session) = media.engine.session() {
            self.registry.forget(session);
            if !session.is_released() {
                self.leaving.push(session.clone());
            }
        }
        self.shared.metrics.session_ended();
        tracing::info!(session = held.record.session.id_session, port, "session ended");
    }

    /// Takes a port of the pool; where none is free, the first that comes back soon.
    pub(super) async fn port(&mut self) -> Result<Port, ActionError> {
        let until = Instant::now() + RETURN_TIME;
        loop {
            self.leaving.retain(|session| !session.is_released());
            if let Some((lease, listener)) = self.pool.take() {
                return Ok(Port::Bound(lease, listener));
            }
            if self.leaving.is_empty() {
                return Err(ActionError::NoPort);
            }
            let first = select_all(self.leaving.iter().map(|session| Box::pin(session.port_released())));
            tokio::time::timeout_at(until, first).await.map_err(|_| ActionError::NoPort)?;
        }
    }

    /// See [`super::Manager::launch`].
    pub(super) async fn launch(&mut self, mut record: Record) -> Result<Arc<Record>, ActionError> {
        let id = record.session.id_session;
        let tie = Tie::Creator(record.session.session_creator_uuid.clone());
        let mut replaced: Vec<i64> = self.held.tied(&tie).chain([id]).collect();
        replaced.retain(|other| self.held.get(*other).is_some_and(|held| held.media.is_some()));
        replaced.dedup();
        for other in replaced {
            self.end_media(other).await?;
        }
        let port = self.port().await?;
        record.begin(port.number(), self.shared_key());
        let record = Arc::new(record);
        let before = self.held.get(id).map(|held| held.record.clone());
        self.begin(record.clone(), port, before).await?;
        Ok(record)
    }

    /// See [`super::Manager::change`].
    pub(super) async fn change(
        &mut self,
        id: i64,
        change: impl FnOnce(&mut Record),
    ) -> Result<Arc<Record>, ActionError> {
        let mut record = Record::clone(&self.held.get(id).ok_or(ActionError::NoSession)?.record);
        change(&mut record);
        let record = Arc::new(record);
        self.apply(record.clone());
        self.ledger.keep(record.clone()).await?;
        Ok(record)
    }

    /// Makes what is kept of a session hold: keys that are new let in, those that are gone no more.
    pub(super) fn apply(&mut self, record: Arc<Record>) {
        let id = record.session.id_session;
        let held = self.held.get(id).expect("the caller looked it up");
        let session = held.media.as_ref().and_then(|media| media.engine.session());
        if let (Some(session), Some(run)) = (session, &record.run) {
            session.set_keys(run.keys.clone());
        }
        self.held.replace_record(id, record);
        self.list(id);
    }

    /// See [`super::Manager::end_media`].
    pub(super) async fn end_media(&mut self, id: i64) -> Result<Arc<Record>, ActionError> {
        let mut held = self.held.remove(id).ok_or(ActionError::NoSession)?;
        self.unserve(&mut held, DisconnectReason::Stopped).await;
        self.held.insert(id, held);
        self.change(id, |record| {
            if let Some(run) = &mut record.run {
                run.unserved = true;
            }
        })
        .await
    }

    /// See [`super::Manager::forget`].
    pub(super) async fn forget(&mut self, id: i64) -> Result<(), ActionError> {
        let mut held = self.held.remove(id).ok_or(ActionError::NoSession)?;
        self.unserve(&mut held, DisconnectReason::Stopped).await;
        self.registry.remove(id);
        Ok(self.ledger.remove(id).await?)
    }

    /// An engine of its own has ended by itself; its port is back already.
    pub(super) async fn exited(&mut self, id: i64, launch: u64) {
        let media = self.held.get(id).and_then(|held| held.media.as_ref());
        if media.is_some_and(|media| media.launch == launch) {
            // What failed is in the log.
            let _ = self.end_media(id).await;
        }
    }

    /// Whether all keys of a session must be one: an engine of its own knows no other.
    pub(super) fn shared_key(&self) -> bool {
        !self.shared.config.webrtc.executable.is_empty()
    }
}
