//! What serves a session: the engine in this process, or a program of its own that is started for
//! it (`webrtc.executable`), as OpenTera's VideoRehab service does.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::pool::Lease;
use super::record::Run;
use crate::config::Config;
use crate::room::DisconnectReason;
use crate::session::Session;
use crate::tasks::Tasks;

/// How long an end waits for the port. No other session is started or stopped meanwhile.
const PORT_TIME: Duration = Duration::from_millis(50);

/// Likewise, how long it waits for a program that was killed. One that waits for a dead disk ends with the disk's answer.
const KILL_TIME: Duration = Duration::from_secs(1);

/// What serves a session.
pub(super) enum Engine {
    BuiltIn(Arc<Session>),
    External(External),
}

/// A program that serves one session. It has the session's port and key.
pub(super) struct External {
    stop: CancellationToken,
    gone: CancellationToken,
}

/// Where it is told that a program has ended by itself: the session's id and run.
pub(super) type Exits = mpsc::UnboundedSender<(i64, u64)>;

impl Engine {
    /// The session, if it is served in this process.
    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::BuiltIn(session) => Some(session),
            Self::External(_) => None,
        }
    }

    /// Ends it and waits until its port is free, which is at once but where somebody is between two polls
    /// and has still to be told, or where the system cannot end a program: then the port may come back later, by itself.
    pub(super) async fn end(&self, reason: DisconnectReason) {
        match self {
            Self::BuiltIn(session) => {
                session.end(reason);
                let _ = tokio::time::timeout(PORT_TIME, session.port_released()).await;
            }
            Self::External(program) => {
                program.stop.cancel();
                let _ = tokio::time::timeout(KILL_TIME, program.gone.cancelled()).await;
            }
        }
    }

    /// Ends it for a restart of the server; what [`Engine::gone`] leaves can be kept.
    pub(super) async fn suspend(&self) {
        match self {
            Self::BuiltIn(session) => session.suspend(),
            Self::External(_) => self.end(DisconnectReason::Restart).await,
        }
    }

    /// Completes when nothing of an ended engine is left.
    pub(super) async fn gone(&self) {
        match self {
            Self::BuiltIn(session) => session.gone().await,
            Self::External(program) => program.gone.cancelled().await,
        }
    }
}

impl External {
    /// Starts the program for a session. Its port comes back when it ends, by itself or not.
    ///
    /// # Errors
    /// The system's: there is no such program, for example.
    pub(super) fn start(
        config: &Config,
        of: (i64, u64),
        run: &Run,
        lease: Lease,
        exits: Exits,
        tasks: &Tasks,
    ) -> io::Result<Self> {
        let child = command(config, run).spawn()?;
        let (stop, gone) = (CancellationToken::new(), CancellationToken::new());
        tasks.spawn(watch(child, of, lease, exits, stop.clone(), gone.clone()));
        Ok(Self { stop, gone })
    }
}

/// The command line of the original (protocols/easyrtc.md, 15).
fn command(config: &Config, run: &Run) -> Command {
    let webrtc = &config.webrtc;
    let mut command = Command::new(&webrtc.executable);
    if !webrtc.script.is_empty() {
        command.arg(&webrtc.script);
    }
    command.args([format!("--port={}", run.port), format!("--key={}", run.session_key), "--debug=1".to_owned()]);
    if let Some(redis) = config.opentera.as_ref().map(|opentera| &opentera.redis) {
        command.args([
            format!("--redis_hostname={}", redis.hostname),
            format!("--redis_port={}", redis.port),
            format!("--redis_db={}", redis.db),
            format!("--redis_username={}", redis.username),
            format!("--redis_password={}", redis.password),
        ]);
    }
    if !webrtc.working_directory.is_empty() {
        command.current_dir(&webrtc.working_directory);
    }
    // Our own output has a first line that others read.
    command.stdin(Stdio::null()).stdout(Stdio::from(io::stderr())).kill_on_drop(true);
    command
}

async fn watch(
    mut child: Child,
    (id, run): (i64, u64),
    lease: Lease,
    exits: Exits,
    stop: CancellationToken,
    gone: CancellationToken,
) {
    let _gone = gone.drop_guard();
    let port = lease.port;
    tokio::select! {
        status = child.wait() => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            tracing::error!(session = id, port, status, "the session's engine ended by itself");
            drop(lease);
            // Nobody listens any more when the manager has shut down.
            let _ = exits.send((id, run));
        }
        () = stop.cancelled() => {
            if let Err(error) = child.kill().await {
                tracing::error!(session = id, port, %error, "the session's engine cannot be ended");
            }
            drop(lease);
        }
    }
}
