//! The running sessions, read only. No key is in these answers.

use hyper::StatusCode;
use serde::Serialize;

use super::rpc::error;
use crate::http::{self, Request, Response};
use crate::manager::{Listed, Manager};
use crate::session::PeerInfo;
use crate::wire::manage;

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    session: &'a manage::Session,
    port: u16,
    peers: Vec<PeerInfo>,
}

#[derive(Serialize)]
struct All<'a> {
    sessions: Vec<Shown<'a>>,
}

/// A session that is served; who is connected is known of those served in this process.
fn shown(listed: &Listed) -> Option<Shown<'_>> {
    let run = listed.record.run.as_ref().filter(|run| !run.unserved)?;
    let peers = listed.session.as_ref().map_or_else(Vec::new, |session| session.peers());
    Some(Shown { session: &listed.record.session, port: run.port, peers })
}

/// Answers `/api/sessions` and `/api/sessions/<id>`; `path` is what follows `/api`.
pub fn answer(manager: &Manager, request: &Request, path: &str) -> Response {
    let Some(id) = path.strip_prefix("/sessions") else { return error(StatusCode::NOT_FOUND, "no such address") };
    if !http::is_read(request.method()) {
        return http::method_not_allowed("GET, HEAD");
    }
    let all = manager.registry().all();
    if id.is_empty() || id == "/" {
        return http::json(StatusCode::OK, &All { sessions: all.iter().filter_map(shown).collect() });
    }
    let wanted = id[1..].parse::<i64>().ok();
    match all.iter().find(|listed| Some(listed.record.session.id_session) == wanted).and_then(shown) {
        Some(shown) => http::json(StatusCode::OK, &shown),
        None => error(StatusCode::NOT_FOUND, "No matching session"),
    }
}
