//! A session on a running server, of its own for each replay.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long what must come may take.
pub const SOON: Duration = Duration::from_secs(5);

/// A session. Dropping it stops it.
pub struct Session {
    manager: String,
    token: String,
    id: Value,
    /// The session's own address, as `host:port`.
    pub host: String,
    /// The port in its addresses.
    pub port: u16,
    /// The key of its users.
    pub key: String,
}

impl Session {
    /// Starts one; `manager` is `host:port`.
    pub fn start(manager: &str, token: &str) -> Self {
        let mut session = Self {
            manager: manager.to_owned(),
            token: token.to_owned(),
            id: Value::Null,
            host: String::new(),
            port: 0,
            key: String::new(),
        };
        let started = session.manage(&json!({"action": "start", "id_session": 0, "session_users": ["ann"]}));
        let url = started["session_url_users"].as_str().expect("the session has started");
        session.port = url.split("/webrtc/").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
        session.key = url.split("key=").nth(1).unwrap().to_owned();
        session.host = format!("127.0.0.1:{}", session.port);
        session.id = started["id_session"].clone();
        session
    }

    fn manage(&self, arguments: &Value) -> Value {
        let body = json!({ "session_manage": arguments }).to_string();
        let head = format!("Authorization: Bearer {}\r\n", self.token);
        let (_, body) = request(&self.manager, "POST", "/rpc/session_manage", &head, &body);
        serde_json::from_str::<Value>(&body).expect("replies are JSON")["session"].clone()
    }

    /// Waits until the server has noticed who is gone: nobody tells the next to come, who must not find them.
    pub fn settle(&self, present: usize) {
        let (path, head) = (format!("/api/sessions/{}", self.id), format!("Authorization: Bearer {}\r\n", self.token));
        let until = Instant::now() + SOON;
        loop {
            let (_, body) = request(&self.manager, "GET", &path, &head, "");
            let session = serde_json::from_str::<Value>(&body).expect("replies are JSON");
            if session["peers"].as_array().expect("it runs").len() <= present {
                return;
            }
            assert!(Instant::now() < until, "{body}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        self.manage(&json!({"action": "stop", "id_session": self.id}));
    }
}

/// One request on a connection of its own: the status and the body.
pub fn request(host: &str, method: &str, path: &str, head: &str, body: &str) -> (u16, String) {
    let Ok(mut stream) = TcpStream::connect(host) else { return (0, String::new()) };
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}Content-Length: {length}\r\n\r\n{body}"
    );
    let mut answer = Vec::new();
    let exchanged = stream.write_all(text.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
    if exchanged.is_err() {
        return (0, String::new());
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}
