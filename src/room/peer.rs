//! A peer: one connection, in a room or not.

use std::collections::VecDeque;

use super::log::Cursor;
use super::members::{Room, RoomIndex};
use super::message::{Message, Messages};
use super::seat::Seat;
use crate::wire::videre::Beginning;

/// Why a connection ended, for the close code, the log and the metrics alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// The client closed, or its connection was lost.
    Gone,
    /// The session was stopped.
    Stopped,
    /// Its key was taken from it: removed, or refused the invitation.
    Removed,
    /// A keyless client whose first packet did not name the session, or that sent none in time.
    NotAdmitted,
    /// It read more slowly than its room spoke, beyond what the log keeps.
    TooSlow,
    /// Another connection of the same person came.
    Replaced,
    /// The client broke the rules of what carries it.
    Violation,
    /// The server shuts down and will be back.
    Restart,
}

impl DisconnectReason {
    /// The reason in a word, for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Stopped => "stopped",
            Self::Removed => "removed",
            Self::NotAdmitted => "not_admitted",
            Self::TooSlow => "too_slow",
            Self::Replaced => "replaced",
            Self::Violation => "violation",
            Self::Restart => "restart",
        }
    }
}

/// What one may know of a peer from outside.
#[derive(Debug)]
pub struct PeerView<'a, W> {
    /// What the session attached.
    pub attached: &'a W,
    /// Whether it has a key, or has named the session.
    pub is_admitted: bool,
    /// The JSON text of the UserId it connected with.
    pub user_id: Option<&'a str>,
    /// The room it is in.
    pub room: Option<&'a str>,
}

pub(super) struct Peer<W> {
    /// What the session attached: how to wake the connection, who it is.
    pub attached: W,
    pub admitted: bool,
    pub membership: Option<Membership>,
    /// What is due from before the present room, or while in none.
    pub outbox: Outbox,
    /// If it opted in to come back.
    pub seat: Option<Box<Seat>>,
    pub end: Option<DisconnectReason>,
}

impl<W> Peer<W> {
    /// One that has said nothing yet.
    pub fn new(attached: W, admitted: bool) -> Self {
        Self { attached, admitted, membership: None, outbox: Outbox::default(), seat: None, end: None }
    }

    /// Its room, if a message is a broadcast like its last one there, with another Payload.
    pub fn goes_on(&self, message: &str) -> Option<RoomIndex> {
        let membership = self.membership.as_ref()?;
        membership.beginning.as_ref()?.is_of(message).then_some(membership.room)
    }

    /// It says something to the others of its room, which is going to be the next entry of the log.
    pub fn says(&mut self, room: &Room) {
        if let Some(membership) = &mut self.membership {
            membership.said_until = room.log.end() + 1;
        }
    }

    /// One of its packets has come, which is neither a `resume` nor an `ack`.
    pub fn count(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.count();
        }
    }

    /// Gives back what is kept for it alone.
    pub fn forget(&mut self, messages: &mut Messages) {
        self.outbox.clear(messages);
        if let Some(seat) = self.seat.take() {
            seat.give_up(messages);
        }
    }
}

/// A peer's place in a room.
pub(super) struct Membership {
    pub room: RoomIndex,
    /// The JSON texts that its `connect` gave: what its later packets must say.
    pub user_id: Option<Box<str>>,
    pub room_id: Option<Box<str>>,
    pub initiator: bool,
    /// How its last broadcast began, if that was passed on as it came: so may be what begins likewise.
    pub beginning: Option<Beginning>,
    /// The first entry of the room's log that it has not passed; `None`: it has caught up, and passes what is not for it
    /// unasked.
    pub unread_from: Option<Cursor>,
    /// All of the room's log from here on was said by others.
    pub said_until: Cursor,
}

/// Messages for one peer alone, in order. With memory only while there are any, which is seldom.
#[derive(Default)]
pub(super) struct Outbox(Option<Box<Due>>);

#[derive(Default)]
struct Due {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Outbox {
    pub fn push(&mut self, message: Message) {
        let due = self.0.get_or_insert_default();
        due.bytes += message.bytes();
        due.messages.push_back(message);
    }

    pub fn pop(&mut self) -> Option<Message> {
        let due = self.0.as_mut()?;
        let message = due.messages.pop_front()?;
        due.bytes -= message.bytes();
        if due.messages.is_empty() {
            self.0 = None;
        }
        Some(message)
    }

    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |due| due.bytes)
    }

    /// Gives back all that is in it.
    pub fn clear(&mut self, messages: &mut Messages) {
        if let Some(due) = self.0.take() {
            messages.give_all_back(due.messages);
        }
    }
}
