//! All recordings of a directory, each in a session of its own on a running server.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use super::live::{Live, Way};
use super::recording::Recording;
use super::session::Session;
use super::treatments::treated;
use super::{replay, wire};

/// How many are replayed at once: they wait most of their time.
const AT_ONCE: usize = 16;

/// What became of one.
pub struct Replayed {
    pub name: String,
    pub result: Result<(), String>,
}

/// The recordings as they are replayed: those of EasyRTC's messages, and those of the wire.
pub fn recordings(directory: &Path) -> (Vec<Recording>, Vec<Recording>) {
    let treated = Recording::all(directory).into_iter().flat_map(treated);
    treated.partition(|recording| !recording.is_of_the_wire())
}

/// Replays them, by this way those of messages; `server` names the one whose rooms take so many
/// members: its manager's `host:port` and the admin token.
pub fn run(recordings: &[Recording], way: Way, server: impl Fn(usize) -> (String, String) + Sync) -> Vec<Replayed> {
    let (left, done) = (Mutex::new(recordings.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(recording) = left.lock().unwrap().next() else { return };
                    let (manager, token) = server(recording.capacity);
                    let replayed = || {
                        let session = Session::start(&manager, &token);
                        match recording.is_of_the_wire() {
                            true => wire::replay(recording, &session),
                            false => replay(recording, &mut Live::new(session, way)),
                        }
                    };
                    // What a client cannot understand ends it by a panic, and no more than that.
                    let result =
                        catch_unwind(AssertUnwindSafe(replayed)).unwrap_or_else(|_| Err("not understood".into()));
                    done.lock().unwrap().push(Replayed { name: recording.name.clone(), result });
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by(|one, other| one.name.cmp(&other.name));
    done
}
