//! Seats: a client that opted in and lost its connection comes back to its place, and the others
//! never knew. docs/PROTOCOL.md, "Coming back".

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::Attached;
use super::keys::{Grant, Key};
use super::line::Line;
use super::{Session, State};
use crate::room::{DisconnectReason, KeptPeer, PeerId};
use crate::transport::Carrier;
use crate::wire::videre::{self, Resume};

/// What is said when there is no seat of that token.
const TOO_LATE: &str = "too late: the seat was given up";

/// What is said when the seat is there, and what was missed is not.
const TOO_MUCH: &str = "too much was missed";

impl Session {
    /// A connection's first packet was a `resume`. The seat that it has from now on: an earlier one,
    /// or that of its own peer.
    pub(super) fn take_seat(&self, own: PeerId, asked: &Resume) -> PeerId {
        let mut state = self.state();
        let Some(key) = state.rooms.attached(own).map(|attached| attached.grant.key) else { return own };
        if state.ended || state.rooms.end_of(own).is_some() {
            return own;
        }
        let seat = asked.token.as_deref().and_then(|token| state.seat(key, token));
        if let Some(seat) = seat
            && let Some(received) = state.rooms.resume(seat, asked.received)
        {
            self.move_line(&mut state, own, seat);
            let answer = videre::resumed(asked.token.as_deref().unwrap_or_default(), received);
            state.rooms.tell_aside(seat, answer, &mut Attached::wake);
            self.shared.metrics.resumed(true);
            return seat;
        }
        let reason = match (&asked.token, seat) {
            (None, _) => None,
            (Some(_), None) => Some(TOO_LATE),
            (Some(_), Some(seat)) => {
                state.end(seat, DisconnectReason::Replaced);
                Some(TOO_MUCH)
            }
        };
        if reason.is_some() {
            self.shared.metrics.resumed(false);
        }
        self.replace_others(&mut state, own);
        let token = Key::random();
        let answer = videre::seated(token.reveal(), reason);
        if let Some(attached) = state.rooms.attached_mut(own) {
            attached.token = Some(token);
        }
        state.rooms.keep_seat(own, answer, &mut Attached::wake);
        own
    }

    /// The line of `own`, which has said nothing yet, becomes the seat's. A line that the seat still
    /// has is cut: the client knows better than we do that it is dead, or is there twice.
    fn move_line(&self, state: &mut State, own: PeerId, seat: PeerId) {
        let Some(mine) = state.rooms.exit(own, &mut Attached::wake) else { return };
        let Some(attached) = state.rooms.attached_mut(seat) else { return };
        let old = std::mem::replace(&mut attached.line, mine.line);
        attached.carrier = mine.carrier;
        if !std::mem::take(&mut attached.is_lost) {
            old.cut(DisconnectReason::Replaced);
        }
        attached.wake();
    }

    /// Whoever opts in with a personal key is the one who has it: others that opted in with it end.
    fn replace_others(&self, state: &mut State, own: PeerId) {
        let Some(grant) = state.rooms.attached(own).map(|attached| attached.grant.clone()) else { return };
        if grant.identity.is_none() {
            return;
        }
        let theirs = state.rooms.peers().filter(|(peer, view)| {
            *peer != own && view.attached.token.is_some() && view.attached.grant.key == grant.key
        });
        for peer in theirs.map(|(peer, _)| peer).collect::<Vec<_>>() {
            state.end(peer, DisconnectReason::Replaced);
        }
    }

    /// A seat's connection is lost: it is held for a while.
    pub(super) fn hold(self: &Arc<Self>, seat: PeerId, line: Arc<Line>, grace: Duration) {
        let session = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(grace) => {}
                () = session.stop.cancelled() => return,
            }
            let mut state = session.state();
            let is_same = |attached: &Attached| attached.is_lost && Arc::ptr_eq(&attached.line, &line);
            if state.rooms.attached(seat).is_some_and(is_same) {
                state.rooms.exit(seat, &mut Attached::wake);
            }
        });
    }
}

/// A seat on its way from one run of the server to the next.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptSeat {
    /// The number of the key that opened it.
    key: u64,
    token: Key,
    peer: KeptPeer,
}

impl Session {
    /// Ends the session for a restart of the server: clients are told to come back. Those without a
    /// seat leave their rooms; the seats stay, for [`Session::kept_seats`].
    pub fn suspend(&self) {
        let mut state = self.state();
        (state.ended, state.is_suspended) = (true, true);
        state.end_where(|attached| attached.token.is_none(), DisconnectReason::Restart);
        let seats = state.rooms.peers().filter(|(_, view)| view.attached.token.is_some());
        seats.for_each(|(_, view)| view.attached.line.cut(DisconnectReason::Restart));
        drop(state);
        self.close();
    }

    /// The seats of a session that was suspended and whose connections are gone.
    pub fn kept_seats(&self) -> Vec<KeptSeat> {
        let mut state = self.state();
        let kept = state.rooms.keep();
        let with_key = |peer: KeptPeer| {
            let attached = state.rooms.attached(peer.who)?;
            Some(KeptSeat { key: attached.grant.key, token: attached.token.clone()?, peer })
        };
        kept.into_iter().filter_map(with_key).collect()
    }

    /// Puts seats back; each is held as if its connection had just been lost.
    pub fn restore_seats(self: &Arc<Self>, seats: Vec<KeptSeat>) {
        let grace = self.shared.config.sessions.resume_grace();
        let (mut ownerless, mut next_peer) = (Vec::new(), 0);
        let mut state = self.state();
        let State { rooms, keys, .. } = &mut *state;
        let attach = |KeptSeat { key, token, peer }: KeptSeat| {
            let (seat, line) = (peer.who, Arc::<Line>::default());
            next_peer = next_peer.max(seat + 1);
            let Some(grant) = keys.grant(key) else {
                // It was taken meanwhile: the others of its room are to see that the member is gone.
                ownerless.push(seat);
                return (peer, Attached::new(Grant::keyless(), Carrier::RawWebSocket, line));
            };
            self.hold(seat, line.clone(), grace);
            let attached = Attached::new(grant, Carrier::RawWebSocket, line);
            (peer, Attached { token: Some(token), is_lost: true, ..attached })
        };
        rooms.restore(seats.into_iter().map(attach));
        state.next_peer = state.next_peer.max(next_peer);
        for peer in ownerless {
            state.rooms.exit(peer, &mut Attached::wake);
        }
    }
}

impl State {
    /// The seat of this token, if it is of this key.
    fn seat(&self, key: u64, token: &str) -> Option<PeerId> {
        let mut seats = self.rooms.peers().filter(|(_, view)| view.attached.grant.key == key);
        seats.find(|(_, view)| view.attached.token.as_ref().is_some_and(|kept| kept.is(token))).map(|(peer, _)| peer)
    }

    /// Ends a peer. One whose connection is lost already is gone at once.
    pub(super) fn end(&mut self, peer: PeerId, reason: DisconnectReason) {
        self.rooms.end(peer, reason, &mut Attached::wake);
        if self.rooms.attached(peer).is_some_and(|attached| attached.is_lost) {
            self.rooms.exit(peer, &mut Attached::wake);
        }
    }
}
