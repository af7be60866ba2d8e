//! A server in this process, and small clients for it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use viderehab::app::App;
use viderehab::config::Config;

/// How long anything that must happen may take.
pub const SOON: Duration = Duration::from_secs(5);

/// How long nothing must happen for it to count as not happening.
pub const QUIET: Duration = Duration::from_millis(150);

pub const TOKEN: &str = "a token for the tests alone";

/// A configuration on free ports, all in memory. The ports of the pool are not probed: one that is
/// taken is passed over, which is the pool's task.
pub fn config() -> Config {
    config_of(16)
}

/// Likewise, with so many ports in the pool, which are no other server's of this process.
pub fn config_of(sessions: u16) -> Config {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let next = u32::from(NEXT.fetch_add(sessions, Ordering::Relaxed));
    let mut config = Config::default();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.data_dir = String::new();
    config.server.admin_token = TOKEN.to_owned();
    // Below the ports that the system gives to clients.
    config.webrtc.local_base_port = 10_000 + ((std::process::id() * 199 + next) % 20_000) as u16;
    config.webrtc.max_sessions = sessions;
    config
}

pub struct Server {
    pub app: App,
    pub address: SocketAddr,
}

pub async fn start(config: Config) -> Server {
    let app = App::start(config).await.expect("the server starts");
    let address = app.url().split_once("://").unwrap().1.parse().unwrap();
    Server { app, address }
}

impl Server {
    /// An RPC call; the status and the reply.
    pub async fn manage(&self, arguments: Value) -> (StatusCode, Value) {
        let bearer = format!("Bearer {TOKEN}");
        let body = json!({"session_manage": arguments}).to_string();
        let answer = send(self.address, Method::POST, "/rpc/session_manage", &[("authorization", &bearer)], body).await;
        (answer.status, answer.json())
    }

    /// Starts a session with users `ann` and participant `bob`.
    pub async fn session(&self) -> Started {
        self.started(
            json!({"action": "start", "id_session": 0, "session_users": ["ann"], "session_participants": ["bob"]}),
        )
        .await
    }

    pub async fn started(&self, arguments: Value) -> Started {
        let (status, reply) = self.manage(arguments).await;
        assert_eq!((status, &reply["status"]), (StatusCode::OK, &json!("started")), "{reply}");
        Started { reply }
    }

    /// A metric's value, 0 if it is not there.
    pub async fn metric(&self, name: &str) -> u64 {
        value_of(name, &self.get("/metrics").await.text())
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.address, Method::GET, path, &[], String::new()).await
    }
}

/// A metric's value among these, 0 if it is not there.
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
pub fn value_of(name: &str, metrics: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// The reply to a start or an invite.
pub struct Started {
    pub reply: Value,
}

impl Started {
    pub fn id(&self) -> i64 {
        self.reply["session"]["id_session"].as_i64().unwrap()
    }

    /// The session's own address.
    pub fn address(&self) -> SocketAddr {
        let url = self.reply["session"]["session_url_users"].as_str().unwrap();
        let port = url.split("/webrtc/").nth(1).unwrap().split('/').next().unwrap();
        ([127, 0, 0, 1], port.parse().unwrap()).into()
    }

    /// The key of a role: `users`, `participants` or `devices`.
    pub fn role_key(&self, page: &str) -> String {
        key_of(&self.reply["session"][format!("session_url_{page}")])
    }

    /// An invitee's personal key.
    pub fn key(&self, uuid: &str) -> String {
        let invitees = self.reply["session"]["session_invitees"].as_array().unwrap();
        key_of(&invitees.iter().find(|invitee| invitee["uuid"] == uuid).expect("is invited")["url"])
    }

    pub fn session_key(&self) -> String {
        self.reply["session"]["session_key"].as_str().unwrap().to_owned()
    }

    /// A WebSocket on the session's own port, with a key.
    pub async fn open(&self, key: &str) -> Peer {
        open(self.address(), &format!("/ws?key={key}")).await.expect("the key opens the socket")
    }
}

fn key_of(url: &Value) -> String {
    url.as_str().unwrap().split("key=").nth(1).unwrap().to_owned()
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One request on a connection of its own.
pub async fn send(address: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let exchange = async {
        let response = sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    };
    tokio::time::timeout(SOON, exchange).await.expect("an answer in time")
}

/// Waits until something holds; `what` is told if it does not in time.
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let since = std::time::Instant::now();
    while !holds().await {
        assert!(since.elapsed() < 2 * SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A WebSocket client that speaks videre packets.
pub struct Peer<S = TcpStream> {
    pub socket: WebSocketStream<S>,
}

pub async fn open(address: SocketAddr, path: &str) -> Result<Peer, Error> {
    let stream = TcpStream::connect(address).await.map_err(Error::Io)?;
    let (socket, _) = client_async(format!("ws://{address}{path}"), stream).await?;
    Ok(Peer { socket })
}

/// Likewise, for whom a proxy on this machine says that it comes from somewhere else.
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
pub async fn open_from(from: &str, address: SocketAddr, path: &str) -> Result<Peer, Error> {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let stream = TcpStream::connect(address).await.map_err(Error::Io)?;
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    request.headers_mut().insert("x-forwarded-for", from.parse().expect("an address"));
    let (socket, _) = client_async(request, stream).await?;
    Ok(Peer { socket })
}

pub fn packet(event: &str, user: &str, room: &str, payload: Value) -> String {
    json!({"Header": {"Event": event, "UserId": user, "RoomId": room}, "Payload": payload}).to_string()
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub async fn say(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.expect("the socket is open");
    }

    /// Joins, and reads its own copy of the connect.
    pub async fn join(&mut self, user: &str, room: &str) {
        self.say(packet("connect", user, room, json!("{}"))).await;
        let own = self.hear().await;
        assert_eq!((&own["Header"]["Event"], &own["Header"]["UserId"]), (&json!("connect"), &json!(user)), "{own}");
    }

    /// The next packet.
    pub async fn hear(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(SOON, self.socket.next()).await.expect("a packet in time");
            match next.expect("the socket is open").expect("a whole frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("packets are JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a packet was expected, not {other:?}"),
            }
        }
    }

    /// The next packet as `event user payload`.
    pub async fn heard(&mut self) -> String {
        let packet = self.hear().await;
        let header = &packet["Header"];
        let user = header["UserId"].as_str().unwrap_or("-");
        format!("{} {user} {}", header["Event"].as_str().unwrap(), packet["Payload"].as_str().unwrap_or("?"))
    }

    pub async fn hears_nothing(&mut self) {
        let next = tokio::time::timeout(QUIET, self.socket.next()).await;
        assert!(next.is_err(), "nothing was expected, not {next:?}");
    }

    /// Asks, and reads on until the answer or the end; false: neither came in time.
    #[allow(dead_code, reason = "each test binary uses what it needs of it")]
    pub async fn answers_or_ends(&mut self, ask: &str, answer: &str) -> bool {
        let _ = self.socket.send(Message::text(ask.to_owned())).await;
        let reading = async {
            while let Some(Ok(message)) = self.socket.next().await {
                if matches!(&message, Message::Text(text) if text.as_str() == answer) || message.is_close() {
                    return;
                }
            }
        };
        tokio::time::timeout(SOON, reading).await.is_ok()
    }

    /// Reads on until the server closes; the code, 1006 where there was no close frame.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match tokio::time::timeout(SOON, self.socket.next()).await.expect("a close in time") {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(Message::Close(None))) => return 1005,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return 1006,
            }
        }
    }
}
