//! How far a connection has come.
//!
//! ```text
//! Greeting ── namespace opened ──▶ Open ── `41` from the client ──▶ Left
//!    └───────────── whatever ends it ──┴──────────────────────────────┴──▶ Over
//! ```

use std::sync::Arc;

use tokio::time::Instant;

use super::{End, FOR_GOOD, FOR_NOW};
use crate::transport::Close;
use crate::wire::Text;
use crate::wire::socketio::{BYE, CLOSE, NOOP};

pub(super) enum Phase<E> {
    /// The client is to open the namespace by then.
    Greeting(Arc<E>, Instant),
    Open(Arc<E>),
    /// The client has left the namespace, and is to end the connection by then.
    Left(Instant),
    Over(Over),
}

/// The last words.
pub(super) struct Over {
    /// What has not been sent.
    pub(super) left: Vec<Text>,
    /// What a poll after that gets. A client of Socket.IO 4 acts on a close before it acts on messages
    /// that came in the same body.
    pub(super) last: Option<Text>,
    /// How a WebSocket is closed.
    pub(super) close: Close,
    /// Until when a client that is between two polls may fetch them; none: the connection's id is
    /// forgotten, and only a poll that is waiting now gets them.
    pub(super) until: Option<Instant>,
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The server has ended it.
    Told(End),
    /// The client has ended it.
    Asked,
    /// The client has broken the protocol, has been cut off or gives no sign of life.
    Broken,
}

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Polling,
    /// Polling still, with a WebSocket that would take over.
    Upgrading {
        /// Whether the WebSocket has been tried: polls are not to wait any more.
        probed: bool,
    },
    Socket,
}

impl<E> Phase<E> {
    pub(super) fn endpoint(&self) -> Option<&Arc<E>> {
        match self {
            Self::Greeting(endpoint, _) | Self::Open(endpoint) => Some(endpoint),
            Self::Left(_) | Self::Over(_) => None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over(_))
    }

    /// When this phase ends of itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Greeting(_, until) | Self::Left(until) => Some(*until),
            Self::Open(_) => None,
            Self::Over(over) => over.until,
        }
    }

    /// What `ending` makes of this phase. `left` is what has not been sent; `until`: how long a server's
    /// last words may wait.
    pub(super) fn over(&self, ending: Ending, way: Way, mut left: Vec<Text>, until: Instant) -> Over {
        let for_good = ending == Ending::Told(End::ForGood) && matches!(self, Self::Open(_));
        let close = if for_good { FOR_GOOD } else { FOR_NOW };
        if way == Way::Socket {
            return Over { left, last: None, close, until: None };
        }
        let Ending::Told(_) = ending else {
            let last = if ending == Ending::Asked { NOOP } else { CLOSE };
            return Over { left: vec![last.into()], last: None, close, until: None };
        };
        if for_good {
            left.push(BYE.into());
        }
        let mut last = Some(CLOSE.into());
        if left.is_empty() {
            left.extend(last.take());
        }
        Over { left, last, close, until: Some(until) }
    }
}
