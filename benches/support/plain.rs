//! Servers without keys, with one address for all rooms.

use std::process::Command;

use viderehab::cli::load::Meeting;

use super::peer::Peer;

/// The floor, in a process of its own: this program, which serves it when it is told `floor`.
pub fn floor() -> Peer {
    Peer::start(Command::new(std::env::current_exe().expect("a program")).arg("floor"))
}

/// Where the peers of each room meet on such a server.
pub fn meetings(peer: &Peer, rooms: usize) -> Vec<Meeting> {
    let address = ([127, 0, 0, 1], peer.place.parse().expect("a port")).into();
    let meeting = |room| Meeting { address, path: "/ws".to_owned(), room_id: format!("room-{room:05}") };
    (0..rooms).map(meeting).collect()
}
