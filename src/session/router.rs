//! What a session's listener answers. The front door of the manager hands its requests to the same
//! [`Session::handle`], so a session is the same whichever way it is reached.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use super::easyrtc::new_id;
use super::keys::{Grant, NO_KEY};
use super::site::Site;
use super::{OpenError, Session, keyless, page};
use crate::config::Limits;
use crate::http::address::client_address;
use crate::http::origin::{Origin, is_loaded_elsewhere};
use crate::http::request::{cookie, query};
use crate::http::{self, Budget, Request, Response};
use crate::room::Admission;
use crate::transport::websocket::{self, Framing};
use crate::transport::{Carrier, socketio, sockjs};
use crate::wire::manage::Role;
use crate::wire::socketio::Version;

/// How SockJS's service of a session is set up.
fn sockjs_settings(limits: &Limits) -> sockjs::Settings {
    sockjs::Settings {
        message_bytes: limits.message_bytes,
        bodies: Budget::new(limits.session_bytes, limits.message_bytes * sockjs::ENCODED_FACTOR),
        bytes_per_second: limits.raw_bytes_per_second(),
        heartbeat: limits.heartbeat(),
        sessions: most_polled(limits),
        ..sockjs::Settings::default()
    }
}

/// How many of a service's connections there may be: those that are closing count there, and must not keep newcomers out;
/// nor those without a key.
pub(super) fn most_polled(limits: &Limits) -> usize {
    if limits.peers == 0 { usize::MAX } else { limits.peers * 2 + keyless::MOST }
}

impl Session {
    /// Answers a request. `path` is what remains of the request's own once the proxy's or the front
    /// door's part is taken off; `peer` is the TCP peer.
    pub async fn handle(self: &Arc<Self>, request: Request, path: &str, peer: IpAddr) -> Response {
        let response = self.answer(request, path, peer).await;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            self.shared.metrics.refused(status.as_u16());
        }
        response
    }

    async fn answer(self: &Arc<Self>, request: Request, path: &str, peer: IpAddr) -> Response {
        let address = client_address(peer, request.headers());
        let below_socket = path.strip_prefix(&format!("/websocket/{}/", self.port));
        let first = below_socket.unwrap_or(&path[1.min(path.len())..]).split('/').next().unwrap_or_default();
        match (first, below_socket) {
            ("ws", _) => return self.websocket(request, address),
            ("echo", Some(rest)) => return self.sockjs(request, &rest["echo".len()..], address).await,
            ("echo", None) => return self.sockjs(request, &path["/echo".len()..], address).await,
            (_, Some(_)) => return self.socketio(request, address).await,
            _ => {}
        }
        match first.to_ascii_lowercase().as_str() {
            "users" => self.page(&request, Role::User, address).await,
            "participants" => self.page(&request, Role::Participant, address).await,
            "devices" => self.page(&request, Role::Device, address).await,
            "status" => self.status(&request, address).await,
            _ => match Site::of(&self.shared.config.webrtc.working_directory) {
                Some(site) => site.file(&request, path).await,
                None if first == "assets" => page::asset(&request, path),
                None => http::text(StatusCode::NOT_FOUND, "404 not found\n"),
            },
        }
    }

    async fn page(&self, request: &Request, role: Role, address: IpAddr) -> Response {
        let (config, site) = (&self.shared.config, Site::of(&self.shared.config.webrtc.working_directory));
        let grant = match self.admit(request, address) {
            Presented::Grant(grant) if grant.role == role => grant,
            Presented::Braked(wait) => return too_many(wait),
            Presented::Grant(_) | Presented::Taken(_) | Presented::Wrong | Presented::None => {
                return self.denied().await;
            }
        };
        let mut response = match site {
            Some(site) => site.page(&grant, self.port).await,
            None => {
                let ice_servers = self.ice.for_peer(&format!("{}-{}", self.id, new_id()));
                page::call(config, self.port, &self.name, &grant, ice_servers)
            }
        };
        if let Some(key) = query(request.uri(), "key") {
            page::give_cookie(&mut response, config, self.port, &grant, &key);
        }
        response
    }

    /// The page for whoever has no valid key.
    async fn denied(&self) -> Response {
        let theirs = match Site::of(&self.shared.config.webrtc.working_directory) {
            Some(site) => site.denied().await,
            None => None,
        };
        theirs.unwrap_or_else(|| page::denied(&self.shared.config))
    }

    /// Socket.IO, with EasyRTC behind it. Engine.IO 4 sends its key perhaps with its CONNECT only.
    async fn socketio(self: &Arc<Self>, request: Request, address: IpAddr) -> Response {
        let service = self.socketio.get_or_init(|| {
            let settings = Self::socketio_settings(&self.shared.config.limits);
            socketio::Service::new(settings, self.shared.origins.clone(), self.tasks.clone(), self.stop.clone())
        });
        // A request of a connection that is open already is known by its sid.
        let presented = match query(request.uri(), "sid") {
            Some(_) => Presented::None,
            None => self.admit(&request, address),
        };
        let in_query = query(request.uri(), "key").is_some();
        let open = |carrier, version| match presented {
            Presented::Grant(grant) => self.open_socketio(Some(grant), carrier, address).map_err(OpenError::response),
            Presented::None | Presented::Taken(_) if version == Version::V4 && !in_query => {
                self.open_socketio(None, carrier, address).map_err(OpenError::response)
            }
            refused => Err(refused.unauthorized()),
        };
        service.handle(request, open).await
    }

    async fn status(&self, request: &Request, address: IpAddr) -> Response {
        match self.admit(request, address) {
            Presented::Grant(grant) => http::json(
                StatusCode::OK,
                &serde_json::json!({"status": "OK", "id_session": self.id, "role": grant.role, "peers": self.peers().len()}),
            ),
            Presented::Braked(wait) => too_many(wait),
            Presented::Taken(_) | Presented::Wrong | Presented::None => self.denied().await,
        }
    }

    fn websocket(self: &Arc<Self>, request: Request, address: IpAddr) -> Response {
        let grant = match self.admit(&request, address) {
            Presented::Grant(grant) => grant,
            refused => return refused.unauthorized(),
        };
        if self.shared.origins.judge(request.headers()) == Origin::Foreign {
            return foreign();
        }
        if !websocket::is_upgrade(&request) {
            return websocket::refusal(&request);
        }
        let connection = match self.open(grant, Admission::Keyed, Carrier::RawWebSocket, address) {
            Ok(connection) => connection,
            Err(error) => return error.response(),
        };
        let limits = &self.shared.config.limits;
        let settings = websocket::Settings {
            message_bytes: limits.message_bytes,
            bytes_per_second: limits.raw_bytes_per_second(),
            heartbeat: limits.heartbeat(),
        };
        websocket::accept(request, connection, Framing::Raw, settings, &self.tasks)
    }

    async fn sockjs(self: &Arc<Self>, request: Request, path: &str, address: IpAddr) -> Response {
        let (space, admission, grant) = match self.admit(&request, address) {
            Presented::Grant(grant) => (grant.key, Admission::Keyed, Some(grant)),
            Presented::None => {
                let keyless = self.shared.config.room_key().then(Grant::keyless);
                (NO_KEY, Admission::Keyless, keyless)
            }
            // Between two polls its holder has not heard yet why it ended.
            Presented::Taken(number) => (number, Admission::Keyed, None),
            refused => return refused.unauthorized(),
        };
        let open = |carrier| match grant {
            Some(grant) => self.open(grant, admission, carrier, address).map_err(OpenError::response),
            None => Err(Presented::None.unauthorized()),
        };
        let new = || {
            let settings = sockjs_settings(&self.shared.config.limits);
            sockjs::Service::new(settings, self.shared.origins.clone(), self.tasks.clone(), self.stop.clone())
        };
        self.sockjs.get_or_init(new).handle(request, path, space, open).await
    }

    /// Looks at the key that a request presents, in its query or by the session's cookie.
    fn admit(&self, request: &Request, address: IpAddr) -> Presented {
        let in_query = query(request.uri(), "key");
        let name = page::cookie_name(self.port);
        // A script that another page of this host loads from here carries the cookie, and no Origin.
        let by_cookie = || cookie(request.headers(), &name).filter(|_| !is_loaded_elsewhere(request.headers()));
        let presented = in_query.as_deref().or_else(by_cookie);
        let Some(presented) = presented else { return Presented::None };
        if let Some(number) = self.state().keys.taken(presented) {
            return Presented::Taken(number);
        }
        match self.try_key_or_wait(presented, address) {
            Ok(Some(grant)) => Presented::Grant(grant),
            // A cookie may be left from an earlier session on this port: whoever may come without a key need not lose it first.
            _ if in_query.is_none() => Presented::None,
            Ok(None) => Presented::Wrong,
            Err(wait) => Presented::Braked(wait),
        }
    }

    /// What a key gives; a wrong one counts against its address.
    pub(super) fn try_key(&self, presented: &str, address: IpAddr) -> Option<Grant> {
        self.try_key_or_wait(presented, address).ok().flatten()
    }

    fn try_key_or_wait(&self, presented: &str, address: IpAddr) -> Result<Option<Grant>, Duration> {
        if let Some(grant) = self.check_key(presented) {
            return Ok(Some(grant));
        }
        if let Some(wait) = self.shared.count_wrong(address) {
            return Err(wait);
        }
        tracing::debug!(session = self.id, %address, "a wrong key was presented");
        Ok(None)
    }
}

/// What came of the key in a request.
enum Presented {
    Grant(Grant),
    /// A key that was taken from its holder: what it opened is being told so.
    Taken(u64),
    /// Not a key of this session.
    Wrong,
    /// A wrong key of an address that has shown too many.
    Braked(Duration),
    None,
}

impl Presented {
    /// The answer on a socket address, before any upgrade.
    fn unauthorized(self) -> Response {
        match self {
            Self::Braked(wait) => too_many(wait),
            _ => http::text(StatusCode::UNAUTHORIZED, "a key of this session is needed\n"),
        }
    }
}

fn too_many(wait: Duration) -> Response {
    http::too_many(wait, "too many wrong keys from this address\n")
}

fn foreign() -> Response {
    http::text(StatusCode::FORBIDDEN, "this origin may not open a socket here (server.allowed_origins)\n")
}
