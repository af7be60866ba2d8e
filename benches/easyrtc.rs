//! What relaying an `easyrtcMsg` costs, beside the open-easyrtc server on Node, in one run:
//!
//!     (cd tests/e2e && npm ci) && cargo bench --bench easyrtc
//!
//! Each server is a process of its own; the same clients, here, drive both in turn, so that noise is
//! shared. A message that is lost, doubled or out of order ends the run. `-- --smoke` does a little of
//! everything, to see that it still runs.

#[path = "../tests/support/binary.rs"]
#[allow(dead_code, reason = "tests send it signals, too")]
mod binary;
#[path = "support/client.rs"]
mod client;
#[path = "support/peer.rs"]
mod peer;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use binary::Binary;
use client::{Pair, Server};
use peer::{Peer, project, version};
use viderehab::cli::load::process;

const LIMITS: &str =
    "[limits]\npackets_per_second = 0\nbytes_per_second = 0\nconnections_per_address = 0\npeers = 0\nrooms = 0\n";

/// Pairs of peers, bytes of payload, and how many messages each keeps under way.
const SHAPES: [(usize, usize, usize); 7] =
    [(1, 600, 1), (50, 600, 1), (1, 600, 32), (10, 120, 32), (10, 600, 32), (10, 1200, 8), (50, 600, 32)];

struct Measured {
    /// Of the processor per message, with the system's for it.
    cpu: Duration,
    p50: Duration,
    p99: Duration,
}

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let (rounds, messages) = if smoke { (1, 500) } else { (5, 60_000) };
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    runtime.block_on(async {
        let ours = Binary::start(Path::new(env!("CARGO_BIN_EXE_viderehab")), LIMITS, &[]).expect("viderehab starts");
        let folder = project("tests/e2e");
        let library = version(&folder, "open-easyrtc");
        let node = Peer::start(
            Command::new("node").args(["easyrtc/server.mjs", "."]).current_dir(folder).env("NODE_ENV", "production"),
        );
        let address = node.place.strip_prefix("http://").and_then(|url| url.split('/').next()).expect("a URL");
        let servers = [Server::of_viderehab(&ours).await, Server::plain(address.parse().expect("an address"))];
        let processes = [ours.id(), node.id()];
        let node_version = Command::new("node").arg("--version").output().expect("node is installed").stdout;
        let node_version = String::from_utf8_lossy(&node_version);
        println!("{}, node {}, open-easyrtc {library}\n", process::machine(), node_version.trim());
        println!("CPU time of the server per relayed message, medians of {rounds} rounds of {messages} messages:\n");
        println!("| pairs | bytes | window | viderehab | open-easyrtc | ratio | p50, p99 ours | p50, p99 theirs |");
        println!("|{}", " --- |".repeat(8));
        for shape in SHAPES {
            let mut results: [Vec<Measured>; 2] = [Vec::new(), Vec::new()];
            for _ in 0..rounds {
                for which in 0..2 {
                    results[which].push(measure(&servers[which], processes[which], shape, messages).await);
                }
            }
            let [ours, theirs] = results.map(median);
            let ratio = theirs.cpu.as_secs_f64() / ours.cpu.as_secs_f64().max(1e-9);
            let (pairs, bytes, window) = shape;
            let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
            println!(
                "| {pairs} | {bytes} | {window} | {} | {} | {ratio:.1} | {}, {} | {}, {} |",
                micros(ours.cpu),
                micros(theirs.cpu),
                micros(ours.p50),
                micros(ours.p99),
                micros(theirs.p50),
                micros(theirs.p99)
            );
        }
        let [ours, theirs] = processes.map(|id| process::memory(id).expect("it runs") / (1024 * 1024));
        println!("\nmemory at the end: viderehab {ours} MB, node {theirs} MB");
    });
}

async fn measure(
    server: &Server,
    server_process: u32,
    (pairs, bytes, window): (usize, usize, usize),
    messages: usize,
) -> Measured {
    let mut all = Vec::new();
    for _ in 0..pairs {
        all.push(Pair::join(server).await);
    }
    let each = messages / pairs;
    // What is new is slower on both: not counted.
    all = talk(all, bytes, window, each.min(200)).await.0;
    let cpu_time = || process::cpu_time(server_process).expect("the server runs");
    let before = cpu_time();
    let (_, mut latencies) = talk(all, bytes, window, each).await;
    let after = cpu_time();
    let messages = u32::try_from(each * pairs).expect("a small number");
    let cpu = after.saturating_sub(before) / messages;
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    Measured { cpu, p50: at(0.5), p99: at(0.99) }
}

/// All pairs at once, each so many messages; how long each message took.
async fn talk(pairs: Vec<Pair>, bytes: usize, window: usize, messages: usize) -> (Vec<Pair>, Vec<Duration>) {
    let mut tasks = tokio::task::JoinSet::new();
    for mut pair in pairs {
        tasks.spawn(async move {
            let latencies = pair.talk(bytes, window, messages).await;
            (pair, latencies)
        });
    }
    let (pairs, latencies): (Vec<_>, Vec<Vec<_>>) = tasks.join_all().await.into_iter().unzip();
    (pairs, latencies.concat())
}

fn median(mut of: Vec<Measured>) -> Measured {
    of.sort_unstable_by_key(|one| one.cpu);
    let middle = of.len() / 2;
    of.swap_remove(middle)
}
