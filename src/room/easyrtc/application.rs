//! An application and its rooms.

use std::collections::{BTreeMap, HashMap};

use crate::room::PeerId;
use crate::wire::easyrtc::Name;

/// The number of a join: it orders members by when they joined, and rooms by when a client did.
pub(super) type Join = u64;

/// A room's place in its application; rooms are never removed (5).
pub(super) type RoomIndex = usize;

/// Clients of one application can address each other; no others can (5).
#[derive(Default)]
pub(super) struct Application {
    rooms: Vec<Room>,
    by_name: HashMap<Name, RoomIndex>,
}

pub(super) struct Room {
    pub name: Name,
    /// In join order.
    pub members: BTreeMap<Join, PeerId>,
    pub places: HashMap<PeerId, Place>,
}

/// A member's place in a room.
pub(super) struct Place {
    pub join: Join,
    /// Milliseconds since 1970.
    pub time: u64,
    /// Compact JSON.
    pub api_field: Option<Box<str>>,
}

impl Application {
    /// All rooms, in the order in which they were made.
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    pub fn room_mut(&mut self, index: RoomIndex) -> &mut Room {
        &mut self.rooms[index]
    }

    pub fn find(&self, name: &Name) -> Option<RoomIndex> {
        self.by_name.get(name).copied()
    }

    pub fn get(&self, name: &Name) -> Option<&Room> {
        self.find(name).map(|index| &self.rooms[index])
    }

    /// Makes a room that is not there yet.
    pub fn make(&mut self, name: &Name) -> RoomIndex {
        let index = self.rooms.len();
        self.rooms.push(Room { name: name.clone(), members: BTreeMap::new(), places: HashMap::new() });
        self.by_name.insert(name.clone(), index);
        index
    }
}

impl Room {
    /// Whether a peer is in it.
    pub fn has(&self, who: PeerId) -> bool {
        self.places.contains_key(&who)
    }

    /// The members but for one, in join order.
    pub fn others(&self, who: PeerId) -> impl Iterator<Item = PeerId> {
        self.members.values().copied().filter(move |member| *member != who)
    }

    pub fn join(&mut self, who: PeerId, join: Join, time: u64) {
        self.members.insert(join, who);
        self.places.insert(who, Place { join, time, api_field: None });
    }

    pub fn leave(&mut self, who: PeerId) -> Option<Place> {
        let place = self.places.remove(&who)?;
        self.members.remove(&place.join);
        Some(place)
    }
}
