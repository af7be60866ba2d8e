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
        self.messages.bytes()
    }

    /// Ends those who fell off the tail of a room's log, then those for whom most is kept, until the session keeps no more
    /// than it may. That the others are told of each, in this room or another, may make more of them fall: they are found by
    /// the call that is under way, so that the stack does not grow with their number. `shortened`: the room whose log was cut.
    pub(super) fn settle(&mut self, shortened: Option<RoomIndex>, wake: Wake<W>) {
        if self.is_settling {
            return;
        }
        self.is_settling = true;
        let mut spoken = shortened;
        while let Some(who) = spoken.and_then(|room| self.fallen(room)).or_else(|| self.most_burdened()) {
            // Where it is told.
            spoken = self.peers[&who].membership.as_ref().map(|membership| membership.room);
            self.end(who, DisconnectReason::TooSlow, wake);
        }
        self.is_settling = false;
    }

    fn fallen(&self, index: RoomIndex) -> Option<PeerId> {
        let room = self.rooms.get(index)?;
        let has_fallen = |member: &Membership| member.unread_from.is_some_and(|unread| unread < room.log.first());
        room.members.iter().copied().find(|member| self.peers[member].membership.as_ref().is_some_and(has_fallen))
    }

    /// For whom most is kept, if it is too much in all.
    fn most_burdened(&self) -> Option<PeerId> {
        if self.limits.session_bytes == 0 || self.messages.bytes() <= self.limits.session_bytes {
            return None;
        }
        let burdens = self.peers.iter().filter(|(_, peer)| peer.end.is_none());
        let greatest = burdens.map(|(who, peer)| (self.burden(peer), *who)).max();
        greatest.filter(|(bytes, _)| *bytes > 0).map(|(_, who)| who)
    }

    /// What is kept for a peer, though perhaps for others, too.
    fn burden(&self, peer: &Peer<W>) -> usize {
        let seat = peer.seat.as_ref().map_or(0, |seat| seat.bytes());
        seat + self.due(peer)
    }
}
