//! Reading `easyrtcMsg` (9).

use serde_json::value::RawValue;

use super::json::Json;
use super::{ErrorCode, Name};

/// A message of the application, which the server does not look into.
#[derive(Debug)]
pub struct Letter<'a> {
    /// The JSON text of its msgType, always a string.
    pub kind: &'a str,
    /// Its msgData, as it was written.
    pub data: Option<&'a str>,
    /// Whom it is for.
    pub target: Target,
}

/// Whom a letter is for (9.2): each that is given must hold.
#[derive(Debug, Default)]
pub struct Target {
    /// One client.
    pub easyrtcid: Option<Name>,
    /// Those in a room.
    pub room: Option<Name>,
    /// Those in a group. There are no groups.
    pub group: Option<Name>,
}

impl<'a> Letter<'a> {
    /// Reads the argument of the event; `None`: it had none.
    ///
    /// # Errors
    /// The first check of 9.1 that fails, but for those that depend on who is there.
    pub fn read(argument: Option<&'a RawValue>) -> Result<Self, ErrorCode> {
        let message = argument.map(Json::new).filter(|json| json.is_object()).ok_or(ErrorCode::BadStructure)?;
        let [kind, data, easyrtcid, group, room] =
            message.pick(["msgType", "msgData", "targetEasyrtcid", "targetGroup", "targetRoom"]);
        let kind = kind.filter(|kind| kind.is_text()).ok_or(ErrorCode::BadType)?;
        let easyrtcid = name(easyrtcid, ErrorCode::TargetEasyrtcid)?;
        let group = name(group, ErrorCode::TargetGroup)?;
        let room = name(room, ErrorCode::TargetRoom)?;
        Ok(Self { kind: kind.as_str(), data: data.map(Json::as_str), target: Target { easyrtcid, room, group } })
    }
}

/// A name, if there is one; null is there and no name.
fn name(json: Option<Json>, wrong: ErrorCode) -> Result<Option<Name>, ErrorCode> {
    json.map(|json| json.text().and_then(|text| Name::new(&text)).ok_or(wrong)).transpose()
}
