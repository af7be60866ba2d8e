//! Over SockJS: framed in a WebSocket, and by polling.

use std::collections::VecDeque;

use futures_util::StreamExt;
use hyper::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::broadcast;
use super::server::{Peer, SOON, Started, config, open, packet, send, start};

#[derive(Clone, Copy, Debug)]
enum Way {
    Socket,
    Polling,
}

/// Bob's connection.
struct Line {
    /// None: it polls.
    socket: Option<Peer>,
    address: std::net::SocketAddr,
    /// Of the SockJS session.
    base: String,
    key: String,
    came: VecDeque<Value>,
}

impl Line {
    /// `name`: the SockJS session's, which is not used twice.
    async fn open(session: &Started, way: Way, name: &str) -> Self {
        let (address, key, base) = (session.address(), session.key("bob"), format!("/echo/000/{name}"));
        let mut line = Self { socket: None, address, base, key, came: VecDeque::new() };
        if let Way::Socket = way {
            line.socket = Some(open(address, &line.path("websocket")).await.expect("the key opens the socket"));
        }
        assert_eq!(line.next().await, "o");
        line
    }

    fn path(&self, end: &str) -> String {
        format!("{}/{end}?key={}", self.base, self.key)
    }

    /// The next frame.
    async fn next(&mut self) -> String {
        let Some(socket) = &mut self.socket else {
            let answer = send(self.address, Method::POST, &self.path("xhr"), &[], String::new()).await;
            return answer.text().trim_end().to_owned();
        };
        match tokio::time::timeout(SOON, socket.socket.next()).await.expect("a frame in time") {
            Some(Ok(Message::Text(text))) => text.to_string(),
            other => panic!("a frame was expected, not {other:?}"),
        }
    }

    async fn say(&mut self, packet: String) {
        let array = json!([packet]).to_string();
        match &mut self.socket {
            Some(socket) => socket.say(array).await,
            None => {
                let answer = send(self.address, Method::POST, &self.path("xhr_send"), &[], array).await;
                assert_eq!(answer.status, 204, "{}", answer.text());
            }
        }
    }

    /// The next packet.
    async fn hear(&mut self) -> Value {
        while self.came.is_empty() {
            let frame = self.next().await;
            let array = frame.strip_prefix('a').unwrap_or_else(|| panic!("{frame}"));
            let packets: Vec<String> = serde_json::from_str(array).expect("an array of texts");
            self.came.extend(packets.iter().map(|packet| serde_json::from_str::<Value>(packet).unwrap()));
        }
        self.came.pop_front().expect("there is one")
    }

    /// Hears just these broadcasts next.
    async fn hears(&mut self, numbers: std::ops::Range<u64>, way: Way) {
        for number in numbers {
            assert_eq!(self.hear().await["Payload"], json!(number), "{way:?}");
        }
    }

    async fn resume(&mut self, payload: Value) -> Value {
        self.say(json!({"Header": {"Event": "resume"}, "Payload": payload}).to_string()).await;
        let answer = self.hear().await;
        assert_eq!(answer["Header"], json!({"Event": "resume"}), "{answer}");
        answer["Payload"].clone()
    }
}

#[tokio::test]
async fn what_was_missed_over_sockjs_comes_once() {
    let server = start(config()).await;
    for (lost, back) in [
        (Way::Socket, Way::Socket),
        (Way::Polling, Way::Polling),
        (Way::Socket, Way::Polling),
        (Way::Polling, Way::Socket),
    ] {
        let session = server.session().await;
        let mut ann = session.open(&session.key("ann")).await;
        ann.join("A", "main").await;
        let mut bob = Line::open(&session, lost, "first").await;
        let answer = bob.resume(json!({})).await;
        bob.say(packet("connect", "B", "main", json!("{}"))).await;
        assert_eq!(bob.hear().await["Header"]["Event"], "connect");
        assert_eq!(ann.heard().await, "connect B false");
        broadcast(&mut ann, 0..5).await;
        bob.hears(0..2, lost).await;
        // What comes with the last of them, or after it, is lost with the connection; of a polled one nobody is told yet.
        drop(bob);
        broadcast(&mut ann, 5..8).await;
        let mut bob = Line::open(&session, back, "second").await;
        let answer = bob.resume(json!({"token": answer["token"], "received": 3})).await;
        assert_eq!(
            (&answer["resumed"], &answer["received"]),
            (&json!(true), &json!(1)),
            "{lost:?}, {back:?}: {answer}"
        );
        bob.hears(2..8, back).await;
        broadcast(&mut ann, 8..9).await;
        bob.hears(8..9, back).await;
        bob.say(packet("broadcast", "B", "main", json!("here"))).await;
        assert_eq!(ann.heard().await, "broadcast B here", "she saw him neither go nor come");
        bob.say(packet("ping", "B", "main", json!("{}"))).await;
        assert_eq!(bob.hear().await["Header"]["Event"], "ping", "nothing has come twice");
        ann.hears_nothing().await;
    }
    server.app.stop().await;
}
