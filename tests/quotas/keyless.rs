//! What those may use who have shown no key.

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use super::*;

/// Longer than what they may send before that.
const LONG: usize = 40_000;

/// The next text, whatever it is.
async fn next_text(peer: &mut Peer) -> String {
    let next = tokio::time::timeout(server::SOON, peer.socket.next()).await.expect("a frame in time");
    match next.expect("it is not ended").expect("a whole frame") {
        Message::Text(text) => text.to_string(),
        other => panic!("a text was expected, not {other:?}"),
    }
}

/// By no address, as many as it has, and whatever they send.
#[tokio::test]
async fn they_take_nothing_from_those_who_have_one() {
    let mut settings = config();
    settings.limits.peers = 4;
    settings.limits.bytes_per_second = 15_000;
    let server = start(settings).await;
    let session = server.session().await;
    let mut bystanders = Bystanders::meet(&session).await;
    // The places of those without a key are their own.
    let mut silent = Vec::new();
    for number in 0..200 {
        let from = format!("192.0.2.{}", number % 5);
        silent.extend(open_from(&from, session.address(), "/echo/websocket").await);
    }
    assert_eq!(silent.len(), 128);
    assert!(limited(&server, "keyless").await >= 72);
    let mut third = session.open(&session.key("ann")).await;
    third.join("C", "main").await;
    bystanders.ann.hear().await;
    bystanders.bob.hear().await;
    drop(silent);
    // What they send is not the session's to send: each of them ends after one packet, and the next comes.
    let large = "x".repeat(30_000);
    for number in 0..60 {
        let from = format!("198.51.100.{number}");
        let mut flood = loop {
            match open_from(&from, session.address(), "/echo/websocket").await {
                Ok(flood) => break flood,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        flood.say(&large).await;
        assert_eq!(flood.closed().await, 4003);
    }
    let p99 = bystanders.p99(50).await;
    assert!(p99 < Duration::from_millis(200), "{p99:?}");
    assert_eq!(limited(&server, "session_rate").await, 0);
    // Whoever names the session is one of its peers, and counts as one.
    let mut named = open(session.address(), "/echo/websocket").await.unwrap();
    named.join("D", &session.session_key()).await;
    assert!(open(session.address(), &format!("/ws?key={}", session.key("bob"))).await.is_err());
    server.app.stop().await;
}

/// Nor by what they begin to send and do not end.
#[tokio::test]
async fn their_bodies_leave_room_for_those_who_have_one() {
    let mut settings = config();
    settings.limits.message_bytes = 10_000;
    settings.limits.session_bytes = 100_000;
    let server = start(settings).await;
    let session = server.session().await;
    let mut all = Vec::new();
    for number in 0..8 {
        assert_eq!(post(&session, &format!("/echo/0/s{number}/xhr"), "").await, 200);
        all.extend((0..4).map(|_| begun(&session, &format!("/echo/0/s{number}/xhr_send"), 30_000)));
    }
    let refused = async || server.metric("viderehab_refusals_total{status=\"503\"}").await;
    eventually("of the half of it one fits", async || refused().await >= 31).await;
    let key = session.key("ann");
    assert_eq!(post(&session, &format!("/echo/0/own/xhr?key={key}"), "").await, 200);
    let connect = json!([packet("connect", "A", "main", json!("x".repeat(9000)))]).to_string();
    assert_eq!(post(&session, &format!("/echo/0/own/xhr_send?key={key}"), connect).await, 204);
    server.app.stop().await;
}

/// By each carrier that lets them in. Who has shown one, or named the session, may say what all may.
#[tokio::test]
async fn they_send_little_at_once() {
    let server = start(config()).await;
    let session = server.session().await;
    let mut bob = session.open(&session.key("bob")).await;
    bob.join("B", "main").await;
    let post = async |path: &str, body: &str| post(&session, path, body).await;
    let framed = |event: &str, user: &str, payload: &str| {
        json!([packet(event, user, &session.session_key(), json!(payload))]).to_string()
    };
    let long = "x".repeat(LONG);

    assert_eq!(post("/echo/0/x/xhr", "").await, 200);
    assert_eq!(post("/echo/0/x/xhr_send", &framed("connect", "P", &long)).await, 413);
    assert_eq!(post("/echo/0/x/xhr_send", &framed("connect", "P", "{}")).await, 204);
    assert_eq!(post("/echo/0/x/xhr_send", &framed("broadcast", "P", &long)).await, 204);
    assert_eq!((bob.heard().await, bob.heard().await), ("connect P false".into(), format!("broadcast P {long}")));

    let mut early = open(session.address(), "/echo/0/x/websocket").await.unwrap();
    early.say(framed("connect", "E", &long)).await;
    assert_eq!(early.closed().await, 1000, "after SockJS's own close");
    let mut named = open(session.address(), "/echo/0/x/websocket").await.unwrap();
    named.say(framed("connect", "N", "{}")).await;
    named.say(framed("broadcast", "N", &long)).await;
    assert_eq!((bob.heard().await, bob.heard().await), ("connect N false".into(), format!("broadcast N {long}")));

    let engine = format!("/websocket/{}/?EIO=4&transport=", session.address().port());
    let polled = async |query: &str, words: &str| {
        let first = format!("{engine}polling{query}");
        let greeting = send(session.address(), Method::GET, &first, &[], String::new()).await.text();
        let sid = greeting.split('"').nth(3).unwrap().to_owned();
        post(&format!("{engine}polling&sid={sid}"), words).await
    };
    assert_eq!(polled("", &format!("40{{\"a\":\"{long}\"}}")).await, 413);
    let key = session.key("ann");
    assert_eq!(polled("", &format!("40{{\"key\":\"{key}\"}}\u{1e}42[\"{long}\"]")).await, 413);
    assert_eq!(polled(&format!("&key={key}"), "40").await, 200);
    let mut early = open(session.address(), &format!("{engine}websocket")).await.unwrap();
    early.say(format!("40{{\"a\":\"{long}\"}}")).await;
    assert_eq!(early.closed().await, 1009);
    let mut named = open(session.address(), &format!("{engine}websocket")).await.unwrap();
    named.say(format!("40{{\"key\":\"{key}\"}}")).await;
    named.say(format!("42[\"{long}\"]")).await;
    // It was read, and so is what comes after it: EasyRTC acknowledges that.
    named.say("420[\"easyrtcAuth\",{\"msgType\":\"authenticate\",\"msgData\":{\"apiVersion\":\"1\"}}]").await;
    while !next_text(&mut named).await.starts_with("430[") {}
    server.app.stop().await;
}

/// A host has all the addresses of its network of version 6.
#[tokio::test]
async fn a_network_is_one_address() {
    let server = start(config()).await;
    let session = server.session().await;
    let mut all = Vec::new();
    for number in 1..=40 {
        let from = format!("2001:db8::{number}");
        all.extend(open_from(&from, session.address(), "/echo/websocket").await);
    }
    assert_eq!(all.len(), 32);
    assert!(open_from("2001:db8:0:1::1", session.address(), "/echo/websocket").await.is_ok());
    server.app.stop().await;
}

/// The places of the session's peers are not taken by those who come without a key and name the session later.
#[tokio::test]
async fn naming_the_session_makes_no_room() {
    let mut settings = config();
    settings.limits.peers = 2;
    let server = start(settings).await;
    let session = server.session().await;
    let mut early = Vec::new();
    for _ in 0..4 {
        early.push(open(session.address(), "/echo/websocket").await.unwrap());
    }
    let mut ends = Vec::new();
    for (number, peer) in early.iter_mut().enumerate() {
        peer.say(packet("connect", &format!("K{number}"), &session.session_key(), json!("{}"))).await;
        if number < 2 {
            assert_eq!(peer.hear().await["Header"]["Event"], "connect");
        } else {
            ends.push(peer.closed().await);
        }
    }
    assert_eq!(ends, [4003, 4003]);
    assert_eq!(limited(&server, "peers").await, 2);
    server.app.stop().await;
}
