//! The way to OpenTera's Redis and back: what is published and logged, in order; what is read; what
//! is subscribed to. Each has a connection of its own, made again whenever it is lost.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError};
use tokio::sync::{Mutex, mpsc};

use crate::config::Redis as Settings;

/// How long connecting may take, or a question with all that it waits for.
const TIME: Duration = Duration::from_secs(5);

/// The pause before connecting again: at first, and at most, doubled in between.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Log entries that may wait while Redis is away; more are dropped, since they stand in our own log.
const WAITING_LOGS: usize = 10_000;

/// Where log lines come from that are not handed on to Redis, since they tell that it takes none.
pub(super) const REFUSED: &str = concat!(module_path!(), "::refused");

/// The connections.
pub struct Redis {
    client: Client,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    waiting: Arc<AtomicUsize>,
    asked: Mutex<Option<MultiplexedConnection>>,
}

/// What goes out, in this order and no other.
enum Outgoing {
    Publish { topic: String, payload: Vec<u8> },
    Push { list: &'static str, entry: Vec<u8> },
}

/// What goes out and has not gone yet.
pub struct Outbox {
    client: Client,
    outgoing: mpsc::UnboundedReceiver<Outgoing>,
    waiting: Arc<AtomicUsize>,
}

impl Redis {
    /// Connections for these settings; none is made yet. [`Outbox::send_all`] is to be run.
    ///
    /// # Errors
    /// Settings that name no address.
    pub fn new(settings: &Settings) -> io::Result<(Self, Outbox)> {
        let mut login = RedisConnectionInfo::default().set_db(settings.db.into());
        if !settings.username.is_empty() {
            login = login.set_username(&settings.username);
        }
        if !settings.password.is_empty() {
            login = login.set_password(&settings.password);
        }
        // So that a peer that vanished without a word is noticed within a minute.
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(30))
            .with_interval(Duration::from_secs(10))
            .with_retries(3);
        let address = ConnectionAddr::Tcp(settings.hostname.clone(), settings.port);
        let info = address.into_connection_info().map_err(io::Error::other)?;
        let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        let info = info.set_redis_settings(login).set_tcp_settings(tcp);
        let client = Client::open(info).map_err(io::Error::other)?;
        let (outgoing, received) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let outbox = Outbox { client: client.clone(), outgoing: received, waiting: waiting.clone() };
        Ok((Self { client, outgoing, waiting, asked: Mutex::new(None) }, outbox))
    }

    /// Publishes, after all that was handed in before. While Redis is away it waits; how much can
    /// wait is bounded by the sessions, since no call comes in meanwhile.
    pub fn publish(&self, topic: String, payload: Vec<u8>) {
        self.send(Outgoing::Publish { topic, payload });
    }

    /// Appends to a list of logs, likewise.
    pub fn push(&self, list: &'static str, entry: Vec<u8>) {
        if self.waiting.load(Ordering::Relaxed) < WAITING_LOGS {
            self.send(Outgoing::Push { list, entry });
        }
    }

    fn send(&self, outgoing: Outgoing) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // The receiver is gone only when the server has stopped.
        let _ = self.outgoing.send(outgoing);
    }

    /// Asks for something, on a connection shared with others who ask.
    ///
    /// # Errors
    /// Redis is away, or says no.
    pub async fn ask<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        // Around the whole, since all who ask wait for one connection to be made: none longer than the others.
        tokio::time::timeout(TIME, self.answer(command)).await.map_err(|_| timed_out())?
    }

    async fn answer<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut connection = self.asking().await?;
        let answer = command.query_async(&mut connection).await;
        if answer.as_ref().is_err_and(is_lost) {
            // The connection may have been lost long ago, and asking changes nothing: once more.
            *self.asked.lock().await = None;
            return command.query_async(&mut self.asking().await?).await;
        }
        answer
    }

    async fn asking(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut kept = self.asked.lock().await;
        if let Some(connection) = kept.as_ref() {
            return Ok(connection.clone());
        }
        let connection = connect(&self.client, Some(TIME)).await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }

    /// A connection to subscribe on.
    ///
    /// # Errors
    /// Redis is away, or says no.
    pub async fn subscriber(&self) -> Result<PubSub, RedisError> {
        let connecting = tokio::time::timeout(TIME, self.client.get_async_pubsub()).await;
        connecting.map_err(|_| timed_out())?
    }
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

async fn connect(client: &Client, answers_within: Option<Duration>) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(TIME)).set_response_timeout(answers_within);
    client.get_multiplexed_async_connection_with_config(&config).await
}

impl Outbox {
    /// Sends what is handed in, one after the other, until nothing is left and nobody can add to it.
    /// What was under way when the connection broke is sent again: whether it arrived is not known,
    /// and an event too many does less harm than one too few. A Redis that only hangs is waited for,
    /// so that it finds nothing doubled when it goes on.
    pub async fn send_all(mut self) {
        let mut connection = None;
        // What Redis refused when it was last given it: told once until it takes it again, since each line that tells of
        // it could be refused as well.
        let mut refused = BTreeSet::new();
        while let Some(next) = self.outgoing.recv().await {
            let command = next.command();
            loop {
                let made = match &mut connection {
                    Some(made) => made,
                    none => none.insert(self.connected().await),
                };
                match command.query_async::<()>(made).await {
                    Ok(()) => {
                        refused.remove(next.kind());
                        break;
                    }
                    Err(error) if is_lost(&error) => connection = None,
                    Err(error) => {
                        if refused.insert(next.kind()) {
                            tracing::warn!(target: REFUSED, %error, what = next.kind(), "Redis refuses what it is given");
                        }
                        break;
                    }
                }
            }
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    async fn connected(&self) -> MultiplexedConnection {
        let mut pause = Pause::default();
        loop {
            match connect(&self.client, None).await {
                Ok(connection) => return connection,
                Err(error) => pause.rest("cannot publish: Redis is away", &error).await,
            }
        }
    }
}

impl Outgoing {
    /// What Redis may take or refuse, whatever becomes of the others.
    fn kind(&self) -> &'static str {
        match self {
            Self::Publish { .. } => "PUBLISH",
            Self::Push { list, .. } => list,
        }
    }

    fn command(&self) -> Cmd {
        let mut command;
        match self {
            Self::Publish { topic, payload } => {
                command = redis::cmd("PUBLISH");
                command.arg(topic).arg(payload);
            }
            Self::Push { list, entry } => {
                command = redis::cmd("RPUSH");
                command.arg(list).arg(entry);
            }
        }
        command
    }
}

/// Whether the connection is of no use any more.
fn is_lost(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_io_error()
}

/// A pause that grows, and one line in the log for each time that something is away.
#[derive(Debug)]
pub struct Pause {
    next: Duration,
    told: bool,
}

impl Default for Pause {
    fn default() -> Self {
        Self { next: PAUSES.0, told: false }
    }
}

impl Pause {
    /// Waits before the next try.
    pub async fn rest(&mut self, what: &str, error: &(dyn std::fmt::Display + Sync)) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(%error, "{what}; trying again until it is there");
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(PAUSES.1);
    }

    /// Whether anything was waited for.
    pub fn was_long(&self) -> bool {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use tokio::time::Instant;

    /// Who asks later does not wait for those before to give up, one after the other.
    #[tokio::test(start_paused = true)]
    async fn a_redis_that_says_nothing_is_waited_for_once() {
        let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings { port: mute.local_addr().unwrap().port(), ..Settings::default() };
        let (redis, _outbox) = Redis::new(&settings).unwrap();
        let begin = Instant::now();
        let command = Cmd::get("anything");
        let answers = join_all((0..4).map(|_| redis.ask::<Option<String>>(&command))).await;
        assert!(answers.iter().all(Result::is_err));
        assert!(begin.elapsed() <= TIME + Duration::from_millis(100), "{:?}", begin.elapsed());
    }
}
