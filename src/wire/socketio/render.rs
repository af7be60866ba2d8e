//! What the server sends. An Engine.IO message begins with `4`, so a Socket.IO event begins with `42`.

use serde_json::json;

use super::Version;
use crate::wire::Text;

/// The connection is over.
pub const CLOSE: &str = "1";
/// The server's ping, of Engine.IO 4.
pub const PING: &str = "2";
/// The answer to a client's ping, of Engine.IO 3.
pub const PONG: &str = "3";
/// A client's first word on the WebSocket that it would rather use.
pub const PROBE: &str = "probe";
/// The answer to [`PROBE`].
pub const PROBED: &str = "3probe";
/// Nothing, so that a poll ends.
pub const NOOP: &str = "6";
/// Namespace `/` is over: the client does not come back by itself.
pub const BYE: &str = "41";

/// What the first packet of a connection tells.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are the packet's own")]
pub struct Handshake<'a> {
    pub sid: &'a str,
    /// Whether the client may go over to WebSocket.
    pub upgrades: bool,
    pub ping_interval_ms: u64,
    pub ping_timeout_ms: u64,
    /// In bytes.
    pub max_payload: usize,
}

/// The first packet of a connection.
pub fn open(handshake: Handshake<'_>) -> Text {
    let Handshake { sid, upgrades, ping_interval_ms, ping_timeout_ms, max_payload } = handshake;
    let upgrades: &[&str] = if upgrades { &["websocket"] } else { &[] };
    let packet = json!({
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": ping_interval_ms,
        "pingTimeout": ping_timeout_ms,
        "maxPayload": max_payload,
    });
    format!("0{packet}").into()
}

/// Namespace `/` is open. `sid` is told to clients of Engine.IO 4 only.
pub fn connected(version: Version, sid: &str) -> Text {
    match version {
        Version::V3 => "40".into(),
        Version::V4 => format!("40{}", json!({ "sid": sid })).into(),
    }
}

/// A namespace is not opened.
pub fn refused(version: Version, namespace: &str, reason: &str) -> Text {
    let reason = match version {
        Version::V3 => json!(reason),
        Version::V4 => json!({ "message": reason }),
    };
    match namespace {
        "/" => format!("44{reason}").into(),
        _ => format!("44{namespace},{reason}").into(),
    }
}

/// An event with one argument, which is JSON, and no wish for an answer.
pub fn event(name: &str, argument: &str) -> Text {
    let name = json!(name).to_string();
    joined(&["42[", &name, ",", argument, "]"])
}

/// The answer to a client's event; `argument` is JSON.
pub fn acknowledgement(id: u64, argument: &str) -> Text {
    joined(&["43", &id.to_string(), "[", argument, "]"])
}

/// Made in one piece: these are written for each message.
fn joined(parts: &[&str]) -> Text {
    parts.concat().into()
}
