//! What relaying a packet costs, beside the least that any relay can cost and beside uWebSockets, in one run:
//!
//!     (cd benches/peers && npm ci) && cargo bench --bench relay
//!     cargo bench --bench relay -- 50x2:200:8 1x50:200:8       # these cells: rooms x members : bytes : window
//!     cargo bench --bench relay -- 1x50:200@500                # so many packets a second, instead of a window
//!
//! Each server is a process of its own, started anew for each measurement; the same load, on this process's one thread,
//! drives all in turn, round after round, so that noise is shared. A packet that is lost, doubled or out of order ends
//! the run. `-- --smoke` does a little of it without uWebSockets, to see that it still runs.

#[path = "../tests/support/binary.rs"]
#[allow(dead_code, reason = "tests send it signals, too")]
mod binary;
#[path = "support/floor.rs"]
mod floor;
#[path = "support/peer.rs"]
mod peer;
#[path = "support/plain.rs"]
mod plain;
#[path = "support/viderehab.rs"]
mod viderehab_server;

use std::process::Command;
use std::time::Duration;

use peer::{Peer, project, version};
use viderehab::cli::load::Pace::{Rate, Window};
use viderehab::cli::load::process::{cpu_time, machine};
use viderehab::cli::load::{Crowd, Meeting, Pace, Work};
use viderehab_server::Viderehab;

/// Rooms, members of each, bytes of Payload, and when each speaker says the next packet.
#[derive(Clone, Copy)]
struct Cell(usize, usize, usize, Pace);

const CELLS: [Cell; 19] = [
    Cell(50, 2, 200, Window(1)),
    Cell(50, 2, 200, Window(8)),
    Cell(50, 2, 3000, Window(1)),
    Cell(50, 2, 3000, Window(8)),
    Cell(1, 50, 200, Window(1)),
    Cell(1, 50, 200, Window(8)),
    Cell(1, 50, 3000, Window(1)),
    Cell(1, 50, 3000, Window(8)),
    Cell(1, 2, 600, Window(1)),
    Cell(10, 10, 600, Window(1)),
    Cell(10, 10, 600, Window(8)),
    Cell(10, 10, 1200, Window(8)),
    Cell(300, 2, 600, Window(1)),
    Cell(300, 2, 600, Window(8)),
    Cell(300, 2, 1200, Window(1)),
    Cell(300, 2, 1200, Window(8)),
    // As people and their pages do, who wait for nobody: what is said does not depend on how soon it is heard.
    Cell(1, 50, 200, Rate(500.0)),
    Cell(1, 50, 3000, Rate(500.0)),
    Cell(10, 10, 600, Rate(2000.0)),
];

/// How many members of a large room speak: in a call of fifty not all do.
const SPEAKERS: usize = 4;

/// The servers, in the order of the table.
const SERVERS: [fn(usize) -> Server; 3] = [floor_server, uwebsockets, viderehab];

/// A server that runs, and where the peers of each room meet.
struct Server {
    process: u32,
    meetings: Vec<Meeting>,
    _keep: Box<dyn std::any::Any>,
}

#[derive(Clone, Copy)]
struct Measured {
    /// The server's for a packet that somebody heard, with the system's for it.
    cpu: Duration,
    p50: Duration,
    p99: Duration,
    /// How much of the load's own processor it took: under 100 %, it waited for the server.
    load: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("floor") => floor::serve().expect("the floor serves"),
        Some("--smoke") => compare(
            &[Cell(3, 2, 200, Window(8)), Cell(1, 10, 200, Rate(100.0))],
            &[0, 2],
            1,
            Duration::from_millis(500),
        ),
        Some(_) => {
            let cells: Vec<Cell> = arguments.iter().map(|cell| Cell::parse(cell)).collect();
            compare(&cells, &[0, 1, 2], 5, Duration::from_millis(1500));
        }
        None => compare(&CELLS, &[0, 1, 2], 5, Duration::from_millis(1500)),
    }
}

impl Cell {
    fn parse(text: &str) -> Self {
        let numbers: Vec<usize> = text.split(['x', ':', '@']).filter_map(|number| number.parse().ok()).collect();
        let [rooms, members, bytes, pace] = numbers[..] else {
            panic!("{text} is no rooms x members:bytes:window, nor one with @packets a second")
        };
        Self(rooms, members, bytes, if text.contains('@') { Rate(pace as f64) } else { Window(pace) })
    }
}

fn compare(cells: &[Cell], servers: &[usize], rounds: usize, time: Duration) {
    println!("{}", machine());
    if servers.contains(&1) {
        println!("uWebSockets of Bun {}", version(&project("benches/peers"), "@oven/bun-linux-x64"));
    }
    println!("\nCPU time of the server for each packet heard, medians of {rounds} rounds of {time:?}:\n");
    println!(
        "| rooms × members | bytes | pace | floor | uWebSockets | viderehab | of the floor | of uWebSockets | p50, p99 floor | uWebSockets | viderehab | load |"
    );
    println!("|{}", " --- |".repeat(12));
    for cell in cells {
        let mut all = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            for number in servers {
                all[*number].push(measure(&SERVERS[*number](cell.0), *cell, time));
            }
        }
        let [floor, uws, ours] = all.map(median);
        let Cell(rooms, members, bytes, pace) = cell;
        let pace = match pace {
            Window(packets) => format!("window {packets}"),
            Rate(packets) => format!("{packets} a second"),
        };
        let cost = |of: Option<Measured>| of.map_or("-".to_owned(), |of| micros(of.cpu, 2));
        let latency = |of: Option<Measured>| {
            of.map_or("-".to_owned(), |of| format!("{}, {}", micros(of.p50, 0), micros(of.p99, 0)))
        };
        let ratio = |of: Option<Measured>| match (ours, of) {
            (Some(ours), Some(of)) => format!("{:.2}", ours.cpu.as_secs_f64() / of.cpu.as_secs_f64()),
            _ => "-".to_owned(),
        };
        println!(
            "| {rooms} × {members} | {bytes} | {pace} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cost(floor),
            cost(uws),
            cost(ours),
            ratio(floor),
            ratio(uws),
            latency(floor),
            latency(uws),
            latency(ours),
            ours.map_or(String::new(), |ours| format!("{:.0} %", 100.0 * ours.load))
        );
    }
}

fn micros(time: Duration, digits: usize) -> String {
    format!("{:.digits$} µs", time.as_secs_f64() * 1e6)
}

fn measure(server: &Server, Cell(_, members, bytes, pace): Cell, time: Duration) -> Measured {
    let mut crowd = Crowd::join(&server.meetings, members).expect("all are let in");
    let speakers = if members > SPEAKERS { SPEAKERS } else { 0 };
    let work = Work { bytes, pace, speakers, time };
    let of_server = || cpu_time(server.process).expect("the server runs");
    let mut before = Duration::ZERO;
    let outcome = crowd.drive(&work, || before = of_server()).expect("nothing is lost");
    let cpu = (of_server() - before).div_f64(outcome.heard as f64);
    let load = outcome.own_cpu.as_secs_f64() / outcome.took.as_secs_f64();
    Measured { cpu, p50: outcome.latency(0.5), p99: outcome.latency(0.99), load }
}

/// Of each figure by itself.
fn median(of: Vec<Measured>) -> Option<Measured> {
    let middle = |figure: fn(&Measured) -> Duration| {
        let mut all: Vec<Duration> = of.iter().map(figure).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    };
    let load = of.iter().map(|one| one.load).fold(0.0, f64::max);
    Some(Measured { cpu: middle(|of| of.cpu)?, p50: middle(|of| of.p50)?, p99: middle(|of| of.p99)?, load })
}

fn floor_server(rooms: usize) -> Server {
    without_keys(plain::floor(), rooms)
}

fn uwebsockets(rooms: usize) -> Server {
    let folder = project("benches/peers");
    let bun = folder.join("node_modules/@oven/bun-linux-x64/bin/bun");
    without_keys(Peer::start(Command::new(bun).arg("uws.js").current_dir(folder)), rooms)
}

fn without_keys(peer: Peer, rooms: usize) -> Server {
    Server { process: peer.id(), meetings: plain::meetings(&peer, rooms), _keep: Box::new(peer) }
}

fn viderehab(rooms: usize) -> Server {
    let server = Viderehab::start(rooms, "");
    let mut rpc = server.rpc();
    let meetings = (0..rooms).map(|number| rpc.start(number).meeting).collect();
    Server { process: server.id(), meetings, _keep: Box::new(server) }
}
