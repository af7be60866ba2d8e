//! The Socket.IO transport as clients see it, where the recordings do not show it.

#[path = "replay/http.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod http;
#[path = "support/socketio_service.rs"]
mod socketio_service;
#[path = "replay/websocket.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod websocket;

use std::time::Duration;

use http::{Request, ask};
use socketio_service::{Hosted, PATH, host};
use tokio::time::Instant;
use viderehab::transport::socketio::{End, Settings};
use websocket::{Received, WebSocket};

/// How long anything that must happen may take.
const SOON: Duration = Duration::from_secs(5);

/// How soon whoever is to be ended is ended.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A WebSocket of Engine.IO 3, which is open at once.
async fn open(hosted: &Hosted) -> WebSocket {
    let path = format!("{PATH}?EIO=3&transport=websocket");
    let mut socket = WebSocket::open(&hosted.host(), &path, true, Instant::now() + SOON).await.unwrap();
    assert!(text(&mut socket).await.starts_with("0{"));
    assert_eq!(text(&mut socket).await, "40");
    socket
}

async fn text(socket: &mut WebSocket) -> String {
    match socket.next(Instant::now() + SOON).await {
        Some((_, Received::Text(text))) => text,
        other => panic!("a text was expected, not {other:?}"),
    }
}

async fn closed(socket: &mut WebSocket) -> u16 {
    loop {
        match socket.next(Instant::now() + SOON).await {
            Some((_, Received::Closed(code, _))) => return code,
            Some(_) => {}
            None => panic!("it is not closed"),
        }
    }
}

async fn get(hosted: &Hosted, query: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let (host, path) = (hosted.host(), format!("{PATH}?{query}"));
    let request = Request { host: &host, method: "GET", path: &path, headers: headers.to_vec(), body: None };
    let (head, body) = ask(request, SOON).await.unwrap();
    (head.status, body)
}

/// What the nginx configuration of OpenTera sends on every request, also on a plain one.
const PROXIED: (&str, &str) = ("connection", "upgrade");

#[tokio::test]
async fn an_end_reaches_a_socket_and_a_parked_poll_at_once() {
    let hosted = host(0, Settings::default(), Duration::ZERO).await;
    let mut socket = open(&hosted).await;
    let (_, greeting) = get(&hosted, "EIO=3&transport=polling", &[PROXIED]).await;
    let sid = greeting.split('"').nth(3).unwrap().to_owned();
    let query = format!("EIO=3&transport=polling&sid={sid}");
    assert_eq!(get(&hosted, &query, &[PROXIED]).await, (200, "2:40".into()));
    let parked = async {
        let polled = get(&hosted, &query, &[PROXIED]).await;
        (polled, Instant::now())
    };
    let end = async {
        tokio::time::sleep(AT_ONCE).await;
        let begun = Instant::now();
        hosted.tester(0).end(End::ForGood);
        hosted.tester(1).end(End::ForGood);
        assert_eq!((text(&mut socket).await.as_str(), closed(&mut socket).await), ("41", 1005));
        assert!(begun.elapsed() < AT_ONCE);
        begun
    };
    let ((polled, at), begun) = tokio::join!(parked, end);
    assert_eq!(polled, (200, "2:41".into()));
    assert!(at - begun < AT_ONCE && hosted.open() == 0);
}

#[tokio::test]
async fn who_does_not_read_is_let_go_and_the_others_go_on() {
    let hosted = host(0, Settings::default(), Duration::ZERO).await;
    // Not the usual client: that one reads always.
    let stream = tokio::net::TcpStream::connect(hosted.host()).await.unwrap();
    let url = format!("ws://{}{PATH}?EIO=3&transport=websocket", hosted.host());
    let (deaf, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let mut other = open(&hosted).await;
    let large = format!("\"{}\"", "x".repeat(500_000));
    for _ in 0..40 {
        hosted.tester(0).emit("echo", &large);
    }
    let begun = Instant::now();
    while hosted.open() > 1 {
        assert!(begun.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    other.text("421[\"echo\",1]").await.unwrap();
    assert_eq!(text(&mut other).await, "42[\"echo\",1]");
    drop(deaf);
}

#[tokio::test]
async fn who_sends_too_fast_is_read_at_its_rate() {
    let hosted = host(0, Settings::default(), Duration::from_millis(100)).await;
    let socket = open(&hosted).await;
    for _ in 0..50 {
        socket.text("42[\"x\"]").await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(550)).await;
    let received = hosted.tester(0).received();
    assert!((2..=6).contains(&received), "{received}");
    // It is ended at once all the same.
    hosted.tester(0).end(End::ForNow);
    tokio::time::sleep(AT_ONCE).await;
    assert_eq!(hosted.open(), 0);
}

#[tokio::test]
async fn binary_data_ends_the_connection() {
    let hosted = host(0, Settings::default(), Duration::ZERO).await;
    for text in [None, Some("451-1[\"x\",{\"_placeholder\":true,\"num\":0}]")] {
        let mut socket = open(&hosted).await;
        match text {
            Some(text) => socket.text(text).await.unwrap(),
            None => socket.binary(&[4, 1, 2]).await.unwrap(),
        }
        assert_eq!(closed(&mut socket).await, 1005);
    }
    assert_eq!((hosted.open(), hosted.service.connections()), (0, 0));
}

#[tokio::test]
async fn a_stop_ends_every_task() {
    let hosted = host(0, Settings::default(), Duration::ZERO).await;
    let (_, greeting) = get(&hosted, "EIO=4&transport=polling", &[]).await;
    assert!(greeting.starts_with("0{"));
    let mut socket = open(&hosted).await;
    hosted.tester(1).end(End::ForGood);
    assert_eq!(closed(&mut socket).await, 1005);
    drop(socket);
    hosted.stop.cancel();
    hosted.tasks.close();
    tokio::time::timeout(SOON, hosted.tasks.wait()).await.expect("all tasks end");
    assert_eq!((hosted.open(), hosted.service.connections()), (0, 0));
}
