//! WebSocket: raw, one message a text frame, or with SockJS's framing.
//!
//! A connection is one task. It writes all that is due in one go, then waits for whichever comes
//! first: something new to send, something from the client, or the heartbeat.

mod handshake;
mod intake;

use std::time::Duration;

use crate::tasks::Tasks;
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

pub use handshake::{is_upgrade, refusal};
use intake::Intake;

use super::{Close, Endpoint, Form, socketio};
use crate::http::{Request, Response};
use crate::wire::{self, Text, sockjs};

/// What a connection reads at one go. Signaling messages are a few hundred bytes to a few KiB; a
/// larger buffer would be paid for by every idle connection.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// How many messages are taken before what is due is sent.
const MESSAGES_AT_ONCE: usize = 32;

/// How long a client may leave a ping unanswered, as SockJS's original server has it.
const PONG_TIME: Duration = Duration::from_secs(10);

/// How long a closing connection waits for the client's own close frame.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// What the frames mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A text message is a message.
    Raw,
    /// SockJS: `o`, `a[…]` and `c[…]` from the server, arrays of strings from the client.
    SockJs,
    /// A text message is an Engine.IO packet; it has its own heartbeat. Ends without a code but for
    /// the reasons of this layer, after [`wire::socketio::BYE`] if the client is not to come back.
    EngineIo,
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
        // The plain socket underneath is cheaper to drive than hyper's wrapper around it.
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let stream = parts.io.into_inner();
                let stream = if elsewhere { own.adopt(stream) } else { Ok(stream) };
                let Ok(stream) = stream else { return };
                run(stream, parts.read_buf.to_vec(), endpoint, framing, settings).await;
            }
            Err(upgraded) => run(TokioIo::new(upgraded), Vec::new(), endpoint, framing, settings).await,
        }
    });
    response
}

/// Serves a connection that has been upgraded; `read` is what came after the request's headers.
async fn run<E: Endpoint, S: AsyncRead + AsyncWrite + Unpin>(
    io: S,
    read: Vec<u8>,
    endpoint: E,
    framing: Framing,
    settings: Settings,
) {
    // Inside a SockJS frame each byte of a message may be escaped.
    let frame_bytes = settings.message_bytes * if framing == Framing::SockJs { 2 } else { 1 };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(64 * 1024)
        .max_message_size(Some(frame_bytes))
        .max_frame_size(Some(frame_bytes));
    let socket = WebSocketStream::from_partially_read(
        Intake::new(io, settings.bytes_per_second),
        read,
        Role::Server,
        Some(config),
    )
    .await;
    let mut connection = Connection { socket, endpoint, framing, settings, due: Vec::new() };
    let close = connection.serve().await;
    let Connection { socket, endpoint, .. } = connection;
    // The others learn of it now, not when the client has answered the close.
    drop(endpoint);
    if let Some(close) = close {
        say_goodbye(socket, framing, close).await;
    }
}

struct Connection<E, S> {
    socket: WebSocketStream<Intake<S>>,
    endpoint: E,
    framing: Framing,
    settings: Settings,
    due: Vec<Text>,
}

impl<E: Endpoint, S: AsyncRead + AsyncWrite + Unpin> Connection<E, S> {
    /// Runs until the connection ends; answers how to tell the client, if it is to be told.
    async fn serve(&mut self) -> Option<Close> {
        if self.framing == Framing::SockJs && self.socket.send(Message::text(sockjs::OPEN)).await.is_err() {
            return None;
        }
        let mut heartbeat = std::pin::pin!(tokio::time::sleep(self.next_heartbeat()));
        let mut awaits_pong = false;
        loop {
            match self.send_due().await {
                Sent::All => {}
                Sent::Ended(close) => return Some(close),
                Sent::Lost => return None,
            }
            // Both arms are cancel-safe. What the client sends comes first only by chance: a busy
            // room must not keep a client from being heard, nor a busy client from hearing.
            tokio::select! {
                () = self.endpoint.changed() => {}
                incoming = self.socket.next() => {
                    awaits_pong = false;
                    if let Received::End(close) = self.receive_all(incoming).await {
                        return close;
                    }
                    push_back(heartbeat.as_mut(), self.next_heartbeat());
                }
                () = heartbeat.as_mut() => {
                    if awaits_pong {
                        return Some(self.silence());
                    }
                    awaits_pong = true;
                    if !self.ping().await {
                        return None;
                    }
                    heartbeat.as_mut().reset(Instant::now() + PONG_TIME);
                }
            }
        }
    }

    /// A pause far away stands for no heartbeat, so that the loop has one shape.
    fn next_heartbeat(&self) -> Duration {
        if self.settings.heartbeat.is_zero() { Duration::from_secs(365 * 24 * 3600) } else { self.settings.heartbeat }
    }

    fn silence(&self) -> Close {
        match self.framing {
            Framing::Raw | Framing::EngineIo => Close { code: 4005, reason: "no sign of life" },
            Framing::SockJs => Close { code: 3000, reason: "No response from heartbeat" },
        }
    }

    async fn ping(&mut self) -> bool {
        let sent = self.socket.send(Message::Ping(Default::default()));
        matches!(timeout(PONG_TIME, sent).await, Ok(Ok(())))
    }

    /// Sends all that is due, as few writes as it takes.
    async fn send_due(&mut self) -> Sent {
        loop {
            let form = if self.framing == Framing::SockJs { Form::Quoted } else { Form::Plain };
            let close = self.endpoint.take(form, &mut self.due);
            if self.due.is_empty() {
                return close.map_or(Sent::All, Sent::Ended);
            }
            for text in std::mem::take(&mut self.due) {
                let bytes = match self.framing {
                    Framing::Raw | Framing::EngineIo => text.bytes().clone(),
                    Framing::SockJs => sockjs::array(std::slice::from_ref(&text)).bytes().clone(),
                };
                let frame = Frame::message(bytes, OpCode::Data(Data::Text), true);
                match self.unless_ended(Step::Feed(Message::Frame(frame))).await {
                    Ok(()) => {}
                    Err(sent) => return sent,
                }
            }
            if let Err(sent) = self.unless_ended(Step::Flush).await {
                return sent;
            }
            if let Some(close) = close {
                return Sent::Ended(close);
            }
        }
    }

    /// A write to a client that does not read is given up when the server ends the connection.
    async fn unless_ended(&mut self, step: Step) -> Result<(), Sent> {
        let write = async {
            match step {
                Step::Feed(message) => self.socket.feed(message).await,
                Step::Flush => self.socket.flush().await,
            }
        };
        let ended = async {
            while !self.endpoint.ended() {
                self.endpoint.changed().await;
            }
        };
        tokio::select! {
            biased;
            written = write => written.map_err(|_| Sent::Lost),
            () = ended => Err(self.endpoint.take(Form::Plain, &mut Vec::new()).map_or(Sent::Lost, Sent::Ended)),
        }
    }

    /// Takes what has come, and what came with it, before anything is sent: answers then share a write.
    async fn receive_all(&mut self, mut incoming: Option<Result<Message, Error>>) -> Received {
        for left in (0..MESSAGES_AT_ONCE).rev() {
            match self.receive(incoming).await {
                Received::Pause(Duration::ZERO) => {}
                Received::Pause(pause) => {
                    wait(&self.endpoint, pause).await;
                    break;
                }
                end => return end,
            }
            // Nothing is fetched that this turn does not take.
            let next = (left > 0).then(|| self.socket.next().now_or_never()).flatten();
            let Some(next) = next else { break };
            incoming = next;
        }
        Received::Pause(Duration::ZERO)
    }

    async fn receive(&mut self, incoming: Option<Result<Message, Error>>) -> Received {
        match incoming {
            Some(Ok(Message::Text(text))) => self.receive_text(&text).await,
            Some(Ok(Message::Binary(bytes))) => match self.framing {
                Framing::Raw | Framing::EngineIo => Received::Pause(self.endpoint.receive_binary(&bytes)),
                Framing::SockJs => Received::End(Some(BROKEN_FRAMING)),
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Received::Pause(self.endpoint.count()),
            // The library answers a close frame by itself when it is polled once more.
            Some(Ok(Message::Close(frame))) => {
                if frame.is_none_or(|frame| GOODBYES.contains(&frame.code.into())) {
                    self.endpoint.goodbye();
                }
                let _ = timeout(CLOSE_TIME, self.socket.next()).await;
                Received::End(None)
            }
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => self.broken(TOO_BIG),
            Some(Err(Error::Utf8(_))) => self.broken(Close { code: 1007, reason: "text is not UTF-8" }),
            // The library calls a connection that just breaks off a protocol error, too.
            Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => Received::End(None),
            Some(Err(Error::Protocol(_))) => self.broken(Close { code: 1002, reason: "protocol error" }),
            Some(Err(_)) | None => Received::End(None),
        }
    }

    /// A client that breaks the rules would break them again if it came back to where it was.
    fn broken(&self, close: Close) -> Received {
        self.endpoint.goodbye();
        Received::End(Some(close))
    }

    async fn receive_text(&mut self, text: &str) -> Received {
        if self.framing != Framing::SockJs {
            return Received::Pause(self.endpoint.receive(text));
        }
        let Ok(messages) = sockjs::decode_frame(text) else { return Received::End(Some(BROKEN_FRAMING)) };
        if messages.iter().any(|message| message.len() > self.settings.message_bytes) {
            return Received::End(Some(TOO_BIG));
        }
        let mut pause = Duration::ZERO;
        for message in messages {
            wait(&self.endpoint, pause).await;
            pause = self.endpoint.receive(&message);
        }
        Received::Pause(pause)
    }
}

/// A client over its rate is not read for a while; a server that ends it is heard all the same.
async fn wait(endpoint: &impl Endpoint, pause: Duration) {
    let end = Instant::now() + pause;
    while !pause.is_zero() && !endpoint.ended() {
        tokio::select! {
            () = endpoint.changed() => {}
            () = tokio::time::sleep_until(end) => return,
        }
    }
}

/// The close codes of a client that goes: normal, and its page goes away. Any other is a connection
/// that somebody between gave up, or that the client itself has found dead.
const GOODBYES: [u16; 2] = [1000, 1001];

/// What SockJS closes a framed WebSocket with when a text is no array of strings.
const BROKEN_FRAMING: Close = Close { code: 3000, reason: "Broken framing." };

const TOO_BIG: Close = Close { code: 1009, reason: "message too big" };

enum Step {
    Feed(Message),
    Flush,
}

enum Sent {
    All,
    Ended(Close),
    Lost,
}

enum Received {
    Pause(Duration),
    End(Option<Close>),
}

/// The timer is moved only when that matters: it is dearer to move than to let fire once too often.
fn push_back(mut timer: std::pin::Pin<&mut Sleep>, by: Duration) {
    let wanted = Instant::now() + by;
    if wanted.saturating_duration_since(timer.deadline()) > Duration::from_secs(1) || timer.deadline() > wanted {
        timer.as_mut().reset(wanted);
    }
}

/// Tells the client why, then reads on for a little and throws away what comes: a socket that is
/// dropped with bytes unread takes the close frame with it.
async fn say_goodbye<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<Intake<S>>,
    framing: Framing,
    close: Close,
) {
    let goodbye = async {
        let mut frame = CloseFrame { code: CloseCode::from(close.code), reason: close.reason.into() };
        if framing == Framing::SockJs && close != BROKEN_FRAMING {
            socket.feed(Message::text(sockjs::close(close.code, close.reason))).await?;
            frame = CloseFrame { code: CloseCode::Normal, reason: "Normal closure".into() };
        }
        if close == socketio::FOR_GOOD {
            socket.feed(Message::text(wire::socketio::BYE)).await?;
        }
        socket.close((close.code != socketio::NO_CODE).then_some(frame)).await?;
        let mut stream = socket.into_inner();
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<(), Error>(())
    };
    // A client that is gone, or does not read, is not told.
    let _ = timeout(CLOSE_TIME, goodbye).await;
}
