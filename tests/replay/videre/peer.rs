//! One recorded peer: its carrier, and what it heard against what is expected so far.

use std::collections::VecDeque;

use serde_json::Value;
use tokio::time::Instant;

use super::heard::{Heard, in_frame, packet};
use super::packet::{Membership, is_error};
use super::requests::Requests;
use crate::replay::json;
use crate::replay::outcome::shown;
use crate::replay::pace::Window;
use crate::replay::placeholders::Names;
use crate::replay::websocket::{DROPPED, Received, WebSocket};

/// How packets come and go.
pub enum Carrier {
    /// Not at all, before the peer opens something and after it vanished.
    None,
    /// One packet a message.
    Raw(WebSocket),
    /// SockJS frames on a WebSocket.
    Framed(WebSocket),
    /// SockJS frames in answers to polls.
    Polled,
}

/// What the recording has a peer hear next.
pub enum Expected {
    /// This.
    Heard(Heard),
    /// The end, with what is known of its code and reason.
    Close(Option<u16>, Option<String>),
    /// An error packet, in whatever words.
    Error,
}

/// A peer.
pub struct Peer {
    /// Its carrier.
    pub carrier: Carrier,
    /// Its requests.
    pub requests: Requests,
    heard: VecDeque<(Instant, Heard)>,
    membership: Membership,
    optional: VecDeque<Value>,
    errors_due: usize,
}

impl Peer {
    /// A peer that has no connection yet.
    pub fn new(host: &str) -> Peer {
        Peer {
            carrier: Carrier::None,
            requests: Requests::new(host),
            heard: VecDeque::new(),
            membership: Membership::default(),
            optional: VecDeque::new(),
            errors_due: 0,
        }
    }

    /// Sends a recorded frame.
    pub async fn send(&mut self, frame: &str) -> Result<(), String> {
        match &self.carrier {
            Carrier::Raw(socket) => socket.text(frame).await?,
            Carrier::Framed(socket) => socket.text(frame).await?,
            _ => return Err("no socket to send on".into()),
        }
        self.notes(frame);
        Ok(())
    }

    /// Takes note of what the peer sends: a packet, or an array of them.
    pub fn notes(&mut self, frame: &str) {
        let packets = match self.carrier {
            Carrier::Raw(_) => vec![frame.to_owned()],
            _ => serde_json::from_str(frame).unwrap_or_default(),
        };
        for packet in packets {
            self.errors_due += usize::from(self.membership.sends(&packet));
        }
    }

    /// Vanishes without a word.
    pub async fn vanish(&mut self) -> Result<(), String> {
        match std::mem::replace(&mut self.carrier, Carrier::None) {
            Carrier::Raw(socket) | Carrier::Framed(socket) => socket.reset().await?,
            _ => return Err("no socket to drop".into()),
        }
        self.heard.push_back((Instant::now(), Heard::Closed(DROPPED, String::new())));
        Ok(())
    }

    /// What the recording means by a frame to this peer: several packets may be in one.
    pub fn read(&self, frame: &str) -> Result<Vec<Heard>, String> {
        match self.carrier {
            Carrier::Raw(_) => Ok(vec![packet(frame)?]),
            _ => in_frame(frame),
        }
    }

    /// From here on a packet may come, or not, until the next that must.
    pub fn may_hear(&mut self, heard: Heard) {
        if let Heard::Packet(packet) = heard {
            self.optional.push_back(packet);
        }
    }

    /// Waits for what is expected. Optional packets and errors that are due may come before it.
    pub async fn hear(&mut self, expected: &Expected, window: Window, names: &mut Names) -> Result<(), String> {
        loop {
            let Some((arrived, heard)) = self.next(window.latest).await? else {
                return Err(format!("expected {}, got nothing", expected.shown()));
            };
            let result = expected.is(&heard, names);
            if result.is_ok() {
                window.check(arrived)?;
                self.errors_due = self.errors_due.saturating_sub(usize::from(matches!(expected, Expected::Error)));
                self.optional.clear(); // what was to come before this cannot come any more
                return Ok(());
            }
            if !self.allows(&heard, names) {
                return result;
            }
        }
    }

    /// Fails if anything comes within the given time that was not expected.
    pub async fn quiet(&mut self, until: Instant, names: &mut Names) -> Result<(), String> {
        self.requests.unexpected(until).await?;
        loop {
            let next = match &mut self.carrier {
                Carrier::Polled => self.heard.pop_front(),
                _ => self.next(until).await?,
            };
            match next {
                None => return Ok(()),
                Some((_, heard)) if self.allows(&heard, names) => {}
                Some((_, heard)) => return Err(format!("expected nothing more, got {heard}")),
            }
        }
    }

    /// Takes in the frames of an answer to a poll.
    pub fn take_lines(&mut self, arrived: Instant, body: &str) -> Result<(), String> {
        for line in body.lines() {
            self.heard.extend(in_frame(line)?.into_iter().map(|heard| (arrived, heard)));
        }
        Ok(())
    }

    fn allows(&mut self, heard: &Heard, names: &mut Names) -> bool {
        let Heard::Packet(packet) = heard else { return false };
        if is_error(packet) && self.errors_due > 0 {
            self.errors_due -= 1;
            return true;
        }
        let place = self.optional.iter().position(|optional| json::same(optional, packet, names).is_ok());
        if let Some(place) = place {
            self.optional.drain(..=place);
        }
        place.is_some()
    }

    async fn next(&mut self, until: Instant) -> Result<Option<(Instant, Heard)>, String> {
        while self.heard.is_empty() {
            let (socket, framed) = match &mut self.carrier {
                Carrier::None => return Ok(None),
                Carrier::Raw(socket) => (socket, false),
                Carrier::Framed(socket) => (socket, true),
                Carrier::Polled => match self.requests.again(until).await? {
                    None => return Ok(None),
                    Some((arrived, body)) => {
                        self.take_lines(arrived, &body)?;
                        continue;
                    }
                },
            };
            let Some((arrived, received)) = socket.next(until).await else { return Ok(None) };
            let all = match received {
                Received::Text(text) if framed => in_frame(&text)?,
                Received::Text(text) => vec![packet(&text)?],
                Received::Binary(bytes) => return Err(format!("a binary message: {bytes:?}")),
                Received::Ping => Vec::new(),
                Received::Closed(code, reason) => vec![Heard::Closed(code, reason)],
            };
            self.heard.extend(all.into_iter().map(|heard| (arrived, heard)));
        }
        Ok(self.heard.pop_front())
    }
}

impl Expected {
    fn is(&self, heard: &Heard, names: &mut Names) -> Result<(), String> {
        let met = match (self, heard) {
            (Expected::Heard(Heard::Packet(expected)), Heard::Packet(packet)) => {
                return json::same(expected, packet, names);
            }
            (Expected::Heard(Heard::Open), Heard::Open) => true,
            (Expected::Heard(Heard::Closed(code, reason)), Heard::Closed(came, why)) => (code, reason) == (came, why),
            (Expected::Close(code, reason), Heard::Closed(came, why)) => {
                code.is_none_or(|code| code == *came) && reason.as_ref().is_none_or(|reason| reason == why)
            }
            (Expected::Error, Heard::Packet(packet)) => is_error(packet),
            _ => false,
        };
        if met { Ok(()) } else { Err(format!("expected {}, got {heard}", self.shown())) }
    }

    fn shown(&self) -> String {
        match self {
            Expected::Heard(heard) => heard.to_string(),
            Expected::Close(code, reason) => format!("a close, {code:?} {reason:?}"),
            Expected::Error => shown("an error packet"),
        }
    }
}
