//! Reading `easyrtcAuth` (7).

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::json::{Json, quoted};
use super::name::{is_easyrtcsid, is_username, is_version};
use super::{DEFAULT_ROOM, ErrorCode, Name, PresenceChange};

/// What a client authenticates with. Its credential and the parameters of its rooms are checked for
/// their form and not kept: nobody would read them.
#[derive(Debug)]
pub struct Auth {
    /// The application it belongs to; `default` if it names none.
    pub application: Name,
    /// As JSON.
    pub username: Option<Box<str>>,
    /// What it calls the browser it is in, to be echoed. Can stand between quotation marks as it is.
    pub easyrtcsid: Option<Box<str>>,
    /// The rooms to join, in order, each once; `default` if it names none.
    pub rooms: Vec<Name>,
    /// What it says of its presence.
    pub presence: PresenceChange,
}

impl Auth {
    /// Reads the argument of the event; `None`: it had none.
    ///
    /// # Errors
    /// The first check of 7.2 that fails.
    pub fn read(argument: Option<&RawValue>) -> Result<Self, ErrorCode> {
        let [msg_type, msg_data] = argument.map(|raw| Json::new(raw).pick(["msgType", "msgData"])).unwrap_or_default();
        if msg_type.and_then(Json::text).as_deref() != Some("authenticate") {
            return Err(ErrorCode::LoginBadAuth);
        }
        let data = msg_data.filter(|data| data.is_object()).ok_or(ErrorCode::LoginBadStructure)?;
        let [version, application, username, credential, easyrtcsid, room_join, presence] = data.pick([
            "apiVersion",
            "applicationName",
            "username",
            "credential",
            "easyrtcsid",
            "roomJoin",
            "setPresence",
        ]);
        let version = version.filter(|version| version.is_text()).ok_or(ErrorCode::LoginBadStructure)?;
        if room_join.is_some_and(|rooms| !rooms.is_object()) {
            return Err(ErrorCode::LoginBadStructure);
        }

        text_by(version, is_version)?;
        let application = match application {
            Some(name) => name.text().and_then(|name| Name::new(&name)).ok_or(ErrorCode::BadStructure)?,
            None => default_room(),
        };
        let username = username.map(|name| text_by(name, is_username)).transpose()?;
        if credential.is_some_and(|credential| !credential.is_object() || credential.is_empty()) {
            return Err(ErrorCode::BadStructure);
        }
        let rooms = room_join.map(|rooms| rooms_of(rooms, Parameter::Object)).transpose()?.unwrap_or_default();
        Ok(Self {
            application,
            username: username.map(|name| quoted(&name).into()),
            easyrtcsid: easyrtcsid.map(|sid| text_by(sid, is_easyrtcsid)).transpose()?,
            rooms: if rooms.is_empty() { vec![default_room()] } else { rooms },
            presence: presence.map(PresenceChange::read).transpose()?.unwrap_or_default(),
        })
    }
}

fn default_room() -> Name {
    Name::new(DEFAULT_ROOM).expect("it is a name")
}

fn text_by(json: Json, rule: impl Fn(&str) -> bool) -> Result<Box<str>, ErrorCode> {
    let text = json.text().filter(|text| rule(text)).ok_or(ErrorCode::BadStructure)?;
    Ok(text.into())
}

/// What a roomParameter may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// At authentication it must be an object.
    Object,
    /// In a command it may be anything.
    Any,
}

/// The rooms of a `roomJoin` or `roomLeave`, each once: entries `{"roomName": …}` under that name.
pub(super) fn rooms_of(json: Json, parameter: Parameter) -> Result<Vec<Name>, ErrorCode> {
    let mut seen = HashSet::new();
    let mut rooms = Vec::new();
    for (key, entry) in json.members() {
        let [name, given] = entry.pick(["roomName", "roomParameter"]);
        let named = name.and_then(Json::text).is_some_and(|name| *name == *key);
        let accepted = parameter == Parameter::Any || given.is_none_or(Json::is_object);
        let room = Name::new(&key).filter(|_| named && accepted).ok_or(ErrorCode::BadStructure)?;
        if seen.insert(room.clone()) {
            rooms.push(room);
        }
    }
    Ok(rooms)
}
