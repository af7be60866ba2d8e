//! A peer: one connection, in a room or not.

use std::collections::VecDeque;

use super::log::Cursor;
use super::members::RoomIndex;
use super::message::{Message, Messages};
use super::seat::Seat;
use crate::wire::videre::{Beginning, Event, Packet, PacketError};

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
    /// How its last packet began.
    pub beginning: Option<Box<Beginning>>,
    /// What is due from before the present room, or while in none.
    pub outbox: Outbox,
    /// If it opted in to come back.
    pub seat: Option<Box<Seat>>,
    pub end: Option<DisconnectReason>,
}

impl<W> Peer<W> {
    /// One that has said nothing yet.
    pub fn new(attached: W, admitted: bool) -> Self {
        Self { attached, admitted, membership: None, beginning: None, outbox: Outbox::default(), seat: None, end: None }
    }

    /// Reads one of its messages.
    ///
    /// # Errors
    /// See [`PacketError`].
    pub fn read<'a>(&mut self, message: &'a str) -> Result<Packet<'a>, PacketError> {
        if let Some(packet) = self.beginning.as_ref().and_then(|beginning| beginning.read(message)) {
            return Ok(packet);
        }
        let packet = Packet::parse(message)?;
        if packet.event == Event::Broadcast {
            self.beginning = Beginning::of(&packet).map(Box::new);
        }
        Ok(packet)
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
    /// The first entry of the room's log that it has not passed; `None`: it has caught up, and passes what is not for it
    /// unasked.
    pub unread_from: Option<Cursor>,
}

/// Messages for one peer alone, in order.
#[derive(Default)]
pub(super) struct Outbox {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Outbox {
    pub fn push(&mut self, message: Message) {
        self.bytes += message.bytes();
        self.messages.push_back(message);
    }

    pub fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.bytes();
        if self.messages.is_empty() {
            *self = Self::default();
        }
        Some(message)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives back all that is in it.
    pub fn clear(&mut self, messages: &mut Messages) {
        messages.give_all_back(std::mem::take(self).messages);
    }
}
