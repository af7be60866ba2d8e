//! Replays recorded conversations and tells of each in a line.
//!
//! `cargo run --example replay -- videre DIRECTORY` starts the program, built beforehand in the same
//! profile; `-- easyrtc DIRECTORY` likewise, over WebSocket and polling of both versions of Engine.IO;
//! `-- opentera DIRECTORY` likewise, with a redis-server for each recording; and `-- sockjs DIRECTORY` starts the services of the SockJS test suite. Against servers that
//! run already: `-- videre DIRECTORY --manager http://HOST:PORT --token TOKEN` and `-- sockjs DIRECTORY
//! --server HOST:PORT`. Sessions are reached at their own ports; `--way ws` opens raw WebSockets at
//! `/ws` there, `--way front-door` goes through the manager's port.

#[path = "../tests/support/binary.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod binary;
#[path = "../tests/easyrtc/mod.rs"]
#[allow(dead_code)] // the rules alone are replayed by tests
mod easyrtc;
#[allow(dead_code)] // the tests spoil recordings with it, too
#[path = "../tests/replay/mod.rs"]
mod replay;
#[path = "../tests/support/sockjs_services.rs"]
mod sockjs_services;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use binary::Binary;
use easyrtc::live::WAYS;
use easyrtc::suite::{self, Replayed};
use replay::target::{Address, Manager, Way};
use replay::{Kind, Outcome, Target, Verdict, http, websocket};

const USAGE: &str = "usage: replay videre DIRECTORY [--manager URL --token TOKEN] [--way port|ws|front-door]\n       \
                     replay sockjs DIRECTORY [--server HOST:PORT]\n       replay easyrtc|opentera DIRECTORY";
/// The largest recorded packet is of a megabyte; rates are not what recordings are about.
const LIMITS: &str = "[limits]\nmessage_bytes = 4000000\nlog_bytes = 16000000\npackets_per_second = 0\n\
                      bytes_per_second = 0\nconnections_per_address = 0\n";

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}

/// Replays, and gives the number of failures.
async fn run(arguments: Vec<String>) -> Result<usize, String> {
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let [kind, directory, ..] = arguments.as_slice() else { return Err(USAGE.into()) };
    if kind == "opentera" {
        return told(&replay::opentera::run(Path::new(directory), &program()?).await?);
    }
    if kind == "easyrtc" {
        return told(&all_ways(Path::new(directory))?);
    }
    let way = match option("--way").as_deref() {
        None | Some("port") => Way::Port,
        Some("ws") => Way::Ws,
        Some("front-door") => Way::FrontDoor,
        Some(_) => return Err(USAGE.into()),
    };
    let mut _started = None; // runs as long as the replay
    let mut _services = None; // likewise
    let (kind, target) = match (kind.as_str(), option("--manager"), option("--server")) {
        ("videre", Some(url), _) => {
            let token = option("--token").ok_or(USAGE)?;
            (Kind::Videre, Target::Sessions(Manager { url, token, way }))
        }
        ("videre", None, _) => {
            let binary = _started.insert(start_binary()?);
            let manager = Manager { url: binary.url.clone(), token: binary.token.clone(), way };
            (Kind::Videre, Target::Sessions(manager))
        }
        ("sockjs", _, Some(host)) => (Kind::Sockjs, Target::Fixed(Address::plain(&host))),
        ("sockjs", _, None) => {
            let services = _services.insert(sockjs_services::start().await);
            (Kind::Sockjs, Target::Fixed(Address::plain(&services.host())))
        }
        _ => return Err(USAGE.into()),
    };
    let outcomes = replay::run(Path::new(directory), kind, target).await?;
    told(&outcomes)
}

/// EasyRTC's recordings of messages in every way that clients connect, those of the wire in their own;
/// their servers had these ICE servers.
fn all_ways(directory: &Path) -> Result<Vec<Outcome>, String> {
    const ICE: &str = r#"[{urls = ["stun:127.0.0.1:3478"]}, {urls = ["turn:127.0.0.1:3478?transport=udp"], username = "user", credential = "pass"}]"#;
    let (messages, wire) = suite::recordings(directory);
    let mut servers = HashMap::new();
    for capacity in messages.iter().chain(&wire).map(|recording| recording.capacity) {
        if let Entry::Vacant(place) = servers.entry(capacity) {
            let limits = format!("{LIMITS}room_peers = {capacity}\n");
            place.insert(Binary::start(&program()?, &limits, &[("VIDEREHAB_WEBRTC__ICE_SERVERS", ICE)])?);
        }
    }
    let server = |capacity| {
        let binary: &Binary = &servers[&capacity];
        (binary.url.trim_start_matches("http://").to_owned(), binary.token.clone())
    };
    let mut outcomes = Vec::new();
    let mut tell = |replayed: Vec<Replayed>, way: &str| {
        outcomes.extend(replayed.into_iter().map(|one| Outcome {
            name: format!("{} {way}", one.name),
            verdict: one.result.map_or_else(Verdict::Failed, |()| Verdict::Ok),
        }));
    };
    for way in WAYS {
        tell(suite::run(&messages, way, server), &format!("by {way}"));
    }
    tell(suite::run(&wire, WAYS[0], server), "on the wire");
    Ok(outcomes)
}

/// Tells of each, and gives the number of failures.
fn told(outcomes: &[Outcome]) -> Result<usize, String> {
    outcomes.iter().for_each(|outcome| println!("{outcome}"));
    Ok(outcomes.iter().filter(|outcome| outcome.failed()).count())
}

/// The program lies in the folder above this example's.
fn program() -> Result<PathBuf, String> {
    let example = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = example.parent().and_then(Path::parent).ok_or("an example without a folder")?;
    Ok(folder.join("viderehab"))
}

fn start_binary() -> Result<Binary, String> {
    Binary::start(&program()?, LIMITS, &[]).map_err(|reason| format!("{reason}\n(is it built? cargo build)"))
}
