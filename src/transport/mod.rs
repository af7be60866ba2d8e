//! How bytes come and go. A transport knows HTTP, WebSocket, SockJS and Socket.IO; what a message means
//! it leaves to the [`Endpoint`] behind it (Socket.IO, whose messages are events, has
//! [one of its own](socketio::Endpoint)), so that the same code carries videre packets here and the
//! echo services of the SockJS test suite in the tests.

pub mod socketio;
pub mod sockjs;
pub mod websocket;

use std::time::Duration;

use crate::http::{BodyError, Budget, HeldBody, Request};
pub use crate::wire::{Batch, Form};

/// By what a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the transport of its name")]
pub enum Carrier {
    RawWebSocket,
    SockJsRaw,
    SockJsWebSocket,
    XhrPolling,
    XhrStreaming,
    EventSource,
    HtmlFile,
    Jsonp,
    SocketIoPolling,
    SocketIoWebSocket,
}

impl Carrier {
    /// The name for logs and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::RawWebSocket => "websocket",
            Self::SockJsRaw => "sockjs-raw-websocket",
            Self::SockJsWebSocket => "sockjs-websocket",
            Self::XhrPolling => "sockjs-xhr-polling",
            Self::XhrStreaming => "sockjs-xhr-streaming",
            Self::EventSource => "sockjs-eventsource",
            Self::HtmlFile => "sockjs-htmlfile",
            Self::Jsonp => "sockjs-jsonp-polling",
            Self::SocketIoPolling => "socketio-polling",
            Self::SocketIoWebSocket => "socketio-websocket",
        }
    }
}

/// Why the server ends a connection, as the client is told: a WebSocket close or a SockJS `c` frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// WebSocket's own, or the application's, 3000 to 4999. [`NO_CODE`]: the close frame has none.
    pub code: u16,
    /// A few words; at most 123 bytes, WebSocket's limit.
    pub reason: &'static str,
    /// A message that goes before it over a WebSocket, also where what was due is given up.
    pub last_words: Option<&'static str>,
}

/// What a client sees where a close frame has no code (RFC 6455, 7.4.1).
pub const NO_CODE: u16 = 1005;

impl Close {
    /// Without last words.
    pub const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason, last_words: None }
    }
}

/// What is left when a batch of what is due to a client has been handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest<C = Close> {
    /// Nothing, for now.
    Nothing,
    /// There may be more.
    More,
    /// Nothing, for ever: the server ends the connection.
    End(C),
}

/// The longest message or body of a client that is not admitted yet: enough for a `connect`, too little for many such
/// clients to take what there is for those who have a key.
const UNADMITTED_BYTES: usize = 32 * 1024;

/// Reads a body of a client, of at most `limit` bytes. One that is not admitted sends a short one, and leaves half of the
/// budget to others.
///
/// # Errors
/// As [`Budget::read`].
async fn body_of(budget: &Budget, request: Request, limit: usize, is_admitted: bool) -> Result<HeldBody, BodyError> {
    match is_admitted {
        true => budget.read(request.into_body(), limit).await,
        false => budget.read_within_half(request.into_body(), limit.min(UNADMITTED_BYTES)).await,
    }
}

/// What lies behind one client's connection, as a transport sees it. Dropping it says that the
/// connection is gone.
pub trait Endpoint: Send + Sync + 'static {
    /// Whether a message that is handed over may make something due to its sender of which [`Endpoint::changed`] does not tell.
    const ANSWERS_AT_ONCE: bool = true;

    /// What messages are heard with that were read together: what each of them needs is had once for all. Not to be kept
    /// while anything is waited for, or the endpoint is asked for anything but to hear.
    type Ear<'a>: Default
    where
        Self: 'a;

    /// Hands over one message from the client; answers how long to wait before the next is read
    /// (a client over its rate is read no faster than its rate).
    fn receive<'a>(&'a self, message: &str, ear: &mut Self::Ear<'a>) -> Duration;

    /// Hands over bytes that are not text. As [`Endpoint::receive`].
    fn receive_binary<'a>(&'a self, message: &[u8], ear: &mut Self::Ear<'a>) -> Duration;

    /// So many bytes came that are no message, or none yet: they count against the client's rate, as a packet of
    /// [`Endpoint::receive`].
    fn count(&self, _bytes: usize) -> Duration {
        Duration::ZERO
    }

    /// Whether the client has shown that it may be here; until then it may send little at once.
    fn is_admitted(&self) -> bool {
        true
    }

    /// The client closes of its own will: its connection is not lost.
    fn goodbye(&self) {}

    /// The client broke the transport's rules, and would again if it came back to where it was: likewise.
    fn violation(&self) {}

    /// Hands over what is due to the client, in order, at most a batch, and answers what is left. Never blocks. `batch` may
    /// not call the endpoint.
    fn take(&self, form: Form, batch: &mut dyn Batch) -> Rest;

    /// Whether the server has ended the connection, so that there is no use in waiting for a client
    /// that does not read.
    fn ended(&self) -> bool;

    /// Completes when [`Endpoint::take`] may have something new; at once if something came since
    /// it last completed. Each wake is told once, as by a `Notify`. Cancel-safe. One waiter at a time.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}
