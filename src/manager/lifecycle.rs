//! The manager's task: one command after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::engine::Exits;
use super::held::{Held, HeldSessions, Tie};
use super::ledger::Ledger;
use super::media::Media;
use super::pool::Pool;
use super::record::Record;
use super::store::{Store, StoreError};
use super::{ActionError, Command, Registry, Reply};
use crate::room::DisconnectReason;
use crate::session::{Presence, PresenceSender, Session, Shared};
use crate::tasks::Tasks;
use crate::wire::manage::{Action, Start, event_type};

/// How long connections may take to end when the server stops.
const SHUTDOWN_TIME: Duration = Duration::from_secs(3);

pub(super) struct Lifecycle {
    pub(super) shared: Arc<Shared>,
    pub(super) base: String,
    pub(super) ledger: Ledger,
    pub(super) pool: Pool,
    pub(super) registry: Registry,
    /// The app's, for what no session in this process owns.
    pub(super) tasks: Tasks,
    pub(super) held: HeldSessions,
    /// Sessions that have ended and had not given back their port when last looked at.
    pub(super) leaving: Vec<Arc<Session>>,
    next_id: i64,
    pub(super) next_launch: u64,
    pub(super) presence: PresenceSender,
    presences: mpsc::UnboundedReceiver<(i64, u64, Presence)>,
    pub(super) exits: Exits,
    exited: mpsc::UnboundedReceiver<(i64, u64)>,
    /// When the grace of a creator who is gone ends: (time, launch) → session.
    graces: BTreeMap<(Instant, u64), i64>,
}

impl Lifecycle {
    pub(super) fn new(
        shared: Arc<Shared>,
        base: String,
        store: Store,
        pool: Pool,
        registry: Registry,
        tasks: Tasks,
        next_id: i64,
    ) -> Self {
        let (presence, presences) = mpsc::unbounded_channel();
        let (exits, exited) = mpsc::unbounded_channel();
        let (held, graces) = (HeldSessions::default(), BTreeMap::new());
        Self {
            shared,
            base,
            ledger: Ledger::new(store),
            pool,
            registry,
            tasks,
            held,
            leaving: Vec::new(),
            next_id,
            next_launch: 1,
            presence,
            presences,
            exits,
            exited,
            graces,
        }
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
            let retry = self.ledger.retry();
            let disk_is_tried = async {
                match retry {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // All arms are cancel-safe. A creator's return is looked at before a grace that ends.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some((id, launch, presence)) = self.presences.recv() => self.creator(id, launch, presence).await,
                Some((id, launch)) = self.exited.recv() => self.exited(id, launch).await,
                Some(command) = commands.recv() => self.obey(command).await,
                () = grace_over => self.grace_is_over().await,
                () = disk_is_tried => self.ledger.settle().await,
            }
        }
        self.shut_down().await;
    }

    /// A caller that has gone away wanted the command done all the same.
    async fn obey(&mut self, command: Command) {
        match command {
            Command::Act(action, answer) => drop(answer.send(self.act(action).await)),
            Command::Launch(record, answer) => drop(answer.send(self.launch(*record).await)),
            Command::Change(id, change, answer) => drop(answer.send(self.change(id, change).await)),
            Command::EndMedia(id, answer) => drop(answer.send(self.end_media(id).await)),
            Command::Forget(id, answer) => drop(answer.send(self.forget(id).await)),
        }
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
        if replaced.is_empty() && self.pool.free_count() == 0 && self.leaving.is_empty() {
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
        let port = self.port().await?;
        record.begin(port.number(), self.shared_key());
        record.event(event_type::START, None);
        let record = Arc::new(record);
        let before = if start.id_session == 0 { None } else { self.ledger.get(id).await?.map(Arc::new) };
        self.begin(record.clone(), port, before).await?;
        self.next_id = self.next_id.max(id + 1);
        Ok(Reply { status: "started", session: record.shown(&self.base, true) })
    }

    /// The sessions that a start ends: an earlier run of its own, and the one of the same owner.
    fn replaced_by(&self, record: &Record) -> Vec<i64> {
        let own = self.held.get(record.session.id_session).map(|_| record.session.id_session);
        let owners = record.owner().map(Tie::Owner);
        let mut replaced: Vec<i64> = owners.iter().flat_map(|owner| self.held.tied(owner)).chain(own).collect();
        replaced.sort_unstable();
        replaced.dedup();
        replaced
    }

    /// Shows readers the session as it is now.
    pub(super) fn list(&self, id: i64) {
        let Held { record, media } = self.held.get(id).expect("the caller looked it up");
        let session = media.as_ref().and_then(|media| media.engine.session());
        self.registry.put(record.clone(), session.cloned());
    }

    /// Stops a session whole: its connections end first, whatever the store then says.
    pub(super) async fn stop(&mut self, id: i64, reason: DisconnectReason) -> Result<Reply, ActionError> {
        let mut held = self.held.remove(id).ok_or(ActionError::NothingToStop)?;
        self.unserve(&mut held, reason).await;
        self.registry.remove(id);
        let record = Arc::make_mut(&mut held.record);
        record.end();
        self.ledger.keep(held.record.clone()).await?;
        Ok(Reply { status: "stopped", session: held.record.shown(&self.base, false) })
    }

    /// A session that runs, or once did.
    async fn known(&self, id: i64) -> Result<Option<Record>, StoreError> {
        if let Some(held) = self.held.get(id) {
            return Ok(Some(Record::clone(&held.record)));
        }
        self.ledger.get(id).await
    }

    /// The creator of a session came, or went.
    async fn creator(&mut self, id: i64, launch: u64, presence: Presence) {
        let grace = Duration::from_secs(self.shared.config.sessions.creator_grace_secs);
        let Some(media) = self.held.media(id).filter(|media| media.launch == launch) else { return };
        if let Some(until) = media.grace.take() {
            self.graces.remove(&(until, launch));
        }
        match presence {
            Presence::CreatorGone => self.begin_grace(id, grace),
            Presence::CreatorHere => {
                let record = &self.held.get(id).expect("it has been looked up").record;
                let run = record.run.as_ref().expect("what is served has a run");
                if !run.creator_came {
                    let mut record = Record::clone(record);
                    record.run.iter_mut().for_each(|run| run.creator_came = true);
                    let record = Arc::new(record);
                    self.held.replace_record(id, record.clone());
                    // Written so that a creator who does not come back after a restart is missed.
                    let _ = self.ledger.keep(record).await;
                }
            }
        }
    }

    pub(super) fn begin_grace(&mut self, id: i64, grace: Duration) {
        let until = Instant::now() + grace;
        let media = self.held.media(id).expect("the caller saw that it is served");
        media.grace = Some(until);
        self.graces.insert((until, media.launch), id);
    }

    pub(super) fn clear_grace(&mut self, media: &Media) {
        if let Some(until) = media.grace {
            self.graces.remove(&(until, media.launch));
        }
    }

    async fn grace_is_over(&mut self) {
        let Some((_, id)) = self.graces.pop_first() else { return };
        tracing::info!(session = id, "the creator has left and not come back");
        // What failed is in the log; the session has ended.
        let _ = self.stop(id, DisconnectReason::Stopped).await;
    }

    /// Ends all sessions, which run again after the restart: the store gets their seats.
    async fn shut_down(mut self) {
        let media: Vec<(i64, Media)> = self.held.drain().filter_map(|(id, held)| Some((id, held.media?))).collect();
        // All at once: each is told, and none waits for another.
        let ends = media.iter().map(|(_, media)| async {
            media.engine.suspend().await;
            media.engine.gone().await;
        });
        if tokio::time::timeout(SHUTDOWN_TIME, join_all(ends)).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        let seats = |(id, media): (i64, Media)| Some((id, media.engine.session()?.kept_seats()));
        self.ledger.close(media.into_iter().filter_map(seats).collect()).await;
    }
}
