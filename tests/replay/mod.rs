//! Replays recorded conversations against a server that is known by its address only.
//!
//! `recording` reads the files, `treatments` says where a decision of ours departs from one of them,
//! `target` where the server is. `placeholders`, `json` and `pace` are what a comparison needs,
//! `http` and `websocket` the client's side of the wire. A driver for each kind of recording walks
//! its entries: `sockjs`, `videre`. `opentera` replays recordings of another form. `outcome` is what is told of each; `alter` spoils recordings, to
//! show that a replay can fail.

pub mod alter;
pub mod http;
mod json;
pub mod opentera;
pub mod outcome;
mod pace;
mod placeholders;
pub mod recording;
mod sockjs;
pub mod target;
pub mod treatments;
mod videre;
pub mod websocket;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use outcome::{Outcome, Verdict};
pub use target::Target;
pub use treatments::Prepared;

/// How many recordings run at once. Those about time run besides: they wait most of their life.
const AT_ONCE: usize = 4;

/// How the reason begins when a recording was not replayed for want of a server.
pub const NO_PLACE: &str = "no place to replay at";

/// The protocol of a folder of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Packets of the videre protocol, in a session of their own for each file.
    Videre,
    /// The four services of the SockJS test suite.
    Sockjs,
}

/// Replays every recording of a directory; outcomes in the order of their names.
pub async fn run(directory: &Path, kind: Kind, target: Target) -> Result<Vec<Outcome>, String> {
    Ok(run_all(treatments::prepared(directory, kind)?, kind, target).await)
}

/// Replays recordings that are in memory; outcomes in the given order.
pub async fn run_all(recordings: Vec<Prepared>, kind: Kind, target: Target) -> Vec<Outcome> {
    let target = Arc::new(target);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (place, prepared) in recordings.into_iter().enumerate() {
        let target = target.clone();
        let turns = turns.clone();
        tasks.spawn(async move {
            let _turn = match prepared.plan.timed {
                true => None,
                false => Some(turns.acquire_owned().await.expect("the semaphore is never closed")),
            };
            let verdict = verdict(&prepared, kind, &target).await;
            (place, Outcome { name: prepared.recording.name, verdict })
        });
    }
    let mut outcomes = Vec::new();
    while let Some(finished) = tasks.join_next().await {
        outcomes.push(finished.expect("a replay does not panic"));
    }
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

async fn verdict(prepared: &Prepared, kind: Kind, target: &Target) -> Verdict {
    let Prepared { recording, plan } = prepared;
    if let Some(why) = plan.skip {
        return Verdict::Skipped(why);
    }
    let address = match target.open().await {
        Ok(address) => address,
        Err(reason) => return Verdict::Failed(format!("{NO_PLACE}: {reason}")),
    };
    let result = match kind {
        Kind::Videre => videre::replay(recording, plan, &address).await,
        Kind::Sockjs => sockjs::replay(recording, plan, &address).await,
    };
    target.close(address).await;
    match (result, plan.reason) {
        (Err(reason), _) => Verdict::Failed(reason),
        (Ok(()), Some(reason)) => Verdict::Treated(reason),
        (Ok(()), None) => Verdict::Ok,
    }
}
