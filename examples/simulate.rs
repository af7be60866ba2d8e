//! Runs the session core by seeds, with whole servers' worth of sessions: peers come, connect, speak,
//! read late, lose their connections, come back, are removed; sessions stop, servers restart. Each step
//! is checked against a model (`tests/support/model`); a failure tells its seed.
//!
//! `cargo run --release --example simulate` runs for ten seconds; `-- --seconds 600` for longer, `--
//! --seed 17` only that seed, to see what it found. Each seed is as long as any other. `--at-least 100000` fails, too, where
//! fewer steps a second are made.

#[path = "../tests/support/model/mod.rs"]
#[allow(dead_code, reason = "the fuzz targets choose otherwise")]
mod model;
#[path = "../tests/support/simulation.rs"]
mod simulation;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::Server;

/// Steps of one seed, and the sessions that share them.
const STEPS: usize = 100_000;
const SESSIONS: usize = 50;

#[derive(Parser)]
struct Arguments {
    /// How long to go on from seed to seed.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The one seed to run.
    #[arg(long)]
    seed: Option<u64>,
    /// The first of several.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many steps a second are enough: with fewer it fails. Meant for a release build.
    #[arg(long, default_value_t = 0)]
    at_least: u64,
}

fn main() -> ExitCode {
    let Arguments { seconds, seed, from, at_least } = Arguments::parse();
    let (begin, limit) = (Instant::now(), Duration::from_secs(seconds));
    let (mut steps, mut sessions) = (0, 0);
    for next in seed.unwrap_or(from).. {
        let Ok(started) = catch_unwind(|| run(next)) else {
            eprintln!("seed {next} failed: cargo run --release --example simulate -- --seed {next}");
            return ExitCode::FAILURE;
        };
        (steps, sessions) = (steps + STEPS, sessions + started);
        if seed.is_some() || begin.elapsed() >= limit {
            break;
        }
    }
    let rate = steps as f64 / begin.elapsed().as_secs_f64();
    println!("{steps} steps in {sessions} sessions, {rate:.0} steps a second, no failure");
    if rate < at_least as f64 {
        eprintln!("that is slow: at least {at_least} steps a second were asked for");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(seed: u64) -> usize {
    let mut server = Server::new(seed, SESSIONS);
    server.run(STEPS);
    server.finish();
    server.started
}
