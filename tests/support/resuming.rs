//! A client that comes back to its seat by itself, and checks that nothing is lost, doubled or out of order.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Packets after which the server is told what has arrived.
const OFTEN: u64 = 16;

/// One member of the room `main`.
pub struct Resuming {
    address: SocketAddr,
    path: String,
    user: String,
    socket: Option<WebSocketStream<TcpStream>>,
    token: Option<String>,
    received: u64,
    /// Our packets that the server may not have, and how many came before them.
    sent: VecDeque<String>,
    arrived: u64,
    /// How often it came back to its seat, and how often it had to begin anew.
    pub resumed: u64,
    pub anew: u64,
    /// Why it had to, the last time.
    pub told: Option<String>,
    /// A connection that nobody reads any longer, and nobody has closed.
    dead: Option<WebSocketStream<TcpStream>>,
}

/// How a connection is lost.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// The system closes it: the process was killed.
    Closed,
    /// The peer's system knows nothing of it any longer.
    Reset,
    /// Nothing comes any more, and nothing says so: the network is gone.
    Silent,
}

impl Resuming {
    /// Joins. `path`: of the socket, with the key.
    pub async fn join(address: SocketAddr, path: String, user: &str) -> Self {
        let mut client = Self {
            address,
            path,
            user: user.to_owned(),
            socket: None,
            token: None,
            received: 0,
            sent: VecDeque::new(),
            arrived: 0,
            resumed: 0,
            anew: 0,
            told: None,
            dead: None,
        };
        client.come_back().await;
        client.anew = 0;
        let own = client.hear().await;
        assert_eq!((&own["Header"]["Event"], &own["Header"]["UserId"]), (&json!("connect"), &json!(user)));
        client
    }

    fn packet(&self, event: &str, payload: &Value) -> String {
        json!({"Header": {"Event": event, "UserId": self.user, "RoomId": "main"}, "Payload": payload}).to_string()
    }

    /// Sends to the others, now or once it is back.
    pub async fn say(&mut self, payload: &Value) {
        let text = self.packet("broadcast", payload);
        self.sent.push_back(text.clone());
        self.send(text).await;
    }

    /// The next packet, however often the connection is lost meanwhile.
    pub async fn hear(&mut self) -> Value {
        self.hear_until(Instant::now() + PATIENCE).await.expect("a packet in time")
    }

    /// Likewise; nothing if none has come by then. A return to the server is not given up for that.
    pub async fn hear_until(&mut self, until: Instant) -> Option<Value> {
        loop {
            let packet = match timeout_at(until, self.read()).await {
                Err(_) => return None,
                Ok(Some(packet)) => packet,
                Ok(None) => {
                    self.come_back().await;
                    continue;
                }
            };
            match packet["Header"]["Event"].as_str() {
                Some("ack") => self.has_arrived(packet["Payload"].as_u64().unwrap()),
                _ => {
                    self.received += 1;
                    if self.received.is_multiple_of(OFTEN) {
                        let ack = json!({"Header": {"Event": "ack"}, "Payload": self.received}).to_string();
                        self.send(ack).await;
                    }
                    return Some(packet);
                }
            }
        }
    }

    /// Goes on until the server has all that was said; hears nothing new.
    pub async fn settle(&mut self) {
        while !self.sent.is_empty() {
            let ack = json!({"Header": {"Event": "ack"}, "Payload": self.received}).to_string();
            self.send(ack).await;
            match self.read().await {
                Some(packet) if packet["Header"]["Event"] == "ack" => {
                    self.has_arrived(packet["Payload"].as_u64().unwrap())
                }
                Some(packet) => panic!("nothing was expected: {packet}"),
                None => self.come_back().await,
            }
        }
    }

    /// Loses the connection without a word, until [`Resuming::come_back`]. What is said meanwhile is kept.
    pub fn lose(&mut self, how: Loss) {
        let Some(socket) = self.socket.take() else { return };
        match how {
            Loss::Closed => {}
            Loss::Reset => socket.get_ref().set_zero_linger().expect("a socket can be reset"),
            Loss::Silent => self.dead = Some(socket),
        }
    }

    async fn send(&mut self, text: String) {
        if let Some(socket) = &mut self.socket
            && socket.send(Message::text(text)).await.is_err()
        {
            self.socket = None;
        }
    }

    /// What comes next; nothing when the connection is gone.
    async fn read(&mut self) -> Option<Value> {
        loop {
            match self.socket.as_mut()?.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    assert!([1012, 4005, 1005].contains(&code), "closed for good: {code}");
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => self.socket = None,
            }
        }
    }

    fn has_arrived(&mut self, count: u64) {
        for _ in self.arrived..count {
            self.sent.pop_front();
            self.arrived += 1;
        }
    }

    /// Connects, however long the server is away, and sends what it has not.
    pub async fn come_back(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < until, "{}: the server does not come back", self.user);
            match timeout(Duration::from_secs(10), self.try_connect()).await {
                Ok(Some(())) => {
                    self.dead = None;
                    return;
                }
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn try_connect(&mut self) -> Option<()> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        let (socket, _) = client_async(format!("ws://{}{}", self.address, self.path), stream).await.ok()?;
        self.socket = Some(socket);
        let payload = self.token.as_ref().map_or(json!({}), |token| json!({"token": token, "received": self.received}));
        self.send(json!({"Header": {"Event": "resume"}, "Payload": payload}).to_string()).await;
        let answer = self.read().await?["Payload"].clone();
        if answer["resumed"] == true {
            self.resumed += 1;
            self.has_arrived(answer["received"].as_u64().unwrap());
            for text in self.sent.clone() {
                self.send(text).await;
            }
        } else {
            self.anew += 1;
            self.told = answer["reason"].as_str().map(str::to_owned);
            self.token = Some(answer["token"].as_str().unwrap().to_owned());
            (self.received, self.arrived) = (0, 0);
            self.sent = VecDeque::from([self.packet("connect", &json!("{}"))]);
            self.send(self.sent[0].clone()).await;
        }
        self.socket.is_some().then_some(())
    }
}
