//! One client's connection, whatever carries it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::heartbeat::{Beat, Heartbeat};
use super::phase::{Ending, Phase, Way};
use super::{End, Endpoint, Outgoing, Settings};
use crate::random;
use crate::transport::{Carrier, Rest};
use crate::wire::Text;
use crate::wire::socketio::{NOOP, PING, Version, acknowledgement, connected, event};

/// 20 letters and digits hold 119 random bits: who knows an id is its client.
const ID_CHARACTERS: usize = 20;

/// A connection.
pub(super) struct Client<E> {
    pub(super) sid: String,
    pub(super) version: Version,
    pub(super) connect_time: Duration,
    linger: Duration,
    pub(super) state: Mutex<State<E>>,
    /// Wakes a poll: there may be something for it.
    pub(super) due: Notify,
    /// Wakes the polling task: a deadline has come nearer, or its time is over.
    pub(super) turned: Notify,
    /// Told once when the polling task has ended, so that the socket's may wait for the endpoint.
    pub(super) relieved: Notify,
    /// Cancelled when the connection is over.
    pub(super) gone: CancellationToken,
}

pub(super) struct State<E> {
    pub(super) phase: Phase<E>,
    /// See [`Endpoint::is_admitted`]; and whether the namespace is open, or was.
    pub(super) is_admitted: bool,
    pub(super) way: Way,
    /// What the transport itself has to say, before the endpoint.
    pub(super) own: Vec<Text>,
    pub(super) heartbeat: Heartbeat,
    /// Whether a poll is waiting, and whether a body is being worked through.
    pub(super) polled: bool,
    pub(super) posted: bool,
}

impl<E> State<E> {
    /// Nobody will come for the last words any more.
    pub(super) fn forget(&mut self) {
        if let Phase::Over(over) = &mut self.phase {
            over.until = None;
        }
    }
}

pub(super) fn random_id() -> String {
    random::alphanumeric(ID_CHARACTERS)
}

impl<E: Endpoint> Client<E> {
    /// A connection that begins. Engine.IO 3 opens the namespace at once.
    ///
    /// # Errors
    /// The endpoint's words if it refuses that.
    pub(super) fn new(
        endpoint: E,
        carrier: Carrier,
        version: Version,
        settings: &Settings,
    ) -> Result<Self, &'static str> {
        let endpoint = Arc::new(endpoint);
        let is_admitted = endpoint.is_admitted();
        let (phase, own) = match version {
            Version::V3 => {
                endpoint.connect(None)?;
                (Phase::Open(endpoint), vec![connected(version, "")])
            }
            Version::V4 => (Phase::Greeting(endpoint, Instant::now() + settings.connect_time), Vec::new()),
        };
        let way = if carrier == Carrier::SocketIoPolling { Way::Polling } else { Way::Socket };
        let heartbeat = Heartbeat::new(version, settings);
        Ok(Self {
            sid: random_id(),
            version,
            connect_time: settings.connect_time,
            linger: settings.linger,
            state: Mutex::new(State { phase, is_admitted, way, own, heartbeat, polled: false, posted: false }),
            due: Notify::new(),
            turned: Notify::new(),
            relieved: Notify::new(),
            gone: CancellationToken::new(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests may name it: it is not over, or its last words are not fetched yet.
    pub(super) fn is_there(&self) -> bool {
        match &self.state().phase {
            Phase::Over(over) => over.until.is_some(),
            _ => true,
        }
    }

    /// Whether it polls, and its last words but for the bare end are still to be fetched.
    pub(super) fn is_untold(&self) -> bool {
        let state = self.state();
        let has_to_be_told = match &state.phase {
            Phase::Open(endpoint) => endpoint.ended(),
            Phase::Over(over) => over.until.is_some() && over.last.is_some(),
            Phase::Greeting(..) | Phase::Left(_) => false,
        };
        state.way != Way::Socket && has_to_be_told
    }

    pub(super) fn is_admitted(&self) -> bool {
        self.state().is_admitted
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.state().way == Way::Socket
    }

    pub(super) fn ended(&self) -> bool {
        let endpoint = match &self.state().phase {
            Phase::Over(_) => return true,
            phase => phase.endpoint().cloned(),
        };
        endpoint.is_some_and(|endpoint| endpoint.ended())
    }

    /// Ends the connection, unless it is over.
    pub(super) fn end(&self, ending: Ending) {
        let _let_go = self.end_with(&mut self.state(), ending, Vec::new());
    }

    /// Lets the endpoint go; the caller drops what is answered once the state is unlocked, since an
    /// endpoint's end locks what is its own. `due` is what the endpoint still had to say.
    fn end_with(&self, state: &mut State<E>, ending: Ending, due: Vec<Text>) -> Option<Phase<E>> {
        if state.phase.is_over() {
            if !matches!(ending, Ending::Told(_)) {
                state.forget();
                self.turned.notify_one();
            }
            return None;
        }
        let mut left = std::mem::take(&mut state.own);
        left.extend(due);
        let over = state.phase.over(ending, state.way, left, Instant::now() + self.linger);
        let let_go = std::mem::replace(&mut state.phase, Phase::Over(over));
        self.gone.cancel();
        self.turned.notify_one();
        self.due.notify_one();
        Some(let_go)
    }

    /// The endpoint has ended, or is to: what it still has to say is kept for the client.
    pub(super) fn finish(&self, unless_told: End) {
        let mut _let_go = None;
        let mut state = self.state();
        let mut due = Vec::new();
        let mut told = None;
        if let Phase::Open(endpoint) = &state.phase {
            told = loop {
                match take(&**endpoint, &mut due) {
                    Rest::More => {}
                    Rest::Nothing => break None,
                    Rest::End(end) => break Some(end),
                }
            };
        }
        _let_go = self.end_with(&mut state, Ending::Told(told.unwrap_or(unless_told)), due);
    }

    /// Moves what is due into `into`, in order, and answers what is left. A poll that another way has
    /// overtaken gets a noop.
    pub(super) fn take(&self, by_socket: bool, into: &mut Vec<Text>) -> Rest {
        let mut _let_go = None;
        let mut state = self.state();
        if !by_socket && state.way == Way::Socket {
            into.push(NOOP.into());
            return Rest::Nothing;
        }
        let open = match &state.phase {
            Phase::Open(endpoint) => Some(endpoint.clone()),
            Phase::Greeting(endpoint, _) if endpoint.ended() => {
                _let_go = self.end_with(&mut state, Ending::Told(End::ForNow), Vec::new());
                None
            }
            _ => None,
        };
        into.append(&mut state.own);
        let rest = open.map_or(Rest::Nothing, |endpoint| take(&*endpoint, into));
        if let Rest::End(end) = rest {
            _let_go = self.end_with(&mut state, Ending::Told(end), Vec::new());
        }
        let Phase::Over(over) = &mut state.phase else {
            return if rest == Rest::More { Rest::More } else { Rest::Nothing };
        };
        let close = over.close;
        into.append(&mut over.left);
        match over.last.take() {
            Some(last) => over.left.push(last),
            None => state.forget(),
        }
        self.turned.notify_one();
        Rest::End(close)
    }

    /// When [`Client::tick`] is to be called.
    pub(super) fn deadline(&self) -> Instant {
        let state = self.state();
        let heartbeat = state.heartbeat.deadline();
        match (&state.phase, state.phase.deadline()) {
            (Phase::Over(_), until) => until.unwrap_or(heartbeat),
            (_, Some(until)) => until.min(heartbeat),
            (_, None) => heartbeat,
        }
    }

    /// Does what is due at this time.
    pub(super) fn tick(&self) {
        let mut _let_go = None;
        let mut state = self.state();
        let now = Instant::now();
        let is_late = state.phase.deadline().is_some_and(|until| until <= now);
        match &state.phase {
            Phase::Over(_) if is_late => state.forget(),
            Phase::Over(_) => {}
            _ if is_late => _let_go = self.end_with(&mut state, Ending::Broken, Vec::new()),
            _ => match state.heartbeat.beat() {
                Beat::None => {}
                Beat::Ask => self.say_once(&mut state, PING),
                Beat::Silence => _let_go = self.end_with(&mut state, Ending::Broken, Vec::new()),
            },
        }
    }

    /// Completes when the endpoint may have something new, or never if there is none. One waiter at a time.
    pub(super) async fn changed(&self) {
        let endpoint = self.state().phase.endpoint().cloned();
        match endpoint {
            Some(endpoint) => endpoint.changed().await,
            None => std::future::pending().await,
        }
    }
}

fn take<E: Endpoint>(endpoint: &E, into: &mut Vec<Text>) -> Rest<End> {
    let mut outgoing = Vec::new();
    let rest = endpoint.take(&mut outgoing);
    into.extend(outgoing.into_iter().map(|packet| match packet {
        Outgoing::Event { name, argument } => event(name, argument.as_str()),
        Outgoing::Acknowledgement { id, argument } => acknowledgement(id, argument.as_str()),
    }));
    rest
}
