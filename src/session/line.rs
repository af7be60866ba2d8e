//! A line: what a connection and the peer that it serves know each other by. A peer that opted in can
//! outlive its line and get another.

use std::sync::OnceLock;

use tokio::sync::Notify;

use crate::room::DisconnectReason;

/// One connection's end of it.
#[derive(Default)]
pub struct Line {
    /// Woken when there is something new to take.
    pub changed: Notify,
    /// Why the connection ends although its peer may not.
    pub end: OnceLock<DisconnectReason>,
}

impl Line {
    /// There is something new.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// The connection is to end. The first reason counts.
    pub fn cut(&self, reason: DisconnectReason) {
        let _ = self.end.set(reason);
        self.wake();
    }
}
