//! What a session and a connection cost, from ten sessions to six thousand:
//!
//!     cargo bench --bench density
//!
//! For each number of sessions a server of its own, whose store is on the disk: how long a start takes over the RPC, one
//! caller after the other; what memory an idle session takes, and an idle connection, two to a session; what the
//! processor does meanwhile; how 20,000 packets a second fare, and what they cost the floor; how long a stop takes. Then how dear it is when 10,000
//! connections close at once, how large the program is, and how soon it is ready. Draws `docs/images/density.svg`.
//! `-- --smoke` does a little of it and draws nothing.

#[path = "../tests/support/binary.rs"]
#[allow(dead_code, reason = "tests send it signals, too")]
mod binary;
#[path = "support/floor.rs"]
mod floor;
#[path = "support/peer.rs"]
#[allow(dead_code, reason = "others come from a registry")]
mod peer;
#[path = "support/plain.rs"]
mod plain;
#[path = "support/plot.rs"]
mod plot;
#[path = "support/viderehab.rs"]
mod viderehab_server;

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use viderehab::cli::load::process::{cpu_time, machine, memory};
use viderehab::cli::load::{Crowd, Meeting, Outcome, Pace, Work};
use viderehab_server::{Started, Viderehab};

const SESSIONS: [usize; 6] = [10, 100, 1000, 3000, 5000, 6000];

/// Packets a second, and bytes of Payload.
const RATE: f64 = 20_000.0;
const BYTES: usize = 600;

/// What one number of sessions came to.
struct Row {
    sessions: usize,
    start: [Duration; 2],
    session_bytes: f64,
    connection_bytes: f64,
    idle: f64,
    outcome: Outcome,
    packet: Duration,
    floor: Duration,
    memory: u64,
    stop: [Duration; 2],
}

fn main() {
    if std::env::args().nth(1).is_some_and(|argument| argument == "floor") {
        return floor::serve().expect("the floor serves");
    }
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("as many as there are");
    println!("{}, {:?} descriptors\n", machine(), limit.maximum.unwrap_or(u64::MAX));
    println!(
        "| sessions | start p50, p99 | a session | a connection | idle | packet | the floor's | p50, p99 at {RATE:.0}/s | memory | stop p50, p99 |"
    );
    println!("|{}", " --- |".repeat(10));
    let mut rows = Vec::new();
    for sessions in if smoke { &[10, 20][..] } else { &SESSIONS } {
        let row = measure(*sessions, if smoke { Duration::from_secs(1) } else { Duration::from_secs(5) });
        println!("{}", row.line());
        rows.push(row);
    }
    println!("\n| connections closed at once | in rooms of | processor | each | until all are forgotten |");
    println!("|{}", " --- |".repeat(5));
    for (rooms, members) in
        if smoke { &[(10, 2)][..] } else { &[(500, 2), (2500, 2), (5000, 2), (10, 100), (100, 100)] }
    {
        close(*rooms, *members);
    }
    ready();
    if !smoke {
        let series =
            |name, figure: fn(&Row) -> f64| (name, rows.iter().map(|row| (row.sessions as f64, figure(row))).collect());
        plot::draw(
            "docs/images/density.svg",
            "Cost by the number of sessions that run",
            &[
                series("a start, p50 (10 µs)", |row| row.start[0].as_secs_f64() * 1e5),
                series("a stop, p50 (10 µs)", |row| row.stop[0].as_secs_f64() * 1e5),
                series("a packet, of the processor (0.1 µs)", |row| row.packet.as_secs_f64() * 1e7),
                series("the same, of the floor (0.1 µs)", |row| row.floor.as_secs_f64() * 1e7),
                series("a packet, on its way, p99 (10 µs)", |row| row.outcome.latency(0.99).as_secs_f64() * 1e5),
                series("a session, memory (100 bytes)", |row| row.session_bytes / 100.0),
            ],
        );
    }
}

impl Row {
    fn line(&self) -> String {
        let [start, stop] = [self.start, self.stop].map(|[p50, p99]| format!("{}, {}", millis(p50), millis(p99)));
        format!(
            "| {} | {start} | {:.0} bytes | {:.0} bytes | {:.2} % | {:.1} µs | {:.1} µs | {}, {} | {:.0} MB | {stop} |",
            self.sessions,
            self.session_bytes,
            self.connection_bytes,
            self.idle * 100.0,
            self.packet.as_secs_f64() * 1e6,
            self.floor.as_secs_f64() * 1e6,
            millis(self.outcome.latency(0.5)),
            millis(self.outcome.latency(0.99)),
            self.memory as f64 / 1e6
        )
    }
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// The median and the 99th of a hundred.
fn shares(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort_unstable();
    [0.5, 0.99].map(|share| times[((times.len() - 1) as f64 * share) as usize])
}

fn measure(sessions: usize, time: Duration) -> Row {
    let folder = std::env::temp_dir().join(format!("viderehab-density-{}-{sessions}", std::process::id()));
    let server = Viderehab::start(sessions, folder.to_str().expect("a plain name"));
    let (mut rpc, process) = (server.rpc(), server.id());
    let bytes = || memory(process).expect("the server runs");
    let cpu = || cpu_time(process).expect("the server runs");

    // What the first of everything takes is not what each takes.
    let first = rpc.start(0);
    drop(Crowd::join(std::slice::from_ref(&first.meeting), 20).expect("all are let in"));
    rpc.stop(first.id);
    let empty = bytes();
    let started: Vec<Started> = (0..sessions).map(|number| rpc.start(number)).collect();
    sleep(Duration::from_secs(1));
    let alone = bytes();
    let meetings: Vec<Meeting> = started.iter().map(|session| session.meeting.clone()).collect();
    let mut crowd = Crowd::join(&meetings, 2).expect("all are let in");
    sleep(Duration::from_secs(2));
    let joined = bytes();
    let (before, idle_time) = (cpu(), time.min(Duration::from_secs(4)));
    sleep(idle_time);
    let idle = (cpu() - before).as_secs_f64() / idle_time.as_secs_f64();

    let (packet, outcome) = drive(&mut crowd, process, time);
    let memory = bytes();
    drop(crowd);
    // A new connection: the server has given up the first for its silence.
    let mut rpc = server.rpc();
    let stops = started.iter().map(|session| rpc.stop(session.id)).collect();
    drop(server);
    let _ = std::fs::remove_dir_all(folder);
    Row {
        sessions,
        start: shares(started.iter().map(|session| session.took).collect()),
        session_bytes: (alone.saturating_sub(empty)) as f64 / sessions as f64,
        connection_bytes: (joined.saturating_sub(alone)) as f64 / (2 * sessions) as f64,
        idle,
        outcome,
        packet,
        floor: of_the_floor(sessions, time),
        memory,
        stop: shares(stops),
    }
}

/// What a packet costs the server's processor, and how it fared.
fn drive(crowd: &mut Crowd, process: u32, time: Duration) -> (Duration, Outcome) {
    let cpu = || cpu_time(process).expect("the server runs");
    let mut before = Duration::ZERO;
    let work = Work { bytes: BYTES, pace: Pace::Rate(RATE), speakers: 0, time };
    let outcome = crowd.drive(&work, || before = cpu()).expect("nothing is lost");
    ((cpu() - before).div_f64(outcome.heard as f64), outcome)
}

/// What a packet costs the floor, with as many connections.
fn of_the_floor(rooms: usize, time: Duration) -> Duration {
    let floor = plain::floor();
    let mut crowd = Crowd::join(&plain::meetings(&floor, rooms), 2).expect("all are let in");
    drive(&mut crowd, floor.id(), time).0
}

/// What it takes when all connections of these rooms close at once.
fn close(rooms: usize, members: usize) {
    let server = Viderehab::start(rooms, "");
    let mut rpc = server.rpc();
    let meetings: Vec<Meeting> = (0..rooms).map(|number| rpc.start(number).meeting).collect();
    let crowd = Crowd::join(&meetings, members).expect("all are let in");
    let count = rooms * members;
    assert_eq!(rpc.metric("viderehab_connections"), count as u64);
    let cpu = || cpu_time(server.id()).expect("the server runs");
    let (before, since) = (cpu(), Instant::now());
    drop(crowd);
    while rpc.metric("viderehab_connections") > 0 {
        assert!(since.elapsed() < Duration::from_secs(30), "connections that are gone are forgotten");
        sleep(Duration::from_millis(20));
    }
    let (took, used) = (since.elapsed(), cpu() - before);
    let each = used.as_secs_f64() * 1e6 / count as f64;
    println!("| {count} | {members} | {} | {each:.1} µs | {} |", millis(used), millis(took));
}

/// How large the program is, and how soon it is ready.
fn ready() {
    let program = env!("CARGO_BIN_EXE_viderehab");
    let size = std::fs::metadata(program).expect("the program is there").len();
    let times = (0..20).map(|_| Viderehab::start(50, "").ready_after()).collect();
    let [p50, p99] = shares(times);
    println!("\nthe program: {:.1} MB, ready after {} (p50), {} (p99)", size as f64 / 1e6, millis(p50), millis(p99));
}
