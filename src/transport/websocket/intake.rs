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
    framing: Framing,
    message_bytes: usize,
    stop: Option<Stop>,
}

/// Why no more is taken for now.
pub(super) enum Stop {
    /// The client is over its rate.
    Pause(Duration),
    /// Likewise, with messages of its last frame still to be received.
    Later(Duration, Vec<String>),
    /// It is to be told this, as its last.
    End(Close),
    /// It closes, and is answered by this payload.
    Answer(Vec<u8>),
}

impl Intake {
    pub(super) fn new(framing: Framing, message_bytes: usize) -> Self {
        let mut replies = Vec::new();
        if framing == Framing::SockJs {
            frame(Opcode::Text, sockjs::OPEN.as_bytes(), &mut replies);
        }
        Self { replies, framing, message_bytes, stop: None }
    }

    /// Takes one frame. Whether the next may be taken; if not, [`Intake::stopped`] says why.
    pub(super) fn take(&mut self, endpoint: &impl Endpoint, incoming: Incoming<'_>) -> bool {
        let pause = match incoming {
            Incoming::Text(text) if self.framing == Framing::SockJs => return self.take_array(endpoint, text),
            Incoming::Binary(_) if self.framing == Framing::SockJs => return self.stop(Stop::End(BROKEN_FRAMING)),
            Incoming::Text(text) => endpoint.receive(text),
            Incoming::Binary(bytes) => endpoint.receive_binary(bytes),
            Incoming::Fragment | Incoming::Pong => endpoint.count(),
            Incoming::Ping(payload) => {
                frame(Opcode::Pong, payload, &mut self.replies);
                endpoint.count()
            }
            Incoming::Close { code, payload } => {
                if code.is_none_or(|code| GOODBYES.contains(&code)) {
                    endpoint.goodbye();
                }
                return self.stop(Stop::Answer(payload.to_vec()));
            }
        };
        pause.is_zero() || self.stop(Stop::Pause(pause))
    }

    /// SockJS's array of messages.
    fn take_array(&mut self, endpoint: &impl Endpoint, text: &str) -> bool {
        let Ok(messages) = sockjs::decode_frame(text) else { return self.stop(Stop::End(BROKEN_FRAMING)) };
        if messages.iter().any(|message| message.len() > self.message_bytes) {
            return self.stop(Stop::End(TOO_BIG));
        }
        let mut messages = messages.into_iter();
        while let Some(message) = messages.next() {
            let pause = endpoint.receive(&message);
            if !pause.is_zero() {
                return self.stop(Stop::Later(pause, messages.collect()));
            }
        }
        true
    }

    fn stop(&mut self, stop: Stop) -> bool {
        self.stop = Some(stop);
        false
    }

    /// Why the last frame was the last for now.
    pub(super) fn stopped(&mut self) -> Stop {
        self.stop.take().unwrap_or(Stop::Pause(Duration::ZERO))
    }
}
