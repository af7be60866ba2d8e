//! `viderehab load`: drives load at a running server and prints figures.

mod crowd;
mod drive;
mod packet;
pub mod process;

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

pub use crowd::{Crowd, Meeting};
pub use drive::{Outcome, Pace, Work};

use super::client::{Calls, Client};
use crate::config::Config;

/// What to drive at the server.
#[derive(Debug, Args)]
pub struct Load {
    /// How many sessions to start, each with a room of its own
    #[arg(long, default_value_t = 50)]
    sessions: usize,
    /// How many peers join each
    #[arg(long, default_value_t = 2)]
    members: usize,
    /// How many of a session's peers speak; 0: all
    #[arg(long, default_value_t = 0)]
    speakers: usize,
    /// Bytes of a packet's Payload
    #[arg(long, default_value_t = 200)]
    bytes: usize,
    /// How many packets of each speaker are under way at a time
    #[arg(long, default_value_t = 1)]
    window: usize,
    /// Instead: packets a second, all speakers together, whatever has been heard
    #[arg(long, conflicts_with = "window", value_name = "PACKETS")]
    rate: Option<f64>,
    /// For how long
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    time: f64,
    /// The server's process, to see what it takes
    #[arg(long, value_name = "ID")]
    process: Option<u32>,
}

/// A session that was started, and how long that took.
struct Started {
    id: i64,
    meeting: Meeting,
    took: Duration,
}

/// Drives load at the server that the configuration names and prints what came of it. All sessions that it started are
/// stopped in the end.
pub async fn run(config: &Config, load: Load) -> ExitCode {
    match drive(config, &load).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("viderehab: {problem}");
            ExitCode::FAILURE
        }
    }
}

impl Load {
    /// For how long, if all of it makes sense.
    fn time(&self) -> Result<Duration, String> {
        if self.sessions == 0 || self.members < 2 {
            return Err("a session has at least two members, and there is at least one".to_owned());
        }
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err("--rate: a number of packets a second, more than none".to_owned());
        }
        Duration::try_from_secs_f64(self.time).map_err(|error| format!("--time: {error}"))
    }
}

async fn drive(config: &Config, load: &Load) -> Result<(), String> {
    let time = load.time()?;
    let limits = &config.limits;
    if limits.packets_per_second > 0 || limits.bytes_per_second > 0 || limits.connections_per_address > 0 {
        eprintln!(
            "viderehab: this configuration's limits hold here, too; to see what the server can do, give it and this \
             program one with packets_per_second, bytes_per_second and connections_per_address at 0"
        );
    }
    let client = Client::with_known_token(config)?;
    let mut started = Vec::new();
    let outcome = match start(config, &mut client.open().await?, load.sessions, &mut started).await {
        Ok(()) => figures(load, time, &started).await,
        Err(problem) => Err(problem),
    };
    // A new connection: the server has given up the first for its silence.
    let (mut calls, since) = (client.open().await?, Instant::now());
    let mut stopped = Ok(());
    for session in &started {
        let stop = json!({"session_manage": {"action": "stop", "id_session": session.id}});
        // Whatever becomes of one, the others are not to be left running.
        let reply = calls.post("/rpc/session_manage", &stop).await.map(drop);
        stopped = stopped.and(reply.map_err(|problem| format!("session {} was not stopped: {problem}", session.id)));
    }
    outcome?;
    stopped?;
    println!("stopped    {} sessions, {} each", started.len(), millis(since.elapsed() / started.len() as u32));
    Ok(())
}

/// Starts sessions one after the other, as one caller.
async fn start(config: &Config, calls: &mut Calls, count: usize, started: &mut Vec<Started>) -> Result<(), String> {
    for number in 0..count {
        let (since, call) = (
            Instant::now(),
            json!({"session_manage": {
                "action": "start", "id_session": 0,
                "session_users": [format!("load-user-{number}")], "session_participants": [format!("load-participant-{number}")],
            }}),
        );
        let (is_fine, reply) = calls.post("/rpc/session_manage", &call).await?;
        let took = since.elapsed();
        let meeting = meeting(config, &reply).filter(|_| is_fine);
        let (Some(meeting), Some(id)) = (meeting, reply["session"]["id_session"].as_i64()) else {
            return Err(format!("session {number} was not started: {}", reply["error_text"]));
        };
        started.push(Started { id, meeting, took });
    }
    Ok(())
}

/// Where the peers of a session that was started meet: its own port.
pub fn meeting(config: &Config, reply: &Value) -> Option<Meeting> {
    let url = reply["session"]["session_url_users"].as_str()?;
    let (port, rest) = url.split_once("/webrtc/")?.1.split_once('/')?;
    let key = rest.split_once("key=")?.1;
    let address = (config.webrtc.bind, port.parse().ok()?).into();
    Some(Meeting { address, path: format!("/ws?key={key}"), room_id: "main".to_owned() })
}

/// Has the peers join and speak, and prints how that went.
async fn figures(load: &Load, time: Duration, started: &[Started]) -> Result<(), String> {
    let mut starts: Vec<Duration> = started.iter().map(|session| session.took).collect();
    starts.sort_unstable();
    let share = |share: f64| starts[((starts.len() - 1) as f64 * share) as usize];
    println!("started    {} sessions, p50 {}, p99 {}", starts.len(), millis(share(0.5)), millis(share(0.99)));

    let meetings: Vec<Meeting> = started.iter().map(|session| session.meeting.clone()).collect();
    let pace = load.rate.map_or(Pace::Window(load.window), Pace::Rate);
    let work = Work { bytes: load.bytes, pace, speakers: load.speakers, time };
    let (members, process) = (load.members, load.process);
    // It waits by a poller of its own.
    let done = tokio::task::spawn_blocking(move || speak(&meetings, members, &work, process));
    done.await.expect("the load does not panic").map_err(|error| error.to_string())
}

fn speak(meetings: &[Meeting], members: usize, work: &Work, process: Option<u32>) -> io::Result<()> {
    let since = Instant::now();
    let mut crowd = Crowd::join(meetings, members)?;
    let each = since.elapsed() / u32::try_from(crowd.len()).unwrap_or(u32::MAX);
    println!("joined     {} peers, {} each", crowd.len(), millis(each));
    let of_server = || process.and_then(process::cpu_time);
    let mut before = None;
    let outcome = crowd.drive(work, || before = of_server())?;
    let after = of_server();
    let (heard, took) = (outcome.heard.max(1), outcome.took.as_secs_f64());
    println!(
        "heard      {} packets, {:.0} a second; none lost, doubled or out of order",
        outcome.heard,
        outcome.heard as f64 / took
    );
    let [p50, p99, p999, most] = [0.5, 0.99, 0.999, 1.0].map(|share| millis(outcome.latency(share)));
    println!("latency    p50 {p50}, p99 {p99}, p99.9 {p999}, at most {most}");
    let cost = |who: &str, cpu: Duration| {
        let (share, each) = (100.0 * cpu.as_secs_f64() / took, cpu.as_secs_f64() * 1e6 / heard as f64);
        println!("{who} {share:.0} % of a processor, {each:.2} µs a packet heard");
    };
    cost("this load ", outcome.own_cpu);
    if let (Some(before), Some(after)) = (before, after) {
        cost("the server", after.saturating_sub(before));
    }
    if let Some(bytes) = process.and_then(process::memory) {
        println!("           {:.1} MB", bytes as f64 / 1e6);
    }
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_told_before_a_session_is_started() {
        let load = |time, rate| Load {
            sessions: 1,
            members: 2,
            speakers: 0,
            bytes: 200,
            window: 1,
            rate,
            time,
            process: None,
        };
        assert_eq!(load(0.5, Some(20.0)).time(), Ok(Duration::from_millis(500)));
        for (time, rate, key) in [(-1.0, None, "--time"), (f64::NAN, None, "--time"), (1.0, Some(0.0), "--rate")] {
            assert!(load(time, rate).time().unwrap_err().starts_with(key));
        }
    }
}
