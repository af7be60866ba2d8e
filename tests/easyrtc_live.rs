//! The recordings of EasyRTC against a running session: over WebSocket and polling, by both versions of
//! Engine.IO.

mod easyrtc;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::path::Path;

use easyrtc::live::{WAYS, Way};
use easyrtc::suite;
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

async fn as_recorded(way: Way) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/easyrtc");
    let recordings = suite::recordings(&directory);
    assert_eq!(recordings.len(), 24 + 17, "all were found");
    let (usual, small) = (server::start(config(100)).await, server::start(config(2)).await);
    let addresses = [usual.address.to_string(), small.address.to_string()];
    let replays = tokio::task::spawn_blocking(move || {
        suite::run(&recordings, way, |capacity| {
            (addresses[usize::from(capacity == 2)].clone(), server::TOKEN.to_owned())
        })
    });
    let replayed = replays.await.unwrap();
    let failed: Vec<String> = replayed.into_iter().filter_map(|one| one.result.err()).collect();
    assert!(failed.is_empty(), "{way:?}: {} failed\n{}", failed.len(), failed.join("\n"));
    usual.app.stop().await;
    small.app.stop().await;
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
