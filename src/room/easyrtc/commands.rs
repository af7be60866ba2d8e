//! `easyrtcCmd` (8).

use serde_json::value::RawValue;

use super::membership::update;
use super::output::Output;
use super::rules::{EasyRtc, Given};
use crate::room::PeerId;
use crate::wire::Text;
use crate::wire::easyrtc::{self, Command, ErrorCode, Name, Notice, PresenceChange, Relay};

impl EasyRtc {
    /// Does what an authenticated peer asks for. Returns the acknowledgement.
    pub(super) fn command(
        &mut self,
        who: PeerId,
        argument: Option<&RawValue>,
        given: &mut Given,
        out: &mut Vec<Output>,
    ) -> Result<Text, ErrorCode> {
        let now = given.now;
        match Command::read(argument)? {
            Command::Relay(relay) => self.relay(who, &relay, now, out),
            Command::RoomJoin(rooms) => self.room_join(who, &rooms, now, out),
            Command::RoomLeave(rooms) => Ok(self.room_leave(who, &rooms, now, out)),
            Command::SetRoomApiField(room, field) => self.set_room_api_field(who, &room, field, now, out),
            Command::SetPresence(change) => Ok(self.set_presence(who, change, now, out)),
            Command::GetIceConfig => Ok(easyrtc::ice_config(&(given.ice_servers)())),
            Command::GetRoomList => Ok(self.room_list(who)),
            Command::SetUserCfg => Ok(easyrtc::ack()),
        }
    }

    /// The target may be anybody of the same application, the sender itself included.
    fn relay(&self, who: PeerId, relay: &Relay, now: u64, out: &mut Vec<Output>) -> Result<Text, ErrorCode> {
        let sender = self.connection(who).ok_or(ErrorCode::GenFail)?;
        let target = self.in_application(&relay.target, &sender.application).ok_or(ErrorCode::TargetEasyrtcid)?;
        self.emit(target, &Notice::relay(&sender.easyrtcid, relay, now), out);
        Ok(easyrtc::ack())
    }

    /// The peer of an easyrtcid, if it is of an application.
    pub(super) fn in_application(&self, easyrtcid: &Name, application: &Name) -> Option<PeerId> {
        let peer = *self.by_id.get(easyrtcid)?;
        (self.connection(peer)?.application == *application).then_some(peer)
    }

    /// A room that cannot be joined fails the command, but not the joining of the others.
    fn room_join(&mut self, who: PeerId, rooms: &[Name], now: u64, out: &mut Vec<Output>) -> Result<Text, ErrorCode> {
        let mut joined = Vec::with_capacity(rooms.len());
        for name in rooms {
            let application = self.application_of(self.connection(who).ok_or(ErrorCode::GenFail)?);
            let index = match application.find(name) {
                Some(index) if self.limits.full(application.rooms()[index].members.len()) => continue,
                Some(index) => index,
                None => match self.make_room(who, name) {
                    Some(index) => index,
                    None => continue,
                },
            };
            self.join(who, index, now);
            self.tell_room(who, index, now, out);
            joined.push(index);
        }
        if joined.len() < rooms.len() {
            return Err(ErrorCode::BadRoom);
        }
        let application = self.application_of(self.connection(who).ok_or(ErrorCode::GenFail)?);
        let entries: Vec<String> = joined.iter().map(|index| self.joined(&application.rooms()[*index])).collect();
        Ok(easyrtc::room_data_ack(entries.iter().map(String::as_str)))
    }

    /// Rooms that one is not in, or that do not exist, are left just as well.
    fn room_leave(&mut self, who: PeerId, rooms: &[Name], now: u64, out: &mut Vec<Output>) -> Text {
        for name in rooms {
            let room = self.connection(who).and_then(|connection| self.application_of(connection).find(name));
            if let Some(index) = room {
                self.leave(who, index, now, out);
            }
        }
        let entries: Vec<String> = rooms.iter().map(easyrtc::left).collect();
        easyrtc::room_data_ack(entries.iter().map(String::as_str))
    }

    /// Replaces the whole field of the peer in a room it is in.
    fn set_room_api_field(
        &mut self,
        who: PeerId,
        room: &Name,
        field: Option<Box<str>>,
        now: u64,
        out: &mut Vec<Output>,
    ) -> Result<Text, ErrorCode> {
        let name = self.connection(who).ok_or(ErrorCode::GenFail)?.application.clone();
        let application = self.applications.get_mut(&name).ok_or(ErrorCode::GenFail)?;
        let index = application.find(room).ok_or(ErrorCode::BadRoom)?;
        application.room_mut(index).places.get_mut(&who).ok_or(ErrorCode::BadRoom)?.api_field = field;
        self.tell_room(who, index, now, out);
        let connection = self.connection(who).ok_or(ErrorCode::GenFail)?;
        let room = &self.application_of(connection).rooms()[index];
        Ok(easyrtc::room_data_ack([update(connection, who, room, true).as_str()]))
    }

    /// Presence belongs to the connection, so all its rooms are concerned.
    fn set_presence(&mut self, who: PeerId, change: PresenceChange, now: u64, out: &mut Vec<Output>) -> Text {
        if let Some(connection) = self.connection_mut(who) {
            connection.presence.merge(change);
        }
        let entries = self.tell_sharers(who, now, out);
        easyrtc::room_data_ack(entries.iter().map(String::as_str))
    }

    fn room_list(&self, who: PeerId) -> Text {
        let rooms = self.connection(who).map(|connection| self.application_of(connection).rooms()).unwrap_or_default();
        easyrtc::room_list(rooms.iter().map(|room| (&room.name, room.members.len())))
    }
}
