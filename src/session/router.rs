//! What a session's listener answers. The front door of the manager hands its requests to the same
//! [`Session::handle`], so a session is the same whichever way it is reached.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};

use super::keys::{Grant, NO_KEY};
use super::{OpenError, Session, page};
use crate::config::Limits;
use crate::http::address::client_address;
use crate::http::origin::Origin;
use crate::http::request::{cookie, query};
use crate::http::{self, Request, Response};
use crate::room::Admission;
use crate::transport::websocket::{self, Framing};
use crate::transport::{Carrier, sockjs};
use crate::wire::manage::Role;

/// How many messages' worth of queue and how many sessions a SockJS client may make us keep follow
/// from the session's own limits.
pub(super) fn sockjs_settings(limits: &Limits) -> sockjs::Settings {
    sockjs::Settings {
        message_bytes: limits.message_bytes,
        heartbeat: limits.heartbeat(),
        ..sockjs::Settings::default()
    }
}

impl Session {
    /// Answers a request. `path` is what remains of the request's own once the proxy's or the front
    /// door's part is taken off; `peer` is the TCP peer.
    pub async fn handle(self: &Arc<Self>, request: Request, path: &str, peer: IpAddr) -> Response {
        let address = client_address(peer, request.headers());
        let own = format!("/websocket/{}", self.port);
        let path = path.strip_prefix(&own).filter(|rest| rest.starts_with('/')).unwrap_or(path);
        let first = path[1.min(path.len())..].split('/').next().unwrap_or_default();
        match first {
            "users" => self.page(&request, Role::User, address),
            "participants" => self.page(&request, Role::Participant, address),
            "devices" => self.page(&request, Role::Device, address),
            "status" => self.status(&request, address),
            "assets" => page::asset(&request, path),
            "ws" => self.websocket(request, address),
            "echo" => self.sockjs(request, &path["/echo".len()..], address).await,
            _ => http::text(StatusCode::NOT_FOUND, "404 not found\n"),
        }
    }

    fn page(&self, request: &Request, role: Role, address: IpAddr) -> Response {
        match self.admit(request, address) {
            Presented::Grant(grant) if grant.role == role => {
                let key = query(request.uri(), "key").unwrap_or_default();
                page::call(&self.shared.config, self.port, &self.name, &grant, &key)
            }
            Presented::Braked(wait) => too_many(wait),
            Presented::Grant(_) | Presented::Wrong | Presented::None => page::denied(&self.shared.config),
        }
    }

    fn status(&self, request: &Request, address: IpAddr) -> Response {
        match self.admit(request, address) {
            Presented::Grant(grant) => http::json(
                StatusCode::OK,
                &serde_json::json!({"status": "OK", "id_session": self.id, "role": grant.role, "peers": self.peers().len()}),
            ),
            Presented::Braked(wait) => too_many(wait),
            Presented::Wrong | Presented::None => page::denied(&self.shared.config),
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
            return http::text(StatusCode::BAD_REQUEST, "Not a valid websocket request");
        }
        let connection = match self.open(grant, Admission::Keyed, Carrier::RawWebSocket, address) {
            Ok(connection) => connection,
            Err(error) => return error.response(),
        };
        let limits = &self.shared.config.limits;
        let settings = websocket::Settings { message_bytes: limits.message_bytes, heartbeat: limits.heartbeat() };
        websocket::accept(request, connection, Framing::Raw, settings, &self.tasks)
    }

    async fn sockjs(self: &Arc<Self>, request: Request, path: &str, address: IpAddr) -> Response {
        let (space, admission, grant) = match self.admit(&request, address) {
            Presented::Grant(grant) => (grant.key, Admission::Keyed, Some(grant)),
            Presented::None => {
                let keyless = self.shared.config.room_key().then(Grant::keyless);
                (NO_KEY, Admission::Keyless, keyless)
            }
            refused => return refused.unauthorized(),
        };
        let open = |carrier| match grant {
            Some(grant) => self.open(grant, admission, carrier, address).map_err(OpenError::response),
            None => Err(Presented::None.unauthorized()),
        };
        self.sockjs.handle(request, path, space, open).await
    }

    /// Looks at the key that a request presents, in its query or by the session's cookie.
    fn admit(&self, request: &Request, address: IpAddr) -> Presented {
        let in_query = query(request.uri(), "key");
        let name = page::cookie_name(self.port);
        let presented = in_query.as_deref().or_else(|| cookie(request.headers(), &name));
        let Some(presented) = presented else { return Presented::None };
        if let Some(grant) = self.check_key(presented) {
            return Presented::Grant(grant);
        }
        let now = Instant::now();
        self.shared.metrics.failed_key();
        if let Some(wait) = self.shared.gate.brake(address, now) {
            return Presented::Braked(wait);
        }
        self.shared.gate.failed(address, now);
        tracing::debug!(session = self.id, %address, "a wrong key was presented");
        Presented::Wrong
    }
}

/// What came of the key in a request.
enum Presented {
    Grant(Grant),
    /// Not a key of this session, or one no longer.
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
    let mut response = http::text(StatusCode::TOO_MANY_REQUESTS, "too many wrong keys from this address\n");
    let seconds = wait.as_secs() + 1;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn foreign() -> Response {
    http::text(StatusCode::FORBIDDEN, "this origin may not open a socket here (server.allowed_origins)\n")
}
