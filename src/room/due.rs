//! What is due to a peer, as its connection takes it.

use super::PeerId;
use super::peer::{Membership, Peer};
use super::rules::{Rooms, Wake};
use crate::wire::{Batch, Form};

/// How many bytes of messages a connection takes at one go: enough to fill a write, little enough
/// that a hundred connections at once stay small.
const BATCH_BYTES: usize = 64 * 1024;

/// With less than this in a room's log, it is not looked whether what is due to a peer is due to others, too.
const COMMON_BYTES: usize = 1024;

impl<W> Rooms<W> {
    /// Takes what is due to a peer, at most a batch. Whether there is more. A form that is made for it counts among what the
    /// session keeps.
    pub fn take(&mut self, who: PeerId, form: Form, batch: &mut dyn Batch, wake: Wake<W>) -> bool {
        let Self { peers, rooms, messages, .. } = self;
        let Some(peer) = peers.get_mut(&who) else { return false };
        let mut taken = peer.seat.as_mut().map_or(0, |seat| seat.take(form, BATCH_BYTES, messages, batch));
        let (seat, limit) = (&mut peer.seat, self.limits.log_bytes);
        while taken < BATCH_BYTES {
            let Some(message) = peer.outbox.pop() else { break };
            taken += message.bytes();
            batch.add(messages.form(&message, form).as_str());
            match seat {
                Some(seat) => seat.keep(message, limit, messages),
                None => messages.give_back(message),
            }
        }
        if let Some(membership) = &mut peer.membership
            && let Some(unread) = &mut membership.unread_from
        {
            let room = &mut rooms[membership.room];
            // Of two who talk to each other, none is handed what the other is, and little is written as quickly as found again.
            let is_worth_it = room.members.len() > 2 && room.log.bytes() > COMMON_BYTES;
            // Whatever follows is for it then, as for all who come to the same place: whoever comes later is handed as much at least.
            let is_common = is_worth_it && membership.said_until <= *unread;
            let common = is_common.then(|| room.log.common(*unread, messages)).flatten();
            let mut here = common.map_or(0, |first| batch.begin_common(first));
            // A seat keeps each of them by itself.
            if here > 0 && seat.is_none() {
                taken += room.log.pass(unread, std::mem::take(&mut here));
            }
            let most = BATCH_BYTES.saturating_sub(taken);
            taken += room.log.read(unread, who, most, messages, |messages, mut said| {
                match here {
                    0 => batch.add(said.form(form, messages)),
                    _ => here -= 1,
                }
                if let Some(seat) = seat {
                    seat.keep(said.message(messages), limit, messages);
                }
            });
            debug_assert_eq!(here, 0, "what was handed over from here on is there");
            if *unread == room.log.end() {
                membership.unread_from = None;
                room.has_caught_up(who);
            }
        }
        if form != Form::Plain {
            self.settle(None, wake);
        }
        taken >= BATCH_BYTES
    }

    /// What a peer has not been handed yet.
    pub(super) fn due(&self, peer: &Peer<W>) -> usize {
        let unread = |member: &Membership| Some(self.rooms[member.room].log.bytes_from(member.unread_from?));
        peer.outbox.bytes() + peer.membership.as_ref().and_then(unread).unwrap_or(0)
    }
}
