//! EasyRTC peers, as small as they can be: Engine.IO 4 by WebSocket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::binary::Binary;

type Socket = WebSocketStream<TcpStream>;

/// Where peers meet.
pub struct Server {
    address: SocketAddr,
    query: String,
}

impl Server {
    /// A server without keys.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, query: String::new() }
    }

    /// A session of a viderehab.
    pub async fn of_viderehab(binary: &Binary) -> Self {
        let host = binary.url.trim_start_matches("http://");
        let body =
            json!({"session_manage": {"action": "start", "id_session": 0, "session_users": ["ann"]}}).to_string();
        let request = format!(
            "POST /rpc/session_manage HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            binary.token,
            body.len()
        );
        let mut stream = TcpStream::connect(host).await.expect("the manager listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        let reply: Value = serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
        let url = reply["session"]["session_url_users"].as_str().expect("the session has started");
        let port = url.split("/webrtc/").nth(1).and_then(|rest| rest.split('/').next()?.parse().ok()).expect("a port");
        let key = url.split("key=").nth(1).expect("a key");
        Self { address: ([127, 0, 0, 1], port).into(), query: format!("&key={key}") }
    }
}

/// Two peers in a room of their own, the first of whom speaks.
pub struct Pair {
    speaker: OwnedWriteHalf,
    acknowledgements: Frames,
    listener: Frames,
    /// Kept open.
    _listener: OwnedWriteHalf,
    target: String,
    said: usize,
    heard: usize,
}

impl Pair {
    pub async fn join(server: &Server) -> Self {
        let room = format!("room{}", rand::random::<u32>());
        let (mut speaker, _) = enter(server, &room).await;
        let (mut listener, target) = enter(server, &room).await;
        // What both are told of each other comes before any message.
        settle(&mut speaker).await;
        settle(&mut listener).await;
        let (acknowledgements, speaker) = speaker.into_inner().into_split();
        let (listener, kept) = listener.into_inner().into_split();
        Self {
            speaker,
            acknowledgements: Frames::of(acknowledgements),
            listener: Frames::of(listener),
            _listener: kept,
            target,
            said: 0,
            heard: 0,
        }
    }

    /// Says so many messages, `window` at a time under way, each of which asks for an acknowledgement as
    /// the library's do; how long each took. All have been acknowledged when it returns.
    pub async fn talk(&mut self, bytes: usize, window: usize, messages: usize) -> Vec<Duration> {
        let Self { speaker, acknowledgements, listener, target, said, heard, .. } = self;
        let text = "x".repeat(bytes);
        let talking = async {
            let (mut under_way, mut latencies) = (VecDeque::new(), Vec::with_capacity(messages));
            let (mut left, mut frames) = (messages, Vec::new());
            while latencies.len() < messages {
                frames.clear();
                while left > 0 && under_way.len() < window {
                    put_message(&mut frames, *said, &text, target);
                    under_way.push_back(Instant::now());
                    *said += 1;
                    left -= 1;
                }
                speaker.write_all(&frames).await.expect("the speaker is connected");
                listener.more().await;
                while let Some(frame) = listener.next() {
                    let Some(number) = number(frame) else { continue };
                    assert_eq!(number, *heard, "lost, doubled or out of order");
                    *heard += 1;
                    let since: Instant = under_way.pop_front().expect("it was sent");
                    latencies.push(since.elapsed());
                }
            }
            latencies
        };
        let acknowledged = async {
            let mut count = 0;
            while count < messages {
                acknowledgements.more().await;
                while let Some(frame) = acknowledgements.next() {
                    count += usize::from(frame.starts_with(b"43"));
                }
            }
        };
        tokio::join!(talking, acknowledged).0
    }
}

/// A message as the library sends it, in a masked frame whose mask changes nothing.
fn put_message(frames: &mut Vec<u8>, number: usize, text: &str, target: &str) {
    let message = format!(
        r#"42{number}["easyrtcMsg",{{"msgType":"bench","msgData":{{"number":"{number:08}","text":"{text}"}},"targetEasyrtcid":"{target}"}}]"#
    );
    let length = u16::try_from(message.len()).expect("a small message").to_be_bytes();
    frames.extend([0x81, 0x80 | 126, length[0], length[1], 0, 0, 0, 0]);
    frames.extend(message.as_bytes());
}

/// The number of a message that was relayed; nothing else has one.
fn number(frame: &[u8]) -> Option<usize> {
    let mark = b"\"number\":\"";
    // Node's server puts more before it than ours, but not much.
    let at = frame.windows(mark.len()).take(300).position(|part| part == mark)? + mark.len();
    std::str::from_utf8(frame.get(at..at + 8)?).ok()?.parse().ok()
}

/// The frames that a server sends, as cheaply as can be: the server is to be busy, not the client.
struct Frames {
    stream: OwnedReadHalf,
    buffer: Vec<u8>,
    taken: usize,
}

impl Frames {
    fn of(stream: OwnedReadHalf) -> Self {
        Self { stream, buffer: Vec::with_capacity(64 * 1024), taken: 0 }
    }

    async fn more(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let read = self.stream.read_buf(&mut self.buffer).await.expect("a connection");
        assert!(read > 0, "the server ended the connection");
    }

    /// The payload of the next whole frame that has come.
    fn next(&mut self) -> Option<&[u8]> {
        let rest = &self.buffer[self.taken..];
        let (head, length) = match *rest.get(1)? {
            126 => (4, usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]))),
            127 => panic!("no frame is that long"),
            length => (2, usize::from(length)),
        };
        assert_eq!(rest[0], 0x81, "a text frame");
        let payload = rest.get(head..head + length)?;
        self.taken += head + length;
        Some(payload)
    }
}

/// A peer in a room, and its easyrtcid.
async fn enter(server: &Server, room: &str) -> (Socket, String) {
    let stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a TCP socket");
    let port = server.address.port();
    let url = format!("ws://{}/websocket/{port}/?EIO=4&transport=websocket{}", server.address, server.query);
    let (mut socket, _) = client_async(url, stream).await.expect("an upgrade");
    socket.send(Message::text("40")).await.expect("connected");
    // Node's server ends whoever speaks before the namespace is open.
    while !socket
        .next()
        .await
        .is_some_and(|heard| heard.is_ok_and(|heard| heard.to_text().is_ok_and(|text| text.starts_with("40"))))
    {}
    let data = json!({"apiVersion": "1.1.1-beta", "applicationName": "bench", "roomJoin": {room: {"roomName": room}}});
    let auth = json!({"msgType": "authenticate", "msgData": data});
    socket.send(Message::text(format!("420[\"easyrtcAuth\",{auth}]"))).await.expect("connected");
    loop {
        let heard = socket.next().await.expect("connected").expect("a whole frame");
        if let Some(token) = heard.to_text().ok().and_then(|text| text.strip_prefix("430")) {
            let token: Value = serde_json::from_str(token).expect("acknowledgements are JSON");
            let id = token[0]["msgData"]["easyrtcid"].as_str();
            return (socket, id.unwrap_or_else(|| panic!("no name: {token}")).to_owned());
        }
    }
}

/// Asks for something and waits for the answer, so that all before it has come.
async fn settle(socket: &mut Socket) {
    let ask = json!({"msgType": "getIceConfig", "msgData": {}});
    socket.send(Message::text(format!("421[\"easyrtcCmd\",{ask}]"))).await.expect("connected");
    loop {
        let heard = socket.next().await.expect("connected").expect("a whole frame");
        if heard.to_text().is_ok_and(|text| text.starts_with("431")) {
            return;
        }
    }
}
