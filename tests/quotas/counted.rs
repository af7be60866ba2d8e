//! Whatever a client sends counts against its rate, also what holds no message.

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::*;

/// A server that lets a connection send so many packets or bytes a second, and a session.
async fn server_of(packets: u32, bytes: u32) -> (Server, Started) {
    let mut settings = config();
    settings.limits.packets_per_second = packets;
    settings.limits.bytes_per_second = bytes;
    let server = start(settings).await;
    let session = server.session().await;
    (server, session)
}

async fn is_slowed_down(server: &Server, what: &str) {
    eventually(what, async || limited(server, "connection_rate").await > 0).await;
}

/// Each says so many bytes at once, which it may; together it is more than some other limit allows.
async fn all_say(speakers: &mut [Peer], bytes: usize) {
    for (number, speaker) in speakers.iter_mut().enumerate() {
        speaker.say(packet("broadcast", &format!("S{number}"), "main", json!("x".repeat(bytes)))).await;
    }
}

/// A connection may say ten thousand bytes at once, so a session a hundred thousand.
#[tokio::test]
async fn a_session_may_say_the_bytes_of_ten_connections() {
    let (server, _) = server_of(0, 2000).await;
    let (_session, mut speakers, mut listener) = crowd(&server, 15).await;
    all_say(&mut speakers, 8000).await;
    hears(&mut listener, 15).await;
    eventually("together they are slowed down", async || limited(&server, "session_rate").await > 0).await;
    assert_eq!((limited(&server, "connection_rate").await, limited(&server, "address_rate").await), (0, 0));
    server.app.stop().await;
}

/// An address two hundred thousand.
#[tokio::test]
async fn an_address_may_say_the_bytes_of_twenty_connections() {
    let (server, _) = server_of(0, 2000).await;
    let mut crowds = Vec::new();
    for _ in 0..3 {
        crowds.push(crowd(&server, 9).await);
    }
    for (_, speakers, _) in &mut crowds {
        all_say(speakers, 8500).await;
    }
    for (_, _, listener) in &mut crowds {
        hears(listener, 9).await;
    }
    eventually("together they are slowed down", async || limited(&server, "address_rate").await > 0).await;
    assert_eq!((limited(&server, "connection_rate").await, limited(&server, "session_rate").await), (0, 0));
    server.app.stop().await;
}

/// A message that is not UTF-8, of so many bytes.
fn no_text(bytes: usize) -> Message {
    Message::binary(vec![0xff; bytes])
}

#[tokio::test]
async fn frames_without_a_message_count() {
    let padded = format!("[\"x\"{}]", " ".repeat(1000));
    let framed = "/echo/0/x/websocket";
    let cases = [
        ("an empty array", framed, (10, 0), Message::text("[]")),
        ("an empty text", framed, (10, 0), Message::text("")),
        ("a ping", framed, (10, 0), Message::Ping(Vec::new().into())),
        ("blanks", framed, (0, 1000), Message::text(padded)),
        ("bytes that are no text", "/ws", (0, 1000), no_text(1000)),
    ];
    for (what, path, (packets, bytes), message) in cases {
        let (server, session) = server_of(packets, bytes).await;
        let mut peer = open(session.address(), &format!("{path}?key={}", session.key("ann"))).await.unwrap();
        for _ in 0..60 {
            peer.socket.send(message.clone()).await.unwrap();
        }
        is_slowed_down(&server, what).await;
        server.app.stop().await;
    }
}

#[tokio::test]
async fn a_message_counts_before_it_is_whole() {
    let (server, session) = server_of(0, 1000).await;
    let mut peer = session.open(&session.key("ann")).await;
    for number in 0..60 {
        let opcode = if number == 0 { Data::Binary } else { Data::Continue };
        let fragment = Frame::message(vec![b'x'; 1000], OpCode::Data(opcode), false);
        peer.socket.send(Message::Frame(fragment)).await.unwrap();
    }
    is_slowed_down(&server, "fragments").await;
    server.app.stop().await;
}

#[tokio::test]
async fn bodies_without_a_message_count() {
    let cases = [
        ("an empty array", (10, 0), "[]".to_owned()),
        ("no array", (10, 0), "{}".to_owned()),
        ("no JSON", (10, 0), "[".to_owned()),
        ("blanks", (0, 1000), format!("{}[]", " ".repeat(1000))),
        ("blanks around a message", (0, 1000), format!("{}[\"x\"]", " ".repeat(1000))),
    ];
    for (what, (packets, bytes), body) in cases {
        let (server, session) = server_of(packets, bytes).await;
        let path = |last: &str| format!("/echo/0/x/{last}?key={}", session.key("ann"));
        assert_eq!(post(&session, &path("xhr"), "").await, 200);
        let mut sent = 0;
        while limited(&server, "connection_rate").await == 0 {
            assert!(sent < 60, "{what}");
            post(&session, &path("xhr_send"), body.as_str()).await;
            sent += 1;
        }
        server.app.stop().await;
    }
}

/// What it has sent is in the system's buffers, and would be read for minutes: at its address it has a place all that time.
#[tokio::test]
async fn who_is_over_its_rate_and_gone_is_missed() {
    let mut settings = config();
    settings.limits.packets_per_second = 100;
    settings.limits.heartbeat_secs = 1;
    let server = start(settings).await;
    let session = server.session().await;
    let mut peer = session.open(&session.key("ann")).await;
    // To which nothing is answered: whoever is gone refuses what it is sent.
    for _ in 0..50_000 {
        peer.socket.feed(Message::Frame(Frame::pong(Vec::new()))).await.unwrap();
    }
    peer.socket.flush().await.unwrap();
    is_slowed_down(&server, "pongs").await;
    drop(peer);
    let connections = async || server.metric("viderehab_connections").await;
    eventually("it is missed", async || connections().await == 0).await;
    server.app.stop().await;
}
