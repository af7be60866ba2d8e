//! EasyRTC peers, as small as they can be: Engine.IO 4 by WebSocket.

use std::net::SocketAddr;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
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
    speaker: SplitSink<Socket, Message>,
    listener: SplitStream<Socket>,
    /// Kept open.
    _listener: SplitSink<Socket, Message>,
    /// Reads the acknowledgements, for as long as the pair is there.
    _reader: JoinSet<()>,
    target: String,
    said: u64,
    heard: u64,
}

impl Pair {
    pub async fn join(server: &Server) -> Self {
        let room = format!("room{}", rand::random::<u32>());
        let (mut speaker, _) = enter(server, &room).await;
        let (mut listener, target) = enter(server, &room).await;
        // What both are told of each other comes before any message.
        settle(&mut speaker).await;
        settle(&mut listener).await;
        let (speaker, mut acknowledgements) = speaker.split();
        let mut reader = JoinSet::new();
        reader.spawn(async move { while acknowledgements.next().await.is_some_and(|heard| heard.is_ok()) {} });
        let (sink, listener) = listener.split();
        Self { speaker, listener, _listener: sink, _reader: reader, target, said: 0, heard: 0 }
    }

    /// Sends one message, asking for an acknowledgement as the library does.
    pub async fn say(&mut self, bytes: usize) {
        let data = json!({"number": self.said, "text": "x".repeat(bytes)});
        let message = json!({"msgType": "bench", "msgData": data, "targetEasyrtcid": self.target});
        let text = format!("42{}[\"easyrtcMsg\",{message}]", self.said);
        self.said += 1;
        self.speaker.send(Message::text(text)).await.expect("the speaker is connected");
    }

    /// Hears the next message.
    pub async fn hear(&mut self) {
        loop {
            let heard = self.listener.next().await.expect("the listener is connected").expect("a whole frame");
            let Some(event) = heard.to_text().ok().and_then(|text| text.strip_prefix("42")) else { continue };
            // Node's server numbers its events, as if it waited for an acknowledgement.
            let event = event.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let event: Value = serde_json::from_str(event).expect("events are JSON");
            if event[0] == "easyrtcMsg" {
                assert_eq!(event[1]["msgData"]["number"], self.heard, "lost, doubled or out of order");
                self.heard += 1;
                return;
            }
        }
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
