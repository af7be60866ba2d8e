//! All sessions: the pool of ports, their lifecycles, the store. One task changes them, by command
//! and reply, so two starts, or a stop during a start, have one order; everybody else reads the
//! list that it writes.

mod lifecycle;
mod people;
mod pool;
mod record;
mod restore;
mod store;

pub use store::StoreError;

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::session::{Session, Shared};
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
    /// No port is free.
    #[error("Cannot create process")]
    NoPort,
    /// The store failed. Nothing was started or invited; what was to end has ended.
    #[error("Cannot store the session: {0}")]
    Store(#[from] StoreError),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// The running sessions, as readers see them.
#[derive(Clone, Default)]
pub struct Registry {
    by_port: Arc<DashMap<u16, Listed>>,
}

#[derive(Clone)]
struct Listed {
    session: Arc<Session>,
    record: Arc<manage::Session>,
}

impl Registry {
    /// The session on a port.
    pub fn on_port(&self, port: u16) -> Option<Arc<Session>> {
        self.by_port.get(&port).map(|listed| listed.session.clone())
    }

    /// Each running session with its record, which holds no key, by id.
    pub fn list(&self) -> Vec<(Arc<Session>, Arc<manage::Session>)> {
        let mut all: Vec<_> =
            self.by_port.iter().map(|listed| (listed.session.clone(), listed.record.clone())).collect();
        all.sort_unstable_by_key(|(session, _)| session.id);
        all
    }
}

/// Commands the manager's task.
#[derive(Clone)]
pub struct Manager {
    commands: mpsc::Sender<Command>,
    registry: Registry,
}

type Command = (Action, oneshot::Sender<Result<Reply, ActionError>>);

impl Manager {
    /// Brings back the sessions that the store says were running, and starts the manager's task in
    /// `tasks`. `base` begins the URLs handed out. At `stop` the task ends all sessions, telling
    /// their clients to come back, and leaves the store as it is.
    ///
    /// # Errors
    /// A store that cannot be opened or read.
    pub async fn start(
        shared: Arc<Shared>,
        base: String,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Self, StoreError> {
        let directory = shared.config.server.data_dir.clone();
        let (store, records, last) = blocking(move || {
            let store = Store::open(&directory)?;
            let (records, last) = store.running()?;
            Ok((store, records, last))
        })
        .await?;
        let webrtc = &shared.config.webrtc;
        let pool = Pool::new(webrtc.bind, webrtc.local_base_port, webrtc.max_sessions);
        let registry = Registry::default();
        let (commands, received) = mpsc::channel(WAITING_COMMANDS);
        let mut lifecycle = Lifecycle::new(shared, base, store, pool, registry.clone(), last + 1);
        lifecycle.restore(records).await;
        tasks.spawn(lifecycle.run(received, stop));
        Ok(Self { commands, registry })
    }

    /// Does an action, in its turn.
    ///
    /// # Errors
    /// See [`ActionError`].
    pub async fn manage(&self, action: Action) -> Result<Reply, ActionError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send((action, reply)).await.map_err(|_| ActionError::ShuttingDown)?;
        answer.await.unwrap_or(Err(ActionError::ShuttingDown))
    }

    /// The running sessions.
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
