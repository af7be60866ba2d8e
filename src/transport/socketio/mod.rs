//! Socket.IO over Engine.IO 3 and 4, for any [`Endpoint`]: handshakes, polling, WebSocket, and the way
//! from one to the other. The bytes are [`wire::socketio`](crate::wire::socketio)'s.
//!
//! One `Client` is one connection, whatever carries it. While it polls, a task of its
//! own waits for the endpoint and the clock; on WebSocket the socket's task does.
//!
//! Why not engineioxide, which we would rather have used (0.17.9 was read). It calls the application
//! without waiting and reads on at once, so a fast sender cannot be held to its rate. Its queue counts
//! packets, not bytes. Its WebSocket writer does not look at a connection's end while it waits for a
//! client that does not read, so such a client is neither ended nor reported gone until TCP gives up.
//! Its tasks are nobody's, so a session cannot wait for them. An upgrade that is not finished ends the
//! connection instead of the attempt. A request of the other version is served in that version's
//! framing. The bodies of its errors, the type of its answers to POST and the silence with which it
//! drops what is too large are not what clients were recorded with.

mod client;
mod endpoint;
mod heartbeat;
mod incoming;
mod phase;
mod polling;
mod settings;
mod socket;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::{Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::websocket::{self, Framing};
use super::{Carrier, Close, NO_CODE};
use crate::http::origin::{Origin, Origins};
use crate::http::request::query;
use crate::http::{self, Request, Response};
use crate::tasks::Tasks;
use crate::wire::Text;
use crate::wire::socketio::{BYE, Handshake, Version, open};
use client::Client;
pub use endpoint::{End, Endpoint, Outgoing};
pub use settings::Settings;
use socket::SocketEnd;

/// The end of a WebSocket whose client may come back.
const FOR_NOW: Close = Close::new(NO_CODE, "closed");

/// The end of one whose client may not.
const FOR_GOOD: Close = Close { last_words: Some(BYE), ..FOR_NOW };

/// A Socket.IO service below one path.
pub struct Service<E> {
    settings: Settings,
    origins: Origins,
    clients: Mutex<HashMap<String, Arc<Client<E>>>>,
    tasks: Tasks,
    stop: CancellationToken,
}

/// Why a request is not served, in the protocol's own numbers and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("Transport unknown")]
    Transport = 0,
    #[error("Session ID unknown")]
    UnknownId = 1,
    #[error("Bad handshake method")]
    Method = 2,
    #[error("Bad request")]
    BadRequest = 3,
}

impl Refusal {
    fn response(self) -> Response {
        let body = serde_json::json!({"code": self as u8, "message": self.to_string()});
        http::json(StatusCode::BAD_REQUEST, &body)
    }
}

impl<E: Endpoint> Service<E> {
    /// A service whose tasks run in `tasks` and end at `stop`.
    pub fn new(settings: Settings, origins: Origins, tasks: Tasks, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self { settings, origins, clients: Mutex::default(), tasks, stop })
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<String, Arc<Client<E>>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.clients().len()
    }

    /// Whether a client that polls has not fetched yet that the server has ended it.
    pub fn has_untold(&self) -> bool {
        self.clients().values().any(|client| client.is_untold())
    }

    /// Answers a request, whatever its path. `open` makes the endpoint if this request begins a
    /// connection; its error is then the answer.
    pub async fn handle(
        self: &Arc<Self>,
        request: Request,
        open: impl FnOnce(Carrier, Version) -> Result<E, Response>,
    ) -> Response {
        if self.origins.judge(request.headers()) == Origin::Foreign {
            return http::text(StatusCode::FORBIDDEN, "this origin may not open a socket here\n");
        }
        let parameter = |name| query(request.uri(), name);
        let version = Version::of_query(parameter("EIO").as_deref());
        let sid = parameter("sid");
        let by_websocket = match parameter("transport").as_deref() {
            Some("polling") => false,
            Some("websocket") => true,
            _ => return Refusal::Transport.response(),
        };
        // Polling by script elements, which no client of today does.
        if parameter("j").is_some() {
            return Refusal::BadRequest.response();
        }
        let Some(sid) = sid else {
            return match by_websocket {
                true => self.open_socket(request, version, open),
                false => self.open_polling(&request, version, open),
            };
        };
        let found = self.clients().get(&*sid).filter(|client| client.is_there()).cloned();
        match found {
            Some(client) if client.version != version => Refusal::BadRequest.response(),
            Some(client) if by_websocket => self.upgrade(request, client),
            Some(client) => self.poll_or_post(request, &client).await,
            None if by_websocket => http::typed(StatusCode::BAD_REQUEST, "text/html", Refusal::UnknownId.to_string()),
            None => Refusal::UnknownId.response(),
        }
    }

    fn open_polling(
        self: &Arc<Self>,
        request: &Request,
        version: Version,
        open: impl FnOnce(Carrier, Version) -> Result<E, Response>,
    ) -> Response {
        if request.method() != Method::GET {
            return Refusal::Method.response();
        }
        match self.start_polling(version, open) {
            Ok((_, greeting)) => polling::packets(version, &[greeting]),
            Err(response) => response,
        }
    }

    fn start_polling(
        self: &Arc<Self>,
        version: Version,
        open: impl FnOnce(Carrier, Version) -> Result<E, Response>,
    ) -> Result<(Arc<Client<E>>, Text), Response> {
        let (client, greeting) = self.open(Carrier::SocketIoPolling, version, open)?;
        let (service, lived) = (self.clone(), client.clone());
        self.tasks.spawn(async move {
            lived.live(&service.stop).await;
            if !lived.is_upgraded() {
                service.unlist(&lived);
            }
        });
        Ok((client, greeting))
    }

    fn open_socket(
        self: &Arc<Self>,
        request: Request,
        version: Version,
        open: impl FnOnce(Carrier, Version) -> Result<E, Response>,
    ) -> Response {
        if !websocket::is_upgrade(&request) {
            return Refusal::BadRequest.response();
        }
        match self.open(Carrier::SocketIoWebSocket, version, open) {
            Ok((client, greeting)) => {
                let end = SocketEnd::carrying(self.clone(), client, greeting);
                websocket::accept(request, end, Framing::EngineIo, self.socket_settings(), &self.tasks)
            }
            Err(response) => response,
        }
    }

    /// A WebSocket for a client that polls.
    fn upgrade(self: &Arc<Self>, request: Request, client: Arc<Client<E>>) -> Response {
        if !websocket::is_upgrade(&request) || !client.begin_upgrade() {
            return Refusal::BadRequest.response();
        }
        let end = SocketEnd::probing(self.clone(), client);
        websocket::accept(request, end, Framing::EngineIo, self.socket_settings(), &self.tasks)
    }

    fn socket_settings(&self) -> websocket::Settings {
        // Engine.IO's own heartbeat takes the place of WebSocket's.
        websocket::Settings {
            message_bytes: self.settings.message_bytes,
            bytes_per_second: self.settings.bytes_per_second,
            heartbeat: Duration::ZERO,
        }
    }

    /// Makes a connection and its first packet.
    fn open(
        &self,
        carrier: Carrier,
        version: Version,
        open_endpoint: impl FnOnce(Carrier, Version) -> Result<E, Response>,
    ) -> Result<(Arc<Client<E>>, Text), Response> {
        let mut clients = self.clients();
        if clients.len() >= self.settings.connections {
            return Err(http::text(StatusCode::SERVICE_UNAVAILABLE, "too many connections\n"));
        }
        let client = Client::new(open_endpoint(carrier, version)?, carrier, version, &self.settings)
            .map_err(|why| http::json(StatusCode::FORBIDDEN, &serde_json::json!({"code": 4, "message": why})))?;
        let client = Arc::new(client);
        clients.insert(client.sid.clone(), client.clone());
        drop(clients);
        let greeting = open(Handshake {
            sid: &client.sid,
            upgrades: carrier == Carrier::SocketIoPolling,
            ping_interval_ms: millis(self.settings.ping_interval),
            ping_timeout_ms: millis(self.settings.ping_timeout),
            max_payload: self.settings.message_bytes,
        });
        Ok((client, greeting))
    }

    fn unlist(&self, client: &Client<E>) {
        self.clients().remove(&client.sid);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
