//! Coming back: what arrives at a client, what it acknowledges, where its connection is cut.

use std::collections::BTreeMap;

use viderehab::room::{DisconnectReason, KeptPeer, PeerId, Rooms, Verdict};
use viderehab::wire::videre;

use super::Choices;
use super::packets::KEY;
use super::peer::{Due, Peer};
use super::rooms::Session;

const BAD_ACK: &str = "Payload of ack is not the number of packets that have arrived";

impl Session {
    pub(super) fn arrive(&mut self, who: PeerId, count: u64) {
        if let Some(seat) = self.peers.get_mut(&who).and_then(|peer| peer.seat.as_mut()) {
            let count = count.min(seat.pipe);
            seat.pipe -= count;
            seat.arrived += count;
        }
    }

    pub(super) fn acknowledge(&mut self, who: PeerId, choices: &mut impl Choices) {
        let lie = choices.one_in(8);
        let number = self.peers[&who].seat.as_ref().map_or(0, |seat| seat.arrived + if lie { 1 << 40 } else { 0 });
        let message = format!(r#"{{"Header":{{"Event":"ack"}},"Payload":{number}}}"#);
        if !self.came(who, &message, false) {
            return;
        }
        match self.peers.get_mut(&who).and_then(|peer| peer.seat.as_mut()) {
            Some(seat) if number <= seat.handed => {
                seat.acknowledge(number);
                seat.acknowledgement = Some(videre::acknowledge(seat.received).as_str().into());
                self.apply(who, &message, Verdict::Applied);
            }
            _ => self.refused(who, &message, BAD_ACK),
        }
    }

    /// Its connection is lost, with what was on its way.
    pub(super) fn lose(&mut self, who: PeerId) {
        let peer = self.peers.get_mut(&who).expect("it is there");
        match &mut peer.seat {
            Some(seat) if peer.ended.is_none() => (seat.lost, seat.pipe) = (true, 0),
            _ => self.exit(who),
        }
    }

    /// A new connection asks for the seat, also while the server believes in the old one.
    pub(super) fn resume(&mut self, who: PeerId) {
        let Some(peer) = self.peers.get_mut(&who).filter(|peer| peer.ended.is_none()) else { return };
        let Some(seat) = &mut peer.seat else { return };
        let arrived = seat.arrived;
        let resumed = self.core.resume(who, arrived);
        if seat.forgotten() > arrived {
            assert_eq!(resumed, None, "some of what {who} missed is not kept");
            return self.exit(who);
        }
        assert_eq!(resumed, Some(seat.received), "{who} comes back");
        seat.acknowledge(arrived);
        (seat.again, seat.pipe, seat.lost) = (0, 0, false);
        let answer = videre::resumed("token", seat.received);
        (seat.answer, seat.acknowledgement) = (Some(answer.as_str().into()), None);
        self.core.tell_aside(who, answer, &mut |who| self.woken.push(*who));
    }

    /// The server is started anew: who has no seat is told to come back, seats move to the new core.
    pub(super) fn restart(&mut self) {
        for who in self.all() {
            if self.peers[&who].seat.is_none() {
                self.core.end(who, DisconnectReason::Restart, &mut |who| self.woken.push(*who));
                self.end(who, DisconnectReason::Restart);
                self.exit(who);
            }
        }
        let limit = self.limits.log_bytes;
        let due = |peer: &Peer| peer.outbox_bytes() + peer.place.as_ref().map_or(0, |place| place.unread_bytes);
        while let Some((who, _)) = self.peers.iter().find(|(_, peer)| peer.ended.is_none() && due(peer) > limit) {
            self.end(*who, DisconnectReason::TooSlow);
        }
        let kept = serde_json::to_string(&self.core.keep()).expect("JSON");
        let kept: Vec<KeptPeer> = serde_json::from_str(&kept).expect("it was written here");
        self.core = Rooms::new(KEY.to_owned(), self.limits);
        self.peers.retain(|_, peer| peer.ended.is_none() && peer.seat.is_some());
        let mut seats: Vec<PeerId> = kept.iter().map(|peer| peer.who).collect();
        seats.sort_unstable();
        assert_eq!(seats, self.all(), "every seat is kept");
        self.core.restore(kept.into_iter().map(|peer| {
            let who = peer.who;
            (peer, who)
        }));
        let mut texts: BTreeMap<String, Due> = BTreeMap::new();
        for peer in self.peers.values_mut() {
            if let Some(place) = &mut peer.place {
                peer.outbox.extend(std::iter::from_fn(|| place.next_due()));
            }
            // What several had in common, they have in common again.
            for due in peer.outbox.iter_mut().chain(peer.seat.iter_mut().flat_map(|seat| &mut seat.kept)) {
                *due = texts.entry(due.to_string()).or_insert_with(|| due.as_ref().into()).clone();
            }
            if let Some(seat) = &mut peer.seat {
                (seat.answer, seat.acknowledgement) = (None, None);
                (seat.again, seat.pipe, seat.lost) = (0, 0, true);
            }
            peer.woken = true;
        }
    }
}
