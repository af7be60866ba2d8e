//! Seats on their way from one run of the server to the next.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::PeerId;
use super::log::Said;
use super::message::{Message, Messages};
use super::peer::{DisconnectReason, Membership, Outbox, Peer};
use super::rules::Rooms;
use super::seat::Seat;

/// All that a peer with a seat has. Texts are packets in their plain form.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptPeer {
    /// Its number.
    pub who: PeerId,
    place: Option<Place>,
    /// Not handed to its connection yet.
    due: Vec<String>,
    /// Handed over, and perhaps not arrived.
    sent: Vec<String>,
    handed: u64,
    received: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    room: String,
    user_id: Option<String>,
    room_id: Option<String>,
    initiator: bool,
}

impl<W> Rooms<W> {
    /// Takes out all peers with seats: the members of each room in join order. Nobody is told, but of those
    /// that are ended, since more is due to them than is kept for one peer: from one restart to the
    /// next it would become more and more.
    pub fn keep(&mut self) -> Vec<KeptPeer> {
        while let Some(behind) = self.behind() {
            self.end(behind, DisconnectReason::TooSlow, &mut |_| {});
        }
        let members: Vec<PeerId> = self.rooms.iter().flat_map(|(_, room)| room.members.iter().copied()).collect();
        let others: Vec<PeerId> =
            self.peers.iter().filter(|(_, peer)| peer.membership.is_none()).map(|(who, _)| *who).collect();
        members.into_iter().chain(others).filter_map(|who| self.keep_one(who)).collect()
    }

    /// The first peer to which too much is due.
    fn behind(&self) -> Option<PeerId> {
        let behind = self.peers.iter().filter(|(_, peer)| peer.end.is_none() && self.due(peer) > self.limits.log_bytes);
        behind.map(|(who, _)| *who).min()
    }

    fn keep_one(&mut self, who: PeerId) -> Option<KeptPeer> {
        let Self { peers, rooms, messages, .. } = self;
        let peer = peers.get_mut(&who).filter(|peer| peer.end.is_none())?;
        let seat = peer.seat.take()?;
        let due = std::iter::from_fn(|| peer.outbox.pop());
        let mut due: Vec<String> = due.map(|message| messages.take_text(message)).collect();
        let place = peer.membership.take().map(|membership| {
            let room = &mut rooms[membership.room];
            if let Some(mut unread) = membership.unread_from {
                let take = |_: &mut Messages, said: Said<'_>| due.push(said.text().to_owned());
                room.log.read(&mut unread, who, usize::MAX, messages, take);
            }
            Place {
                room: room.key.to_string(),
                user_id: membership.user_id.map(Into::into),
                room_id: membership.room_id.map(Into::into),
                initiator: membership.initiator,
            }
        });
        let (sent, handed, received) = seat.into_parts(messages);
        let sent = sent.into_iter().map(|message| messages.take_text(message)).collect();
        Some(KeptPeer { who, place, due, sent, handed, received })
    }

    /// Puts peers back where they were, those of one room in the order in which [`Rooms::keep`] gave them. What several had in
    /// common they have in common again. Nobody is told.
    pub fn restore(&mut self, kept: impl IntoIterator<Item = (KeptPeer, W)>) {
        let mut texts = HashMap::new();
        for (peer, attached) in kept {
            self.restore_one(peer, attached, &mut texts);
        }
        self.messages.give_all_back(texts.into_values());
    }

    fn restore_one(&mut self, kept: KeptPeer, attached: W, texts: &mut HashMap<String, Message>) {
        let KeptPeer { who, place, due, sent, handed, received } = kept;
        let mut message = |text: String| {
            let message = texts.entry(text).or_insert_with_key(|text| self.messages.keep(text.as_str().into()));
            self.messages.share(message)
        };
        let mut outbox = Outbox::default();
        due.into_iter().for_each(|text| outbox.push(message(text)));
        let seat = Seat::of_parts(sent.into_iter().map(message), handed, received);
        let membership = place.map(|place| {
            let index = self.open(place.room.into());
            self.rooms[index].join(who);
            Membership {
                room: index,
                user_id: place.user_id.map(Into::into),
                room_id: place.room_id.map(Into::into),
                initiator: place.initiator,
                beginning: None,
                unread_from: None,
                said_until: 0,
            }
        });
        let peer = Peer { membership, outbox, seat: Some(Box::new(seat)), ..Peer::new(attached, true) };
        self.peers.insert(who, peer);
    }
}
