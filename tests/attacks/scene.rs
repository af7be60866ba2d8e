//! A running program, people in two of its sessions who want to be left in peace and talk all the time, and a session to
//! attack.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use viderehab::cli::load::process::cpu_time;

use super::binary::Binary;
use super::bystanders::Bystanders;
use super::remote::Remote;
use super::server::{Started, value_of};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");

/// How long what must come may take.
pub const SOON: Duration = Duration::from_secs(5);

/// What an attack may add to the program's memory, in MB, in a debug build.
const MEGABYTES: u64 = 80;

/// How long the bystanders wait between two words.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a word may take: so many times as long as before the attack, or this, in a debug build, on processors that
/// the attack itself keeps busy, too, and in a process that is attacker and bystanders both.
const TIMES: u32 = 20;
const PATIENCE: Duration = Duration::from_millis(150);

/// How many words may take longer, however few they are.
const PAUSES: usize = 4;

/// How long the program may take to deal with what was sent.
const SETTLED: Duration = Duration::from_secs(20);

/// How many bytes at the beginning and at the end are sent one by one by [`Scene::drip`].
const DRIPPED: usize = 300;

/// The headers of a WebSocket's handshake.
pub const UPGRADE: [(&str, &str); 4] = [
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// How many connections the bystanders have.
pub const BYSTANDERS: u64 = 4;

/// Lines that begin and end sessions are not counted.
const LINES: usize = 1;

pub struct Scene {
    pub remote: Remote,
    pub bystanders: Bystanders,
    /// The session that is attacked, its address, and a key of it.
    pub session: Started,
    pub address: SocketAddr,
    pub key: String,
    home: Started,
    binary: Binary,
    /// Before the attack.
    metrics: String,
    memory: u64,
    watch: Watch,
}

/// Two more people in a session of their own, who talk from before the attack until after it.
struct Watch {
    session: Started,
    over: Arc<AtomicBool>,
    /// How long one of a hundred words took before.
    calm: Duration,
    /// How long their words took, and the most memory that the program had meanwhile.
    seen: JoinHandle<(Vec<Duration>, u64)>,
}

impl Watch {
    async fn begin(session: Started, process: u32) -> Self {
        let mut people = Bystanders::meet(&session).await;
        let calm = people.p99(200).await;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let seen = tokio::spawn(async move {
            let (mut took, mut most) = (Vec::new(), 0);
            while !is_over.load(Ordering::Relaxed) {
                took.push(people.speak().await);
                most = most.max(memory(process));
                tokio::time::sleep(PAUSE).await;
            }
            (took, most)
        });
        Self { session, over, calm, seen }
    }

    /// The most memory that was seen.
    async fn end(&mut self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        let (mut took, most) = (&mut self.seen).await.expect("they reached each other all the time");
        took.sort_unstable();
        // Of few words some may, too: the machine has other work, and each of its pauses delays one of them.
        let longer = took.len().div_ceil(100).max(PAUSES);
        let (calm, p99) = (self.calm, took[took.len().saturating_sub(longer + 1)]);
        let patience = PATIENCE.max(TIMES * calm);
        assert!(p99 < patience, "one of a hundred of their words took {calm:?} before, {p99:?} of {}", took.len());
        most
    }
}

impl Scene {
    /// `sections`: TOML for what differs from the defaults.
    pub async fn begin(sections: &str) -> Self {
        Self::with(Binary::start(PROGRAM.as_ref(), sections, &[]).unwrap()).await
    }

    /// With a store on the disk, so that it may be started again.
    pub async fn begin_stored(sections: &str) -> Self {
        // In the directory that the program is started in, and that goes with it.
        Self::with(Binary::start(PROGRAM.as_ref(), sections, &[("VIDEREHAB_SERVER__DATA_DIR", "data")]).unwrap()).await
    }

    /// With a program that runs already.
    pub async fn with(binary: Binary) -> Self {
        let remote = Remote::of(&binary);
        let home = remote.session().await;
        let mut bystanders = Bystanders::meet(&home).await;
        bystanders.go_on().await;
        let session = remote.session().await;
        let (address, key) = (session.address(), session.role_key("users"));
        let watch = Watch::begin(remote.session().await, binary.id()).await;
        let (memory, metrics) = (memory(binary.id()), remote.metrics().await);
        Self { remote, bystanders, session, address, key, home, binary, metrics, memory, watch }
    }

    /// The program ends as a service manager ends it, and is started again: all was well until then, and the bystanders
    /// come back to their sessions.
    pub async fn restart(mut self) -> Self {
        self.is_well().await;
        let Self { session, address, key, home, mut binary, watch, .. } = self;
        drop(self.bystanders);
        binary.restart().unwrap();
        let remote = Remote::of(&binary);
        let bystanders = Bystanders::meet(&home).await;
        let watch = Watch::begin(watch.session, binary.id()).await;
        let (memory, metrics) = (memory(binary.id()), remote.metrics().await);
        Self { remote, bystanders, session, address, key, home, binary, metrics, memory, watch }
    }

    /// The processor time that the program has used.
    pub fn processor_time(&self) -> Duration {
        cpu_time(self.binary.id()).expect("the program lives")
    }

    /// Sends these bytes on several connections, those at the beginning and at the end one by one, each of which is a read
    /// of its own as far as that can be had: at the end they cost as at the beginning, whatever came before them.
    pub async fn drip(&self, streams: &mut [TcpStream], bytes: &[u8]) {
        let (first, rest) = bytes.split_at(DRIPPED);
        let (middle, last) = rest.split_at(rest.len() - DRIPPED);
        let begun = self.drip_all(streams, first).await;
        for stream in &mut *streams {
            stream.write_all(middle).await.expect("it is read");
        }
        assert!(settle(self.binary.id()).await, "what is measured next is not measured alone");
        let ended = self.drip_all(streams, last).await;
        assert!(ended < 3 * begun, "at the beginning {begun:?} of the processor, at the end {ended:?}");
    }

    /// The processor time that it takes to read what is sent one by one.
    async fn drip_all(&self, streams: &mut [TcpStream], bytes: &[u8]) -> Duration {
        let before = self.processor_time();
        for stream in &*streams {
            stream.set_nodelay(true).unwrap();
        }
        for byte in bytes {
            for stream in &mut *streams {
                stream.write_all(&[*byte]).await.expect("it is read");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.processor_time() - before
    }

    /// Waits until the log says this.
    pub async fn says(&self, words: &str) {
        let said = async {
            while !self.log().contains(words) {
                tokio::time::sleep(PAUSE).await;
            }
        };
        timeout(2 * SOON, said).await.unwrap_or_else(|_| panic!("{words}: {}", self.log()));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.binary.files().1).unwrap()
    }

    /// The attack is over: the program lives, the bystanders talk, memory is bounded, the log is short, and
    /// each of these metrics has moved since the scene began, or the program was started again. They are to be metrics
    /// that nothing but the attack moves.
    pub async fn end(mut self, metrics: &[&str]) {
        self.is_well().await;
        for metric in metrics {
            let before = value_of(metric, &self.metrics);
            assert!(self.remote.metric(metric).await > before, "{metric} has not moved");
        }
        let log = self.log();
        let lines = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
        assert!(lines <= LINES, "{log}");
        let panics = log.lines().filter(|line| line.contains("panicked")).count();
        assert_eq!(panics, 0, "{log}");
    }

    /// The bystanders talked until now, and the program's memory was bounded.
    async fn is_well(&mut self) {
        self.bystanders.go_on().await;
        let most = self.watch.end().await;
        settle(self.binary.id()).await;
        let used = memory(self.binary.id()).max(most).saturating_sub(self.memory);
        assert!(used < MEGABYTES, "{used} MB more than before");
    }
}

/// Waits until the program has dealt with what was sent, and answers whether it rests. It may have that left to read which it reads
/// slowly, for it was too much: with that a slow machine goes on for long.
async fn settle(process: u32) -> bool {
    let mut before = cpu_time(process).expect("the program lives");
    let since = Instant::now();
    while since.elapsed() < SETTLED {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let now = cpu_time(process).expect("the program lives");
        if now - before < Duration::from_millis(10) {
            return true;
        }
        before = now;
    }
    false
}

fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the program lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// A masked frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        0..126 => vec![0x80 | payload.len() as u8],
        _ => [&[0x80 | 126], &(payload.len() as u16).to_be_bytes()[..]].concat(),
    };
    [&[first], &length[..], &[0; 4], payload].concat()
}

/// Bytes on a fresh connection; what comes back until the server closes or falls silent.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_millis(200), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether an answer says no, or there is none.
pub fn is_over(answer: String) -> bool {
    answer.is_empty() || answer.starts_with("HTTP/1.1 4")
}

/// An upgraded connection as plain bytes.
pub async fn upgraded(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(SOON, stream.read_u8()).await.expect("an answer in time").expect("a whole head"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{path}: {}", String::from_utf8_lossy(&head));
    stream
}

/// The close code in what the server sends until it ends the connection; text frames before it are passed over.
pub async fn close_code(stream: &mut TcpStream) -> Option<u16> {
    let mut bytes = Vec::new();
    timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("it is ended in time").ok()?;
    let mut rest = &bytes[..];
    while let [first, length, ..] = *rest {
        let (head, length) = if length == 126 {
            (4, usize::from(u16::from_be_bytes([rest[2], rest[3]])))
        } else {
            (2, usize::from(length))
        };
        if first == 0x88 {
            return Some(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        }
        rest = rest.get(head + length..)?;
    }
    None
}

/// The status of an answer, whose body may never end.
pub async fn status(address: SocketAddr, method: &Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<hyper::body::Bytes>::default()).unwrap();
    timeout(SOON, sender.send_request(request)).await.expect("in time").expect("an answer").status().as_u16()
}
