//! `easyrtcAuth` (7).

use std::collections::BTreeMap;

use super::connection::{Connection, Peer};
use super::output::Output;
use super::rules::{EasyRtc, Given, Request, acknowledged, refused};
use crate::room::PeerId;
use crate::wire::easyrtc::{self, Auth, DEFAULT_ROOM, ErrorCode, Name, Presence, Token};

/// How often a fresh easyrtcid is asked for before the client is refused. With 95 random bits the
/// second is never needed.
const ID_ATTEMPTS: usize = 8;

impl EasyRtc {
    /// A client that is refused is ended, also one that had authenticated before (7.3).
    pub(super) fn authenticate(&mut self, who: PeerId, request: Request, given: &mut Given, out: &mut Vec<Output>) {
        let now = given.now;
        if request.ack {
            let Err(code) = Auth::read(request.argument).and_then(|auth| self.log_in(who, auth, given, out)) else {
                return;
            };
            out.push(refused(code, now));
        }
        self.depart(who, now, out);
        out.push(Output::End);
    }

    /// Nothing is done if anything is refused: a refused client was never in any room (7.2).
    fn log_in(&mut self, who: PeerId, auth: Auth, given: &mut Given, out: &mut Vec<Output>) -> Result<(), ErrorCode> {
        self.admissible(&auth)?;
        if self.connection(who).is_none() {
            self.admit(who, &auth.application, given.new_id)?;
        }
        self.enter_application(who, auth.application, given.now, out);
        // What a second authentication does not give stays as it was.
        let connection = self.connection_mut(who).expect("it was let in");
        connection.username = auth.username.or(connection.username.take());
        connection.easyrtcsid = auth.easyrtcsid.or(connection.easyrtcsid.take());
        connection.presence.merge(auth.presence);

        for name in &auth.rooms {
            let found = self.connection(who).and_then(|connection| self.application_of(connection).find(name));
            let room = found.or_else(|| self.make_room(who, name)).expect("the rooms were counted before");
            self.join(who, room, given.now);
            self.tell_room(who, room, given.now, out);
        }
        out.push(self.token(who, given));
        self.tell_sharers(who, given.now, out);
        Ok(())
    }

    /// Whether the rooms asked for can all be joined.
    fn admissible(&self, auth: &Auth) -> Result<(), ErrorCode> {
        let application = self.applications.get(&auth.application);
        let room = |name: &Name| application.and_then(|application| application.get(name));
        // Counted also for who is in it already, as by the reference (5).
        if auth.rooms.iter().filter_map(room).any(|room| self.limits.full(room.members.len())) {
            return Err(ErrorCode::LoginGenFail);
        }
        let mut new = auth.rooms.iter().filter(|name| room(name).is_none()).count();
        new += usize::from(application.is_none() && auth.rooms.iter().all(|name| **name != *DEFAULT_ROOM));
        match self.limits.no_room_for(self.rooms, new) {
            false => Ok(()),
            true if application.is_none() => Err(ErrorCode::LoginAppAuthFail),
            true => Err(ErrorCode::LoginBadRoom),
        }
    }

    /// Gives a peer its id.
    fn admit(&mut self, who: PeerId, application: &Name, new_id: &mut dyn FnMut() -> String) -> Result<(), ErrorCode> {
        let mut ids = (0..ID_ATTEMPTS).filter_map(|_| Name::new(&new_id()));
        let easyrtcid = ids.find(|id| !self.by_id.contains_key(id)).ok_or(ErrorCode::LoginGenFail)?;
        self.by_id.insert(easyrtcid.clone(), who);
        let connection = Connection {
            easyrtcid,
            application: application.clone(),
            username: None,
            easyrtcsid: None,
            presence: Presence::default(),
            rooms: BTreeMap::new(),
        };
        self.peers.insert(who, Peer::In(Box::new(connection)));
        Ok(())
    }

    /// Makes the application if need be. Who authenticates a second time for another application
    /// leaves the rooms of its first.
    fn enter_application(&mut self, who: PeerId, name: Name, now: u64, out: &mut Vec<Output>) {
        if self.connection(who).is_some_and(|connection| connection.application != name) {
            self.leave_all(who, now, out);
        }
        let connection = self.connection_mut(who).expect("it was let in");
        connection.application = name.clone();
        if !self.applications.contains_key(&name) {
            self.applications.entry(name).or_default();
            let default = Name::new(DEFAULT_ROOM).expect("it is a name");
            self.make_room(who, &default).expect("the rooms were counted before");
        }
    }

    /// The token, with all rooms the connection is in and all their members.
    fn token(&self, who: PeerId, given: &mut Given) -> Output {
        let connection = self.connection(who).expect("it was let in");
        let rooms = self.application_of(connection).rooms();
        let entries: Vec<String> = connection.rooms.values().map(|index| self.joined(&rooms[*index])).collect();
        let token = Token {
            application: &connection.application,
            easyrtcid: &connection.easyrtcid,
            easyrtcsid: connection.easyrtcsid.as_deref(),
            ice_servers: &(given.ice_servers)(),
            rooms: &entries,
            now: given.now,
        };
        acknowledged(easyrtc::token(&token))
    }
}
