//! A seat: what a peer that opted in keeps when its connection is lost, so that a later connection
//! gets exactly what the lost one did not, in order and once.

use std::collections::VecDeque;

use super::PeerId;
use super::message::{Message, Messages};
use super::rules::{Rooms, Wake};
use crate::wire::{Batch, Form, Text, videre};

/// What has been handed to a peer's connection and may not have arrived.
#[derive(Default)]
pub(super) struct Seat {
    /// The answers to `resume` and to the last `ack`: due before all else, and not counted. An answer to
    /// an `ack` says all that those before it said, so there is never more than one.
    answer: Option<Message>,
    acknowledgement: Option<Message>,
    /// The last that were handed over, the oldest first.
    sent: VecDeque<Message>,
    sent_bytes: usize,
    /// How many of `sent` the present connection has been handed.
    again: usize,
    /// How many packets were handed over in all: the number of the last in `sent`.
    handed: u64,
    /// How many packets came from the peer.
    received: u64,
}

impl Seat {
    /// A packet of the peer has arrived.
    pub fn count(&mut self) {
        self.received += 1;
    }

    /// Keeps what is being handed over, within `limit` bytes. It is one of `messages`, as all are that the seat has.
    pub fn keep(&mut self, message: Message, limit: usize, messages: &mut Messages) {
        self.handed += 1;
        self.sent_bytes += message.bytes();
        self.sent.push_back(message);
        while self.sent_bytes > limit {
            self.forget_oldest(messages);
        }
        self.again = self.sent.len();
    }

    /// What is due before anything new, and how many bytes that is.
    pub fn take(&mut self, form: Form, most: usize, messages: &mut Messages, batch: &mut dyn Batch) -> usize {
        let mut taken = 0;
        for aside in [self.answer.take(), self.acknowledgement.take()].into_iter().flatten() {
            batch.add(messages.form(&aside, form).as_str());
            messages.give_back(aside);
        }
        while taken < most && self.again < self.sent.len() {
            let text = messages.form(&self.sent[self.again], form);
            taken += text.len();
            batch.add(text.as_str());
            self.again += 1;
        }
        taken
    }

    /// Bytes that are kept in case they have not arrived.
    pub fn bytes(&self) -> usize {
        self.sent_bytes
    }

    /// All up to this number have arrived. Whether that can be, and the others are all here.
    fn arrived(&mut self, number: u64, messages: &mut Messages) -> bool {
        let first_kept = self.handed - self.sent.len() as u64;
        if number < first_kept || number > self.handed {
            return false;
        }
        for _ in first_kept..number {
            self.forget_oldest(messages);
        }
        true
    }

    /// What is kept, how many packets were handed over, and how many have come.
    pub fn into_parts(mut self, messages: &mut Messages) -> (VecDeque<Message>, u64, u64) {
        self.forget_asides(messages);
        (self.sent, self.handed, self.received)
    }

    /// Gives back all that it keeps.
    pub fn give_up(self, messages: &mut Messages) {
        let (sent, ..) = self.into_parts(messages);
        messages.give_all_back(sent);
    }

    /// The opposite; all that is kept is due again.
    pub fn of_parts(sent: impl Iterator<Item = Message>, handed: u64, received: u64) -> Self {
        let sent: VecDeque<Message> = sent.collect();
        let handed = handed.max(sent.len() as u64);
        let sent_bytes = sent.iter().map(Message::bytes).sum();
        Self { sent, sent_bytes, handed, received, ..Self::default() }
    }

    fn forget_asides(&mut self, messages: &mut Messages) {
        messages.give_all_back([self.answer.take(), self.acknowledgement.take()].into_iter().flatten());
    }

    fn forget_oldest(&mut self, messages: &mut Messages) {
        if let Some(message) = self.sent.pop_front() {
            self.sent_bytes -= message.bytes();
            messages.give_back(message);
            self.again = self.again.saturating_sub(1);
        }
        if self.sent.is_empty() {
            self.sent = VecDeque::new();
        }
    }
}

impl<W> Rooms<W> {
    /// A peer that has sent nothing yet opts in: from now on what it is handed is kept until it has
    /// arrived. `answer` is due to it first.
    pub fn keep_seat(&mut self, who: PeerId, answer: Text, wake: Wake<W>) {
        let Some(peer) = self.peers.get_mut(&who) else { return };
        if let Some(before) = peer.seat.replace(Box::default()) {
            before.give_up(&mut self.messages);
        }
        self.tell_aside(who, answer, wake);
    }

    /// A new connection takes the seat of a peer whose client has `arrived` packets. What did not
    /// arrive is due again, after the answer that [`Rooms::tell_aside`] gives. Returns how many packets have
    /// come from the peer; `None` if some of what it missed is not kept any more.
    pub fn resume(&mut self, who: PeerId, arrived: u64) -> Option<u64> {
        let seat = self.peers.get_mut(&who).filter(|peer| peer.end.is_none())?.seat.as_mut()?;
        if !seat.arrived(arrived, &mut self.messages) {
            return None;
        }
        seat.forget_asides(&mut self.messages);
        seat.again = 0;
        Some(seat.received)
    }

    /// Something that is not counted, before all that is due.
    pub fn tell_aside(&mut self, who: PeerId, text: Text, wake: Wake<W>) {
        let Some(peer) = self.peers.get_mut(&who) else { return };
        if let Some(seat) = &mut peer.seat {
            let before = seat.answer.replace(self.messages.keep(text));
            self.messages.give_all_back(before);
            wake(&peer.attached);
        }
    }

    /// A client says what has arrived, and is told the same of its own packets. Whether it is a number
    /// that can be.
    pub(super) fn acknowledged(&mut self, who: PeerId, number: u64, wake: Wake<W>) -> bool {
        let Some(peer) = self.peers.get_mut(&who) else { return false };
        let Some(seat) = &mut peer.seat else { return false };
        if number > seat.handed {
            return false;
        }
        // Of a number that is not kept any more there is nothing to forget.
        _ = seat.arrived(number, &mut self.messages);
        let before = seat.acknowledgement.replace(self.messages.keep(videre::acknowledge(seat.received)));
        self.messages.give_all_back(before);
        wake(&peer.attached);
        true
    }

    /// What the session attached to a peer.
    pub fn attached(&self, who: PeerId) -> Option<&W> {
        self.peers.get(&who).map(|peer| &peer.attached)
    }

    /// Likewise, to change it.
    pub fn attached_mut(&mut self, who: PeerId) -> Option<&mut W> {
        self.peers.get_mut(&who).map(|peer| &mut peer.attached)
    }
}
