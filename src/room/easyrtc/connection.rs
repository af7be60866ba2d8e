//! A connection: one client, authenticated or not.

use std::collections::BTreeMap;

use super::application::{Join, Place, RoomIndex};
use crate::wire::easyrtc::{Client, Name, Presence};

/// How far a peer has come.
pub(super) enum Peer {
    /// It has still to authenticate; until then its other messages are ignored (5).
    Open,
    /// It is authenticated.
    In(Box<Connection>),
    /// It was refused; nothing of it counts any more.
    Ended,
}

/// An authenticated peer.
pub(super) struct Connection {
    pub easyrtcid: Name,
    pub application: Name,
    /// As JSON.
    pub username: Option<Box<str>>,
    pub easyrtcsid: Option<Box<str>>,
    pub presence: Presence,
    /// The rooms it is in, in the order in which it joined them.
    pub rooms: BTreeMap<Join, RoomIndex>,
}

impl Connection {
    /// As it is seen in a room, with its field there or without.
    pub fn client<'a>(&'a self, place: &'a Place, with_field: bool) -> Client<'a> {
        Client {
            easyrtcid: &self.easyrtcid,
            room_join_time: place.time,
            presence: &self.presence,
            api_field: place.api_field.as_deref().filter(|_| with_field),
            username: self.username.as_deref(),
        }
    }
}

/// What one may know of an authenticated peer from outside.
#[derive(Debug)]
pub struct ConnectionView<'a> {
    /// Its easyrtcid.
    pub easyrtcid: &'a Name,
    /// Its application.
    pub application: &'a Name,
    /// The rooms it is in, in the order in which it joined them.
    pub rooms: Vec<&'a Name>,
}
