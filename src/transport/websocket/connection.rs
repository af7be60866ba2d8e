//! A connection: one task. It writes all that is due in one go, then waits for whichever comes first: something new
//! to send, something from the client, or the heartbeat.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::intake::{Intake, Stop};
use super::output;
use super::socket::{Socket, Turn};
use super::{Framing, Settings};
use crate::transport::{Close, Endpoint};
use crate::wire::websocket::{Incoming, Opcode, Violation, frame};

/// How long a client may leave a ping unanswered, as SockJS's original server has it.
const PONG_TIME: Duration = Duration::from_secs(10);

/// After so much the others of the thread have their turn, before more is sent: in a room they are due the same, which is at
/// hand now.
const LONG_BYTES: usize = 64 * 1024;

/// How a connection ended.
pub(super) enum End {
    /// It is gone: there is nobody to tell.
    Lost,
    /// The server ends it, and says why.
    Closed(Close),
    /// The client closed, and is answered by its own payload.
    Answered(Vec<u8>),
}

/// One client's.
pub(super) struct Connection<E, S> {
    socket: Socket<S>,
    endpoint: E,
    intake: Intake,
    framing: Framing,
    settings: Settings,
}

/// What a connection waits for.
enum Event {
    Due,
    /// With whether there is something due, too.
    Came(Turn, bool),
    Heartbeat,
}

impl<E: Endpoint, S: AsyncRead + AsyncWrite + Unpin> Connection<E, S> {
    pub(super) fn new(socket: Socket<S>, endpoint: E, framing: Framing, settings: Settings) -> Self {
        let intake = Intake::new(framing, settings.message_bytes, endpoint.is_admitted());
        Self { socket, endpoint, intake, framing, settings }
    }

    pub(super) fn into_parts(self) -> (Socket<S>, E) {
        (self.socket, self.endpoint)
    }

    /// Runs until the connection ends.
    pub(super) async fn serve(&mut self) -> End {
        let Err(end) = self.run().await;
        end
    }

    async fn run(&mut self) -> Result<Infallible, End> {
        let mut heartbeat = pin!(tokio::time::sleep(self.next_heartbeat()));
        let mut awaits_pong = false;
        self.send_due().await?;
        loop {
            let is_due = match self.event(heartbeat.as_mut()).await {
                Event::Due => true,
                Event::Came(turn, is_due) => {
                    awaits_pong = false;
                    self.came(turn).await?;
                    push_back(heartbeat.as_mut(), self.next_heartbeat());
                    is_due || E::ANSWERS_AT_ONCE || !self.intake.replies.is_empty()
                }
                Event::Heartbeat if awaits_pong => return Err(End::Closed(self.silence())),
                Event::Heartbeat => {
                    awaits_pong = true;
                    frame(Opcode::Ping, &[], &mut self.intake.replies);
                    heartbeat.as_mut().reset(Instant::now() + PONG_TIME);
                    true
                }
            };
            // What is due after what came is sent with what the others of its room say in the same turn.
            if is_due {
                self.send_due().await?;
            }
        }
    }

    /// A pause far away stands for no heartbeat, so that the loop has one shape.
    fn next_heartbeat(&self) -> Duration {
        if self.settings.heartbeat.is_zero() { Duration::from_secs(365 * 24 * 3600) } else { self.settings.heartbeat }
    }

    fn silence(&self) -> Close {
        match self.framing {
            Framing::Raw | Framing::EngineIo => Close::new(4005, "no sign of life"),
            Framing::SockJs => Close::new(3000, "No response from heartbeat"),
        }
    }

    /// Waits. What has come from the client is taken also when something is due, before that is sent: a busy room must
    /// not keep a client from being heard, and answers share a write.
    async fn event(&mut self, mut heartbeat: Pin<&mut Sleep>) -> Event {
        let Self { socket, endpoint, intake, .. } = self;
        let endpoint = &*endpoint;
        let mut changed = pin!(endpoint.changed());
        poll_fn(|context| {
            let is_due = changed.as_mut().poll(context).is_ready();
            let mut ear = E::Ear::default();
            let mut take = |incoming: Incoming<'_>| intake.take(endpoint, &mut ear, incoming);
            match socket.poll_receive(context, &mut take) {
                Poll::Ready(turn) => Poll::Ready(Event::Came(turn, is_due)),
                Poll::Pending if is_due => Poll::Ready(Event::Due),
                Poll::Pending => heartbeat.as_mut().poll(context).map(|()| Event::Heartbeat),
            }
        })
        .await
    }

    async fn came(&mut self, turn: Turn) -> Result<(), End> {
        match turn {
            Turn::Taken { is_full: false } => {}
            // The others of this thread hear what was said before there is more.
            Turn::Taken { is_full: true } => tokio::task::yield_now().await,
            Turn::Lost => return Err(End::Lost),
            Turn::Broken(violation) => return Err(self.broken(close_of(violation))),
            Turn::Stopped => self.stopped().await?,
        }
        Ok(())
    }

    async fn stopped(&mut self) -> Result<(), End> {
        match self.intake.stopped() {
            Stop::Pause(pause) => self.pause(pause).await?,
            Stop::Later(mut pause, messages) => {
                for message in messages {
                    self.pause(pause).await?;
                    pause = self.endpoint.receive(&message, &mut E::Ear::default());
                }
                self.pause(pause).await?;
            }
            Stop::End(close) => return Err(self.broken(close)),
            Stop::Answer(payload) => return Err(End::Answered(payload)),
        }
        if self.endpoint.is_admitted() {
            self.socket.raise_limit(self.framing.frame_bytes(self.settings.message_bytes));
        }
        Ok(())
    }

    /// A client over its rate is not read for a while. It hears the others all the same, and a server that ends it.
    async fn pause(&mut self, pause: Duration) -> Result<(), End> {
        let end = Instant::now() + pause;
        while Instant::now() < end {
            self.send_due().await?;
            // Cancel-safe: what is due is looked at anew.
            tokio::select! {
                () = self.endpoint.changed() => {}
                () = tokio::time::sleep_until(end) => {}
            }
        }
        Ok(())
    }

    fn broken(&self, close: Close) -> End {
        self.endpoint.violation();
        End::Closed(close)
    }

    /// Sends all that is due, by as few writes as it takes.
    async fn send_due(&mut self) -> Result<(), End> {
        loop {
            if !self.socket.is_clear() {
                self.flush().await?;
            }
            let (bytes, close) = poll_fn(|context| Poll::Ready(self.send_once(context))).await?;
            if let Some(close) = close {
                self.flush().await?;
                return Err(End::Closed(close));
            }
            if bytes == 0 {
                return Ok(());
            }
            if bytes >= LONG_BYTES {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Sends one batch of what is due. How long it was, and how it ends, after that.
    fn send_once(&mut self, context: &mut Context<'_>) -> Result<(usize, Option<Close>), End> {
        let Self { socket, endpoint, intake, framing, .. } = self;
        output::with(*framing, &mut intake.replies, |frames| {
            let close = endpoint.take(framing.form(), frames);
            let due = frames.bytes();
            if !due.is_empty() {
                socket.send(context, due).map_err(|_| End::Lost)?;
            }
            Ok((due.len(), close))
        })
    }

    /// A write to a client that does not read is given up when the server ends the connection, or when the time of a
    /// sign of life is over.
    async fn flush(&mut self) -> Result<(), End> {
        let patience = self.next_heartbeat() + PONG_TIME;
        let Self { socket, endpoint, .. } = self;
        let ended = async {
            while !endpoint.ended() {
                endpoint.changed().await;
            }
        };
        tokio::select! {
            biased;
            flushed = poll_fn(|context| socket.poll_flush(context)) => flushed.map_err(|_| End::Lost),
            () = ended => Err(endpoint.take(self.framing.form(), &mut |_: &str| ()).map_or(End::Lost, End::Closed)),
            () = tokio::time::sleep(patience) => Err(End::Lost),
        }
    }
}

fn close_of(violation: Violation) -> Close {
    match violation {
        Violation::Protocol => Close::new(1002, "protocol error"),
        Violation::NotUtf8 => Close::new(1007, "text is not UTF-8"),
        Violation::TooLong => super::TOO_BIG,
    }
}

/// The timer is moved only when that matters: it is dearer to move than to let fire once too often.
fn push_back(mut timer: Pin<&mut Sleep>, by: Duration) {
    let wanted = Instant::now() + by;
    if wanted.saturating_duration_since(timer.deadline()) > Duration::from_secs(1) || timer.deadline() > wanted {
        timer.as_mut().reset(wanted);
    }
}
