//! The scenarios: `{name, steps: [{step, trigger, timeline: [entry]}]}`.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::TREATMENTS;

/// A recording.
#[derive(Debug, Clone, Deserialize)]
pub struct Scenario {
    /// Its name, that of its file.
    #[serde(default)]
    pub name: String,
    pub steps: Vec<Step>,
}

/// Something done from outside, and all that followed.
#[derive(Debug, Clone, Deserialize)]
pub struct Step {
    pub step: String,
    pub timeline: Vec<Entry>,
}

/// Something that happened.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    pub kind: String,
    #[serde(default)]
    pub by: String,
    #[serde(default)]
    pub topic: String,
    #[serde(default)]
    pub payload_hex: Option<String>,
    #[serde(default)]
    pub payload_text: Option<String>,
    #[serde(default)]
    pub decoded: Value,
    #[serde(default)]
    pub method: String,
    #[serde(default)]
    pub path: String,
    #[serde(default)]
    pub body: Value,
    #[serde(default)]
    pub status: u16,
    #[serde(default)]
    pub response: Value,
}

/// How one recording is replayed.
pub struct Treatment {
    /// The recording's name.
    pub name: &'static str,
    /// The program's environment.
    pub settings: &'static [(&'static str, &'static str)],
    /// Steps that are left out.
    pub skip: &'static [&'static str],
    /// Why.
    pub reason: &'static str,
}

impl Scenario {
    /// What is done with it, if anything. Its spoiled copies have longer names.
    pub fn treatment(&self) -> Option<&'static Treatment> {
        let name = self.name.split(" with ").next().unwrap_or_default();
        TREATMENTS.iter().find(|treatment| treatment.name == name)
    }
}

impl Entry {
    /// Whether the service did it, or its media process, whose part is ours.
    pub fn by_service(&self) -> bool {
        let ours = self.by == "service" || self.by.starts_with("media process");
        ours && matches!(self.kind.as_str(), "rest" | "rpc_reply" | "publish" | "rpush")
    }

    /// Whether the service hears it.
    pub fn to_service(&self) -> bool {
        self.kind == "rpc_request"
            || (self.kind == "publish" && self.by == "server" && self.topic.ends_with("UserManagerModule.events"))
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let hex = self.payload_hex.as_deref().unwrap_or_default();
        match &self.payload_text {
            Some(text) => text.clone().into_bytes(),
            None => (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits"))
                .collect(),
        }
    }
}

/// The scenarios of a directory, by name. Files of another form are left out if they are treated so.
pub fn all(directory: &Path) -> Result<Vec<Scenario>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        let whole: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if whole.get("steps").is_none() && TREATMENTS.iter().any(|treatment| treatment.name == name) {
            continue;
        }
        let mut scenario: Scenario =
            serde_json::from_value(whole).map_err(|error| format!("{}: {error}", path.display()))?;
        scenario.name = name;
        scenarios.push(scenario);
    }
    scenarios.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(scenarios)
}
