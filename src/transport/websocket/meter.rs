//! How much is read of a connection in a second: rules that count messages do not see bytes that are none.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

const SECOND: Duration = Duration::from_secs(1);

/// One connection's.
pub(super) struct Meter {
    rate: usize,
    /// What was read since then.
    read: usize,
    since: Instant,
    rest: Option<Pin<Box<Sleep>>>,
}

impl Meter {
    /// `rate`: bytes a second; 0: as many as come.
    pub(super) fn new(rate: usize) -> Self {
        Self { rate, read: 0, since: Instant::now(), rest: None }
    }

    /// So much was read.
    pub(super) fn count(&mut self, bytes: usize) {
        self.read += bytes;
    }

    /// Ready when more may be read. The clock is looked at when a second's worth has been.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.rate == 0 || self.read < self.rate {
            return Poll::Ready(());
        }
        let until = self.since + SECOND.mul_f64(self.read as f64 / self.rate as f64);
        if Instant::now() < until {
            let rest = self.rest.get_or_insert_with(|| Box::pin(sleep_until(until)));
            ready!(rest.as_mut().poll(context));
        }
        (self.read, self.since, self.rest) = (0, Instant::now(), None);
        Poll::Ready(())
    }
}
