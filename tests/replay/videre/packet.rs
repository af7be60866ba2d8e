//! What a replay must know of packets: which are errors, and which deserve one.

use serde_json::Value;

/// Whether a packet tells its receiver of an error: Event `error`, the reason in the Payload.
pub fn is_error(packet: &Value) -> bool {
    packet["Header"]["Event"] == "error" && packet["Payload"].as_str().is_some_and(|reason| !reason.is_empty())
}

/// Under which name and in which room a peer has connected, by what it sent.
#[derive(Default)]
pub struct Membership {
    joined: Option<(Value, Value)>,
}

impl Membership {
    /// Takes note of a packet that the peer sends; whether it is a bad one, to which the server may
    /// answer with an error packet.
    pub fn sends(&mut self, text: &str) -> bool {
        let Ok(packet) = serde_json::from_str::<Value>(text) else { return true };
        let Some(header) = packet["Header"].as_object() else { return true };
        let of = |name: &str| header.get(name).cloned().unwrap_or(Value::Null);
        let claimed = (of("UserId"), of("RoomId"));
        match of("Event").as_str() {
            Some("connect") => {
                let refused = claimed.1.is_object() || claimed.1.is_array();
                self.joined = Some(claimed).filter(|_| !refused);
                refused
            }
            Some("ping" | "broadcast") => self.joined.as_ref() != Some(&claimed),
            Some("disconnect") => {
                self.joined = None;
                false
            }
            _ => true,
        }
    }
}
