//! Packets and bodies, as recordings of the wire write them.

use serde_json::Value;
use viderehab::wire::socketio::{Version, packets};

/// What two packets have in common that may not overtake each other.
pub fn kind_of(packet: &str) -> &str {
    packet.get(..2).unwrap_or(packet)
}

/// A packet's type, with an acknowledgement's number, and its payload. An event's own number means
/// nothing to anybody.
pub fn split(packet: &str) -> (&str, &str) {
    let at = packet.find(|character: char| !character.is_ascii_digit()).unwrap_or(packet.len());
    if packet.starts_with("42") { ("42", &packet[at..]) } else { packet.split_at(at) }
}

/// The version that an address is of.
pub fn version_of(url: &str) -> Version {
    Version::of_query(url.contains("EIO=4").then_some("4"))
}

/// The packets of a recorded body. One of Engine.IO 3 that is a text has the length of the text that
/// was there before the placeholders, and one packet.
pub fn packets_of(body: &Value, version: Version) -> Vec<String> {
    match body {
        Value::String(text) if version == Version::V3 => {
            text.split_once(':').map(|(_, packet)| packet.to_owned()).into_iter().collect()
        }
        Value::String(text) => packets(version, text.as_bytes()).flatten().map(str::to_owned).collect(),
        Value::Object(body) => texts(&body["packets"]),
        _ => Vec::new(),
    }
}

/// Recorded packets.
pub fn texts(packets: &Value) -> Vec<String> {
    packets.as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}

/// An event nobody knows, of so many bytes.
pub fn event_of(length: usize) -> String {
    format!("42[\"nothing\",\"{}\"]", "x".repeat(length - 16))
}
