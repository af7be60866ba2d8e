//! Reading `easyrtcCmd` (8).

use serde_json::value::RawValue;

use super::auth::{Parameter, rooms_of};
use super::json::{Json, utf16_units};
use super::{ErrorCode, KEPT_UNITS, Name, PresenceChange};

/// What a client asks for by `easyrtcCmd`.
#[derive(Debug)]
pub enum Command<'a> {
    /// Hand something on to one other client: `offer`, `answer`, `candidate`, `hangup`, `reject`.
    Relay(Relay<'a>),
    /// Join rooms; there is at least one.
    RoomJoin(Vec<Name>),
    /// Leave rooms.
    RoomLeave(Vec<Name>),
    /// Replace the own field in a room. `None`: clear it.
    SetRoomApiField(Name, Option<Box<str>>),
    /// Change the own presence.
    SetPresence(PresenceChange),
    /// What ICE servers are there?
    GetIceConfig,
    /// What rooms are there?
    GetRoomList,
    /// Figures about the client's browser and calls, which nobody reads.
    SetUserCfg,
}

/// A step in the making or ending of a call, for one client.
#[derive(Debug)]
pub struct Relay<'a> {
    /// Its msgType.
    pub kind: &'static str,
    /// Its msgData, as it was written.
    pub data: Option<&'a str>,
    /// Whom it is for.
    pub target: Name,
}

/// The steps with msgData, then those without.
const RELAYS: [(&str, bool); 5] =
    [("offer", true), ("answer", true), ("candidate", true), ("hangup", false), ("reject", false)];

impl<'a> Command<'a> {
    /// Reads the argument of the event; `None`: it had none.
    ///
    /// # Errors
    /// The first check of 8 that fails, but for those that depend on who is there.
    pub fn read(argument: Option<&'a RawValue>) -> Result<Self, ErrorCode> {
        let message = argument.map(Json::new).filter(|json| json.is_object()).ok_or(ErrorCode::BadStructure)?;
        let [msg_type, data, target] = message.pick(["msgType", "msgData", "targetEasyrtcid"]);
        let msg_type = msg_type.and_then(Json::text).ok_or(ErrorCode::BadType)?;
        if let Some((kind, with_data)) = RELAYS.into_iter().find(|(kind, _)| *kind == msg_type) {
            return relay(kind, with_data, data, target);
        }
        match &*msg_type {
            "roomJoin" => {
                let rooms = rooms_of(member(data, "roomJoin")?, Parameter::Any)?;
                // The reference dies of an empty map (14).
                if rooms.is_empty() { Err(ErrorCode::BadStructure) } else { Ok(Self::RoomJoin(rooms)) }
            }
            "roomLeave" => Ok(Self::RoomLeave(rooms_of(member(data, "roomLeave")?, Parameter::Any)?)),
            "setRoomApiField" => room_api_field(not_empty(member(data, "setRoomApiField")?)?),
            "setPresence" => Ok(Self::SetPresence(PresenceChange::read(member(data, "setPresence")?)?)),
            "getIceConfig" => match data {
                Some(data) if (data.is_object() || data.is_text()) && !data.is_empty() => Err(ErrorCode::BadData),
                _ => Ok(Self::GetIceConfig),
            },
            "getRoomList" if data.is_some() => Err(ErrorCode::BadData),
            "getRoomList" => Ok(Self::GetRoomList),
            "setUserCfg" => {
                for part in
                    not_empty(member(data, "setUserCfg")?)?.pick(["p2pList", "userSettings"]).into_iter().flatten()
                {
                    not_empty(part)?;
                }
                Ok(Self::SetUserCfg)
            }
            _ => Err(ErrorCode::BadType),
        }
    }
}

fn relay<'a>(
    kind: &'static str,
    with_data: bool,
    data: Option<Json<'a>>,
    target: Option<Json>,
) -> Result<Command<'a>, ErrorCode> {
    match data {
        Some(data) if with_data && data.is_object() && !data.is_empty() => {}
        None if !with_data => {}
        _ => return Err(ErrorCode::BadData),
    }
    let target = target.and_then(Json::text).and_then(|id| Name::new(&id)).ok_or(ErrorCode::BadStructure)?;
    Ok(Command::Relay(Relay { kind, data: data.map(Json::as_str), target }))
}

fn room_api_field(given: Json) -> Result<Command<'static>, ErrorCode> {
    let [room, field] = given.pick(["roomName", "field"]);
    let room = room.and_then(Json::text).and_then(|room| Name::new(&room)).ok_or(ErrorCode::BadRoom)?;
    if field.is_some_and(|field| !field.is_object()) {
        return Err(ErrorCode::BadStructure);
    }
    let compact = field.filter(|field| !field.is_empty()).map(Json::compact);
    if compact.as_deref().is_some_and(|compact| utf16_units(compact) > KEPT_UNITS) {
        return Err(ErrorCode::BadSize);
    }
    Ok(Command::SetRoomApiField(room, compact.map(Box::from)))
}

/// The object in msgData that bears the command's name.
fn member<'a>(data: Option<Json<'a>>, name: &str) -> Result<Json<'a>, ErrorCode> {
    let data = data.filter(|data| data.is_object()).ok_or(ErrorCode::BadData)?;
    let [member] = data.pick([name]);
    member.filter(|member| member.is_object()).ok_or(ErrorCode::BadStructure)
}

fn not_empty(json: Json) -> Result<Json, ErrorCode> {
    Some(json).filter(|json| json.is_object() && !json.is_empty()).ok_or(ErrorCode::BadStructure)
}
