//! The client that a recording of the wire tells of and does not show: whoever has it hears what it
//! said.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::names::Names;
use super::recording::Recording;
use super::session::{SOON, Session};
use crate::websocket::{Received, WebSocket};

/// The name of its id in recordings.
const ID: &str = "<easyrtcid:B>";

/// The client; it comes when it is first heard of.
#[derive(Default)]
pub struct Neighbour {
    socket: Option<WebSocket>,
}

impl Neighbour {
    /// Whether a recording has one.
    pub fn of(recording: &Recording) -> Option<Self> {
        let is_shown = recording.entries.iter().any(|entry| entry["from"] == "client B");
        let is_heard = recording.entries.iter().any(|entry| entry.to_string().contains(ID));
        (is_heard && !is_shown).then(Self::default)
    }

    /// Joins, if that is what these packets tell of; whoever is there has been told when this is done.
    pub async fn join_for(&mut self, expected: &[String], session: &Session) -> Result<(), String> {
        let client = |argument: &Value| {
            argument["msgData"]["roomData"]["default"]["clientListDelta"]["updateClient"][ID].as_object().cloned()
        };
        let Some(client) = events(expected).find_map(|argument| client(&argument)) else { return Ok(()) };
        if self.socket.is_some() {
            return Ok(());
        }
        let path = format!("/websocket/{}/?EIO=3&transport=websocket&key={}", session.port, session.key);
        let mut socket = WebSocket::open(&session.host, &path, true, Instant::now() + SOON).await?;
        let auth = json!({"msgType": "authenticate",
            "msgData": {"apiVersion": "1.1.1-beta", "applicationName": "OpenTera", "username": client["username"]}});
        socket.text(&format!("420[\"easyrtcAuth\",{auth}]")).await?;
        heard(&mut socket, "430").await?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Sends what these packets have it say.
    pub async fn say_for(&mut self, expected: &[String], names: &Names) -> Result<(), String> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        for argument in events(expected).filter(|argument| argument["senderEasyrtcid"] == ID) {
            let said = json!({"msgType": argument["msgType"], "msgData": argument["msgData"],
                "targetEasyrtcid": argument["targetEasyrtcid"]});
            socket.text(&format!("421[\"easyrtcMsg\",{}]", names.fill(&said))).await?;
            heard(socket, "431").await?;
        }
        Ok(())
    }
}

async fn heard(socket: &mut WebSocket, start: &str) -> Result<(), String> {
    let until = Instant::now() + SOON;
    loop {
        match socket.next(until).await {
            Some((_, Received::Text(text))) if text.starts_with(start) => return Ok(()),
            Some((_, Received::Text(_))) => {}
            other => return Err(format!("the neighbour expected {start}, not {other:?}")),
        }
    }
}

/// The arguments of the events among packets.
fn events(packets: &[String]) -> impl Iterator<Item = Value> {
    packets.iter().filter_map(|packet| {
        let array = packet.strip_prefix("42")?.trim_start_matches(|character: char| character.is_ascii_digit());
        serde_json::from_str::<Vec<Value>>(array).ok()?.pop()
    })
}
