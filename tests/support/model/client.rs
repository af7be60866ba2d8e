//! What the model knows of an EasyRTC client.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// How far a client has come.
#[derive(PartialEq)]
pub enum State {
    Open,
    In,
    Ended,
}

/// One client.
pub struct Client {
    pub state: State,
    pub id: String,
    pub application: &'static str,
    /// What it was told: the rooms it is in, and who is in them.
    pub told: BTreeMap<String, BTreeSet<String>>,
}

impl Client {
    /// Takes in what is said of rooms.
    pub fn is_told(&mut self, rooms: &Value) {
        for (room, entry) in rooms.as_object().expect("rooms by name") {
            let ids =
                |list: &Value| list.as_object().into_iter().flatten().map(|(id, _)| id.clone()).collect::<Vec<_>>();
            match entry["roomStatus"].as_str() {
                Some("join") => _ = self.told.insert(room.clone(), ids(&entry["clientList"]).into_iter().collect()),
                Some("leave") => _ = self.told.remove(room),
                _ => {
                    let members = self.told.get_mut(room).expect("it is told of its own rooms only");
                    members.extend(ids(&entry["clientListDelta"]["updateClient"]));
                    for id in ids(&entry["clientListDelta"]["removeClient"]) {
                        assert!(members.remove(&id), "who leaves was in");
                    }
                }
            }
        }
    }
}
