//! What lies behind a client.

use std::time::Duration;

use crate::transport::Rest;
use crate::wire::Text;
use crate::wire::socketio::Event;

/// What lies behind one client's connection, as this transport sees it. Made at the handshake,
/// which in Engine.IO 4 comes before the client's own word. Dropping it says that the connection is gone.
pub trait Endpoint: Send + Sync + 'static {
    /// The client opens namespace `/`; `auth` is the JSON object that it sends along (Engine.IO 4 only).
    /// Called once at most, before any event.
    ///
    /// # Errors
    /// The client may not; it is told the words, and the connection ends.
    fn connect(&self, auth: Option<&str>) -> Result<(), &'static str>;

    /// Hands over an event, in the order in which the client sent them. One that was under way may come
    /// after the server has ended the connection; it is to have no effect.
    fn event(&self, event: Event<'_>);

    /// Counts a packet of the client, whatever its kind; answers how long to wait before the next is
    /// read (a client over its rate is read no faster than its rate).
    fn spend(&self, bytes: usize) -> Duration;

    /// Moves what is due to the client into `into`, in order, at most a batch, and answers what is left.
    /// Never blocks; not called before the namespace is open. What a client does not fetch stays behind
    /// here, so here is its bound.
    fn take(&self, into: &mut Vec<Outgoing>) -> Rest<End>;

    /// Whether the server has ended the connection.
    fn ended(&self) -> bool;

    /// Completes when [`Endpoint::take`] may have something new or [`Endpoint::ended`] has changed; at
    /// once if something came since it last completed. Each wake is told once, as by a `Notify`.
    /// Cancel-safe. One waiter at a time.
    fn changed(&self) -> impl Future<Output = ()> + Send;

    /// Whether the client has shown that it may be here, before it opens the namespace; until one of both it may send
    /// little at once.
    fn is_admitted(&self) -> bool {
        true
    }

    /// The client broke the protocol, for which its connection is ended.
    fn violation(&self) {}

    /// The client has gone over from polling to WebSocket.
    fn upgraded(&self) {}
}

/// What is due to a client. Arguments are JSON, one each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// An event; no answer is asked for.
    Event {
        /// Its name.
        name: &'static str,
        /// Its argument.
        argument: Text,
    },
    /// The answer to an event of the client's, at most one each.
    Acknowledgement {
        /// The event's id.
        id: u64,
        /// The answer.
        argument: Text,
    },
}

/// How the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client is not to come back by itself: namespace `/` is ended before the connection.
    ForGood,
    /// The client may come back: the connection just ends.
    ForNow,
}
