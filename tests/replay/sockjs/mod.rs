//! The driver for recordings of SockJS: requests and WebSockets, each answer on its own.

mod answer;
pub mod frames;
mod head;
mod socket;

use std::collections::HashMap;

use tokio::time::Instant;

use self::answer::Answer;
use self::socket::Socket;
use super::http::{Exchange, Request};
use super::pace::{Pace, QUIET, Window};
use super::placeholders::Names;
use super::recording::{Entry, Recording};
use super::target::Address;
use super::treatments::Plan;
use super::websocket::WebSocket;

/// Replays one recording.
pub async fn replay(recording: &Recording, plan: &Plan, address: &Address) -> Result<(), String> {
    let mut pace = Pace::new(plan.timed);
    let mut replay =
        Replay { plan, address, names: Names::default(), answers: HashMap::new(), sockets: HashMap::new() };
    for (number, entry) in recording.entries.iter().enumerate() {
        let result = if entry.by_server() {
            replay.expect(entry, pace.window(entry)).await
        } else {
            pace.before(entry).await;
            replay.act(entry, pace.window(entry)).await
        };
        result.map_err(|reason| format!("entry {}, {} of {}: {reason}", number + 1, entry.event(), place(entry)))?;
        pace.after(entry);
    }
    replay.quiet().await
}

struct Replay<'a> {
    plan: &'a Plan,
    address: &'a Address,
    names: Names,
    answers: HashMap<u64, Answer>,
    sockets: HashMap<String, Socket>,
}

impl Replay<'_> {
    async fn act(&mut self, entry: &Entry, window: Window) -> Result<(), String> {
        match entry.event() {
            "http-request" => self.request(entry).await,
            "http-abort" => {
                // What the server has sent may still be on its way.
                self.answer(entry)?.quiet(Instant::now() + QUIET / 10).await?;
                self.answers.remove(&entry.number("id"));
                Ok(())
            }
            "ws-open" => {
                let recorded = self.names.fill(entry.text("path"));
                let path = self.address.path(&recorded);
                let open = WebSocket::open(&self.address.host, &path, self.plan.pongs, window.latest).await?;
                let framed = recorded.matches('/').count() > 2; // /echo/S/I/websocket, not /echo/websocket
                self.sockets.insert(entry.from.clone(), Socket::new(open, framed));
                Ok(())
            }
            "frame" => {
                let text = self.names.fill(entry.frame());
                self.socket(entry)?.connection.text(&text).await
            }
            "ws-close-sent" => self.socket(entry)?.connection.close(entry.number("code") as u16).await,
            other => Err(format!("no client does {other}")),
        }
    }

    async fn request(&mut self, entry: &Entry) -> Result<(), String> {
        let path = self.names.fill(entry.text("path"));
        let body = entry.field("body").as_str().map(|body| self.names.fill(body));
        let mut headers = Vec::new();
        for (name, value) in entry.field("headers").as_object().into_iter().flatten() {
            headers.push((name.as_str(), self.names.fill(value.as_str().unwrap_or_default())));
        }
        let exchange = Exchange::begin(Request {
            host: &self.address.host,
            method: entry.text("method"),
            path: &self.address.path(&path),
            headers: headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            body: body.as_deref(),
        })
        .await?;
        self.answers.insert(entry.number("id"), Answer::new(exchange, entry.text("method"), &path));
        Ok(())
    }

    async fn expect(&mut self, entry: &Entry, window: Window) -> Result<(), String> {
        match entry.event() {
            "http-head" | "http-body" | "http-end" => {
                let text = self.names.fill(entry.text("text"));
                let answer = self.answers.get_mut(&entry.number("id")).ok_or("no such request")?;
                match entry.event() {
                    "http-head" => answer.head(entry.payload(), window, &mut self.names).await,
                    "http-body" => answer.body(&text, window).await,
                    _ => answer.end(window, &mut self.names).await,
                }
            }
            "frame" => {
                let text = self.names.fill(entry.frame());
                self.socket(entry)?.text(&text, window).await
            }
            "ws-ping" => self.socket(entry)?.heartbeat(window).await,
            "ws-close" => {
                let (code, reason) = (entry.number("code") as u16, entry.text("reason"));
                self.socket(entry)?.closed(code, reason, window).await
            }
            other => Err(format!("no server does {other}")),
        }
    }

    /// Nothing may come after the last entry, on whatever is still open.
    async fn quiet(&mut self) -> Result<(), String> {
        let until = Instant::now() + QUIET;
        for (id, answer) in &mut self.answers {
            answer.quiet(until).await.map_err(|reason| format!("at the end, answer {id}: {reason}"))?;
        }
        for (client, socket) in &mut self.sockets {
            socket.quiet(until).await.map_err(|reason| format!("at the end, {client}: {reason}"))?;
        }
        Ok(())
    }

    fn answer(&mut self, entry: &Entry) -> Result<&mut Answer, String> {
        self.answers.get_mut(&entry.number("id")).ok_or_else(|| "no such request".into())
    }

    fn socket(&mut self, entry: &Entry) -> Result<&mut Socket, String> {
        self.sockets.get_mut(entry.client()).ok_or_else(|| "no such socket".into())
    }
}

/// Whose entry it is: a request by its number, a socket by its client.
fn place(entry: &Entry) -> String {
    match entry.number("id") {
        0 => entry.client().to_owned(),
        id => format!("request {id}"),
    }
}
