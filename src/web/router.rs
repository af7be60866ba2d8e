//! The manager's own address: one match over what it answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::header::{HeaderValue, LOCATION};
use hyper::{HeaderMap, StatusCode};

use super::dashboard;
use super::health::{self, Health};
use super::opentera;
use crate::control::admin::Admin;
use crate::control::opentera::OpenTera;
use crate::control::{api, rpc};
use crate::http::address::{Counted, client_address};
use crate::http::{self, Request, Response};
use crate::manager::Manager;
use crate::session::Shared;

/// What the manager's address serves.
pub struct Front {
    /// What all sessions share.
    pub shared: Arc<Shared>,
    /// Who may command.
    pub admin: Admin,
    /// The sessions.
    pub manager: Manager,
    /// The service of an OpenTera server, if it is one.
    pub opentera: Option<Arc<OpenTera>>,
    /// Where the server is in its life.
    pub health: Health,
}

impl Front {
    /// Answers a request.
    pub async fn handle(self: Arc<Self>, request: Request, peer: SocketAddr) -> Response {
        let path = request.uri().path().to_owned();
        let path = self.unprefixed(&path);
        let (first, rest) = split(path);
        match (first, &self.opentera) {
            ("", None) if path == "/" => moved("/rehab/"),
            ("rehab", None) if rest.is_empty() => moved("/rehab/"),
            ("dashboard", Some(_)) if rest.is_empty() => moved("./dashboard/"),
            ("rehab", None) | ("dashboard", Some(_)) => dashboard::answer(&self, request, rest, peer.ip()).await,
            ("rpc", _) => self.rpc(request, rest, peer.ip()).await,
            ("api", _) => match self.authorize(&request, peer.ip()) {
                Ok(()) => api::answer(&self.manager, &request, rest),
                Err(refusal) => refusal,
            },
            // What a proxy makes of X-Forwarded-For, for `viderehab doctor`; it tells a client of itself.
            ("healthz", _) if rest == "/address" => {
                http::json(StatusCode::OK, &Counted::of(peer.ip(), request.headers()))
            }
            ("healthz", _) => health::liveness(),
            ("readyz", opentera) => self.health.readiness(opentera.as_deref().map_or(Ok(()), OpenTera::ready)),
            ("metrics", _) => self.metrics(&request, peer.ip()),
            ("webrtc", _) => {
                let (port, rest) = split(rest);
                self.session(request, port, rest, peer.ip()).await
            }
            ("websocket", _) => self.session(request, split(rest).0, path, peer.ip()).await,
            (_, Some(opentera)) => opentera::answer(opentera, &request, path, peer.ip()).await,
            _ => not_found(),
        }
    }

    /// With an OpenTera server all is at the root, since its proxy takes `/rehab` away; who comes
    /// without that proxy may leave it in.
    fn unprefixed<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix("/rehab") {
            Some("") if self.opentera.is_some() => "/",
            Some(rest) if self.opentera.is_some() && rest.starts_with('/') => rest,
            _ => path,
        }
    }

    /// Lets whoever commands go on; else the answer, which the contract has as 401 however often.
    fn authorize(&self, request: &Request, peer: IpAddr) -> Result<(), Response> {
        let headers = request.headers();
        if self.admin.allows(request.method(), headers) {
            return Ok(());
        }
        if self.admin.is_wrong(headers) {
            self.shared.count_wrong(client_address(peer, headers));
            self.shared.metrics.refused(StatusCode::UNAUTHORIZED.as_u16());
        }
        Err(unauthorized())
    }

    /// Counts a wrong admin token on a page; the answer, if its address has shown too many.
    pub(super) fn wrong_token(&self, headers: &HeaderMap, peer: IpAddr) -> Option<Response> {
        let refusal = self
            .shared
            .count_wrong(client_address(peer, headers))
            .map(|wait| http::too_many(wait, "too many wrong tokens from this address\n"));
        let status = refusal.as_ref().map_or(StatusCode::UNAUTHORIZED, Response::status);
        self.shared.metrics.refused(status.as_u16());
        refusal
    }

    async fn rpc(&self, request: Request, rest: &str, peer: IpAddr) -> Response {
        let response = match self.authorize(&request, peer) {
            Ok(()) => rpc::call(&self.manager, self.opentera.as_ref(), request, rest.trim_start_matches('/')).await,
            Err(refusal) => refusal,
        };
        self.shared.metrics.rpc(response.status().as_u16());
        response
    }

    /// The front door: the session on that port, in process.
    async fn session(&self, request: Request, port: &str, path: &str, peer: IpAddr) -> Response {
        let session = port.parse().ok().and_then(|port| self.manager.registry().on_port(port));
        match session {
            Some(session) if !path.is_empty() => session.handle(request, path, peer).await,
            _ => not_found(),
        }
    }

    /// The metrics hold no secret, but say how busy a clinic is.
    fn metrics(&self, request: &Request, peer: IpAddr) -> Response {
        let headers = request.headers();
        let local = peer.to_canonical().is_loopback() && !headers.contains_key("x-forwarded-for");
        if !local && let Err(refusal) = self.authorize(request, peer) {
            return refusal;
        }
        let sessions = self.manager.registry().all();
        self.shared.metrics.held(sessions.iter().flat_map(|listed| &listed.session).map(|own| own.held_bytes()).sum());
        http::typed(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            self.shared.metrics.text(),
        )
    }

    pub(super) fn is_secure(&self) -> bool {
        self.shared.config.is_secure()
    }
}

/// The first part of a path, and the rest with its slash.
fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_at(path.find('/').unwrap_or(path.len()))
}

fn moved(to: &'static str) -> Response {
    let mut response = http::empty(StatusCode::FOUND);
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(to));
    response
}

fn unauthorized() -> Response {
    rpc::error(StatusCode::UNAUTHORIZED, "the admin token is missing or wrong")
}

fn not_found() -> Response {
    http::text(StatusCode::NOT_FOUND, "404 not found\n")
}
