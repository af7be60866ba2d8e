//! What a client's frames do, as far as that takes no time.

use std::time::Duration;

use super::{BROKEN_FRAMING, Framing, TOO_BIG};
use crate::transport::{Close, Endpoint};
use crate::wire::sockjs;
use crate::wire::websocket::{Incoming, Opcode, frame};

/// The close codes of a client that goes: normal, and its page goes away. Any other is a connection
/// that somebody between gave up, or that the client itself has found dead.
const GOODBYES: [u16; 2] = [1000, 1001];

/// Hands what comes to the endpoint.
pub(super) struct Intake {
    /// Frames that are due to the client before all else.
    pub(super) replies: Vec<u8>,
    pub(super) framing: Framing,
    pub(super) message_bytes: usize,
    is_admitted: bool,
    /// Apart, since there is seldom one.
    stop: Option<Box<Stop>>,
}

/// Why no more is taken for now.
pub(super) enum Stop {
    /// The client is over its rate, or has just been admitted.
    Pause(Duration),
    /// Likewise, with messages of its last frame still to be received.
    Later(Duration, Vec<String>),
    /// It is to be told this, as its last.
    End(Close),
    /// It closes, and is answered by this payload.
    Answer(Vec<u8>),
}

impl Intake {
    pub(super) fn new(framing: Framing, message_bytes: usize, is_admitted: bool) -> Self {
        let mut replies = Vec::new();
        if framing == Framing::SockJs {
            frame(Opcode::Text, sockjs::OPEN.as_bytes(), &mut replies);
        }
        Self { replies, framing, message_bytes, is_admitted, stop: None }
    }

    /// Takes one frame. Whether the next may be taken; if not, [`Intake::stopped`] says why.
    pub(super) fn take<'a, E: Endpoint>(
        &mut self,
        endpoint: &'a E,
        ear: &mut E::Ear<'a>,
        incoming: Incoming<'_>,
    ) -> bool {
        let is_sockjs = self.framing == Framing::SockJs;
        let taken = match incoming {
            Incoming::Text(text) if is_sockjs => self.take_array(endpoint, ear, text),
            Incoming::Binary(_) if is_sockjs => Err(Stop::End(BROKEN_FRAMING)),
            Incoming::Text(text) => Ok(endpoint.receive(text, ear)),
            Incoming::Binary(bytes) => Ok(endpoint.receive_binary(bytes, ear)),
            Incoming::Fragment(bytes) => Ok(endpoint.count(bytes)),
            Incoming::Pong => Ok(endpoint.count(0)),
            Incoming::Ping(payload) => {
                frame(Opcode::Pong, payload, &mut self.replies);
                Ok(endpoint.count(payload.len()))
            }
            Incoming::Close { code, payload } => {
                if code.is_none_or(|code| GOODBYES.contains(&code)) {
                    endpoint.goodbye();
                }
                Err(Stop::Answer(payload.to_vec()))
            }
        };
        // The frame after the one that admits it may be longer than those before.
        let is_news = !self.is_admitted && endpoint.is_admitted();
        self.is_admitted |= is_news;
        self.stop = match taken {
            Ok(pause) if pause.is_zero() && !is_news => return true,
            Ok(pause) => Some(Box::new(Stop::Pause(pause))),
            Err(stop) => Some(Box::new(stop)),
        };
        false
    }

    /// SockJS's array of messages; answers how long to wait before the next.
    fn take_array<'a, E: Endpoint>(&self, endpoint: &'a E, ear: &mut E::Ear<'a>, text: &str) -> Result<Duration, Stop> {
        let messages = sockjs::decode_frame(text).map_err(|_| Stop::End(BROKEN_FRAMING))?;
        if messages.iter().any(|message| message.len() > self.message_bytes) {
            return Err(Stop::End(TOO_BIG));
        }
        let mut pause = sockjs::padding(text.len(), &messages).map_or(Duration::ZERO, |bytes| endpoint.count(bytes));
        let mut messages = messages.into_iter();
        while pause.is_zero() {
            let Some(message) = messages.next() else { return Ok(pause) };
            pause = endpoint.receive(&message, ear);
        }
        Err(Stop::Later(pause, messages.collect()))
    }

    /// Why the last frame was the last for now.
    pub(super) fn stopped(&mut self) -> Stop {
        self.stop.take().map_or(Stop::Pause(Duration::ZERO), |stop| *stop)
    }
}
