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
pub const TABLE: [Treatment; 12] = [
    Treatment { name: "18-auth-twice", reason: "each message is delivered once" },
    Treatment { name: "20-room-capacity", reason: "rooms take two members" },
    Treatment { name: "21-fields", reason: "there are no shared fields: they are left out of what is expected" },
    Treatment {
        name: "22-known-defects",
        reason: "rooms take two members; a refused client was in no room; the one who finds space gets its token, which ends the replay",
    },
    Treatment {
        name: "23-malformed-inputs",
        reason: "each input has a server of its own, and is answered as required",
    },
    Treatment { name: "33-browser-wire-eio4", reason: PAGE_BY_PAGE },
    Treatment { name: "32-opentera-page-wire-eio3", reason: PAGE_BY_PAGE_UNTIL_ANSWERED },
    Treatment { name: "transport-01-eio4-polling-only", reason: NOT_SHOWN },
    Treatment { name: "transport-04-eio3-polling-only", reason: NOT_SHOWN },
    Treatment { name: "transport-07-polling-limits", reason: "answers are not compressed" },
    Treatment {
        name: "transport-08-websocket-limits",
        reason: "a binary event ends a connection: those are not sent, nor expected",
    },
    Treatment {
        name: "transport-09-handshake-errors",
        reason: "a foreign origin and polling by script elements are refused; the 404s are in our words",
    },
];

const PAGE_BY_PAGE: &str = "the pages are listed one after the other: both are replayed at once, and what each is \
acknowledged and what it is told are compared each in their own order";
const PAGE_BY_PAGE_UNTIL_ANSWERED: &str =
    "likewise; the answer that B hears is not among the frames of A: it is left out";
const NOT_SHOWN: &str = "the client that is not shown is played by the replay";

/// The recordings as they are replayed.
pub fn treated(mut recording: Recording) -> Vec<Recording> {
    match &*recording.name {
        "21-fields" => {
            recording.entries.iter_mut().for_each(|entry| leave_out("field", &mut entry["ack"]));
            vec![recording]
        }
        "22-known-defects" => vec![until_required_token(recording)],
        "23-malformed-inputs" => {
            let inputs = recording.entries.iter().filter(|entry| entry["from"] != "note");
            inputs.map(|entry| alone(&recording.name, entry.clone())).collect()
        }
        "32-opentera-page-wire-eio3" => {
            let is_answer =
                |entry: &Value| entry["payload"].as_str().is_some_and(|text| text.contains(r#""msgType":"answer""#));
            recording.entries.retain(|entry| entry["from"] != "server" || !is_answer(entry));
            recording.is_page_by_page = true;
            vec![recording]
        }
        "33-browser-wire-eio4" => {
            recording.is_page_by_page = true;
            vec![recording]
        }
        _ => vec![recording],
    }
}

fn leave_out(name: &str, value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        members.remove(name);
        members.values_mut().for_each(|member| leave_out(name, member));
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
    Recording { name: format!("{name}#{t}"), entries, capacity: 100, is_page_by_page: false }
}
