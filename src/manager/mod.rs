//! All sessions: the pool of ports, their lifecycles, the store. One task changes them, by command
//! and reply, so two starts, or a stop during a start, have one order; everybody else reads the
//! list that it writes.
//!
//! Standalone, the manager does whole actions ([`Manager::manage`]). With an OpenTera server, whose
//! REST calls are slow, the actions are done above, one at a time for a session, and the manager
//! does the steps that must be atomic among all: [`Manager::launch`], [`Manager::change`],
//! [`Manager::end_media`], [`Manager::forget`].

mod engine;
mod held;
mod ledger;
mod lifecycle;
mod media;
mod people;
mod pool;
mod record;
mod registry;
mod restore;
mod store;

pub use record::{Record, Run};
pub use registry::{Listed, Registry};
pub use store::StoreError;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::http::inherited::Inherited;
use crate::session::Shared;
use crate::tasks::Tasks;
use crate::wire::manage::{self, Action};
use lifecycle::Lifecycle;
use pool::Pool;
use store::Store;

/// How many commands may wait. A caller beyond that waits with its request unread.
const WAITING_COMMANDS: usize = 64;

/// The reply to an action: a word, and the session as it is then.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Reply {
    /// `started`, `stopped`, `invited`, `removed` or `OK`.
    pub status: &'static str,
    /// The session.
    pub session: manage::Session,
}

/// Why an action was not done. `Display` is the reply's `error_text`.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// `stop` of a session that does not run.
    #[error("No matching session to stop")]
    NothingToStop,
    /// Another action on a session that does not run, or a start of one that never was.
    #[error("No matching session")]
    NoSession,
    /// The creator refused the invitation, and so the session ended.
    #[error("Creator refused to join session - session ended")]
    CreatorRefused,
    /// No port is free, or the engine cannot be started.
    #[error("Cannot create process")]
    NoPort,
    /// The store failed. Nothing was started or invited; what was to end has ended.
    #[error("Cannot store the session: {0}")]
    Store(#[from] StoreError),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// Commands the manager's task.
#[derive(Clone)]
pub struct Manager {
    commands: mpsc::Sender<Command>,
    registry: Registry,
    ended: CancellationToken,
}

type Answer<T> = oneshot::Sender<Result<T, ActionError>>;
type Change = Box<dyn FnOnce(&mut Record) + Send>;

enum Command {
    Act(Action, Answer<Reply>),
    Launch(Box<Record>, Answer<Arc<Record>>),
    Change(i64, Change, Answer<Arc<Record>>),
    EndMedia(i64, Answer<Arc<Record>>),
    Forget(i64, Answer<()>),
}

impl Manager {
    /// Brings back the sessions that the store says were running, and starts the manager's task in
    /// `tasks`. `base` begins the URLs handed out. At `stop` the task ends all sessions, telling
    /// their clients to come back, and leaves the store as it is but for their seats. `inherited`: what listens already.
    ///
    /// # Errors
    /// A store that cannot be opened or read.
    pub async fn start(
        shared: Arc<Shared>,
        base: String,
        stop: CancellationToken,
        tasks: &Tasks,
        inherited: Inherited,
    ) -> Result<Self, StoreError> {
        let directory = shared.config.server.data_dir.clone();
        let (store, records, last, seats) = blocking(move || {
            let store = Store::open(&directory)?;
            let (records, last) = store.running()?;
            let seats = store.take_seats()?;
            Ok((store, records, last, seats))
        })
        .await?;
        let webrtc = &shared.config.webrtc;
        let pool = Pool::new(webrtc.bind, webrtc.local_base_port, webrtc.max_sessions, inherited.clone());
        let registry = Registry::default();
        let (commands, received) = mpsc::channel(WAITING_COMMANDS);
        let mut lifecycle = Lifecycle::new(shared, base, store, pool, registry.clone(), tasks.clone(), last + 1);
        lifecycle.restore(records, seats).await;
        // Those of sessions that have not come back.
        inherited.close();
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        tasks.spawn(async move {
            lifecycle.run(received, stop).await;
            drop(guard);
        });
        Ok(Self { commands, registry, ended })
    }

    /// Does a whole action, in its turn: without an OpenTera server.
    ///
    /// # Errors
    /// See [`ActionError`].
    pub async fn manage(&self, action: Action) -> Result<Reply, ActionError> {
        self.ask(|answer| Command::Act(action, answer)).await
    }

    /// Begins a run of a session that the OpenTera server keeps: its owner's media that run end,
    /// it gets a port and keys, and is served when this returns.
    ///
    /// # Errors
    /// No port, or the store's. Nothing runs then; what was to end has ended.
    pub async fn launch(&self, record: Record) -> Result<Arc<Record>, ActionError> {
        self.ask(|answer| Command::Launch(Box::new(record), answer)).await
    }

    /// Changes what is kept of a session. Keys that go lose at once what they opened.
    ///
    /// # Errors
    /// [`ActionError::NoSession`]; or the store's, after the change.
    pub async fn change(
        &self,
        id: i64,
        change: impl FnOnce(&mut Record) + Send + 'static,
    ) -> Result<Arc<Record>, ActionError> {
        self.ask(|answer| Command::Change(id, Box::new(change), answer)).await
    }

    /// Ends what serves a session, which is kept all the same; its port is free when this returns.
    ///
    /// # Errors
    /// As [`Manager::change`].
    pub async fn end_media(&self, id: i64) -> Result<Arc<Record>, ActionError> {
        self.ask(|answer| Command::EndMedia(id, answer)).await
    }

    /// Ends what serves a session and keeps nothing of it.
    ///
    /// # Errors
    /// As [`Manager::change`].
    pub async fn forget(&self, id: i64) -> Result<(), ActionError> {
        self.ask(|answer| Command::Forget(id, answer)).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, ActionError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| ActionError::ShuttingDown)?;
        answer.await.unwrap_or(Err(ActionError::ShuttingDown))
    }

    /// Completes when all sessions have ended for a restart, and the store is closed.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// The sessions.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// Runs what waits for the disk where waiting is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.expect("the store does not panic")
}
