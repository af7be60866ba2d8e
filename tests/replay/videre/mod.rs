//! The driver for recordings of the videre protocol: peers, and the packets each of them hears.

mod heard;
mod packet;
mod peer;
mod requests;

use std::collections::BTreeMap;

use tokio::time::Instant;

use self::peer::{Carrier, Expected, Peer};
use super::pace::{Pace, QUIET, Window};
use super::placeholders::Names;
use super::recording::{Entry, Recording};
use super::target::Address;
use super::treatments::{ERROR_PACKET, Plan};
use super::websocket::WebSocket;

/// Replays one recording.
pub async fn replay(recording: &Recording, plan: &Plan, address: &Address) -> Result<(), String> {
    let framed = recording.meta["transport"].as_str().is_some_and(|transport| transport.starts_with("SockJS"));
    let mut pace = Pace::new(plan.timed);
    let mut replay = Replay { plan, address, framed, names: Names::default(), peers: BTreeMap::new() };
    for (number, entry) in recording.entries.iter().enumerate() {
        let result = if entry.by_server() {
            replay.expect(entry, pace.window(entry)).await
        } else {
            pace.before(entry).await;
            replay.act(entry, pace.window(entry)).await
        };
        result.map_err(|reason| format!("entry {}, {} of {}: {reason}", number + 1, entry.event(), entry.client()))?;
        pace.after(entry);
    }
    let until = Instant::now() + QUIET;
    for (name, peer) in &mut replay.peers {
        peer.quiet(until, &mut replay.names).await.map_err(|reason| format!("at the end, {name}: {reason}"))?;
    }
    Ok(())
}

struct Replay<'a> {
    plan: &'a Plan,
    address: &'a Address,
    framed: bool,
    names: Names,
    peers: BTreeMap<String, Peer>,
}

impl Replay<'_> {
    async fn act(&mut self, entry: &Entry, window: Window) -> Result<(), String> {
        let path = self.address.path(&self.names.fill(entry.text("path")));
        let frame = self.names.fill(entry.frame());
        let peer = self.peers.entry(entry.from.clone()).or_insert_with(|| Peer::new(&self.address.host));
        match (entry.event(), &mut peer.carrier) {
            ("frame", _) => peer.send(&frame).await,
            ("ws-open", _) => {
                let open = WebSocket::open(&self.address.host, &path, self.plan.pongs, window.latest).await?;
                peer.carrier = if self.framed { Carrier::Framed(open) } else { Carrier::Raw(open) };
                Ok(())
            }
            ("ws-binary", Carrier::Raw(socket)) => socket.binary(entry.text("utf8").as_bytes()).await,
            ("ws-close-sent", Carrier::Raw(socket) | Carrier::Framed(socket)) => {
                socket.close(entry.number("code") as u16).await
            }
            ("tcp-drop", _) => peer.vanish().await,
            ("http-request", _) => {
                let body = entry.field("body").as_str().map(|body| self.names.fill(body));
                if let Some(body) = &body {
                    peer.notes(body);
                }
                let (id, method) = (entry.number("id"), entry.text("method"));
                if peer.requests.ask(id, method, &path, body.as_deref()).await? {
                    peer.carrier = Carrier::Polled;
                }
                Ok(())
            }
            (other, _) => Err(format!("no client does {other} here")),
        }
    }

    async fn expect(&mut self, entry: &Entry, window: Window) -> Result<(), String> {
        let peer = self.peers.get_mut(entry.client()).ok_or("no such peer")?;
        let mut expected = Vec::new();
        match entry.event() {
            "frame" => {
                let frame = self.names.fill(entry.frame());
                expected = peer.read(&frame)?.into_iter().map(Expected::Heard).collect();
            }
            ERROR_PACKET => expected.push(Expected::Error),
            "ws-close" => {
                let code = entry.field("code").as_u64().map(|code| code as u16);
                expected.push(Expected::Close(code, entry.field("reason").as_str().map(str::to_owned)));
            }
            "http-response" => expected = self.answer(entry, window).await?,
            other => return Err(format!("no server does {other}")),
        }
        let peer = self.peers.get_mut(entry.client()).ok_or("no such peer")?;
        for expected in expected {
            match expected {
                Expected::Heard(heard) if entry.optional => peer.may_hear(heard),
                expected => peer.hear(&expected, window, &mut self.names).await?,
            }
        }
        Ok(())
    }

    /// Waits for an answer; what its frames were recorded to hold, those that came being heard now.
    async fn answer(&mut self, entry: &Entry, window: Window) -> Result<Vec<Expected>, String> {
        let peer = self.peers.get_mut(entry.client()).ok_or("no such peer")?;
        let (arrived, body) = peer.requests.answer(entry.number("id"), entry.field("status"), window).await?;
        let recorded = self.names.fill(entry.text("body"));
        if !recorded.ends_with('\n') {
            requests::compare(&recorded, &body, &mut self.names)?;
            return Ok(Vec::new());
        }
        peer.take_lines(arrived, &body)?;
        let expected: Vec<_> = recorded.lines().map(|line| peer.read(line)).collect::<Result<_, _>>()?;
        Ok(expected.into_iter().flatten().map(Expected::Heard).collect())
    }
}
