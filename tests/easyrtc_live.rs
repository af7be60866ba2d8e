//! The recordings of EasyRTC against a running session: over WebSocket and polling, by both versions of
//! Engine.IO, and what was on the wire as it was.

mod easyrtc;
#[path = "replay/http.rs"]
#[allow(dead_code, reason = "the replay of the wire uses it")]
mod http;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;
#[path = "replay/websocket.rs"]
#[allow(dead_code, reason = "likewise")]
mod websocket;

use std::path::Path;

use easyrtc::live::{WAYS, Way};
use easyrtc::recording::Recording;
use easyrtc::suite;
use serde_json::{Value, json};
use viderehab::config::Config;

/// The servers that the recorded one was configured with; rates are not what recordings are about.
fn config(capacity: usize) -> Config {
    // Each recording has a session of its own, and all run at once.
    let mut config = server::config_of(64);
    config.webrtc.ice_servers = toml::from_str::<toml::Table>(
        r#"servers = [{urls = "stun:127.0.0.1:3478"}, {urls = "turn:127.0.0.1:3478?transport=udp", username = "user", credential = "pass"}]"#,
    )
    .unwrap()["servers"]
        .clone()
        .try_into()
        .unwrap();
    config.limits.room_peers = capacity;
    config.limits.packets_per_second = 0;
    config.limits.bytes_per_second = 0;
    config.limits.connections_per_address = 0;
    config
}

/// Replays recordings; of each that fails, where.
async fn failures(recordings: Vec<Recording>, way: Way) -> Vec<String> {
    let (usual, small) = (server::start(config(100)).await, server::start(config(2)).await);
    let addresses = [usual.address.to_string(), small.address.to_string()];
    let replays = tokio::task::spawn_blocking(move || {
        suite::run(&recordings, way, |capacity| {
            (addresses[usize::from(capacity == 2)].clone(), server::TOKEN.to_owned())
        })
    });
    let replayed = replays.await.unwrap();
    usual.app.stop().await;
    small.app.stop().await;
    replayed.into_iter().filter_map(|one| one.result.err()).collect()
}

fn recordings() -> (Vec<Recording>, Vec<Recording>) {
    suite::recordings(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/easyrtc"))
}

async fn as_recorded(way: Way) {
    let (messages, _) = recordings();
    assert_eq!(messages.len(), 25 + 17, "all were found");
    let failed = failures(messages, way).await;
    assert!(failed.is_empty(), "{way:?}: {} failed\n{}", failed.len(), failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn by_websocket_of_version_4() {
    as_recorded(WAYS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_websocket_of_version_3() {
    as_recorded(WAYS[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_polling_of_version_4() {
    as_recorded(WAYS[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_polling_of_version_3() {
    as_recorded(WAYS[3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_wire() {
    let (_, wire) = recordings();
    assert_eq!(wire.len(), 10 + 2, "all were found");
    let failed = failures(wire, WAYS[0]).await;
    assert!(failed.is_empty(), "{} failed\n{}", failed.len(), failed.join("\n"));
}

/// What a server says on the wire, changed, is missed: the first thing of each kind in each recording.
#[tokio::test(flavor = "multi_thread")]
async fn spoiled_on_the_wire() {
    let mut spoiled = Vec::new();
    for recording in recordings().1 {
        for spoil in [spoil_text, spoil_event, spoil_status, spoil_packets] {
            let mut other = recording.clone();
            // What comes late is of no use here: the test would wait for it.
            other.entries.retain(|entry| entry["offsetMs"].is_null());
            if let Some(at) = other.entries.iter_mut().position(|entry| entry["from"] != "note" && spoil(entry)) {
                other.name = format!("{}: t={}", other.name, other.entries[at]["t"]);
                spoiled.push(other);
            }
        }
    }
    let (count, names) = (spoiled.len(), spoiled.iter().map(|one| one.name.clone()).collect::<Vec<_>>());
    assert!(count > 20, "only {count}");
    let failed = failures(spoiled, WAYS[0]).await;
    // Told is the recording, and that it failed just there.
    let is_told = |name: &String| {
        let told = format!("{name}: {}: ", name.split(": ").nth(1).unwrap());
        failed.iter().any(|failure| failure.starts_with(&told))
    };
    let missed: Vec<_> = names.iter().filter(|name| !is_told(name)).collect();
    assert!(missed.is_empty(), "nobody misses {missed:?}\n{}", failed.join("\n"));
}

fn spoil_text(entry: &mut Value) -> bool {
    let is_one = entry["from"] == "server" && entry["event"] == "ws.text";
    if is_one {
        entry["payload"] = json!(format!("{}0", entry["payload"].as_str().unwrap()));
    }
    is_one
}

fn spoil_event(entry: &mut Value) -> bool {
    let text = entry["payload"].as_str().unwrap_or_default().to_owned();
    let is_one = entry["from"] == "server" && (text.starts_with("42") || text.starts_with("43"));
    if is_one {
        entry["payload"] = json!(text.replacen("\"msgType\":\"", "\"msgType\":\"un", 1));
    }
    is_one
}

fn spoil_status(entry: &mut Value) -> bool {
    let is_one = entry["event"] == "http" && entry["ack"]["status"] == 400;
    if is_one {
        entry["ack"]["status"] = json!(401);
    }
    is_one
}

fn spoil_packets(entry: &mut Value) -> bool {
    let packets = entry.pointer_mut("/ack/body/packets").and_then(Value::as_array_mut);
    packets.map(|packets| packets.push(json!("6"))).is_some()
}
