//! WebSocket: raw, one message a text frame, or with SockJS's framing.

mod connection;
mod handshake;
mod heartbeat;
mod intake;
mod meter;
mod output;
mod socket;
#[cfg(test)]
mod tests;

use std::time::Duration;

use hyper::upgrade::Parts;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use connection::{Connection, End};
pub use handshake::{is_upgrade, refusal};
use heartbeat::Heartbeat;
use meter::Meter;
use socket::Socket;

use super::{Close, Endpoint, Form, NO_CODE, UNADMITTED_BYTES};
use crate::http::{Request, Response};
use crate::tasks::Tasks;
use crate::wire::sockjs;
use crate::wire::websocket::{self as wire, Opcode, Reader};

/// How long a closing connection waits for the client to take what it is told, and to close.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// What SockJS closes a framed WebSocket with when a text is no array of strings.
const BROKEN_FRAMING: Close = Close::new(3000, "Broken framing.");

const TOO_BIG: Close = Close::new(1009, "message too big");

/// What the frames mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A text message is a message.
    Raw,
    /// SockJS: `o`, `a[…]` and `c[…]` from the server, arrays of strings from the client.
    SockJs,
    /// A text message is an Engine.IO packet; it has its own heartbeat. Ends without a code but for
    /// the reasons of this layer.
    EngineIo,
}

impl Framing {
    fn form(self) -> Form {
        if self == Self::SockJs { Form::Quoted } else { Form::Plain }
    }

    /// How long a frame may be that holds a message of so many bytes: in SockJS's each of them may be escaped.
    fn frame_bytes(self, message_bytes: usize) -> usize {
        message_bytes * if self == Self::SockJs { 2 } else { 1 }
    }

    /// Appends a message, which has the framing's form, as a frame.
    fn append(self, text: &str, into: &mut Vec<u8>) {
        match self {
            Self::Raw | Self::EngineIo => wire::frame(Opcode::Text, text.as_bytes(), into),
            Self::SockJs => {
                wire::begin(Opcode::Text, sockjs::ARRAY.0.len() + text.len() + sockjs::ARRAY.1.len(), into);
                for part in [sockjs::ARRAY.0, text, sockjs::ARRAY.1] {
                    into.extend_from_slice(part.as_bytes());
                }
            }
        }
    }

    /// The last frames of a connection that the server ends.
    fn goodbye(self, close: Close) -> Vec<u8> {
        let mut frames = Vec::new();
        let Close { mut code, mut reason, last_words } = close;
        if self == Self::SockJs && close != BROKEN_FRAMING {
            wire::frame(Opcode::Text, sockjs::close(code, reason).as_bytes(), &mut frames);
            (code, reason) = (1000, "Normal closure");
        }
        if let Some(message) = last_words {
            wire::frame(Opcode::Text, message.as_bytes(), &mut frames);
        }
        match code {
            NO_CODE => wire::frame(Opcode::Close, &[], &mut frames),
            _ => wire::close(code, reason, &mut frames),
        }
        frames
    }
}

/// The limits of a connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest message in bytes; a longer one closes with 1009.
    pub message_bytes: usize,
    /// How many bytes a second are read, frames' headers and all; 0: as many as come.
    pub bytes_per_second: usize,
    /// Silence after which a ping is sent; zero: never.
    pub heartbeat: Duration,
}

/// Accepts a WebSocket and runs its connection in a task of `tasks` until it ends. The request must
/// have passed [`is_upgrade`]. Subprotocols and extensions are never accepted.
pub fn accept<E: Endpoint>(
    mut request: Request,
    endpoint: E,
    framing: Framing,
    settings: Settings,
    tasks: &Tasks,
) -> Response {
    let response = handshake::switching(&request);
    let upgrade = hyper::upgrade::on(&mut request);
    let (own, elsewhere) = (tasks.clone(), !tasks.are_here());
    tasks.spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let heartbeat = Heartbeat::new(settings.heartbeat, own.seconds());
        // Each connection is a task of its own, which takes no memory for what was before.
        // The plain socket underneath is cheaper to drive than hyper's wrapper around it.
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(Parts { io, read_buf, .. }) => {
                let stream = io.into_inner();
                let stream = if elsewhere { own.adopt(stream) } else { Ok(stream) };
                let Ok(stream) = stream else { return };
                // As large as headers may be: not to be kept for as long as the connection lasts.
                let read = read_buf.to_vec();
                own.spawn(run(stream, read, endpoint, framing, &settings, heartbeat));
            }
            Err(upgraded) => {
                own.spawn(run(TokioIo::new(upgraded), Vec::new(), endpoint, framing, &settings, heartbeat));
            }
        }
    });
    response
}

/// Serves a connection that has been upgraded; `read` is what came after the request's headers.
fn run<E: Endpoint, S: AsyncRead + AsyncWrite + Send + Unpin>(
    stream: S,
    read: Vec<u8>,
    endpoint: E,
    framing: Framing,
    settings: &Settings,
    heartbeat: Heartbeat,
) -> impl Future<Output = ()> + Send + use<E, S> {
    let message_bytes = framing.frame_bytes(settings.message_bytes);
    let at_first = if endpoint.is_admitted() { message_bytes } else { message_bytes.min(UNADMITTED_BYTES) };
    let meter = Meter::new(settings.bytes_per_second);
    let socket = Socket::new(stream, Reader::new(at_first), meter, read);
    let mut connection = Connection::new(socket, endpoint, framing, settings, heartbeat);
    // Made before it is polled first, so that there is one of each: a function's arguments stay beside what becomes of them.
    async move {
        let Err(end) = connection.run().await;
        let (socket, endpoint) = connection.into_parts();
        // The others learn of it now, not when the client has answered the close.
        drop(endpoint);
        let last_words = match end {
            End::Lost => return,
            End::Closed(close) => framing.goodbye(close),
            End::Answered(payload) => {
                let mut frame = Vec::new();
                wire::frame(Opcode::Close, &payload, &mut frame);
                frame
            }
        };
        // A client that is gone, or does not read, is not told. Apart, as what no connection needs that lives.
        let _ = Box::pin(timeout(CLOSE_TIME, socket.say_goodbye(&last_words))).await;
    }
}
