//! What the model knows of a peer.

use std::collections::VecDeque;
use std::rc::Rc;

use viderehab::room::DisconnectReason;

use super::packets::Written;

/// A packet that is due, shared by those it is due to.
pub type Due = Rc<str>;

/// One peer.
#[derive(Default)]
pub struct Peer {
    pub admitted: bool,
    pub place: Option<Place>,
    /// What is due from before its present room.
    pub outbox: VecDeque<Due>,
    pub seat: Option<Seat>,
    pub ended: Option<DisconnectReason>,
    /// Whether it was woken since it last found nothing to take.
    pub woken: bool,
}

/// Its place in a room.
pub struct Place {
    /// Which of [`super::packets::ROOMS`], and how its `connect` wrote that.
    pub room: usize,
    pub room_id: Written,
    /// Which of [`super::packets::USERS`], likewise.
    pub user: usize,
    pub user_id: Written,
    pub initiator: bool,
    /// What was said in the room since it last read, and whether it is for this peer.
    pub unread: VecDeque<(Due, bool)>,
    pub unread_bytes: usize,
}

/// What it has if it opted in to come back, with its client's side.
#[derive(Default)]
pub struct Seat {
    /// The answer to `resume`, and the one to the last `ack`.
    pub answer: Option<Due>,
    pub acknowledgement: Option<Due>,
    /// Handed over and not acknowledged.
    pub kept: VecDeque<Due>,
    pub kept_bytes: usize,
    /// How many of `kept` this connection was handed.
    pub again: usize,
    pub handed: u64,
    pub received: u64,
    /// At the client: how many arrived, and how many are on their way to it.
    pub arrived: u64,
    pub pipe: u64,
    /// Whether its connection is lost.
    pub lost: bool,
}

impl Peer {
    /// Whether it would be handed anything.
    pub fn has_due(&self) -> bool {
        let seat =
            |seat: &Seat| seat.answer.is_some() || seat.acknowledgement.is_some() || seat.again < seat.kept.len();
        !self.outbox.is_empty()
            || self.place.as_ref().is_some_and(|place| place.unread.iter().any(|(_, for_it)| *for_it))
            || self.seat.as_ref().is_some_and(seat)
    }

    /// Whether there is a connection to it.
    pub fn is_there(&self) -> bool {
        self.ended.is_none() && !self.seat.as_ref().is_some_and(|seat| seat.lost)
    }

    /// The next that it must be handed, and whether it counts as a packet.
    pub fn take(&mut self, limit: usize) -> (Option<Due>, bool) {
        if let Some(seat) = &mut self.seat {
            if let Some(answer) = seat.answer.take().or_else(|| seat.acknowledgement.take()) {
                return (Some(answer), false);
            }
            if seat.again < seat.kept.len() {
                let text = seat.kept[seat.again].clone();
                seat.again += 1;
                seat.pipe += 1;
                return (Some(text), true);
            }
        }
        let due = self.outbox.pop_front().or_else(|| self.place.as_mut()?.next_due());
        if let (Some(seat), Some(due)) = (&mut self.seat, &due) {
            seat.keep(Rc::clone(due), limit);
            seat.pipe += 1;
        }
        (due, true)
    }

    /// Bytes in its outbox.
    pub fn outbox_bytes(&self) -> usize {
        self.outbox.iter().map(|due| due.len()).sum()
    }

    /// Bytes that are kept for it, though perhaps for others, too.
    pub fn burden(&self) -> usize {
        let (seat, place) = (self.seat.as_ref(), self.place.as_ref());
        self.outbox_bytes() + seat.map_or(0, |seat| seat.kept_bytes) + place.map_or(0, |place| place.unread_bytes)
    }

    /// All that is kept for it.
    pub fn holds(&self) -> impl Iterator<Item = &Due> {
        let unread = self.place.iter().flat_map(|place| place.unread.iter().map(|(due, _)| due));
        let seat = self.seat.iter().flat_map(|seat| seat.kept.iter().chain(&seat.answer).chain(&seat.acknowledgement));
        self.outbox.iter().chain(unread).chain(seat)
    }

    /// Bytes of what does not count as a packet: it is short, and there is never more than one of a kind.
    pub fn answer_bytes(&self) -> usize {
        let answers = self.seat.iter().flat_map(|seat| seat.answer.iter().chain(&seat.acknowledgement));
        answers.map(|answer| answer.len()).sum()
    }
}

impl Place {
    /// Something is said in the room. Who has read all need not read what is not for it.
    pub fn hear(&mut self, text: &Due, for_it: bool) {
        if for_it || !self.unread.is_empty() {
            self.unread.push_back((text.clone(), for_it));
            self.unread_bytes += text.len();
        }
    }

    /// The next that is for it, with all before that.
    pub fn next_due(&mut self) -> Option<Due> {
        while let Some((text, for_it)) = self.unread.pop_front() {
            self.unread_bytes -= text.len();
            if for_it {
                return Some(text);
            }
        }
        None
    }
}

impl Seat {
    /// The number of packets of which none is kept any more.
    pub fn forgotten(&self) -> u64 {
        self.handed - self.kept.len() as u64
    }

    /// Something new is handed over, and kept within so many bytes.
    pub fn keep(&mut self, text: Due, limit: usize) {
        self.handed += 1;
        self.kept_bytes += text.len();
        self.kept.push_back(text);
        while self.kept_bytes > limit {
            self.forget();
        }
        self.again = self.kept.len();
    }

    /// All up to this number have arrived.
    pub fn acknowledge(&mut self, number: u64) {
        while self.forgotten() < number {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some(text) = self.kept.pop_front() {
            self.kept_bytes -= text.len();
            self.again = self.again.saturating_sub(1);
        }
    }
}
