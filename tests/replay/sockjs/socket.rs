//! One recorded WebSocket: what came on it, against what is expected so far.

use tokio::time::Instant;

use super::frames::{Cover, cover, plain_pairs};
use crate::replay::outcome::{differ, shown};
use crate::replay::pace::Window;
use crate::replay::websocket::{Received, WebSocket};

/// A ping or an `h` frame: on a framed WebSocket a server may send either, or both.
const HEARTBEAT: &str = "(heartbeat)";

/// An open WebSocket and its history, in which all but messages is written in round brackets.
pub struct Socket {
    /// The connection.
    pub connection: WebSocket,
    framed: bool,
    came: Vec<String>,
    expected: Vec<String>,
}

impl Socket {
    /// A socket that has just been opened; `framed` if its messages are SockJS frames.
    pub fn new(connection: WebSocket, framed: bool) -> Socket {
        Socket { connection, framed, came: Vec::new(), expected: Vec::new() }
    }

    /// Waits for a text message.
    pub async fn text(&mut self, text: &str, window: Window) -> Result<(), String> {
        let text = if self.framed { plain_pairs(text) } else { text.to_owned() };
        self.expect(text, window).await
    }

    /// Waits for a sign of life.
    pub async fn heartbeat(&mut self, window: Window) -> Result<(), String> {
        self.expect(HEARTBEAT.into(), window).await
    }

    /// Waits for the end.
    pub async fn closed(&mut self, code: u16, reason: &str, window: Window) -> Result<(), String> {
        self.expect(end(code, reason), window).await
    }

    async fn expect(&mut self, what: String, window: Window) -> Result<(), String> {
        self.expected.push(what);
        loop {
            match cover(&self.expected, &self.came, self.framed) {
                Cover::Exact | Cover::Ahead => return Ok(()),
                Cover::Differs(expected, came) => {
                    return Err(differ(&expected, &came));
                }
                Cover::Short => {}
            }
            let next = self.connection.next(window.latest).await;
            let (arrived, received) = next.ok_or_else(|| {
                format!("expected {}, got nothing more", shown(self.expected.last().map_or("", String::as_str)))
            })?;
            window.check(arrived)?;
            self.take(received);
        }
    }

    /// Fails if anything came, or comes within the given time, that was not expected.
    pub async fn quiet(&mut self, until: Instant) -> Result<(), String> {
        while let Some((_, received)) = self.connection.next(until).await {
            self.take(received);
        }
        match cover(&self.expected, &self.came, self.framed) {
            Cover::Exact => Ok(()),
            other => Err(format!("expected nothing more, got {:?} ({other:?})", self.came.last())),
        }
    }

    fn take(&mut self, received: Received) {
        let came = match received {
            Received::Text(text) if self.framed && text == "h" => HEARTBEAT.into(),
            Received::Text(text) if self.framed => plain_pairs(&text),
            Received::Text(text) => text,
            Received::Binary(bytes) => format!("(binary {bytes:?})"),
            // On the raw one a ping does no harm and says nothing.
            Received::Ping if !self.framed => return,
            Received::Ping => HEARTBEAT.into(),
            Received::Closed(code, reason) => end(code, &reason),
        };
        if came != HEARTBEAT || self.came.last().is_none_or(|last| last != HEARTBEAT) {
            self.came.push(came);
        }
    }
}

fn end(code: u16, reason: &str) -> String {
    format!("(closed {code} {reason:?})")
}
