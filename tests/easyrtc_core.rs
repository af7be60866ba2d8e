//! The recordings of EasyRTC against the rules alone, without a socket; and spoiled ones, whose
//! replay must fail.

mod easyrtc;
#[path = "replay/http.rs"]
#[allow(dead_code, reason = "the replay of the wire uses it")]
mod http;
#[path = "replay/websocket.rs"]
#[allow(dead_code, reason = "likewise")]
mod websocket;

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use easyrtc::recording::Recording;
use easyrtc::treatments::TABLE;
use easyrtc::{Heard, Server, replay, suite};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use viderehab::room::PeerId;
use viderehab::room::easyrtc::{EasyRtc, Given, Limits, Output, Request};
use viderehab::wire::easyrtc::Event;

/// The servers that the recorded one was configured with.
const ICE_SERVERS: &str = r#"[{"urls":"stun:127.0.0.1:3478"},{"urls":"turn:127.0.0.1:3478?transport=udp","username":"user","credential":"pass"}]"#;

/// The rules as a server: each message is answered before it returns.
struct Core {
    rules: EasyRtc,
    now: u64,
    peers: HashMap<String, PeerId>,
    heard: HashMap<PeerId, VecDeque<Heard>>,
}

impl Core {
    fn new(members: usize) -> Self {
        let rules = EasyRtc::new(Limits { members, rooms: 0 });
        Self { rules, now: 1_795_358_670_583, peers: HashMap::new(), heard: HashMap::new() }
    }

    fn deliver(&mut self, sender: PeerId, ack: Option<u64>, outputs: Vec<Output>) {
        let read = |text: &str| serde_json::from_str(text).expect("what is written is JSON");
        for output in outputs {
            let (to, heard) = match output {
                Output::Ack(given) => (sender, Heard::Ack(ack.expect("it was asked for"), read(given.text.as_str()))),
                Output::Emit(emit) => {
                    let mut argument = String::new();
                    emit.write_argument(&mut argument);
                    (emit.to, Heard::Event(emit.event().name().to_owned(), read(&argument)))
                }
                Output::End => (sender, Heard::Disconnect),
            };
            self.heard.entry(to).or_default().push_back(heard);
        }
    }
}

impl Server for Core {
    fn open(&mut self, client: &str) {
        let who = self.peers.len() as PeerId;
        self.peers.insert(client.to_owned(), who);
        self.rules.enter(who);
    }

    fn send(&mut self, client: &str, event: &str, argument: Option<&Value>, ack: Option<u64>) {
        let Some(event) = Event::named(event) else { return };
        let who = self.peers[client];
        let argument: Option<Box<RawValue>> = argument.map(|argument| to_raw_value(argument).unwrap());
        self.now += 1;
        let mut given = Given {
            now: self.now,
            new_id: &mut || format!("client{who}"),
            ice_servers: &mut || ICE_SERVERS.to_owned(),
        };
        let request = Request { event, argument: argument.as_deref(), ack: ack.is_some() };
        let outputs = self.rules.apply(who, request, &mut given);
        self.deliver(who, ack, outputs);
    }

    fn close(&mut self, client: &str) {
        let who = self.peers[client];
        let outputs = self.rules.remove(who, self.now);
        self.deliver(who, None, outputs);
    }

    fn hear(&mut self, client: &str) -> Option<Heard> {
        self.heard.get_mut(&self.peers[client])?.pop_front()
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/easyrtc")
}

/// The recordings of messages.
fn recordings() -> Vec<Recording> {
    suite::recordings(&directory()).0
}

#[test]
fn easyrtc_as_recorded() {
    let recordings = recordings();
    assert_eq!(recordings.len(), 25 + 17, "all were found");
    let outcomes = recordings.iter().map(|one| replay(one, &mut Core::new(one.capacity)));
    let failed: Vec<String> = outcomes.filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} failed\n{}", failed.len(), failed.join("\n"));
}

/// Each thing that is heard, left out or changed, is missed.
#[test]
fn easyrtc_spoiled() {
    let mut spoiled = 0;
    for one in recordings() {
        for (at, entry) in one.entries.iter().enumerate() {
            let mut other = one.clone();
            let event = entry["event"].as_str().unwrap_or_default();
            let is_heard = entry["from"] == "server" && !matches!(event, "sio.connect" | "engine.close");
            if is_heard && entry.get("defect").is_none() {
                other.entries.remove(at);
            } else if event.starts_with("easyrtc") && entry["ack"].is_object() && entry.get("required").is_none() {
                other.entries[at]["ack"]["msgData"] = json!({"spoiled": true});
            } else {
                continue;
            }
            spoiled += 1;
            assert!(replay(&other, &mut Core::new(one.capacity)).is_err(), "nobody misses {at} of {}", one.name);
        }
    }
    assert!(spoiled > 500, "only {spoiled}");
}

#[test]
fn treated_recordings_are_listed() {
    let listed = fs::read_to_string(directory().join("TREATED.md")).expect("the list is there");
    for treatment in TABLE {
        let row = format!("| `{}` | {} |", treatment.name, treatment.reason);
        assert!(listed.lines().any(|line| line == row), "no row\n{row}");
        assert!(directory().join(treatment.name).with_extension("json").exists());
    }
}
