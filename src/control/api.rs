//! The running sessions, read only. No key is in these answers.

use hyper::StatusCode;
use serde::Serialize;

use super::rpc::error;
use crate::http::{self, Request, Response};
use crate::manager::Manager;
use crate::session::{PeerInfo, Session};
use crate::wire::manage;

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    record: &'a manage::Session,
    port: u16,
    peers: Vec<PeerInfo>,
}

#[derive(Serialize)]
struct All<'a> {
    sessions: Vec<Shown<'a>>,
}

fn shown<'a>(session: &Session, record: &'a manage::Session) -> Shown<'a> {
    Shown { record, port: session.port, peers: session.peers() }
}

/// Answers `/api/sessions` and `/api/sessions/<id>`; `path` is what follows `/api`.
pub fn answer(manager: &Manager, request: &Request, path: &str) -> Response {
    let Some(id) = path.strip_prefix("/sessions") else { return error(StatusCode::NOT_FOUND, "no such address") };
    if !http::is_read(request.method()) {
        return http::method_not_allowed("GET, HEAD");
    }
    let list = manager.registry().list();
    if id.is_empty() || id == "/" {
        let sessions = list.iter().map(|(session, record)| shown(session, record)).collect();
        return http::json(StatusCode::OK, &All { sessions });
    }
    let wanted = id[1..].parse::<i64>().ok();
    match list.iter().find(|(session, _)| Some(session.id) == wanted) {
        Some((session, record)) => http::json(StatusCode::OK, &shown(session, record)),
        None => error(StatusCode::NOT_FOUND, "No matching session"),
    }
}
