//! Replays recorded EasyRTC conversations, message by message, against anything that speaks EasyRTC:
//! what clients sent goes in, what each client hears is compared with what was recorded.
//!
//! Whoever includes this has `replay/http.rs` and `replay/websocket.rs` at its root.

#[allow(dead_code, reason = "the rules alone need no socket")]
pub mod live;
pub mod names;
#[allow(dead_code, reason = "likewise")]
mod neighbour;
#[allow(dead_code, reason = "likewise")]
mod packets;
#[allow(dead_code, reason = "likewise")]
pub mod recording;
#[allow(dead_code, reason = "likewise")]
mod session;
#[allow(dead_code, reason = "likewise")]
pub mod suite;
#[allow(dead_code, reason = "the table is compared with TREATED.md once")]
pub mod treatments;
#[allow(dead_code, reason = "likewise")]
mod wire;

use std::collections::HashMap;

use names::Names;
use recording::{Act, Entry, Recording};
use serde_json::{Value, json};

/// What a client hears, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The acknowledgement with this number.
    Ack(u64, Value),
    /// An event with its argument.
    Event(String, Value),
    /// Socket.IO's disconnect packet, `41`.
    Disconnect,
}

/// A server and its clients, by the names they have in the recording. A new one for each replay.
pub trait Server {
    /// A client connects, up to and including Socket.IO's namespace.
    fn open(&mut self, client: &str);
    /// A client sends an event. `ack`: the number under which it asks for an acknowledgement.
    fn send(&mut self, client: &str, event: &str, argument: Option<&Value>, ack: Option<u64>);
    /// A client's connection ends.
    fn close(&mut self, client: &str);
    /// What a client hears next; may wait for it. `None`: nothing more comes.
    fn hear(&mut self, client: &str) -> Option<Heard>;
    /// Likewise, where nothing is expected.
    fn nothing_more(&mut self, client: &str) -> Option<Heard> {
        self.hear(client)
    }
}

/// Replays a recording.
///
/// # Errors
/// Where the server does otherwise than was recorded, as words.
pub fn replay(recording: &Recording, server: &mut impl Server) -> Result<(), String> {
    let mut replay = Replay { server, names: Names::default(), clients: HashMap::new() };
    for step in recording.steps() {
        replay.step(&step).map_err(|wrong| format!("{}: t={}: {wrong}", recording.name, step.t))?;
    }
    replay.nothing_more().map_err(|wrong| format!("{}: at the end: {wrong}", recording.name))
}

struct Replay<'s, S> {
    server: &'s mut S,
    names: Names,
    /// Each client that has come, and whether it is still there.
    clients: HashMap<String, bool>,
}

impl<S: Server> Replay<'_, S> {
    fn step(&mut self, step: &Entry) -> Result<(), String> {
        let client = &*step.client;
        match &step.act {
            Act::Open => {
                self.open(client);
                Ok(())
            }
            Act::Send { event, argument, ack } => {
                let argument = argument.as_ref().map(|argument| self.names.fill(argument));
                self.server.send(client, event, argument.as_ref(), *ack);
                Ok(())
            }
            Act::Close => {
                if self.clients.insert(client.to_owned(), false) == Some(true) {
                    self.server.close(client);
                }
                Ok(())
            }
            Act::Hear(expected) => {
                let heard = self.server.hear(client).ok_or_else(|| format!("{client} hears nothing"))?;
                match (expected, &heard) {
                    (Heard::Ack(number, expected), Heard::Ack(got, value)) if number == got => {
                        self.names.same(expected, value)
                    }
                    (Heard::Event(event, expected), Heard::Event(got, value)) if event == got => {
                        self.names.same(expected, value)
                    }
                    (Heard::Disconnect, Heard::Disconnect) => Ok(()),
                    _ => Err(format!("{client} hears {heard:?} instead of {expected:?}")),
                }
            }
            Act::Require(number, required) => {
                let Some(Heard::Ack(got, value)) = self.server.hear(client) else {
                    return Err(format!("{client} hears no acknowledgement"));
                };
                if got == *number { required.check(&value) } else { Err(format!("acknowledgement of {got}")) }
            }
        }
    }

    fn open(&mut self, client: &str) {
        if !self.clients.contains_key(client) {
            self.server.open(client);
            self.clients.insert(client.to_owned(), true);
        }
    }

    fn nothing_more(&mut self) -> Result<(), String> {
        for client in self.clients.keys() {
            if let Some(heard) = self.server.nothing_more(client) {
                return Err(format!("{client} also hears {heard:?}"));
            }
        }
        Ok(())
    }
}

/// What a new server is to do where the recorded one was wrong, in the words of the recording.
#[derive(Debug, Clone)]
pub struct Required {
    /// The `required` of the entry.
    pub what: Value,
    /// What was sent.
    pub sent: Value,
}

impl Required {
    fn check(&self, ack: &Value) -> Result<(), String> {
        let wrong = || Err(format!("{ack} is not what is required: {}", self.what));
        let fits = match &self.what {
            Value::String(words) => {
                let kind = words.split([' ', ':']).next().unwrap_or_default();
                ack["msgType"] == kind && self.has_what_was_asked_for(&ack["msgData"])
            }
            what if what.get("roomList").is_some() => {
                let listed = ack["msgData"]["roomList"].as_object().into_iter().flatten();
                let counts: Value = listed.map(|(room, of)| (room.clone(), of["numberClients"].clone())).collect();
                what["roomList"] == counts
            }
            what => within(&what["ack"], ack),
        };
        if fits { Ok(()) } else { wrong() }
    }

    /// The rooms asked for, in each of them the client alone, and the name it gave its browser.
    fn has_what_was_asked_for(&self, got: &Value) -> bool {
        let asked = &self.sent["msgData"];
        let rooms = asked["roomJoin"].as_object().into_iter().flatten().all(|(name, _)| {
            let room = &got["roomData"][name];
            room["roomStatus"] == "join" && !room["clientList"].as_object().is_none_or(serde_json::Map::is_empty)
        });
        rooms && asked.get("easyrtcsid").is_none_or(|sid| got["sessionData"] == json!({"easyrtcsid": sid}))
    }
}

/// Whether all that is required is there.
fn within(required: &Value, got: &Value) -> bool {
    match required {
        Value::Object(members) => members.iter().all(|(name, required)| within(required, &got[name])),
        required => required == got,
    }
}
