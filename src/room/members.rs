//! A room: who is in it, and what was said there.

use smallvec::SmallVec;

use super::PeerId;
use super::log::Log;
use crate::wire::videre::RoomKey;

/// A room's place in its session, which another room may have once it is empty.
pub(super) type RoomIndex = usize;

/// Members, without memory of their own for the two of a call, who are most.
type Members = SmallVec<[PeerId; 2]>;

pub(super) struct Room {
    pub key: RoomKey,
    /// In join order.
    pub members: Members,
    /// Those of them who have read all, as they are woken by the next word: the others were when something came, and have still
    /// to take it. Who has waited longest is first.
    pub caught_up: Members,
    pub log: Log,
}

impl Room {
    /// Nobody is in it yet.
    pub fn new(key: RoomKey) -> Self {
        Self { key, members: Members::new(), caught_up: Members::new(), log: Log::default() }
    }

    /// Lets somebody in, who has caught up: it begins to read here.
    pub fn join(&mut self, who: PeerId) {
        self.members.push(who);
        self.has_caught_up(who);
    }

    /// Where all have caught up, puts them in the order in which a word of this member's is to wake them: around the room, from a
    /// third of the way behind the speaker. Whoever joined last is then not always last to hear, and speakers who wait for each
    /// other neither go on before most have heard nor leave the server idle (docs/PERFORMANCE.md).
    pub fn line_up_behind(&mut self, speaker: PeerId) {
        let Self { members, caught_up, .. } = self;
        let count = members.len();
        if count > 2 && caught_up.len() == count {
            let place = members.iter().position(|member| *member == speaker).unwrap_or_default();
            caught_up.copy_from_slice(members);
            caught_up.rotate_left((place + count / 3) % count);
        }
    }

    /// A member has read all.
    pub fn has_caught_up(&mut self, who: PeerId) {
        self.caught_up.push(who);
    }
}
