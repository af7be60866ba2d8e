//! The program as a process: how signals end it, and how it takes the sockets of a service manager.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "others start it otherwise")]
mod binary;
#[path = "support/remote.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod remote;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use binary::Binary;
use command_fds::{CommandFdExt, FdMapping};
use remote::Remote;
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");

/// A WebSocket that is not answered yet.
fn asks_for_upgrade(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn is_upgraded(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(server::SOON)).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
}

/// A WebSocket that never answers a close, nor closes.
fn stubborn(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = asks_for_upgrade(address, path);
    is_upgraded(&mut stream);
    stream
}

/// A server, and clients of each kind that do not close when they are told to.
async fn with_stubborn_clients() -> (Binary, Vec<TcpStream>) {
    let binary = Binary::start(Path::new(PROGRAM), "", &[]).unwrap();
    let session = Remote::of(&binary).session().await;
    let (address, key) = (session.address(), session.key("ann"));
    let paths = [
        format!("/ws?key={key}"),
        format!("/echo/websocket?key={}", session.key("bob")),
        format!("/websocket/{}/?EIO=3&transport=websocket&key={key}", address.port()),
        // One that has not shown its key yet.
        format!("/websocket/{}/?EIO=4&transport=websocket", address.port()),
    ];
    let clients = paths.iter().map(|path| stubborn(address, path)).collect();
    (binary, clients)
}

#[tokio::test]
async fn it_ends_within_seconds_whoever_does_not_close() {
    let (mut binary, clients) = with_stubborn_clients().await;
    binary.signal("TERM");
    assert!(!binary.ends_within(Duration::from_millis(300)), "they have a moment to close");
    assert!(binary.ends_within(Duration::from_secs(8)));
    drop(clients);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (mut binary, clients) = with_stubborn_clients().await;
    binary.signal("TERM");
    assert!(!binary.ends_within(Duration::from_millis(300)), "it is about to end");
    binary.signal("INT");
    assert!(binary.ends_within(Duration::from_millis(300)));
    drop(clients);
}

/// Who answers a close does not keep it waiting, also one that has not shown a key yet.
#[tokio::test]
async fn it_ends_soon_when_all_close() {
    let (mut binary, clients) = with_stubborn_clients().await;
    let closing: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                let mut all = Vec::new();
                // The close frame is the last that comes; then it closes.
                client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let _ = client.read_to_end(&mut all);
            })
        })
        .collect();
    binary.signal("TERM");
    assert!(binary.ends_within(Duration::from_millis(1500)));
    closing.into_iter().for_each(|client| client.join().unwrap());
}

/// The program, with sockets that listen already, as systemd starts it.
struct Activated {
    process: Child,
    directory: PathBuf,
    remote: (String, String),
}

impl Activated {
    fn start(listeners: &[&TcpListener], settings: &[(&str, String)]) -> Self {
        let port = listeners[0].local_addr().unwrap().port();
        let directory = std::env::temp_dir().join(format!("viderehab-activated-{port}"));
        std::fs::create_dir_all(&directory).unwrap();
        let (process, remote) = Self::spawn(&directory, listeners, settings);
        Self { process, directory, remote }
    }

    /// Another process, with what the one before has left.
    fn start_again(&mut self, listeners: &[&TcpListener], settings: &[(&str, String)]) {
        (self.process, self.remote) = Self::spawn(&self.directory, listeners, settings);
    }

    /// The process, and where it is and its token.
    fn spawn(directory: &Path, listeners: &[&TcpListener], settings: &[(&str, String)]) -> (Child, (String, String)) {
        let mappings = listeners.iter().zip(3..).map(|(listener, child_fd)| FdMapping {
            parent_fd: OwnedFd::from(listener.try_clone().unwrap()),
            child_fd,
        });
        // Only the process itself knows its number, which the sockets are meant for.
        let mut command = Command::new("sh");
        command
            .args(["-c", "LISTEN_PID=$$ exec \"$0\" serve", PROGRAM])
            .env("LISTEN_FDS", listeners.len().to_string())
            .env("VIDEREHAB_SERVER__DATA_DIR", directory)
            .envs(settings.iter().map(|(name, value)| (*name, value)))
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.fd_mappings(mappings.collect()).unwrap().spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap().replace("viderehab ready on ", "");
        let token = lines.next().unwrap().unwrap().split_once("token=").unwrap().1.to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        (process, (url, token))
    }

    /// Ends it as a service manager does, which keeps the sockets.
    fn end(&mut self) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &process]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }

    fn remote(&self) -> Remote {
        Remote::at(&self.remote.0, &self.remote.1)
    }

    fn upgrade(&self) {
        let mut command = Command::new(PROGRAM);
        command.arg("upgrade").env("VIDEREHAB_SERVER__DATA_DIR", &self.directory).stdin(Stdio::null());
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A socket unit for `listen` and the pool: the manager listens as long as it runs, so nobody else can.
#[tokio::test]
async fn sockets_of_a_service_manager_serve_one_session_after_the_other() {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = bind();
    // Two ports in a row.
    let (first, second) = loop {
        let first = bind();
        let next = first.local_addr().unwrap().port().wrapping_add(1);
        if let Ok(second) = TcpListener::bind(("127.0.0.1", next)) {
            break (first, second);
        }
    };
    let port = first.local_addr().unwrap().port();
    let settings = [
        ("VIDEREHAB_SERVER__LISTEN", listen.local_addr().unwrap().to_string()),
        ("VIDEREHAB_WEBRTC__LOCAL_BASE_PORT", port.to_string()),
        ("VIDEREHAB_WEBRTC__MAX_SESSIONS", "2".to_owned()),
    ];
    let program = Activated::start(&[&listen, &first, &second], &settings);
    let remote = program.remote();
    for round in ["at first", "after an upgrade"] {
        for _ in 0..3 {
            let sessions = [remote.session().await, remote.session().await];
            for session in &sessions {
                let mut peer = session.open(&session.key("ann")).await;
                peer.join("A", "main").await;
            }
            let full = remote.call(&json!({"session_manage": {"action": "start", "id_session": 0}})).await;
            assert_eq!(full.status, 503, "{round}");
            for session in &sessions {
                remote.stop(session.id()).await;
            }
        }
        let kept = remote.session().await;
        program.upgrade();
        let until = Instant::now() + Duration::from_secs(10);
        while remote.list().await.status != 200 {
            assert!(Instant::now() < until);
        }
        let mut peer = kept.open(&kept.key("ann")).await;
        peer.join("A", "main").await;
        remote.stop(kept.id()).await;
    }
}

/// Nobody is refused while no process runs: who comes then waits for the next one.
#[tokio::test]
async fn who_comes_between_two_runs_on_one_socket_is_served_by_the_second() {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (listen, pool) = (bind(), bind());
    let settings = [
        ("VIDEREHAB_SERVER__LISTEN", listen.local_addr().unwrap().to_string()),
        ("VIDEREHAB_WEBRTC__LOCAL_BASE_PORT", pool.local_addr().unwrap().port().to_string()),
        ("VIDEREHAB_WEBRTC__MAX_SESSIONS", "1".to_owned()),
    ];
    let mut program = Activated::start(&[&listen, &pool], &settings);
    let session = program.remote().session().await;
    program.end();
    let key = session.key("ann");
    let front = format!("/webrtc/{}/ws?key={key}", session.address().port());
    let mut waiting = [(session.address(), format!("/ws?key={key}")), (program.remote().address, front)]
        .map(|(address, path)| asks_for_upgrade(address, &path));
    for stream in &mut waiting {
        stream.set_read_timeout(Some(server::QUIET)).unwrap();
        let answer = stream.read(&mut [0]).expect_err("nobody is there to answer");
        assert_eq!(answer.kind(), std::io::ErrorKind::WouldBlock, "{answer}");
    }
    program.start_again(&[&listen, &pool], &settings);
    for stream in &mut waiting {
        is_upgraded(stream);
    }
    let mut peer = session.open(&key).await;
    peer.join("A", "main").await;
}
