//! A few random cuts; `examples/cuts.rs` does a thousand.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod binary;
#[path = "support/cuts.rs"]
#[allow(dead_code, reason = "the example tells more of them")]
mod cuts;
#[path = "support/remote.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod remote;
#[path = "support/resuming.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod resuming;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::path::Path;
use std::time::Duration;

use binary::Binary;
use cuts::{Plan, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");

/// Whoever is back in time has lost nothing and was not missed; whoever is not, is told.
#[tokio::test(flavor = "multi_thread")]
async fn random_cuts_lose_nothing() {
    let sections = "[sessions]\nresume_grace_secs = 3\n[limits]\nconnections_per_address = 0\n";
    let server = Binary::start(Path::new(PROGRAM), sections, &[]).unwrap();
    let plan = Plan {
        seed: 1,
        rooms: 10,
        cuts: 3,
        away: (Duration::from_millis(10), Duration::from_secs(5)),
        between: Duration::from_secs(1),
        grace: Duration::from_secs(3),
    };
    let report = run(&server, plan).await;
    assert_eq!(report.cuts.len(), 120);
    let back = report.cuts.iter().filter(|cut| cut.resumed).count();
    assert!((20..=110).contains(&back), "{back} of 120 were back in time");
    assert!(report.heard > 5_000, "{} packets were heard", report.heard);
}
