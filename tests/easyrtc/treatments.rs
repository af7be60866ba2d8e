//! Recordings that are not replayed simply as they are. What the recorder marked as a defect is
//! never expected, and where it says what is required instead, that is.

use serde_json::{Value, json};

use super::recording::Recording;

/// One row of TREATED.md.
pub struct Treatment {
    /// The recording's name.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// The rows of TREATED.md that this replay is about.
pub const TABLE: [Treatment; 5] = [
    Treatment { name: "18-auth-twice", reason: "each message is delivered once" },
    Treatment { name: "20-room-capacity", reason: "rooms take two members" },
    Treatment { name: "21-fields", reason: "not replayed: there are no shared fields" },
    Treatment {
        name: "22-known-defects",
        reason: "rooms take two members; a refused client was in no room; the one who finds space gets its token, which ends the replay",
    },
    Treatment {
        name: "23-malformed-inputs",
        reason: "each input has a server of its own, and is answered as required",
    },
];

/// The recordings as they are replayed.
pub fn treated(recording: Recording) -> Vec<Recording> {
    match &*recording.name {
        "21-fields" => Vec::new(),
        "22-known-defects" => vec![until_required_token(recording)],
        "23-malformed-inputs" => recording.entries.iter().map(|entry| alone(&recording.name, entry.clone())).collect(),
        _ => vec![recording],
    }
}

/// What follows the refusal of the client that should have found space was not recorded; it is what
/// follows every token.
fn until_required_token(mut recording: Recording) -> Recording {
    let is_token = |entry: &Value| entry["required"].as_str().is_some_and(|what| what.starts_with("token"));
    let last = recording.entries.iter().position(is_token).expect("it has the token");
    recording.entries.truncate(last + 1);
    let client = json!({"easyrtcid": "<easyrtcid:E>", "roomJoinTime": "<roomJoinTime:E:lobby>",
        "presence": {"show": "chat", "status": null}});
    let delta = json!({"updateClient": {"<easyrtcid:E>": client}});
    let room = json!({"roomName": "lobby", "roomStatus": "update", "clientListDelta": delta});
    let update = json!({"msgType": "roomData", "easyrtcid": "<easyrtcid:A>", "serverTime": "<serverTime>",
        "msgData": {"roomData": {"lobby": room}}});
    let told = json!({"t": recording.entries[last]["ackAt"], "from": "server", "to": "client A",
        "event": "easyrtcCmd", "payload": update});
    recording.entries.extend([told.clone(), told]);
    recording
}

/// One malformed input, from a client that is authenticated, unless that is what it tries.
fn alone(name: &str, mut entry: Value) -> Recording {
    let mut entries = vec![json!({"t": 0, "from": "client A", "event": "engine.open"})];
    let is_auth = entry["event"] == "easyrtcAuth";
    if !is_auth {
        let auth = json!({"msgType": "authenticate", "msgData": {"apiVersion": "1"}});
        entries.push(json!({"t": 0, "ackAt": 0, "from": "client A", "event": "easyrtcAuth", "ackId": 0,
            "payload": auth, "required": "token"}));
    }
    let (t, required) = (entry["t"].as_u64().expect("a time"), entry["required"].clone());
    let asked = required.is_string() || !required["ack"].is_null();
    if asked {
        (entry["ackId"], entry["ackAt"]) = (json!(1), json!(t));
    }
    entries.push(entry);
    if required["connection"] == "server sends a namespace disconnect" {
        entries.push(json!({"t": t, "from": "server", "to": "client A", "event": "sio.disconnect"}));
    }
    Recording { name: format!("{name}#{t}"), entries, capacity: 100 }
}
