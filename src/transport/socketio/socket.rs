//! The near end of a WebSocket: one that carries a connection, or one that a polling client tries.
//!
//! ```text
//! Trying ── `2probe` ──▶ Probed ── `5` ──▶ TakingOver ── the polling task has ended ──▶ Carrying
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use super::phase::{Ending, Phase, Way};
use super::{End, Endpoint, FOR_NOW, Service};
use crate::transport::{self, Batch, Form, Rest};
use crate::wire::Text;
use crate::wire::socketio::{EnginePacket, PROBE, PROBED};

/// How long a WebSocket that is being tried outlives its connection, so that a `5` that is on its way
/// still finds the last words.
const LAST_CALL: Duration = Duration::from_secs(1);

/// A WebSocket's end. Dropping it ends the connection that it carries, or the attempt.
pub(super) struct SocketEnd<E: Endpoint> {
    service: Arc<Service<E>>,
    client: Arc<Client<E>>,
    stage: Mutex<Stage>,
    /// Until when an attempt must have come to its end.
    until: Instant,
}

/// How far it has come, with what it has to say before the connection.
enum Stage {
    Trying,
    Probed(Option<Text>),
    TakingOver,
    Carrying(Option<Text>),
    Failed,
}

impl<E: Endpoint> SocketEnd<E> {
    /// One that carries a connection from the start; `greeting` is its first packet.
    pub(super) fn carrying(service: Arc<Service<E>>, client: Arc<Client<E>>, greeting: Text) -> Self {
        Self { service, client, stage: Mutex::new(Stage::Carrying(Some(greeting))), until: Instant::now() }
    }

    /// One that is to prove itself. The client has agreed ([`Client::begin_upgrade`]).
    pub(super) fn probing(service: Arc<Service<E>>, client: Arc<Client<E>>) -> Self {
        let until = Instant::now() + service.settings.upgrade_time;
        Self { service, client, stage: Mutex::new(Stage::Trying), until }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive_probe(&self, stage: &mut Stage, packet: &str) {
        *stage = match (EnginePacket::parse(packet), &stage) {
            (Ok(EnginePacket::Ping(PROBE)), Stage::Trying) => {
                self.client.probed();
                Stage::Probed(Some(PROBED.into()))
            }
            (Ok(EnginePacket::Upgrade), Stage::Probed(_)) if self.client.take_over() => Stage::TakingOver,
            _ => Stage::Failed,
        };
    }
}

impl<E: Endpoint> transport::Endpoint for SocketEnd<E> {
    type Ear<'a> = ();

    fn receive(&self, message: &str, (): &mut ()) -> Duration {
        let mut stage = self.stage();
        if !matches!(*stage, Stage::TakingOver | Stage::Carrying(_)) {
            self.receive_probe(&mut stage, message);
            return Duration::ZERO;
        }
        drop(stage);
        self.client.receive(message)
    }

    fn receive_binary(&self, _message: &[u8], (): &mut ()) -> Duration {
        let mut stage = self.stage();
        if !matches!(*stage, Stage::TakingOver | Stage::Carrying(_)) {
            *stage = Stage::Failed;
            return Duration::ZERO;
        }
        drop(stage);
        self.client.break_off();
        Duration::ZERO
    }

    fn count(&self, bytes: usize) -> Duration {
        self.client.count(bytes)
    }

    fn is_admitted(&self) -> bool {
        self.client.is_admitted()
    }

    fn violation(&self) {
        if matches!(*self.stage(), Stage::TakingOver | Stage::Carrying(_)) {
            self.client.break_off();
        }
    }

    fn take(&self, _form: Form, batch: &mut dyn Batch) -> Rest {
        let mut stage = self.stage();
        match &mut *stage {
            Stage::Trying => return Rest::Nothing,
            Stage::Failed => return Rest::End(FOR_NOW),
            Stage::Probed(reply) => {
                reply.take().iter().for_each(|text| batch.add(text.as_str()));
                return Rest::Nothing;
            }
            Stage::Carrying(greeting) => greeting.take().iter().for_each(|text| batch.add(text.as_str())),
            Stage::TakingOver => {}
        }
        drop(stage);
        let mut due = Vec::new();
        let rest = self.client.take(true, &mut due);
        due.iter().for_each(|text| batch.add(text.as_str()));
        rest
    }

    fn ended(&self) -> bool {
        match *self.stage() {
            Stage::Trying | Stage::Probed(_) => false,
            Stage::Failed => true,
            Stage::TakingOver | Stage::Carrying(_) => self.client.ended(),
        }
    }

    async fn changed(&self) {
        enum Wait {
            Proof,
            Relief,
            More,
        }
        let wait = match *self.stage() {
            Stage::Trying | Stage::Probed(_) => Wait::Proof,
            Stage::TakingOver => Wait::Relief,
            Stage::Carrying(_) => Wait::More,
            Stage::Failed => return,
        };
        match wait {
            Wait::Proof => {
                let last_call = async {
                    self.client.gone.cancelled().await;
                    tokio::time::sleep(LAST_CALL).await;
                };
                tokio::select! {
                    () = tokio::time::sleep_until(self.until) => {}
                    () = last_call => {}
                }
                *self.stage() = Stage::Failed;
            }
            // What the polling task was woken for meanwhile is looked after by whoever called.
            Wait::Relief => {
                self.client.relieved.notified().await;
                *self.stage() = Stage::Carrying(None);
            }
            Wait::More if self.client.state().phase.is_over() => {}
            Wait::More => {
                let deadline = self.client.deadline();
                // Looked at first, or a client that is sent much would be asked for no sign of life;
                // as a timer last, which a busy connection then need not set.
                if deadline <= Instant::now() {
                    return self.client.tick();
                }
                tokio::select! {
                    biased;
                    // Whoever has not opened the namespace yet, or has left it, is told by nobody else.
                    () = self.service.stop.cancelled() => self.client.finish(End::ForNow),
                    () = self.client.changed() => {}
                    () = tokio::time::sleep_until(deadline) => self.client.tick(),
                }
            }
        }
    }
}

impl<E: Endpoint> Drop for SocketEnd<E> {
    fn drop(&mut self) {
        let carries = matches!(*self.stage(), Stage::TakingOver | Stage::Carrying(_));
        if carries {
            self.client.end(Ending::Broken);
            self.service.unlist(&self.client);
        } else {
            self.client.give_up_upgrade();
        }
    }
}

impl<E: Endpoint> Client<E> {
    /// Lets a WebSocket try, unless one does.
    pub(super) fn begin_upgrade(&self) -> bool {
        let mut state = self.state();
        let may = state.way == Way::Polling;
        if may {
            state.way = Way::Upgrading { probed: false };
        }
        may
    }

    fn probed(&self) {
        self.state().way = Way::Upgrading { probed: true };
        self.due.notify_one();
    }

    /// Goes over to the WebSocket, unless the connection is over and its last words are fetched.
    fn take_over(&self) -> bool {
        let mut state = self.state();
        if matches!(&state.phase, Phase::Over(over) if over.left.is_empty()) {
            return false;
        }
        state.way = Way::Socket;
        let endpoint = state.phase.endpoint().cloned();
        drop(state);
        if let Some(endpoint) = endpoint {
            endpoint.upgraded();
        }
        self.turned.notify_one();
        self.due.notify_one();
        true
    }

    fn give_up_upgrade(&self) {
        let mut state = self.state();
        if matches!(state.way, Way::Upgrading { .. }) {
            state.way = Way::Polling;
        }
    }
}
