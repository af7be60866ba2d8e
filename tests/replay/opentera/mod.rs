//! Recordings of the VideoRehab service on an OpenTera server, replayed against the program with a
//! real Redis, and a stand-in for the server's REST API that answers as recorded.
//!
//! `scenario` reads the files, `site` is what the program runs on, `player` walks a scenario's
//! entries, `compare` says what is the same, `decode` what bytes mean, `spoil` spoils scenarios.

mod compare;
mod decode;
#[path = "../../support/https.rs"]
#[allow(dead_code, reason = "the faults' tests refuse connections, a replay does not")]
mod https;
mod player;
#[path = "../../support/redis.rs"]
#[allow(dead_code, reason = "the faults' tests kill it, a replay does not")]
mod redis_server;
pub mod scenario;
mod site;
pub mod spoil;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::outcome::{Outcome, Verdict};
use scenario::{Scenario, Treatment};

/// How many scenarios run at once: each has a Redis and a program of its own.
const AT_ONCE: usize = 4;

/// What the program is started with for certain recordings, and what of them is not replayed.
pub const TREATMENTS: &[Treatment] = &[
    Treatment {
        name: "connect_disconnect",
        settings: &[("VIDEREHAB_SESSIONS__CREATOR_GRACE_SECS", "0")],
        skip: &[],
        reason: "with creator_grace_secs = 0, since the original ended a session at once",
    },
    Treatment {
        name: "port_pool",
        settings: &[("VIDEREHAB_WEBRTC__MAX_SESSIONS", "2")],
        skip: &[],
        reason: "recorded with a pool of two ports",
    },
    Treatment {
        name: "stop_failures",
        settings: &[],
        skip: &["stop again"],
        reason: "the second stop after a failed STOP event is a normal stop here; a test of its own has it",
    },
    Treatment { name: "jwt", settings: &[], skip: &[], reason: "no scenario: tokens, read by the tests of `token.rs`" },
    Treatment {
        name: "startup",
        settings: &[],
        skip: &[],
        reason: "no scenario: what the original reads of Redis at its start, of which less is needed here",
    },
    Treatment {
        name: "web_pages",
        settings: &[],
        skip: &[],
        reason: "no scenario: requests of pages, replayed by `tests/pages.rs`",
    },
    Treatment {
        name: "wire_formats",
        settings: &[],
        skip: &[],
        reason: "no scenario: single messages, read by the tests of `wire/opentera`",
    },
];

/// Replays every scenario of a directory against this program; outcomes in the order of their names.
///
/// # Errors
/// A directory or file that cannot be read.
pub async fn run(directory: &Path, program: &Path) -> Result<Vec<Outcome>, String> {
    Ok(run_all(scenario::all(directory)?, program).await)
}

/// Replays scenarios that are in memory; outcomes in the given order.
pub async fn run_all(scenarios: Vec<Scenario>, program: &Path) -> Vec<Outcome> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (place, scenario) in scenarios.into_iter().enumerate() {
        let (turns, program) = (turns.clone(), program.to_owned());
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await.expect("the semaphore is never closed");
            let verdict = match (player::play(&scenario, &program).await, scenario.treatment()) {
                (Err(reason), _) => Verdict::Failed(reason),
                (Ok(()), Some(treatment)) => Verdict::Treated(treatment.reason),
                (Ok(()), None) => Verdict::Ok,
            };
            (place, Outcome { name: scenario.name, verdict })
        });
    }
    let mut outcomes: Vec<_> = tasks.join_all().await;
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
