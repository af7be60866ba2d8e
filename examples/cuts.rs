//! Cuts connections at random, a thousand times, and checks that nobody who is back in time has lost anything.
//!
//! `cargo build --release && cargo run --release --example cuts` starts that program and needs about three
//! minutes; `-- --seed 17` for another choice of cuts. What is checked: `tests/support/cuts.rs`. It ends with an
//! error at the first packet that was lost, doubled or out of order, and says which.

#[path = "../tests/support/binary.rs"]
#[allow(dead_code, reason = "each program uses what it needs of it")]
mod binary;
#[path = "../tests/support/cuts.rs"]
mod cuts;
#[path = "../tests/support/remote.rs"]
#[allow(dead_code, reason = "each program uses what it needs of it")]
mod remote;
#[path = "../tests/support/resuming.rs"]
#[allow(dead_code, reason = "each program uses what it needs of it")]
mod resuming;
#[path = "../tests/support/server.rs"]
#[allow(dead_code, reason = "each program uses what it needs of it")]
mod server;

use std::path::PathBuf;
use std::time::Duration;

use binary::Binary;
use clap::Parser;
use cuts::{Cut, Plan, run};
use resuming::Loss;

/// Of the program's own default.
const GRACE: Duration = Duration::from_secs(30);
/// Fifty rooms of four, five times each: a thousand cuts.
const ROOMS: usize = 50;
const CUTS: usize = 5;

#[derive(Parser)]
struct Arguments {
    /// Which cuts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The program to try.
    #[arg(long, default_value = "target/release/viderehab")]
    program: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let Arguments { seed, program } = Arguments::parse();
    let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
    let server = Binary::start(&program, "[limits]\nconnections_per_address = 0\n", &[])?;
    let plan = Plan {
        seed,
        rooms: ROOMS,
        cuts: CUTS,
        away: (Duration::from_millis(100), Duration::from_secs(40)),
        between: Duration::from_secs(4),
        grace: GRACE,
    };
    let report = run(&server, plan).await;
    println!("seed {seed}: {} cuts, {} packets heard, each once and in order\n", report.cuts.len(), report.heard);
    println!("| away | loss | cuts | back on their seat | told that they are late |\n| --- | --- | --- | --- | --- |");
    for (name, from, to) in [("0.1 to 1 s", 0, 1), ("1 to 10 s", 1, 10), ("10 to 30 s", 10, 30), ("30 to 40 s", 30, 41)]
    {
        for (loss, is_this) in [
            ("closed", (|cut| matches!(cut.how, Loss::Closed)) as fn(&Cut) -> bool),
            ("reset", |cut| matches!(cut.how, Loss::Reset)),
            ("silent", |cut| matches!(cut.how, Loss::Silent)),
        ] {
            let those = |cut: &&Cut| (from..to).contains(&cut.away.as_secs()) && is_this(cut);
            let count = report.cuts.iter().filter(those).count();
            let back = report.cuts.iter().filter(those).filter(|cut| cut.resumed).count();
            println!("| {name} | {loss} | {count} | {back} | {} |", count - back);
        }
    }
    Ok(())
}
