//! A line: what a connection and the peer that it serves know each other by. A peer that opted in can
//! outlive its line and get another.

use std::future::poll_fn;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;

use crate::room::DisconnectReason;

/// There is something new, and nobody has looked yet.
const NEWS: u8 = 1;
/// Whoever waits for news has not been told of them.
const UNTOLD: u8 = 2;

/// One connection's end of it.
#[derive(Default)]
pub struct Line {
    news: AtomicU8,
    waiter: AtomicWaker,
    /// Why the connection ends although its peer may not.
    pub end: OnceLock<DisconnectReason>,
}

impl Line {
    /// There is something new.
    pub fn wake(&self) {
        // Who has been told already is told no more often.
        if self.news.fetch_or(NEWS | UNTOLD, Ordering::AcqRel) & UNTOLD == 0 {
            self.waiter.wake();
        }
    }

    /// Completes when there has been something new since it last did. One waiter at a time.
    pub async fn changed(&self) {
        let is_told = || self.news.fetch_and(!UNTOLD, Ordering::AcqRel) & UNTOLD != 0;
        poll_fn(|context| {
            // In a busy room there mostly is something, and then nobody has to be registered.
            if is_told() {
                return Poll::Ready(());
            }
            self.waiter.register(context.waker());
            if is_told() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether there is a reason to look, which there then is no longer.
    pub fn look(&self) -> bool {
        self.news.fetch_and(!NEWS, Ordering::AcqRel) & NEWS != 0
    }

    /// Not all was looked at.
    pub fn look_again(&self) {
        self.news.fetch_or(NEWS, Ordering::AcqRel);
    }

    /// The connection is to end. The first reason counts.
    pub fn cut(&self, reason: DisconnectReason) {
        let _ = self.end.set(reason);
        self.wake();
    }
}
