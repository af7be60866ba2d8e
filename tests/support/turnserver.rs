//! A real coturn for a test, on a port of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A `turnserver` of our own, gone when dropped.
pub struct TurnServer {
    pub port: u16,
    child: Child,
    directory: PathBuf,
}

impl TurnServer {
    /// Takes time-limited credentials made with this secret. For UDP and TCP, on loopback.
    pub fn start(secret: &str) -> Self {
        Self::start_as(&["--use-auth-secret", "--static-auth-secret", secret])
    }

    /// With these arguments to say whom it serves, and how.
    pub fn start_as(arguments: &[&str]) -> Self {
        // Another program may take the port meanwhile; coturn then says so, or runs on without it.
        let started = (0..5).find_map(|_| Self::on(free_port()?, arguments));
        started.expect("turnserver listens on a free port")
    }

    /// Waits until this stands so often in its log, which needs `--verbose`.
    pub async fn logs(&self, words: &str, times: usize) {
        let log = || std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(5);
        while log().matches(words).count() < times {
            assert!(Instant::now() < deadline, "not {times} times {words} in\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn on(port: u16, arguments: &[&str]) -> Option<Self> {
        let directory = std::env::temp_dir().join(format!("viderehab-turn-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = |name: &str| directory.join(name).display().to_string();
        let command = Command::new("turnserver")
            .args(["-n", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--realm", "test.example"])
            .args(["--listening-port", &port.to_string()])
            .args(arguments)
            .args(["--no-tls", "--no-dtls", "--no-cli", "--no-rfc5780", "--relay-threads", "1"])
            .args(["--log-file", &file("log"), "--simple-log", "--pidfile", &file("pid"), "--userdb", &file("db")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut server = Self { port, child: command.expect("turnserver (coturn) is installed"), directory };
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if server.child.try_wait().unwrap().is_some() {
                return None;
            }
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// A port that is free for both.
fn free_port() -> Option<u16> {
    (0..100).find_map(|_| {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").ok()?;
        let port = udp.local_addr().ok()?.port();
        std::net::TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    })
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
