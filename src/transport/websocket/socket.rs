//! A socket's bytes: read with a buffer that connections share, and written at once as far as they go.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::meter::Meter;
use crate::wire::websocket::{Incoming, Reader, Violation};

/// What one call to the system reads at most. Idle connections have no buffer of their own.
const AT_ONCE_BYTES: usize = 64 * 1024;

thread_local! {
    static INPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; AT_ONCE_BYTES].into());
}

/// One client's.
pub(super) struct Socket<S> {
    stream: S,
    reader: Reader,
    meter: Meter,
    /// What was read and not taken yet: the beginning of a frame, or more than that.
    kept: Vec<u8>,
    /// Whether there may be a whole frame in it.
    is_more_kept: bool,
    /// Apart, since most clients read what they are sent.
    unsent: Option<Box<Unsent>>,
    /// Whether the stream itself may hold back what it was given, as TLS does.
    is_unflushed: bool,
}

/// What did not go at once.
#[derive(Default)]
struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

/// What a look at the socket has brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// All that had come was taken. `is_full`: there is probably more.
    Taken { is_full: bool },
    /// Whoever takes wants no more for now.
    Stopped,
    /// The client broke the protocol.
    Broken(Violation),
    /// The connection was closed or lost.
    Lost,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// `kept`: what has been read already.
    pub(super) fn new(stream: S, reader: Reader, meter: Meter, kept: Vec<u8>) -> Self {
        let is_more_kept = !kept.is_empty();
        Self { stream, reader, meter, kept, is_more_kept, unsent: None, is_unflushed: false }
    }

    /// Messages may be as long as this from now on.
    pub(super) fn raise_limit(&mut self, limit: usize) {
        self.reader.raise_limit(limit);
    }

    /// Reads once, and hands over each frame in it until `take` says that it wants no more.
    pub(super) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        take: &mut impl FnMut(Incoming<'_>) -> bool,
    ) -> Poll<Turn> {
        if self.is_more_kept {
            return Poll::Ready(self.take_kept(take));
        }
        ready!(self.meter.poll(context));
        INPUT.with_borrow_mut(|input| {
            let mut input = ReadBuf::new(input);
            let came = match ready!(Pin::new(&mut self.stream).poll_read(context, &mut input)) {
                Ok(()) if !input.filled().is_empty() => input.filled_mut(),
                _ => return Poll::Ready(Turn::Lost),
            };
            self.meter.count(came.len());
            if !self.kept.is_empty() {
                self.kept.extend_from_slice(came);
                return Poll::Ready(self.take_kept(take));
            }
            let is_full = came.len() == AT_ONCE_BYTES;
            let (used, turn) = take_frames(&mut self.reader, came, is_full, take);
            self.kept.extend_from_slice(&came[used..]);
            self.is_more_kept = turn == Turn::Stopped && !self.kept.is_empty();
            Poll::Ready(turn)
        })
    }

    fn take_kept(&mut self, take: &mut impl FnMut(Incoming<'_>) -> bool) -> Turn {
        let is_full = self.kept.len() >= AT_ONCE_BYTES;
        let (used, turn) = take_frames(&mut self.reader, &mut self.kept, is_full, take);
        match used == self.kept.len() {
            true => self.kept = Vec::new(),
            false => drop(self.kept.drain(..used)),
        }
        self.is_more_kept = turn == Turn::Stopped && !self.kept.is_empty();
        turn
    }

    /// Writes what goes at once, and keeps the rest for [`Socket::poll_flush`].
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while self.unsent.is_none() && !rest.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => rest = &rest[count..],
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.keep_unsent(rest);
        match self.poll_flush(context) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    fn keep_unsent(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.unsent.get_or_insert_default().bytes.extend_from_slice(bytes);
        }
        self.is_unflushed = true;
    }

    /// Whether nothing is left to be written.
    pub(super) fn is_clear(&self) -> bool {
        !self.is_unflushed
    }

    /// Ready when all is written.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(unsent) = &mut self.unsent {
            while unsent.sent < unsent.bytes.len() {
                match ready!(Pin::new(&mut self.stream).poll_write(context, &unsent.bytes[unsent.sent..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => unsent.sent += count,
                }
            }
            self.unsent = None;
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the last that is sent, then reads on and throws away what comes, until the client closes: a socket that is
    /// dropped with bytes unread takes the close frame with it.
    pub(super) async fn say_goodbye(mut self, last_words: &[u8]) -> io::Result<()> {
        self.keep_unsent(last_words);
        poll_fn(|context| self.poll_flush(context)).await?;
        self.stream.shutdown().await?;
        poll_fn(|context| self.poll_discard(context)).await
    }

    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        INPUT.with_borrow_mut(|input| {
            loop {
                let mut input = ReadBuf::new(input);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut input))?;
                if input.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }
}

/// How much was taken, and why no more.
fn take_frames(
    reader: &mut Reader,
    input: &mut [u8],
    is_full: bool,
    take: &mut impl FnMut(Incoming<'_>) -> bool,
) -> (usize, Turn) {
    let mut used = 0;
    loop {
        match reader.read(&mut input[used..]) {
            Ok(None) => return (used, Turn::Taken { is_full }),
            Err(violation) => return (used, Turn::Broken(violation)),
            Ok(Some((incoming, length))) => {
                used += length;
                if !take(incoming) {
                    return (used, Turn::Stopped);
                }
            }
        }
    }
}
