//! The VideoRehab service of an OpenTera server: calls come in over its Redis, the sessions' records
//! are kept through its REST API, and its users, participants and devices hear of them by events.
//!
//! What concerns one session is done in order of arrival, whatever the server's answers take; what
//! concerns different sessions goes on side by side. The order of what is published is that of
//! [`redis::Redis::publish`] being called.

mod actions;
mod call;
mod creator;
mod held;
pub mod identity;
mod listen;
pub mod log;
mod notices;
mod people;
pub mod redis;
pub mod rest;
mod server;
pub mod token;
mod turns;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, OpenTera as Settings};
use crate::manager::Manager;
use crate::tasks::Tasks;
use crate::wire::manage::Action;
use identity::Identity;
use redis::Redis;
use rest::Rest;
use turns::Turns;

/// How long what is to be published may still take when the server stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The service.
pub struct OpenTera {
    settings: Settings,
    /// Of a creator who is gone.
    grace_secs: u64,
    /// Whether sessions are served by programs of their own.
    external: bool,
    base: String,
    manager: Manager,
    redis: Redis,
    rest: Rest,
    identity: Mutex<Option<Arc<Identity>>>,
    /// The topics have changed.
    renamed: Notify,
    turns: Turns,
    /// Creators who are gone: session → what ends when they come back.
    gone: Mutex<HashMap<i64, CancellationToken>>,
    refusals: Mutex<log::Refusals>,
    state: Mutex<Result<(), String>>,
    stop: CancellationToken,
    tasks: Tasks,
}

/// Why an action was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The service does not hold the session: over Redis the reply is null.
    NoSession,
    /// `stop` of a session that it does not hold.
    NothingToStop,
    /// The creator refused, and so the session ended.
    CreatorRefused,
    /// No port is free, or the engine cannot be started.
    NoPort,
    /// The OpenTera server could not note that a session ends. It runs no more, and is to be stopped once more.
    StopNotNoted,
    /// The OpenTera server did not do its part; the text of the error.
    Refused(String),
    /// Not now: the server is starting or stopping.
    Unavailable,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NoSession => "No matching session",
            Self::NothingToStop => "No matching session to stop",
            Self::CreatorRefused => "Creator refused to join session - session ended",
            Self::NoPort => "Cannot create process",
            Self::StopNotNoted => "Cannot create STOP session event",
            Self::Refused(text) => text,
            Self::Unavailable => "the service is not connected to its OpenTera server",
        })
    }
}

impl OpenTera {
    /// Starts the service: it waits for Redis and the server by itself. `port` is the one that
    /// pages are served on, `base` begins the URLs handed out. It ends with `stop`.
    ///
    /// # Errors
    /// A CA file that cannot be used.
    pub fn start(
        config: &Config,
        port: u16,
        base: String,
        manager: Manager,
        stop: CancellationToken,
        tasks: &Tasks,
    ) -> io::Result<Arc<Self>> {
        let settings = config.opentera.clone().unwrap_or_default();
        let rest = Rest::new(&settings.backend)?;
        let (redis, outbox) = Redis::new(&settings.redis)?;
        let service = Arc::new(Self {
            grace_secs: config.sessions.creator_grace_secs,
            external: !config.webrtc.executable.is_empty(),
            base,
            manager,
            redis,
            rest,
            identity: Mutex::new(None),
            renamed: Notify::new(),
            turns: Turns::default(),
            gone: Mutex::default(),
            refusals: Mutex::default(),
            state: Mutex::new(Err("connecting to Redis".to_owned())),
            stop: stop.clone(),
            tasks: tasks.clone(),
            settings,
        });
        log::forward_to(&service);
        tasks.spawn(async move {
            tokio::select! {
                () = outbox.send_all() => {}
                () = async { stop.cancelled().await; tokio::time::sleep(LAST_WORDS).await } => {}
            }
        });
        tasks.spawn(service.clone().listen(port));
        service.watch_restored();
        Ok(service)
    }

    /// Does an action, for a caller who is not on Redis.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn manage(self: &Arc<Self>, action: Action) -> Result<Value, Failure> {
        let (reply, answer) = oneshot::channel();
        self.act(action, call::ReplyTo::Caller(reply));
        answer.await.unwrap_or(Err(Failure::Unavailable))
    }

    /// Whether calls come in, or why not.
    pub fn ready(&self) -> Result<(), String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_state(&self, state: Result<(), String>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the server is, for pages.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is read of Redis, for pages.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// The REST API, for pages.
    pub fn rest(&self) -> &Rest {
        &self.rest
    }

    /// The service's uuid; empty while it is not known.
    pub fn service_uuid(&self) -> String {
        self.identity().map(|identity| identity.service_uuid.clone()).unwrap_or_default()
    }
}

/// Seconds since 1970, as every message carries them.
pub fn now() -> f64 {
    jiff::Timestamp::now().as_microsecond() as f64 / 1e6
}
