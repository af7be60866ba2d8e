//! A room: who is in it, and what was said there.

use super::PeerId;
use super::log::Log;
use crate::wire::videre::RoomKey;

/// A room's place in its session, which another room may have once it is empty.
pub(super) type RoomIndex = usize;

pub(super) struct Room {
    pub key: RoomKey,
    /// In join order.
    pub members: Vec<PeerId>,
    /// Those of them who have read all: the others were woken when something came, and have still to take it. In order, so
    /// that a room's members always have their turns one after the other as before.
    pub caught_up: Vec<PeerId>,
    pub log: Log,
}

impl Room {
    /// Nobody is in it yet.
    pub fn new(key: RoomKey) -> Self {
        Self { key, members: Vec::new(), caught_up: Vec::new(), log: Log::default() }
    }

    /// Lets somebody in, who has caught up: it begins to read here.
    pub fn join(&mut self, who: PeerId) {
        self.members.push(who);
        self.has_caught_up(who);
    }

    /// A member has read all.
    pub fn has_caught_up(&mut self, who: PeerId) {
        match self.caught_up.last() {
            Some(last) if *last > who => {
                let place = self.caught_up.partition_point(|other| *other < who);
                self.caught_up.insert(place, who);
            }
            _ => self.caught_up.push(who),
        }
    }
}
