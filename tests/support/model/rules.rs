//! The rules, as simply as they can be said: what is due to whom, and who is ended.

use viderehab::room::{DisconnectReason, PeerId};

use super::packets::ROOMS;
use super::peer::{Due, Peer, Place};
use super::rooms::Session;

/// Whom something is for.
#[derive(Clone, Copy)]
pub enum Audience {
    All,
    AllBut(PeerId),
    Only(PeerId),
}

impl Session {
    pub(super) fn members(&self, room: usize) -> &[PeerId] {
        self.rooms.iter().find(|(open, _)| *open == room).map_or(&[], |(_, members)| members)
    }

    /// For one peer alone.
    pub(super) fn tell(&mut self, who: PeerId, text: Due) {
        let peer = self.peers.get_mut(&who).expect("it is told");
        if let Some(place) = &peer.place {
            let room = place.room;
            return self.say(room, Audience::Only(who), text);
        }
        peer.outbox.push_back(text);
        if peer.outbox_bytes() > self.limits.log_bytes {
            self.end(who, DisconnectReason::TooSlow);
        }
        self.settle();
    }

    /// In a room.
    pub(super) fn say(&mut self, room: usize, audience: Audience, text: Due) {
        let members = self.members(room).to_vec();
        for member in &members {
            let for_it = match audience {
                Audience::All => true,
                Audience::AllBut(other) => other != *member,
                Audience::Only(one) => one == *member,
            };
            self.place(*member).hear(&text, for_it);
        }
        self.settle();
    }

    /// Ends those who are further behind than their room's log reaches, then those for whom most is kept, until the session
    /// keeps no more than it may. That the others are told of it may make it more again.
    fn settle(&mut self) {
        if self.is_settling {
            return;
        }
        self.is_settling = true;
        while let Some(slow) = self.behind().or_else(|| self.greatest()) {
            self.end(slow, DisconnectReason::TooSlow);
        }
        self.is_settling = false;
    }

    fn behind(&self) -> Option<PeerId> {
        let is_behind = |place: &Place| place.unread_bytes > self.limits.log_bytes;
        let mut members = self.rooms.iter().flat_map(|(_, members)| members);
        members.find(|member| self.peers[member].place.as_ref().is_some_and(is_behind)).copied()
    }

    fn greatest(&self) -> Option<PeerId> {
        if self.limits.session_bytes == 0 || self.held() <= self.limits.session_bytes {
            return None;
        }
        let burdens = self.peers.iter().filter(|(_, peer)| peer.ended.is_none());
        let greatest = burdens.map(|(who, peer)| (peer.burden(), *who)).max();
        greatest.filter(|(bytes, _)| *bytes > 0).map(|(_, who)| who)
    }

    /// Bytes of all that is kept, for however many.
    fn held(&self) -> usize {
        let all = self.peers.values().flat_map(Peer::holds);
        let mut all: Vec<_> = all.map(|due| (due.as_ptr(), due.len())).collect();
        all.sort_unstable();
        all.dedup();
        all.iter().map(|(_, bytes)| bytes).sum()
    }

    fn place(&mut self, who: PeerId) -> &mut Place {
        self.peers.get_mut(&who).and_then(|peer| peer.place.as_mut()).expect("a member has a place")
    }

    pub(super) fn end(&mut self, who: PeerId, reason: DisconnectReason) {
        let peer = self.peers.get_mut(&who).expect("it is ended");
        if peer.ended.is_some() {
            return;
        }
        peer.ended = Some(reason);
        peer.seat = None;
        peer.outbox.clear();
        self.leave(who, reason == DisconnectReason::Removed);
    }

    /// Leaves by its own wish; what it has not read must not be more than is kept for anybody.
    pub(super) fn step_out(&mut self, who: PeerId) {
        self.leave(who, false);
        if self.peers[&who].outbox_bytes() > self.limits.log_bytes {
            self.end(who, DisconnectReason::TooSlow);
        }
    }

    pub(super) fn leave(&mut self, who: PeerId, removed: bool) {
        let peer = self.peers.get_mut(&who).expect("it leaves");
        let Some(mut place) = peer.place.take() else { return };
        if peer.ended.is_none() {
            peer.outbox.extend(std::iter::from_fn(|| place.next_due()));
        }
        let at = self.rooms.iter().position(|(room, _)| *room == place.room).expect("a member's room is open");
        self.rooms[at].1.retain(|member| *member != who);
        if self.rooms[at].1.is_empty() {
            self.rooms.remove(at);
            return;
        }
        let user = place.user_id.map(|id| format!(r#","UserId":{id}"#)).unwrap_or_default();
        let reason = if removed { r#","Reason":"removed""# } else { "" };
        let key = ROOMS[place.room].0;
        let notice = format!(r#"{{"Header":{{"Event":"disconnect"{user},"RoomId":"{key}"{reason}}},"Payload":""}}"#);
        self.say(place.room, Audience::All, notice.into());
    }

    /// What must hold after every step.
    pub(super) fn check(&mut self) {
        for who in self.woken.drain(..) {
            // Of one that has gone meanwhile nothing is asked.
            if let Some(peer) = self.peers.get_mut(&who) {
                peer.woken = true;
            }
        }
        assert_eq!(self.core.peers().count(), self.peers.len());
        let limit = self.limits.log_bytes;
        let mut kept = 0;
        for (who, peer) in &self.peers {
            assert_eq!(self.core.end_of(*who), peer.ended, "{who}");
            assert_eq!(self.core.is_admitted(*who), peer.admitted, "{who}");
            assert!(peer.woken || !peer.has_due() && peer.ended.is_none(), "{who} is not woken");
            let seat = peer.seat.as_ref().map_or(0, |seat| seat.kept_bytes);
            assert!(seat <= limit && peer.outbox_bytes() <= limit, "{who} has too much kept for it");
            kept += seat + peer.outbox_bytes();
        }
        for (room, members) in &self.rooms {
            let behind = |who: &PeerId| self.peers[who].place.as_ref().map_or(0, |place| place.unread_bytes);
            let log = members.iter().map(behind).max().unwrap_or(0);
            assert!(log <= limit, "room {room} keeps too much");
            kept += log;
        }
        assert_eq!(self.core.kept_bytes(), kept, "what is kept is what somebody has still to read");
        if self.limits.session_bytes > 0 {
            let held = self.held();
            assert_eq!(self.core.held_bytes(), held, "what is kept for several counts once");
            let answers: usize = self.peers.values().map(Peer::answer_bytes).sum();
            assert!(held - answers <= self.limits.session_bytes, "the session keeps too much");
        }
    }
}
