//! A viderehab without limits, in a process of its own, and its RPC.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use viderehab::cli::load::{Meeting, meeting};
use viderehab::config::Config;

use crate::binary::Binary;

const LIMITS: &str = "[limits]\npackets_per_second = 0\nbytes_per_second = 0\nconnections_per_address = 0\n";

/// Dropping it ends the process.
pub struct Viderehab(Binary);

impl Viderehab {
    /// Starts one with room for so many sessions. `data_dir`: where it keeps them; "" is in memory.
    pub fn start(sessions: usize, data_dir: &str) -> Self {
        let pool = u16::try_from(sessions).expect("a session has a port");
        let settings = [("VIDEREHAB_SERVER__DATA_DIR", data_dir), ("RUST_LOG", "warn")];
        let program = Path::new(env!("CARGO_BIN_EXE_viderehab"));
        Self(Binary::start_with_pool(pool, program, LIMITS, &settings).expect("viderehab starts"))
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How long it took from its start to its first line.
    #[allow(dead_code, reason = "each bench uses what it needs")]
    pub fn ready_after(&self) -> Duration {
        self.0.ready_after
    }

    /// A connection for calls.
    pub fn rpc(&self) -> Rpc {
        let host = self.0.url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).expect("the manager listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Rpc { host, token: self.0.token.clone(), stream: BufReader::new(stream) }
    }
}

/// Calls one after the other on one connection.
pub struct Rpc {
    host: String,
    token: String,
    stream: BufReader<TcpStream>,
}

/// A session that was started, and how long that took.
#[allow(dead_code, reason = "each bench uses what it needs")]
pub struct Started {
    pub id: i64,
    pub meeting: Meeting,
    pub took: Duration,
}

impl Rpc {
    pub fn start(&mut self, number: usize) -> Started {
        let call = json!({"session_manage": {
            "action": "start", "id_session": 0, "id_creator_user": number + 1,
            "session_users": [format!("user-{number}")], "session_participants": [format!("participant-{number}")],
        }});
        let since = Instant::now();
        let reply = self.post("/rpc/session_manage", &call);
        let took = since.elapsed();
        let meeting = meeting(&Config::default(), &reply).unwrap_or_else(|| panic!("not started: {reply}"));
        Started { id: reply["session"]["id_session"].as_i64().expect("an id"), meeting, took }
    }

    /// How long it took.
    #[allow(dead_code, reason = "each bench uses what it needs")]
    pub fn stop(&mut self, id: i64) -> Duration {
        let since = Instant::now();
        let reply = self.post("/rpc/session_manage", &json!({"session_manage": {"action": "stop", "id_session": id}}));
        assert_eq!(reply["status"], "stopped", "{reply}");
        since.elapsed()
    }

    /// A metric's value.
    #[allow(dead_code, reason = "each bench uses what it needs")]
    pub fn metric(&mut self, name: &str) -> u64 {
        let text = self.exchange("GET", "/metrics", "");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.expect("the metric is there").parse().expect("a whole number")
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        serde_json::from_str(&self.exchange("POST", path, &body.to_string())).expect("JSON")
    }

    fn exchange(&mut self, method: &str, path: &str, body: &str) -> String {
        let Self { host, token, stream } = self;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes()).expect("it reads");
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            stream.read_line(&mut line).expect("it answers");
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() { break } else { continue }
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("the whole body");
        String::from_utf8(body).expect("text")
    }
}
