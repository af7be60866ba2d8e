//! Classes of faults that were found in other programs of this kind, each tried on the real program: it
//! lives, people in another session go on talking, memory stays bounded, the log is not filled, a metric moves.
//! docs/SECURITY.md lists which test answers for which class.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod binary;
#[path = "support/bystanders.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod bystanders;
#[path = "support/disk.rs"]
mod disk;
#[path = "support/easyrtc_clients.rs"]
mod easyrtc_clients;
#[path = "attacks/frames.rs"]
mod frames;
#[path = "attacks/full_disk.rs"]
mod full_disk;
#[path = "attacks/guesses.rs"]
mod guesses;
#[path = "attacks/http.rs"]
mod http;
#[path = "attacks/identities.rs"]
mod identities;
#[path = "support/machine.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod machine;
#[path = "attacks/origins.rs"]
mod origins;
#[path = "attacks/packets.rs"]
mod packets;
#[path = "attacks/people.rs"]
mod people;
#[path = "support/remote.rs"]
mod remote;
#[path = "attacks/scene.rs"]
mod scene;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use scene::Scene;

/// Every address that a WebSocket may be opened at, below the session's own.
fn sockets(scene: &Scene) -> [String; 4] {
    let (key, port) = (&scene.key, scene.address.port());
    [
        format!("/ws?key={key}"),
        format!("/echo/websocket?key={key}"),
        format!("/echo/000/abcdefgh/websocket?key={key}"),
        format!("/websocket/{port}/?EIO=4&transport=websocket&key={key}"),
    ]
}
