//! A recording as steps: what clients do, and what each of them is to hear, in order of time.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Heard, Required};

/// A recorded conversation.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its file's name without the ending.
    pub name: String,
    /// Its entries.
    pub entries: Vec<Value>,
    /// How many members a room of the recorded server could have.
    pub capacity: usize,
    /// Whether its clients are listed one after the other, and not in order of time.
    pub is_page_by_page: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub t: u64,
    /// Who does it or hears it.
    pub client: String,
    /// What.
    pub act: Act,
}

/// What a client does or hears.
#[derive(Debug, Clone)]
pub enum Act {
    /// It connects.
    Open,
    /// It sends an event.
    Send { event: String, argument: Option<Value>, ack: Option<u64> },
    /// Its connection ends.
    Close,
    /// It hears this.
    Hear(Heard),
    /// It hears an acknowledgement with this number, and it is as required.
    Require(u64, Required),
}

impl Recording {
    /// Reads all recordings of a directory, in order.
    pub fn all(directory: &Path) -> Vec<Self> {
        let files = fs::read_dir(directory).expect("the recordings are there").map(|file| file.unwrap().path());
        let mut paths: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the recording is read");
        let entries: Vec<Value> = serde_json::from_str(&text).expect("a recording is an array");
        let options = entries.iter().find_map(|entry| entry["payload"].get("serverOptions"));
        let capacity = options.and_then(|options| options["roomMaxConnection"].as_u64()).unwrap_or(100);
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Self { name, entries, capacity: capacity as usize, is_page_by_page: false }
    }

    /// Whether it tells of requests and frames, and not of what they carried.
    pub fn is_of_the_wire(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry["event"].as_str(), Some("http" | "ws.open")))
    }

    /// The steps in order of time.
    pub fn steps(&self) -> Vec<Entry> {
        let mut steps: Vec<Entry> = self.entries.iter().flat_map(steps_of).collect();
        steps.sort_by_key(|step| step.t);
        steps
    }
}

/// An entry's steps: what happens, and the acknowledgement of what a client sent. Acknowledgements
/// that clients give mean nothing, and are left out.
fn steps_of(entry: &Value) -> Vec<Entry> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let (from, event, t) = (text("from"), text("event"), entry["t"].as_u64().expect("a time"));
    let client = match from {
        "server" if event == "engine.close" => entry["payload"]["client"].as_str().unwrap_or_default(),
        "server" => text("to").trim_start_matches("client "),
        from => from.trim_start_matches("client "),
    };
    let step = |t, act| Entry { t, client: client.to_owned(), act };
    match (from, event) {
        ("server", "sio.disconnect") => vec![step(t, Act::Hear(Heard::Disconnect))],
        (_, "engine.close" | "sio.disconnect") => vec![step(t, Act::Close)],
        (_, "engine.open") => vec![step(t, Act::Open)],
        ("note", _) | (_, "engine.upgraded" | "sio.connect") => Vec::new(),
        ("server", event) if entry.get("defect").is_some() => {
            assert!(event.starts_with("easyrtc"), "what the recorded server should not have sent");
            Vec::new()
        }
        ("server", event) => {
            vec![step(t, Act::Hear(Heard::Event(event.to_owned(), entry["payload"].clone())))]
        }
        (_, event) => {
            let ack = entry["ackId"].as_u64();
            let send = Act::Send { event: event.to_owned(), argument: entry.get("payload").cloned(), ack };
            let mut steps = vec![step(t, send)];
            if let (Some(number), Some(at)) = (ack, entry["ackAt"].as_u64()) {
                let heard = match entry.get("required") {
                    Some(what) => Act::Require(number, Required { what: what.clone(), sent: entry["payload"].clone() }),
                    None => Act::Hear(Heard::Ack(number, entry["ack"].clone())),
                };
                steps.push(step(at, heard));
            }
            steps
        }
    }
}
