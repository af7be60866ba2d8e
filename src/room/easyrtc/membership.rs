//! Who is in which room, and who is told of it (10.1).

use std::collections::HashMap;

use super::application::{Application, Room, RoomIndex};
use super::connection::{Connection, Peer};
use super::output::{Emit, Output};
use super::rules::EasyRtc;
use crate::room::PeerId;
use crate::wire::easyrtc::{self, Name, Notice};

impl EasyRtc {
    pub(super) fn connection(&self, who: PeerId) -> Option<&Connection> {
        match self.peers.get(&who) {
            Some(Peer::In(connection)) => Some(connection),
            _ => None,
        }
    }

    pub(super) fn connection_mut(&mut self, who: PeerId) -> Option<&mut Connection> {
        match self.peers.get_mut(&who) {
            Some(Peer::In(connection)) => Some(connection),
            _ => None,
        }
    }

    /// Its application: there is one for every authenticated peer.
    pub(super) fn application_of(&self, connection: &Connection) -> &Application {
        &self.applications[&connection.application]
    }

    fn application_mut(&mut self, who: PeerId) -> Option<&mut Application> {
        let name = self.connection(who)?.application.clone();
        self.applications.get_mut(&name)
    }

    pub(super) fn emit(&self, to: PeerId, notice: &Notice, out: &mut Vec<Output>) {
        if let Some(connection) = self.connection(to) {
            let easyrtcid = connection.easyrtcid.clone();
            out.push(Output::Emit(Emit { to, easyrtcid, notice: notice.clone() }));
        }
    }

    /// Makes a room of the peer's application. `None`: there may be no more.
    pub(super) fn make_room(&mut self, who: PeerId, name: &Name) -> Option<RoomIndex> {
        if self.limits.no_room_for(self.rooms, 1) {
            return None;
        }
        let index = self.application_mut(who)?.make(name);
        self.rooms += 1;
        Some(index)
    }

    /// Joins a room. Who is in it already stays as it is: its time and its field (8.2).
    pub(super) fn join(&mut self, who: PeerId, index: RoomIndex, now: u64) {
        self.joins += 1;
        let join = self.joins;
        let Some(application) = self.application_mut(who) else { return };
        let room = application.room_mut(index);
        if !room.has(who) {
            room.join(who, join, now);
            self.connection_mut(who).expect("it has an application").rooms.insert(join, index);
        }
    }

    /// Leaves a room, and the others in it are told. Who is not in it leaves nothing.
    pub(super) fn leave(&mut self, who: PeerId, index: RoomIndex, now: u64, out: &mut Vec<Output>) {
        let Some(place) = self.application_mut(who).and_then(|of_it| of_it.room_mut(index).leave(who)) else { return };
        let connection = self.connection_mut(who).expect("it has an application");
        connection.rooms.remove(&place.join);
        let connection = self.connection(who).expect("it has an application");
        let room = &self.application_of(connection).rooms()[index];
        if room.members.is_empty() {
            return;
        }
        let entry = easyrtc::removed(&room.name, &connection.easyrtcid);
        let notice = Notice::room_data([entry.as_str()], now);
        room.others(who).for_each(|other| self.emit(other, &notice, out));
    }

    /// Leaves all rooms, in the order in which it joined them.
    pub(super) fn leave_all(&mut self, who: PeerId, now: u64, out: &mut Vec<Output>) {
        let rooms = self.connection(who).map(|connection| connection.rooms.values().copied().collect::<Vec<_>>());
        rooms.into_iter().flatten().for_each(|index| self.leave(who, index, now, out));
    }

    /// Tells the others in one room of a member.
    pub(super) fn tell_room(&self, who: PeerId, index: RoomIndex, now: u64, out: &mut Vec<Output>) {
        let Some(connection) = self.connection(who) else { return };
        let room = &self.application_of(connection).rooms()[index];
        if room.members.len() < 2 {
            return;
        }
        let entry = update(connection, who, room, true);
        let notice = Notice::room_data([entry.as_str()], now);
        room.others(who).for_each(|other| self.emit(other, &notice, out));
    }

    /// Tells each that shares rooms with a peer of it, by one message for all rooms they share,
    /// without fields. Returns the entries of all its rooms.
    pub(super) fn tell_sharers(&self, who: PeerId, now: u64, out: &mut Vec<Output>) -> Vec<String> {
        let Some(connection) = self.connection(who) else { return Vec::new() };
        let application = self.application_of(connection);
        let mut entries = Vec::with_capacity(connection.rooms.len());
        let mut sharers: Vec<(PeerId, Vec<usize>)> = Vec::new();
        let mut places: HashMap<PeerId, usize> = HashMap::new();
        for index in connection.rooms.values() {
            let room = &application.rooms()[*index];
            for other in room.others(who) {
                let place = *places.entry(other).or_insert_with(|| {
                    sharers.push((other, Vec::new()));
                    sharers.len() - 1
                });
                sharers[place].1.push(entries.len());
            }
            entries.push(update(connection, who, room, false));
        }
        // Those who share the same rooms get the same message.
        let mut written: HashMap<Vec<usize>, Notice> = HashMap::new();
        for (other, shared) in sharers {
            let notice = written.entry(shared).or_insert_with_key(|shared| {
                Notice::room_data(shared.iter().map(|entry| entries[*entry].as_str()), now)
            });
            self.emit(other, notice, out);
        }
        entries
    }

    /// The entry of a room for one who has joined it: all its members.
    pub(super) fn joined(&self, room: &Room) -> String {
        let members = room.members.values().filter_map(|member| {
            let connection = self.connection(*member)?;
            Some(connection.client(&room.places[member], true))
        });
        easyrtc::joined(&room.name, members)
    }
}

/// The entry of a room that tells of a member, with its field there or without.
pub(super) fn update(connection: &Connection, who: PeerId, room: &Room, with_field: bool) -> String {
    easyrtc::updated(&room.name, connection.client(&room.places[&who], with_field))
}
