//! Coming back: whoever opted in and lost its connection gets what it missed, in order and once, and
//! the others never know.

#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;
#[path = "resume/sockjs.rs"]
mod sockjs;

use serde_json::{Value, json};
use server::{Peer, Server, Started, config, packet, start};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use viderehab::config::Config;

/// A client that can come back: it counts what arrives.
struct Client {
    peer: Peer,
    user: &'static str,
    token: String,
    received: u64,
}

impl Client {
    /// Connects with a key and opts in.
    async fn new(session: &Started, uuid: &str, user: &'static str) -> Self {
        let peer = session.open(&session.key(uuid)).await;
        let mut client = Self { peer, user, token: String::new(), received: 0 };
        let answer = client.resume(json!({})).await;
        assert_eq!(answer["resumed"], false);
        assert!(answer.get("reason").is_none(), "{answer}");
        client
    }

    async fn joined(session: &Started, uuid: &str, user: &'static str) -> Self {
        let mut client = Self::new(session, uuid, user).await;
        client.say("connect", json!("{}")).await;
        assert!(client.heard().await.starts_with(&format!("connect {user} ")));
        client
    }

    async fn resume(&mut self, payload: Value) -> Value {
        self.peer.say(json!({"Header": {"Event": "resume"}, "Payload": payload}).to_string()).await;
        let answer = self.peer.hear().await;
        assert_eq!(answer["Header"], json!({"Event": "resume"}), "{answer}");
        self.token = answer["Payload"]["token"].as_str().unwrap().to_owned();
        answer["Payload"].clone()
    }

    /// Loses the connection, without a word; what remains is what it takes to come back.
    fn cut(self) -> Cut {
        Cut { user: self.user, token: self.token, received: self.received }
    }

    /// Loses the connection some time later.
    fn cut_later(self) -> (Peer, Cut) {
        (self.peer, Cut { user: self.user, token: self.token, received: self.received })
    }

    async fn say(&mut self, event: &str, payload: Value) {
        self.peer.say(packet(event, self.user, "main", payload)).await;
    }

    async fn heard(&mut self) -> String {
        self.received += 1;
        self.peer.heard().await
    }

    /// Hears just these broadcasts next.
    async fn hears(&mut self, from: &str, numbers: std::ops::Range<u64>) {
        for number in numbers {
            assert_eq!(self.peer.hear().await["Payload"], json!(number), "from {from}");
            self.received += 1;
        }
    }
}

struct Cut {
    user: &'static str,
    token: String,
    received: u64,
}

impl Cut {
    async fn back(self, session: &Started, uuid: &str) -> (Client, Value) {
        let peer = session.open(&session.key(uuid)).await;
        let asked = json!({"token": self.token, "received": self.received});
        let mut client = Client { peer, user: self.user, token: String::new(), received: self.received };
        let answer = client.resume(asked).await;
        (client, answer)
    }
}

async fn broadcast(peer: &mut Peer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        peer.say(packet("broadcast", "A", "main", json!(number))).await;
    }
    // When the answer is there, they are in the log.
    peer.say(packet("ping", "A", "main", json!("{}"))).await;
    assert!(peer.heard().await.starts_with("ping A"), "nothing else has come");
}

/// Ann, who cannot come back, and Bob, who can, in a room.
async fn two(change: impl FnOnce(&mut Config)) -> (Server, Started, Peer, Client) {
    let mut config = config();
    change(&mut config);
    let server = start(config).await;
    let session = server.session().await;
    let mut ann = session.open(&session.key("ann")).await;
    ann.join("A", "main").await;
    let bob = Client::joined(&session, "bob", "B").await;
    assert_eq!(ann.heard().await, "connect B false");
    (server, session, ann, bob)
}

#[tokio::test]
async fn who_comes_back_gets_what_it_missed_and_the_others_never_know() {
    let (server, session, mut ann, mut bob) = two(|_| {}).await;
    broadcast(&mut ann, 0..2).await;
    bob.hears("A", 0..2).await;
    let bob = bob.cut();
    broadcast(&mut ann, 2..5).await;
    let (mut bob, answer) = bob.back(&session, "bob").await;
    assert_eq!((&answer["resumed"], &answer["received"]), (&json!(true), &json!(1)), "its connect has arrived");
    bob.hears("A", 2..5).await;
    broadcast(&mut ann, 5..6).await;
    bob.hears("A", 5..6).await;
    bob.say("broadcast", json!("here")).await;
    assert_eq!(ann.heard().await, "broadcast B here");
    ann.hears_nothing().await;
    bob.peer.hears_nothing().await;
    server.app.stop().await;
}

#[tokio::test]
async fn what_was_sent_into_a_dead_connection_comes_again() {
    let (server, session, mut ann, bob) = two(|_| {}).await;
    // Written to his socket, and never read.
    broadcast(&mut ann, 0..50).await;
    tokio::time::sleep(server::QUIET).await;
    let (mut bob, _) = bob.cut().back(&session, "bob").await;
    bob.hears("A", 0..20).await;
    // A second cut in the middle; what arrived is known by an ack, which is answered.
    bob.peer.say(json!({"Header": {"Event": "ack"}, "Payload": bob.received}).to_string()).await;
    let mut bob = bob.cut().back(&session, "bob").await.0;
    bob.hears("A", 20..50).await;
    bob.peer.say(json!({"Header": {"Event": "ack"}, "Payload": bob.received}).to_string()).await;
    assert_eq!(bob.peer.hear().await, json!({"Header": {"Event": "ack"}, "Payload": 1}));
    // What has arrived for sure is not kept, and cannot be asked for again.
    bob.received -= 1;
    let (_, answer) = bob.cut().back(&session, "bob").await;
    assert_eq!((&answer["resumed"], &answer["reason"]), (&json!(false), &json!("too much was missed")));
    server.app.stop().await;
}

#[tokio::test]
async fn an_impossible_count_is_an_error_and_no_more() {
    let (server, _session, _ann, mut bob) = two(|_| {}).await;
    for wrong in [json!(1000), json!(-1), json!("1"), json!(null)] {
        bob.peer.say(json!({"Header": {"Event": "ack"}, "Payload": wrong}).to_string()).await;
        assert!(bob.heard().await.starts_with("error B Payload of ack"));
    }
    bob.peer.say(json!({"Header": {"Event": "resume"}, "Payload": {}}).to_string()).await;
    assert!(bob.heard().await.starts_with("error B resume is the first packet"));
    bob.peer.say(json!({"Header": {"Event": "ack"}, "Payload": bob.received}).to_string()).await;
    assert_eq!(bob.peer.hear().await["Payload"], 1);
    server.app.stop().await;
}

#[tokio::test]
async fn too_late_is_told_plainly_and_the_others_are_told_in_time() {
    let (server, session, mut ann, bob) = two(|config| config.sessions.resume_grace_secs = 1).await;
    let bob = bob.cut();
    assert_eq!(ann.heard().await, "disconnect B ");
    let (mut bob, answer) = bob.back(&session, "bob").await;
    assert_eq!((&answer["resumed"], &answer["reason"]), (&json!(false), &json!("too late: the seat was given up")));
    bob.received = 0;
    bob.say("connect", json!("{}")).await;
    assert_eq!(ann.heard().await, "connect B false");
    assert_eq!(bob.heard().await, "connect B false");
    // The new seat is as good as the first was.
    let (_, answer) = bob.cut().back(&session, "bob").await;
    assert_eq!(answer["resumed"], true);
    server.app.stop().await;
}

#[tokio::test]
async fn too_much_missed_is_told_plainly() {
    let (server, session, mut ann, bob) = two(|config| {
        config.limits.message_bytes = 4096;
        config.limits.log_bytes = 4096;
    })
    .await;
    let bob = bob.cut();
    for _ in 0..10 {
        ann.say(packet("broadcast", "A", "main", json!("x".repeat(1000)))).await;
    }
    assert_eq!(ann.heard().await, "disconnect B ", "his seat held up the room's log");
    let (_, answer) = bob.back(&session, "bob").await;
    assert_eq!((&answer["resumed"], &answer["reason"]), (&json!(false), &json!("too much was missed")));
    server.app.stop().await;
}

#[tokio::test]
async fn a_seat_is_found_before_its_old_connection_is_known_to_be_dead() {
    let (server, session, mut ann, bob) = two(|_| {}).await;
    let Client { peer: mut old, user, token, received } = bob;
    let (mut bob, answer) = Cut { user, token, received }.back(&session, "bob").await;
    assert_eq!(answer["resumed"], true);
    assert_eq!(old.closed().await, 4006);
    broadcast(&mut ann, 0..3).await;
    bob.hears("A", 0..3).await;
    ann.hears_nothing().await;
    server.app.stop().await;
}

#[tokio::test]
async fn of_two_with_one_personal_key_the_newest_stays() {
    let (server, session, mut ann, mut bob) = two(|_| {}).await;
    let mut again = Client::new(&session, "bob", "C").await;
    assert_eq!(bob.peer.closed().await, 4006);
    assert_eq!(ann.heard().await, "disconnect B ");
    // One that lost its connection makes way, too.
    again.say("connect", json!("{}")).await;
    assert_eq!(ann.heard().await, "connect C false");
    drop(again);
    let _third = Client::new(&session, "bob", "D").await;
    assert_eq!(ann.heard().await, "disconnect C ");
    // Those who do not opt in are left alone.
    let mut plain = session.open(&session.key("bob")).await;
    plain.join("E", "main").await;
    assert_eq!(ann.heard().await, "connect E false");
    server.app.stop().await;
}

#[tokio::test]
async fn a_goodbye_and_a_client_that_did_not_opt_in_leave_at_once() {
    let (server, session, mut ann, mut bob) = two(|_| {}).await;
    bob.peer.socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "".into() })).await.unwrap();
    assert_eq!(ann.heard().await, "disconnect B ");
    let mut plain = session.open(&session.key("bob")).await;
    plain.join("C", "main").await;
    assert_eq!(ann.heard().await, "connect C false");
    drop(plain);
    assert_eq!(ann.heard().await, "disconnect C ");
    // A code of its own is no goodbye: so a client lets go of a connection that it found dead.
    let mut bob = Client::joined(&session, "bob", "B").await;
    assert_eq!(ann.heard().await, "connect B false");
    bob.peer.socket.close(Some(CloseFrame { code: CloseCode::Library(4000), reason: "".into() })).await.unwrap();
    let (_, answer) = bob.cut().back(&session, "bob").await;
    assert_eq!(answer["resumed"], true);
    ann.hears_nothing().await;
    server.app.stop().await;
}

#[tokio::test]
async fn nobody_takes_a_seat_that_is_not_theirs() {
    let (server, session, mut ann, bob) = two(|_| {}).await;
    let Cut { token, .. } = bob.cut();
    for (uuid, token) in [("ann", token.as_str()), ("bob", "AAAAAAAAAAAAAAAAAAAAAA"), ("bob", "")] {
        let stolen = Cut { user: "B", token: token.to_owned(), received: 0 };
        let (_, answer) = stolen.back(&session, uuid).await;
        assert_eq!(answer["resumed"], false, "{uuid}");
        assert_ne!(answer["token"], token);
        if uuid == "bob" {
            assert_eq!(ann.heard().await, "disconnect B ", "his own newest connection makes the seat go");
            break;
        }
        ann.hears_nothing().await;
    }
    server.app.stop().await;
}

#[tokio::test]
async fn a_held_seat_ends_with_its_key_and_with_its_session() {
    let (server, session, mut ann, bob) = two(|_| {}).await;
    drop(bob);
    let held = |server: &Server, id: i64| {
        let path = format!("/api/sessions/{id}");
        let (address, bearer) = (server.address, format!("Bearer {}", server::TOKEN));
        async move {
            let headers = [("authorization", bearer.as_str())];
            server::send(address, hyper::Method::GET, &path, &headers, String::new()).await.json()
        }
    };
    let shown = held(&server, session.id()).await;
    let peers = shown["peers"].as_array().unwrap();
    assert!(peers.len() == 2, "{shown}");
    server.manage(json!({"action": "remove", "id_session": session.id(), "session_participants": ["bob"]})).await;
    assert_eq!(ann.hear().await["Header"]["Reason"], "removed");
    let shown = held(&server, session.id()).await;
    assert_eq!(shown["peers"].as_array().unwrap().len(), 1, "{shown}");
    server.manage(json!({"action": "stop", "id_session": session.id()})).await;
    assert_eq!(ann.closed().await, 4001);
    server.app.stop().await;
}

/// A directory of data that goes with the test.
struct Data(std::path::PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("viderehab-resume-{name}-{}", std::process::id())))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn seats_outlive_a_restart() {
    let data = Data::new("restart");
    let mut config = config();
    config.server.data_dir = data.0.display().to_string();
    let server = start(config.clone()).await;
    let session = server.session().await;
    let mut ann = Client::joined(&session, "ann", "A").await;
    let mut bob = Client::joined(&session, "bob", "B").await;
    let mut plain = session.open(&session.role_key("participants")).await;
    plain.join("C", "main").await;
    for expected in ["connect B false", "connect C false"] {
        assert_eq!(ann.heard().await, expected);
    }
    assert_eq!(bob.heard().await, "connect C false");
    for number in 0..5 {
        ann.say("broadcast", json!(number)).await;
    }
    bob.hears("A", 0..2).await;
    // The rest has gone to his socket, and he reads no more; what he says is heard before the restart.
    bob.say("broadcast", json!("last words")).await;
    assert_eq!(ann.heard().await, "broadcast B last words");
    let (mut ann, bob) = (ann.cut_later(), bob.cut_later());
    server.app.stop().await;
    assert_eq!(ann.0.closed().await, 1012);
    drop(bob.0);

    let server = start(config).await;
    let (mut ann, answer) = ann.1.back(&session, "ann").await;
    assert_eq!((&answer["resumed"], &answer["received"]), (&json!(true), &json!(6)));
    assert_eq!(ann.heard().await, "disconnect C ", "she cannot come back, and they are told");
    let (mut bob, answer) = bob.1.back(&session, "bob").await;
    assert_eq!((&answer["resumed"], &answer["received"]), (&json!(true), &json!(2)));
    bob.hears("A", 2..5).await;
    assert_eq!(bob.heard().await, "disconnect C ");
    ann.say("broadcast", json!(5)).await;
    bob.hears("A", 5..6).await;
    bob.say("ping", json!("{}")).await;
    assert_eq!(bob.heard().await, r#"ping B ["A","B"]"#);
    ann.peer.hears_nothing().await;
    server.app.stop().await;
}

#[tokio::test]
async fn who_does_not_come_back_after_a_restart_leaves_in_time() {
    let data = Data::new("absent");
    let mut config = config();
    config.server.data_dir = data.0.display().to_string();
    config.sessions.resume_grace_secs = 1;
    let server = start(config.clone()).await;
    let session = server.session().await;
    let ann = Client::joined(&session, "ann", "A").await;
    let _bob = Client::joined(&session, "bob", "B").await;
    let (_, ann) = ann.cut_later();
    server.app.stop().await;
    let server = start(config.clone()).await;
    let (mut ann, answer) = ann.back(&session, "ann").await;
    assert_eq!(answer["resumed"], true);
    assert_eq!(ann.heard().await, "connect B false");
    assert_eq!(ann.heard().await, "disconnect B ");
    let ann = ann.cut();
    server.app.stop().await;
    // A seat that was held already is kept as well.
    let server = start(config).await;
    let (_, answer) = ann.back(&session, "ann").await;
    assert_eq!(answer["resumed"], true);
    server.app.stop().await;
}

#[tokio::test]
async fn while_it_drains_it_says_so_and_starts_nothing() {
    let server = start(config()).await;
    let session = server.session().await;
    // A client that does not answer the close frame holds up the end for a second.
    let idle = session.open(&session.key("ann")).await;
    let (address, stopping) = (server.address, tokio::spawn(server.app.stop()));
    let ready = loop {
        let ready = server::send(address, hyper::Method::GET, "/readyz", &[], String::new()).await;
        if ready.status != hyper::StatusCode::OK {
            break ready;
        }
    };
    assert_eq!(ready.status, hyper::StatusCode::SERVICE_UNAVAILABLE);
    let bearer = format!("Bearer {}", server::TOKEN);
    let body = json!({"session_manage": {"action": "start", "id_session": 0, "session_users": ["ann"]}}).to_string();
    let headers = [("authorization", bearer.as_str())];
    let refused = server::send(address, hyper::Method::POST, "/rpc/session_manage", &headers, body).await;
    assert_eq!(refused.status, hyper::StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text());
    drop(idle);
    stopping.await.unwrap();
}
