//! A connection: one task. It takes what comes and writes all that is due in one go, then waits for whichever comes first:
//! something from the client, something new to send, or the time for a sign of life.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::heartbeat::{Beat, Heartbeat};
use super::intake::{Intake, Stop};
use super::output;
use super::socket::{Socket, Turn};
use super::{Framing, Settings};
use crate::transport::{Close, Endpoint, Rest};
use crate::wire::websocket::{Opcode, Violation, frame};

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
    endpoint: E,
    client: Client<S>,
}

/// The end of a connection that the client is at.
struct Client<S> {
    /// Between two turns it holds nothing back of what was sent.
    socket: Socket<S>,
    intake: Intake,
    heartbeat: Heartbeat,
    /// Whether there may be something to send.
    is_due: bool,
}

/// What a turn leaves to be done that takes time.
enum Event {
    /// Much was taken, and there is probably more.
    Much,
    /// Whoever takes what comes wants no more for now.
    Stopped,
    /// What was due is not all sent, or all that was ever due.
    Sent(Rest),
}

impl<E: Endpoint, S: AsyncRead + AsyncWrite + Unpin> Connection<E, S> {
    pub(super) fn new(
        socket: Socket<S>,
        endpoint: E,
        framing: Framing,
        settings: &Settings,
        heartbeat: Heartbeat,
    ) -> Self {
        let intake = Intake::new(framing, settings.message_bytes, endpoint.is_admitted());
        Self { endpoint, client: Client { socket, intake, heartbeat, is_due: true } }
    }

    pub(super) fn into_parts(self) -> (Socket<S>, E) {
        (self.client.socket, self.endpoint)
    }

    /// Runs until the connection ends.
    ///
    /// # Errors
    /// How it did.
    pub(super) async fn run(&mut self) -> Result<Infallible, End> {
        loop {
            let event = {
                let Self { endpoint, client } = self;
                let mut changed = pin!(endpoint.changed());
                poll_fn(|context| client.poll_event(endpoint, changed.as_mut(), E::changed, context)).await?
            };
            match event {
                // The others of this thread hear what was said before there is more.
                Event::Much => yield_now().await,
                // What is rare is kept apart, so that no connection takes memory for it that is idle.
                Event::Stopped => Box::pin(self.stopped()).await?,
                Event::Sent(rest) => Box::pin(self.send_rest(rest)).await?,
            }
        }
    }

    async fn stopped(&mut self) -> Result<(), End> {
        match self.client.intake.stopped() {
            Stop::Pause(pause) => self.pause(pause).await?,
            Stop::Later(mut pause, messages) => {
                for message in messages {
                    self.pause(pause).await?;
                    pause = self.endpoint.receive(&message, &mut E::Ear::default());
                }
                self.pause(pause).await?;
            }
            Stop::End(close) => return Err(broken(&self.endpoint, close)),
            Stop::Answer(payload) => return Err(End::Answered(payload)),
        }
        if self.endpoint.is_admitted() {
            self.client.raise_limit();
        }
        Ok(())
    }

    /// A client over its rate is not read for a while. It hears the others all the same, and a server that ends it.
    async fn pause(&mut self, pause: Duration) -> Result<(), End> {
        let end = Instant::now() + pause;
        while Instant::now() < end {
            self.send_due().await?;
            let Self { endpoint, client } = self;
            // Cancel-safe: what is due is looked at anew.
            tokio::select! {
                () = endpoint.changed() => {}
                () = tokio::time::sleep_until(end) => {}
                () = poll_fn(|context| client.heartbeat.poll_unread(context)) => client.ask(),
            }
        }
        Ok(())
    }

    async fn send_due(&mut self) -> Result<(), End> {
        let rest = self.send_batch().await?;
        self.send_rest(rest).await
    }

    async fn send_batch(&mut self) -> Result<Rest, End> {
        let Self { endpoint, client } = self;
        poll_fn(|context| Poll::Ready(client.send(endpoint, context))).await
    }

    /// Sends all that is still due after a batch, by as few writes as it takes.
    async fn send_rest(&mut self, mut rest: Rest) -> Result<(), End> {
        loop {
            if !self.client.socket.is_clear() {
                self.flush().await?;
            }
            match rest {
                Rest::Nothing => return Ok(()),
                // The others of the thread have their turn first: in a room they are due the same, which is at hand now.
                Rest::More => yield_now().await,
                Rest::End(close) => return Err(End::Closed(close)),
            }
            rest = self.send_batch().await?;
        }
    }

    /// A write to a client that does not read is given up when the server ends the connection, or when the time of a
    /// sign of life is over.
    async fn flush(&mut self) -> Result<(), End> {
        let Self { endpoint, client: Client { socket, intake, heartbeat, .. } } = self;
        let ended = async {
            while !endpoint.ended() {
                endpoint.changed().await;
            }
        };
        tokio::select! {
            biased;
            flushed = poll_fn(|context| socket.poll_flush(context)) => flushed.map_err(|_| End::Lost),
            () = ended => Err(match endpoint.take(intake.framing.form(), &mut |_: &str| ()) {
                Rest::End(close) => End::Closed(close),
                Rest::Nothing | Rest::More => End::Lost,
            }),
            () = tokio::time::sleep(heartbeat.patience()) => Err(End::Lost),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Has turns for as long as they take no time: takes what comes, and sends what is due. `changed`: what the endpoint
    /// tells by that there is something new, had anew whenever it has told.
    fn poll_event<'a, E: Endpoint, C: Future<Output = ()>>(
        &mut self,
        endpoint: &'a E,
        mut changed: Pin<&mut C>,
        change: impl Fn(&'a E) -> C,
        context: &mut Context<'_>,
    ) -> Poll<Result<Event, End>> {
        let mut has_all_come = false;
        loop {
            let is_told = changed.as_mut().poll(context).is_ready();
            self.is_due |= is_told;
            // What has come is taken also when something is due, before that is sent: a busy room must not keep a client
            // from being heard, and answers share a write.
            let mut is_much = false;
            if !has_all_come {
                match self.poll_receive(endpoint, context) {
                    Poll::Pending => has_all_come = true,
                    Poll::Ready(Turn::Taken { is_full }) => is_much = is_full,
                    Poll::Ready(Turn::Stopped) => return Poll::Ready(Ok(Event::Stopped)),
                    Poll::Ready(Turn::Broken(violation)) => {
                        return Poll::Ready(Err(broken(endpoint, close_of(violation))));
                    }
                    Poll::Ready(Turn::Lost) => return Poll::Ready(Err(End::Lost)),
                }
            }
            // What is due after what came is sent with what the others of its room say in the same turn.
            if self.is_due {
                let rest = self.send(endpoint, context)?;
                if rest != Rest::Nothing || !self.socket.is_clear() {
                    return Poll::Ready(Ok(Event::Sent(rest)));
                }
            }
            if is_much {
                return Poll::Ready(Ok(Event::Much));
            }
            if is_told || !has_all_come {
                // What has come may have changed what there is to wait for.
                changed.set(change(endpoint));
            } else {
                ready!(self.poll_heartbeat(context))?;
            }
        }
    }

    /// Takes what has come, all of it with the same ear.
    fn poll_receive<E: Endpoint>(&mut self, endpoint: &E, context: &mut Context<'_>) -> Poll<Turn> {
        let Self { socket, intake, .. } = self;
        let mut ear = E::Ear::default();
        let turn = ready!(socket.poll_receive(context, &mut |incoming| intake.take(endpoint, &mut ear, incoming)));
        match turn {
            Turn::Stopped => self.heartbeat.heard_late(),
            _ => self.heartbeat.heard(),
        }
        self.is_due |= E::ANSWERS_AT_ONCE || !self.intake.replies.is_empty();
        Poll::Ready(turn)
    }

    /// Sends one batch of what is due, and answers what is left of that.
    fn send<E: Endpoint>(&mut self, endpoint: &E, context: &mut Context<'_>) -> Result<Rest, End> {
        let Self { socket, intake: Intake { replies, framing, .. }, .. } = self;
        self.is_due = false;
        output::with(*framing, replies, |frames| {
            let rest = endpoint.take(framing.form(), frames);
            let due = frames.bytes();
            if !due.is_empty() {
                socket.send(context, due).map_err(|_| End::Lost)?;
            }
            Ok(rest)
        })
    }

    /// Asks for a sign of life when it is time to.
    fn poll_heartbeat(&mut self, context: &Context<'_>) -> Poll<Result<(), End>> {
        Poll::Ready(match ready!(self.heartbeat.poll(context)) {
            Beat::End => Err(End::Closed(self.silence())),
            Beat::Ask => {
                self.ask();
                Ok(())
            }
        })
    }

    fn ask(&mut self) {
        frame(Opcode::Ping, &[], &mut self.intake.replies);
        self.is_due = true;
    }

    fn silence(&self) -> Close {
        match self.intake.framing {
            Framing::Raw | Framing::EngineIo => Close::new(4005, "no sign of life"),
            Framing::SockJs => Close::new(3000, "No response from heartbeat"),
        }
    }

    /// It is admitted: its messages may be as long as any.
    fn raise_limit(&mut self) {
        let Intake { framing, message_bytes, .. } = self.intake;
        self.socket.raise_limit(framing.frame_bytes(message_bytes));
    }
}

/// The client has broken the rules.
fn broken(endpoint: &impl Endpoint, close: Close) -> End {
    endpoint.violation();
    End::Closed(close)
}

fn close_of(violation: Violation) -> Close {
    match violation {
        Violation::Protocol => Close::new(1002, "protocol error"),
        Violation::NotUtf8 => Close::new(1007, "text is not UTF-8"),
        Violation::TooLong => super::TOO_BIG,
    }
}
