//! Clients of a running session that speak Socket.IO by hand, over WebSocket or polling, of either
//! version of Engine.IO.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};
use viderehab::wire::Text;
use viderehab::wire::socketio::{Version, packets, render_body};

use super::session::{SOON, Session, request};
use super::{Heard, Server};

/// How long nothing must come for it to count as nothing.
const QUIET: Duration = Duration::from_millis(120);

/// How clients connect.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub version: Version,
    pub polling: bool,
}

impl fmt::Display for Way {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "{} {:?}", if self.polling { "polling" } else { "WebSocket" }, self.version)
    }
}

/// The four ways.
pub const WAYS: [Way; 4] = [
    Way { version: Version::V4, polling: false },
    Way { version: Version::V3, polling: false },
    Way { version: Version::V4, polling: true },
    Way { version: Version::V3, polling: true },
];

/// Clients of a session on a running server.
pub struct Live {
    session: Session,
    way: Way,
    clients: HashMap<String, Client>,
    /// Those that neither side has ended.
    present: HashSet<String>,
}

struct Client {
    heard: Receiver<Heard>,
    line: Line,
}

/// What a client sends by.
enum Line {
    Socket { socket: Box<WebSocket<TcpStream>>, stream: TcpStream },
    Polling { host: String, path: String, version: Version },
}

impl Live {
    /// Clients that come in this way.
    pub fn new(session: Session, way: Way) -> Self {
        Self { session, way, clients: HashMap::new(), present: HashSet::new() }
    }

    /// The address of Engine.IO's endpoint.
    fn path(&self, transport: &str) -> String {
        let version = if self.way.version == Version::V4 { 4 } else { 3 };
        format!("/websocket/{}/?EIO={version}&transport={transport}&key={}", self.session.port, self.session.key)
    }

    fn socket(&self, heard: Sender<Heard>) -> Line {
        let stream = TcpStream::connect(&self.session.host).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let url = format!("ws://{}{}", self.session.host, self.path("websocket"));
        let (mut socket, _) = client(url, stream.try_clone().unwrap()).unwrap();
        let mut next = || socket.read().unwrap().into_text().unwrap().to_string();
        assert!(next().starts_with("0{"));
        if self.way.version == Version::V4 {
            socket.send(Message::text("40")).unwrap();
        }
        assert!(socket.read().unwrap().into_text().unwrap().starts_with("40"));
        stream.set_read_timeout(None).unwrap();
        let writing = WebSocket::from_raw_socket(stream.try_clone().unwrap(), Role::Client, None);
        thread::spawn(move || {
            while let Ok(message) = socket.read() {
                if let Message::Text(text) = message {
                    hear(&text, &heard);
                }
            }
        });
        Line::Socket { socket: Box::new(writing), stream }
    }

    fn polling(&self, heard: Sender<Heard>) -> Line {
        let (version, host) = (self.way.version, self.session.host.clone());
        let (_, greeting) = request(&host, "GET", &self.path("polling"), "", "");
        let first = packets(version, greeting.as_bytes()).next().unwrap().unwrap().to_owned();
        let sid = serde_json::from_str::<Value>(&first[1..]).unwrap()["sid"].as_str().unwrap().to_owned();
        let path = format!("{}&sid={sid}", self.path("polling"));
        if version == Version::V4 {
            request(&host, "POST", &path, "", "40");
        }
        let (_, connected) = request(&host, "GET", &path, "", "");
        assert!(packets(version, connected.as_bytes()).any(|packet| packet.unwrap().starts_with("40")), "{connected}");
        let (polled_host, polled_path) = (host.clone(), path.clone());
        thread::spawn(move || {
            loop {
                let (status, body) = request(&polled_host, "GET", &polled_path, "", "");
                let all: Vec<_> = packets(version, body.as_bytes()).flatten().collect();
                all.iter().for_each(|packet| hear(packet, &heard));
                if status != 200 || all.contains(&"1") {
                    return;
                }
            }
        });
        Line::Polling { host, path, version }
    }
}

/// Hands on what the client is to hear; Engine.IO's own packets it is not.
fn hear(packet: &str, heard: &Sender<Heard>) {
    let kind = packet.get(..2).unwrap_or_default();
    let rest = packet.get(2..).unwrap_or_default();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let parse = || serde_json::from_str::<Vec<Value>>(&rest[digits..]).expect("events are arrays");
    let what = match kind {
        "41" => Heard::Disconnect,
        "42" => {
            let mut all = parse();
            assert_eq!(all.len(), 2, "one argument each");
            let argument = all.pop().unwrap();
            Heard::Event(all[0].as_str().unwrap().to_owned(), argument)
        }
        "43" => Heard::Ack(rest[..digits].parse().unwrap(), parse().remove(0)),
        _ => return,
    };
    // The replay may be over.
    let _ = heard.send(what);
}

impl Server for Live {
    fn open(&mut self, client: &str) {
        let (sender, heard) = channel();
        let line = if self.way.polling { self.polling(sender) } else { self.socket(sender) };
        self.clients.insert(client.to_owned(), Client { heard, line });
        self.present.insert(client.to_owned());
    }

    fn send(&mut self, client: &str, event: &str, argument: Option<&Value>, ack: Option<u64>) {
        let ack = ack.map_or(String::new(), |ack| ack.to_string());
        let argument = argument.map_or(String::new(), |argument| format!(",{argument}"));
        let packet = format!("42{ack}[{}{argument}]", json!(event));
        self.clients.get_mut(client).unwrap().line.say(&packet);
    }

    fn close(&mut self, client: &str) {
        match &mut self.clients.get_mut(client).unwrap().line {
            Line::Socket { stream, .. } => drop(stream.shutdown(Shutdown::Both)),
            line @ Line::Polling { .. } => line.say("1"),
        }
        self.present.remove(client);
        self.session.settle(self.present.len());
    }

    fn hear(&mut self, client: &str) -> Option<Heard> {
        let heard = self.clients[client].heard.recv_timeout(SOON).ok();
        if heard == Some(Heard::Disconnect) {
            self.present.remove(client);
        }
        heard
    }

    fn nothing_more(&mut self, client: &str) -> Option<Heard> {
        self.clients[client].heard.recv_timeout(QUIET).ok()
    }
}

impl Line {
    fn say(&mut self, packet: &str) {
        match self {
            // A server that has ended the client need not be there any more.
            Self::Socket { socket, .. } => drop(socket.send(Message::text(packet))),
            Self::Polling { host, path, version } => {
                request(host, "POST", path, "", &render_body(*version, &[Text::from(packet)]));
            }
        }
    }
}
