//! More connections than make sense: ten thousand that say nothing or hardly anything, and more than there are
//! descriptors for. The real program, in a process of its own.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod binary;
#[path = "support/bystanders.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod bystanders;
#[path = "support/remote.rs"]
mod remote;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use binary::Binary;
use bystanders::Bystanders;
use remote::Remote;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::Started;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");

/// How many of each kind of connection there are.
const EACH: usize = 2_500;

/// How many polled sessions a session has; a thousand of them is as many as it may have.
const POLLED: usize = 625;

/// What all of them may cost the server, in a debug build.
const MEGABYTES: u64 = 300;

const LIMITS: &str = "[limits]\nhandshake_secs = 60\npeers = 0\nconnections_per_address = 0\n";

async fn connect(address: SocketAddr, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    stream.write_all(first).await.expect("the server reads");
    stream
}

fn upgrade(session: &Started) -> String {
    format!(
        "GET /ws?key={} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        session.key("ann")
    )
}

/// A SockJS session's opening, and its next poll, which is answered when there is something to say.
fn poll(session: &Started, number: usize) -> String {
    let request = format!(
        "POST /echo/000/parked{number}/xhr?key={} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        session.role_key("users")
    );
    request.repeat(2)
}

/// Reads on until this has come.
async fn hears(stream: &mut TcpStream, words: &str) {
    let mut came = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&came).contains(words) {
            assert_ne!(stream.read_buf(&mut came).await.expect("it is not cut off"), 0, "it is not ended");
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), reading).await;
    assert!(in_time.is_ok(), "{words}: {}", String::from_utf8_lossy(&came));
}

fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn ten_thousand_idle_or_dripping_connections_leave_the_server_serving() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let room = limit.maximum.unwrap_or(u64::MAX);
    assert!(room > 5 * EACH as u64 + 500, "this test needs more descriptors than the {room} that the system gives");
    let binary = Binary::start(Path::new(PROGRAM), LIMITS, &[]).unwrap();
    let remote = Remote::of(&binary);
    let mut bystanders = Bystanders::meet(&remote.session().await).await;
    let session = remote.session().await;
    let (mut all, mut parked, mut polled, request) = (Vec::new(), Vec::new(), Vec::new(), upgrade(&session));
    let head = request.trim_end().to_owned() + "\r\nX: ";
    for number in 0..EACH {
        // Nothing at all; headers without end; a WebSocket that says nothing; a frame without end. Every other to the manager.
        let address = if number % 2 == 0 { session.address() } else { remote.address };
        all.push((connect(address, b"").await, false));
        all.push((connect(address, head.as_bytes()).await, true));
        all.push((connect(session.address(), request.as_bytes()).await, false));
        let frame = [request.as_bytes(), &[0x81, 0xfe, 0x10, 0, 0, 0, 0, 0]].concat();
        all.push((connect(session.address(), &frame).await, true));
        // A poll that nothing is said to.
        if number % POLLED == 0 {
            polled.push(remote.session().await);
        }
        let polled = polled.last().expect("there is one just now");
        parked.push(connect(polled.address(), poll(polled, number).as_bytes()).await);
        if number % 500 == 0 {
            bystanders.go_on().await;
        }
    }
    let opened = Instant::now();
    for _ in 0..3 {
        for (stream, _) in all.iter_mut().filter(|(_, drips)| *drips) {
            stream.write_all(b"x").await.expect("it is still there");
        }
        bystanders.go_on().await;
    }
    // Somebody new comes in as ever.
    drop(session.open(&session.key("bob")).await);
    assert!(opened.elapsed() < Duration::from_secs(10), "{:?}", opened.elapsed());
    let (used, connections) = (memory(binary.id()), remote.metric("viderehab_connections").await);
    assert!(connections >= 3 * EACH as u64, "{connections} connections are open");
    assert!(used < MEGABYTES, "{used} MB");
    for polled in &polled {
        remote.stop(polled.id()).await;
    }
    bystanders.go_on().await;
    for stream in &mut parked {
        hears(stream, "c[4001,").await;
    }
    drop((all, parked));
    let until = Instant::now() + Duration::from_secs(20);
    // The bystanders' own, and those whose seat is held, of which there are none.
    while remote.metric("viderehab_connections").await > 2 {
        assert!(Instant::now() < until, "connections that are gone are forgotten");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bystanders.go_on().await;
}

#[tokio::test]
async fn without_descriptors_those_who_are_there_go_on_and_others_wait() {
    let folder = std::env::temp_dir().join(format!("viderehab-few-descriptors-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let few = folder.join("few");
    fs::write(&few, format!("#!/bin/sh\nulimit -n 120\nexec '{PROGRAM}' \"$@\"\n")).unwrap();
    fs::set_permissions(&few, fs::Permissions::from_mode(0o700)).unwrap();
    let binary = Binary::start(&few, LIMITS, &[]).unwrap();
    let remote = Remote::of(&binary);
    let mut bystanders = Bystanders::meet(&remote.session().await).await;
    let session = remote.session().await;
    let mut all = Vec::new();
    for number in 0..600 {
        // The system accepts for the server, which accepts when it can.
        let address = if number % 2 == 0 { session.address() } else { remote.address };
        let connected = tokio::time::timeout(Duration::from_millis(900), TcpStream::connect(address)).await;
        all.push(connected.expect("the queue has room").unwrap());
    }
    let bob = session.key("bob");
    let mut waiting = Box::pin(session.open(&bob));
    let soon = tokio::time::timeout(Duration::from_millis(500), &mut waiting).await;
    assert!(soon.is_err(), "there is no descriptor for it yet");
    bystanders.go_on().await;
    drop(all);
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("let in once there is room");
    bystanders.go_on().await;
    let log = fs::read_to_string(binary.files().1).unwrap();
    let lines = log.lines().filter(|line| line.contains("cannot accept connections")).count();
    assert!((1..=2).contains(&lines), "once for each address:\n{log}");
    fs::remove_dir_all(folder).unwrap();
}
