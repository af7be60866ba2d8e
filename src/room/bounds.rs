//! What is kept for those who read late, and who is ended when it is too much.

use super::PeerId;
use super::members::RoomIndex;
use super::peer::{DisconnectReason, Membership, Peer};
use super::rules::{Rooms, Wake};

impl<W> Rooms<W> {
    /// Bytes of messages that somebody has still to read, or may not have got.
    pub fn kept_bytes(&self) -> usize {
        let seat = |peer: &Peer<W>| peer.seat.as_ref().map_or(0, |seat| seat.bytes());
        let outboxes = self.peers.values().map(|peer| peer.outbox.bytes() + seat(peer));
        outboxes.chain(self.rooms.iter().map(|(_, room)| room.log.bytes())).sum()
    }

    /// Bytes that all this holds: a message counts once, however many it is for.
    pub fn held_bytes(&self) -> usize {
        self.tally.bytes()
    }

    /// Ends those who fell off the tail of a room's log. That the others are told of it may make more of them fall: they
    /// are found by the call that is under way, so that the stack does not grow with their number.
    pub(super) fn end_fallen(&mut self, index: RoomIndex, wake: Wake<W>) {
        if self.is_ending_fallen {
            return;
        }
        self.is_ending_fallen = true;
        while let Some(fallen) = self.fallen(index) {
            self.end(fallen, DisconnectReason::TooSlow, wake);
        }
        self.is_ending_fallen = false;
    }

    fn fallen(&self, index: RoomIndex) -> Option<PeerId> {
        let room = self.rooms.get(index)?;
        let has_fallen = |membership: &Membership| membership.cursor < room.log.first();
        room.members.iter().copied().find(|member| self.peers[member].membership.as_ref().is_some_and(has_fallen))
    }

    /// Ends those for whom most is kept until the session keeps no more than it may; likewise.
    pub(super) fn relieve(&mut self, wake: Wake<W>) {
        if self.is_relieving {
            return;
        }
        self.is_relieving = true;
        self.relieve_until_enough(wake);
        self.is_relieving = false;
    }

    fn relieve_until_enough(&mut self, wake: Wake<W>) {
        while self.limits.session_bytes > 0 && self.tally.bytes() > self.limits.session_bytes {
            let burdens = self.peers.iter().filter(|(_, peer)| peer.end.is_none());
            let greatest = burdens.map(|(who, peer)| (self.burden(peer), *who)).max();
            let Some((_, who)) = greatest.filter(|(bytes, _)| *bytes > 0) else { return };
            self.end(who, DisconnectReason::TooSlow, wake);
        }
    }

    /// What is kept for a peer, though perhaps for others, too.
    fn burden(&self, peer: &Peer<W>) -> usize {
        let seat = peer.seat.as_ref().map_or(0, |seat| seat.bytes());
        seat + self.due(peer)
    }

    /// What a peer has not been handed yet.
    pub(super) fn due(&self, peer: &Peer<W>) -> usize {
        let unread = |member: &Membership| self.rooms[member.room].log.bytes_from(member.cursor);
        peer.outbox.bytes() + peer.membership.as_ref().map_or(0, unread)
    }
}
