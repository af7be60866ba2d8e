//! One recorded conversation: a JSON array whose first entry describes the rest.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A recording, as read from its file.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file name without `.json`.
    pub name: String,
    /// The payload of the first entry: name, title, note, verdict and more.
    pub meta: Value,
    /// The other entries, in the order of the file.
    pub entries: Vec<Entry>,
}

/// One thing that was done or seen.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Milliseconds since the start.
    pub time: u64,
    /// A client's name, or `server`.
    pub from: String,
    /// For what the server sent, the client that got it.
    pub to: Option<String>,
    /// Whether it may be missing.
    pub optional: bool,
    /// What it was.
    pub act: Act,
}

/// What an entry is about.
#[derive(Clone, Debug)]
pub enum Act {
    /// One text message, as on the wire.
    Frame(String),
    /// Anything else, by name.
    Event { name: String, payload: Value },
}

impl Entry {
    /// Whether the server is expected to do this.
    pub fn by_server(&self) -> bool {
        self.from == "server"
    }

    /// The client concerned, whoever acts.
    pub fn client(&self) -> &str {
        self.to.as_deref().unwrap_or(&self.from)
    }

    /// The name of the event; `frame` for a text message.
    pub fn event(&self) -> &str {
        match &self.act {
            Act::Frame(_) => "frame",
            Act::Event { name, .. } => name,
        }
    }

    /// The frame's text; empty for an event.
    pub fn frame(&self) -> &str {
        match &self.act {
            Act::Frame(text) => text,
            Act::Event { .. } => "",
        }
    }

    /// The event's payload; null for a frame.
    pub fn payload(&self) -> &Value {
        match &self.act {
            Act::Frame(_) => &Value::Null,
            Act::Event { payload, .. } => payload,
        }
    }

    /// A member of the event's payload; null where there is none.
    pub fn field(&self, name: &str) -> &Value {
        &self.payload()[name]
    }

    /// A text member of the event's payload; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or("")
    }

    /// A number of the event's payload; 0 where there is none.
    pub fn number(&self, name: &str) -> u64 {
        self.field(name).as_u64().unwrap_or(0)
    }
}

/// Reads all recordings of a directory, in the order of their names.
pub fn load(directory: &Path) -> Result<Vec<Recording>, String> {
    let files = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut recordings = Vec::new();
    for file in files {
        let path = file.map_err(|error| error.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            recordings.push(read(&path).map_err(|error| format!("{}: {error}", path.display()))?);
        }
    }
    if recordings.is_empty() {
        return Err(format!("{}: no recordings", directory.display()));
    }
    recordings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(recordings)
}

fn read(path: &Path) -> Result<Recording, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let all: Vec<Value> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let (first, rest) = all.split_first().ok_or("an empty recording")?;
    if first["from"] != "meta" {
        return Err("the first entry does not describe the recording".into());
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let entries = rest.iter().map(entry).collect::<Result<_, _>>()?;
    Ok(Recording { name, meta: first["payload"].clone(), entries })
}

fn entry(value: &Value) -> Result<Entry, String> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let act = match (text("frame"), text("event")) {
        (Some(frame), _) => Act::Frame(frame),
        (None, Some(name)) => Act::Event { name, payload: value["payload"].clone() },
        (None, None) => return Err(format!("neither frame nor event: {value}")),
    };
    Ok(Entry {
        time: value["t"].as_u64().ok_or_else(|| format!("no time: {value}"))?,
        from: text("from").ok_or_else(|| format!("from nobody: {value}"))?,
        to: text("to"),
        optional: value["optional"] == true,
        act,
    })
}
