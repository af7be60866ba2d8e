//! The manager's task: one command after the other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pool::{Lease, Pool};
use super::record::Record;
use super::store::{Store, StoreError};
use super::{ActionError, Command, Listed, Registry, Reply, blocking};
use crate::room::DisconnectReason;
use crate::session::{Plan, Presence, PresenceSender, Session, Shared};
use crate::wire::manage::{Action, Start};

/// How long connections may take to end when the server stops.
const SHUTDOWN_TIME: Duration = Duration::from_secs(3);

pub(super) struct Lifecycle {
    pub(super) shared: Arc<Shared>,
    pub(super) base: String,
    store: Store,
    pub(super) pool: Pool,
    pub(super) registry: Registry,
    pub(super) running: HashMap<i64, Running>,
    next_id: i64,
    next_run: u64,
    presence: PresenceSender,
    presences: mpsc::UnboundedReceiver<(i64, u64, Presence)>,
    /// When the grace of a creator who is gone ends: (time, run) → session.
    graces: BTreeMap<(Instant, u64), i64>,
}

pub(super) struct Running {
    pub(super) record: Record,
    pub(super) session: Arc<Session>,
    run: u64,
    grace: Option<Instant>,
}

/// The port of a session about to run: bound, or held by another program for now.
pub(super) enum Port {
    Bound(Lease, TcpListener),
    Waiting(Lease),
}

impl Lifecycle {
    pub(super) fn new(
        shared: Arc<Shared>,
        base: String,
        store: Store,
        pool: Pool,
        registry: Registry,
        next_id: i64,
    ) -> Self {
        let (presence, presences) = mpsc::unbounded_channel();
        let (running, graces) = (HashMap::new(), BTreeMap::new());
        Self { shared, base, store, pool, registry, running, next_id, next_run: 1, presence, presences, graces }
    }

    /// Runs until `stop`, then ends all sessions.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        loop {
            let grace = self.graces.first_key_value().map(|((until, _), _)| *until);
            let grace_over = async {
                match grace {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            // All arms are cancel-safe. A creator's return is looked at before a grace that ends.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some((id, run, presence)) = self.presences.recv() => self.creator(id, run, presence).await,
                Some((action, reply)) = commands.recv() => {
                    // A caller that has gone away wanted the action all the same.
                    let _ = reply.send(self.act(action).await);
                }
                () = grace_over => self.grace_is_over().await,
            }
        }
        self.shut_down().await;
    }

    async fn act(&mut self, action: Action) -> Result<Reply, ActionError> {
        match action {
            Action::Start(start) => self.start(&start).await,
            Action::Stop { id_session } => self.stop(id_session, DisconnectReason::Stopped).await,
            Action::Invite { id_session, lists } => self.invite(id_session, &lists).await,
            Action::Remove { id_session, lists } => self.remove(id_session, &lists).await,
            Action::InviteReply { id_session, reply } => self.invite_reply(id_session, &reply).await,
        }
    }

    async fn start(&mut self, start: &Start) -> Result<Reply, ActionError> {
        let mut record = match start.id_session {
            0 => Record::new(self.next_id, start),
            id => {
                let mut record = self.known(id).await?.ok_or(ActionError::NoSession)?;
                record.take_over(start);
                record
            }
        };
        let id = record.session.id_session;
        let replaced = self.replaced_by(&record);
        // A replaced session gives its port back before one is taken; where none would be free
        // all the same, nothing is stopped.
        if replaced.is_empty() && self.pool.free_count() == 0 {
            return Err(ActionError::NoPort);
        }
        for other in replaced {
            let reply = self.stop(other, DisconnectReason::Stopped).await?;
            if other == id {
                record.session.session_events = reply.session.session_events;
                record.session.session_duration = reply.session.session_duration;
                record.run = None;
            }
        }
        let (lease, listener) = self.pool.take().await.ok_or(ActionError::NoPort)?;
        record.begin(lease.port);
        self.put(record.clone()).await?;
        self.next_id = self.next_id.max(id + 1);
        self.launch(record, Port::Bound(lease, listener));
        self.shared.metrics.session_started();
        let running = &self.running[&id];
        tracing::info!(session = id, port = running.session.port, "session started");
        Ok(Reply { status: "started", session: running.record.shown(&self.base, true) })
    }

    /// The sessions that a start ends: an earlier run of its own, and the one of the same owner.
    fn replaced_by(&self, record: &Record) -> Vec<i64> {
        let owner = record.owner();
        let replaced = self.running.iter().filter(|(id, other)| {
            **id == record.session.id_session || (owner.is_some() && other.record.owner() == owner)
        });
        replaced.map(|(id, _)| *id).collect()
    }

    /// Makes the session run: registered, listening, known.
    pub(super) fn launch(&mut self, record: Record, port: Port) {
        let run = record.run.as_ref().expect("the caller began the run");
        let id = record.session.id_session;
        let number = self.next_run;
        self.next_run += 1;
        let plan = Plan {
            id,
            run: number,
            port: run.port,
            name: record.session.session_name.clone(),
            session_key: run.session_key.clone(),
            keys: run.keys.clone(),
            creator: record.session.session_creator_uuid.clone(),
            presence: self.presence.clone(),
        };
        let session = Session::new(plan, self.shared.clone());
        match port {
            Port::Bound(lease, listener) => session.listen(listener, lease),
            Port::Waiting(lease) => session.listen_when_free(self.pool.address(lease.port), lease),
        }
        self.running.insert(id, Running { record, session, run: number, grace: None });
        self.list(id);
    }

    /// Shows readers the session as it is now.
    pub(super) fn list(&self, id: i64) {
        let Running { record, session, .. } = &self.running[&id];
        let listed = Listed { session: session.clone(), record: Arc::new(record.session.clone()) };
        self.registry.by_port.insert(session.port, listed);
    }

    /// Stops a session whole: its connections end first, whatever the store then says.
    pub(super) async fn stop(&mut self, id: i64, reason: DisconnectReason) -> Result<Reply, ActionError> {
        let running = self.running.remove(&id).ok_or(ActionError::NothingToStop)?;
        self.clear_grace(&running);
        let Running { mut record, session, .. } = running;
        self.registry.by_port.remove(&session.port);
        session.end(reason);
        session.port_released().await;
        self.shared.metrics.session_ended();
        record.end();
        self.put(record.clone()).await?;
        tracing::info!(session = id, port = session.port, "session stopped");
        Ok(Reply { status: "stopped", session: record.shown(&self.base, false) })
    }

    /// A session that runs, or once did.
    async fn known(&self, id: i64) -> Result<Option<Record>, StoreError> {
        if let Some(running) = self.running.get(&id) {
            return Ok(Some(running.record.clone()));
        }
        let store = self.store.clone();
        blocking(move || store.get(id)).await
    }

    /// Writes a record, durably before it returns.
    pub(super) async fn put(&self, record: Record) -> Result<(), StoreError> {
        let (store, id) = (self.store.clone(), record.session.id_session);
        let written = blocking(move || store.put(&[record])).await;
        if let Err(error) = &written {
            tracing::error!(session = id, %error, "the store failed");
        }
        written
    }

    /// The creator of a session came, or went.
    async fn creator(&mut self, id: i64, run: u64, presence: Presence) {
        let grace = Duration::from_secs(self.shared.config.sessions.creator_grace_secs);
        let Some(running) = self.running.get_mut(&id).filter(|running| running.run == run) else { return };
        if let Some(until) = running.grace.take() {
            self.graces.remove(&(until, run));
        }
        match presence {
            Presence::CreatorGone => self.begin_grace(id, grace),
            Presence::CreatorHere => {
                let kept = running.record.run.as_mut().expect("a running session has a run");
                if !std::mem::replace(&mut kept.creator_came, true) {
                    let record = running.record.clone();
                    // Written so that a creator who does not come back after a restart is missed.
                    let _ = self.put(record).await;
                }
            }
        }
    }

    pub(super) fn begin_grace(&mut self, id: i64, grace: Duration) {
        let until = Instant::now() + grace;
        let running = self.running.get_mut(&id).expect("the caller looked it up");
        running.grace = Some(until);
        self.graces.insert((until, running.run), id);
    }

    fn clear_grace(&mut self, running: &Running) {
        if let Some(until) = running.grace {
            self.graces.remove(&(until, running.run));
        }
    }

    async fn grace_is_over(&mut self) {
        let Some((_, id)) = self.graces.pop_first() else { return };
        tracing::info!(session = id, "the creator has left and not come back");
        // What failed is in the log; the session has ended.
        let _ = self.stop(id, DisconnectReason::Stopped).await;
    }

    /// Ends all sessions without a word to the store: they run again after the restart.
    async fn shut_down(mut self) {
        let sessions: Vec<_> = self.running.drain().map(|(_, running)| running.session).collect();
        for session in &sessions {
            session.end(DisconnectReason::Restart);
        }
        let all_gone = async {
            for session in &sessions {
                session.gone().await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_TIME, all_gone).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}
