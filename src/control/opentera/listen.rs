//! What comes in over Redis: calls of the service, and who comes and goes.

use std::sync::Arc;

use futures_util::StreamExt;

use super::OpenTera;
use super::identity::Identity;
use super::redis::Pause;
use crate::wire::opentera::presences;

/// Where the server tells who comes and goes.
const PRESENCES: &str = "module.TeraServer.UserManagerModule.events";

/// Where an engine of its own says that it is up: `webrtc.<session key>`.
const ENGINES: &str = "webrtc.*";

/// What an engine of its own says then.
pub(super) const READY: &str = "Ready!";

/// Why listening began anew.
enum Lost {
    Connection(String),
    Topics,
}

impl OpenTera {
    /// Listens until the service stops: waits for Redis and for the server, subscribes, and begins
    /// anew whenever the connection is lost. `port` is the one that the pages are served on.
    pub(super) async fn listen(self: Arc<Self>, port: u16) {
        let stop = self.stop.clone();
        let listening = async {
            let mut pause = Pause::default();
            loop {
                let lost = match self.prepared(port).await {
                    Ok(identity) => self.hear(&identity, &mut pause).await,
                    Err(problem) => Lost::Connection(problem),
                };
                if let Lost::Connection(problem) = lost {
                    self.set_state(Err(format!("waiting for OpenTera: {problem}")));
                    pause.rest("waiting for OpenTera", &problem).await;
                }
            }
        };
        stop.run_until_cancelled(listening).await;
    }

    /// Who we are, read anew.
    async fn prepared(&self, port: u16) -> Result<Arc<Identity>, String> {
        let identity = self.read_identity().await.map_err(|error| error.to_string())?;
        if let Some(named) = identity.port.filter(|named| *named != port) {
            tracing::warn!(
                listen = port,
                service_port = named,
                "server.listen has another port than the OpenTera server's record of the service: its proxy may look for the pages there"
            );
        }
        Ok(identity)
    }

    /// Subscribes and hands on what comes in, until the connection is lost.
    async fn hear(self: &Arc<Self>, identity: &Identity, pause: &mut Pause) -> Lost {
        let topics = identity.call_topics();
        let lost = |error: ::redis::RedisError| Lost::Connection(error.to_string());
        let mut subscriber = match self.redis.subscriber().await {
            Ok(subscriber) => subscriber,
            Err(error) => return lost(error),
        };
        for topic in topics.iter().map(String::as_str).chain([PRESENCES]) {
            if let Err(error) = subscriber.subscribe(topic).await {
                return lost(error);
            }
        }
        if self.external
            && let Err(error) = subscriber.psubscribe(ENGINES).await
        {
            return lost(error);
        }
        tracing::info!(service = %self.settings.service_name, again = pause.was_long(), "connected to OpenTera");
        *pause = Pause::default();
        self.set_state(Ok(()));
        let mut messages = subscriber.on_message();
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                () = self.renamed.notified() => return Lost::Topics,
            };
            let Some(message) = message else { return Lost::Connection("the connection was lost".to_owned()) };
            let (topic, payload) = (message.get_channel_name(), message.get_payload_bytes());
            if topic == PRESENCES {
                presences(payload).into_iter().for_each(|seen| self.presence(seen));
            } else if let Some(key) = topic.strip_prefix("webrtc.") {
                if payload == READY.as_bytes() {
                    self.engine_is_up(key);
                }
            } else {
                self.called(topic, payload);
            }
        }
    }
}
