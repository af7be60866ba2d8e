//! What a session and an address may use: connections, packets, bytes kept; all of it counted. And that
//! one session's flood is not another's.

#[path = "support/bystanders.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod bystanders;
#[path = "quotas/counted.rs"]
mod counted;
#[path = "quotas/keyless.rs"]
mod keyless;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bystanders::Bystanders;
use hyper::Method;
use serde_json::{Value, json};
use server::{Peer, Server, Started, config, eventually, open, open_from, packet, send, start};

/// How many connections flood each session.
const FLOODERS: usize = 4;

/// How many packets a connection may send at once, by the default limits.
const BURST: u64 = 1000;

async fn limited(server: &Server, limit: &str) -> u64 {
    server.metric(&format!("viderehab_limited_total{{limit=\"{limit}\"}}")).await
}

/// The status that a POST to a session is answered with.
async fn post(session: &Started, path: &str, body: impl Into<String>) -> u16 {
    send(session.address(), Method::POST, path, &[], body.into()).await.status.as_u16()
}

/// A body of which all but the last byte has been sent.
fn begun(session: &Started, path: &str, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(session.address()).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes}\r\n\r\n");
    stream.write_all((head + &" ".repeat(bytes - 1)).as_bytes()).unwrap();
    stream
}

/// A session with so many who speak, and one who listens.
async fn crowd(server: &Server, speakers: usize) -> (Started, Vec<Peer>, Peer) {
    let session = server.session().await;
    let mut listener = session.open(&session.key("bob")).await;
    listener.join("L", "main").await;
    let mut all = Vec::new();
    for number in 0..speakers {
        let mut speaker = session.open(&session.key("ann")).await;
        speaker.join(&format!("S{number}"), "main").await;
        all.push(speaker);
    }
    (session, all, listener)
}

async fn everybody_says(speakers: &mut [Peer], times: usize) {
    for (number, speaker) in speakers.iter_mut().enumerate() {
        for said in 0..times {
            speaker.say(packet("broadcast", &format!("S{number}"), "main", json!(said.to_string()))).await;
        }
    }
}

async fn hears(listener: &mut Peer, broadcasts: usize) {
    let mut heard = 0;
    while heard < broadcasts {
        heard += usize::from(listener.heard().await.starts_with("broadcast"));
    }
}

#[tokio::test]
async fn a_session_may_say_what_ten_connections_may() {
    let mut settings = config();
    // A connection may say a hundred at once, so a session a thousand.
    settings.limits.packets_per_second = 20;
    settings.limits.bytes_per_second = 0;
    let server = start(settings).await;
    let (_session, mut speakers, mut listener) = crowd(&server, 15).await;
    let since = Instant::now();
    everybody_says(&mut speakers, 80).await;
    hears(&mut listener, 15 * 80).await;
    // 1200 and what each said to join, of which 1000 at once and 200 a second.
    assert!(since.elapsed() > Duration::from_millis(900), "{:?}", since.elapsed());
    assert!(limited(&server, "session_rate").await > 0);
    assert_eq!((limited(&server, "connection_rate").await, limited(&server, "address_rate").await), (0, 0));
    server.app.stop().await;
}

#[tokio::test]
async fn an_address_may_say_what_twenty_connections_may() {
    let mut settings = config();
    settings.limits.packets_per_second = 20;
    settings.limits.bytes_per_second = 0;
    let server = start(settings).await;
    let mut crowds = Vec::new();
    for _ in 0..3 {
        crowds.push(crowd(&server, 9).await);
    }
    let since = Instant::now();
    for (_, speakers, _) in &mut crowds {
        everybody_says(speakers, 85).await;
    }
    for (_, _, listener) in &mut crowds {
        hears(listener, 9 * 85).await;
    }
    // 2295, of which 2000 at once and 400 a second.
    assert!(since.elapsed() > Duration::from_millis(600), "{:?}", since.elapsed());
    assert!(limited(&server, "address_rate").await > 0);
    assert_eq!((limited(&server, "connection_rate").await, limited(&server, "session_rate").await), (0, 0));
    server.app.stop().await;
}

#[tokio::test]
async fn what_one_connection_is_slowed_down_for_is_counted() {
    let mut settings = config();
    settings.limits.packets_per_second = 50;
    let server = start(settings).await;
    let (_session, mut speakers, mut listener) = crowd(&server, 1).await;
    everybody_says(&mut speakers, 300).await;
    hears(&mut listener, 300).await;
    assert!(limited(&server, "connection_rate").await > 0);
    server.app.stop().await;
}

#[tokio::test]
async fn who_is_over_its_rate_hears_the_others_all_the_same() {
    let mut settings = config();
    settings.limits.bytes_per_second = 2000;
    let server = start(settings).await;
    let (_session, mut speakers, mut listener) = crowd(&server, 1).await;
    let long = "x".repeat(40_000);
    listener.say(packet("broadcast", "L", "main", json!(long))).await;
    assert_eq!(speakers[0].heard().await, format!("broadcast L {long}"));
    let since = Instant::now();
    everybody_says(&mut speakers, 1).await;
    hears(&mut listener, 1).await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    server.app.stop().await;
}

#[tokio::test]
async fn connections_that_are_refused_are_counted() {
    let mut settings = config();
    settings.limits.peers = 2;
    settings.limits.connections_per_address = 3;
    let server = start(settings).await;
    let (one, two) = (server.session().await, server.session().await);
    let mut kept = vec![one.open(&one.key("ann")).await, one.open(&one.key("bob")).await];
    let ws = |session: &Started| format!("/ws?key={}", session.key("ann"));
    assert!(open(one.address(), &ws(&one)).await.is_err());
    assert_eq!(limited(&server, "peers").await, 1);
    kept.push(two.open(&two.key("ann")).await);
    assert!(open(two.address(), &ws(&two)).await.is_err());
    assert_eq!(limited(&server, "connections_per_address").await, 1);
    drop(kept);
    server.app.stop().await;
}

/// Also before it is known that their connections are dead.
#[tokio::test]
async fn a_full_session_has_room_for_those_who_come_back() {
    let mut settings = config();
    settings.limits.peers = 2;
    let server = start(settings).await;
    let session = server.session().await;
    let mut bob = session.open(&session.key("bob")).await;
    bob.join("B", "main").await;
    let key = session.key("ann");
    let resume = async |payload: Value| {
        let mut ann = session.open(&key).await;
        ann.say(json!({"Header": {"Event": "resume"}, "Payload": payload}).to_string()).await;
        let answer = ann.hear().await["Payload"].clone();
        (ann, answer)
    };
    let (mut ann, answer) = resume(json!({})).await;
    ann.join("A", "main").await;
    let back = json!({"token": answer["token"], "received": 1});
    let (once_more, answer) = resume(back.clone()).await;
    assert_eq!(answer["resumed"], true, "while there is another connection");
    assert_eq!(ann.closed().await, 4006);
    drop(once_more);
    let (path, bearer) = (format!("/api/sessions/{}", session.id()), format!("Bearer {}", server::TOKEN));
    let shown =
        async || send(server.address, Method::GET, &path, &[("authorization", &bearer)], String::new()).await.text();
    eventually("it is known to be lost", async || shown().await.contains("is_lost")).await;
    let (_ann, answer) = resume(back).await;
    assert_eq!(answer["resumed"], true, "after it was lost");
    assert!(open(session.address(), &format!("/ws?key={}", session.key("bob"))).await.is_err(), "it is full");
    server.app.stop().await;
}

#[tokio::test]
async fn wrong_keys_are_braked_and_that_is_counted() {
    let mut settings = config();
    settings.limits.failed_keys = 3;
    let server = start(settings).await;
    let session = server.session().await;
    let status = async |key: &str| {
        send(session.address(), Method::GET, &format!("/ws?key={key}"), &[], String::new()).await.status.as_u16()
    };
    for _ in 0..3 {
        assert_eq!(status("wrong").await, 401);
    }
    assert_eq!(status("wrong").await, 429);
    assert_eq!((limited(&server, "failed_keys").await, server.metric("viderehab_failed_keys_total").await), (1, 4));
    // A right key is not held up.
    assert!(open(session.address(), &format!("/ws?key={}", session.key("ann"))).await.is_ok());
    server.app.stop().await;
}

/// Rooms whose slow readers are each within what a room keeps: a session has a bound of its own.
#[tokio::test]
async fn a_session_keeps_no_more_than_it_may() {
    let mut settings = config();
    settings.limits.message_bytes = 4096;
    settings.limits.log_bytes = 50_000;
    settings.limits.session_bytes = 100_000;
    settings.limits.packets_per_second = 0;
    let server = start(settings).await;
    let mut bystanders = Bystanders::meet(&server.session().await).await;
    let session = server.session().await;
    let (mine, theirs) = (session.key("ann"), session.key("bob"));
    for room in ["a", "b", "c", "d"] {
        // A client that polls once, and then never again.
        let path = |last: &str| format!("/echo/0/{room}/{last}?key={theirs}");
        assert_eq!(post(&session, &path("xhr"), "").await, 200);
        let connect = json!([packet("connect", "slow", room, json!("{}"))]).to_string();
        assert_eq!(post(&session, &path("xhr_send"), connect).await, 204);
        let mut speaker = session.open(&mine).await;
        speaker.join("S", room).await;
        for _ in 0..13 {
            speaker.say(packet("broadcast", "S", room, json!("x".repeat(3000)))).await;
        }
        // All of it has been dealt with when this is answered.
        speaker.say(packet("ping", "S", room, json!(""))).await;
        while speaker.hear().await["Header"]["Event"] != "ping" {}
        assert!(server.metric("viderehab_held_bytes").await <= 100_000);
        bystanders.go_on().await;
    }
    assert!(server.metric("viderehab_held_bytes").await > 40_000);
    assert!(server.metric("viderehab_disconnects_total{reason=\"too_slow\"}").await >= 1);
    server.app.stop().await;
}

/// Bodies that are begun and not ended: what a session keeps of them has a bound, and it is the session's own.
#[tokio::test]
async fn a_session_reads_no_more_at_once_than_it_may_keep() {
    let mut settings = config();
    settings.limits.message_bytes = 10_000;
    settings.limits.session_bytes = 100_000;
    let server = start(settings).await;
    let (session, other) = (server.session().await, server.session().await);
    let path = |session: &Started, path: &str| format!("/echo/0/{path}?key={}", session.key("ann"));
    let says = json!([packet("connect", "A", "main", json!("{}"))]).to_string();
    for (session, name) in [(&session, "own"), (&other, "other")] {
        assert_eq!(post(session, &path(session, &format!("{name}/xhr")), "").await, 200);
    }
    let mut all = Vec::new();
    for number in 0..4 {
        assert_eq!(post(&session, &path(&session, &format!("s{number}/xhr")), "").await, 200);
        all.push(begun(&session, &path(&session, &format!("s{number}/xhr_send")), 30_000));
    }
    let refused = async || server.metric("viderehab_refusals_total{status=\"503\"}").await > 0;
    eventually("three fit, the fourth does not", refused).await;
    let theirs = post(&other, &path(&other, "other/xhr_send"), says.as_str()).await;
    assert_eq!(theirs, 204, "another session is none the wiser");
    drop(all);
    // The server sees sometime that they are gone.
    let own = path(&session, "own/xhr_send");
    eventually("what they took is given back", async || post(&session, &own, says.as_str()).await == 204).await;
    server.app.stop().await;
}

/// Connections that send as fast as they can, without ever reading, until told to stop. On threads of their own, so
/// that it is the server that is slowed down, if anything.
struct Flood {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<u64>>,
}

impl Flood {
    fn begin(address: SocketAddr, key: &str, connections: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..connections).map(|number| {
            let (stop, key) = (stop.clone(), key.to_owned());
            thread::spawn(move || flood(address, &key, number, &stop))
        });
        Self { stop: stop.clone(), threads: threads.collect() }
    }

    /// How many packets the system took.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    }
}

fn flood(address: SocketAddr, key: &str, number: usize, stop: &AtomicBool) -> u64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let head = format!(
        "GET /ws?key={key} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let frame = |event: &str| {
        let text = packet(event, &format!("F{number}"), "main", json!("x".repeat(200)));
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&[0x81, 0x80 | 126, length[0], length[1], 0, 0, 0, 0], text.as_bytes()].concat()
    };
    let mut due: Vec<u8> = frame("connect");
    let (broadcast, mut sent) = (frame("broadcast"), 0);
    while !stop.load(Ordering::Relaxed) {
        if due.len() < broadcast.len() {
            due.extend(broadcast.repeat(20));
            sent += 20;
        }
        match stream.write(&due) {
            Ok(written) => drop(due.drain(..written)),
            // It is not read any faster; or it was ended, which is as good.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return sent,
        }
    }
    sent
}

/// Sessions share threads; a flood in one, within the default limits, must not be felt in another.
#[tokio::test]
async fn a_flood_is_felt_in_its_own_session_alone() {
    let server = start(config()).await;
    let mut bystanders = Bystanders::meet(&server.session().await).await;
    let quiet = bystanders.p99(50).await;
    // More than there are threads, so that some are on the bystanders' own.
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut floods = Vec::new();
    for _ in 0..=threads {
        let session = server.session().await;
        floods.push(Flood::begin(session.address(), &session.key("ann"), FLOODERS));
    }
    // What is measured is the rate that they are held to, so the bursts of all of them must be over: whoever is slowed down
    // says a fifth of a burst a second, and by then each has said half a burst more.
    let enough = floods.len() as u64 * FLOODERS as u64 * BURST * 3 / 2;
    let applied = async || server.metric("viderehab_packets_total{verdict=\"applied\"}").await;
    let since = Instant::now();
    while applied().await < enough {
        assert!(since.elapsed() < Duration::from_secs(20), "their bursts are over");
        bystanders.go_on().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let flooded = bystanders.p99(50).await;
    let sent: u64 = floods.into_iter().map(Flood::end).sum();
    assert!(sent > 4000, "{sent} packets are no flood");
    assert!(flooded < quiet * 2 + Duration::from_millis(20), "p99 {quiet:?} before, {flooded:?} meanwhile");
    server.app.stop().await;
}
