//! The packets by which a client keeps its seat when its connection is lost. They are between one
//! client and the server: nobody else sees them, and they count as no packet themselves.

use serde::Deserialize;
use serde_json::json;

use super::parse::Packet;
use crate::wire::Text;

/// The Payload of a client's `resume`, the first packet on its connection: `{}` to be able to come
/// back later, or `{"token": <what the answer gave>, "received": <how many packets have arrived>}`
/// to come back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resume {
    /// Which seat is meant; none: a new one.
    pub token: Option<String>,
    /// How many packets have arrived at the client since it has had the seat.
    pub received: u64,
}

impl Packet<'_> {
    /// What a `resume` asks for; `None` if its Payload is not of that shape.
    pub fn resume(&self) -> Option<Resume> {
        serde_json::from_str(self.payload.unwrap_or("{}")).ok()
    }

    /// How many packets an `ack` says have arrived.
    pub fn acknowledged(&self) -> Option<u64> {
        serde_json::from_str(self.payload?).ok()
    }
}

/// The answer to a `resume` that found its seat: the missed packets follow. `received`: how many
/// packets of the client have arrived here.
pub fn resumed(token: &str, received: u64) -> Text {
    answer(&json!({"token": token, "resumed": true, "received": received}))
}

/// The answer to a `resume` that gave a new seat, which is in no room yet. `reason`: why it is not
/// the one that was asked for.
pub fn seated(token: &str, reason: Option<&str>) -> Text {
    let mut payload = json!({"token": token, "resumed": false});
    if let Some(reason) = reason {
        payload["reason"] = reason.into();
    }
    answer(&payload)
}

/// Tells a client how many of its packets have arrived.
pub fn acknowledge(received: u64) -> Text {
    format!(r#"{{"Header":{{"Event":"ack"}},"Payload":{received}}}"#).into()
}

fn answer(payload: &serde_json::Value) -> Text {
    format!(r#"{{"Header":{{"Event":"resume"}},"Payload":{payload}}}"#).into()
}
