//! Reading all that has come by one call to the system, with a buffer that connections share.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What one call reads at most.
const AT_ONCE_BYTES: usize = 64 * 1024;

const SECOND: Duration = Duration::from_secs(1);

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; AT_ONCE_BYTES].into());
}

/// A stream whose reads are large, however small the buffers are that they are asked for with: a
/// connection keeps a small one, and a busy one is not read piece by piece. Keeps what was read and not
/// yet asked for, and nothing while there is none.
///
/// Reads no more than so many bytes a second: rules that count messages do not see a frame that is none, of
/// which there may be any number.
pub(super) struct Intake<S> {
    stream: S,
    kept: Vec<u8>,
    given: usize,
    rate: usize,
    /// What was read since then.
    read: usize,
    since: Instant,
    rest: Option<Pin<Box<Sleep>>>,
}

impl<S> Intake<S> {
    /// `rate`: bytes a second; 0: as many as come.
    pub(super) fn new(stream: S, rate: usize) -> Self {
        Self { stream, kept: Vec::new(), given: 0, rate, read: 0, since: Instant::now(), rest: None }
    }

    /// Ready when more may be read. The clock is looked at when a second's worth has been.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
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

impl<S: AsyncRead + Unpin> AsyncRead for Intake<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.kept.is_empty() {
            ready!(this.poll_rest(context));
            return SHARED.with_borrow_mut(|shared| {
                let mut all = ReadBuf::new(shared);
                ready!(Pin::new(&mut this.stream).poll_read(context, &mut all))?;
                this.read += all.filled().len();
                let (now, later) = all.filled().split_at(all.filled().len().min(into.remaining()));
                into.put_slice(now);
                this.kept.extend_from_slice(later);
                Poll::Ready(Ok(()))
            });
        }
        let rest = &this.kept[this.given..];
        let now = rest.len().min(into.remaining());
        into.put_slice(&rest[..now]);
        this.given += now;
        if this.given == this.kept.len() {
            (this.kept, this.given) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Intake<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
